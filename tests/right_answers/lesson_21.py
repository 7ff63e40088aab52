"""Right answers to the exercises of lesson 21 that are not like ours."""

from . import Right

LOOKS_AROUND = """\
import asyncio

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer

READERS = {}  # consumer → None
TASKS = []  # the one that listens, if it does


async def listen():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("goals", channel)
    try:
        while READERS:
            try:
                event = await asyncio.wait_for(layer.receive(channel), 0.05)
            except TimeoutError:
                continue
            for reader in list(READERS):
                await reader.send_json({"goal": event["goal"]})
    finally:
        TASKS.clear()
        await layer.group_discard("goals", channel)


class GoalConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        event = {"type": "goal.scored", "goal": content["goal"]}
        await self.channel_layer.group_send("goals", event)


class ScoreConsumer(AsyncJsonWebsocketConsumer):
    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            READERS.pop(self, None)

    async def connect(self):
        READERS[self] = None
        if not TASKS:
            TASKS.append(asyncio.create_task(listen()))
        await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "fail":
            raise RuntimeError("as you wish")
"""

RIGHT = {
    "21.1": [
        Right("listens for as long as there are readers", {"myapp/scores.py": LOOKS_AROUND}),
    ],
}
