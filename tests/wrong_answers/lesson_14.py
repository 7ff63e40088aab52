"""Wrong answers to the exercises of lesson 14."""

from . import Wrong

SETTINGS, SEATS = "myproject/settings.py", "myapp/seats.py"
STEADY = "myapp/steady.py"
MISSED = 'filter(room=self.room, pk__gt=query["after"][0])'

PREFIX = '                "prefix": os.environ.get("SITE_NAME", "asgi"),\n'

WRONG = {
    "14.1": [
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
    "14.2": [
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
    "14.3": [
        Wrong(
            "has one prefix for all sites",
            "which servers hear nothing",
            SETTINGS,
            PREFIX,
            '                "prefix": "noticeboard",\n',
        ),
        Wrong(
            "takes the name beside CONFIG",
            "which servers hear nothing",
            SETTINGS,
            PREFIX + "            },\n",
            '            },\n            "PREFIX": os.environ.get("SITE_NAME", "asgi"),\n',
        ),
        Wrong(
            "takes the name for an option of the host",
            "unexpected keyword argument 'prefix'",
            SETTINGS,
            '"socket_timeout": None}],\n' + PREFIX,
            '"socket_timeout": None, "prefix": os.environ.get("SITE_NAME", "asgi")}],\n',
        ),
        Wrong(
            "does not think of a server without a name",
            "KeyError: 'SITE_NAME'",
            SETTINGS,
            'os.environ.get("SITE_NAME", "asgi")',
            'os.environ["SITE_NAME"]',
        ),
        Wrong(
            "gives each server a prefix of its own",
            "which servers share their rooms",
            SETTINGS,
            'os.environ.get("SITE_NAME", "asgi")',
            'os.environ.get("SITE_NAME", "asgi") + str(os.getpid())',
        ),
        Wrong(
            "forgets a comma",
            "myproject/settings.py, line",
            SETTINGS,
            '"socket_timeout": None}],\n' + PREFIX,
            '"socket_timeout": None}]\n' + PREFIX,
        ),
        Wrong(
            "takes out an app that the admin needs",
            "(admin.E406)",
            SETTINGS,
            '    "django.contrib.messages",\n',
            "",
        ),
    ],
}
