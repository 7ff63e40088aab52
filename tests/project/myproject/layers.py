from channels.layers import InMemoryChannelLayer


class Preloaded(InMemoryChannelLayer):
    """Holds a message for a worker, which the layer in memory could not get from elsewhere."""

    waiting = [{"type": "job.done", "number": 1}]

    async def receive(self, channel):
        if channel == "jobs" and self.waiting:
            return self.waiting.pop()
        return await super().receive(channel)
