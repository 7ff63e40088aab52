"""A timeline is the same text and the same diagram for the same events, of whatever server.

That a server gives such events is held by test_tap.py, and that it gives them in the same order at
every run by test_server_timeline.py.
"""

import itertools
import re

import pytest

from channels_live.timeline import Overlaps, Timeline
from channels_live.timeline.overlaps import MOST_CALLS
from channels_live.timeline.story import LONGEST_TEXT
from channels_live.timeline.timeline import FIRST_ROWS, LAST_ROWS, MOST_LANES, UNANSWERED

HELLO = '{"message": "hello"}'

# Events, as channels_live.tap describes them


def opened(path, protocol="websocket"):
    return {"kind": "open", "protocol": protocol, "method": "GET", "path": path}


ENDED = {"kind": "end", "by": "server", "stream": False}


def answered(status):
    return {"kind": "answer", "status": status}


def came(**content):
    return {"kind": "in", **content}


def went(**content):
    return {"kind": "out", **content}


def closed(by, code, reason=None):
    return {"kind": "close", "by": by, "code": code, "reason": reason}


def raised(type, message, line=None):
    file = line and "myapp/consumers.py"
    return {"kind": "error", "type": type, "message": message, "file": file, "line": line}


def layer(op, target, type=None):
    return {"kind": "layer", "op": op, "target": target, "type": type}


_calls = itertools.count(1)


def call(consumer, handler, *meanwhile, ends=True, **fields):
    """Return the events of a method, with those that happen while it runs."""
    fields = {"type": f"websocket.{handler}", "thread": "thread 1", "arg": None} | fields
    number, known = next(_calls), fields.pop("known", True)
    begin = {"call": number, "consumer": consumer, "handler": handler, "known": known, **fields}
    return [{"kind": "call", **begin}, *meanwhile, *[{"kind": "return", "call": number}] * ends]


def accepted(path, consumer, **fields):
    return [opened(path), *call(consumer, "connect", answered(101), **fields)]


def leaves(consumer, code=1000):
    return [closed("client", code), *call(consumer, "disconnect", arg=code)]


def record(*connections):
    """Return the record of a server that had these connections, each a list of events."""
    return [
        {"conn": number, "process": 1, "at": at, **event}
        for number, events in enumerate(connections, 1)
        for at, event in enumerate(events)
    ]


def frames(*texts):
    """Return the record of one client that sends these texts."""
    return record([opened("/"), answered(101), *(came(text=text) for text in texts)])


CHAT = [
    *accepted("/ws/chat/", "ChatConsumer"),
    came(text=HELLO),
    *call("ChatConsumer", "receive", went(text=HELLO)),
    *leaves("ChatConsumer"),
]
CONVERSATION = """\
client 1  ──▶  GET /ws/chat/                                ChatConsumer.connect()
client 1  ◀──  101 accepted
client 1  ──▶  {"message": "hello"}                         ChatConsumer.receive()
client 1  ◀──  {"message": "hello"}
client 1  ──▶  close 1000                                   ChatConsumer.disconnect(1000)"""
ROOM = [
    opened("/ws/room/"),
    *call("Room", "connect", layer("group_add", "room"), answered(101)),
    came(text="hi"),
    *call(
        "Room",
        "receive",
        layer("send", "specific.a1b2.inmemory!kQzB", "room.alone"),
        layer("group_send", "room", "room.message"),
    ),
    *call("Room", "room_alone", type="room.alone"),
    *call("Room", "room_message", went(text="hi"), type="room.message"),
    closed("client", 1000),
    *call("Room", "disconnect", layer("group_discard", "room"), arg=1000),
]


# What it tells


def test_conversation():
    timeline = Timeline(record(CHAT))
    assert str(timeline) == repr(timeline) == CONVERSATION


def test_nothing_has_happened():
    timeline = Timeline([])
    assert str(timeline) == "Nothing has happened yet."
    assert list(timeline._repr_mimebundle_()) == ["text/plain"]


