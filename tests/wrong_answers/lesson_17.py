"""Wrong answers to the exercises of lesson 17."""

from . import Wrong

TURNSTILE, GATE, HALL = "myapp/turnstile.py", "myapp/gate.py", "myapp/hall.py"
QUERY = 'parse_qs(scope["query_string"].decode())'
USER = '            scope = {**scope, "user": token.user if token else AnonymousUser()}\n'
FIND = "await find(digest=digest_of(text)) if isinstance(text, str) else None"
LATE = (
    "            silent = [channel for channel, at in self.heard.items() if now - at > PATIENCE]\n"
)

WRONG = {
    "17.1": [
        Wrong(
            "splits the query by hand",
            "what becomes of a handshake without a query",
            TURNSTILE,
            QUERY,
            '{name: [text] for name, text in (pair.split("=", 1) for pair in '
            'scope["query_string"].decode().split("&"))}',
        ),
        Wrong(
            "splits at each =",
            "a token may end in `=`",
            TURNSTILE,
            QUERY,
            '{pair.split("=")[0]: pair.split("=")[1:2] for pair in '
            'scope["query_string"].decode().split("&")}',
        ),
        Wrong(
            "asks the database as in a view",
            "You cannot call this from an async context",
            TURNSTILE,
            'await tokens.filter(digest=digest_of(values["token"][0])).afirst()',
            'tokens.filter(digest=digest_of(values["token"][0])).first()',
        ),
        Wrong(
            "has None for nobody",
            "'NoneType' object has no attribute 'is_authenticated'",
            TURNSTILE,
            "else AnonymousUser()",
            "else None",
        ),
        Wrong(
            "shuts out cookies",
            "the cookie has said who it is",
            TURNSTILE,
            '        if "token" in values:\n',
            '        values.setdefault("token", [""])\n        if True:\n',
        ),
        Wrong(
            "lets a cookie help a wrong token",
            "nobody, whatever the cookie says",
            TURNSTILE,
            USER,
            '            if token:\n                scope = {**scope, "user": token.user}\n',
        ),
        Wrong(
            "takes the list for the text",
            "'list' object has no attribute 'encode'",
            TURNSTILE,
            'values["token"][0]',
            'values["token"]',
        ),
        Wrong(
            "has the form of Channels 2",
            "positional arguments but 4 were given",
            TURNSTILE,
            "    async def __call__(self, scope, receive, send):\n",
            "    def __call__(self, scope):\n        return self.inner(scope)\n\n"
            "    async def later(self, scope, receive, send):\n",
        ),
        Wrong(
            "takes the query as it is written",
            "`%3D`",
            TURNSTILE,
            'parse_qs(scope["query_string"].decode())',
            'dict(pair.partition("=")[::2] for pair in scope["query_string"].decode().split("&"))',
            ((TURNSTILE, 'values["token"][0]', 'values["token"]'),),
        ),
    ],
    "17.2": [
        Wrong(
            "never closes",
            "closed with 4401, after LIMIT seconds",
            GATE,
            "        await asyncio.sleep(LIMIT)\n        await self.close(4401)\n",
            "        await asyncio.sleep(LIMIT)\n",
        ),
        Wrong(
            "closes those who have shown a token, too",
            "only those who have shown no token",
            GATE,
            "        self.timer.cancel()\n        self.user = token.user\n",
            "        self.user = token.user\n",
        ),
        Wrong(
            "waits in connect",
            "a close, at once",
            GATE,
            "        self.timer = asyncio.create_task(self.close_in_time())\n",
            "        await self.close_in_time()\n",
        ),
        Wrong(
            "asks for a token each time",
            "what is said afterwards",
            GATE,
            "        if self.user:\n",
            '        if self.user and "token" in content:\n',
        ),
        Wrong(
            "does not check what a token is",
            "has no attribute 'encode'",
            GATE,
            FIND,
            "await find(digest=digest_of(text))",
        ),
        Wrong(
            "lets everybody try again",
            "what a first message gets that has no right token",
            GATE,
            "        if token is None:\n            await self.close(4401)\n            return\n",
            "        if token is None:\n"
            '            await self.send_json({"error": "no such token"})\n'
            "            return\n",
        ),
    ],
    "17.3": [
        Wrong(
            "forgets nobody",
            "forget them after PATIENCE",
            HALL,
            LATE,
            "            silent = []\n",
        ),
        Wrong(
            "gives no sign of life",
            "never somebody who is there",
            HALL,
            '            await self.tell_visitors("visitor.here")\n',
            "",
        ),
        Wrong(
            "notes only the first card",
            "never somebody who is there",
            HALL,
            '        self.heard[event["channel"]] = time.monotonic()\n',
            '        self.heard.setdefault(event["channel"], time.monotonic())\n',
        ),
        Wrong(
            "beats once",
            "forget them after PATIENCE",
            HALL,
            "        while True:\n",
            "        for _ in range(1):\n",
        ),
        Wrong(
            "lets the task beat on",
            "the task must end",
            HALL,
            "        if self.heart:\n            self.heart.cancel()\n",
            "",
        ),
        Wrong(
            "forgets who is silent for one beat",
            "never somebody who is there",
            HALL,
            "now - at > PATIENCE",
            "now - at > BEAT / 2",
        ),
        Wrong(
            "shows the list at each beat, and forgets nobody",
            "forget them after PATIENCE",
            HALL,
            "            for channel in silent:\n"
            '                await self.visitor_left({"channel": channel})\n',
            "            if silent:\n                await self.show_visitors()\n",
        ),
        Wrong(
            "takes out of what it goes through",
            "dictionary changed size during iteration, in myapp/hall.py",
            HALL,
            "silent = [channel for channel, at in self.heard.items() if now - at > PATIENCE]",
            "silent = (channel for channel, at in self.heard.items() if now - at > PATIENCE)",
        ),
        Wrong(
            "beats in a group that it does not know",
            "has no attribute 'here', in myapp/hall.py",
            HALL,
            'self.tell_visitors("visitor.here")',
            'self.channel_layer.group_send(self.here, self.card("visitor.here"))',
        ),
        Wrong(
            "sends a card without a channel",
            "KeyError: 'channel'",
            HALL,
            'self.tell_visitors("visitor.here")',
            'self.channel_layer.group_send(f"here.{self.group}", {"type": "visitor.here"})',
        ),
    ],
}
