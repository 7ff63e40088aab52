"""Right answers to the exercises of lesson 25 that are not like ours."""

from . import Right

TIMEOUT = """import asyncio
import json

from channels.testing import WebsocketCommunicator
from django.test import SimpleTestCase, TransactionTestCase

from myapp.bell import BellConsumer


class BellTests(SimpleTestCase):
    async def test_it_rings_for_each_press(self):
        bell = WebsocketCommunicator(BellConsumer.as_asgi(), "/")
        await bell.connect(timeout=2)
        for number in (1, 2, 3):
            await bell.send_json_to({"press": number})
        async with asyncio.timeout(2):
            for number in (1, 2, 3):
                event = await bell.output_queue.get()
                self.assertEqual(json.loads(event["text"]), {"ring": number})
"""
COLLECT = """import asyncio
import json

from channels.testing import WebsocketCommunicator
from django.test import SimpleTestCase

from myapp.register import RegisterConsumer


class RegisterTests(SimpleTestCase):
    async def test_it_tells_the_name_and_no_password(self):
        register = WebsocketCommunicator(RegisterConsumer.as_asgi(), "/")
        await register.connect(timeout=2)
        await register.send_json_to({"who": "anna"})
        answers = []
        async with asyncio.timeout(2):
            while {"done": True} not in answers:
                answers.append(await register.receive_json_from())
        self.assertEqual(answers, [{"name": "anna"}, {"done": True}])
"""
LOOKS = """import asyncio
import json

from channels.testing import WebsocketCommunicator
from django.test import SimpleTestCase

from myapp.register import RegisterConsumer


class RegisterTests(SimpleTestCase):
    async def test_it_tells_the_name_and_no_password(self):
        register = WebsocketCommunicator(RegisterConsumer.as_asgi(), "/")
        await register.connect(timeout=2)
        await register.send_json_to({"who": "anna"})
        first = await register.receive_json_from(timeout=2)
        self.assertEqual(first["name"], "anna")
        self.assertNotIn("password", first)
        second = await register.receive_json_from(timeout=2)
        self.assertNotIn("password", second)
        self.assertEqual(second, {"done": True})
        self.assertTrue(await register.receive_nothing())
"""
AFTER = """import json

import pytest
from channels.testing import WebsocketCommunicator
from django.test import SimpleTestCase

from myapp.gate import GateConsumer


class GateTests(SimpleTestCase):
    async def ask(self, *frames):
        client = WebsocketCommunicator(GateConsumer.as_asgi(), "/")
        await client.connect()
        answers = []
        for frame in frames:
            await client.send_json_to(frame)
            answers.append(await client.receive_json_from())
        await client.disconnect()
        return answers

    async def test_full(self):
        for _ in range(2):
            self.assertEqual(
                await self.ask(*[{"enter": True}] * 4),
                [{"inside": 1}, {"inside": 2}, {"inside": 3}, {"full": True}],
            )

    async def test_leave(self):
        self.assertEqual(
            await self.ask({"enter": True}, {"enter": True}, {"leave": True}),
            [{"inside": 1}, {"inside": 2}, {"inside": 1}],
        )
"""

RIGHT = {
    "25.1": [
        Right("sets a limit around the queue", {"myapp/test_bell.py": TIMEOUT}),
    ],
    "25.2": [
        Right("collects until done", {"myapp/test_register.py": COLLECT}),
        Right("looks into each frame", {"myapp/test_register.py": LOOKS}),
    ],
    "25.3": [
        Right("lets one client come after the other", {"myapp/test_gate.py": AFTER}),
    ],
}
