import asyncio
import json
from tempfile import TemporaryFile

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.utils import await_many_dispatch

LARGEST, MOST_WAITING = 20_000_000, 8  # bytes of a file, pieces in the queue
DONE, NONSENSE, TOO_LARGE, TOO_FAST = 1000, 4400, 4413, 4429  # close codes, as in HTTP


class UploadConsumer(AsyncWebsocketConsumer):
    """Takes a size, then a file in pieces, and says after each how much it has."""

    async def __call__(self, scope, receive, send):
        self.scope, self.base_send = scope, send
        self.pieces = asyncio.Queue()
        try:
            await await_many_dispatch([receive, self.write], self.dispatch)
        except StopConsumer:
            pass

    async def receive(self, text_data=None, bytes_data=None):
        if self.pieces.qsize() == MOST_WAITING:
            await self.end(TOO_FAST)
        self.pieces.put_nowait(text_data or bytes_data)

    async def write(self):
        """Write what comes. This never returns: where it raises, the consumer ends."""
        try:
            size, have = int(json.loads(await self.pieces.get())["size"]), 0
            with TemporaryFile() as file:
                while have < size <= LARGEST:
                    await self.send(json.dumps({"have": have}))
                    have += await asyncio.to_thread(file.write, await self.pieces.get())
                    await asyncio.sleep(0.05)  # a slow disk
                # here a site looks what it was given, and gives it a name of its own
        except (KeyError, TypeError, ValueError):
            await self.end(NONSENSE)
        if not have == size <= LARGEST:
            await self.end(TOO_LARGE)
        await self.send(json.dumps({"have": have}))
        await self.end(DONE)

    async def end(self, code):
        await self.close(code)
        raise StopConsumer
