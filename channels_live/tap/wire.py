"""The connection to the kernel: events go up it, requests come down.

Events go up, see `batches`. A request that comes down is a line "NUMBER PATIENCE PORT…": to say at
once that this process is alive, and again every second (`asked`), until it has nothing left in hand
(`settled`); a client on one of these ports cannot answer meanwhile.
Each process of a server (runserver has two) has a connection of its own; a child that it forks
makes one as soon as it has something to tell.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from channels_live.tap.batches import packed
from channels_live.tap.state import MOST_WAITING, state

BATCH = 0.02  # seconds that a batch gathers, because waking a thread for each event would cost
MOST_IN_BATCH, LARGEST_BATCH = 50, 2**18  # events, bytes; of a larger one each is sent alone
SEND_LIMIT = 2  # seconds that a kernel may take to read
CHECKED = "CHANNELS_LIVE_CHECK_EVENTS"  # set in tests


def record(kind: str, **fields: Any) -> float:
    """Add an event and return its time. Cheap: it is sent later, by another thread.

    kind, fields: as `channels_live.tap.events` says.
    """
    return add(kind, fields)


def add(kind: str, fields: dict[str, Any]) -> float:
    """Do the same with a dict that becomes the event: for what is recorded at every frame.

    To merge fields into the arguments of a call would take twice as long as all that is here.
    """
    fields["kind"] = kind
    fields["at"] = state.last = at = time.monotonic()
    state.events.append(fields)
    if not state.awake.is_set():
        if state.forked:
            _reopen()
        state.awake.set()
    return at


def answer(kind: str, **fields: Any) -> None:
    """Answer the kernel, now. This is no sign of life of the server's own: see `settle`."""
    state.events.append({"kind": kind, "at": time.monotonic(), **fields})
    flush()


if CHECKED in os.environ:
    from channels_live.tap.events import checked

    add, answer = checked(add), checked(answer)


def tell_gap(where: str, error: BaseException) -> None:
    """Record, once for each place, that the tap itself has failed there.

    where: the place in the tap, or what it was to watch.
    """
    if where not in state.gaps:
        state.gaps.add(where)
        detail = f"{where}: {type.__dict__['__name__'].__get__(type(error))}"
        record("gap", why="failed", detail=detail)


def harmless(tell: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that records something as one that never raises."""

    @functools.wraps(tell)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return tell(*args, **kwargs)
        except Exception as error:
            tell_gap(tell.__qualname__, error)
            return None

    return told


def flush() -> None:
    """Send all events recorded so far."""
    with state.sending:
        _send_all()


def _send_all() -> None:
    events = [_gap("full", None)] if len(state.events) == MOST_WAITING else []
    while state.events:
        events.append(state.events.popleft())
    parts = []
    for first in range(0, len(events), MOST_IN_BATCH):
        parts += _packed(events[first : first + MOST_IN_BATCH])
    if parts and state.kernel:
        try:
            state.kernel.sendall(b"".join(parts))
        except OSError:  # the kernel is gone, or has half a batch
            kernel, state.kernel = state.kernel, None
            with contextlib.suppress(OSError):
                kernel.shutdown(socket.SHUT_RDWR)  # _obey reads from it, and closes it


def _packed(events: list[dict[str, Any]]) -> list[bytes]:
    try:
        batch = packed(events)
    except Exception:  # or the thread would end, and with it all that is told
        if len(events) == 1:
            return [packed([_gap("failed", "encode")])]
    else:
        if len(batch) <= LARGEST_BATCH or len(events) == 1:
            return [batch]
    return [part for event in events for part in _packed([event])]


def _gap(why: str, detail: str | None) -> dict[str, Any]:
    return {"kind": "gap", "at": time.monotonic(), "why": why, "detail": detail}


def connect(address: str) -> bool:
    """Connect to the kernel at "PORT TOKEN". Return whether it is still there."""
    try:
        port, token = address.split()
        state.kernel = socket.socket()  # create_connection() imports a codec first
        state.kernel.connect(("127.0.0.1", int(port)))
        state.kernel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if os.name == "posix":  # elsewhere it is a number of milliseconds, and another one
            limit = struct.pack("ll", SEND_LIMIT, 0)
            state.kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        state.kernel.sendall(f"{token}\n".encode())
    except (OSError, ValueError):
        state.kernel = None
        return False
    state.address = address
    return True


def start() -> None:
    """Begin to send and to obey."""
    show, leave = sys.excepthook, os._exit

    def excepthook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        show(kind, error, trace)
        if not isinstance(error, KeyboardInterrupt):
            from channels_live.tap.errors import record_crash

            record_crash(error)

    @functools.wraps(leave)
    def _exit(status: int) -> Any:
        _say_goodbye()
        return leave(status)

    sys.excepthook = excepthook
    os._exit = _exit
    atexit.register(_say_goodbye)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_anew)
    _start_threads()


def _start_threads() -> None:
    threading.Thread(target=_send, name="tap-send", daemon=True).start()
    threading.Thread(target=_obey, args=(state.kernel,), name="tap-obey", daemon=True).start()


def _say_goodbye() -> None:
    """Send what is left, and that this process ends by itself: nothing is missing."""
    if state.kernel and state.sending.acquire(timeout=0.5):
        try:
            state.events.append({"kind": "exit", "at": time.monotonic()})
            _send_all()
        finally:
            state.sending.release()


def _hang_up() -> None:
    kernel, state.kernel = state.kernel, None
    if kernel:
        os.close(kernel.detach())  # close() would wait for the file made of it


def _begin_anew() -> None:
    """Forget all in a forked child; it must not keep its parent's connection open."""
    _hang_up()
    state.begin_anew()


def _reopen() -> None:
    """Connect again, in a forked child that has something to tell."""
    state.forked = False
    try:
        if state.address and connect(state.address):
            _start_threads()
    except Exception:  # as where no thread can be started any more
        _hang_up()


def _send() -> None:
    while True:
        state.awake.wait()
        time.sleep(BATCH)
        state.awake.clear()
        flush()


def _obey(kernel: socket.socket) -> None:
    try:
        for line in kernel.makefile("rb"):
            number, patience, *ports = line.split()
            answer("asked", number=int(number))
            # in a thread of its own: meanwhile it may be asked again
            threading.Thread(
                target=_settle,
                args=(int(number), float(patience), frozenset(map(int, ports))),
                name="tap-settle",
                daemon=True,
            ).start()
    except (OSError, ValueError):
        pass  # a killed kernel resets the connection, perhaps in the middle of a line


def _settle(number: int, patience: float, absent: frozenset[int]) -> None:
    quiet, pending = False, True
    try:
        from channels_live.tap.settle import settle

        quiet, pending = settle(patience, lambda: answer("asked", number=number), absent)
    finally:  # the kernel waits for an answer
        answer("settled", number=number, quiet=quiet, pending=pending)
