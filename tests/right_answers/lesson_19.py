"""Right answers to the exercises of lesson 19 that are not like ours."""

from . import Right

# Between the question and the count nothing else runs: an `accept` does not wait for its client.
COUNTER = """\
from collections import Counter

from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncJsonWebsocketConsumer

OPEN = Counter()  # address → connections


class CounterConsumer(AsyncJsonWebsocketConsumer):
    most = 3
    counted = False

    async def __call__(self, scope, receive, send):
        self.address, _ = scope["client"]
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.counted:
                OPEN[self.address] -= 1

    async def connect(self):
        if OPEN[self.address] >= self.most:
            raise DenyConnection
        await self.accept()
        OPEN[self.address] += 1
        self.counted = True
        await self.send_json({"open": OPEN[self.address]})

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "fail":
            raise RuntimeError("as you wish")
"""

RIGHT = {
    "19.3": [
        Right("counts when it has accepted", {"myapp/counter.py": COUNTER}),
    ],
}
