"""The rows of all connections, in the order in which things happened.

A server is busy with several connections at once, and which of them it serves first is often
chance. So rows are not told by the clock. What they are told by is the same at every run:

- *what came from outside* (a request, a frame, a close) is told in the order in which it arrived.
  Where this kernel's own clients sent it, the order in which they did counts: `order` in an event;
- *what follows from it* is told below it: first on its own connection, then on the others, by
  number, and never before what it follows from;
- what a server and its tasks do once it is asked to end is told last: the ends of connections,
  then what tasks that outlive their calls do;
- within a connection nothing is told out of turn.

What nothing orders is marked as simultaneous: the members of a group, and what clients sent without
waiting for each other (`burst` in an event, and in it each `branch`).
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import groupby
from typing import Any, NamedTuple

from channels_live.timeline.story import Client, Event, Row, in_turn


def with_those_before(
    before: Sequence[Event], events: Iterable[Event], shown: bool
) -> list[dict[str, Any]]:
    """Return the events of a server that was started again, and one between that says so.

    before: the events of earlier runs. shown: whether these are told too.
    """
    if not any(event.get("conn") is not None for event in before):
        return [dict(event) for event in events]  # nobody would miss them
    first = 1 + max(event["process"] for event in before)
    restarted = {"kind": "restarted", "process": first, "conn": 0, "shown": shown}
    restarted["at"] = max(event["at"] for event in before)
    # each run counts its processes anew
    later = [{**event, "process": first + 1 + event["process"]} for event in events]
    return [*(map(dict, before) if shown else ()), restarted, *later]


class Step(NamedTuple):
    """A row, with its connection.

    together: with what it is simultaneous, or None. branch: which part of that it is.
    """

    client: Client
    row: Row
    together: Any = None
    branch: Any = None


class Bracket(NamedTuple):
    """How a step stands among what happened at the same time."""

    first: bool = False
    last: bool = False
    branches: bool = False  # another part of it begins here
    inside: bool = False  # there is a bracket at all


@dataclass
class _Chunk:
    """Rows of one connection that follow from the same thing, and stay together.

    rank: the place of what came from outside and led to this. origin: on which connection it came.
    generation: how many messages of the channel layer lie between. together: with what it is
    simultaneous; branch: which part of that it is.
    """

    client: int
    begins: Event
    rows: list[Row]
    cause: "_Chunk | None" = None
    rank: int = 0
    origin: int = 0
    generation: int = 0
    together: Any = None
    branch: Any = None

    def take_its_place(self) -> None:
        """Note from what it follows, once that has its place."""
        if cause := self.cause:
            self.rank, self.origin = cause.rank, cause.origin
            self.generation = cause.generation + 1
            self.together, self.branch = cause.together, cause.branch
            if self.together is None and self.begins["kind"] == "call":
                self.together, self.branch = self.begins["message"], self.client
        else:
            self.origin = self.client
            self.together, self.branch = self.begins.get("burst"), self.begins.get("branch")

    def place(self) -> tuple[int, int, bool, int]:
        """Return what tells its place among those that might come next."""
        return self.rank, self.generation, self.client != self.origin, self.client


def in_order(clients: Sequence[Client]) -> list[Step]:
    """Return the rows of all connections in the order in which things happened."""
    connections = [
        list(_chunks(number, client.rows)) for number, client in enumerate(clients) if client.rows
    ]
    _find_causes([chunk for chunks in connections for chunk in chunks])
    return [
        Step(clients[chunk.client], row, chunk.together, chunk.branch)
        for chunk in _sorted(connections)
        for row in chunk.rows
    ]


def brackets(steps: Iterable[Step]) -> Iterator[Bracket]:
    """Yield for each step how it stands among what happened at the same time."""
    for together, group in groupby(steps, lambda step: step.together):
        branches = [step.branch for step in group]
        if together is None or len(set(branches)) == 1:
            yield from [Bracket()] * len(branches)
            continue
        for at, branch in enumerate(branches):
            yield Bracket(
                first=at == 0,
                last=at == len(branches) - 1,
                branches=at > 0 and branch != branches[at - 1],
                inside=True,
            )


def _chunks(number: int, rows: Iterable[Row]) -> Iterator[_Chunk]:
    chunk: _Chunk | None = None
    for row in rows:
        if chunk is None or row.begins:
            if chunk:
                yield chunk
            chunk = _Chunk(number, row.begins or {}, [])
        chunk.rows.append(row)
    if chunk:
        yield chunk


def _find_causes(chunks: Sequence[_Chunk]) -> None:
    """Note from which other each chunk follows, and the ranks of those that follow from none."""
    calls: dict[tuple[int, int], _Chunk] = {}  # process and number of a call → where it runs
    senders: dict[str, list[tuple[Row, _Chunk]]] = {}  # mark of a message → who sent it
    for chunk in chunks:
        for row in chunk.rows:
            if row.of_call:
                calls[row.of_call["process"], row.of_call["call"]] = chunk
            if row.sends:
                senders.setdefault(row.sends["message"], []).append((row, chunk))
    for mark in senders:
        senders[mark].sort(key=lambda sender: (sender[0].sends or {})["at"])
    taken: Counter[tuple[int, str]] = Counter()
    outside = []
    for chunk in chunks:
        begins = chunk.begins
        mark = str(begins.get("message"))
        if begins.get("kind") == "call" and mark in senders:
            # messages that are alike may have the same mark; each member gets them in their order
            number = min(taken[chunk.client, mark], len(senders[mark]) - 1)
            taken[chunk.client, mark] += 1
            sent, chunk.cause = senders[mark][number]
            chunk.rows[0].group = sent.group
        elif begins.get("kind") in ("out", "layer", "error") and begins.get("call") is not None:
            chunk.cause = calls.get((begins["process"], begins["call"]))
        if chunk.cause is None or chunk.cause is chunk:
            chunk.cause = None
            outside.append(chunk)
    for rank, chunk in enumerate(in_turn(outside, lambda chunk: chunk.begins)):
        chunk.rank = rank


def _sorted(connections: Iterable[Sequence[_Chunk]]) -> Iterator[_Chunk]:
    """Yield the chunks: each after the one before it on its connection, and after its cause."""
    chunks: dict[int, _Chunk] = {}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for connection in connections:
        before = None
        for chunk in connection:
            chunks[id(chunk)] = chunk
            follows = [id(other) for other in (before, chunk.cause) if other is not None]
            sorter.add(id(chunk), *follows)
            before = chunk
    sorter.prepare()
    ready: list[tuple[tuple[int, int, bool, int], int]] = []
    while sorter.is_active():
        for number in sorter.get_ready():
            chunks[number].take_its_place()
            heapq.heappush(ready, (chunks[number].place(), number))
        _, number = heapq.heappop(ready)
        yield chunks[number]
        sorter.done(number)