BECAME = {
    "refused": (
        [
            opened("/ws/refusing/"),
            *call("Refusing", "connect", answered(403)),
            *call("Refusing", "disconnect", arg=1006),
        ],
        """\
client 1  ──▶  GET /ws/refusing/                            Refusing.connect()
client 1  ◀──  403 refused                                  Refusing.disconnect(1006)""",
    ),
    "exception in connect": (
        [
            opened("/ws/broken/"),
            *call("Broken", "connect", raised("RuntimeError", "out of order", 36)),
            answered(500),
        ],
        """\
client 1  ──▶  GET /ws/broken/                              Broken.connect()
               raised RuntimeError: out of order
               in myapp/consumers.py, line 36
client 1  ◀──  500 server error""",
    ),
    "no route": (
        [
            opened("/ws/none/"),
            raised("ValueError", "No route found for path 'ws/none/'."),
            answered(500),
        ],
        """\
client 1  ──▶  GET /ws/none/
               raised ValueError: No route found for path 'ws/none/'.
client 1  ◀──  500 server error""",
    ),
    "no answer": (
        [opened("/ws/deaf/"), *call("Deaf", "connect"), closed("server", None, "timeout")],
        """\
client 1  ──▶  GET /ws/deaf/                                Deaf.connect()
client 1  ◀──  no answer, connection dropped""",
    ),
    "exception in receive": (
        [
            *accepted("/ws/chat/", "ChatConsumer"),
            came(text="not json"),
            *call("ChatConsumer", "receive", raised("JSONDecodeError", "Expecting value", 19)),
            closed("server", 1011),
        ],
        """\
client 1  ──▶  GET /ws/chat/                                ChatConsumer.connect()
client 1  ◀──  101 accepted
client 1  ──▶  not json                                     ChatConsumer.receive()
               raised JSONDecodeError: Expecting value
               in myapp/consumers.py, line 19
client 1  ◀──  close 1011""",
    ),
    "server closes": (
        [
            *accepted("/ws/closing/", "Closing"),
            came(text="x"),
            *call("Closing", "receive", closed("server", 4000)),
            *call("Closing", "disconnect", arg=4000),
        ],
        """\
client 1  ──▶  GET /ws/closing/                             Closing.connect()
client 1  ◀──  101 accepted
client 1  ──▶  x                                            Closing.receive()
client 1  ◀──  close 4000                                   Closing.disconnect(4000)""",
    ),
    "client vanishes": (
        [
            *accepted("/ws/echo/", "Echo"),
            closed("client", None),
            *call("Echo", "disconnect", arg=1006),
        ],
        """\
client 1  ──▶  GET /ws/echo/                                Echo.connect()
client 1  ◀──  101 accepted
client 1  ──▶  gone without a close frame (1006)            Echo.disconnect(1006)""",
    ),
    "binary": (
        [
            *accepted("/ws/echo/", "Echo"),
            came(size=1234),
            *call("Echo", "receive", went(size=1)),
            *leaves("Echo"),
        ],
        """\
client 1  ──▶  GET /ws/echo/                                Echo.connect()
client 1  ◀──  101 accepted
client 1  ──▶  1,234 bytes (binary)                         Echo.receive()
client 1  ◀──  1 byte (binary)
client 1  ──▶  close 1000                                   Echo.disconnect(1000)""",
    ),
    "too long": (
        [
            *accepted("/ws/echo/", "Echo"),
            came(refused="received WebSocket message size 2000000 exceeds payload limit"),
            closed("server", None),
            *call("Echo", "disconnect", arg=1006),
        ],
        """\
client 1  ──▶  GET /ws/echo/                                Echo.connect()
client 1  ◀──  101 accepted
client 1  ──▶  a frame that is too large
               received WebSocket message size 2000000 exceeds payload limit
client 1  ◀──  connection dropped (1006)                    Echo.disconnect(1006)""",
    ),
    "channel layer": (
        ROOM,
        """\
client 1  ──▶  GET /ws/room/                                Room.connect()
client 1       joins group room
client 1  ◀──  101 accepted
client 1  ──▶  hi                                           Room.receive()
client 1       sends to channel specific.…: room.alone
client 1       sends to group room: room.message
client 1       room.alone event                             Room.room_alone()
client 1       room.message event                           Room.room_message()
client 1  ◀──  hi
client 1  ──▶  close 1000                                   Room.disconnect(1000)
client 1       leaves group room""",
    ),
    "no method for an event": (
        [
            *accepted("/ws/room/", "Room"),
            *call(
                "Room", "no_such", raised("ValueError", "No handler"), type="no.such", known=False
            ),
            closed("server", 1011),
        ],
        """\
client 1  ──▶  GET /ws/room/                                Room.connect()
client 1  ◀──  101 accepted
client 1       no.such event                                Room has no no_such()
               raised ValueError: No handler
client 1  ◀──  close 1011""",
    ),
    "frames that come faster than they are dealt with": (
        [
            *accepted("/ws/echo/", "Echo"),
            came(text="a"),
            came(text="b"),
            *call("Echo", "receive", went(text="A")),
            closed("client", 1000),
            *call("Echo", "receive", went(text="B")),
            *call("Echo", "disconnect", arg=1000),
        ],
        """\
client 1  ──▶  GET /ws/echo/                                Echo.connect()
client 1  ◀──  101 accepted
client 1  ──▶  a                                            Echo.receive()
client 1  ◀──  A
client 1  ──▶  b                                            Echo.receive()
client 1  ◀──  B
client 1  ──▶  close 1000                                   Echo.disconnect(1000)""",
    ),
    "frames that an application deals with by itself": (
        [
            *accepted("/ws/own/", "Own"),
            came(text="a"),
            came(text="b"),
            *leaves("Own"),
        ],
        """\
client 1  ──▶  GET /ws/own/                                 Own.connect()
client 1  ◀──  101 accepted
client 1  ──▶  a
client 1  ──▶  b
client 1  ──▶  close 1000                                   Own.disconnect(1000)""",
    ),
    "call that never ends": (
        [
            *accepted("/ws/endless/", "Endless"),
            came(text="x"),
            *call("Endless", "receive", ends=False),
        ],
        """\
client 1  ──▶  GET /ws/endless/                             Endless.connect()
client 1  ◀──  101 accepted
client 1  ──▶  x                                            Endless.receive()
               still running""",
    ),
    "page": (
        [opened("/accounts/login/?next=/", "http"), answered(200), ENDED],
        """\
request 1  ──▶  GET /accounts/login/?next=/
request 1  ◀──  200""",
    ),
    "worker": (
        [
            {"kind": "open", "protocol": "channel", "method": None, "path": None},
            *call("Print", "test_print", type="test.print"),
        ],
        "worker 1       test.print event                             Print.test_print()",
    ),
    "no server": (  # as in a project's own tests, with a WebsocketCommunicator
        [
            {"kind": "open", "protocol": "websocket", "method": None, "path": None},
            *call("Room", "receive", type="websocket.receive", text="asked"),
            *call("Room", "said", type="said", text="to all"),
        ],
        """\
client 1  ──▶  asked                                        Room.receive()
client 1       said event                                   Room.said()""",
    ),
    "a protocol of one's own": (
        [
            {"kind": "open", "protocol": "line", "method": None, "path": None},
            *call("Line", "line_receive", type="line.receive", text="asked"),
            *call("Line", "line_told", type="line.told", text="to all"),
        ],
        """\
line 1  ──▶  asked                                        Line.line_receive()
line 1       line.told event                              Line.line_told()""",
    ),
}


