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

RIGHT = {
    "18.1": [
        Right(
            "is sync, so that who joins keeps the clerk waiting",
            {"myapp/departures.py": DEPARTURES},
        ),
    ],
}
