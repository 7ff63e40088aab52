"""In which order this kernel's own clients have sent, which no server can know.

What two clients send at almost the same time may reach a server in either order. `websockets` logs
each frame at the moment in which a client sends it; this listens to that. Nothing is printed for
it, and what else is logged stays as it was.
"""

import asyncio
import contextlib
import logging
import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

MOST = 20_000  # frames that are remembered
NAMELESS = {"client", "conn", "connection", "socket", "websocket", "ws"}  # variables
_LOGGER = logging.getLogger("websockets.client")
_OPCODES = {"TEXT": "in", "BINARY": "in", "CLOSE": "close"}  # → the kind of event at the server


@dataclass(eq=False)
class _Sender:
    """A task, or a thread without one, that has sent. numbers: of all that it has."""

    runs: Any
    numbers: list[int] = field(default_factory=list)

    @property
    def is_thread(self) -> bool:
        return isinstance(self.runs, threading.Thread)

    def done(self) -> bool:
        return not self.runs.is_alive() if self.is_thread else bool(self.runs.done())


@dataclass
class _Client:
    """A connection: (kind of the server's event, number) of all that was sent on it."""

    sent: list[tuple[str, int]] = field(default_factory=list)
    name: str | None = None


class Sends(logging.Filter):
    """What this kernel's clients have sent. There is one, SENDS.

    variables: those of the notebook. A client is named like the first that holds it, unless that
    is in NAMELESS.
    """

    def __init__(self) -> None:
        super().__init__()
        self.variables: Mapping[str, Any] = {}
        self._clients: dict[int, _Client] = {}  # by the port from which they came
        self._ports: dict[Any, int] = {}  # id of a connection of websockets → its port
        self._relays: dict[int, int] = {}  # port that a server sees → that of the client behind it
        self._by: list[_Sender] = []  # number → who sent it
        self._bursts: list[int] = []  # where each begins: what was sent without waiting
        self._senders: list[_Sender] = []  # who has sent since the cell's own code did
        self._main: Any = None  # the task or thread that runs the cell
        # the last that was sent before
        self._seen: ContextVar[int] = ContextVar("seen", default=-1)
        self._cell = -1  # the last that was sent before this cell
        self._level = logging.NOTSET
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Listen to all clients that connect from now on."""
        if self not in _LOGGER.filters:
            self._level = _LOGGER.level
            _LOGGER.setLevel(logging.DEBUG)
            _LOGGER.addFilter(self)

    def relay(self, port: int, seen: int) -> None:
        """Note that a client, who has come from a port, is seen by its server at another."""
        self._relays[seen] = port

    def begin_cell(self, *_: Any) -> None:
        """Note that a cell begins: what it sends comes after all that was sent before."""
        self.give_names()
        self._cell = len(self._by) - 1
        self._main = _running()
        self._senders = [sender for sender in self._senders if not sender.done()]

    def give_names(self, *_: Any) -> None:
        """Name the clients like the variables that hold them now."""
        for name, value in list(self.variables.items()):
            if name[0] != "_" and name not in NAMELESS and _is_client(value):
                client = self._clients.get(self._ports.get(value.id, 0))
                if client and client.name is None:
                    client.name = name

    def name_client(self, port: int, name: str) -> None:
        """Name the client that comes from a port, and is not this kernel's."""
        with self._lock:
            self._clients[port] = _Client(name=name)

    def annotated(self, events: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield a server's events, with what is known of those that this kernel's clients caused.

        `name` is that of the client, `order` tells its place among what they sent; `burst` and
        `branch`, where several did not wait for each other, tell which did not.
        """
        self.give_names()
        sent: dict[tuple[int, int], dict[str, Iterator[int]]] = {}
        for event in map(dict, events):
            connection = event["process"], event.get("conn") or 0
            if event["kind"] == "open" and (client := self._client_at(event["peer"])):
                event["name"] = client.name
                sent[connection] = {
                    kind: iter([number for its_kind, number in client.sent if its_kind == kind])
                    for kind in ("open", "in", "close")
                }
            if connection in sent and (event["kind"] != "close" or event["by"] != "server"):
                number = next(sent[connection].get(event["kind"], iter(())), None)
                if number is not None:
                    event |= self._place(number)
            yield event

    def _client_at(self, port: int) -> _Client | None:
        return self._clients.get(self._relays.get(port, port))

    def filter(self, record: logging.LogRecord) -> bool:
        """Note what is sent. Let pass what would be logged without this filter."""
        if record.levelno == logging.DEBUG:
            # another version of websockets may log something else
            with contextlib.suppress(Exception), self._lock:
                self._note(record)
        return record.levelno >= (self._level or (_LOGGER.parent or _LOGGER).getEffectiveLevel())

    def _note(self, record: Any) -> None:
        websocket = record.websocket
        if record.msg == "> GET %s HTTP/1.1":
            self._ports[websocket.id] = port = websocket.local_address[1]
            self._clients[port] = _Client()  # the system may give a port once more
            self._relays.pop(port, None)
            self._add(self._clients[port], "open")
        elif record.msg == "> %s":
            kind = _OPCODES.get(record.args[0].opcode.name)
            replies = kind == "close" and websocket.protocol.close_rcvd
            if kind and not replies:
                self._add(self._clients[self._ports[websocket.id]], kind)

    def _add(self, client: _Client, kind: str) -> None:
        number = len(self._by)
        if number >= MOST:
            return
        sender = self._sender()
        seen = max(self._seen.get(), self._cell, *sender.numbers[-1:])
        if not self._goes_on(sender):
            self._bursts.append(number)
        for other in self._senders:
            # nothing says that it waited for what the other has sent; a thread of the learner's
            # is taken to begin after, and to end before, what is sent outside of it
            parallel = other is not sender and other.is_thread == sender.is_thread
            if parallel and other.numbers[-1] > seen:
                first = other.numbers[bisect_right(other.numbers, seen)]
                del self._bursts[bisect_right(self._bursts, first) :]
        client.sent.append((kind, number))
        sender.numbers.append(number)
        self._by.append(sender)
        self._seen.set(number)

    def _sender(self) -> _Sender:
        """Return who sends now.

        The cell's own code is taken to have waited for those that have ended. Nobody else is.
        """
        runs = _running()
        self._main = self._main or runs
        if runs is self._main:
            self._senders = [
                sender for sender in self._senders if sender.runs is runs or not sender.done()
            ]
        for sender in self._senders:
            if sender.runs is runs:
                return sender
        self._senders.append(_Sender(runs))
        return self._senders[-1]

    def _goes_on(self, sender: _Sender) -> bool:
        """Tell whether one of several that did not wait for each other goes on."""
        if sender.runs is self._main or not sender.numbers:
            return False
        burst = range(self._bursts[-1], len(self._by))
        return sender.numbers[-1] in burst and any(self._by[sent] is not sender for sent in burst)

    def _place(self, number: int) -> dict[str, Any]:
        at = bisect_right(self._bursts, number)
        burst = self._bursts[at - 1]
        end = self._bursts[at] if at < len(self._bursts) else len(self._by)
        branch = self._by[number].numbers[0]
        place: dict[str, Any] = {"order": (burst, branch, number)}
        if any(self._by[sent] is not self._by[number] for sent in range(burst, end)):
            place |= {"burst": burst, "branch": branch}
        return place


def _running() -> Any:
    """Return the task that runs, or the thread if none does."""
    try:
        return asyncio.current_task() or threading.current_thread()
    except RuntimeError:
        return threading.current_thread()


def _is_client(value: Any) -> bool:
    return type(value).__module__.startswith("websockets.") and hasattr(value, "id")


SENDS = Sends()
