"""Right answers to the exercises of lesson 23 that are not like ours."""

from . import Right

LINES = """import json
import logging
import re

from channels.generic.websocket import AsyncJsonWebsocketConsumer

logger = logging.getLogger(__name__)


class LostConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        place = self.scope["url_route"]["kwargs"]["place"]
        logger.warning("somebody at %s", " ".join(place.splitlines()))
        await self.accept()

    async def receive_json(self, content):
        logger.warning("lost: %s", " | ".join(content["lost"].splitlines()))
        await self.send_json({"noted": content["lost"]})
"""
ESCAPES = """import json
import logging
import re

from channels.generic.websocket import AsyncJsonWebsocketConsumer

logger = logging.getLogger(__name__)


class LostConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        place = self.scope["url_route"]["kwargs"]["place"]
        logger.warning("somebody at %s", place.encode("unicode_escape").decode())
        await self.accept()

    async def receive_json(self, content):
        logger.warning("lost: %s", content["lost"].encode("unicode_escape").decode())
        await self.send_json({"noted": content["lost"]})
"""
PRINTABLE = """import json
import logging
import re

from channels.generic.websocket import AsyncJsonWebsocketConsumer

logger = logging.getLogger(__name__)


class LostConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        place = self.scope["url_route"]["kwargs"]["place"]
        logger.warning("somebody at %s", self.plain(place))
        await self.accept()

    async def receive_json(self, content):
        logger.warning("lost: %s", self.plain(content["lost"]))
        await self.send_json({"noted": content["lost"]})

    def plain(self, text):
        return "".join(c if c.isprintable() else "?" for c in text)
"""
TIMES = """import os

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.core.cache import cache
from .limits import count, who

WORD = os.environ.get("VAULT_WORD", "sesame")
MOST, MINUTE = 3, 60  # wrong guesses, and seconds

import time

WRONG = {}


class VaultConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        me = who(self.scope)
        now = time.monotonic()
        recent = [t for t in WRONG.get(me, []) if now - t < MINUTE]
        if len(recent) >= MOST:
            await self.send_json({"error": "please wait"})
        elif content["guess"] == WORD:
            await self.send_json({"open": True})
        else:
            WRONG[me] = recent + [now]
            await self.send_json({"open": False})
"""
SET = """import os

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.core.cache import cache
from .limits import count, who

WORD = os.environ.get("VAULT_WORD", "sesame")
MOST, MINUTE = 3, 60  # wrong guesses, and seconds


class VaultConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        await self.send_json(await self.judge(content["guess"]))

    @sync_to_async
    def judge(self, guess):
        key = "guesses:" + str(who(self.scope))
        n = cache.get(key, 0)
        if n >= MOST:
            return {"error": "please wait"}
        if guess == WORD:
            return {"open": True}
        cache.set(key, n + 1, MINUTE)
        return {"open": False}
"""

RIGHT = {
    "23.1": [
        Right("puts the lines into one", {"myapp/lost.py": LINES}),
        Right("writes escapes of its own", {"myapp/lost.py": ESCAPES}),
        Right("keeps what can be printed", {"myapp/lost.py": PRINTABLE}),
    ],
    "23.3": [
        Right("keeps the times itself", {"myapp/vault.py": TIMES}),
        Right("writes the number with a new minute", {"myapp/vault.py": SET}),
    ],
}