@pytest.mark.parametrize(("events", "text"), BECAME.values(), ids=BECAME)
def test_what_became_of_a_connection(events, text):
    assert str(Timeline(record(events))) == text


def test_frame_stays_on_its_line_and_shows_no_control_characters():
    assert str(Timeline(frames("a\nb\r\nc\rd\u2028e\tf\x1b[31mg\0h"))).endswith(
        "──▶  a⏎b⏎c⏎d⏎e\tf�[31mg�h"
    )


def test_long_frame_is_cut():
    assert str(Timeline(frames("é" * 150))).endswith(f"──▶  {'é' * LONGEST_TEXT}…")


def test_server_that_does_not_answer_is_told():
    assert str(Timeline(record(CHAT), answered=False)) == f"{CONVERSATION}\n\n{UNANSWERED}"
    nothing = f"Nothing has happened yet.\n\n{UNANSWERED}"
    assert str(Timeline([], answered=False)) == nothing


def test_of_a_long_timeline_the_middle_is_left_out():
    most = FIRST_ROWS + LAST_ROWS
    whole = Timeline(frames(*map(str, range(2, most))))
    assert len(str(whole).splitlines()) == most, "the handshake is two rows"
    longer = Timeline(frames(*map(str, range(2, most + 1000))))
    lines = str(longer).splitlines()
    assert len(lines) == most + 1
    assert lines[FIRST_ROWS - 1].endswith(f"──▶  {FIRST_ROWS - 1}")
    assert lines[FIRST_ROWS] == (
        "client 1       … 1,000 rows are left out; timeline(client=…) shows fewer"
    )
    assert lines[FIRST_ROWS + 1].endswith(f"──▶  {FIRST_ROWS + 1000}")
    assert "1,000 rows are left out" in longer.mermaid()
    assert len(longer.clients[0].rows) == most + 1000, "a check still sees them"


