import asyncio
import json

from channels.generic.websocket import AsyncWebsocketConsumer

from myapp.hubs import Hub


class TextbookConsumer(AsyncWebsocketConsumer):
    group = "crowd.textbook"

    async def connect(self):
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        event = {"type": "crowd.message", "message": json.loads(text_data)["message"]}
        await self.channel_layer.group_send(self.group, event)

    async def crowd_message(self, event):
        await self.send(json.dumps({"message": event["message"]}))


class EncodedConsumer(TextbookConsumer):
    """Encodes each message once, when it comes."""

    group = "crowd.encoded"

    async def receive(self, text_data=None, bytes_data=None):
        frame = json.dumps({"message": json.loads(text_data)["message"]})
        event = {"type": "crowd.message", "frame": frame}
        await self.channel_layer.group_send(self.group, event)

    async def crowd_message(self, event):
        await self.send(event["frame"])


class ThreadlessConsumer(EncodedConsumer):
    """Goes to no thread before an event that needs no database."""

    group = "crowd.threadless"

    async def dispatch(self, message):
        if message["type"] == "crowd.message":
            await self.crowd_message(message)
        else:
            await super().dispatch(message)


class CrowdHub(Hub):
    async def crowd_message(self, event):
        self.tell(event["frame"])


class HubConsumer(EncodedConsumer):
    """One subscription for all, and an outbox for each."""

    group = "crowd.hub"

    async def connect(self):
        self.outbox = asyncio.Queue()
        self.hub = await CrowdHub.join(self.group, self)
        await self.accept()
        self.writer = asyncio.create_task(self.write())

    async def disconnect(self, close_code):
        self.hub.leave(self)
        self.writer.cancel()

    async def write(self):
        while (frame := await self.outbox.get()) is not None:
            await self.send(frame)
        await self.close(4503)


CONSUMERS = {
    "textbook": TextbookConsumer,
    "encoded": EncodedConsumer,
    "threadless": ThreadlessConsumer,
    "hub": HubConsumer,
}
