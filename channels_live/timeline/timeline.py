"""`Timeline`: what happened on a server, as text and as a diagram."""

from collections.abc import Iterable, Sequence
from typing import Any

from channels_live.timeline.diagram import count_lanes, mermaid
from channels_live.timeline.order import Bracket, Step, brackets, in_order
from channels_live.timeline.story import Client, Event, Row, clients_of

TEXT_WIDTH = 44  # characters of a frame, before the method it was handed to
MOST_LANES = 9  # a wider diagram is hard to read
LARGEST_DIAGRAM = 100_000  # characters; JupyterLab draws no larger one
FIRST_ROWS, LAST_ROWS = 100, 300  # of a longer timeline only these are shown
UNANSWERED = (
    "The server does not answer: it has been stopped, or it is busy in code that lets nothing "
    "else run. What it did last may be missing here."
)
_BELOW = {"┌ ": "│ ", "├ ": "│ ", "└ ": "  "}  # mark of a row → that of the notes below it
# which clients: by number, -1 is the newest, or by name
Which = int | str | Sequence[int | str] | None
GAPS = {
    "killed": "The server was killed: what it did last may be missing here.",
    "full": "So much has happened that the rest is missing here.",
    "failed": "Something is missing here, because watching failed: {}.",
}
_ARROWS = {"in": "──▶", "out": "◀──", "": "   "}


class Timeline:
    """What happened on a server, in the order in which it happened.

    events: what the tap recorded. server: what served, in one word. client, consumer, threads: as
    in `Server.timeline`. answered: whether the server could be asked if it has more to tell.

    The order is the same at every run: see `channels_live.timeline.order`. `str()` gives the text,
    in which a bracket holds what happened at the same time; a notebook draws the diagram where it
    can.
    """

    def __init__(
        self,
        events: Iterable[Event],
        server: str = "server",
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
        answered: bool = True,
    ) -> None:
        self.server = server
        events = list(events)
        self.clients = clients_of(events, threads)
        steps = in_order(self.clients)
        gaps = [event for event in events if event["kind"] == "gap"]
        self._gaps = list(dict.fromkeys(GAPS[gap["why"]].format(gap["detail"]) for gap in gaps))
        self._answered = answered
        self._nothing = "Nothing has happened yet."
        if self.clients and (client is not None or consumer is not None):
            names = ", ".join(client.name for client in self.clients)
            self._nothing = f"There is nothing of that. The server has seen: {names}."
        if client is not None:
            self.clients = _chosen(self.clients, client)
        if consumer is not None:
            for client_told in self.clients:
                client_told.rows = _rows_of(consumer, client_told.rows)
            self.clients = [client_told for client_told in self.clients if client_told.rows]
        told = {id(row) for client_told in self.clients for row in client_told.rows}
        self.steps = [step for step in steps if id(step.row) in told]

    def __str__(self) -> str:
        lines: list[str] = []
        steps = self._shown()
        marks = [_mark(bracket) for bracket in brackets(steps)]
        margin = "  " if any(mark.strip() for mark in marks) else ""
        names = _names([step.client for step in steps])
        width = max(map(len, names), default=0)
        for step, mark, name in zip(steps, marks, names, strict=True):
            row = step.row
            head = f"{name:{width}}  {_ARROWS[row.direction]}  "
            lines.append(
                f"{mark if margin else ''}{head}{row.text:{TEXT_WIDTH}} {row.call}".rstrip()
            )
            below = margin and _BELOW.get(mark, mark)
            lines.extend(f"{below}{' ' * len(head)}{note}" for note in row.notes)
        gaps = self._gaps if self._answered else [*self._gaps, UNANSWERED]
        if not lines and self._gaps:  # what has happened is not known
            return "\n".join(gaps)
        lines = lines or [self._nothing]
        return "\n".join([*lines, "", *gaps] if gaps else lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/plain": str(self)}
        if 1 < count_lanes(self._shown(), self.server) <= MOST_LANES:
            diagram = self.mermaid()
            if len(diagram) <= LARGEST_DIAGRAM:
                bundle["text/vnd.mermaid"] = diagram
        return bundle

    def mermaid(self) -> str:
        """Return the same as the source of a mermaid sequence diagram."""
        return mermaid(self._shown(), self.server, str(self))

    def _shown(self) -> list[Step]:
        """Return the rows that are shown; where some are not, a row says so."""
        left_out = range(FIRST_ROWS, len(self.steps) - LAST_ROWS)
        if not left_out:
            return self.steps
        text = f"… {len(left_out):,} rows are left out; timeline(client=…) shows fewer"
        first, last = self.steps[: left_out.start], self.steps[left_out.stop :]
        return [*first, Step(self.steps[left_out.start].client, Row("", text)), *last]


def _names(clients: Sequence[Client]) -> list[str]:
    """Return a name for each; where there are several servers, its server stands before it."""
    width = max((len(client.server or "") for client in clients), default=0)
    return [
        f"{client.server:{width}}  {client.name}" if client.server else client.name
        for client in clients
    ]


def _mark(bracket: Bracket) -> str:
    if not bracket.inside:
        return "  "
    return "┌ " if bracket.first else "└ " if bracket.last else "├ " if bracket.branches else "│ "


def _chosen(clients: list[Client], wanted: int | str | Sequence[int | str]) -> list[Client]:
    """Return the clients with these numbers or names."""
    sockets = [client for client in clients if client.kind == "client"]
    chosen = []
    for which in [wanted] if isinstance(wanted, int | str) else wanted:
        if isinstance(which, str):
            chosen += [client for client in clients if client.name == which]
        elif which and -len(sockets) <= which <= len(sockets):
            chosen.append(sockets[which - 1 if which > 0 else which])
    return [client for client in clients if client in chosen]


def _rows_of(consumer: str, rows: Iterable[Row]) -> list[Row]:
    """Return the rows of one consumer: those that it handled and what it sent meanwhile."""
    kept, inside = [], False
    for row in rows:
        if row.consumer or row.direction == "in":
            inside = row.consumer == consumer
        if inside:
            kept.append(row)
    return kept
