import asyncio
from contextlib import aclosing
from unittest.mock import patch

from django.contrib.auth.models import User
from django.test import TransactionTestCase
from django.urls import reverse

from myapp import streams
from myapp.hubs import HUBS
from myapp.models import Post, Topic
from myapp.test_rooms import next_of, socket
from myapp.visitors import VisitorConsumer


class StreamTests(TransactionTestCase):
    def setUp(self):
        self.author = User.objects.create_user("anna")
        self.topic = Topic.objects.create(title="Lunch", slug="lunch")

    def post(self, text="Soup?"):
        return Post.objects.acreate(topic=self.topic, author=self.author, text=text)

    async def stream(self, query="", **headers):
        answer = await self.async_client.get(f"/posts/stream/{query}", **headers)
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        return aclosing(aiter(answer.streaming_content))

    async def test_who_comes_back_is_sent_what_is_newer(self):
        first, second = [await self.post() for _ in range(2)]
        for query, headers in (
            (f"?after={first.pk}", {}),
            ("?after=0", {"headers": {"Last-Event-ID": str(first.pk)}}),
        ):
            async with await self.stream(query, **headers) as events:
                self.assertEqual(await anext(events), b": welcome\n\n")
                self.assertIn(f"id: {second.pk}\n".encode(), await anext(events))

    async def test_new_posts_come_and_who_leaves_is_gone(self):
        async with aclosing(streams.events(0)) as events:
            await anext(events)
            post = await self.post("two\n\ndata: lines")
            event = await anext(events)
            self.assertTrue(event.startswith(f"id: {post.pk}\ndata: "))
            self.assertEqual(event.count("\n"), 3)
            self.assertTrue(any(key[1] is streams.PostHub for key in HUBS))
        self.assertFalse(any(key[1] is streams.PostHub for key in HUBS))

    async def test_numbers_that_are_none(self):
        post = await self.post()
        for after in ("", "none", "-1", "9" * 99, "²"):
            async with await self.stream(f"?after={after}") as events:
                await anext(events)
                self.assertIn(f"id: {post.pk}\n".encode(), await anext(events))

    async def test_silence_is_broken(self):
        with patch.object(streams, "KEEP_ALIVE", 0.01):
            async with await self.stream() as events:
                await anext(events)
                self.assertEqual(await anext(events), b": still here\n\n")

    async def test_no_stream_is_for_ever(self):
        with patch.object(streams, "LONGEST", 0):
            async with await self.stream() as events:
                self.assertEqual([event async for event in events], [b": welcome\n\n"])

    async def test_page_begins_where_the_stream_goes_on(self):
        post = await self.post("<b>Soup?</b>")
        page = await self.async_client.get(reverse("latest"))
        self.assertContains(page, f'data-after="{post.pk}"')


async def until_writing(client):
    while "writing" not in await client.receive_json_from(timeout=5):
        pass


class WritingTests(TransactionTestCase):
    async def test_others_are_told_seldom_and_nothing_is_kept(self):
        async with (
            socket("/ws/chat/kitchen/?name=Anna") as anna,
            socket("/ws/chat/kitchen/?name=Ben") as ben,
            socket("/ws/chat/kitchen/") as nameless,
        ):
            while len(await next_of(ben, "here")) < 2:
                pass
            for client in (nameless, anna, anna):
                await client.send_json_to({"writing": True})
            self.assertEqual(await next_of(ben, "writing"), "Anna")
            self.assertTrue(await ben.receive_nothing())
            self.assertTrue(await nameless.receive_nothing())

    async def test_what_is_no_writing_is_no_message_either(self):
        async with socket("/ws/chat/kitchen/?name=Anna") as anna:
            await next_of(anna, "here")
            for frame in ({"writing": 1}, {"writing": "Ben"}, {"writing": False}):
                await anna.send_json_to(frame)
                await next_of(anna, "error")

    async def test_who_still_reads_the_history_is_told_as_well(self):
        read, send_history = asyncio.Event(), VisitorConsumer.send_history

        async def send_later(consumer):
            await read.wait()
            await send_history(consumer)

        async with (
            socket("/ws/chat/kitchen/?name=Anna") as anna,
            socket("/ws/chat/kitchen/?name=Cara") as cara,
        ):
            with patch.object(VisitorConsumer, "send_history", send_later):
                async with socket("/ws/chat/kitchen/?name=Ben") as ben:
                    await anna.send_json_to({"writing": True})
                    await until_writing(cara)
                    read.set()
                    await until_writing(ben)
