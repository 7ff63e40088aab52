"""How a connection ends in servers other than daphne, as far as that can be seen.

A server tells its application that a WebSocket has ended, and a code, but not who ended it; and
where an application fails it ends the connection without a word. So this looks at the server's own
object of the connection, as uvicorn and hypercorn have one. What is not known there is told so.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from channels_live.tap.state import state
from channels_live.tap.texts import number

LOST = 1006
NO_CODE = 1005
# what a server does with a client that still waits, once its application has failed or returned:
# the status before it has accepted, the code after (None: it drops the connection)
AFTER = {"uvicorn": (500, None), "hypercorn": (500, 1011), "granian": (403, NO_CODE)}
BY_ANYBODY = (1002, 1003, 1007, 1009, 1010, 1011)  # codes that a server says by itself, too
NOBODY_TELLS = "by whom and with which code, this server does not tell"
SOMEBODY = "by whom, this server does not tell"
STOPPED = "the server stopped"


class End(NamedTuple):
    """How a WebSocket ends: fields of the event `close`."""

    by: str | None
    code: int | None
    reason: str | None = None


def told(peer: Any, code: Any) -> End:
    """Return how a WebSocket has ended of which the server tells its application.

    peer: the server's object, or None. code: as it tells.
    """
    code, known = number(code), _frames(peer)
    if state.stopping and (known is None or known.code is None):
        return End("server", code if code != LOST else None, STOPPED)
    if known:
        return known
    if library(peer) == "hypercorn" or code in (None, NO_CODE, LOST):
        return End(None, None, NOBODY_TELLS)  # hypercorn says 1006, whatever the client has said
    return End(None, code, SOMEBODY) if code in BY_ANYBODY else End("client", code)


def left(peer: Any, accepted: bool, error: BaseException | None) -> End | int | None:
    """Return what the server does with a WebSocket that its application has left open.

    accepted: whether it is. error: by which exception it was left.

    An int is the HTTP status. None: that is not known.
    """
    if known := _frames(peer):
        if known.code is not None or is_gone(peer):
            return known if accepted else None
    elif is_gone(peer):
        return End(None, None, NOBODY_TELLS) if accepted else None
    server = library(peer)
    if state.stopping or _is_cancelled(error):
        code = AFTER[server][1] if server == "hypercorn" else None  # which says it also then
        return End("server", code, STOPPED) if accepted else None
    if server not in AFTER:
        return None
    status, code = AFTER[server]
    if not accepted:
        return status
    if server == "uvicorn" and error is None:
        return None  # it has once left such a client waiting
    # whether a client of granian is gone meanwhile is not to be seen
    return End(None, None, NOBODY_TELLS) if server == "granian" else End("server", code)


def library(peer: Any) -> str:
    """Return the name of the server to which an object belongs."""
    return type(peer).__module__.partition(".")[0].lstrip("_")


def _frames(peer: Any) -> End | None:
    """Return what `websockets` knows of close frames; uvicorn has it do its work, unless told."""
    known = getattr(peer, "conn", peer)
    if library(peer) != "uvicorn" or not hasattr(known, "close_rcvd"):
        return None
    received, sent = known.close_rcvd, known.close_sent
    if received and known.close_rcvd_then_sent is not False:
        return End("client", int(received.code))
    if sent:
        return End("server", int(sent.code))
    return End("client", None)


def is_gone(peer: Any) -> bool:
    """Tell whether the client has gone, or the server ends the connection already."""
    if getattr(peer, "disconnected", False):  # of uvicorn, also with a page
        return True
    transport = getattr(peer, "transport", None)
    if transport is not None:
        return bool(transport.is_closing())
    return getattr(peer, "closed", False) is True  # of hypercorn


def _is_cancelled(error: BaseException | None) -> bool:
    """Tell whether a server has cancelled the task of its application."""
    asyncio = sys.modules["asyncio"]
    task = asyncio.current_task() if isinstance(error, asyncio.CancelledError) else None
    return bool(task and getattr(task, "cancelling", bool)())  # since Python 3.11
