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


class Endless(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await asyncio.Event().wait()


class Blocking(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        time.sleep(60)


class Jobs(SyncConsumer):
    def job_done(self, message):
        print("done:", message["number"])
