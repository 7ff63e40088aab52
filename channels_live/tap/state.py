"""What the tap knows of its process, in one object."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    import socket
    from types import CodeType

    from channels_live.tap.asgi import Connection
    from channels_live.tap.calls import Call, Method

MOST_WAITING = 200_000  # events that wait for a kernel to read


class State:
    """All that the tap knows. There is one, `state`.

    Who may touch what: hooks run on whatever thread the project's code runs on, mostly the event
    loop's and those of sync consumers; requests of the kernel are answered each on a thread of its
    own. There is no lock but `sending`, which holds whoever reads from `events` and writes to
    `kernel`: hooks must never wait. All else is changed by single operations only (append, add,
    discard, `pop` with a default, one assignment), and read from a copy (`list(...)`), because
    another thread may change it meanwhile. What belongs to one connection is changed by the thread
    that serves it, and read by all.
    """

    def __init__(self) -> None:
        # wire
        self.kernel: socket.socket | None = None
        self.address: str | None = None  # of the kernel
        self.gaps: set[str] = set()  # where the tap has failed
        # names
        self.folder = os.path.realpath(os.getcwd()) + os.sep  # the project
        self.receiving: set[CodeType] = set()  # the code of receive() of the channel layers
        self.begin_anew()
        self.forked = False

    def begin_anew(self) -> None:
        """Know nothing of what happens: here in a forked child nothing has."""
        self.forked = True  # and not connected yet
        # wire
        self.events: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)  # not sent yet
        self.awake = threading.Event()  # there is something to send
        self.sending = threading.Lock()
        self.last = 0.0  # when the last event was recorded
        # who is busy
        self.loop: asyncio.AbstractEventLoop | None = None
        self.connections: dict[int, Connection] = {}  # those that may still be busy, by number
        self.calls: set[int] = set()  # those that have not returned
        self.marks: dict[int, tuple[Any, ...]] = {}  # id() of what a layer gave → its mark
        # names
        # id() of a consumer's class → it, and its methods by the type of their messages
        self.methods: dict[int, tuple[weakref.ref[type], dict[str, Method]]] = {}
        self.numbers = itertools.count(1)  # of connections
        self.call_numbers = itertools.count(1)
        self.thread_numbers = itertools.count(1)
        self.threads: dict[int, str] = {}  # thread ident → its name in the record
        # what happens here, in this task or thread
        self.connection: ContextVar[Connection | None] = ContextVar("tap_connection", default=None)
        self.dispatching: ContextVar[Call | None] = ContextVar("tap_dispatching", default=None)
        # in a method of a channel layer: the mark of its message, or ""
        self.in_layer: ContextVar[str | None] = ContextVar("tap_in_layer", default=None)
        # what has happened
        self.listening = False
        self.broken = False  # runserver's files are
        self.watching = False
        self.stopping = False
        self.command: int | None = None  # the id() of manage.py's command


state = State()
