"""Wrong answers to the exercises of lesson 12."""

from . import Wrong

SHOPPING, WHISPERS = "myapp/shopping.py", "myapp/whispers.py"
SCORES = "myapp/scores.py"
TOLD = 'await self.channel_layer.group_send(self.group, {"type": "score.changed"})'
GOALS = "[message.text async for message in Message.objects.filter(room=self.room)]"
LEAVE = """        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.group:
                await self.channel_layer.group_discard(self.group, self.channel_name)
"""
LEAVE_FLAT = "        await self.channel_layer.group_discard(self.group, self.channel_name)\n"
LOOP = "        for channel in channels:\n            await self.channel_layer.send(channel, event)"

WRONG = {
    "12.1": [
        Wrong(
            "does not read the log",
            "was never awaited",
            SHOPPING,
            "await self.channel_layer.group_add",
            "self.channel_layer.group_add",
        ),
        Wrong(
            "leaves the names as they were",
            "No handler for message type item.wanted",
            SHOPPING,
            "def item_wanted",
            "def item_needed",
        ),
        Wrong(
            "lets the client choose the type",
            "who chooses the type of the event",
            SHOPPING,
            '"item": json.loads(text_data)["item"]}',
            "**json.loads(text_data)}",
        ),
        Wrong(
            "hands on the whole frame",
            "the item, and nothing else of the frame",
            SHOPPING,
            '"item": json.loads(text_data)["item"]}',
            '"content": json.loads(text_data)}',
            ((SHOPPING, '{"item": event["item"]}', 'event["content"]'),),
        ),
        Wrong(
            "sends the whole event",
            "the item, and nothing else of the frame",
            SHOPPING,
            '{"item": event["item"]}',
            "event",
        ),
        Wrong(
            "does not leave",
            "still in the group shopping.flat-",
            SHOPPING,
            LEAVE,
            "        await super().__call__(scope, receive, send)\n",
        ),
        Wrong(
            "leaves in disconnect only",
            "`disconnect` does not, a `finally` does",
            SHOPPING,
            f"    async def __call__(self, scope, receive, send):\n{LEAVE}",
            f"    async def disconnect(self, close_code):\n{LEAVE_FLAT}",
        ),
        Wrong(
            "leaves after the consumer, without finally",
            "`disconnect` does not, a `finally` does",
            SHOPPING,
            LEAVE,
            f"        await super().__call__(scope, receive, send)\n{LEAVE_FLAT}",
        ),
        Wrong(
            "leaves without await",
            "was never awaited",
            SHOPPING,
            "await self.channel_layer.group_discard",
            "self.channel_layer.group_discard",
        ),
        Wrong(
            "leaves without saying who",
            "missing 1 required positional argument",
            SHOPPING,
            "group_discard(self.group, self.channel_name)",
            "group_discard(self.group)",
        ),
        Wrong(
            "has one list for the whole house",
            "those of the same flat",
            SHOPPING,
            "f\"shopping.{self.scope['url_route']['kwargs']['flat']}\"",
            '"shopping"',
        ),
        Wrong(
            "sends the item alone",
            "how an item is sent",
            SHOPPING,
            'json.dumps({"item": event["item"]})',
            'event["item"]',
        ),
        Wrong(
            "sends to the channel of the sender only",
            "by another client",
            SHOPPING,
            "group_send(self.group, event)",
            "send(self.channel_name, event)",
        ),
        Wrong(
            "lets each member read the frame",
            "concerns: only the one who sent it",
            SHOPPING,
            '"item": json.loads(text_data)["item"]}',
            '"frame": text_data}',
            ((SHOPPING, 'event["item"]', 'json.loads(event["frame"])["item"]'),),
        ),
        Wrong(
            "leaves without the code",
            "first the exception below",
            SHOPPING,
            "    async def connect(self):\n",
            "    async def disconnect(self):\n        pass\n\n    async def connect(self):\n",
        ),
    ],
    "12.2": [
        Wrong(
            "says it to the whole room",
            "must not be said to the whole room",
            WHISPERS,
            LOOP,
            "        await self.channel_layer.group_send(self.group, event)",
        ),
        Wrong(
            "says it to all, and whispers",
            "must not be said to the whole room",
            WHISPERS,
            "            await self.whisper(to, message_in(text_data))",
            "            await super().receive(text_data)\n"
            "            await self.whisper(to, message_in(text_data))",
        ),
        Wrong(
            "finds only one of two",
            "if two have this name: both",
            WHISPERS,
            "        for channel in channels:",
            "        for channel in channels[:1]:",
        ),
        Wrong(
            "sends to a name",
            "the way of a whisper",
            WHISPERS,
            "send(channel, event)",
            "send(to, event)",
        ),
        Wrong(
            "forgets to await",
            "was never awaited",
            WHISPERS,
            "await self.channel_layer.send",
            "self.channel_layer.send",
        ),
        Wrong(
            "has no method for the type",
            "No handler for message type whisper.heard",
            WHISPERS,
            "def whisper_heard",
            "def whispered",
        ),
        Wrong(
            "looks for a name in a set",
            "unhashable type: 'list'",
            WHISPERS,
            "        if not channels:",
            "        if to not in set(self.visitors.values()):",
        ),
        Wrong(
            "says nothing if nobody is there",
            "if there is nobody of this name",
            WHISPERS,
            '            raise ValueError(f"{to} is not here")',
            "            return",
        ),
        Wrong(
            "cuts what is long",
            "how long it may be",
            WHISPERS,
            "message_in(text_data))",
            "message_in(text_data)[:499])",
        ),
        Wrong(
            "does not judge the message",
            "the room would not take the message",
            WHISPERS,
            "message_in(text_data))",
            'json.loads(text_data)["message"])',
        ),
        Wrong(
            "hands on the whole frame",
            "what goes into the event",
            WHISPERS,
            "await self.whisper(to, message_in(text_data))",
            "await self.whisper(to, message_in(text_data), json.loads(text_data))",
            (
                (WHISPERS, "def whisper(self, to, text):", "def whisper(self, to, text, frame):"),
                (WHISPERS, '"text": text}', '"text": text, **frame}'),
            ),
        ),
        Wrong(
            "tells the sender too",
            "what the sender of a whisper reads: nothing",
            WHISPERS,
            LOOP,
            f"{LOOP}\n        await self.whisper_heard(event)",
        ),
        Wrong(
            "looks a name up among the channels",
            "here it has ended, and left the room",
            WHISPERS,
            "[channel for channel, name in self.visitors.items() if name == to]",
            "[self.visitors[to]]",
        ),
    ],
    "12.3": [
        Wrong(
            "shows the score to the scorer only",
            "the group is told, and each member sends the score",
            SCORES,
            TOLD,
            "await self.show_score()",
        ),
        Wrong(
            "has no method for the type",
            "No handler for message type score.changed",
            SCORES,
            "def score_changed",
            "def changed",
        ),
        Wrong(
            "greets nobody",
            "the score as it is now",
            SCORES,
            "    async def send_history(self):\n        await self.show_score()\n",
            "    async def send_history(self):\n        pass\n",
        ),
        Wrong(
            "counts for each client",
            "the score as it is now",
            SCORES,
            "goals = " + GOALS,
            "goals = self.goals",
            (
                (SCORES, '{"type": "score.changed"})', '{"type": "score.changed", "side": side})'),
                (
                    SCORES,
                    "    async def score_changed(self, event):\n",
                    "    async def score_changed(self, event):\n"
                    '        self.goals = [*self.goals, event["side"]]\n',
                ),
                (SCORES, "(RoomConsumer):\n", "(RoomConsumer):\n    goals = []\n\n"),
            ),
        ),
        Wrong(
            "counts in the memory of the server",
            "here the server was started anew",
            SCORES,
            "await Message.objects.acreate(room=self.room, text=side)",
            "self.goals.append((self.room, side))",
            (
                (
                    SCORES,
                    GOALS,
                    "[side for room, side in self.goals if room == self.room]",
                ),
                (SCORES, "(RoomConsumer):\n", "(RoomConsumer):\n    goals = []\n\n"),
            ),
        ),
        Wrong(
            "counts the goals of all matches",
            "those of the same match",
            SCORES,
            "filter(room=self.room)",
            "all()",
        ),
        Wrong(
            "takes any word for a side",
            "if a frame tells of no goal",
            SCORES,
            "            SIDES.index(side)  # raises ValueError for what is neither\n",
            "",
        ),
        Wrong(
            "lets the client choose the type",
            "its type must be yours",
            SCORES,
            TOLD,
            'await self.channel_layer.group_send(self.group, {"type": "score.changed", '
            "**json.loads(text_data)})",
        ),
    ],
}
