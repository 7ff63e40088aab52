"""A timeline tells everything that has happened, the same way at every run."""

import asyncio
import re
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from clients import DAPHNE, HELLO, client, talk
from jupyter_client.manager import start_new_kernel
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from channels_live.tap import SETTLE_LIMIT
from channels_live.timeline import LONGEST_TEXT, Overlaps, Timeline

CONVERSATION = """\
client 1  ──▶  GET /ws/chat/                                ChatConsumer.connect()
client 1  ◀──  101 accepted
client 1  ──▶  {"message": "hello"}                         ChatConsumer.receive()
client 1  ◀──  {"message": "hello"}
client 1  ──▶  close 1000                                   ChatConsumer.disconnect(1000)"""


def latest(server, **options):
    """Return the timeline of the last client, as if it were the only one."""
    number = len([one for one in server.timeline().clients if one.name.startswith("client")])
    text = str(server.timeline(client=number, **options))
    return re.sub(rf"^client {number}  ", "client 1  ", text, flags=re.M).replace(
        f"\n{' ' * len(str(number))}", "\n "
    )


def after(server, path, *frames, **options):
    """Talk to a server, and return the timeline of that."""
    talk(server, path, *frames, **options)
    return latest(server)


# What it tells


def test_conversation(start, project):
    server = start(DAPHNE, project)
    assert str(server.timeline()) == "Nothing has happened yet."
    assert list(server.timeline()._repr_mimebundle_()) == ["text/plain"]
    talk(server, "/ws/chat/", HELLO)
    assert str(server.timeline()) == repr(server.timeline()) == CONVERSATION


