"""Tells when the process has nothing left in hand."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from channels_live.tap.pending import may_act
from channels_live.tap.state import state

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

POLL = 0.005  # seconds between two looks
ALIVE = 1.0  # seconds between two signs of life
TURNS = 10  # of the event loop: a channel layer's message takes a few to its consumer


def settle(
    patience: float, show: Callable[[], None], absent: frozenset[int] = frozenset()
) -> tuple[bool, bool]:
    """Wait until the process has nothing in hand. Return (quiet, pending).

    patience: gives up when nothing was recorded for so many seconds, and in as many looks as these
    have room for: a process that gets no time to run must not look like one that waits. What still
    runs then is taken to wait for something. The end of a connection is awaited all the same: it
    may take daphne a second. Gives up in any case after SETTLE_LIMIT seconds.

    show: is called once a second, to show that this process is alive. absent: ports of clients
    that cannot answer a close frame before we do.

    quiet: whether it has nothing in hand. pending: whether something of the project's own may yet
    act by itself (see `pending`); it says nothing while the process is not quiet.
    """
    begin = seen = shown = time.monotonic()
    look, looks = _Look(absent), 0
    while True:
        answered = look.answered.wait(POLL)
        if look.quiet:
            return True, look.pending
        now, looks = time.monotonic(), looks + 1
        if state.last > seen or ending(absent):
            seen, looks = now, 0
        if now > begin + _limit() or now > seen + patience and looks * POLL > patience:
            look.given_up = True
            return False, True
        if now > shown + ALIVE:
            shown = now
            show()
        if answered or not look.alive():
            time.sleep(POLL)
            look = _Look(absent)


def _limit() -> float:
    return float(sys.modules["channels_live.tap"].SETTLE_LIMIT)


def busy(absent: frozenset[int] = frozenset()) -> bool:
    """Tell whether anything is in hand. May be called on any thread."""
    return bool(state.calls) or any(
        connection.busy(absent) for connection in list(state.connections.values())
    )


def ending(absent: frozenset[int] = frozenset()) -> bool:
    """Tell whether a connection is about to end. May be called on any thread."""
    return any(connection.ending(absent) for connection in list(state.connections.values()))


class _Look:
    """Looks whether the process has something in hand, in ten turns of the event loop in a row.

    Each turn reads what has arrived on every socket, so what a client sent before we were asked
    is handled before we answer. It is no task: a loop that ends leaves nothing behind to warn of.
    """

    def __init__(self, absent: frozenset[int] = frozenset()) -> None:
        self.absent = absent
        self.answered = threading.Event()
        self.quiet = False
        self.pending = True
        self.given_up = False
        self._loop = state.loop
        if self._loop and self._loop.is_running():
            try:
                self._loop.call_soon_threadsafe(self._turn, self._loop, TURNS)
                return
            except RuntimeError:
                pass  # it was closed just now
        self._turn(None, 0)

    def alive(self) -> bool:
        """Tell whether there is an event loop that will answer."""
        return self._loop is not None and self._loop.is_running()

    def _turn(self, loop: AbstractEventLoop | None, left: int) -> None:
        if self.given_up:
            return
        if not busy(self.absent):
            if loop and left:
                loop.call_soon(self._turn, loop, left - 1)
                return
            self.pending = may_act(loop)
            self.quiet = True
        self.answered.set()
