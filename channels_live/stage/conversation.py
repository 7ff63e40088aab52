"""The conversation with a server as rows that a panel shows, told again whenever there is more.

Of a long conversation only what is new is told again: at a moment in which nothing is in hand, the
rows so far are final. Each connection keeps its beginning, which its later rows need.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from channels_live.stage.places import place_of
from channels_live.timeline import Timeline, Which
from channels_live.timeline.order import Bracket, Step, brackets
from channels_live.timeline.story import RUNNING, Event

MOST_ROWS = 2000  # that a panel shows, and that are kept here
LONGEST = 400  # events that are told again and again
_BEGINNING = 4  # events of a connection: opened, answered, connect() called and returned
_PLACE = re.compile(r"in (\S+\.py), line (\d+)$")

Row = dict[str, Any]  # as lab/extension/code/conversation.js reads it


class Conversation:
    """The rows of one run of a server.

    events: returns what has happened so far, with what is known of the clients. folder: of the
    project. server, client, consumer, threads: as for a Timeline.
    """

    def __init__(
        self,
        events: Callable[[], Iterable[Event]],
        folder: Path,
        server: str,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
    ) -> None:
        self._events, self._folder = events, folder
        self._chosen = (server, client, consumer, threads)
        self._places: dict[tuple[str, ...], tuple[str, int] | None] = {}
        self._final: list[Row] = []
        self._left_out = 0  # rows that are no longer kept
        self._after = 0  # events that the final rows tell of

    def rows(self) -> tuple[int, list[Row]]:
        """Return how many rows are left out at the beginning, and the others."""
        self._places.clear()  # files may have changed
        events = list(self._events())
        if len(events) - self._after > LONGEST and (quiet := _quiet_until(events[self._after :])):
            self._left_out, self._final = self._rows_of(events[: self._after + quiet])
            self._after += quiet
        return self._rows_of(events)

    def _rows_of(self, events: list[Event]) -> tuple[int, list[Row]]:
        beginnings, recent = self._window(events)
        known = Counter(step.client.name for step in Timeline(beginnings, *self._chosen).steps)
        steps = []
        for step in Timeline([*beginnings, *recent], *self._chosen).steps:
            if known[step.client.name] > 0:
                known[step.client.name] -= 1  # it is among the final rows
            else:
                steps.append(step)
        fresh = [
            self._row(step, bracket) for step, bracket in zip(steps, brackets(steps), strict=True)
        ]
        rows = [*self._final, *fresh]
        return self._left_out + max(0, len(rows) - MOST_ROWS), rows[-MOST_ROWS:]

    def _window(self, events: list[Event]) -> tuple[list[Event], list[Event]]:
        """Return how each connection began that the final rows tell of, and what came later."""
        counts: dict[Any, int] = {}
        beginnings = []
        for event in events[: self._after]:
            key = event["process"], event.get("conn")
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= _BEGINNING and key[1] is not None:
                beginnings.append(event)
        return beginnings, events[self._after :]

    def _place_of(self, *method: str) -> tuple[str, int] | None:
        if method not in self._places:
            self._places[method] = place_of(self._folder, *method)
        return self._places[method]

    def _row(self, step: Step, bracket: Bracket) -> Row:
        row = step.row
        call = row.of_call
        place = None
        for note in row.notes:
            if match := _PLACE.search(note):
                place = match[1], int(match[2])
        if place is None and call:
            place = self._place_of(call["owner"], call["handler"])
        return {
            "client": step.client.name,
            "server": step.client.server,
            "direction": row.direction,
            "text": row.text,
            "call": row.call,
            "notes": [note for note in row.notes if note != RUNNING],
            "running": RUNNING in row.notes,
            "failed": any(note.startswith("raised ") for note in row.notes),
            "place": place,
            "together": _together(bracket),
        }


def _together(bracket: Bracket) -> str:
    """Return which part of what happened at the same time a row is, or nothing."""
    if not bracket.inside:
        return ""
    return "first" if bracket.first else "last" if bracket.last else "inside"


def _quiet_until(events: Iterable[Event]) -> int:
    """Return after how many events, the last time, all that came had been dealt with.

    What no consumer has taken up for long is not waited for: it may have none, or have failed.
    """
    running = set()  # calls
    arrived: dict[Any, list[int]] = {}  # connection → after how many events each thing came
    quiet = 0
    for number, event in enumerate(events, 1):
        kind, connection = event["kind"], (event["process"], event.get("conn"))
        if kind in ("open", "in", "close"):
            arrived.setdefault(connection, []).append(number)
        elif kind == "end":
            arrived.pop(connection, None)
        elif kind == "return":
            running.discard((event["process"], event["call"]))
        elif kind == "call":
            running.add((event["process"], event["call"]))
            if event["type"].startswith(("websocket.", "http.")) and arrived.get(connection):
                arrived[connection].pop(0)
        waiting = (numbers[-1] for numbers in arrived.values() if numbers)
        if not running and number - max(waiting, default=-LONGEST) >= LONGEST:
            quiet = number
    return quiet
