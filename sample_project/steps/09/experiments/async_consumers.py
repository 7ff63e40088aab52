import asyncio
import time

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer

from myapp.models import Post, Topic


@database_sync_to_async
def latest_post():
    return Post.objects.latest("created").text


class BoardConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        topics = await Topic.objects.acount()
        await self.send_json({"topics": topics, "latest": await latest_post()})


class BlockingConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        time.sleep(0.3)  # blocks the event loop: never do this
        await self.send(text_data="done")


class PatientConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await asyncio.sleep(0.5)  # lets others run meanwhile
        await self.send(text_data="done")


class TickerConsumer(AsyncWebsocketConsumer):
    ticking = None

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)  # calls the methods below
        finally:
            if self.ticking:
                self.ticking.cancel()
            print("ended: finally")

    async def connect(self):
        await self.accept()
        self.ticking = asyncio.create_task(self.tick())

    async def tick(self):
        for number in range(1, 1_000_000):
            await self.send(text_data=f"tick {number}")
            await asyncio.sleep(0.05)

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data="I heard " + text_data)

    async def disconnect(self, close_code):
        print(f"ended: disconnect({close_code})")
