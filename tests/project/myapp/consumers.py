"""The consumer of the seed, and one for each thing that can become of a connection."""

import asyncio
import json
import time

from channels.consumer import SyncConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer


class ChatConsumer(WebsocketConsumer):
    def connect(self):
        self.accept()

    def disconnect(self, close_code):
        pass

    def receive(self, text_data):
        text_data_json = json.loads(text_data)
        message = text_data_json["message"]
        self.send(text_data=json.dumps({"message": message}))


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data, bytes_data)


class Refusing(WebsocketConsumer):
    def connect(self):
        self.close()


class Broken(WebsocketConsumer):
    def connect(self):
        raise RuntimeError("out of order")


class Deaf(AsyncWebsocketConsumer):
    async def connect(self):
        pass


class Closing(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.close(4000)


class Room(AsyncWebsocketConsumer):
    groups = ["room"]

    async def receive(self, text_data=None, bytes_data=None):
        layer = self.channel_layer
        await layer.send(channel=self.channel_name, message={"type": "room.alone"})
        await layer.group_send("room", {"type": "room.message", "text": text_data})

    async def room_alone(self, event):
        pass

    async def room_message(self, event):
        await self.send(event["text"])


class Guest(AsyncWebsocketConsumer):
    """Once the last of them has left, the task of the first leaves their group."""

    guests = 0
    empty = asyncio.Event()

    async def __call__(self, scope, receive, send):
        Guest.guests += 1
        if Guest.guests == 1:
            self.leaving = asyncio.create_task(self.leave())
        try:
            await super().__call__(scope, receive, send)
        finally:
            Guest.guests -= 1
            if Guest.guests == 0:
                self.empty.set()

    async def leave(self):
        await self.empty.wait()
        await self.channel_layer.group_discard("guests", self.channel_name)


class Endless(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await asyncio.Event().wait()


class Blocking(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        time.sleep(60)


class Jobs(SyncConsumer):
    def job_done(self, message):
        print("done:", message["number"])
