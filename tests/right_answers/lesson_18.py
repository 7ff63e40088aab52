"""Right answers to the exercises of lesson 18 that are not like ours."""

from . import Right

DEPARTURES = """\
from urllib.parse import parse_qs

from asgiref.sync import async_to_sync
from channels.generic.websocket import JsonWebsocketConsumer

from .models import Message


class DepartureConsumer(JsonWebsocketConsumer):
    last = 0

    def connect(self):
        self.station = self.scope["url_route"]["kwargs"]["station"]
        self.group = f"dep.{self.station}"
        async_to_sync(self.channel_layer.group_add)(self.group, self.channel_name)
        self.accept()
        values = parse_qs(self.scope["query_string"].decode())
        self.last = int(values["after"][0]) if "after" in values else 0
        self.catch_up()

    def disconnect(self, code):
        async_to_sync(self.channel_layer.group_discard)(self.group, self.channel_name)

    def catch_up(self, event=None):
        for message in Message.objects.filter(room=self.station, pk__gt=self.last).order_by("pk"):
            self.last = message.pk
            self.send_json({"id": message.pk, "message": message.text})

    def receive_json(self, content):
        Message.objects.get_or_create(
            room=self.station, key=content["key"], defaults={"text": content["message"]}
        )
        self.send_json({"saved": content["key"]})
        async_to_sync(self.channel_layer.group_send)(self.group, {"type": "catch.up"})
"""

SET = """\
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .models import Message


class DepartureConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.station = self.scope["url_route"]["kwargs"]["station"]
        query = parse_qs(self.scope["query_string"].decode())
        self.after, self.shown = int(query.get("after", ["0"])[0]), set()
        self.group = f"departures.{self.station}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        async for message in Message.objects.filter(room=self.station, pk__gt=self.after):
            await self.show(message.pk, message.text)

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content):
        known = {"room": self.station, "key": content["key"]}
        text = {"text": content["message"]}
        message, _ = await Message.objects.aget_or_create(**known, defaults=text)
        event = {"type": "train.leaves", "id": message.pk, "message": message.text}
        await self.channel_layer.group_send(self.group, event)
        await self.send_json({"saved": content["key"]})

    async def train_leaves(self, event):
        if event["id"] > self.after and event["id"] not in self.shown:
            await self.show(event["id"], event["message"])

    async def show(self, number, text):
        self.shown.add(number)
        await self.send_json({"id": number, "message": text})
"""

KITCHEN = """\
from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncJsonWebsocketConsumer, JsonWebsocketConsumer

from .models import Message


class WaiterConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        known = {"room": "orders", "key": content["key"]}
        order, _ = await Message.objects.aget_or_create(
            **known, defaults={"text": content["order"]}
        )
        event = {"type": "order.taken", "number": order.pk, "order": order.text}
        await self.channel_layer.group_send("kitchen", event)
        await self.send_json({"taken": content["key"]})


class KitchenConsumer(JsonWebsocketConsumer):
    last = 0

    def connect(self):
        async_to_sync(self.channel_layer.group_add)("kitchen", self.channel_name)
        self.accept()
        self.order_taken()

    def disconnect(self, close_code):
        async_to_sync(self.channel_layer.group_discard)("kitchen", self.channel_name)

    def order_taken(self, event=None):
        for order in Message.objects.filter(room="orders", pk__gt=self.last):
            self.last = order.pk
            self.send_json({"number": order.pk, "order": order.text})

    def receive_json(self, content):
        Message.objects.filter(room="orders", pk=content["done"]).delete()
        event = {"type": "order.done", "done": content["done"]}
        async_to_sync(self.channel_layer.group_send)("kitchen", event)

    def order_done(self, event):
        self.send_json({"done": event["done"]})
"""

RIGHT = {
    "18.1": [
        Right("remembers all numbers that it has shown", {"myapp/departures.py": SET}),
        Right(
            "is sync, so that who joins keeps the clerk waiting",
            {"myapp/departures.py": DEPARTURES},
        ),
    ],
    "18.2": [
        Right("is sync, so that who joins keeps the waiter waiting", {"myapp/orders.py": KITCHEN}),
    ],
}
