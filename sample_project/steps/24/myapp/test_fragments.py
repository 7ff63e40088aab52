from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client, TransactionTestCase
from django.utils.html import escape

from myapp.fragments import TopicPageConsumer
from myapp.models import Post, Topic
from myapp.test_rooms import HEADERS, socket
from myproject.asgi import application

ATTACK = '</li></ol><h1 id="title" hx-swap-oob="true">No lunch today</h1>'


class FragmentTests(TransactionTestCase):
    def setUp(self):
        cache.clear()
        self.anna = get_user_model().objects.create_user("anna")
        self.topic = Topic.objects.create(title="Lunch", slug="lunch")

    @sync_to_async
    def add_post(self, text):
        return Post.objects.create(topic=self.topic, author=self.anna, text=text)

    @sync_to_async
    def log_in(self):
        self.browser = Client()
        self.browser.force_login(self.anna)
        cookie = f"sessionid={self.browser.cookies['sessionid'].value}"
        return [*HEADERS, (b"cookie", cookie.encode())]

    async def take(self, page, *words):
        frame = await page.receive_from(timeout=5)
        for word in words:
            self.assertIn(word, frame)
        return frame

    async def test_page_is_given_what_it_lacks_and_then_what_is_new(self):
        first, second = [await self.add_post(text) for text in ("one", "two")]
        path = f"/ws/topics/lunch/page/?after={first.pk}"
        for _ in range(2):
            async with socket(path) as page:
                frame = await self.take(page, "innerHTML", f"post-{second.pk}")
                self.assertNotIn(f"post-{first.pk}", frame)
        async with socket(path) as page:
            await self.take(page)
            third = await self.add_post("three")
            frame = await self.take(page, "beforeend", f"post-{third.pk}")
            self.assertNotIn(f"post-{second.pk}", frame)

    async def test_events_that_are_late_or_there_twice(self):
        consumer, sent = TopicPageConsumer(), []
        consumer.topic, consumer.after, consumer.last = self.topic, 0, 0

        async def send(text_data):
            sent.append(text_data)

        consumer.send = send
        first, second = [await self.add_post(text) for text in ("one", "two")]
        for post in (second, first, second):
            await consumer.post_created({"post": post.pk})
        for frame in sent:
            for word in ("innerHTML", f"post-{first.pk}", f"post-{second.pk}"):
                self.assertIn(word, frame)

    async def test_empty_topic_says_so(self):
        async with socket("/ws/topics/lunch/page/?after=0") as page:
            await self.take(page, "No posts yet.")
            await self.add_post("one")
            self.assertNotIn("No posts yet.", await self.take(page, "innerHTML", "one"))

    async def test_what_strangers_write_is_text(self):
        async with socket("/ws/topics/lunch/page/?after=0") as page:
            await self.take(page)
            await self.add_post(ATTACK)
            self.assertNotIn("<h1", await self.take(page, escape(ATTACK)))

    async def test_member_posts_and_only_their_fields_change(self):
        path = "/ws/topics/lunch/page/?after=0"
        anna = WebsocketCommunicator(application, path, await self.log_in())
        await anna.connect(timeout=5)
        await self.take(anna, "new-posts")
        async with socket(path) as reader:
            await self.take(reader)
            for frame in ('{"text": " "}', "no JSON", '{"text": 7}', "{}"):
                await anna.send_to(text_data=frame)
                await self.take(anna, "post-fields", "This field is required.")
            await anna.send_to(bytes_data=b"\x00")
            await self.take(anna, "post-fields", "This field is required.")
            await anna.send_to(text_data='{"text": "Soup?", "type": "x", "author": 7}')
            await self.take(anna, "post-fields")
            for page in (anna, reader):
                await self.take(page, "Soup?", "anna")
            self.assertTrue(await reader.receive_nothing())
        await sync_to_async(self.browser.post)("/accounts/logout/")
        await anna.send_to(text_data='{"text": "Still me?"}')
        await self.take(anna, "post-fields", "You are logged out.")
        self.assertEqual(await Post.objects.acount(), 1)
        await anna.disconnect()

    async def test_nobody_posts_too_much(self):
        path = "/ws/topics/lunch/page/?after=0"
        anna = WebsocketCommunicator(application, path, await self.log_in())
        await anna.connect(timeout=5)
        await self.take(anna)
        for _ in range(10):
            await anna.send_to(text_data='{"text": "Soup?"}')
            await self.take(anna, "post-fields")
            await self.take(anna, "new-posts")
        await anna.send_to(text_data='{"text": "Soup?"}')
        await self.take(anna, "post-fields", "too many posts")
        await anna.disconnect()
        answer = await sync_to_async(self.browser.post)("/topics/lunch/", {"text": "Soup?"})
        self.assertContains(answer, "too many posts")

    async def test_page_of_no_topic_or_without_a_number_is_refused(self):
        for path in ("soup/page/?after=0", "lunch/page/", "lunch/page/?after=-1"):
            page = WebsocketCommunicator(application, f"/ws/topics/{path}", HEADERS)
            self.assertFalse((await page.connect(timeout=5))[0])
