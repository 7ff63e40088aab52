"""A live server's timeline waits for events and not for time, and is the same at every run."""

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

CONVERSATION = """\
client 1  ──▶  GET /ws/chat/                                ChatConsumer.connect()
client 1  ◀──  101 accepted
client 1  ──▶  {"message": "hello"}                         ChatConsumer.receive()
client 1  ◀──  {"message": "hello"}
client 1  ──▶  close 1000                                   ChatConsumer.disconnect(1000)"""


def latest(server, **options):
    """Return the timeline of the last client, as if it were the only one."""
    number = sum(client.name.startswith("client") for client in server.timeline().clients)
    text = str(server.timeline(client=number, **options))
    return re.sub(rf"^client {number}  ", "client 1  ", text, flags=re.M).replace(
        f"\n{' ' * len(str(number))}", "\n "
    )


def after(server, path, *frames, **options):
    """Talk to a server, and return the timeline of that."""
    talk(server, path, *frames, **options)
    return latest(server)


CONVERSATIONS = [
    ("/ws/refusing/",),
    ("/ws/broken/",),
    ("/ws/none/",),
    ("/ws/chat/", "not json"),
    ("/ws/closing/", "x"),
    ("/ws/echo/", b"\0" * 1234),
    ("/ws/echo/", "x" * 2_000_000),
    ("/ws/room/", "hi"),
]


def test_conversation(forked, start, project):
    server = start(DAPHNE, project)
    assert str(server.timeline()) == "Nothing has happened yet."
    assert list(server.timeline()._repr_mimebundle_()) == ["text/plain"]
    talk(server, "/ws/chat/", HELLO)
    assert str(server.timeline()) == repr(server.timeline()) == CONVERSATION


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


def test_what_a_task_does_as_the_server_ends_is_told_last(start, project):
    """It stood where the task was begun, above all that came later."""
    server = start("uvicorn --port 8000 myproject.asgi:application", project)
    with client(server, "/ws/guest/"), client(server, "/ws/guest/"):
        server.http("/nowhere")
        server.stop()
    assert str(server.timeline()).splitlines()[4:] == [
        "request 1  ──▶  GET /nowhere",
        "request 1  ◀──  404 not found",
        "client 1   ◀──  close 1012                                   Guest.disconnect(1012)",
        "client 2   ◀──  close 1012                                   Guest.disconnect(1012)",
        "client 1        leaves group guests",
    ]


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
    for path, *said in CONVERSATIONS:
        with suppress(InvalidStatus), client(daphne, path) as websocket:
            for text in said:
                websocket.send(text)  # and away
    begin = time.monotonic()
    daphne.timeline()
    assert time.monotonic() - begin < SETTLE_LIMIT / 2


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/echo/"])
def test_frames_in_quick_succession_are_told_the_same_at_every_run(daphne, load, path):
    timelines = set()
    for _ in range(10):
        with client(daphne, path) as websocket:
            for _ in range(3):
                websocket.send(HELLO)
            for _ in range(3):
                websocket.recv(timeout=10)
        timelines.add(latest(daphne))
    (only,) = timelines
    frame = r"──▶  {.+} +\w+\.receive\(\)\n.+◀──  {.+}\n.+"
    assert re.search(frame * 3, only), only


def test_many_clients_at_once(forked, start, project):
    server = start(DAPHNE, project)

    async def talk_to_it():
        async with connect(server.ws("/ws/chat/"), proxy=None) as websocket:
            await websocket.send(HELLO)
            assert await websocket.recv() == HELLO

    async def all_at_once():
        await asyncio.gather(*(talk_to_it() for _ in range(20)))

    asyncio.run(all_at_once())
    for number in range(1, 21):
        text = str(server.timeline(client=number))
        assert text.startswith(f"client {number} ")
        assert re.sub(r"^client \d+ +", "client 1  ", text, flags=re.M) == CONVERSATION
    assert len(server.timeline().clients) == 20


def test_diagram_and_text_hold_nothing_volatile(daphne):
    talk(daphne, "/ws/room/", "hi")
    talk(daphne, "/ws/none/")
    for text in daphne.timeline()._repr_mimebundle_().values():
        assert str(daphne.port) not in text
        assert str(daphne.pid) not in text
        assert "inmemory" not in text
        assert str(daphne._folder) not in text


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
    printed = read(lambda kind, content: kind == "stream")["text"]
    assert f"{update['data']['text/plain']}\n" == printed == f"{CONVERSATION}\n"

    kernel.execute(END)
    assert read(lambda kind, content: kind == "execute_result")["data"]["text/plain"] == "True"
