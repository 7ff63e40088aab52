import asyncio
import time
from contextlib import suppress

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from . import register
from .hubs import Hub
from .protocol import Here, Rows, encode

GROUP = "class"
PAUSE = 0.1  # seconds: what changes meanwhile is read, and told, together
RENEW = 20.0  # seconds, after which all is looked at again; who is not told of, is soon forgotten


async def tell_all():
    """Tell the hub of each process that something has changed. What, it reads by itself."""
    await get_channel_layer().group_send(GROUP, {"type": "class.changed"})


class ClassHub(Hub):
    """Knows what has changed, and who is here. A member has a `learner`, or None: a screen."""

    def __init__(self, key, first_member):
        super().__init__(key, first_member)
        self.woken = asyncio.Event()
        self.moved = True  # somebody has come or gone, here
        self.hubs = {}  # channel of a hub → its learners, and when they are forgotten
        self.here = None  # the frame that tells it
        self.tasks.append(asyncio.create_task(self.follow()))

    async def begin(self):
        self.version, self.push = await database_sync_to_async(register.newest)()

    async def end(self):
        await super().end()  # first: nobody would take our own event out of the layer
        await self.send_here()

    async def class_changed(self, event):
        self.woken.set()

    def came_or_went(self):
        self.moved = True
        self.woken.set()

    async def follow(self):
        try:
            await self.ready.wait()
            told = 0.0
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.woken.wait(), RENEW)
                self.woken.clear()
                await self.read()
                if self.moved or time.monotonic() - told >= RENEW:
                    self.moved, told = False, time.monotonic()
                    await self.send_here()
                await asyncio.sleep(PAUSE)
        except Exception as error:
            self.close(error)

    async def read(self):
        rows, hints = await database_sync_to_async(self.news)()
        changed = {row.id: row for row in rows}
        frame = encode(Rows(rows))
        for member in list(self.members) if rows else ():
            if member.learner is None:
                self.tell_one(member, frame)
            elif row := changed.get(member.learner):
                self.tell_one(member, encode(row))
        self.version = max([self.version, *(row.version for row in rows)])
        for hint, learners in hints:
            self.push = max(self.push, hint.number)
            for member in list(self.members):
                if member.learner in learners:
                    self.tell_one(member, (hint.number, encode(hint)))

    def news(self):
        return register.rows(self.version), register.hints(self.push)

    async def send_here(self):
        learners = {member.learner for member in self.members if member.learner is not None}
        event = {"type": "learners.here", "hub": self.channel, "learners": sorted(learners)}
        await self.layer.group_send(self.group, event)

    async def learners_here(self, event):
        now, hub = time.monotonic(), event["hub"]
        if event["learners"] and hub not in self.hubs:
            self.came_or_went()  # a new hub, which shall hear of ours
        self.hubs[hub] = event["learners"], now + 3 * RENEW
        self.hubs = {hub: told for hub, told in self.hubs.items() if told[0] and told[1] > now}
        everybody = sorted({learner for told, _ in self.hubs.values() for learner in told})
        here = encode(Here(everybody))
        if here != self.here:
            self.here = here
            for member in list(self.members):
                if member.learner is None:
                    self.tell_one(member, here)
