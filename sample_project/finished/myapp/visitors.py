import asyncio
import json
import time
from contextlib import suppress
from urllib.parse import parse_qs

from .rooms import RoomConsumer, RoomHub

PAUSE = 0.1  # seconds: who comes or goes meanwhile is told together
RENEW = 20.0  # seconds, after which it is told again; names that are not are soon forgotten
SELDOM = 2.0  # seconds between two times that somebody is said to be writing


def is_writing(frame):
    """Tell whether a client says that somebody is writing."""
    try:
        return json.loads(frame)["writing"] is True
    except (KeyError, RecursionError, TypeError, ValueError):
        return False


class VisitorHub(RoomHub):
    """Knows who is in a room. The hub of each process tells all of them its own visitors."""

    def __init__(self, key, first_member):
        super().__init__(key, first_member)
        self.names, self.changed = {}, asyncio.Event()  # channel of a hub → names, and their end
        self.tasks.append(asyncio.create_task(self.tell_names()))

    async def end(self):
        await super().end()  # first: nobody would take our own event out of the layer
        if self.channel in self.names:
            await self.send_names()

    async def tell_names(self):
        try:
            await self.ready.wait()
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), RENEW)
                self.changed.clear()
                await self.send_names()
                await asyncio.sleep(PAUSE)
        except Exception as error:
            self.close(error)

    async def send_names(self):
        names = [member.name for member in self.members if member.name]
        event = {"type": "visitors.here", "hub": self.channel, "names": names}
        await self.layer.group_send(self.group, event)

    async def visitors_here(self, event):
        now, hub = time.monotonic(), event["hub"]
        if event["names"] and hub not in self.names:
            self.changed.set()  # a new hub, which shall hear of ours
        self.names[hub] = event["names"], now + 3 * RENEW
        self.names = {hub: told for hub, told in self.names.items() if told[0] and told[1] > now}
        names = sorted(name for names, _ in self.names.values() for name in names)
        here = json.dumps({"here": names})
        for member in list(self.members):
            if member.name and member.shown != here:
                member.shown = here
                self.tell_one(member, (None, (here, here)))

    async def visitors_writing(self, event):
        frame = json.dumps({"writing": event["name"]})
        for member in list(self.members):
            if member.name and event["by"] != f"{self.channel} {id(member)}":
                self.tell_one(member, (None, (frame, frame)))


class VisitorConsumer(RoomConsumer):
    """A room that shows who is in it: the clients that gave a ?name=."""

    hub_class = VisitorHub
    name = shown = ""  # until they are known
    wrote = float("-inf")  # when it was last said that somebody is writing

    async def connect(self):
        query = parse_qs(self.scope["query_string"].decode())
        self.name = query.get("name", [""])[0][:30]
        await super().connect()
        if self.name:
            self.hub.changed.set()

    async def receive(self, text_data=None, bytes_data=None):
        if not is_writing(text_data):
            await super().receive(text_data, bytes_data)
        elif self.name and time.monotonic() > self.wrote + SELDOM:
            self.wrote = time.monotonic()
            by = f"{self.hub.channel} {id(self)}"
            event = {"type": "visitors.writing", "name": self.name, "by": by}
            await self.channel_layer.group_send(self.group, event)

    async def leave(self):
        await super().leave()
        if self.name and self.hub:
            self.hub.changed.set()
