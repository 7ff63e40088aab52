"""What happened is told in the order in which it happened, and the same at every run."""

import itertools
import random
import re

import pytest
from test_timeline import (
    ENDED,
    accepted,
    answered,
    call,
    came,
    closed,
    layer,
    leaves,
    opened,
    raised,
    record,
    went,
)

from channels_live.timeline import Timeline


class Server:
    """Makes the record of a server that is busy with several connections."""

    def __init__(self):
        self.events = []
        self.marks = itertools.count(1)
        self.sent = itertools.count()

    def add(self, conn, *events, **fields):
        for event in events:
            common = {"conn": conn, "process": 1, "at": float(len(self.events))}
            self.events.append(common | event | fields)

    def comes(self, conn, path, **fields):
        self.add(conn, opened(path), order=next(self.sent), **fields)
        self.add(conn, *call("Room", "connect", layer("group_add", "room"), answered(101)))

    def says(self, conn, text, *members, **fields):
        """Let a client say something, and every member of the group hear it."""
        self.add(conn, came(text=text), order=next(self.sent), **fields)
        mark = f"m{next(self.marks)}"
        says = layer("group_send", "room", "room.said") | {"message": mark}
        self.add(conn, *call("Room", "receive", says))
        for member in members:
            event = call("Room", "room_said", went(text=text), type="room.said", message=mark)
            self.add(member, *event)


def lines(events, **options):
    """Return the rows of a timeline: bracket, client and what happened."""
    text = str(Timeline(events, **options))
    return [re.sub(r"  +", " ", line.removesuffix("()")) for line in text.splitlines()]


ANNA, BEN, CLEO, DORA = 1, 2, 3, 4


def conversation():
    server = Server()
    server.comes(ANNA, "/", name="anna")
    server.comes(BEN, "/", name="ben")
    server.says(ANNA, "hi", BEN, ANNA)  # the layer may serve Ben first
    server.says(BEN, "ho", ANNA, BEN)
    return server.events


CONVERSATION = """\
  anna  ──▶  GET /                                        Room.connect()
  anna       joins group room
  anna  ◀──  101 accepted
  ben   ──▶  GET /                                        Room.connect()
  ben        joins group room
  ben   ◀──  101 accepted
  anna  ──▶  hi                                           Room.receive()
  anna       sends to group room: room.said
┌ anna       room.said event                              Room.room_said()
│ anna  ◀──  hi
├ ben        room.said event                              Room.room_said()
└ ben   ◀──  hi
  ben   ──▶  ho                                           Room.receive()
  ben        sends to group room: room.said
┌ ben        room.said event                              Room.room_said()
│ ben   ◀──  ho
├ anna       room.said event                              Room.room_said()
└ anna  ◀──  ho"""


def test_conversation_is_told_as_it_went():
    assert str(Timeline(conversation())) == CONVERSATION


def test_diagram_shows_what_happened_at_the_same_time():
    source = Timeline(conversation()).mermaid()
    assert (
        """\
  k1->>g1: room.said
  par at the same time
  g1->>k1: room_said()
  k1-->>c1: hi
  and
  g1->>k1: room_said()
  k1-->>c2: hi
  end
  c2->>s1: ho
"""
        in source
    )


@pytest.mark.parametrize("seed", range(50))
def test_what_nothing_orders_is_told_in_the_same_order_at_every_run(seed):
    # whatever connection the server serves first, each in its own order
    events = conversation()
    rng = random.Random(seed)
    queues = [[event for event in events if event["conn"] == conn] for conn in (ANNA, BEN)]
    at, shuffled, sent = itertools.count(), [], set()
    while any(queues):
        queue = rng.choice([queue for queue in queues if queue])
        if (mark := queue[0].get("message")) and queue[0]["kind"] == "call" and mark not in sent:
            continue  # nothing is received before it is sent
        event = queue.pop(0)
        sent |= {event["message"]} if event["kind"] == "layer" and "message" in event else set()
        shuffled.append(event | {"at": float(next(at))})
    assert str(Timeline(shuffled)) == CONVERSATION