TOLD = {
    "refused": (
        ("/ws/refusing/",),
        """\
client 1  ──▶  GET /ws/refusing/                            Refusing.connect()
client 1  ◀──  403 refused                                  Refusing.disconnect(1006)""",
    ),
    "exception in connect": (
        ("/ws/broken/",),
        """\
client 1  ──▶  GET /ws/broken/                              Broken.connect()
               raised RuntimeError: out of order
               in myapp/consumers.py, line 36
client 1  ◀──  500 server error""",
    ),
    "no route": (
        ("/ws/none/",),
        """\
client 1  ──▶  GET /ws/none/
               raised ValueError: No route found for path 'ws/none/'.
client 1  ◀──  500 server error""",
    ),
    "exception in receive": (
        ("/ws/chat/", "not json"),
        """\
client 1  ──▶  GET /ws/chat/                                ChatConsumer.connect()
client 1  ◀──  101 accepted
client 1  ──▶  not json                                     ChatConsumer.receive()
               raised JSONDecodeError: Expecting value: line 1 column 1 (char 0)
               in myapp/consumers.py, line 19
client 1  ◀──  close 1011""",
    ),
    "server closes": (
        ("/ws/closing/", "x"),
        """\
client 1  ──▶  GET /ws/closing/                             Closing.connect()
client 1  ◀──  101 accepted
client 1  ──▶  x                                            Closing.receive()
client 1  ◀──  close 4000                                   Closing.disconnect(4000)""",
    ),
    "binary": (
        ("/ws/echo/", b"\0" * 1234),
        """\
client 1  ──▶  GET /ws/echo/                                Echo.connect()
client 1  ◀──  101 accepted
client 1  ──▶  1,234 bytes (binary)                         Echo.receive()
client 1  ◀──  1,234 bytes (binary)
client 1  ──▶  close 1000                                   Echo.disconnect(1000)""",
    ),
    "too long": (
        ("/ws/echo/", "x" * 2_000_000),
        """\
client 1  ──▶  GET /ws/echo/                                Echo.connect()
client 1  ◀──  101 accepted
client 1  ──▶  a frame that is too large
               received WebSocket message size 2000000 exceeds payload limit of 1048576 octets
client 1  ◀──  connection dropped (1006)                    Echo.disconnect(1006)""",
    ),
    "channel layer": (
        ("/ws/room/", "hi"),
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
}


@pytest.mark.parametrize(("conversation", "told"), TOLD.values(), ids=TOLD)
def test_what_became_of_a_connection(daphne, conversation, told):
    assert after(daphne, *conversation) == told


def test_page(daphne):
    daphne.http("/accounts/login/?next=/")
    assert str(daphne.timeline()).endswith("──▶  GET /accounts/login/?next=/\nrequest 1  ◀──  200")


def test_frame_stays_on_its_line_and_shows_no_control_characters(daphne):
    talk(daphne, "/ws/echo/", "a\nb\r\nc\rd\u2028e\tf\x1b[31mg\0h")
    assert "◀──  a⏎b⏎c⏎d⏎e\tf�[31mg�h\n" in latest(daphne)


def test_long_frame_is_cut(daphne):
    talk(daphne, "/ws/echo/", "é" * 150)
    assert f"◀──  {'é' * LONGEST_TEXT}…\n" in latest(daphne)


def test_diagram_with_too_many_lanes_is_left_out():
    events = [{**event, "conn": conn} for conn in range(7) for event in frames("x")]
    assert "text/vnd.mermaid" in Timeline(events, client=[1, 2, 3])._repr_mimebundle_()
    assert list(Timeline(events)._repr_mimebundle_()) == ["text/plain"]


def test_call_that_never_ends_is_still_running(start, project, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "from channels_live import tap\n\ntap.SETTLE_LIMIT = 0.5\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = start(DAPHNE, project)
    with client(server, "/ws/endless/") as websocket:
        websocket.send("x")
        assert latest(server).endswith(
            "client 1  ──▶  x                                            Endless.receive()\n"
            "               still running"
        )


# Filters


def test_only_some_clients(start, project):
    server = start(DAPHNE, project)
    for path in ("/ws/chat/", "/ws/echo/", "/ws/closing/"):
        talk(server, path)
    server.http("/nowhere")
    everybody = ["client 1", "client 2", "client 3", "request 1"]
    assert [one.name for one in server.timeline().clients] == everybody
    assert "/ws/echo/" in str(server.timeline(client=2))
    assert [one.name for one in server.timeline(client=2).clients] == ["client 2"]
    assert [one.name for one in server.timeline(client=[1, 3]).clients] == ["client 1", "client 3"]
    nothing = (
        "There is nothing of that. The server has seen: client 1, client 2, client 3, request 1."
    )
    assert str(server.timeline(client=9)) == nothing
    assert [one.name for one in server.timeline(consumer="Echo").clients] == ["client 2"]
    assert "101 accepted" in str(server.timeline(consumer="Echo"))
    assert str(server.timeline(consumer="Ech")) == nothing
    assert str(server.timeline(client=1, consumer="Echo")) == nothing


def test_threads(daphne):
    talk(daphne, "/ws/chat/")
    assert "ChatConsumer.connect()  on thread 1\n" in latest(daphne, threads=True)
    talk(daphne, "/ws/echo/")
    assert "Echo.connect()  on the event loop\n" in latest(daphne, threads=True)


# Waiting for events, not for time


@pytest.fixture(params=["idle", "busy"])
def load(request):
    """Leave the machine alone, or keep two of its cores busy."""
    command = [sys.executable, "-c", "for _ in range(10**10): pass"]
    busy = [subprocess.Popen(command) for _ in range(2 if request.param == "busy" else 0)]
    yield
    for process in busy:
        process.kill()
        process.wait()


def test_timeline_at_once_is_the_same_at_every_run(daphne, load):
    for _ in range(30):
        assert after(daphne, "/ws/chat/", HELLO) == CONVERSATION


def test_timeline_waits_for_nothing_once_all_is_done(daphne):
    for path, *said in [*(conversation for conversation, _ in TOLD.values()), ("/ws/none/",)]:
        with suppress(InvalidStatus), client(daphne, path) as websocket:
            for text in said:
                websocket.send(text)  # and away
    begin = time.monotonic()
    daphne.timeline()
    assert time.monotonic() - begin < SETTLE_LIMIT / 2


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/echo/"])
def test_frames_in_quick_succession_are_told_the_same_at_every_run(daphne, load, path):
    told = set()
    for _ in range(10):
        with client(daphne, path) as websocket:
            for _ in range(3):
                websocket.send(HELLO)
            for _ in range(3):
                websocket.recv(timeout=10)
        told.add(latest(daphne))
    (only,) = told
    frame = r"──▶  {.+} +\w+\.receive\(\)\n.+◀──  {.+}\n.+"
    assert re.search(frame * 3, only), only


def test_many_clients_at_once(start, project):
    server = start(DAPHNE, project)

    async def one():
        async with connect(server.ws("/ws/chat/"), proxy=None) as websocket:
            await websocket.send(HELLO)
            assert await websocket.recv() == HELLO

    async def all_at_once():
        await asyncio.gather(*(one() for _ in range(20)))

    asyncio.run(all_at_once())
    told = str(server.timeline()).split("\n\n")
    for number, text in enumerate(told, 1):
        assert re.sub(r"^client \d+ +", "client 1  ", text, flags=re.M) == CONVERSATION
        assert text.startswith(f"client {number} ")
    assert len(told) == 20


# The diagram

STATEMENT = re.compile(
    r"%%\{init: \{.+\}\}%%|sequenceDiagram"
    r"|  accTitle: .+|  accDescr \{|    .+|  \}"
    r"|  participant \w+ as [\w .]+"
    r"|  \w+--?>>\w+: .*|  Note over \w+: .+"
)


def frames(*texts):
    """Return the events of one client that sends these texts."""
    opened = {"kind": "open", "protocol": "websocket", "method": "GET", "path": "/"}
    events = [opened, {"kind": "answer", "status": 101}]
    events += [{"kind": "in", "text": text} for text in texts]
    return [{"conn": 1, "process": 1, **event} for event in events]


def test_diagram_shows_every_line(daphne):
    talk(daphne, "/ws/room/", "hi")
    timeline = daphne.timeline(consumer="Room")
    source = timeline.mermaid()
    for line in source.splitlines():
        assert STATEMENT.fullmatch(line), line
    assert "  c1->>s: GET /ws/room/\n  s->>k_Room: connect()\n" in source
    assert "  Note over k_Room: joins group room\n  k_Room-->>c1: 101 accepted\n" in source
    assert timeline._repr_mimebundle_() == {"text/plain": str(timeline), "text/vnd.mermaid": source}


def test_diagram_survives_every_sign_in_a_frame():
    source = Timeline(frames('#;<>{}"%%\n%%{init}%%', "a\r\nend", "wrap: x", "é 👋")).mermaid()
    for line in source.splitlines():
        assert STATEMENT.fullmatch(line), line
        text = re.sub(r"#\d+;", "", line).removeprefix("%%{init:")
        if ": " in text and not line.startswith(("%%", "  acc", "    ")):
            assert not set(text.partition(": ")[2]) & set("#;<>{}\n")
    assert source.count("⏎") == 4, "two frames, each in the diagram and in its description"


def test_long_diagram_repeats_the_names_at_its_end():
    assert "mirrorActors" in Timeline(frames(*"short")).mermaid()
    assert "mirrorActors" not in Timeline(frames(*["long"] * 40)).mermaid()


def test_diagram_that_jupyterlab_would_not_draw_is_left_out():
    assert "text/vnd.mermaid" in Timeline(frames(*["x" * 120] * 300))._repr_mimebundle_()
    assert list(Timeline(frames(*["x" * 120] * 500))._repr_mimebundle_()) == ["text/plain"]


def test_diagram_and_text_hold_nothing_volatile(daphne):
    talk(daphne, "/ws/room/", "hi")
    talk(daphne, "/ws/none/")
    for text in daphne.timeline()._repr_mimebundle_().values():
        assert str(daphne.port) not in text
        assert str(daphne.pid) not in text
        assert "inmemory" not in text
        assert str(daphne._folder) not in text


# Overlaps


def test_overlaps_tells_which_calls_ran_at_once():
    events = [
        {"process": 1, "call": call, "kind": kind, "at": at, "consumer": consumer, **more}
        for at, (call, kind, consumer) in enumerate(
            [
                (1, "call", "A"),
                (2, "call", "A"),
                (1, "return", "A"),
                (3, "call", "B"),
                (2, "return", "A"),
                (3, "return", "B"),
                (4, "call", "A"),
                (4, "return", "A"),
            ]
        )
        for more in [{"handler": "receive", "thread": "the event loop"}]
    ]
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


# Live


@pytest.fixture
def kernel():
    """Return a client of a running kernel."""
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


WATCH = """
import asyncio
from channels_live.server import Server
from websockets import connect

server = Server({command!r}, {folder!r})
server.watch()
"""

LATER = """
async with connect(server.ws("/ws/chat/"), proxy=None) as websocket:
    await websocket.send('{"message": "hello"}')
    await websocket.recv()
    await asyncio.wait_for(asyncio.to_thread(input), 10)  # until the test has seen the frame
"""

END = """
import threading
(follower,) = [thread for thread in threading.enumerate() if thread.name == "watch"]
server.stop()
follower.join(10)
not follower.is_alive()
"""


def test_watch_shows_events_while_a_later_cell_awaits(kernel, project):
    def read(until):
        """Read what the kernel says up to a message that is wanted, and return that."""
        while True:
            message = kernel.get_iopub_msg(timeout=15)
            kind, content = message["msg_type"], message["content"]
            assert kind != "error", content
            if until(kind, content):
                return content

    def shows(text):
        return lambda kind, content: (
            kind == "update_display_data" and text in content["data"]["text/plain"]
        )

    def idle(kind, content):
        return kind == "status" and content["execution_state"] == "idle"

    kernel.execute(WATCH.format(command=DAPHNE, folder=str(project)))
    shown = read(lambda kind, content: kind == "display_data")
    assert shown["data"]["text/plain"] == "Nothing has happened yet."
    read(idle)

    kernel.execute(LATER, allow_stdin=True)
    assert kernel.get_stdin_msg(timeout=15)["msg_type"] == "input_request"
    update = read(shows('◀──  {"message": "hello"}'))
    assert update["transient"] == shown["transient"], "the same display"
    assert "text/vnd.mermaid" in update["data"]
    kernel.input("go on")

    update = read(shows("disconnect(1000)"))
    kernel.execute("print(server.timeline())")
    told = read(lambda kind, content: kind == "stream")["text"]
    assert f"{update['data']['text/plain']}\n" == told == f"{CONVERSATION}\n"

    kernel.execute(END)
    assert read(lambda kind, content: kind == "execute_result")["data"]["text/plain"] == "True"
