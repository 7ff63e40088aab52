"""Events → text, and a diagram."""

import re
from dataclasses import dataclass, field

TEXT_WIDTH = 44  # characters of a frame, before the method it was handed to
LONGEST_TEXT = 120  # characters of a frame that are shown
LIFELINE = 40  # rows; where names are not repeated, mermaid draws lifelines no longer than these
MOST_LANES = 6  # clients and consumers; a wider diagram is too small to read
LARGEST_DIAGRAM = 100_000  # characters; JupyterLab draws no larger one
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # not for a screen
_ARROWS = {"in": "──▶", "out": "◀──", "": "   "}
_KINDS = {"websocket": "client", "http": "request", "channel": "worker"}
_PHRASES = {101: "accepted", 403: "refused", 404: "not found", 500: "server error"}


@dataclass
class Row:
    """One line: what passed between a client and the server, and what it led to."""

    direction: str  # "in", "out" or "" (it happened inside the server)
    text: str
    call: str = ""
    consumer: str = ""
    by_server: bool = False  # daphne says it by itself, not at the word of a consumer
    notes: list = field(default_factory=list)


@dataclass
class Client:
    """One connection, with its rows in the order in which the server dealt with them."""

    name: str
    rows: list


class Timeline:
    """What happened on a server, connection by connection.

    Connections are told one after the other, because only the order within a connection is the
    same at every run. `str()` gives the text; a notebook draws the diagram where it can.
    """

    def __init__(self, events, server="server", client=None, consumer=None, threads=False):
        self.server = server
        self.clients = _clients(events, threads)
        self._nothing = "Nothing has happened yet."
        if self.clients and (client is not None or consumer is not None):
            names = ", ".join(one.name for one in self.clients)
            self._nothing = f"There is nothing of that. The server has seen: {names}."
        if client is not None:
            numbers = [client] if isinstance(client, int) else client
            sockets = [one for one in self.clients if one.name.startswith("client ")]
            names = {f"client {number}" for number in numbers}
            names |= {sockets[number].name for number in numbers if -len(sockets) <= number < 0}
            self.clients = [one for one in sockets if one.name in names]
        if consumer is not None:
            for one in self.clients:
                one.rows = _rows_of(consumer, one.rows)
            self.clients = [one for one in self.clients if one.rows]

    def __str__(self):
        lines = []
        width = max((len(client.name) for client in self.clients), default=0)
        for client in self.clients:
            if lines:
                lines.append("")
            for row in client.rows:
                head = f"{client.name:{width}}  {_ARROWS[row.direction]}  "
                lines.append(f"{head}{row.text:{TEXT_WIDTH}} {row.call}".rstrip())
                lines.extend(f"{' ' * len(head)}{note}" for note in row.notes)
        return "\n".join(lines) or self._nothing

    def __repr__(self):
        return str(self)

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": str(self)}
        consumers = {row.consumer for client in self.clients for row in client.rows} - {""}
        if 1 <= len(self.clients) + len(consumers) <= MOST_LANES:
            diagram = self.mermaid()
            if len(diagram) <= LARGEST_DIAGRAM:
                bundle["text/vnd.mermaid"] = diagram
        return bundle

    def mermaid(self):
        """Return the same as the source of a mermaid sequence diagram."""
        clients, consumers, lines = [], {}, []
        for number, client in enumerate(self.clients, 1):
            clients.append(f"participant c{number} as {client.name}")
            consumer = "s"
            for row in client.rows:
                if row.consumer:
                    consumer = f"k_{row.consumer}"
                    consumers[consumer] = f"participant {consumer} as {row.consumer}"
                lines.extend(_arrows(row, f"c{number}", consumer))
        description = "".join(f"\n    {_escape(line)}" for line in str(self).splitlines() if line)
        short = len(lines) <= LIFELINE  # a long one repeats the names at its end
        return "\n".join(
            [
                *['%%{init: {"sequence": {"mirrorActors": false, "messageAlign": "left"}}}%%'][
                    :short
                ],
                "sequenceDiagram",
                "  accTitle: What happened, frame by frame",
                f"  accDescr {{{description}\n  }}",
                *(f"  {lane}" for lane in clients),
                f"  participant s as {self.server}",
                *(f"  {lane}" for lane in consumers.values()),
                *(f"  {line}" for line in lines),
            ]
        )


def _arrows(row, client, consumer):
    text, call = _escape(row.text), _escape(row.call.removeprefix(f"{row.consumer}."))
    if row.direction == "in":
        yield f"{client}->>s: {text}"
    elif row.direction == "out":
        yield f"{'s' if row.by_server else consumer}-->>{client}: {text}"
    elif text:
        yield f"Note over {consumer}: {text}"
    if call:
        yield f"s->>{consumer}: {call}"
    for note in row.notes:
        yield f"Note over {'s' if row.by_server else consumer}: {_escape(note)}"


