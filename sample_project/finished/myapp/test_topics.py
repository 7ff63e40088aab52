from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import TransactionTestCase

from myapp.models import Post, Topic
from myapp.test_rooms import HEADERS, next_of, socket
from myproject.asgi import application


class TopicTests(TransactionTestCase):
    def setUp(self):
        self.author = get_user_model().objects.create_user("anna")
        self.topic = Topic.objects.create(title="Lunch", slug="lunch")
        Topic.objects.create(title="Other", slug="other")

    def add_post(self, text, rolled_back=False):
        with transaction.atomic():
            Post.objects.create(topic=self.topic, author=self.author, text=text)
            transaction.set_rollback(rolled_back)

    async def test_page_hears_of_a_post(self):
        async with socket("/ws/topics/lunch/") as reader, socket("/ws/topics/other/") as other:
            await sync_to_async(self.add_post)("Soup?")
            post = await Post.objects.aget()
            self.assertEqual(await next_of(reader, "post"), f"/topics/lunch/#post-{post.pk}")
            self.assertTrue(await other.receive_nothing())

    async def test_post_that_is_rolled_back_is_not_told(self):
        async with socket("/ws/topics/lunch/") as reader:
            await sync_to_async(self.add_post)("Soup?", rolled_back=True)
            self.assertTrue(await reader.receive_nothing())

    async def test_reader_of_no_topic_is_refused(self):
        for slug in ("no-such-topic", "x" * 95):  # the second is too long for a group's name
            communicator = WebsocketCommunicator(application, f"/ws/topics/{slug}/", HEADERS)
            self.assertFalse((await communicator.connect(timeout=5))[0])
