import asyncio
from contextlib import suppress

from channels.layers import get_channel_layer

HUBS = {}  # (event loop, class, group) → hub


class Hub:
    """One subscription to a group, for all its members in this process.

    A member has an `outbox`, an asyncio.Queue, for what it is told. None is the last in it: the
    hub has ended with an `error`, or the member has been too slow.
    """

    most_waiting = 200  # in an outbox

    @classmethod
    async def join(cls, group, member):
        """Make somebody a member, and return the hub. Raises what the layer raises."""
        key = asyncio.get_running_loop(), cls, group
        hub = HUBS[key] = HUBS.get(key) or cls(key, member)
        hub.members[member] = None
        try:
            await hub.ready.wait()
        except asyncio.CancelledError:  # the client has gone meanwhile
            hub.leave(member)
            raise
        if hub.error:
            raise hub.error
        return hub

    def __init__(self, key, first_member):
        self.key, self.group = key, key[-1]
        self.members = {}  # keys only: a set that keeps its order
        self.error, self.ready = None, asyncio.Event()
        self.layer, self.channel = get_channel_layer(), None
        self.tasks = [asyncio.create_task(self.listen())]

    async def listen(self):
        try:
            self.channel = await self.layer.new_channel()
            await self.layer.group_add(self.group, self.channel)
            await self.begin()
            self.ready.set()
            while True:
                event = await self.layer.receive(self.channel)
                await getattr(self, event["type"].replace(".", "_"))(event)
        except Exception as error:
            self.close(error)
        finally:
            if self.channel:
                with suppress(Exception):  # maybe it is the layer that has failed
                    await self.end()

    async def begin(self):
        """Runs before the first event."""

    async def end(self):
        """Runs when the last member has left, or the hub has failed."""
        await self.layer.group_discard(self.group, self.channel)

    def tell(self, item):
        for member in list(self.members):
            self.tell_one(member, item)

    def tell_one(self, member, item):
        if member.outbox.qsize() == self.most_waiting:
            self.members.pop(member, None)
            item = None
        member.outbox.put_nowait(item)

    def leave(self, member):
        self.members.pop(member, None)
        if not self.members and HUBS.get(self.key) is self:
            self.close()

    def close(self, error=None):
        """End, with all members that there are."""
        if HUBS.get(self.key) is self:
            del HUBS[self.key]
        self.error = error
        members, self.members = self.members, {}
        for member in members:
            member.outbox.put_nowait(None)
        self.ready.set()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
