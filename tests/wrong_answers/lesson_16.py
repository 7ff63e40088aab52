"""Wrong answers to the exercises of lesson 16."""

from . import Wrong

SAFE, KEYS, DRAFTS = "myapp/safe.py", "myapp/keys.py", "myapp/drafts.py"
SAME = 'event["session"] == self.scope["session"].session_key'
ASKED = "not user.is_authenticated or not await session.aexists(session.session_key)"
EVENT = '{"type": "draft.changed", "draft": draft, "sender": self.channel_name}'
LEAVE = """        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.group:
                await self.channel_layer.group_discard(self.group, self.channel_name)
"""
STAY = "        await super().__call__(scope, receive, send)\n"

WRONG = {
    "16.1": [
        Wrong(
            "ends the consumer, not the connection",
            "what ends the sockets of the session that is logged out",
            SAFE,
            "            await self.close(4401)\n",
            "            raise StopConsumer\n",
            ((SAFE, "import DenyConnection\n", "import DenyConnection, StopConsumer\n"),),
        ),
        Wrong(
            "compares the session with a key",
            "what ends the sockets of the session that is logged out",
            SAFE,
            SAME,
            'event["session"] == self.scope["session"]',
        ),
        Wrong(
            "ends all sockets of the user",
            "only those of the session that is logged out",
            SAFE,
            SAME,
            "True",
        ),
        Wrong(
            "turns the comparison round",
            "only those of the session that is logged out",
            SAFE,
            SAME,
            'event["session"] != self.scope["session"].session_key',
        ),
        Wrong(
            "does not think of nobody",
            "what your signal does when nobody was logged in",
            SAFE,
            "    if user:  # somebody was logged in\n",
            "    if True:\n",
        ),
        Wrong(
            "closes with no code",
            "and with which code",
            SAFE,
            "self.close(4401)",
            "self.close()",
        ),
        Wrong("does not leave", "still in the group safe.", SAFE, LEAVE, STAY),
    ],
    "16.2": [
        Wrong(
            "takes the user of the handshake",
            "is from the handshake",
            KEYS,
            'self.scope["session"], await get_user(self.scope)',
            'self.scope["session"], self.scope["user"]',
        ),
        Wrong(
            "fetches the user, and forgets that they may be gone",
            "who gets no key any more",
            KEYS,
            "        session, user = ",
            '        user = self.scope["user"]\n        await user.arefresh_from_db()\n'
            "        session, _ = ",
        ),
        Wrong(
            "does not look at the session",
            "after a log-out there is none",
            KEYS,
            ASKED,
            "not user.is_authenticated",
        ),
        Wrong(
            "closes for whoever is not staff",
            "an error, and the connection stays",
            KEYS,
            '            await self.send_json({"error": "keys are for staff"})',
            "            await self.close(4403)",
        ),
        Wrong(
            "asks only who it is, not what they are",
            "what a member gets who is not staff",
            KEYS,
            "elif user.is_staff",
            "elif user.is_active",
        ),
        Wrong(
            "goes on when it has closed",
            "`close` does not end it",
            KEYS,
            "        elif user.is_staff",
            "        if user.is_staff",
        ),
        Wrong(
            "says more than the key",
            "with the key that was asked for",
            KEYS,
            '{"key": content["key"]}',
            '{"key": content["key"], "ok": True}',
        ),
        Wrong(
            "forgets await",
            "'coroutine' object has no attribute 'is_authenticated'",
            KEYS,
            "await get_user(self.scope)",
            "get_user(self.scope)",
        ),
    ],
    "16.3": [
        Wrong(
            "knows its own draft by the text",
            "two may send the same text",
            DRAFTS,
            'if event["sender"] != self.channel_name:',
            'if event["draft"] != getattr(self, "mine", None):',
            ((DRAFTS, "        event = {", "        self.mine = draft\n        event = {"),),
        ),
        Wrong(
            "leaves out what a group's name cannot have",
            "only windows of the same member",
            DRAFTS,
            'f"draft.{user.pk}"',
            '"draft." + user.username.encode("ascii", "ignore").decode()',
        ),
        Wrong(
            "hands on the whole event",
            "only the draft, whatever else the client sends",
            DRAFTS,
            'self.send_json({"draft": event["draft"]})',
            "self.send_json(event)",
        ),
        Wrong(
            "sends it back to the window too",
            "it has the draft already",
            DRAFTS,
            'if event["sender"] != self.channel_name',
            "if True",
        ),
        Wrong(
            "has one group for all",
            "only windows of the same member",
            DRAFTS,
            'f"draft.{user.pk}"',
            '"drafts"',
        ),
        Wrong(
            "takes the username for the group",
            "Group name must be a valid unicode string",
            DRAFTS,
            "user.pk",
            "user.username",
        ),
        Wrong(
            "has a group for each session",
            "with any session",
            DRAFTS,
            'f"draft.{user.pk}"',
            "f\"draft.{self.scope['session'].session_key}\"",
        ),
        Wrong(
            "refuses strangers",
            "accept first, and then close",
            DRAFTS,
            '        await self.accept()\n        user = self.scope["user"]\n'
            "        if not user.is_authenticated:\n            await self.close(4401)\n"
            "            return\n",
            '        user = self.scope["user"]\n'
            "        if not user.is_authenticated:\n            await self.close(4401)\n"
            "            return\n        await self.accept()\n",
        ),
        Wrong(
            "hands on all that came",
            "only the draft, whatever else the client sends",
            DRAFTS,
            EVENT,
            '{"type": "draft.changed", "sender": self.channel_name, **content}',
        ),
        Wrong(
            "takes an empty draft for none",
            "an empty draft: it is a text too",
            DRAFTS,
            "if not isinstance(draft, str):",
            "if not draft or not isinstance(draft, str):",
        ),
        Wrong(
            "does not check the draft",
            "or one that is no text",
            DRAFTS,
            "if not isinstance(draft, str):",
            'if not isinstance(content, dict) or "draft" not in content:',
        ),
        Wrong("does not leave", "still in the group draft.", DRAFTS, LEAVE, STAY),
    ],
}
