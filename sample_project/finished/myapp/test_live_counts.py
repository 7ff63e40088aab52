import json

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.test import SimpleTestCase, TransactionTestCase
from msgspec import DecodeError

from myapp.live import LiveConsumer
from myapp.models import Post, Topic
from myapp.protocol import Count, Unwatch, Watch, decode, encode
from myapp.test_rooms import next_of, socket


class ProtocolTests(SimpleTestCase):
    def test_requests(self):
        self.assertEqual(decode('{"do": "watch", "topic": "lunch"}'), Watch("lunch"))
        self.assertEqual(decode('{"do": "unwatch", "topic": "a-1_B"}'), Unwatch("a-1_B"))

    def test_all_else_is_refused(self):
        for frame in (
            *("", "hello", "null", "[]", "7", '"watch"', "[" * 100_000, '{"a":' * 100_000),
            *("{}", '{"do": "watch"}', '{"do": 7, "topic": "a"}', '{"do": "count", "topic": "a"}'),
            '{"do": "watch", "topic": ""}',
            '{"do": "watch", "topic": "a b"}',
            f'{{"do": "watch", "topic": "{"a" * 51}"}}',
            '{"do": "watch", "topic": "a", "type": "websocket.disconnect"}',
        ):
            with self.assertRaises(DecodeError, msg=frame[:80]):
                decode(frame)

    def test_answers(self):
        content = {"is": "count", "topic": "lunch", "posts": 2}
        self.assertEqual(json.loads(encode(Count("lunch", 2))), content)


class LiveCountTests(TransactionTestCase):
    def setUp(self):
        self.anna = get_user_model().objects.create_user("anna")
        for slug in ("lunch", "lost"):
            Topic.objects.create(title=slug, slug=slug)

    @sync_to_async
    def add_post(self, slug):
        Post.objects.create(topic=Topic.objects.get(slug=slug), author=self.anna, text="Soup?")

    async def test_only_what_is_watched_is_told(self):
        async with socket("/ws/live/") as anna:
            for slug in ("lunch", "lost"):
                await anna.send_json_to({"do": "watch", "topic": slug})
                self.assertEqual(await next_of(anna, "posts"), 0)
            await anna.send_json_to({"do": "unwatch", "topic": "lost"})
            await anna.send_json_to({"do": "watch", "topic": "lunch"})
            self.assertEqual(await next_of(anna, "topic"), "lunch")  # so it has done both
            await self.add_post("lost")
            await self.add_post("lunch")
            answer = await anna.receive_json_from(timeout=5)
            self.assertEqual(answer, {"is": "count", "topic": "lunch", "posts": 1})
            self.assertTrue(await anna.receive_nothing())

    async def test_errors_are_told_to_who_made_them_and_harm_nobody(self):
        async with socket("/ws/live/") as anna, socket("/ws/live/") as ben:
            await anna.send_json_to({"do": "watch", "topic": "lunch"})
            await next_of(anna, "posts")
            for frame in ({"type": "websocket.disconnect"}, {"do": "watch", "topic": "soup"}):
                await ben.send_json_to(frame)
                await next_of(ben, "reason")
            await ben.send_to(bytes_data=b"\x00")
            await next_of(ben, "reason")
            await self.add_post("lunch")
            self.assertEqual(await next_of(anna, "posts"), 1)

    async def test_nobody_watches_too_much(self):
        async with socket("/ws/live/") as anna:
            for number in range(LiveConsumer.most + 1):
                await Topic.objects.acreate(title="t", slug=f"t-{number}")
                await anna.send_json_to({"do": "watch", "topic": f"t-{number}"})
                answer = await anna.receive_json_from(timeout=5)
            self.assertEqual(answer["reason"], "no more than 100 topics at a time")
