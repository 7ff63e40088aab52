import asyncio
import hashlib
import json
import time
from collections import deque
from contextlib import suppress
from urllib.parse import parse_qs

from channels.db import aclose_old_connections, database_sync_to_async
from channels.exceptions import DenyConnection, StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.utils import await_many_dispatch
from django.db import DatabaseError, DataError, IntegrityError
from django.utils.text import slugify

from .hubs import Hub
from .limits import count
from .models import Message

TRY_LATER = 4503  # close code, as HTTP's 503
LOOK = 20.0  # seconds, after which a hub looks for what it has not heard of
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


def event_of(message, before=None):
    """Return the event that tells a message, and which one of its room was before it."""
    if before is None:
        earlier = Message.objects.filter(room=message.room, pk__lt=message.pk).order_by("-pk")
        before = earlier.values_list("pk", flat=True).first() or 0
    return {"type": "chat.message", "id": message.pk, "before": before, "message": message.text}


def frames_of(number, text):
    """Return a message for clients that do not count, and for those that do."""
    return json.dumps({"message": text}), json.dumps({"id": number, "message": text})


def save_together(said):
    """Save what members of a room say, all or none. Return an answer to each, and events to tell.

    An answer is the key of a message, or the ValueError that refuses it.
    """
    answers, messages = [], []
    for member, frame in said:
        try:
            messages.append(member.take(frame))
            answers.append(messages[-1].key)
        except ValueError as error:
            answers.append(error)
    keys = [message.key for message in messages if message.key]
    keyed = Message.objects.exclude(key="").filter(room=said[0][0].room, key__in=keys)
    known = {message.key: message for message in keyed}
    events = [event_of(message) for message in known.values()]  # again: maybe nobody was told
    new = []
    for message in messages:
        if not message.key or known.setdefault(message.key, message) is message:
            new.append(message)
    Message.objects.bulk_create(new)
    before = None
    for message in new:
        events.append(event_of(message, before))
        before = message.pk
    return answers, events


class RoomHub(Hub):
    """Saves what the members of a room say, and tells each message, encoded once for all."""

    most_together = 50  # messages that are saved in one go

    def __init__(self, key, first_member):
        super().__init__(key, first_member)
        self.room = first_member.room
        self.waiting, self.turn = [], asyncio.Lock()  # what is to be saved when it is its turn

    async def begin(self):
        newest = Message.objects.filter(room=self.room).order_by("-pk")
        self.last = await newest.values_list("pk", flat=True).afirst() or 0
        self.tasks.append(asyncio.create_task(self.look_again()))

    async def look_again(self):
        """Find what has not been told: a layer drops an event for which it has no room."""
        while True:
            await asyncio.sleep(LOOK)
            with suppress(DatabaseError):  # then the next time
                await self.tell_missed()

    async def say(self, member, frame):
        """Save the message in a frame, with all that wait, and tell it. Return its key."""
        if len(self.waiting) in (0, self.most_together):
            self.waiting = []
            self.saving = asyncio.create_task(self.save(self.waiting))
        place = len(self.waiting)
        self.waiting.append((member, frame))
        try:
            answers = await asyncio.shield(self.saving)  # who leaves does not stop the others
            answer = answers[place]
        except (DataError, IntegrityError, ValueError):  # of one of them: each once more, alone
            (answer,) = await self.save([(member, frame)])
        if isinstance(answer, ValueError):
            raise answer
        return answer

    async def save(self, said):
        async with self.turn:
            if said is self.waiting:  # who comes from now on waits for the next turn
                self.waiting = []
            answers, events = await database_sync_to_async(save_together)(said)
            if events:
                told = {"type": "chat.messages", "messages": events}
                await self.layer.group_send(self.group, told)
            return answers

    async def chat_messages(self, event):
        for message in event["messages"]:
            await self.chat_message(message)

    async def chat_message(self, event):
        if event["before"] > self.last:  # what was before it has not come, and may never come
            await self.tell_missed()
        elif event["id"] > self.last:
            self.tell_message(event["id"], event["message"])

    async def tell_missed(self):
        await aclose_old_connections()
        async for message in Message.objects.filter(room=self.room, pk__gt=self.last):
            if message.pk > self.last:  # and not told meanwhile
                self.tell_message(message.pk, message.text)

    def tell_message(self, number, text):
        self.last = number
        self.tell((number, frames_of(number, text)))


class RoomConsumer(AsyncJsonWebsocketConsumer):
    rate, period = 20, 10.0  # so many messages in so many seconds
    rate_of_all, minute = 600, 60.0  # the same, for all connections of somebody
    history = 50  # messages for whoever joins
    most_unread = 100  # messages for whoever counts
    hub = None  # until there is one
    hub_class = RoomHub

    async def __call__(self, scope, receive, send):
        self.scope, self.base_send = scope, send
        self.channel_layer = get_channel_layer()  # and no channel of its own
        self.outbox, self.ready = asyncio.Queue(), asyncio.Event()
        try:
            await await_many_dispatch([receive, self.write], self.dispatch)
        except StopConsumer:
            pass
        finally:  # after an exception too, where `disconnect` does not run
            await self.leave()

    async def dispatch(self, message):
        if message["type"] == "websocket.receive":  # no trip to the thread for nothing
            await self.websocket_receive(message)
        else:
            await super().dispatch(message)

    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room_name"]
        self.times = deque(maxlen=self.rate)  # of the newest messages
        self.unread = deque()  # numbers of messages that a client has not acknowledged
        if len(self.room) > LONGEST_ROOM:
            raise DenyConnection
        self.group = group_of(self.room)
        self.hub = await self.hub_class.join(self.group, self)
        await self.accept()
        await self.send_history()
        self.ready.set()

    async def leave(self):
        if self.hub:
            self.hub.leave(self)

    async def write(self):
        """Send what the hub tells. This never returns: where it raises, the consumer ends."""
        await self.ready.wait()
        while True:
            if (item := await self.outbox.get()) is None:
                await self.end()
            number, frames = item
            if number is None or number > self.last:  # and not in the history
                await self.tell(number, frames)

    async def tell(self, number, frames):
        """Send a message, or if it has no number, something else."""
        if number:
            self.last = number
        if number and self.counts:
            if len(self.unread) == self.most_unread:
                await self.hang_up()
            self.unread.append(number)
        await self.base_send({"type": "websocket.send", "text": frames[self.counts]})

    async def end(self):
        if self.hub.error:
            raise self.hub.error
        await self.hang_up()

    async def hang_up(self):
        await self.close(TRY_LATER)
        raise StopConsumer

    async def receive(self, text_data=None, bytes_data=None):
        if (number := read_in(text_data)) is not None:
            while self.unread and self.unread[0] <= number:
                self.unread.popleft()
            return
        try:
            self.check_rate()
            key = await self.hub.say(self, text_data)
        except ValueError as error:
            await self.send_json({"error": str(error)})
        else:
            if key:
                await self.send_json({"saved": key})

    def take(self, frame):
        """Return the message in a frame. Raises ValueError, with words for the client."""
        count("message", self.scope, self.rate_of_all, self.minute)
        text, key = message_in(frame)
        return Message(room=self.room, text=text, key=key)

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
            await self.tell(message.pk, frames_of(message.pk, message.text))

    def check_rate(self):
        now = time.monotonic()
        if len(self.times) == self.rate and now - self.times[0] < self.period:
            raise ValueError("too many messages, please wait")
        self.times.append(now)
