import asyncio

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator
from django.test import SimpleTestCase


class Broken(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        await asyncio.sleep(0.3)
        await self.send_json({"secret": 42})


class Mended(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        await self.send_json(content)


class TestsForSomething(SimpleTestCase):
    async def answer_of(self, consumer):
        anna = WebsocketCommunicator(consumer.as_asgi(), "/")
        await anna.connect(timeout=5)
        await anna.send_json_to({"message": "Soup?"})
        answer = await anna.receive_json_from(timeout=5)
        await anna.disconnect()
        return answer

    async def test_answer_comes_first(self):
        self.assertEqual(await self.answer_of(Mended), {"message": "Soup?"})

    async def test_the_test_can_fail(self):
        with self.assertRaises(AssertionError):
            self.assertEqual(await self.answer_of(Broken), {"message": "Soup?"})
