import asyncio
import json
import random
from contextlib import suppress

from websockets import ConnectionClosed, InvalidHandshake


class Visitor:
    """Talks in a room as the page does: with keys, and it comes back.

    join: returns a connection to a path. name: stands in each message. room: where it talks.
    """

    pause = 1.0  # seconds between two messages: a room takes 20 of a connection in 10

    def __init__(self, join, name, room="hall"):
        self.join, self.name, self.room = join, name, room
        self.said, self.outbox, self.last, self.heard = 0, {}, 0, []
        self.codes, self.refused, self.talks = set(), 0, True

    async def stay(self):
        while True:
            try:
                async with self.join(f"/ws/chat/{self.room}/?after={self.last}") as socket:
                    for key, message in list(self.outbox.items()):
                        await self.send(socket, message, key)
                    talking = asyncio.create_task(self.talk(socket))
                    try:
                        await self.listen(socket)
                    finally:
                        talking.cancel()
            except ConnectionClosed as closed:
                self.codes.add(closed.rcvd.code if closed.rcvd else 1006)
            except (InvalidHandshake, OSError):
                self.refused += 1
            await asyncio.sleep(random.uniform(0.1, 0.3))  # each at a moment of its own

    async def talk(self, socket):
        with suppress(ConnectionClosed):
            while self.talks:
                self.said += 1
                key = f"{self.name}-{self.said}"
                self.outbox[key] = f"{self.name} says {self.said}"
                await self.send(socket, self.outbox[key], key)
                await asyncio.sleep(self.pause)

    async def send(self, socket, message, key):
        await socket.send(json.dumps({"message": message, "key": key}))

    async def listen(self, socket):
        while True:
            frame = json.loads(await socket.recv())
            self.outbox.pop(frame.get("saved"), None)
            if "id" in frame:
                self.last = frame["id"]
                self.heard.append(frame["message"])
                await socket.send(json.dumps({"read": self.last}))

    async def has_said(self, number):
        while self.said < number:
            await asyncio.sleep(0.05)

    async def has_heard(self, number):
        while len(self.heard) < number:
            await asyncio.sleep(0.05)
