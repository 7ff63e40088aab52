import asyncio
from unittest.mock import patch

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.db import IntegrityError
from django.test import SimpleTestCase, TransactionTestCase

from myapp.hubs import HUBS, Hub
from myapp.models import Message
from myapp.rooms import event_of, group_of, save_together
from myapp.test_rooms import next_of, socket


class Member:
    def __init__(self):
        self.outbox = asyncio.Queue()

    async def next(self):
        return await asyncio.wait_for(self.outbox.get(), 5)


class DemoHub(Hub):
    most_waiting = 3

    async def demo(self, event):
        self.tell(event["text"])


async def send(text, kind="demo"):
    await get_channel_layer().group_send("demo", {"type": kind, "text": text})


class HubTests(SimpleTestCase):
    async def test_all_members_have_one_subscription(self):
        members = [Member() for _ in range(5)]
        hubs = {await DemoHub.join("demo", member) for member in members}
        self.assertEqual(len(hubs), 1)
        self.assertEqual(len(get_channel_layer().groups["demo"]), 1)
        await send("hello")
        self.assertEqual([await member.next() for member in members], ["hello"] * 5)
        (hub,) = hubs
        for member in members:
            hub.leave(member)
        await asyncio.wait(hub.tasks)
        self.assertNotIn("demo", get_channel_layer().groups)
        self.assertNotIn(hub.key, HUBS)

    async def test_who_goes_away_while_joining_is_no_member(self):
        with patch.object(DemoHub, "begin", asyncio.Event().wait):  # which never comes
            joining = asyncio.create_task(DemoHub.join("demo", Member()))
            await asyncio.sleep(0)  # let it begin
            (key,) = [key for key in HUBS if key[1] is DemoHub]
            joining.cancel()
            await asyncio.wait([joining, *HUBS[key].tasks], timeout=5)
        self.assertNotIn(key, HUBS)

    async def test_last_leaves_while_another_comes(self):
        anna, ben = Member(), Member()
        first = await DemoHub.join("demo", anna)
        first.leave(anna)
        second = await DemoHub.join("demo", ben)
        await asyncio.wait(first.tasks)
        await send("hello")
        self.assertEqual(await ben.next(), "hello")
        second.leave(ben)

    async def test_who_is_too_slow_is_told_no_more(self):
        slow, quick = Member(), Member()
        for member in (slow, quick):
            hub = await DemoHub.join("demo", member)
        for number in range(5):
            await send(number)
            self.assertEqual(await quick.next(), number)
        self.assertEqual([await slow.next() for _ in range(4)], [0, 1, 2, None])
        for member in (slow, quick):
            hub.leave(member)
        self.assertNotIn(hub.key, HUBS)

    async def test_members_hear_of_the_end_of_their_hub(self):
        member = Member()
        hub = await DemoHub.join("demo", member)
        await send("no such method", "unknown")
        self.assertIsNone(await member.next())
        self.assertIsInstance(hub.error, AttributeError)
        await asyncio.wait(hub.tasks)
        self.assertNotIn("demo", get_channel_layer().groups)
        hub.leave(member)
        again = await DemoHub.join("demo", member)
        self.assertIsNot(again, hub)
        again.leave(member)

    async def test_who_cannot_join_is_told_why(self):
        with (
            patch.object(get_channel_layer(), "group_add", side_effect=ConnectionError("away")),
            self.assertRaisesMessage(ConnectionError, "away"),
        ):
            await DemoHub.join("demo", member := Member())
        hub = await DemoHub.join("demo", member)
        hub.leave(member)


