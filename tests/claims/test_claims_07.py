"""The witnesses of lesson 7, Run the server, and of its exercises."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from contextlib import AsyncExitStack
from importlib.util import find_spec

import psutil
import pytest
import websockets
from clients import DAPHNE, RUNSERVER, client, manage, talk
from daphne.cli import CommandLineInterface
from daphne.endpoints import build_endpoint_description_strings
from django.utils.autoreload import StatReloader
from projects import another_answer, lesson_begins
from websockets import ConnectionClosed

from channels_live.progress import RIGHT
from channels_live.server import Server

ORIGIN = {"origin": "http://localhost"}
MESSAGE = '{"message": "hello"}'
ASGI = "myproject/asgi.py"
UVICORN = "uvicorn --port 8000 --lifespan off myproject.asgi:application"
TELLING = """

def tell(self, close_code):
    print(f"disconnect: {close_code}", flush=True)


ChatConsumer.disconnect = tell
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the project that lesson 7 leaves. Its consumer tells of disconnect()."""
    folder = lesson_begins(8, tmp_path_factory.mktemp("site"))
    with (folder / "myapp/consumers.py").open("a") as consumers:
        consumers.write(TELLING)
    return folder


def without_debug():
    return {**os.environ, "DJANGO_DEBUG": "0"}


@pytest.mark.claim(
    "lesson 7",
    "| `-p 8000` | the port | 8000 |",
    "| `-b 0.0.0.0` | the address; this one lets other computers in | 127.0.0.1 |",
    "| `-v 0`, `-v 2` | says less, says more | `-v 1` |",
    "the largest message and frame, in bytes; raise both | 1,048,576 |",
    "how long a socket may stay open, in seconds | 86,400, a day |",
    "how long a consumer may take to end, in seconds | 10 |",
    "believes the address that nginx or another proxy reports | off |",
)
@pytest.mark.claim("solutions 7", "Without the second option it is the default, 1,048,576 bytes.")
@pytest.mark.claim("solutions 1", "`daphne` listens only to its own computer by default.")
def test_options_and_their_defaults():
    cli = CommandLineInterface()
    options = cli.parser.parse_args(["a:b"])
    assert options.verbosity == 1 and options.access_log is None
    assert options.websocket_max_message_size == options.websocket_max_frame_size == 2**20
    assert options.websocket_timeout == 86_400 == 24 * 60 * 60
    assert options.application_close_timeout == 10
    assert options.proxy_headers is False
    assert (cli.arg_proxy_host.dest, options.host, options.port) == (
        "proxy_headers_host",
        None,
        None,
    )
    for given, interface in (([], "127.0.0.1"), (["-b", "0.0.0.0"], "0.0.0.0")):
        given = cli.parser.parse_args([*given, "a:b"])
        address = (given.host or "127.0.0.1", given.port or 8000)
        host, port = address
        built = build_endpoint_description_strings(host=host, port=port)
        assert built == [f"tcp:port=8000:interface={interface}"]


@pytest.mark.live
@pytest.mark.claim(
    "lesson 7",
    "| `--access-log FILE` | writes the access log there |",
    "With `-v 0` daphne prints only warnings and errors.",
)
@pytest.mark.claim(
    "solutions 7",
    "With `-v 0`, only warnings and errors are left on the terminal; the access log goes to its "
    "file all the same.",
)
def test_what_is_printed(folder, tmp_path):
    file = tmp_path / "access.log"
    with Server(f"{DAPHNE} -v 0 --access-log {file}", folder) as server:
        assert talk(server, "/ws/chat/", MESSAGE, **ORIGIN) == [MESSAGE]
        server.timeline()
        assert str(server.log()) in ("", "(nothing printed)", "disconnect: 1000")
        talk(server, "/nowhere/", **ORIGIN)
        server.wait_for_log("No route found")
        assert "INFO" not in str(server.log()) and "WSCONNECT" not in str(server.log())
    assert '"WSCONNECTING /ws/chat/"' in file.read_text()


@pytest.mark.live
@pytest.mark.claim(
    "lesson 7",
    "how long a socket may stay open, in seconds",
    "| `--proxy-headers` | believes the address that nginx or another proxy reports |",
    "| `-v 0`, `-v 2` | says less, says more |",
)
def test_other_options(folder):
    with Server(f"{DAPHNE} -v 2 --proxy-headers --websocket_timeout 1", folder) as server:
        server.http("/accounts/login/", headers={"X-Forwarded-For": "192.0.2.7"})
        assert re.search(r"^192\.0\.2\.7:.*GET /accounts/login/", str(server.log(full=True)), re.M)
        with client(server, **ORIGIN) as websocket, pytest.raises(ConnectionClosed):
            websocket.recv(timeout=10)
        assert " DEBUG " in str(server.log(full=True))


@pytest.mark.live
@pytest.mark.claim(
    "lesson 7",
    "One process served both, and could serve many more. An open socket that is silent costs "
    "memory, about 30 KB here, and hardly any time.",
)
def test_cost_of_a_silent_socket(folder):
    many = 300

    async def cost(server):
        process = psutil.Process(server.pid)

        async def enter(stack):
            socket = websockets.connect(server.ws("/ws/chat/"), **ORIGIN, proxy=None)
            return await stack.enter_async_context(socket)

        async with AsyncExitStack() as stack:
            for _ in range(20):  # what is made once, whoever comes
                await enter(stack)
            before = process.memory_info().rss
            for _ in range(many):
                await enter(stack)
            grown = process.memory_info().rss - before
            return grown / many / 1000, process.cpu_percent(interval=0.5)

    with Server(DAPHNE, folder) as server:
        kilobytes, percent = asyncio.run(cost(server))
    assert 20 < kilobytes < 50
    assert percent < 20


@pytest.mark.live
@pytest.mark.claim(
    "lesson 7",
    "there may be one more, `HTTP/2 support not enabled`. It is no error: sockets do not need it.",
)
def test_sockets_do_not_need_http_2(folder):
    with Server(DAPHNE, folder) as server:
        assert talk(server, "/ws/chat/", MESSAGE, **ORIGIN) == [MESSAGE]
        assert ("HTTP/2 support not enabled" in str(server.log(full=True))) == (not find_spec("h2"))


@pytest.mark.claim(
    "lesson 7",
    "It looks at your files once a second, and where one has changed, a new process takes over.",
)
def test_reloader_looks_once_a_second():
    assert StatReloader.SLEEP_TIME == 1


@pytest.mark.live
@pytest.mark.claim("lesson 7", "| serves static files | yes, with `DEBUG` | no |")
def test_runserver_serves_static_files_with_debug_only(folder):
    with Server(f"{RUNSERVER} --noreload", folder, environment=without_debug()) as server:
        assert server.http("/accounts/login/").status_code == 200
        assert server.http("/static/myapp/site.css").status_code == 404


@pytest.mark.claim(
    "lesson 7",
    "In a terminal you would read `CRITICAL Listen failure: Couldn't listen on 127.0.0.1:8000`, "
    'and the reason behind it: "Address already in use".',
)
@pytest.mark.live
def test_port_that_is_taken(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "daphne", "-p", str(port), "myproject.asgi:application"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode
    assert re.search(
        rf"CRITICAL Listen failure: Couldn't listen on 127.0.0.1:{port}: .*Address already in use",
        done.stderr,
    )


@pytest.mark.live
@pytest.mark.claim(
    "lesson 7",
    "when daphne stops, it ends its consumers without calling them again. (uvicorn closes with "
    "1012, and calls `disconnect(1012)`.)",
    "When daphne stops, clients see a connection that is gone, and `disconnect()` is not called.",
)
@pytest.mark.claim(
    "solutions 7",
    "When daphne stops, it ends its consumers without a word; `disconnect()` is not called.",
)
@pytest.mark.parametrize(
    ("command", "ready", "code", "said"),
    [(DAPHNE, None, 1006, ""), (UVICORN, "Uvicorn running", 1012, "disconnect: 1012")],
    ids=["daphne", "uvicorn"],
)
def test_server_that_stops(folder, command, ready, code, said):
    with Server(command, folder, ready=ready) as server:
        with client(server, **ORIGIN) as websocket:
            websocket.send(MESSAGE)
            assert websocket.recv(timeout=10) == MESSAGE
            server.end()
            with pytest.raises(ConnectionClosed):
                websocket.recv(timeout=10)
            assert websocket.close_code == code
        assert "".join(re.findall(r"disconnect: \d+", str(server.log()))) == said


@pytest.mark.live
@pytest.mark.claim(
    "solutions 7",
    "A message may come in several frames, so there are two limits. A client sends it in one, "
    "mostly, and then the smaller limit decides.",
)
@pytest.mark.claim("hints 7.1", "There are two limits, one for a message and one for a frame.")
@pytest.mark.claim("lesson 5", "Where you need more, raise both of daphne's limits,")
def test_two_limits(folder):
    message = '{"message": "%s"}' % ("x" * 1_500_000)
    half, options = len(message) // 2, {**ORIGIN, "max_size": None}
    with Server(f"{DAPHNE} --websocket-max-message-size 2000000", folder) as server:
        in_two = talk(server, "/ws/chat/", [message[:half], message[half:]], **options)
        assert in_two == [message]
        assert talk(server, "/ws/chat/", message, **options) == ["no close frame received or sent"]


@pytest.mark.claim(
    "solutions 7",
    "`staticfiles_urlpatterns()` gives a list with one more address for `urls.py`: the one that "
    "finds the static files of every app. Without `DEBUG` the list is empty.",
)
@pytest.mark.claim("hints 7.2", "Without `DEBUG`, what it returns is empty.")
def test_addresses_of_static_files(folder, monkeypatch):
    code = (
        "from django.contrib.staticfiles.urls import staticfiles_urlpatterns as patterns\n"
        "print('addresses:', len(patterns()))"
    )
    for debug, number in (("1", 1), ("0", 0)):
        monkeypatch.setenv("DJANGO_DEBUG", debug)
        assert f"addresses: {number}" in manage(folder, "shell", "-c", code)


@pytest.mark.live
@pytest.mark.claim(
    "solutions 7",
    "In `asgi.py`, `ASGIStaticFilesHandler` around `django_asgi_app`. `runserver` puts it around "
    "the whole application. But it serves the files without `DEBUG` too, so it needs an `if "
    "settings.DEBUG`.",
)
def test_handler_of_static_files(folder, tmp_path):
    handler = "from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler\n"
    wrap = "django_asgi_app = ASGIStaticFilesHandler(django_asgi_app)\n"
    text = (folder / ASGI).read_text()
    always = text.replace("application = Prot", f"{handler}{wrap}application = Prot")
    lesson_begins(8, tmp_path / "always")
    (tmp_path / "always" / ASGI).write_text(always)
    with Server(DAPHNE, tmp_path / "always", environment=without_debug()) as server:
        assert server.http("/static/myapp/site.css").status_code == 200
    only = f"{handler}from django.conf import settings\nif settings.DEBUG:\n    {wrap}"
    changes = {
        ASGI: text.replace("application = Prot", f"{only}application = Prot"),
        "myproject/urls.py": (r"urlpatterns \+= .*", ""),
    }
    assert another_answer("7.2", tmp_path / "answer", changes).state == RIGHT


@pytest.mark.live
@pytest.mark.claim("solutions 7", "Any limit from 2,000,000 to 2,999,999.")
def test_any_limit_between_would_do(tmp_path):
    changes = {"Procfile": (r"2000000", "2999999")}
    assert another_answer("7.1", tmp_path, changes).state == RIGHT


@pytest.mark.live
@pytest.mark.claim(
    "solutions 7",
    "A list in the module is no place at all. It outlives a client, but not the server.",
)
def test_list_in_the_module(tmp_path):
    folder = lesson_begins(8, tmp_path)
    consumers = folder / "myapp/consumers.py"
    consumers.write_text(
        consumers.read_text()
        + "\n\nnotes = []\n\n\ndef note(self, text_data):\n"
        + "    notes.append(text_data)\n    self.send(str(len(notes)))\n\n\n"
        + "ChatConsumer.receive = note\n"
    )
    with Server(DAPHNE, folder) as server:
        assert talk(server, "/ws/chat/", "one", **ORIGIN) == ["1"]
        assert talk(server, "/ws/chat/", "two", **ORIGIN) == ["2"]
        server.restart()
        assert talk(server, "/ws/chat/", "three", **ORIGIN) == ["1"]
