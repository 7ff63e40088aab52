import cProfile
import pstats
from collections import Counter

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class ProfileConsumer(AsyncJsonWebsocketConsumer):
    """Counts all calls in the event loop, while somebody is connected."""

    async def connect(self):
        self.profile = cProfile.Profile()
        await self.accept()
        self.profile.enable()

    async def receive_json(self, content):
        self.profile.disable()
        calls = Counter()
        for (_, _, name), (_, number, *_) in pstats.Stats(self.profile).stats.items():
            calls[name] += number
        await self.send_json({name: calls[name] for name in content})

    async def disconnect(self, close_code):
        self.profile.disable()
