import asyncio
import time
from collections import deque

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.utils import await_many_dispatch

from .class_hub import GROUP, ClassHub
from .protocol import Error, encode

TRY_LATER = 4503  # close code, as HTTP's 503
LONGEST = 400_000  # characters of a frame


class ClassMember(AsyncWebsocketConsumer):
    """A socket of the class: sends what the hub tells it, and does what its client asks for."""

    rate, period = 40, 10.0  # so many messages in so many seconds
    hub = learner = None  # until there is one
    decode = None  # of a subclass

    async def __call__(self, scope, receive, send):
        self.scope, self.base_send = scope, send
        self.channel_layer = get_channel_layer()  # and no channel of its own
        self.outbox, self.ready = asyncio.Queue(), asyncio.Event()
        self.times = deque(maxlen=self.rate)  # of the newest messages
        try:
            await await_many_dispatch([receive, self.write], self.dispatch)
        except StopConsumer:
            pass
        finally:  # after an exception too, where `disconnect` does not run
            if self.hub:
                self.hub.leave(self)
                self.hub.came_or_went()

    async def join(self):
        self.hub = await ClassHub.join(GROUP, self)
        self.hub.came_or_went()

    async def write(self):
        """Send what the hub tells. This never returns: where it raises, the consumer ends."""
        await self.ready.wait()
        while True:
            if (item := await self.outbox.get()) is None:
                if self.hub.error:
                    raise self.hub.error
                await self.close(TRY_LATER)
                raise StopConsumer
            await self.tell_item(item)

    async def tell_item(self, frame):
        await self.base_send({"type": "websocket.send", "text": frame})

    async def receive(self, text_data=None, bytes_data=None):
        try:
            self.check_rate()
            if len(text_data or "") > LONGEST:
                raise ValueError("that is too long")
            await self.do(type(self).decode(text_data or ""))
        except ValueError as error:
            await self.tell(Error(str(error)))

    def check_rate(self):
        now = time.monotonic()
        if len(self.times) == self.rate and now - self.times[0] < self.period:
            raise ValueError("too many messages, please wait")
        self.times.append(now)

    async def tell(self, answer):
        await self.send(text_data=encode(answer))
