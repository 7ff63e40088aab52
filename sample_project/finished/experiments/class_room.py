import asyncio

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.utils import await_many_dispatch
from django.utils.crypto import constant_time_compare
from msgspec import to_builtins

from .class_hub import ClassHub
from .class_words import Error, Join, Report, Watch, decode, encode

CODE, WORD = "otter-42", "kettle"  # let learners in, and screens
TRY_LATER = 4503  # close code, as HTTP's 503


class ClassConsumer(AsyncWebsocketConsumer):
    """A learner, who has a name, or a screen. Sends what the hub tells."""

    hub = name = None  # until somebody has said who they are

    async def __call__(self, scope, receive, send):
        self.scope, self.base_send = scope, send
        self.channel_layer = get_channel_layer()  # and no channel of its own
        self.outbox = asyncio.Queue()
        try:
            await await_many_dispatch([receive, self.write], self.dispatch)
        except StopConsumer:
            pass
        finally:  # after an exception too, where `disconnect` does not run
            if self.hub:
                self.hub.leave(self)
                await self.hub.tell_here()

    async def write(self):
        """Send what the hub tells. This never returns: where it raises, the consumer ends."""
        while (frame := await self.outbox.get()) is not None:
            await self.send(frame)
        await self.close(TRY_LATER)
        raise StopConsumer

    async def receive(self, text_data=None, bytes_data=None):
        try:
            await self.do(decode(text_data or ""))
        except ValueError as error:
            await self.send(encode(Error(str(error))))

    async def do(self, request):
        match request:
            case Join(code, name) if not self.hub:
                self.let_in(code, CODE)
                self.name = name
                self.hub = await ClassHub.join("class", self)
                await self.hub.tell_here()
            case Watch(word) if not self.hub:
                self.let_in(word, WORD)
                self.hub = await ClassHub.join("class", self)
                for frame in self.hub.table():
                    self.outbox.put_nowait(frame)
            case Report() if self.name:
                event = {"type": "work.reported", "name": self.name, **to_builtins(request)}
                await self.channel_layer.group_send("class", event)
            case _:
                raise ValueError("say first who you are, and only once")

    def let_in(self, said, known):
        if not constant_time_compare(said, known):
            raise ValueError("that does not let you in")
