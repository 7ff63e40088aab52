"""Wrong answers to the exercises of lesson 12."""

from . import Wrong

SHOPPING, WHISPERS = "myapp/shopping.py", "myapp/whispers.py"
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
            "sends to the channel of the sender only",
            "by another client",
            SHOPPING,
            "group_send(self.group, event)",
            "send(self.channel_name, event)",
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
            "says nothing if nobody is there",
            "if there is nobody of this name",
            WHISPERS,
            '            raise ValueError(f"{to} is not here")',
            "            return",
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
    ],
}