def test_a_connection_is_never_told_out_of_turn():
    server = Server()
    server.comes(ANNA, "/")
    server.comes(BEN, "/")
    server.says(ANNA, "hi")
    server.says(BEN, "ho", BEN)
    # only then Ben's consumer gets to what Anna said
    event = call("Room", "room_said", went(text="hi"), type="room.said", message="m1")
    server.add(BEN, *event)
    told = lines(server.events)
    bens = [line for line in told if line.startswith("client 2")]
    assert bens[-4:] == [
        "client 2 room.said event Room.room_said",
        "client 2 ◀── ho",
        "client 2 room.said event Room.room_said",
        "client 2 ◀── hi",
    ]


def test_answer_comes_after_what_it_answers():
    # Ben asks who is there; Anna's consumer answers to Ben's alone, which has a lower number
    server = Server()
    server.comes(BEN, "/")
    server.comes(ANNA, "/")
    server.add(BEN, came(text="who?"), order=next(server.sent))
    asks = layer("group_send", "room", "room.asked") | {"message": "ask"}
    server.add(BEN, *call("Room", "receive", asks))
    answers = layer("send", "specific.x!y", "room.here") | {"message": "answer"}
    server.add(ANNA, *call("Room", "room_asked", answers, type="room.asked", message="ask"))
    server.add(BEN, *call("Room", "room_here", type="room.here", message="answer"))
    assert [line.split()[-1] for line in lines(server.events)[-4:]] == [
        "room.asked", "Room.room_asked", "room.here", "Room.room_here",
    ]  # fmt: skip


def test_messages_that_are_alike_are_told_apart_by_their_order():
    # the pub/sub layer gives the same mark to messages with the same content
    server = Server()
    server.comes(ANNA, "/")
    server.comes(BEN, "/")
    for conn in (ANNA, BEN):
        server.marks = itertools.count(1)
        server.says(conn, "hi", ANNA, BEN)
    texts = [line.replace("client ", "").strip("┌│├└ ") for line in lines(server.events)]
    assert texts[6:] == [
        "1 ──▶ hi Room.receive", "1 sends to group room: room.said",
        "1 room.said event Room.room_said", "1 ◀── hi",
        "2 room.said event Room.room_said", "2 ◀── hi",
        "2 ──▶ hi Room.receive", "2 sends to group room: room.said",
        "2 room.said event Room.room_said", "2 ◀── hi",
        "1 room.said event Room.room_said", "1 ◀── hi",
    ]  # fmt: skip


def test_clients_that_do_not_wait_for_each_other_stand_in_a_bracket():
    server = Server()
    for conn in (ANNA, BEN):
        server.comes(conn, "/", burst=0, branch=conn)
    for text in ("a", "b"):
        for conn in (ANNA, BEN):
            server.says(conn, text, conn, burst=0, branch=conn)
    for event in server.events:  # as a kernel puts it: by burst, branch and number
        if "order" in event:
            event["order"] = (0, event["branch"], event["order"])
    told = lines(server.events)
    assert [line[0] for line in told] == ["┌", *"│" * 10, "├", *"│" * 9, "└"]
    assert [line[9] for line in told] == [*"1" * 11, *"2" * 11]


def test_order_of_what_this_kernel_sent_counts_more_than_that_of_arrival():
    events = record(*[[opened(path), answered(404)] for path in "abc"])
    for event, order in zip(events[::2], (2, 0, 1), strict=True):
        event["order"] = order
    events[2] |= {"at": 9.0}
    assert [line.split()[-1] for line in lines(events)[::2]] == ["b", "c", "a"]


