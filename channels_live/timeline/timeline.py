"""`Timeline`: what happened on a server, as text and as a diagram."""

from collections.abc import Iterable, Sequence
from typing import Any

from channels_live.timeline.diagram import mermaid
from channels_live.timeline.story import Client, Event, Row, clients_of, rows_of

TEXT_WIDTH = 44  # characters of a frame, before the method it was handed to
MOST_LANES = 6  # clients and consumers; a wider diagram is too small to read
LARGEST_DIAGRAM = 100_000  # characters; JupyterLab draws no larger one
FIRST_ROWS, LAST_ROWS = 100, 300  # of a longer timeline only these are shown
UNANSWERED = (
    "The server does not answer: it has been stopped, or it is busy in code that lets nothing "
    "else run. What it did last may be missing here."
)
GAPS = {
    "killed": "The server was killed: what it did last may be missing here.",
    "full": "So much has happened that the rest is missing here.",
    "failed": "Something is missing here, because watching failed: {}.",
}
_ARROWS = {"in": "──▶", "out": "◀──", "": "   "}


class Timeline:
    """What happened on a server, connection by connection.

    events: what the tap recorded. server: what served, in one word. client, consumer, threads: as
    in `Server.timeline`. answered: whether the server could be asked if it has more to tell.

    Connections are told one after the other, because only the order within a connection is the
    same at every run. `str()` gives the text; a notebook draws the diagram where it can.
    """

    def __init__(
        self,
        events: Iterable[Event],
        server: str = "server",
        client: int | Sequence[int] | None = None,
        consumer: str | None = None,
        threads: bool = False,
        answered: bool = True,
    ) -> None:
        self.server = server
        events = list(events)
        self.clients = clients_of(events, threads)
        gaps = [event for event in events if event["kind"] == "gap"]
        self._gaps = list(dict.fromkeys(GAPS[gap["why"]].format(gap["detail"]) for gap in gaps))
        self._answered = answered
        self._nothing = "Nothing has happened yet."
        if self.clients and (client is not None or consumer is not None):
            names = ", ".join(client.name for client in self.clients)
            self._nothing = f"There is nothing of that. The server has seen: {names}."
        if client is not None:
            self.clients = _chosen(self.clients, [client] if isinstance(client, int) else client)
        if consumer is not None:
            for client_told in self.clients:
                client_told.rows = rows_of(consumer, client_told.rows)
            self.clients = [client_told for client_told in self.clients if client_told.rows]

    def __str__(self) -> str:
        lines: list[str] = []
        width = max((len(client.name) for client in self.clients), default=0)
        for client in self._shown():
            if lines:
                lines.append("")
            for row in client.rows:
                head = f"{client.name:{width}}  {_ARROWS[row.direction]}  "
                lines.append(f"{head}{row.text:{TEXT_WIDTH}} {row.call}".rstrip())
                lines.extend(f"{' ' * len(head)}{note}" for note in row.notes)
        lines = lines or [self._nothing]
        gaps = self._gaps if self._answered else [*self._gaps, UNANSWERED]
        return "\n".join([*lines, "", *gaps] if gaps else lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/plain": str(self)}
        consumers = {row.consumer for client in self.clients for row in client.rows} - {""}
        if 1 <= len(self.clients) + len(consumers) <= MOST_LANES:
            diagram = self.mermaid()
            if len(diagram) <= LARGEST_DIAGRAM:
                bundle["text/vnd.mermaid"] = diagram
        return bundle

    def mermaid(self) -> str:
        """Return the same as the source of a mermaid sequence diagram."""
        return mermaid(self._shown(), self.server, str(self))

    def _shown(self) -> list[Client]:
        """Return the clients with the rows that are shown; where some are not, a row says so."""
        total = sum(len(client.rows) for client in self.clients)
        left_out = range(FIRST_ROWS, max(FIRST_ROWS, total - LAST_ROWS))
        if not left_out:
            return self.clients
        shown, at = [], 0
        for client in self.clients:
            rows = []
            for row in client.rows:
                if at == left_out.start:
                    text = f"… {len(left_out):,} rows are left out; timeline(client=…) shows fewer"
                    rows.append(Row("", text))
                if at not in left_out:
                    rows.append(row)
                at += 1
            if rows:
                shown.append(Client(client.name, rows))
        return shown


def _chosen(clients: list[Client], numbers: Sequence[int]) -> list[Client]:
    sockets = [client for client in clients if client.name.startswith("client ")]
    names = {f"client {number}" for number in numbers}
    names |= {sockets[number].name for number in numbers if -len(sockets) <= number < 0}
    return [client for client in sockets if client.name in names]
