"""The rows of connections while they go on: each is told once, when its handling starts."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from channels_live.timeline.story import BACKGROUND, KINDS, RUNNING, Event, Row, Story

PATIENCE = 1.0  # seconds; what came and is not taken up is told then
MOST = 10_000  # connections that are remembered besides those that are open
KEPT = 8  # rows of a connection that something may still be added to


class Update(NamedTuple):
    """Something to be told: a row of a client, or notes that came to one later.

    event: what made it known. path: that of its connection, with the query.
    """

    client: str
    path: str
    row: Row
    event: Event


class Live:
    """Tells events as rows, in the order in which they come.

    text_of: makes of the text of a frame what is shown.
    """

    def __init__(self, text_of: Callable[[str], str]) -> None:
        self._text_of = text_of
        self._connections: dict[tuple[int, int | None], _Connection] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: set[_Connection] = set()  # something came that no consumer has taken up

    def tell(self, event: Event) -> Iterator[Update]:
        """Yield what is known by an event that was not known before."""
        if event["kind"] == "exit" or event.get("why") == "killed":
            yield from self._end(event)
        if "conn" not in event:
            return
        key = event["process"], event["conn"]
        if key not in self._connections:
            if event["kind"] == "end":
                return  # of one that is forgotten
            self._forget()
            kind = str(event.get("protocol"))
            kind = BACKGROUND if event["conn"] is None else KINDS.get(kind, kind)
            self._counts[kind] += 1
            name = kind if kind == BACKGROUND else f"{kind} {self._counts[kind]}"
            self._connections[key] = _Connection(name, event, self._text_of)
        connection = self._connections[key]
        yield from connection.tell(event)
        (self._waiting.add if connection.waits else self._waiting.discard)(connection)

    def ended(self, now: float) -> Iterator[Update]:
        """Yield the ends of all that is open: no process is left. now: as `at` in events."""
        for process in {process for process, _ in self._connections}:
            yield from self._end({"process": process, "at": now})

    def _end(self, exit: Event) -> Iterator[Update]:
        """Yield the ends of connections whose process has ended: the system has dropped them."""
        close = {"kind": "close", "by": "server", "code": None, "reason": "its process ended"}
        for (process, number), connection in list(self._connections.items()):
            if process == exit["process"] and connection.is_open:
                end = {**close, "process": process, "conn": number, "at": exit["at"]}
                yield from connection.tell(end)

    def _forget(self) -> None:
        if len(self._connections) >= 2 * MOST:
            old = list(self._connections.items())[:-MOST]
            for key, connection in old:
                if not connection.is_open and key[1] is not None:
                    del self._connections[key]

    def overdue(self, now: float) -> Iterator[Update]:
        """Yield what came a while ago, and no consumer has taken up. now: as `at` in events."""
        for connection in [each for each in self._waiting if each.at < now - PATIENCE]:
            self._waiting.discard(connection)
            yield from connection.give_up()


class _Connection(Story):
    """One connection. name: of its client. first: its first event."""

    def __init__(self, name: str, first: Event, text_of: Callable[[str], str]) -> None:
        super().__init__([], False, RUNNING)
        self._name, self._path, self._text_of = name, str(first.get("path") or ""), text_of
        self._event = first  # the last one
        # a page may have a consumer, but mostly it has none; a WebSocket mostly has one
        self._has_consumer = first.get("protocol") not in ("http", None)
        self._is_called = self.is_open = False
        self._told: dict[int, tuple[str, int]] = {}  # id of a row → its call, how many notes: told

    @property
    def waits(self) -> bool:
        """Whether something came that no consumer has taken up."""
        return bool(self._arrived)

    @property
    def at(self) -> float:
        """When something happened last."""
        return self._event["at"]

    def tell(self, event: Event) -> Iterator[Update]:
        """Yield what is known by an event that was not known before."""
        self._event = event
        if event["kind"] == "call":
            self._has_consumer = self._is_called = True
        elif event["kind"] == "answer" and not self._is_called:
            self._has_consumer = False  # an application without one, or one that refuses
        self.take(event)
        if event["kind"] in ("answer", "close"):
            self.is_open = event.get("status") == 101
        if event["kind"] in ("in", "out") and "text" in event:
            waiting = self._arrived if event["kind"] == "in" and self._arrived else self.rows
            waiting[-1].text = self._text_of(event["text"])
        if self._has_consumer and event["kind"] not in ("end", "error"):
            yield from self._news()
        else:
            yield from self.give_up()

    def give_up(self) -> Iterator[Update]:
        """Yield also what no consumer has taken up."""
        self._show_arrived()
        yield from self._news()

    def _news(self) -> Iterator[Update]:
        for row in self.rows:
            told = self._told.get(id(row))
            if told is None:
                yield Update(self._name, self._path, row, self._event)
            elif told != (row.call, len(row.notes)):  # as disconnect() after the server's close
                call = "" if row.call == told[0] else row.call
                later = Row("", "", call, notes=row.notes[told[1] :])
                yield Update(self._name, self._path, later, self._event)
            self._told[id(row)] = row.call, len(row.notes)
        if len(self.rows) > 2 * KEPT:
            kept = {id(row) for row in [*self.rows[-KEPT:], *self._running.values()]}
            self.rows = [row for row in self.rows if id(row) in kept]
            self._told = {row: told for row, told in self._told.items() if row in kept}
