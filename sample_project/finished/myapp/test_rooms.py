from contextlib import asynccontextmanager

from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import TransactionTestCase
from django.urls import path

from myapp.models import Message
from myapp.rooms import RoomConsumer, group_of
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
        rooms = ("Küche", "Kåche", "a b", "chat", "☕" * 50, "ﬃ" * 50)  # ﬃ is one character
        names = {group_of(room) for room in rooms}
        self.assertEqual(len(names), len(rooms))
        for name in names:
            self.assertRegex(name, r"^[a-z0-9._-]{1,94}$")

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
