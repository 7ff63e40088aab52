"""A timeline as the source of a mermaid sequence diagram."""

import re
from collections.abc import Iterator, Sequence

from channels_live.timeline.order import Step, brackets
from channels_live.timeline.story import BACKGROUND, Row

LIFELINE = 40  # rows; where names are not repeated, mermaid draws lifelines no longer than these
_NO_MIRROR = '%%{init: {"sequence": {"mirrorActors": false, "messageAlign": "left"}}}%%'
_CODES = {ord(sign): f"#{ord(sign)};" for sign in "#;<>{}$"} | {ord("\n"): " "}


def mermaid(steps: Sequence[Step], server: str, description: str) -> str:
    """Return the source of a diagram.

    steps: the rows to be drawn, in their order. server: the name of its lane. description: the same
    as a text, for those who cannot see it.
    """
    lanes: dict[int, str] = {}  # id of a client → its lane
    doing: dict[int, str] = {}  # ... → the lane of its consumer
    consumers: dict[str, str] = {}
    arrows: list[str] = []
    for step, bracket in zip(steps, brackets(steps), strict=True):
        client, row = id(step.client), step.row
        if step.client.name != BACKGROUND:
            lanes.setdefault(client, f"c{len(lanes) + 1}")
        if row.consumer:
            doing[client] = consumers.setdefault(row.consumer, f"k_{row.consumer}")
        if bracket.first:
            arrows.append("par at the same time")
        elif bracket.branches:
            arrows.append("and")
        arrows.extend(_arrows(row, lanes.get(client, "s"), doing.get(client, "s")))
        if bracket.last:
            arrows.append("end")
    names = {id(step.client): step.client.name for step in steps}
    words = "".join(f"\n    {_escape(line)}" for line in description.splitlines() if line)
    short = len(arrows) <= LIFELINE  # a long one repeats the names at its end
    return "\n".join(
        [
            *[_NO_MIRROR][:short],
            "sequenceDiagram",
            "  accTitle: What happened, frame by frame",
            f"  accDescr {{{words}\n  }}",
            *(f"  participant {lane} as {names[client]}" for client, lane in lanes.items()),
            f"  participant s as {server}",
            *(f"  participant {lane} as {consumer}" for consumer, lane in consumers.items()),
            *(f"  {arrow}" for arrow in arrows),
        ]
    )


def _arrows(row: Row, client: str, consumer: str) -> Iterator[str]:
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


def _escape(text: str) -> str:
    # a first word that mermaid would take for itself
    return re.sub("^( *(?:no)?wrap):", r"\1#58;", text.translate(_CODES))
