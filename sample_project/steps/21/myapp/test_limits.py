from unittest.mock import patch

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.test import SimpleTestCase, TransactionTestCase

from myapp.limits import count, who
from myapp.models import Message
from myapp.rooms import RoomConsumer, event_of, group_of
from myapp.test_rooms import HEADERS, next_of, socket
from myproject.asgi import application


class LimitTests(SimpleTestCase):
    def setUp(self):
        cache.clear()

    def test_users_and_addresses_are_counted_each_by_itself(self):
        scopes = [
            {"user": User(pk=1), "client": ["192.0.2.1", 1111]},
            {"user": User(pk=2), "client": ["192.0.2.1", 2222]},
            {"user": AnonymousUser(), "client": ["192.0.2.1", 3333]},
            {"client": ["2001:db8::1", 4444]},
            {"client": None},
        ]
        self.assertEqual(len({who(scope) for scope in scopes}), len(scopes))
        for scope in scopes:
            for _ in range(3):
                count("test", scope, 3, 60)
            with self.assertRaisesMessage(ValueError, "too many tests from you, please wait"):
                count("test", scope, 3, 60)

    def test_after_a_while_it_begins_anew(self):
        for _ in range(2):
            count("test", {}, 1, -1)  # has ended at once

    def test_no_count_is_without_an_end(self):
        def incr(key):  # as Redis, if the time ends between its look and its step
            cache.set(key, 1, timeout=None)
            return 1

        with patch.object(cache, "incr", incr):
            count("test", {}, 1, -1)
        count("test", {}, 1, 60)


@patch.object(RoomConsumer, "most_unread", 3)
class RoomLimitTests(TransactionTestCase):
    def setUp(self):
        cache.clear()

    async def test_who_does_not_acknowledge_is_hung_up_on(self):
        anna = WebsocketCommunicator(application, "/ws/chat/kitchen/?after=0", HEADERS)
        await anna.connect(timeout=5)
        await next_of(anna, "reload")
        for _ in range(RoomConsumer.most_unread):
            await say_hello()
            await next_of(anna, "id")
        await say_hello()
        close = await anna.receive_output(timeout=5)
        self.assertEqual((close["type"], close["code"]), ("websocket.close", 4503))

    async def test_who_acknowledges_goes_on(self):
        async with socket("/ws/chat/kitchen/?after=0") as anna:
            await next_of(anna, "reload")
            for _ in range(RoomConsumer.most_unread + 1):
                await say_hello()
                await anna.send_json_to({"read": await next_of(anna, "id")})

    async def test_who_does_not_count_goes_on(self):
        async with socket("/ws/chat/kitchen/") as anna:
            for _ in range(RoomConsumer.most_unread + 1):
                await say_hello()
                await next_of(anna, "message")

    async def test_more_sockets_do_not_make_more_messages(self):
        with patch.object(RoomConsumer, "rate_of_all", 2):
            for room, answer in (("a", "message"), ("b", "message"), ("c", "error")):
                async with socket(f"/ws/chat/{room}/") as anna:
                    await anna.send_json_to({"message": "hello"})
                    await next_of(anna, answer)


async def say_hello():
    message = await Message.objects.acreate(room="kitchen", text="hello")
    await get_channel_layer().group_send(
        group_of("kitchen"), await sync_to_async(event_of)(message)
    )
