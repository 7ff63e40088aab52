"""Wrong answers to the exercises of lesson 13."""

from . import Wrong

SETTINGS, SEATS = "myproject/settings.py", "myapp/seats.py"
BADGES, STEADY = "myapp/badges.py", "myapp/steady.py"
ORDER = """        order = {"type": "badges.print", "names": names, "answer_to": self.channel_name}
        await self.channel_layer.send("badges", order)
"""
TELL = "async_to_sync(self.channel_layer.send)(channel, event)"
TRY = """            try:
                answer = {"badge": print_badge(name), "left": left}
            except ValueError as error:
                answer = {"error": str(error), "left": left}
            self.tell(event["answer_to"], answer)
"""
MISSED = 'filter(room=self.room, pk__gt=query["after"][0])'

WRONG = {
    "13.1": [
        Wrong(
            "mends the consumer, and not the settings",
            "when the settings have been read to their end",
            SETTINGS,
            'STATIC_URL = "static/"\n',
            'STATIC_URL = "static/"\n\nCHANNEL_LAYERS = '
            '{"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}\n',
        ),
        Wrong(
            "gives the layer in memory the address of the broker",
            "unexpected keyword argument 'hosts'",
            SETTINGS,
            "channels_redis.core.RedisChannelLayer",
            "channels.layers.InMemoryChannelLayer",
        ),
        Wrong(
            "leaves the time as it was",
            "can not serialize 'datetime.datetime' object",
            SEATS,
            "timezone.now().isoformat()}",
            "timezone.now()}",
            ((SEATS, 'at = event["at"]', 'at = event["at"].isoformat()'),),
        ),
        Wrong(
            "leaves the pair as it was",
            "unhashable type: 'list'",
            SEATS,
            "(row, number) in self.mine",
            'event["seat"] in self.mine',
        ),
        Wrong(
            "looks for a list among pairs",
            "what `yours` says",
            SEATS,
            "(row, number) in self.mine",
            'event["seat"] in list(self.mine)',
        ),
        Wrong(
            "remembers for all clients of a server",
            "what `yours` says",
            SEATS,
            "        self.mine = set()  # pairs of row and number\n",
            "",
            (
                (
                    SEATS,
                    "class SeatsConsumer(AsyncJsonWebsocketConsumer):\n",
                    "class SeatsConsumer(AsyncJsonWebsocketConsumer):\n    mine = set()\n",
                ),
            ),
        ),
        Wrong(
            "writes the time as on a clock",
            "in the form of `isoformat()`",
            SEATS,
            "timezone.now().isoformat()",
            'timezone.now().strftime("%H:%M")',
        ),
        Wrong(
            "leaves the time out",
            "KeyError: 'at'",
            SEATS,
            ', "at": timezone.now().isoformat()}',
            "}",
        ),
    ],
    "13.2": [
        Wrong(
            "prints in daphne",
            "who calls `print_badge`: only the worker",
            BADGES,
            ORDER,
            """        for left, name in zip(reversed(range(len(names))), names):
            try:
                await self.send_json({"badge": print_badge(name), "left": left})
            except ValueError as error:
                await self.send_json({"error": str(error), "left": left})
""",
        ),
        Wrong(
            "answers to everybody",
            "only the client that has ordered",
            BADGES,
            TELL,
            'async_to_sync(self.channel_layer.group_send)("desk", event)',
            (
                (
                    BADGES,
                    "    async def receive_json",
                    "    async def connect(self):\n"
                    '        await self.channel_layer.group_add("desk", self.channel_name)\n'
                    "        await self.accept()\n\n"
                    "    async def receive_json",
                ),
            ),
        ),
        Wrong(
            "tells when all are printed",
            "after each badge",
            BADGES,
            '            self.tell(event["answer_to"], answer)\n',
            "            answers.append(answer)\n"
            '        for answer in answers:\n            self.tell(event["answer_to"], answer)\n',
            (
                (
                    BADGES,
                    '        left = len(event["names"])\n',
                    '        left, answers = len(event["names"]), []\n',
                ),
            ),
        ),
        Wrong(
            "sends the order to another channel",
            "The worker got nothing",
            BADGES,
            'send("badges", order)',
            'send("badge", order)',
        ),
        Wrong(
            "forgets the return address",
            "KeyError: 'answer_to'",
            BADGES,
            ', "answer_to": self.channel_name}',
            "}",
        ),
        Wrong(
            "forgets to await",
            "was never awaited",
            BADGES,
            "await self.channel_layer.send",
            "self.channel_layer.send",
        ),
        Wrong(
            "forgets async_to_sync",
            "was never awaited",
            BADGES,
            TELL,
            "self.channel_layer.send(channel, event)",
        ),
        Wrong(
            "answers with self.send",
            "NotImplementedError",
            BADGES,
            TELL,
            "self.send(event)",
        ),
        Wrong(
            "does not catch what cannot be printed",
            "has no letters",
            BADGES,
            TRY,
            '            answer = {"badge": print_badge(name), "left": left}\n'
            '            self.tell(event["answer_to"], answer)\n',
        ),
        Wrong(
            "stops at what cannot be printed",
            "the next one is printed",
            BADGES,
            '                answer = {"error": str(error), "left": left}\n',
            '                self.tell(event["answer_to"], {"error": str(error), "left": left})\n'
            "                return\n",
        ),
        Wrong(
            "counts this badge too",
            "still to come",
            BADGES,
            "            left -= 1\n",
            "",
            (
                (
                    BADGES,
                    '            self.tell(event["answer_to"], answer)\n',
                    '            self.tell(event["answer_to"], answer)\n            left -= 1\n',
                ),
            ),
        ),
    ],
    "13.3": [
        Wrong(
            "overrides only the history",
            "the number of the message, and the message",
            STEADY,
            "    async def chat_message",
            "    async def chat_message_with_number",
        ),
        Wrong(
            "forgets that chat_message asks for `shown`",
            "has no attribute 'shown'",
            STEADY,
            "        self.shown = set()\n        query",
            "        query",
            (
                (
                    STEADY,
                    "            missed =",
                    "            self.shown = set()\n            missed =",
                ),
            ),
        ),
        Wrong(
            "shows the history to everybody",
            "comes without `after`",
            STEADY,
            "        self.shown = set()\n",
            '        self.shown = set()\n        self.scope["query_string"] = '
            'self.scope["query_string"] or b"after=0"\n',
        ),
        Wrong(
            "shows no more than 50",
            "what is newer, of this room",
            STEADY,
            MISSED,
            f"{MISSED}.order_by('-pk')[: self.history]",
            (
                (
                    STEADY,
                    "async for message in missed:",
                    "for message in reversed([message async for message in missed]):",
                ),
            ),
        ),
        Wrong(
            "begins with the newest",
            "the oldest first",
            STEADY,
            MISSED,
            f"{MISSED}.order_by('-pk')",
        ),
        Wrong(
            "begins with what was read already",
            "the last number that was read",
            STEADY,
            "pk__gt=",
            "pk__gte=",
        ),
        Wrong(
            "shows what was said in other rooms",
            "what is newer, of this room",
            STEADY,
            "filter(room=self.room, pk__gt",
            "filter(pk__gt",
        ),
        Wrong(
            "counts in the consumer",
            "the primary key of the saved message",
            STEADY,
            'send_numbered(event["id"], event["message"])',
            'send_numbered(len(self.shown) + 1, event["message"])',
        ),
        Wrong(
            "does not send what came meanwhile",
            "nothing within 1.5 seconds",
            STEADY,
            'if "after" in query:',
            'if "since" in query:',
        ),
    ],
}
