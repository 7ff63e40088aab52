"""A timeline as the source of a mermaid sequence diagram."""

import re
import textwrap
from collections.abc import Iterator, Sequence

from channels_live.timeline.order import Step, brackets
from channels_live.timeline.story import BACKGROUND, SERVER, Client, Row

MIRRORED = 11  # arrows; from so many on, the names of the lanes stand below too
LONGEST_LINE = 30  # characters; a longer text is broken, or four lanes would not fit on a page
# black on white in either theme, and never smaller than it is: the notebook scrolls
_LOOK = (
    '"theme": "neutral", "themeCSS": "svg {background: white}", "fontSize": 14',
    '"sequence": {"mirrorActors": %s, "messageAlign": "left", "useMaxWidth": false, '
    '"width": 110, "actorMargin": 36, "diagramMarginX": 10}',
)
_CODES = {ord(sign): f"#{ord(sign)};" for sign in "#;<>{}$"} | {ord("\n"): " "}
_BRACES = {ord(sign): sign for sign in "{}"}  # mermaid reserves the room of a code for each code


def mermaid(steps: Sequence[Step], server: str, description: str) -> str:
    """Return the source of a diagram.

    steps: the rows to be drawn, in their order. server: the name of the server, for those whose
    client does not tell it. description: the same as a text, for those who cannot see it.
    """
    lanes = _Lanes(server)
    arrows: list[str] = []
    for step, bracket in zip(steps, brackets(steps), strict=True):
        if bracket.first:
            arrows.append("par at the same time")
        elif bracket.branches:
            arrows.append("and")
        arrows.extend(lanes.arrows(step.client, step.row))
        if bracket.last:
            arrows.append("end")
    words = "".join(f"\n    {_escape(line)}" for line in description.splitlines() if line)
    mirrored = "true" if len(arrows) >= MIRRORED else "false"
    return "\n".join(
        [
            f"%%{{init: {{{', '.join(_LOOK) % mirrored}}}}}%%",
            "sequenceDiagram",
            "  accTitle: What happened, frame by frame",
            f"  accDescr {{{words}\n  }}",
            *(f"  participant {lane} as {name}" for name, lane in lanes.named()),
            *(f"  {arrow}" for arrow in arrows),
        ]
    )


def count_lanes(steps: Sequence[Step], server: str) -> int:
    """Return how many lanes a diagram of these rows has."""
    lanes = _Lanes(server)
    for step in steps:
        list(lanes.arrows(step.client, step.row))
    return len(list(lanes.named()))


class _Lanes:
    """The lanes of a diagram, from left to right: clients, servers, consumers, groups."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._names: dict[str, dict[str, str]] = {kind: {} for kind in "cskg"}  # name → lane
        self._doing: dict[int, str] = {}  # id of a client → the lane of its consumer

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the lane of each."""
        for names in self._names.values():
            yield from names.items()

    def arrows(self, client: Client, row: Row) -> Iterator[str]:
        """Yield what draws a row."""
        server = self._lane("s", client.server or self._server)
        if client.kind not in (BACKGROUND, SERVER):
            # all pages are asked for by one who reads them
            source = self._lane("c", "requests" if client.kind == "request" else client.name)
        if row.consumer:
            self._doing[id(client)] = self._lane("k", row.consumer)
        consumer = self._doing.get(id(client), server)
        group = row.group and self._lane("g", f"group {row.group}")
        text, call = _lines(row.text), _lines(row.call.removeprefix(f"{row.consumer}."))
        if row.direction == "in":
            yield f"{source}->>{server}: {text}"
        elif row.direction == "out":
            yield f"{server if row.by_server else consumer}-->>{source}: {text}"
        elif group and call:  # the event is drawn as the arrow to its method
            pass
        elif group:
            yield f"{consumer}->>{group}: {_lines(row.does)}"
        elif text:
            yield f"Note over {consumer}: {text}"
        if call:
            yield f"{group or server}->>{consumer}: {call}"
        for note in row.notes:
            yield f"Note over {server if row.by_server else consumer}: {_lines(note)}"

    def _lane(self, kind: str, name: str) -> str:
        lanes = self._names[kind]
        return lanes.setdefault(name, f"{kind}{len(lanes) + 1}")


def _lines(text: str) -> str:
    """Return a text in lines that are not too long."""
    lines = textwrap.wrap(text, LONGEST_LINE, break_on_hyphens=False, drop_whitespace=False)
    codes = _CODES if "%%" in text else _CODES | _BRACES
    return "<br/>".join(_escape(line.rstrip(), codes) for line in lines)


def _escape(text: str, codes: dict[int, str] = _CODES) -> str:
    # a first word that mermaid would take for itself
    return re.sub("^( *(?:no)?wrap):", r"\1#58;", text.translate(codes))
