import asyncio

from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import TransactionTestCase
from django.urls import path

from myapp.test_hubs import hub_of
from myapp.test_rooms import HEADERS, next_of, socket
from myapp.visitors import VisitorConsumer


class FaultyRoom(VisitorConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        raise RuntimeError("a fault")


class VisitorTests(TransactionTestCase):
    async def test_visitors_see_each_other(self):
        async with socket("/ws/chat/kitchen/?name=Anna") as anna:
            self.assertEqual(await next_of(anna, "here"), ["Anna"])
            async with socket("/ws/chat/kitchen/?name=Ben") as ben, socket("/ws/chat/kitchen/"):
                for visitor in (anna, ben):
                    self.assertEqual(await next_of(visitor, "here"), ["Anna", "Ben"])
            self.assertEqual(await next_of(anna, "here"), ["Anna"])

    async def test_last_visitor_leaves_nothing_in_the_layer(self):
        async with socket("/ws/chat/kitchen/?name=Anna") as anna:
            await next_of(anna, "here")
            hub = hub_of("kitchen")
        await asyncio.wait(hub.tasks)
        self.assertFalse(get_channel_layer().channels)

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