# Filters


def test_only_some_clients():
    echo = [*accepted("/ws/echo/", "Echo"), *leaves("Echo")]
    events = record(CHAT, echo, CHAT, [opened("/nowhere", "http"), answered(404), ENDED])

    def names(**options):
        return [client.name for client in Timeline(events, **options).clients]

    assert names() == ["client 1", "client 2", "client 3", "request 1"]
    assert names(client=2) == ["client 2"]
    assert names(client=-1) == ["client 3"]
    assert names(client=[1, 3]) == ["client 1", "client 3"]
    assert names(consumer="Echo") == ["client 2"]
    assert "101 accepted" in str(Timeline(events, consumer="Echo"))
    nothing = (
        "There is nothing of that. The server has seen: client 1, client 2, client 3, request 1."
    )
    for options in ({"client": 9}, {"client": -9}, {"consumer": "Ech"}):
        assert str(Timeline(events, **options)) == nothing
    assert str(Timeline(events, client=1, consumer="Echo")) == nothing


def test_threads():
    events = record([*accepted("/", "Sync"), *call("Async", "receive", thread="the event loop")])
    text = str(Timeline(events, threads=True))
    assert "Sync.connect()  on thread 1\n" in text
    assert text.endswith("Async.receive()  on the event loop")


# The diagram

STATEMENT = re.compile(
    r"%%\{init: \{.+\}\}%%|sequenceDiagram"
    r"|  accTitle: .+|  accDescr \{|    .+|  \}"
    r"|  participant \w+ as [\w .]+"
    r"|  \w+--?>>\w+: .*|  Note over \w+: .+"
    r"|  par at the same time|  and|  end"
)


def test_diagram_shows_every_line():
    timeline = Timeline(record(ROOM), consumer="Room")
    source = timeline.mermaid()
    for line in source.splitlines():
        assert STATEMENT.fullmatch(line), line
    assert "  c1->>s1: GET /ws/room/\n  s1->>k1: connect()\n" in source
    assert "  k1->>g1: joins\n  k1-->>c1: 101 accepted\n" in source
    lanes = re.findall("participant (.+)", source)
    assert lanes == ["c1 as client 1", "s1 as server", "k1 as Room", "g1 as group room"]
    assert timeline._repr_mimebundle_() == {"text/plain": str(timeline), "text/vnd.mermaid": source}


def test_diagram_survives_every_sign_in_a_frame():
    source = Timeline(frames('#;<>{}"%%\n%%{init}%%', "a\r\nend", "wrap: x", "é 👋")).mermaid()
    for line in source.splitlines():
        assert STATEMENT.fullmatch(line), line
        text = re.sub(r"#\d+;", "", line).removeprefix("%%{init:")
        if ": " in text and not line.startswith(("%%", "  acc", "    ")):
            text = text.partition(": ")[2].replace("<br/>", "")
            assert not set(text) & set("#;<>\n") and "%%{" not in text
    assert source.count("⏎") == 4, "two frames, each in the diagram and in its description"