def test_task_that_sends_after_its_call_is_told_below_what_started_it():
    server = Server()
    server.comes(ANNA, "/")
    server.add(ANNA, came(text="later"), order=next(server.sent))
    begins, ends = call("Room", "receive")
    server.add(ANNA, begins, ends)
    server.comes(BEN, "/")
    server.add(ANNA, went(text="now") | {"call": begins["call"]})
    texts = lines(server.events)
    assert texts.index("client 1 ◀── now") == texts.index("client 1 ──▶ later Room.receive") + 1


def test_what_happens_as_the_server_ends_is_told_last_and_in_one_order():
    server, calls = Server(), {}
    for conn in (ANNA, BEN):
        server.add(conn, opened("/"), order=next(server.sent))
        begins, *rest = call("Room", "connect", answered(101))
        server.add(conn, begins, *rest)
        calls[conn] = begins["call"]
    for conn in (CLEO, DORA):
        server.add(conn, opened("/stream/", protocol="http"), answered(200))
    server.events.append({"kind": "stopping", "process": 1, "at": float(len(server.events))})
    for conn in (BEN, ANNA):  # chance
        server.add(conn, closed("server", None))
        server.add(conn, layer("group_discard", "room") | {"call": calls[conn]})
    for conn in (DORA, CLEO):
        server.add(conn, ENDED | {"by": None, "stream": True})
    assert lines(server.events)[-6:] == [
        "client 1 ◀── connection dropped (1006)",
        "client 2 ◀── connection dropped (1006)",
        "request 1 ◀── stream broken off",
        "request 2 ◀── stream broken off",
        "client 1 leaves group room",
        "client 2 leaves group room",
    ]


def test_what_happens_outside_of_connections_is_told_too():
    server = Server()
    server.comes(ANNA, "/")
    tells = layer("group_send", "room", "room.said") | {"message": "task", "call": None}
    server.add(None, tells)
    event = call("Room", "room_said", went(text="from a task"), type="room.said", message="task")
    server.add(ANNA, *event)
    server.add(None, raised("RuntimeError", "in a task", 3) | {"call": None})
    assert lines(server.events)[3:] == [
        "background sends to group room: room.said",
        "client 1 room.said event Room.room_said",
        "client 1 ◀── from a task",
        "background raised RuntimeError: in a task",
        " in myapp/consumers.py, line 3",
    ]
    assert "background" not in Timeline(server.events).mermaid().partition("  }")[2]


def test_several_servers_have_a_lane_each():
    server = Server()
    server.comes(ANNA, "/")
    server.comes(BEN, "/")
    server.says(ANNA, "hi", ANNA, BEN)
    for event in server.events:
        event["server"] = f"daphne {event['conn']}"
        event["process"] = f"{event['conn']}.1"
    timeline = Timeline(server.events)
    assert str(timeline).splitlines()[-1].startswith("└ daphne 2  client 2  ◀──  hi")
    lanes = re.findall("participant .. as (.+)", timeline.mermaid())
    assert lanes == ["client 1", "client 2", "daphne 1", "daphne 2", "Room", "group room"]


def test_names_of_servers_stand_in_a_column():
    events = conversation()
    for event in events:
        event["server"] = {1: "daphne", 2: "runworker"}[event["conn"]]
    rows = str(Timeline(events)).splitlines()
    assert {row[2:13] for row in rows if row[2:13].strip()} == {"daphne     ", "runworker  "}


def test_filters_keep_the_order_and_close_the_brackets():
    text = str(Timeline(conversation(), client="ben"))
    assert "anna" not in text
    assert not set(text) & set("┌│├└")
    events = conversation()
    assert str(Timeline(events, client=[1, "ben"])) == CONVERSATION
    assert str(Timeline(events, client="cleo")) == (
        "There is nothing of that. The server has seen: anna, ben."
    )


def test_who_comes_again_under_the_same_name_gets_a_number():
    events = record(*[[*accepted("/", "Echo"), *leaves("Echo")]] * 2)
    for event in events:
        if event["kind"] == "open":
            event["name"] = "anna"
    assert [client.name for client in Timeline(events).clients] == ["anna", "anna 2"]
