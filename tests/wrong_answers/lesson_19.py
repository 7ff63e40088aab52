"""Wrong answers to the exercises of lesson 19."""

from . import Wrong

WEATHER, BANK, COUNTER = "myapp/weather.py", "myapp/bank.py", "myapp/counter.py"
ACKNOWLEDGE = """        while self.unread and self.unread[0] <= content["read"]:
            self.unread.popleft()
"""
HANG_UP = """            await self.close(4503)
            raise StopConsumer
"""
FINALLY = """        try:
            await super().__call__(scope, receive, send)
        finally:
            OPEN[self.address] -= 1
            if not OPEN[self.address]:
                del OPEN[self.address]
"""

WRONG = {
    "19.1": [
        Wrong(
            "empties the list, and waits for nobody",
            "once, and only when it has answered",
            WEATHER,
            "if self.ready and self.newest is not None:",
            "if self.newest is not None:",
        ),
        Wrong(
            "keeps all that was not seen, and sends the oldest",
            "the newest that has come meanwhile",
            WEATHER,
            """        self.newest = event["map"]
""",
            """        self.newest = self.newest or event["map"]
""",
        ),
        Wrong(
            "sends the newest once more",
            "once, and only when it has answered",
            WEATHER,
            "weather_map, self.newest, self.ready = self.newest, None, False",
            "weather_map, self.ready = self.newest, False",
        ),
        Wrong(
            "drops what comes before the answer",
            "nothing, and the server is done",
            WEATHER,
            """        self.newest = event["map"]
""",
            """        self.newest = event["map"] if self.ready else None
""",
        ),
        Wrong(
            "takes an answer for a map that was sent",
            "every new map, when it has seen the last one",
            WEATHER,
            "if self.ready and self.newest is not None:",
            "if self.ready:",
            (
                (
                    WEATHER,
                    '            await self.send_json({"map": weather_map})',
                    "            if weather_map is not None:\n"
                    '                await self.send_json({"map": weather_map})',
                ),
            ),
        ),
        Wrong(
            "shares the answer among all watchers",
            "once, and only when it has answered",
            WEATHER,
            "        self.ready = True\n        await self.send_newest()",
            """        await self.channel_layer.group_send("weather", {"type": "map.seen"})

    async def map_seen(self, event):
        self.ready = True
        await self.send_newest()""",
        ),
        Wrong(
            "keeps all maps, in case",
            "the server's memory",
            WEATHER,
            """        self.newest = event["map"]
""",
            """        self.newest = event["map"]
        self.kept = [*getattr(self, "kept", []), event["map"]]
""",
        ),
        Wrong(
            "takes the answer for one to the next map too",
            "once, and only when it has answered",
            WEATHER,
            "        self.ready = True\n        await self.send_newest()\n",
            "        self.ready = True\n        await self.send_newest()\n"
            "        self.ready = True\n",
        ),
        Wrong(
            "shows whoever comes the map that is there",
            "nothing, until the next map",
            WEATHER,
            "        self.newest = None  # a map that somebody has not been sent\n"
            "        self.ready = True\n        await self.accept()\n",
            "        self.newest, self.ready = getattr(type(self), 'latest', None), True\n"
            "        await self.accept()\n        await self.send_newest()\n",
            (
                (
                    WEATHER,
                    '        self.newest = event["map"]\n',
                    '        type(self).latest = self.newest = event["map"]\n',
                ),
            ),
        ),
    ],
    "19.2": [
        Wrong(
            "hangs up on nobody",
            "no eleventh, and close 4503",
            BANK,
            "if len(self.unread) == self.most_unread:",
            "if False:",
        ),
        Wrong(
            "takes out one number only",
            "all numbers up to it",
            BANK,
            ACKNOWLEDGE,
            "        self.unread.popleft()\n",
        ),
        Wrong(
            "takes every acknowledgement for all",
            "no eleventh, and close 4503",
            BANK,
            ACKNOWLEDGE,
            "        self.unread.clear()\n",
        ),
        Wrong(
            "sends an eleventh and then hangs up",
            "no eleventh, and close 4503",
            BANK,
            "if len(self.unread) == self.most_unread:",
            "if len(self.unread) > self.most_unread:",
        ),
        Wrong(
            "takes the standard's code",
            "invalid close code 1013",
            BANK,
            "self.close(4503)",
            "self.close(1013)",
        ),
        Wrong(
            "raises what is no StopConsumer",
            "with `StopConsumer`",
            BANK,
            "raise StopConsumer",
            'raise RuntimeError("too slow")',
        ),
        Wrong(
            "drops the oldest, as a queue with an end does",
            "no eleventh, and close 4503",
            BANK,
            "self.unread = deque()  # numbers",
            "self.unread = deque(maxlen=9)  # numbers",
        ),
        Wrong(
            "does not count what was missed",
            "what it has missed as well",
            BANK,
            "            await self.tell(booking.pk, booking.text)\n",
            """            self.last = booking.pk
            await self.send_json({"number": booking.pk, "booking": booking.text})
""",
        ),
    ],
    "19.3": [
        Wrong(
            "never counts down",
            "what becomes of a place",
            COUNTER,
            FINALLY,
            "        await super().__call__(scope, receive, send)\n",
        ),
        Wrong(
            "counts down in disconnect",
            "(failed)",
            COUNTER,
            FINALLY,
            """        await super().__call__(scope, receive, send)

    async def disconnect(self, close_code):
        OPEN[self.address] -= 1
""",
        ),
        Wrong(
            "gives back what was never taken",
            "what becomes of a place",
            COUNTER,
            "            raise DenyConnection\n",
            "            OPEN[self.address] -= 1\n            raise DenyConnection\n",
        ),
        Wrong(
            "lets in four",
            "three",
            COUNTER,
            "if OPEN[self.address] > self.most:",
            "if OPEN[self.address] > self.most + 1:",
        ),
        Wrong(
            "accepts, and closes then",
            "three",
            COUNTER,
            "            raise DenyConnection\n        await self.accept()\n",
            "            await self.accept()\n            return await self.close(4429)\n"
            "        await self.accept()\n",
        ),
        Wrong(
            "counts each port for an address of its own",
            "how many of its address are open",
            COUNTER,
            'self.address, _ = scope["client"]',
            'self.address = tuple(scope["client"])',
        ),
        Wrong(
            "counts the connections of everybody",
            "those of one address, and not of all",
            COUNTER,
            'self.address, _ = scope["client"]',
            'self.address = "all"',
        ),
    ],
}
