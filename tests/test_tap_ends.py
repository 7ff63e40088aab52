"""How a connection ends is told as its client has seen it; what no server shows is not invented."""

import os
import signal
import socket
import sys

import httpx
import pytest
from clients import client, eventually
from websockets.exceptions import ConnectionClosed, InvalidStatus

from channels_live.server import Server
from channels_live.server.ports import free_port
from channels_live.timeline.story import clients_of

pytestmark = pytest.mark.live
APPLICATION = """
import asyncio
import contextlib
import enum


go, late = asyncio.Event(), asyncio.Event()


class Code(enum.IntEnum):
    OWN = 4007


async def socket(path, receive, send):
    await receive()
    if path == "/before/":
        raise ValueError("before")
    if path == "/cancelled-before/":
        raise asyncio.CancelledError
    if path == "/silent/":
        return
    await send({"type": "websocket.accept"})
    event = await receive()
    if path == "/after/":
        raise ValueError("after")
    if path == "/cancelled/":
        raise asyncio.CancelledError
    if path == "/returned/":
        return
    if path == "/late/":
        await late.wait()
        with contextlib.suppress(Exception):
            await send({"type": "websocket.send", "text": "never"})
            await send({"type": "websocket.close", "code": 4008})
    if path == "/coded/":
        await send({"type": "websocket.close", "code": Code.OWN})
    while event["type"] != "websocket.disconnect":
        event = await receive()


async def page(path, receive, send):
    if path == "/failed/":
        raise ValueError("failed")
    headers = [(b"Content-Length", b"6")] if path == "/measured/" else ()
    parts = iter(headers)  # which can be read once only
    start = {"type": "http.response.start", "status": 200, "headers": parts}
    if path == "/measured/":
        start["headers"] = headers
    await send(start)
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    if path == "/broken/":
        raise ValueError("broken")
    while path == "/left/" and (await receive())["type"] != "http.disconnect":
        pass
    if path == "/deaf/":  # it does not hear that its reader leaves
        await go.wait()
    if path == "/go/":
        go.set()
    if path == "/let/":
        late.set()
    last = {"type": "http.response.body", "body": b"two"}
    if path != "/long/":
        await send({**last, "more_body": True})
        last["body"] = b""
    await send(last)


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    serve = socket if scope["type"] == "websocket" else page
    await serve(scope["path"], receive, send)
"""
COMMANDS = {  # and what each prints when it is ready
    "uvicorn": ("uvicorn --port {}", "Uvicorn running on"),
    "wsproto": ("uvicorn --ws wsproto --port {}", "Uvicorn running on"),
    "hypercorn": ("hypercorn --bind 127.0.0.1:{}", "Running on"),
    "granian": ("granian --interface asgi --port {}", "Started worker-1"),
    "daphne": ("daphne -p {}", None),
}


def serving(kind, folder):
    """Return a server of this application. kind: which one it is."""
    (folder / "own.py").write_text(APPLICATION)
    command, ready = COMMANDS[kind]
    command = f"{sys.executable} -m {command.format(free_port())} own:application"
    server = Server(command, folder, ready=ready, timeout=60)
    server.kind = kind
    return server


@pytest.fixture(scope="module", params=COMMANDS)
def server(request, tmp_path_factory):
    server = serving(request.param, tmp_path_factory.mktemp("application"))
    yield server
    server.stop()


def is_told(server, path, *texts):
    """Tell whether the last row of this path's last connection comes to have one of these texts."""

    def told():
        server.timeline()
        clients = clients_of(server._run.record.events)
        rows = [client.rows for client in clients if f"/{path}/" in client.rows[0].text]
        return rows and rows[-1][-1].text in texts

    return eventually(told, within=20)


def heard(server, path):
    """Return what a client hears at the end: an HTTP status, or a close code."""
    try:
        with client(server, path) as websocket:
            websocket.send("x")
            with pytest.raises(ConnectionClosed):
                websocket.recv(timeout=10)
            return websocket.close_code
    except InvalidStatus as refused:
        return refused.response.status_code


AFTER_FAILURE = {
    500: "500 server error",
    403: "403 refused",
    1006: "connection dropped (1006)",
    1011: "close 1011",
    1005: "closed",  # of granian, which does not show whether its client is still there
}


@pytest.mark.parametrize(
    ("server", "path"),
    [
        (kind, path)
        for kind in COMMANDS
        for path in ("before", "cancelled-before", "silent", "after", "cancelled", "returned")
        if kind != "daphne" or path in ("before", "after")  # it leaves the others waiting
    ],
    indirect=["server"],
)
def test_end_after_a_failure_is_told_as_the_client_hears_it(server, path):
    text = AFTER_FAILURE[heard(server, f"/{path}/")]
    if path == "returned" and server.kind in ("uvicorn", "wsproto"):
        text = "x"  # of its versions, one leaves the client waiting, another drops it
    assert is_told(server, path, text), server.timeline()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.parametrize("kind", COMMANDS)
