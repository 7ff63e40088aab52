from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import TransactionTestCase
from django.urls import path

from myapp.models import Message
from myapp.rooms import RoomConsumer, event_of, group_of
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


class ReturnTests(TransactionTestCase):
    async def say(self, number):
        said = [Message(room="kitchen", text=str(text)) for text in range(number)]
        await Message.objects.abulk_create(said)
        return [pk async for pk in Message.objects.values_list("pk", flat=True)]

    async def test_nothing_missed(self):
        *_, last = await self.say(3)
        async with socket(f"/ws/chat/kitchen/?after={last}") as anna:
            self.assertEqual(await next_of(anna, "missed"), 0)
            self.assertTrue(await anna.receive_nothing())

    async def test_what_was_missed_comes_again(self):
        first, *missed = await self.say(RoomConsumer.history + 1)
        async with socket(f"/ws/chat/kitchen/?after={first}") as anna:
            self.assertEqual(await next_of(anna, "missed"), len(missed))
            self.assertEqual([await next_of(anna, "id") for _ in missed], missed)

    async def test_too_much_to_come_again(self):
        first, _, *newest = await self.say(RoomConsumer.history + 2)
        for after in (first, 0, "", "none", newest[-1] + 1, "9" * 99):
            with self.subTest(after):
                async with socket(f"/ws/chat/kitchen/?after={after}") as anna:
                    self.assertTrue(await next_of(anna, "reload"))
                    self.assertEqual([await next_of(anna, "id") for _ in newest], newest)

    async def test_message_that_is_sent_again_is_there_once(self):
        message = {"message": "hello", "key": "anna-1"}
        async with socket("/ws/chat/kitchen/") as anna, socket("/ws/chat/kitchen/") as ben:
            for frame in (message, message, {"message": "and this"}):
                await anna.send_json_to(frame)
            self.assertEqual(await next_of(ben, "message"), "hello")
            self.assertEqual(await next_of(ben, "message"), "and this")
            answers = [await anna.receive_json_from(timeout=5) for _ in range(4)]
            self.assertEqual(answers.count({"saved": "anna-1"}), 2)
        self.assertEqual(await Message.objects.acount(), 2)

    async def test_events_that_are_late_or_lost(self):
        async with socket("/ws/chat/kitchen/?after=0") as anna:
            await next_of(anna, "reload")
            ids = await self.say(4)
            events = [
                await sync_to_async(event_of)(message) async for message in Message.objects.all()
            ]
            for event in (events[1], events[0], events[3], events[3]):  # and 2 is lost
                await get_channel_layer().group_send(group_of("kitchen"), event)
            self.assertEqual([await next_of(anna, "id") for _ in ids], ids)
            self.assertTrue(await anna.receive_nothing())

    async def test_key_that_is_none(self):
        async with socket("/ws/chat/kitchen/") as anna:
            for key in ("x" * 37, 7, None):
                await anna.send_json_to({"message": "hello", "key": key})
                await next_of(anna, "error")
