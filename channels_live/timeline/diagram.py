"""A timeline as the source of a mermaid sequence diagram."""

import re
from collections.abc import Iterator, Sequence

from channels_live.timeline.story import SERVER, Client, Row

LIFELINE = 40  # rows; where names are not repeated, mermaid draws lifelines no longer than these
_NO_MIRROR = '%%{init: {"sequence": {"mirrorActors": false, "messageAlign": "left"}}}%%'
_CODES = {ord(sign): f"#{ord(sign)};" for sign in "#;<>{}$"} | {ord("\n"): " "}


def mermaid(clients: Sequence[Client], server: str, description: str) -> str:
    """Return the source of a diagram.

    clients: with the rows to be drawn. server: the name of its lane. description: the same as a
    text, for those who cannot see it.
    """
    lanes: list[str] = []
    consumers: dict[str, str] = {}
    arrows: list[str] = []
    for number, client in enumerate(clients, 1):
        if client.name != SERVER:
            lanes.append(f"participant c{number} as {client.name}")
        consumer = "s"
        for row in client.rows:
            if row.consumer:
                consumer = f"k_{row.consumer}"
                consumers[consumer] = f"participant {consumer} as {row.consumer}"
            arrows.extend(_arrows(row, f"c{number}", consumer))
    words = "".join(f"\n    {_escape(line)}" for line in description.splitlines() if line)
    short = len(arrows) <= LIFELINE  # a long one repeats the names at its end
    return "\n".join(
        [
            *[_NO_MIRROR][:short],
            "sequenceDiagram",
            "  accTitle: What happened, frame by frame",
            f"  accDescr {{{words}\n  }}",
            *(f"  {lane}" for lane in lanes),
            f"  participant s as {server}",
            *(f"  {lane}" for lane in consumers.values()),
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
