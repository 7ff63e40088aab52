"""Events → for each connection its rows, in the order in which the server dealt with them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeVar

SERVER = "server"  # the name of what is told of the server itself
LONGEST_TEXT = 120  # characters of a frame that are shown
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # not for a screen
BACKGROUND = "background"
RUNNING = "still running"
NO_ANSWER = "no answer, connection dropped"
CUT_OFF = "cut off: the server ended"
KINDS = {"websocket": "client", "http": "request", "channel": "worker"}
_CODES = {None: "gone without a close frame (1006)", 1005: "close without a code (1005)"}
_ENDS = {"server": ("out", "end of the stream"), "client": ("in", "gone before its end")}
_ENDS[""] = ("out", "stream broken off")
_TAKES = {"websocket.connect": "open", "websocket.receive": "in", "websocket.disconnect": "close"}
_PHRASES = {101: "accepted", 403: "refused", 404: "not found", 500: "server error"}

T = TypeVar("T")
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
    begins: Event | None = None  # with what, where that does not follow from the row above
    of_call: Event | None = None  # the call that it shows
    sends: Event | None = None  # the message that it gives to the channel layer
    group: str | None = None  # the group that it uses, or that brings it
    does: str = ""  # what it does with it


@dataclass
class Client:
    """One connection, with its rows in the order in which the server dealt with them.

    kind: client, request, worker, or the type of a scope; what happens outside of all connections
    is told as one too, of the kind BACKGROUND.
    """

    name: str
    kind: str
    rows: list[Row]
    server: str | None = None  # which serves it, where there are several


def clients_of(events: Iterable[Event], threads: bool = False) -> list[Client]:
    """Return the connections that events tell of, in the order in which they were opened.

    threads: whether a row tells on which thread a method ran.
    """
    connections: dict[tuple[int, int | None], list[Event]] = {}
    ended = set()
    stops: dict[int, tuple[float, dict[str, Any]]] = {}  # process → when it stops, and has stopped
    for event in events:
        if event["kind"] == "exit" or event.get("why") == "killed":
            ended.add(event["process"])
        if event["kind"] == "stopping" or event["process"] in stops:
            stop, stopped = stops.setdefault(event["process"], (event["at"], dict(event)))
            stopped["at"] = event["at"]
            event = {**event, "stopped": stopped}
            if event["kind"] in ("close", "end") and event["by"] != "client":
                event["at"] = stop  # all at once: which comes first is chance
        if "conn" in event:
            connections.setdefault((event["process"], event["conn"]), []).append(event)
    background = [key for key in connections if key[1] is None]
    stories = [connections.pop(key) for key in background]
    counts: Counter[str] = Counter()
    clients = []
    for its_events in [*in_turn(connections.values(), itemgetter(0)), *stories]:
        first = its_events[0]
        protocol = str(first.get("protocol"))
        kind = BACKGROUND if first["conn"] is None else KINDS.get(protocol, protocol)
        unfinished = CUT_OFF if first["process"] in ended else RUNNING
        story = Story(its_events, threads, unfinished)
        if first["kind"] == "restarted":
            clients.append(Client(SERVER, SERVER, story.rows))
            continue
        counts[kind] += 1
        name = f"{kind} {counts[kind]}"
        if given := first.get("name"):
            counts[f"name {given}"] += 1
            count = counts[f"name {given}"]
            name = given if count == 1 else f"{given} {count}"
        elif kind == BACKGROUND:
            name = kind
        clients.append(Client(name, kind, story.rows, first.get("server")))
    return clients


def in_turn(things: Iterable[T], event_of: Callable[[T], Event]) -> list[T]:
    """Return things in the order in which their events arrived.

    Those that this kernel's own clients caused change places among themselves until they have the
    order in which these sent them.
    """
    arrived = sorted(things, key=lambda thing: event_of(thing).get("at", 0.0))
    ours = [thing for thing in arrived if "order" in event_of(thing)]
    sent = iter(sorted(ours, key=lambda thing: event_of(thing)["order"]))
    return [next(sent) if "order" in event_of(thing) else thing for thing in arrived]


class Story:
    """Builds the rows of one connection.

    A frame may arrive while an earlier one is still being handled, and when exactly is chance. So
    each is shown where its handling starts; consumers handle one after the other.

    unfinished: what is said of a call that has not returned.
    """

    def __init__(self, events: Sequence[Event], threads: bool, unfinished: str) -> None:
        self.rows: list[Row] = []
        self._arrived: list[Row] = []  # rows of what no consumer has taken up yet
        self._running: dict[int, Row] = {}  # call → its row
        self._ends: list[Row] = []  # rows in which the server ends the connection
        self._threads = threads
        self._accepted = False
        self._calls = 0
        self._has_consumer = any(event["kind"] == "call" for event in events)
        for event in events:
            self.take(event)
            if not self._has_consumer:
                self._show_arrived()
        self._show_arrived()
        for row in self._running.values():
            row.notes.append(unfinished)

    def take(self, event: Event) -> None:
        """Add to the rows what an event tells."""
        getattr(self, f"_on_{event['kind']}")(event)

    def _show_arrived(self) -> None:
        self.rows += self._arrived
        self._arrived.clear()

    def _on_restarted(self, event: Event) -> None:
        before = "" if event["shown"] else "; before that: timeline(restarts=True)"
        self.rows.append(Row("", f"started again{before}", by_server=True, begins=event))

    def _on_open(self, event: Event) -> None:
        if event["path"] is not None:
            self._arrived.append(Row("in", f"{event['method']} {event['path']}", begins=event))

    def _on_in(self, event: Event) -> None:
        if reason := event.get("refused"):
            self._show_arrived()
            text = "a frame that is too large"
            self.rows.append(Row("in", text, by_server=True, notes=[reason], begins=event))
        else:
            self._arrived.append(Row("in", _frame(event), begins=event))

    def _on_close(self, event: Event) -> None:
        code = event["code"]
        if event["by"] == "client":
            self._arrived.append(Row("in", _CODES.get(code, f"close {code}"), begins=event))
        elif event["by"] is None:
            text = "closed" if code is None else f"closed with {code}"
            self._arrived.append(Row("", text, notes=[event["reason"]], begins=event))
        elif code is not None:
            begins = event if "stopped" in event else None
            self._end_with(Row("out", f"close {code}", by_server=code == 1011, begins=begins))
        else:
            self._show_arrived()
            text = "connection dropped (1006)" if self._accepted else NO_ANSWER
            notes = [event["reason"]] if event["reason"] and self._accepted else []
            self._end_with(Row("out", text, by_server=True, notes=notes, begins=event))

    def _end_with(self, row: Row) -> None:
        self.rows.append(row)
        self._ends.append(row)

    def _on_answer(self, event: Event) -> None:
        status = event["status"]
        if self._arrived and not self.rows:  # refused before any consumer was asked
            self._show_arrived()
        self._accepted = status == 101
        text = f"{status} {_PHRASES.get(status, '')}".rstrip()
        row = Row("out", text, by_server=status not in (101, 403) and not self._calls)
        if any(running.consumer == "WebsocketDenier" for running in self._running.values()):
            row.notes.append(f"its Origin: {event.get('origin') or 'none'}")
        elif (code := event.get("code")) is not None:
            row.notes.append(f"closed with {code}, which no refused client hears")
        self.rows.append(row)
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
        if row := self._taken_up(event["type"]):
            pass
        elif last in self._ends and event["type"] == "websocket.disconnect" and not last.call:
            row = self.rows.pop()  # the server's own end of the connection
        elif event["type"].endswith(".receive") and isinstance(event.get("text"), str):
            row = Row("in", shortened(event["text"]), begins=event)
        else:
            row = Row("", f"{event['type']} event", begins=event)
        row.call, row.consumer, row.of_call = call, event["consumer"], event
        self._running[event["call"]] = row
        self._calls += event["type"].startswith("http.")
        self.rows.append(row)

    def _taken_up(self, kind: str) -> Row | None:
        """Return what has arrived and is taken up by a call for messages of this type, if any.

        What came before it the application has taken up by itself.
        """
        wanted = _TAKES.get(kind, "open" if kind.startswith("http.") else None)
        for at, row in enumerate(self._arrived):
            if row.begins and row.begins["kind"] == wanted:
                self.rows += self._arrived[:at]
                del self._arrived[: at + 1]
                return row
        return None

    def _on_return(self, event: Event) -> None:
        self._running.pop(event["call"], None)

    def _on_out(self, event: Event) -> None:
        self.rows.append(Row("out", _frame(event), begins=self._if_late(event)))

    def _on_error(self, event: Event) -> None:
        if not self.rows:
            self._show_arrived()
        text = f"raised {event['type']}: {shortened(event['message'])}".removesuffix(": ")
        if event["conn"] is None or not self.rows:
            self.rows.append(Row("", text, begins=event))
        else:
            self.rows[-1].notes.append(text)
        if event["file"]:
            self.rows[-1].notes.append(f"in {event['file']}, line {event['line']}")

    def _on_layer(self, event: Event) -> None:
        words = {
            "send": "sends to channel",
            "group_send": "sends to group",
            "group_add": "joins group",
        }
        # a channel's own name, as in "specific.….inmemory!kQzB", is another at every run
        target = re.sub(r"\..*!.*|\.[0-9a-f]{32}$", ".…", str(event["target"]))
        text = f"{words.get(event['op'], 'leaves group')} {target}"
        does = text.split()[0]
        if event["type"] and event["op"] in ("send", "group_send"):
            text, does = f"{text}: {event['type']}", event["type"]
        row = Row("", text, begins=self._if_late(event), does=does)
        row.sends = event if event.get("message") else None
        row.group = target if event["op"].startswith("group_") else None
        self.rows.append(row)

    def _if_late(self, event: Event) -> Event | None:
        """Return from what follows what a task sends: from itself, or from the server's stop.

        None: it is sent by a call that runs.
        """
        call = event.get("call")
        late = not self._running if call is None else call not in self._running
        return event.get("stopped", event) if self._has_consumer and late else None

    def _on_end(self, event: Event) -> None:
        if event["stream"]:
            self.rows.append(Row(*_ENDS[event["by"] or ""], begins=event))


def _frame(event: Event) -> str:
    if "size" in event:
        return f"{event['size']:,} byte{'s' * (event['size'] != 1)} (binary)"
    return shortened(event["text"])


def shortened(text: str) -> str:
    """Return a text in one line, or its beginning."""
    text = _LINE_END.sub("⏎", text)
    text = _CONTROL.sub("�", text)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
