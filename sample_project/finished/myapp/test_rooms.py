from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import TransactionTestCase
from django.urls import path

from myapp.models import Message, Post, Topic
from myapp.rooms import RoomConsumer, group_of
from myapp.visitors import VisitorConsumer
from myproject.asgi import application

HEADERS = [(b"origin", b"http://localhost")]


@asynccontextmanager
async def socket(address, application=application):
    communicator = WebsocketCommunicator(application, address, HEADERS)
    accepted, _ = await communicator.connect(timeout=5)
    assert accepted
    yield communicator
    await communicator.disconnect()


async def next_of(communicator, key):
    return (await communicator.receive_json_from(timeout=5))[key]


class InterruptedRoom(RoomConsumer):
    async def send_history(self):
        await self.receive('{"message": "meanwhile"}')  # between group_add and the history
        await super().send_history()


class FaultyRoom(VisitorConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        raise RuntimeError("a fault")


class RoomTests(TransactionTestCase):
    async def test_only_this_room_hears(self):
        async with (
            socket("/ws/chat/kitchen/") as anna,
            socket("/ws/chat/kitchen/") as ben,
            socket("/ws/chat/garden/") as cleo,
        ):
            await anna.send_json_to({"message": "hello"})
            for listener in (anna, ben):
                self.assertEqual(await next_of(listener, "message"), "hello")
            self.assertTrue(await cleo.receive_nothing())

    async def test_group_names_are_valid_and_differ(self):
        rooms = ("Küche", "Kuche", "a b", "chat", "☕" * 50)
        names = {group_of(room) for room in rooms}
        self.assertEqual(len(names), len(rooms))
        for name in names:
            self.assertRegex(name, r"^[a-z0-9.]{1,99}$")

    async def test_long_room_name_is_refused(self):
        communicator = WebsocketCommunicator(application, f"/ws/chat/{'x' * 51}/", HEADERS)
        self.assertFalse((await communicator.connect(timeout=5))[0])

    async def test_bad_frames_reach_nobody(self):
        async with socket("/ws/chat/kitchen/") as anna:
            for frame in ("no JSON", "[1]", '{"message": 7}', '{"message": " "}'):
                await anna.send_to(text_data=frame)
                await next_of(anna, "error")
            await anna.send_to(bytes_data=b"\x00")
            await next_of(anna, "error")
            await anna.send_json_to({"message": "x" * 501, "type": "websocket.disconnect"})
            await next_of(anna, "error")
        self.assertEqual(await Message.objects.acount(), 0)

    async def test_too_many_messages_are_refused(self):
        async with socket("/ws/chat/kitchen/") as anna:
            for number in range(RoomConsumer.rate):
                await anna.send_json_to({"message": str(number)})
                await next_of(anna, "message")
            await anna.send_json_to({"message": "one more"})
            await next_of(anna, "error")

    async def test_who_joins_gets_the_newest_messages(self):
        for number in range(RoomConsumer.history + 1):
            await Message.objects.acreate(room="kitchen", text=f"message {number}")
        await Message.objects.acreate(room="garden", text="not for the kitchen")
        async with socket("/ws/chat/kitchen/") as anna:
            heard = [await next_of(anna, "message") for _ in range(RoomConsumer.history)]
        self.assertEqual((heard[0], heard[-1]), ("message 1", f"message {RoomConsumer.history}"))

    async def test_message_that_comes_before_the_history_is_told_once(self):
        interrupted = URLRouter([path("<str:room_name>/", InterruptedRoom.as_asgi())])
        async with socket("/kitchen/", interrupted) as anna:
            self.assertEqual(await next_of(anna, "message"), "meanwhile")
            self.assertTrue(await anna.receive_nothing())

    async def test_visitors_see_each_other(self):
        async with socket("/ws/chat/kitchen/?name=Anna") as anna:
            self.assertEqual(await next_of(anna, "here"), ["Anna"])
            async with socket("/ws/chat/kitchen/?name=Ben") as ben, socket("/ws/chat/kitchen/"):
                self.assertEqual(await next_of(ben, "here"), ["Ben"])
                for visitor in (anna, ben):
                    self.assertEqual(await next_of(visitor, "here"), ["Anna", "Ben"])
            self.assertEqual(await next_of(anna, "here"), ["Anna"])

    async def test_visitor_whose_consumer_fails_has_left(self):
        faulty = URLRouter([path("<str:room_name>/", FaultyRoom.as_asgi())])
        async with socket("/hall/?name=Anna", faulty) as anna:
            self.assertEqual(await next_of(anna, "here"), ["Anna"])
            ben = WebsocketCommunicator(faulty, "/hall/?name=Ben", HEADERS)
            await ben.connect(timeout=5)
            self.assertEqual(await next_of(anna, "here"), ["Anna", "Ben"])
            await ben.send_to(text_data="hello")
            with self.assertRaisesMessage(RuntimeError, "a fault"):
                await ben.wait(timeout=5)
            self.assertEqual(await next_of(anna, "here"), ["Anna"])


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
