"""Every ASGI server tells the same, and what cannot be seen in one is not invented."""

import sys

import pytest
from clients import HELLO, eventually, talk

from channels_live.server import Server
from channels_live.server.ports import free_port

PYTHON = f"{sys.executable} -m"
SERVERS = {  # the command, and what it prints when it is ready
    "uvicorn": ("uvicorn --port {} myproject.asgi:application", "Uvicorn running on"),
    "hypercorn": ("hypercorn --bind 127.0.0.1:{} myproject.asgi:application", "Running on"),
    "granian": (
        "granian --interface asgi --port {} myproject.asgi:application",
        "Started worker-1",
    ),
    "gunicorn": (
        "gunicorn -b 127.0.0.1:{} -k uvicorn_worker.UvicornWorker myproject.asgi:application",
        "Application startup complete",
    ),
}
TALKS = {  # where the servers behave the same
    "echo": ("/ws/chat/?a=b", [HELLO]),
    "binary": ("/ws/echo/", [b"\0" * 12]),
    "long": ("/ws/echo/", ["é" * 5000]),
    "group": ("/ws/room/", ["hi"]),
    "closed by the consumer": ("/ws/closing/", ["x"]),
    "refused": ("/ws/refusing/", []),
    "foreign": ("/ws/guarded/", []),
}


@pytest.fixture(scope="module", params=SERVERS)
def other(request, project):
    """Return a server that is not daphne."""
    if request.param not in ("uvicorn", "granian"):
        pytest.importorskip(request.param)
    command, ready = SERVERS[request.param]
    command = f"{PYTHON} {command.format(free_port())}"
    server = Server(command, project, ready=ready, timeout=60)
    yield server
    server.stop()


def told(server, path, frames):
    """Return what the record has of one conversation, without what differs at every run."""
    server.timeline()
    before = len(server._run.record.events)
    talk(server, path, *frames, origin="http://evil.example")

    def new():
        events = server._run.record.events[before:]
        return [event for event in events if event.get("conn") is not None]

    def ended():
        kinds = [event["kind"] for event in new()]
        over = any(event.get("status", 101) != 101 or event["kind"] == "close" for event in new())
        return over and kinds.count("call") == kinds.count("return")

    assert eventually(ended), new()
    server.timeline()
    # besides, each server has codes of its own for disconnect()
    volatile = {
        "at",
        "conn",
        "call",
        "process",
        "seconds",
        "target",
        "message",
        "thread",
        "arg",
        "peer",
    }
    return [{name: event[name] for name in event.keys() - volatile} for event in new()]


@pytest.mark.parametrize("what", TALKS)
def test_other_server_tells_what_daphne_tells(daphne, other, what):
    ours, theirs = told(daphne, *TALKS[what]), told(other, *TALKS[what])
    if "hypercorn" in other.command:  # it has no code for the application
        for event in ours:
            if event["kind"] == "close" and event["by"] == "client":
                reason = "by whom and with which code, this server does not tell"
                event.update(by=None, code=None, reason=reason)

    def key(event):
        return sorted(map(str, event.items()))

    assert sorted(theirs, key=key) == sorted(ours, key=key)


def test_page_of_another_server(other):
    other.http("/nowhere?token=swordfish&a=b")
    other.timeline()
    events = other._run.record.events
    (opened,) = [event for event in events if event.get("path", "").startswith("/nowhere")]
    assert opened["path"] == "/nowhere?token=…&a=b"
    own = [event["kind"] for event in events if event.get("conn") == opened["conn"]]
    assert own == ["open", "answer", "end"]


def test_error_in_another_server(other):
    talk(other, "/ws/broken/")
    other.timeline()
    events = other._run.record.events
    (error,) = [
        event for event in events if event["kind"] == "error" and event["message"] == "out of order"
    ]
    assert error["file"].endswith("consumers.py")
    own = [event["kind"] for event in events if event.get("conn") == error["conn"]]
    assert own == ["open", "call", "error", "return", "answer"]


def test_listening_is_told_by_every_server(other):
    listening = [event for event in other._run.record.events if event["kind"] == "listening"]
    assert ("127.0.0.1", other.port) in [(event["host"], event["port"]) for event in listening]
