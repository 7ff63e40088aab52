"""A channel layer in which messages cross whoever joins, as they now and then do by chance.

A check copies this file into the copy of a learner's project, so it imports nothing of ours.
"""

import asyncio
from contextlib import suppress
from typing import Any

from channels.layers import InMemoryChannelLayer

BUSY = "busy"  # in the name of a group: there, who joins is crossed, unless CONFIG says another
WAIT = 2.0  # seconds, if nobody says anything


class CrossingLayer(InMemoryChannelLayer):
    """Lets one message pass before a channel joins a busy group, and one before it is told so."""

    def __init__(self, busy: str = BUSY, **options: Any) -> None:
        super().__init__(**options)
        self._busy = busy
        self._waiting: dict[str, list[asyncio.Event]] = {}

    async def group_add(self, group: str, channel: str) -> None:
        is_crossed = self._busy in group and bool(self.groups.get(group))
        if is_crossed:
            await self._message(group)
        await super().group_add(group, channel)
        if is_crossed:
            await self._message(group)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await super().group_send(group, message)
        for event in self._waiting.pop(group, ()):
            event.set()

    async def _message(self, group: str) -> None:
        event = asyncio.Event()
        self._waiting.setdefault(group, []).append(event)
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), WAIT)