class RoomHubTests(TransactionTestCase):
    def setUp(self):
        cache.clear()

    async def test_who_joins_meanwhile_misses_nothing(self):
        async def come(number):
            await asyncio.sleep(number / 100)
            async with socket("/ws/chat/kitchen/?after=0") as visitor:
                await next_of(visitor, "reload")
                return [await next_of(visitor, "message") for _ in range(20)]

        async with socket("/ws/chat/kitchen/") as speaker:
            coming = [asyncio.create_task(come(number)) for number in range(10)]
            for number in range(20):
                await speaker.send_json_to({"message": str(number)})
            for heard in await asyncio.gather(*coming):
                self.assertEqual(heard, [str(number) for number in range(20)])

    async def test_what_is_lost_is_read_once_for_all(self):
        async with socket("/ws/chat/kitchen/") as anna, socket("/ws/chat/kitchen/") as ben:
            for text in ("lost", "told"):
                message = await Message.objects.acreate(room="kitchen", text=text)
            event = await sync_to_async(event_of)(message)
            with patch("myapp.rooms.Message.objects.filter", wraps=Message.objects.filter) as read:
                await get_channel_layer().group_send(group_of("kitchen"), event)
                for visitor in (anna, ben):
                    self.assertEqual(await next_of(visitor, "message"), "lost")
                    self.assertEqual(await next_of(visitor, "message"), "told")
            self.assertEqual(read.call_count, 1)

    @patch("myapp.rooms.LOOK", 0.01)
    async def test_what_nobody_has_told_is_found(self):
        async with socket("/ws/chat/kitchen/") as anna:
            await Message.objects.acreate(room="kitchen", text="lost")
            self.assertEqual(await next_of(anna, "message"), "lost")

    async def test_what_waits_is_saved_together(self):
        async with socket("/ws/chat/kitchen/") as anna:
            hub = hub_of("kitchen")
            texts = [str(number) for number in range(hub.most_together + 10)]
            with patch("myapp.rooms.save_together", wraps=save_together) as save:
                await say(hub, *[Message(room="kitchen", text=text) for text in texts])
            trips = [len(call.args[0]) for call in save.call_args_list]
            self.assertEqual(trips, [hub.most_together, 10])
            self.assertEqual([await next_of(anna, "message") for _ in texts], texts)

    async def test_what_is_refused_or_cannot_be_saved_stops_no_other(self):
        async with socket("/ws/chat/kitchen/") as anna:
            for bad, kind in ((None, ValueError), (Message(text=None), IntegrityError)):
                good = [Message(room="kitchen", text=text) for text in ("hello", "and this")]
                first, refused, last = await say(hub_of("kitchen"), good[0], bad, good[1])
                self.assertIsInstance(refused, kind)
                self.assertEqual((first, last), ("", ""))
                self.assertEqual(await next_of(anna, "message"), "hello")
                self.assertEqual(await next_of(anna, "message"), "and this")

    async def test_key_that_comes_twice_at_once(self):
        async with socket("/ws/chat/kitchen/") as anna:
            messages = [Message(room="kitchen", text="hello", key="anna-1") for _ in range(2)]
            self.assertEqual(await say(hub_of("kitchen"), *messages), ["anna-1", "anna-1"])
            self.assertEqual(await next_of(anna, "message"), "hello")
            self.assertTrue(await anna.receive_nothing())
        self.assertEqual(await Message.objects.acount(), 1)

    async def test_who_leaves_does_not_stop_the_others(self):
        async with socket("/ws/chat/kitchen/") as anna:
            messages = [Message(room="kitchen", text=text) for text in ("goodbye", "hello")]
            leaving, staying = (
                asyncio.create_task(hub_of("kitchen").say(Speaker(), message))
                for message in messages
            )
            await asyncio.sleep(0)  # let them begin
            leaving.cancel()
            await asyncio.wait_for(staying, 5)
            self.assertEqual(await next_of(anna, "message"), "goodbye")
            self.assertEqual(await next_of(anna, "message"), "hello")


class Speaker:
    room = "kitchen"

    def take(self, message):
        if message is None:
            raise ValueError("this is no message")
        return message


def hub_of(room):
    (hub,) = [hub for (*_, group), hub in HUBS.items() if group == group_of(room)]
    return hub


async def say(hub, *messages):
    saying = [hub.say(Speaker(), message) for message in messages]
    return await asyncio.gather(*saying, return_exceptions=True)
