import hashlib
import json
import time
from collections import deque
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from channels.exceptions import DenyConnection, StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.utils.text import slugify

from .limits import count
from .models import Message

TRY_LATER = 4503  # close code, as HTTP's 503
LONGEST_ROOM, LONGEST_MESSAGE, LONGEST_KEY = 50, 500, 36  # characters, as in models.py


def group_of(room_name):
    """Return a group name that every layer takes, another one for each room."""
    digest = hashlib.sha256(room_name.encode()).hexdigest()[:12]
    return f"chat.{slugify(room_name)[:50]}-{digest}"


def message_in(frame):
    """Return the message in a frame, and its key. Raises ValueError, with words for the client."""
    try:
        content = json.loads(frame)
        message, key = content["message"], content.get("key", "")
        (message + key).encode()  # fails for what is no text
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise ValueError('please send text like {"message": "hello"}') from None
    if not message.strip() or len(message) > LONGEST_MESSAGE:
        raise ValueError(f"a message has 1 to {LONGEST_MESSAGE} characters")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"a key has at most {LONGEST_KEY} characters")
    return message, key


def read_in(frame):
    """Return the number up to which a client says that it has read, or None."""
    try:
        return int(json.loads(frame)["read"])
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None


async def event_of(message):
    """Return the event that tells a message, and which one of its room was before it."""
    earlier = Message.objects.filter(room=message.room, pk__lt=message.pk).order_by("-pk")
    before = await earlier.values_list("pk", flat=True).afirst()
    return {
        "type": "chat.message",
        "id": message.pk,
        "before": before or 0,
        "message": message.text,
    }


class RoomConsumer(AsyncJsonWebsocketConsumer):
    rate, period = 20, 10.0  # so many messages in so many seconds
    rate_of_all, minute = 600, 60.0  # the same, for all connections of somebody
    history = 50  # messages for whoever joins
    most_unread = 100  # messages for whoever counts
    group = None  # until the room is known

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:  # after an exception too, where `disconnect` does not run
            await self.leave()

    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room_name"]
        self.times = deque(maxlen=self.rate)  # of the newest messages
        self.unread = deque()  # numbers of messages that a client has not acknowledged
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
        if (number := read_in(text_data)) is not None:
            while self.unread and self.unread[0] <= number:
                self.unread.popleft()
            return
        try:
            self.check_rate()
            await self.count_message()
            text, key = message_in(text_data)
            message = await self.save(text, key)
        except ValueError as error:
            await self.send_json({"error": str(error)})
        else:
            await self.channel_layer.group_send(self.group, await event_of(message))
            if key:
                await self.send_json({"saved": key})

    async def save(self, text, key):
        """Return the saved message: a new one, or the one that came with this key before."""
        if not key:
            return await Message.objects.acreate(room=self.room, text=text)
        known = {"room": self.room, "key": key}
        message, _ = await Message.objects.aget_or_create(**known, defaults={"text": text})
        return message

    async def chat_message(self, event):
        if event["before"] > self.last:  # what was before it has not come, and may never come
            async for message in Message.objects.filter(room=self.room, pk__gt=self.last):
                await self.send_message(message.pk, message.text)
        elif event["id"] > self.last:
            await self.send_message(event["id"], event["message"])

    async def send_history(self):
        """Send what somebody who comes back has missed, or the newest messages."""
        query = parse_qs(self.scope["query_string"].decode(), keep_blank_values=True)
        self.counts = "after" in query  # whether the client does
        newest = Message.objects.filter(room=self.room).order_by("-pk")[: self.history + 1]
        messages = [message async for message in newest][::-1]
        known = [str(message.pk) for message in messages]
        self.last = messages[-1].pk if messages else 0
        if self.counts and query["after"][0] in known:
            del messages[: known.index(query["after"][0]) + 1]
            await self.send_json({"missed": len(messages)})
        else:
            del messages[: -self.history]
            if self.counts:
                await self.send_json({"reload": True})
        for message in messages:
            await self.send_message(message.pk, message.text)

    async def send_message(self, pk, text):
        self.last = pk
        if not self.counts:
            return await self.send_json({"message": text})
        if len(self.unread) == self.most_unread:
            await self.close(TRY_LATER)
            raise StopConsumer
        self.unread.append(pk)
        await self.send_json({"id": pk, "message": text})

    def check_rate(self):
        now = time.monotonic()
        if len(self.times) == self.rate and now - self.times[0] < self.period:
            raise ValueError("too many messages, please wait")
        self.times.append(now)

    async def count_message(self):
        await sync_to_async(count)("message", self.scope, self.rate_of_all, self.minute)
