from contextlib import suppress
from urllib.parse import parse_qs

from channels.exceptions import ChannelFull

from .rooms import RoomConsumer


class VisitorConsumer(RoomConsumer):
    """A room that shows who is in it: the clients that gave a ?name=."""

    name = ""  # until it is known

    async def connect(self):
        await super().connect()
        query = parse_qs(self.scope["query_string"].decode())
        self.name = query.get("name", [""])[0][:30]
        self.visitors = {}  # channel name → name
        if self.name:
            await self.channel_layer.group_add(f"here.{self.group}", self.channel_name)
            await self.tell_visitors("visitor.came")

    async def leave(self):
        await super().leave()
        if self.name:
            await self.channel_layer.group_discard(f"here.{self.group}", self.channel_name)
            await self.tell_visitors("visitor.left")

    async def tell_visitors(self, kind):
        await self.channel_layer.group_send(f"here.{self.group}", self.card(kind))

    def card(self, kind):
        return {"type": kind, "channel": self.channel_name, "name": self.name}

    async def visitor_came(self, event):
        if event["channel"] != self.channel_name:
            with suppress(ChannelFull):
                await self.channel_layer.send(event["channel"], self.card("visitor.here"))
        await self.visitor_here(event)

    async def visitor_here(self, event):
        self.visitors[event["channel"]] = event["name"]
        await self.show_visitors()

    async def visitor_left(self, event):
        self.visitors.pop(event["channel"], None)
        await self.show_visitors()

    async def show_visitors(self):
        await self.send_json({"here": sorted(self.visitors.values())})
