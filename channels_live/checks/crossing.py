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
    """Lets two messages pass before a channel joins a busy group, and one before it is told so.

    Two, because the first may have been written down before whoever joins looked for it; the
    second, by the same sender, was not.
    """

    def __init__(self, busy: str = BUSY, **options: Any) -> None:
        super().__init__(**options)
        self._busy = busy
        self._waiting: dict[str, list[asyncio.Semaphore]] = {}

    async def group_add(self, group: str, channel: str) -> None:
        is_crossed = self._busy in group and bool(self.groups.get(group))
        if is_crossed:
            await self._messages(group, 2)
        await super().group_add(group, channel)
        if is_crossed:
            await self._messages(group, 1)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await super().group_send(group, message)
        for passed in self._waiting.get(group, ()):
            passed.release()

    async def _messages(self, group: str, number: int) -> None:
        """Wait until so many have passed."""
        passed = asyncio.Semaphore(0)
        waiting = self._waiting.setdefault(group, [])
        waiting.append(passed)
        with suppress(TimeoutError):
            for _ in range(number):
                await asyncio.wait_for(passed.acquire(), WAIT)
        waiting.remove(passed)
