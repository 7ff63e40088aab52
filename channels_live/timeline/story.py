"""Events → for each connection its rows, in the order in which the server dealt with them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LONGEST_TEXT = 120  # characters of a frame that are shown
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # not for a screen
_KINDS = {"websocket": "client", "http": "request", "channel": "worker"}
_PHRASES = {101: "accepted", 403: "refused", 404: "not found", 500: "server error"}

Event = Mapping[str, Any]  # see channels_live.tap.events


@dataclass
class Row:
    """One line: what passed between a client and the server, and what it led to."""

    direction: str  # "in", "out" or "" (it happened inside the server)
    text: str
    call: str = ""
    consumer: str = ""
    by_server: bool = False  # daphne says it by itself, not at the word of a consumer
    notes: list[str] = field(default_factory=list)


@dataclass
class Client:
    """One connection, with its rows in the order in which the server dealt with them."""

    name: str
    rows: list[Row]


def clients_of(events: Iterable[Event], threads: bool = False) -> list[Client]:
    """Return the connections that events tell of, in the order in which they were opened.

    threads: whether a row tells on which thread a method ran.
    """
    connections: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        if event.get("conn") is not None:
            connections.setdefault((event["process"], event["conn"]), []).append(event)
    counts: dict[str, int] = {}
    clients = []
    for its_events in connections.values():
        protocol = str(its_events[0].get("protocol"))
        kind = _KINDS.get(protocol, protocol)
        counts[kind] = counts.get(kind, 0) + 1
        clients.append(Client(f"{kind} {counts[kind]}", _Story(its_events, threads).rows))
    return clients


def rows_of(consumer: str, rows: Iterable[Row]) -> list[Row]:
    """Return the rows of one consumer: those that it handled and what it sent meanwhile."""
    kept, inside = [], False
    for row in rows:
        if row.consumer or row.direction == "in":
            inside = row.consumer == consumer
        if inside:
            kept.append(row)
    return kept


class _Story:
    """Builds the rows of one connection.

    A frame may arrive while an earlier one is still being handled, and when exactly is chance. So
    each is shown where its handling starts; consumers handle one after the other.
    """

    def __init__(self, events: Sequence[Event], threads: bool) -> None:
        self.rows: list[Row] = []
        self._arrived: list[Row] = []  # rows of what no consumer has taken up yet
        self._running: dict[int, Row] = {}  # call → its row
        self._ends: list[Row] = []  # rows in which the server ends the connection
        self._threads = threads
        self._accepted = False
        self._calls = 0
        has_consumer = any(event["kind"] == "call" for event in events)
        for event in events:
            getattr(self, f"_on_{event['kind']}")(event)
            if not has_consumer:
                self._show_arrived()
        self._show_arrived()
        for row in self._running.values():
            row.notes.append("still running")

    def _show_arrived(self) -> None:
        self.rows += self._arrived
        self._arrived.clear()

    def _on_open(self, event: Event) -> None:
        if event["path"] is not None:
            self._arrived.append(Row("in", f"{event['method']} {event['path']}"))

    def _on_in(self, event: Event) -> None:
        if reason := event.get("refused"):
            self._show_arrived()
            row = Row("in", "a frame that is too large", by_server=True, notes=[reason])
            self.rows.append(row)
        else:
            self._arrived.append(Row("in", _frame(event)))

    def _on_close(self, event: Event) -> None:
        code = event["code"]
        if event["by"] == "client":
            text = "gone without a close frame (1006)" if code is None else f"close {code}"
            if reason := event["reason"]:  # such as that the code is not known
                self._arrived.append(Row("in", "closed", notes=[reason]))
            else:
                self._arrived.append(Row("in", text))
        elif code is not None:
            self.rows.append(Row("out", f"close {code}", by_server=code == 1011))
            self._ends.append(self.rows[-1])
        else:
            self._show_arrived()
            text = (
                "connection dropped (1006)" if self._accepted else "no answer, connection dropped"
            )
            notes = [event["reason"]] if event["reason"] and self._accepted else []
            self.rows.append(Row("out", text, by_server=True, notes=notes))
            self._ends.append(self.rows[-1])

    def _on_answer(self, event: Event) -> None:
        status = event["status"]
        if self._arrived and not self.rows:  # refused before any consumer was asked
            self._show_arrived()
        self._accepted = status == 101
        text = f"{status} {_PHRASES.get(status, '')}".rstrip()
        self.rows.append(Row("out", text, by_server=status not in (101, 403) and not self._calls))
        if not self._accepted:
            self._ends.append(self.rows[-1])

    def _on_call(self, event: Event) -> None:
        argument = event["arg"] if event["handler"] == "disconnect" else None
        call = f"{event['consumer']}.{event['handler']}({'' if argument is None else argument})"
        if not event["known"]:
            call = f"{event['consumer']} has no {event['handler']}()"
        elif self._threads:
            call += f"  on {event['thread']}"
        last = self.rows[-1] if self.rows else None
        if self._arrived and event["type"].startswith(("websocket.", "http.")):
            row = self._arrived.pop(0)
        elif last in self._ends and event["type"] == "websocket.disconnect" and not last.call:
            row = self.rows.pop()  # the server's own end of the connection
        elif isinstance(event.get("text"), str):
            row = Row("in", _short(event["text"]))
        else:
            row = Row("", f"{event['type']} event")
        row.call, row.consumer = call, event["consumer"]
        self._running[event["call"]] = row
        self._calls += event["type"].startswith("http.")
        self.rows.append(row)

    def _on_return(self, event: Event) -> None:
        self._running.pop(event["call"], None)

    def _on_out(self, event: Event) -> None:
        self.rows.append(Row("out", _frame(event)))

    def _on_error(self, event: Event) -> None:
        if not self.rows:
            self._show_arrived()
        if not self.rows:
            self.rows.append(Row("", ""))
        notes = self.rows[-1].notes
        notes.append(f"raised {event['type']}: {_short(event['message'])}")
        if event["file"]:
            notes.append(f"in {event['file']}, line {event['line']}")

    def _on_layer(self, event: Event) -> None:
        words = {
            "send": "sends to channel",
            "group_send": "sends to group",
            "group_add": "joins group",
        }
        # a channel's own name, as in "specific.….inmemory!kQzB", is another at every run
        target = re.sub(r"\..*!.*|\.[0-9a-f]{32}$", ".…", str(event["target"]))
        text = f"{words.get(event['op'], 'leaves group')} {target}"
        if event["type"] and event["op"] in ("send", "group_send"):
            text += f": {event['type']}"
        self.rows.append(Row("", text))

    def _on_end(self, event: Event) -> None:
        pass


def _frame(event: Event) -> str:
    if "size" in event:
        return f"{event['size']:,} byte{'s' * (event['size'] != 1)} (binary)"
    return _short(event["text"])


def _short(text: str) -> str:
    text = _LINE_END.sub("⏎", text)
    text = _CONTROL.sub("�", text)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
