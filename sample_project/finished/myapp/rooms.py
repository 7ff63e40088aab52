import hashlib
import json
import time
from collections import deque

from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.utils.text import slugify

from .models import Message

LONGEST_ROOM, LONGEST_MESSAGE = 50, 500  # characters, as in models.py


def group_of(room_name):
    """Return a group name that every layer takes, another one for each room."""
    digest = hashlib.sha256(room_name.encode()).hexdigest()[:12]
    return f"chat.{slugify(room_name)[:50]}-{digest}"


def message_in(frame):
    """Return the message in a frame. Raises ValueError, with words for the client."""
    try:
        message = json.loads(frame)["message"]
        message.encode()  # fails for what is no text
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise ValueError('please send text like {"message": "hello"}') from None
    if not message.strip() or len(message) > LONGEST_MESSAGE:
        raise ValueError(f"a message has 1 to {LONGEST_MESSAGE} characters")
    return message


class RoomConsumer(AsyncJsonWebsocketConsumer):
    rate, period = 20, 10.0  # so many messages in so many seconds
    history = 50  # messages for whoever joins
    group = None  # until the room is known

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:  # after an exception too, where `disconnect` does not run
            await self.leave()

    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room_name"]
        self.times = deque(maxlen=self.rate)  # of the newest messages
        if len(self.room) > LONGEST_ROOM:
            raise DenyConnection
        self.group = group_of(self.room)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send_history()

    async def leave(self):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        try:
            self.check_rate()
            text = message_in(text_data)
        except ValueError as error:
            await self.send_json({"error": str(error)})
        else:
            message = await Message.objects.acreate(room=self.room, text=text)
            event = {"type": "chat.message", "id": message.pk, "message": text}
            await self.channel_layer.group_send(self.group, event)

    async def chat_message(self, event):
        if event["id"] not in self.shown:
            await self.send_json({"message": event["message"]})

    async def send_history(self):
        newest = Message.objects.filter(room=self.room).order_by("-pk")[: self.history]
        messages = [message async for message in newest]
        self.shown = {message.pk for message in messages}
        for message in reversed(messages):
            await self.send_json({"message": message.text})

    def check_rate(self):
        now = time.monotonic()
        if len(self.times) == self.rate and now - self.times[0] < self.period:
            raise ValueError("too many messages, please wait")
        self.times.append(now)