def test_long_texts_are_broken_in_a_diagram():
    words = "raised ValueError: a list of words that is longer than a line"
    source = Timeline(frames(words, "#" * 70)).mermaid()
    assert ": raised ValueError: a list of<br/>words that is longer than a<br/>line\n" in source
    sign = "#35;"
    assert f": {sign * 30}<br/>{sign * 30}<br/>{sign * 10}" in source
    assert f"\n    client 1  ──▶  {words}\n" in source, "the description is one row a line"


def test_diagram_with_too_many_lanes_is_left_out():
    events = record(*[[opened("/"), answered(101), came(text="x")]] * MOST_LANES)
    assert "text/vnd.mermaid" in Timeline(events, client=[1, 2, 3])._repr_mimebundle_()
    assert list(Timeline(events)._repr_mimebundle_()) == ["text/plain"]


def test_all_requests_share_a_lane():
    page = [opened("/", "http"), answered(200), ENDED]
    source = Timeline(record(*[page] * 20)).mermaid()
    assert re.findall("participant .. as (.+)", source) == ["requests", "server"]


def test_long_diagram_repeats_the_names_at_its_end():
    assert '"mirrorActors": false' in Timeline(frames(*"short")).mermaid()
    assert '"mirrorActors": true' in Timeline(frames(*["long"] * 9)).mermaid()


def test_diagram_that_jupyterlab_would_not_draw_is_left_out():
    assert "text/vnd.mermaid" in Timeline(frames(*["x" * 120] * 300))._repr_mimebundle_()
    assert list(Timeline(frames(*["<" * 120] * 500))._repr_mimebundle_()) == ["text/plain"]


@pytest.mark.parametrize(
    "name", ["specific.a1b2.inmemory!kQzB", "specific.0123456789abcdef0123456789abcdef!x"]
)
def test_diagram_and_text_hold_no_name_of_a_channel(name):
    sends = call("Room", "receive", layer("send", name, "room.alone"))
    for text in Timeline(record(sends))._repr_mimebundle_().values():
        assert "sends to channel specific.…: room.alone" in text


# Overlaps


def calls(*moments, consumer="A"):
    """Return events, in this order: the first time that a number is there its call starts."""
    kinds = ["return" if number in moments[:at] else "call" for at, number in enumerate(moments)]
    thread = {"handler": "receive", "thread": "the event loop"}
    return [
        {"process": 1, "call": number, "kind": kind, "at": at, "consumer": consumer, **thread}
        for at, (number, kind) in enumerate(zip(moments, kinds, strict=True))
    ]


def test_overlaps_tells_which_calls_ran_at_once():
    events = calls(1, 2, 1, 3, 2, 3, 4, 4)
    for event in events:
        event["consumer"] = "B" if event["call"] == 3 else "A"
    assert str(Overlaps(events, "receive")).splitlines() == [
        "call 1  ■■■■··········  on the event loop, overlaps 1 other",
        "call 2  ··■■■■■■······  on the event loop, overlaps 2 others",
        "call 3  ······■■■■····  on the event loop, overlaps 1 other",
        "call 4  ············■■  on the event loop, alone",
        "4 calls of receive(), up to 2 at a time",
    ]
    only = str(Overlaps(events, "receive", "B"))
    assert only.endswith("alone\n1 call of receive(), never two at a time")
    assert str(Overlaps(events, "connect")) == "No call of connect() has ended yet."


def test_call_that_has_not_ended_is_no_overlap():
    assert str(Overlaps(calls(1, 2, 2), "receive")).endswith(
        "alone\n1 call of receive(), never two at a time"
    )


def test_of_many_calls_the_first_are_shown_and_all_are_counted():
    count = MOST_CALLS + 1000
    every = [*range(count), *range(count)]
    lines = str(Overlaps(calls(*every), "receive")).splitlines()
    assert len(lines) == MOST_CALLS + 2
    assert lines[0].endswith(f"overlaps {count - 1} others")
    assert lines[-2] == "… and 1,000 more, which are counted but not shown"
    assert lines[-1] == f"{count} calls of receive(), up to {count} at a time"
