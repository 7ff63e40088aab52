"""The connection to the kernel: events go up it, requests come down.

Events go up as one JSON object a line. A request is a line "NUMBER PATIENCE": to say at once that
this process is alive, and again every second (`asked`), until it has nothing left in hand
(`settled`).
Each process of a server (runserver has two) has a connection of its own; a child that it forks
has none.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import sys
import threading
import time
from collections import deque
from types import TracebackType
from typing import Any

from channels_live.tap.state import state

BATCH = 0.02  # seconds; events travel in batches, because waking a thread for each would cost
CHECKED = "CHANNELS_LIVE_CHECK_EVENTS"  # set in tests

_encode = json.JSONEncoder(default=repr).encode  # json.dumps() would make an encoder for each


def record(kind: str, **fields: Any) -> float:
    """Add an event and return its time. Cheap: it is sent later, by another thread.

    kind, fields: as `channels_live.tap.events` says.
    """
    fields["kind"] = kind
    fields["at"] = state.last = at = time.monotonic()
    state.events.append(fields)
    if not state.awake.is_set():
        state.awake.set()
    return at


def answer(kind: str, **fields: Any) -> None:
    """Answer the kernel, now. This is no sign of life of the server's own: see `settle`."""
    state.events.append({"kind": kind, "at": time.monotonic(), **fields})
    flush()


if CHECKED in os.environ:
    from channels_live.tap.events import checked

    record, answer = checked(record), checked(answer)


def flush() -> None:
    """Send all events recorded so far."""
    with state.sending:
        lines = []
        while state.events:
            lines.append(_encode(state.events.popleft()))
        if lines and state.kernel:
            try:
                state.kernel.sendall("\n".join([*lines, ""]).encode())
            except OSError:
                pass  # the kernel is gone


def connect(address: str) -> bool:
    """Connect to the kernel at "PORT TOKEN". Return whether it is still there."""
    port, token = address.split()
    try:
        state.kernel = socket.socket()  # create_connection() imports a codec first
        state.kernel.connect(("127.0.0.1", int(port)))
        state.kernel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state.kernel.sendall(f"{token}\n".encode())
    except OSError:
        return False
    return True


def start() -> None:
    """Begin to send and to obey."""
    show = sys.excepthook

    def excepthook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        show(kind, error, trace)
        if not isinstance(error, KeyboardInterrupt):
            from channels_live.tap.errors import record_crash

            record_crash(error)

    sys.excepthook = excepthook
    atexit.register(flush)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_hang_up)
    threading.Thread(target=_send, name="tap-send", daemon=True).start()
    threading.Thread(target=_obey, name="tap-obey", daemon=True).start()


def _hang_up() -> None:
    """Forget the kernel in a forked child, which must not keep its parent's connection open."""
    if state.kernel:
        os.close(state.kernel.detach())  # close() would wait for the file that _obey reads
    state.kernel = None
    state.events = deque(maxlen=0)
    state.sending = threading.Lock()  # another thread may have held it


def _send() -> None:
    while True:
        state.awake.wait()
        time.sleep(BATCH)
        state.awake.clear()
        flush()


def _obey() -> None:
    assert state.kernel
    try:
        for line in state.kernel.makefile("rb"):
            number, patience = line.split()
            answer("asked", number=int(number))
            # in a thread of its own: meanwhile it may be asked again
            threading.Thread(
                target=_settle, args=(int(number), float(patience)), name="tap-settle", daemon=True
            ).start()
    except (OSError, ValueError):
        pass  # a killed kernel resets the connection, perhaps in the middle of a line


def _settle(number: int, patience: float) -> None:
    quiet, pending = False, True
    try:
        from channels_live.tap.settle import settle

        quiet, pending = settle(patience, lambda: answer("asked", number=number))
    finally:  # the kernel waits for an answer
        answer("settled", number=number, quiet=quiet, pending=pending)