_CODES = {ord(sign): f"#{ord(sign)};" for sign in "#;<>{}$"} | {ord("\n"): " "}


def _escape(text):
    # a first word that mermaid would take for itself
    return re.sub("^( *(?:no)?wrap):", r"\1#58;", text.translate(_CODES))


def _clients(events, threads):
    connections = {}
    for event in events:
        if event.get("conn") is not None:
            connections.setdefault((event["process"], event["conn"]), []).append(event)
    counts = {}
    clients = []
    for told in connections.values():
        protocol = told[0].get("protocol")
        kind = _KINDS.get(protocol, protocol)
        counts[kind] = counts.get(kind, 0) + 1
        clients.append(Client(f"{kind} {counts[kind]}", _Story(told, threads).rows))
    return clients


def _rows_of(consumer, rows):
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

    def __init__(self, events, threads):
        self.rows = []
        self._arrived = []  # rows of what no consumer has taken up yet
        self._running = {}  # call → its row
        self._ends = []  # rows in which the server ends the connection
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

    def _show_arrived(self):
        self.rows += self._arrived
        self._arrived.clear()

    def _on_open(self, event):
        if event["path"] is not None:
            self._arrived.append(Row("in", f"{event['method']} {event['path']}"))

    def _on_in(self, event):
        if reason := event.get("refused"):
            self._show_arrived()
            row = Row("in", "a frame that is too large", by_server=True, notes=[reason])
            self.rows.append(row)
        else:
            self._arrived.append(Row("in", _frame(event)))

    def _on_close(self, event):
        code = event["code"]
        if event["by"] == "client":
            text = "gone without a close frame (1006)" if code is None else f"close {code}"
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

    def _on_answer(self, event):
        status = event["status"]
        if self._arrived and not self.rows:  # refused before any consumer was asked
            self._show_arrived()
        self._accepted = status == 101
        text = f"{status} {_PHRASES.get(status, '')}".rstrip()
        self.rows.append(Row("out", text, by_server=status not in (101, 403) and not self._calls))
        if not self._accepted:
            self._ends.append(self.rows[-1])

    def _on_call(self, event):
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

    def _on_return(self, event):
        self._running.pop(event["call"], None)

    def _on_out(self, event):
        self.rows.append(Row("out", _frame(event)))

    def _on_error(self, event):
        if not self.rows:
            self._show_arrived()
        if not self.rows:
            self.rows.append(Row("", ""))
        notes = self.rows[-1].notes
        notes.append(f"raised {event['type']}: {_short(event['message'])}")
        if event["file"]:
            notes.append(f"in {event['file']}, line {event['line']}")

    def _on_layer(self, event):
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

    def _on_end(self, event):
        pass


def _frame(event):
    if "size" in event:
        return f"{event['size']:,} byte{'s' * (event['size'] != 1)} (binary)"
    return _short(event["text"])


def _short(text):
    text = _LINE_END.sub("⏎", text)
    text = _CONTROL.sub("�", text)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


class Overlaps:
    """Which calls of a method ran at the same time.

    Time is shown as an order, not in seconds: so it is the same at every run.
    """

    def __init__(self, events, handler, consumer=None):
        self.handler = handler
        self.calls = []  # (start, end, thread), in order of their start
        running = {}
        for event in events:
            key = (event["process"], event.get("call"))
            if event["kind"] == "call" and event["handler"] == handler:
                if consumer in (None, event["consumer"]):
                    running[key] = event
            elif event["kind"] == "return" and key in running:
                call = running.pop(key)
                self.calls.append((call["at"], event["at"], call["thread"]))
        self.calls.sort()

    def __str__(self):
        if not self.calls:
            return f"No call of {self.handler}() has ended yet."
        moments = sorted({at for start, end, _ in self.calls for at in (start, end)})
        lines = []
        most = 0
        for number, (start, end, thread) in enumerate(self.calls, 1):
            bar = "".join("■■" if start <= at < end else "··" for at in moments[:-1])
            others = sum(one < end and start < other for one, other, _ in self.calls) - 1
            word = f"overlaps {others} other{'s' * (others > 1)}" if others else "alone"
            lines.append(f"call {number}  {bar}  on {thread}, {word}")
            most = max(most, sum(one <= start < other for one, other, _ in self.calls))
        at_once = "never two at a time" if most == 1 else f"up to {most} at a time"
        number = f"{len(lines)} call{'s' * (len(lines) != 1)}"
        return "\n".join([*lines, f"{number} of {self.handler}(), {at_once}"])

    def __repr__(self):
        return str(self)
