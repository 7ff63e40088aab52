"""The witnesses of lesson 1, Install Channels and daphne, and of its exercises."""

import asyncio
import contextlib
import http.server
import socket
import subprocess
import sys
import threading
from importlib.metadata import requires
from importlib.util import find_spec
from wsgiref.handlers import SimpleHandler

import pytest
import websockets
from clients import DAPHNE, client
from projects import another_answer, lesson_begins
from websockets import InvalidStatus
from websockets.sync.client import connect

from channels_live.progress import RIGHT
from channels_live.server import Server, ServerError

EVENTS = """
async def application(scope, receive, send):
    if scope["type"] != "websocket":
        raise NotImplementedError
    while True:
        event = await receive()
        print("event:", event["type"], flush=True)
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        if event["type"] == "websocket.disconnect":
            return
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the plain site, served by Django's own runserver."""
    folder = lesson_begins(1, tmp_path_factory.mktemp("plain"))
    with Server("python manage.py runserver --noreload 8000", folder) as server:
        yield server


@contextlib.contextmanager
def answering(status, **headers):
    """Serve something that answers every request with a status. Yield its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"ws://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.claim(
    "lesson 1",
    "An ordinary GET with an `Upgrade` header.",
    "A WebSocket begins as an ordinary HTTP request: `GET /ws/chat/`, with a header that asks to "
    "**upgrade** the connection.",
    "We say it with `origin=`, so that our client looks like a browser's.",
)
def test_handshake_is_a_get_that_asks_for_an_upgrade():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws/chat/"
        heard = []

        def listen():
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(65536).decode())

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(Exception, match="HTTP response"):
            connect(address, origin="http://localhost", proxy=None).__enter__()
        thread.join()
    first, *headers = heard[0].lower().split("\r\n")
    assert first == "get /ws/chat/ http/1.1"
    assert {"upgrade: websocket", "connection: upgrade", "origin: http://localhost"} <= {*headers}


@pytest.mark.live
@pytest.mark.claim(
    "lesson 1",
    "A server that agrees answers with status 101, and from then on both sides send frames.",
)
def test_server_that_agrees_answers_101(daphne):
    with client(daphne) as websocket:
        assert websocket.response.status_code == 101


@pytest.mark.claim("lesson 1", "Status 101 opens it; any other status does not.")
@pytest.mark.claim(
    "solutions 1",
    "Any other status is an `InvalidStatus`, which carries the whole answer (a redirect is "
    "followed first): `refused.response.status_code`.",
)
def test_any_other_status_does_not_open_it():
    async def status_at(address):
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(address, proxy=None)
        return refused.value.response.status_code

    for status in (200, 204, 401, 404, 500, 503):
        with answering(status) as address:
            assert asyncio.run(status_at(address)) == status
    with answering(403) as end, answering(301, Location=end) as address:
        assert asyncio.run(status_at(address)) == 403


@pytest.mark.claim(
    "solutions 1",
    "Where nobody listens, there is no answer at all: a `ConnectionRefusedError`, which is an "
    "`OSError`.",
    "`OSError` also covers names that nobody knows and networks that are down.",
)
@pytest.mark.claim(
    "hints 1.2",
    "Where nobody listens, Python raises `ConnectionRefusedError`. It is an `OSError`.",
)
def test_errors_where_there_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        connect(f"ws://127.0.0.1:{port}/", proxy=None).__enter__()
    assert issubclass(ConnectionRefusedError, OSError) and issubclass(socket.gaierror, OSError)
    with pytest.raises(socket.gaierror):
        connect("ws://nobody.invalid/", proxy=None).__enter__()


@pytest.mark.claim(
    "lesson 1",
    "(In older examples, `connect` takes `extra_headers`. Since version 14 of `websockets` it is "
    "`additional_headers`.)",
)
def test_older_examples_use_another_name():
    async def knock(**headers):
        await websockets.connect("ws://127.0.0.1:9/", proxy=None, **headers)

    with pytest.raises(TypeError, match="unexpected keyword argument 'extra_headers'"):
        asyncio.run(knock(extra_headers={}))
    with pytest.raises(OSError):  # nobody there, but the name is right
        asyncio.run(knock(additional_headers={}))


@pytest.mark.live
@pytest.mark.claim(
    "lesson 1", "Django looked in its URLconf, found no such page, and answered 404."
)
def test_django_answered_404_for_a_page(plain):
    with pytest.raises(InvalidStatus) as refused:
        client(plain).__enter__()
    assert refused.value.response.status_code == 404
    assert "Using the URLconf defined in" in refused.value.response.body.decode()


@pytest.mark.claim(
    "lesson 1",
    "A view takes one request and returns one response, then it is done.",
    'There is no way to say in it "stay, and let us talk". No URL pattern can change that.',
)
def test_wsgi_has_no_upgrade():
    for header in ("Upgrade", "Connection"):
        handler = SimpleHandler(None, None, None, {})
        with pytest.raises(AssertionError, match="Hop-by-hop header"):
            handler.start_response("101 Switching Protocols", [(header, "upgrade")])


@pytest.mark.live
@pytest.mark.claim(
    "lesson 1",
    "There, a server hands *events* to your code: somebody connects, a frame arrives, somebody "
    "leaves.",
    "ASGI hands events to your code, so a connection can stay open.",
    "the server: speaks HTTP and WebSocket outside, ASGI inside",
)
def test_asgi_hands_events(tmp_path):
    (tmp_path / "door.py").write_text(EVENTS)
    servers = {
        "daphne -p 8000 door:application": None,
        "uvicorn --port 8000 --lifespan off door:application": "Uvicorn running",
    }
    for command, ready in servers.items():
        with Server(command, tmp_path, ready=ready) as server:
            with client(server) as websocket:
                websocket.send("hello")
            server.wait_for_log("event: websocket.disconnect")
            kinds = [line.split()[-1] for line in str(server.log(contains="event:")).splitlines()]
            assert kinds == ["websocket.connect", "websocket.receive", "websocket.disconnect"]


@pytest.mark.claim(
    "lesson 1",
    "`daphne` brings `autobahn`, the library with which it speaks WebSocket. There is a client in "
    "it too, of another style than ours.",
    "neither command pins a version",
)
def test_daphne_brings_a_client_along():
    assert any(line.startswith("autobahn") for line in requires("daphne"))
    assert find_spec("autobahn.twisted.websocket")
    code = "from autobahn.twisted.websocket import WebSocketClientProtocol as c; print(c)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.claim(
    "lesson 1",
    "Since Django 3.0, `startproject` puts one into every project, in `myproject/asgi.py`.",
)
@pytest.mark.claim(
    "lesson 3",
    "`startproject` has already made it, in the package `myproject`, beside `settings.py`.",
)
def test_startproject_makes_an_asgi_application(tmp_path):
    command = [sys.executable, "-m", "django", "startproject", "myproject", "."]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "myproject/settings.py").exists()
    assert "application = get_asgi_application()" in (tmp_path / "myproject/asgi.py").read_text()


@pytest.mark.live
@pytest.mark.claim(
    "lesson 1",
    "`daphne` looks for the package in the folder in which you start it, so start it in the one "
    "with `manage.py`.",
)
@pytest.mark.claim("lesson 7", "It has to be started in the folder with `manage.py`")
def test_daphne_looks_in_the_folder_in_which_it_starts(project, tmp_path):
    with pytest.raises(ServerError, match="No module named 'myproject'"):
        Server(DAPHNE, tmp_path)
    Server(DAPHNE, project).end()


@pytest.mark.live
@pytest.mark.claim("solutions 1", "`has no attribute 'app'` is the wrong name behind the colon")
def test_wrong_name_behind_the_colon(project):
    with pytest.raises(ServerError, match="has no attribute 'app'"):
        Server("daphne -p 8000 myproject.asgi:app", project)


@pytest.mark.live
@pytest.mark.claim(
    "solutions 1",
    "`daphne myproject.asgi:application`, for 8000 is the port that it takes if you name none.",
)
def test_port_8000_is_the_default(tmp_path):
    line = "web: daphne myproject.asgi:application"
    assert another_answer("1.1", tmp_path, {"Procfile": line}).state == RIGHT


@pytest.mark.live
@pytest.mark.claim("solutions 1", "**What else would do.** `except ConnectionRefusedError`;")
def test_other_knock_would_do(tmp_path):
    change = {"knock.py": ("except OSError", "except ConnectionRefusedError")}
    assert another_answer("1.2", tmp_path, change).state == RIGHT


@pytest.mark.claim(
    "lesson 1",
    "The quotation marks matter in some shells, where `[…]` has a meaning of its own.",
)
def test_brackets_mean_something_in_a_shell(tmp_path):
    (tmp_path / "channelsd").touch()
    for typed, read in (("channels[daphne]", "channelsd"), ('"channels[daphne]"',) * 2):
        line = ["sh", "-c", f"echo {typed}"]
        assert subprocess.check_output(line, cwd=tmp_path, text=True).strip() == read.strip('"')