def test_end_by_a_server_that_stops_is_told_as_the_client_hears_it(kind, tmp_path):
    with serving(kind, tmp_path) as server, client(server, "/waiting/") as websocket:
        websocket.send("x")
        server.timeline()  # waits until it is there
        os.killpg(server._run.process.pid, signal.SIGINT)
        with pytest.raises(ConnectionClosed):
            websocket.recv(timeout=10)
        texts = {1006: "connection dropped (1006)", 1011: "close 1011", 1012: "close 1012"}
        told = [texts.get(websocket.close_code)]
        if kind == "granian":  # which now and then ends before its application hears of it
            told = ["closed", "x"]
        assert eventually(lambda: not server.running, within=20)  # or more might come
        assert is_told(server, "waiting", *told), server.timeline()


@pytest.mark.parametrize("server", ["uvicorn", "wsproto", "hypercorn"], indirect=True)
def test_code_may_be_one_of_an_enumeration(server):  # which the others do not take
    assert heard(server, "/coded/") == 4007
    assert is_told(server, "coded", "close 4007"), server.timeline()


# granian does not show that a client has gone
@pytest.mark.parametrize("server", [kind for kind in COMMANDS if kind != "granian"], indirect=True)
def test_what_is_sent_to_who_has_gone_is_not_told(server):
    with client(server, "/late/") as websocket:
        websocket.send("x")
    httpx.get(server.url("/let/"), trust_env=False)
    text = "closed" if server.kind == "hypercorn" else "close 1000"
    assert is_told(server, "late", text), server.timeline()
    (late,) = [
        each for each in clients_of(server._run.record.events) if "late" in each.rows[0].text
    ]
    assert [row.text for row in late.rows] == ["GET /late/", "101 accepted", "x", text]


CLOSE, NO_UTF_8 = b"\x88\x80\0\0\0\0", b"\x81\x81\0\0\0\0\xff"
WAYS = {  # how a client ends, and what is told: by uvicorn and daphne, wsproto, granian, hypercorn
    "with a code": (None, ["close 4007"] * 3 + ["closed"]),
    "without a code": (CLOSE, ["close without a code (1005)", "closed", "closed", "closed"]),
    "gone": (b"", ["gone without a close frame (1006)", "closed", "closed", "closed"]),
    "wrong": (NO_UTF_8, ["close 1007", "closed with 1007", "closed", "closed"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_end_by_a_client_is_told_as_far_as_the_server_shows_it(server, way):
    frame, texts = WAYS[way]
    with client(server, "/waiting/", close_timeout=1) as websocket:
        if frame is None:
            websocket.close(4007)
        elif frame:
            websocket.socket.sendall(frame)
        else:
            websocket.socket.shutdown(socket.SHUT_RDWR)
        text = texts[{"wsproto": 1, "granian": 2, "hypercorn": 3}.get(server.kind, 0)]
        if server.kind == "daphne" and way == "wrong":
            text = "connection dropped (1006)"
        assert is_told(server, "waiting", text), server.timeline()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("done", "end of the stream"),
        ("measured", "200"),
        ("long", "200"),
        ("left", "gone before its end"),
        ("failed", "500 server error"),
        ("broken", "stream broken off"),
    ],
)
def test_end_of_a_stream_is_told_and_by_whom(server, path, text):
    if server.kind == "daphne" and path == "broken":
        text = "gone before its end"  # daphne leaves its client waiting
    with httpx.Client(trust_env=False, timeout=5) as http:
        try:
            with http.stream("GET", server.url(f"/{path}/")) as response:
                parts = response.iter_bytes()
                if path == "failed":
                    assert response.status_code == 500
                else:
                    first = next(parts)
                if path in ("done", "measured", "long"):
                    assert b"".join([first, *parts]) == b"onetwo"
        except httpx.RemoteProtocolError:
            assert path == "broken"
    assert is_told(server, path, text), server.timeline()


def test_reader_that_leaves_unheard_is_told_where_the_server_shows_it(server):
    with httpx.Client(trust_env=False, timeout=5) as http:
        with http.stream("GET", server.url("/deaf/")) as response:
            assert next(response.iter_bytes()) == b"one"
        http.get(server.url("/go/"))
    text = "end of the stream" if server.kind == "granian" else "gone before its end"
    assert is_told(server, "deaf", text), server.timeline()
