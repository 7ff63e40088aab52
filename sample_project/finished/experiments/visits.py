from channels.generic.websocket import AsyncWebsocketConsumer


class VisitsConsumer(AsyncWebsocketConsumer):
    """Counts the visits of a session."""

    async def connect(self):
        await self.accept()
        session = self.scope["session"]
        visits = await session.aget("visits", 0) + 1
        await session.aset("visits", visits)
        await session.asave()
        await self.send(f"visit {visits}")
