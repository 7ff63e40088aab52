"""What lesson 27 and its solutions state about servers that stop, daphne and uvicorn."""

import contextlib
import importlib.util
import inspect
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import zlib
from importlib.metadata import metadata, requires
from pathlib import Path

import httpx
import psutil
import pytest
from clients import DAPHNE, client
from daphne.cli import CommandLineInterface
from daphne.server import Server as DaphneServer
from deployed import in_terminal
from prometheus_client import CollectorRegistry, Counter
from rooms import ORIGIN, UVICORN, closed_with, lay_out, read, visit
from test_claims_22 import SYSTEMD
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import unix_connect

from channels_live.server import Server
from conftest import stated

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets"),
]
GRANIAN = [sys.executable, "-m", "granian"]
LOG = """

from .consumers import ChatConsumer


class Ending(ChatConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.close(int(text_data))

    def disconnect(self, code):
        open(f"disconnect-{code}", "w").close()


websocket_urlpatterns.append(path("ws/ending/", Ending.as_asgi()))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = lay_out(tmp_path_factory.mktemp("site"))
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(LOG)
    return folder


@pytest.mark.claim(
    "lesson 27",
    "daphne lets an application say no codes but its own.",
    "`Exception: invalid close code 1012 (must be 1000 or from [3000, 4999])`",
)
def test_codes_that_daphne_does_not_take(site):
    with Server(DAPHNE, site) as server:
        for code, read_code in (("1012", 1006), ("1001", 1006), ("4012", 4012), ("1000", 1000)):
            with visit(server, "/ws/ending/") as websocket:
                websocket.send(code)
                assert closed_with(websocket) in (
                    read_code,
                    1011 if read_code == 1006 else read_code,
                )
        wrong = "invalid close code 1012 (must be 1000 or from [3000, 4999])"
        assert wrong in server.log(full=True)


@pytest.mark.claim(
    "lesson 27",
    "daphne cancels its consumers; `disconnect()` does not run.",
    "When it is stopped it closes its door, says 1012 to all at once, and lets consumers finish.",
    "| says when it is stopped | nothing, 1006; with `Draining`, 4012 | 1012 |",
    "| `disconnect()` then | does not run; with `Draining`, it does | runs |",
    "which daphne hears as it hears `SIGTERM`",
)
@pytest.mark.parametrize(
    "command, number, code, runs",
    [
        (DAPHNE, signal.SIGTERM, 1006, False),
        (DAPHNE, signal.SIGINT, 1006, False),
        (UVICORN, signal.SIGTERM, 1012, True),
    ],
)
def test_servers_that_are_asked_to_stop(site, command, number, code, runs):
    for mark in site.glob("disconnect-*"):
        mark.unlink()
    with Server(command, site) as server:
        process = psutil.Process(server.pid)
        with visit(server, "/ws/ending/") as websocket:
            process.send_signal(number)
            assert closed_with(websocket) == code
        process.wait(20)
        assert bool(list(site.glob("disconnect-*"))) == runs


@pytest.mark.claim(
    "solutions 27",
    "But daphne 4.2 does not do so if somebody has come within the last second: then "
    "`kill_all_applications` meets a connection that has no consumer yet, and raises `KeyError: "
    "'application_instance'`.",
)
def test_daphne_that_is_stopped_just_after_somebody_has_come(site):
    assert 'details["application_instance"]' in inspect.getsource(
        DaphneServer.kill_all_applications
    )
    with Server("daphne -v 2 -p 8000 myproject.asgi:application", site) as server:
        process = psutil.Process(server.pid)
        with visit(server, "/ws/ending/") as websocket:
            process.terminate()
            closed_with(websocket)
        process.wait(20)
        assert "KeyError: 'application_instance'" in server.log(full=True)


# What was closed by daphne 4.2.2. Source: its CHANGELOG.txt, which names both numbers, and
# https://osv.dev/vulnerability/CVE-2026-44545 and …44546 ("fixed": "4.2.2").
CLOSED = {"CVE-2026-44545": "size of messages", "CVE-2026-44546": "headers within headers"}


@pytest.mark.claim(
    "lesson 27",
    "Two holes were closed there, which have numbers by which one finds them: "
    + " and ".join(CLOSED),
    "Older ones take a message of any size into memory, from anybody.",
    "And they take bytes in headers that end a line for some programs and not for others",
    "now such a request is answered by 400.",
    "| takes messages up to | 1 MiB | 16 MiB |",
)
def test_holes_that_daphne_has_closed(site):
    typed = CommandLineInterface().parser.parse_args(["x:y"])
    assert typed.websocket_max_message_size == 2**20
    with Server(DAPHNE, site) as server:
        for byte in b"\x0b\x0c\x1c\x1d\x1e\x85":
            value = bytes([byte]) + b"Daphne-Root-Path: /"
            assert len((b"a" + value).decode("latin-1").splitlines()) == 2
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
                wire.sendall(b"GET /chat/ HTTP/1.0\r\nHost: localhost\r\nX-Eve: a" + value)
                wire.sendall(b"\r\n\r\n")
                assert wire.recv(100).startswith(b"HTTP/1.0 400 "), hex(byte)
        with visit(server, "/ws/chat/") as websocket:
            websocket.send("x" * (2**20 + 1))
            assert closed_with(websocket) in (1006, 1009)
    with (
        Server(UVICORN, site) as server,
        client(server, "/ws/chat/", origin=ORIGIN, max_size=None) as websocket,
    ):
        websocket.send('{"message": "%s"}' % ("x" * (2**20 + 1)))
        assert len(read(websocket)["message"]) == 2**20 + 1
        websocket.send("x" * (2**24 + 1))
        assert closed_with(websocket) == 1009


@pytest.mark.claim(
    "lesson 27",
    "The supervisor itself had kept the port open, so who came between waited, and was not "
    "refused.",
    "so does uvicorn, for processes of its own, called workers",
)
def test_uvicorn_keeps_the_port_open(site):
    with Server(f"{UVICORN} --workers 1", site) as server:
        process = psutil.Process(server.pid)
        before = {child.pid for child in process.children()}
        for child in process.children():
            child.kill()
        with client(server, "/ws/chat/", origin=ORIGIN, open_timeout=30) as websocket:
            websocket.send('{"message": "hello"}')
            assert read(websocket) == {"message": "hello"}
        assert not before & {child.pid for child in process.children()}


@pytest.mark.claim(
    "lesson 27",
    "A client may end with any code from 3000 to 4999, and with 1011",
    "(`-v 0` keeps daphne's own lines away. Of pages they have what follows a `?`.)",
)
def test_what_clients_may_write(site):
    for options, stands in (("", True), (" -v 0", False)):
        with Server(DAPHNE + options, site) as server:
            for code in (1011, 3000, 3999, 4999):
                with visit(server, "/ws/ending/") as websocket:
                    websocket.close(code)
                server.events(5.0)
                assert (site / f"disconnect-{code}").exists()
            server.http("/chat/?secret=top-secret")
            server.http("/chat/")
            assert ("top-secret" in str(server.log(full=True))) == stands


@pytest.mark.claim(
    "lesson 27",
    "Who comes by way of nginx has an address, which nginx writes; who comes by the Unix socket "
    "itself has none.",
    "Without `--proxy-headers` daphne gives nobody an address, and then all are inside.",
)
def test_who_is_inside(site):
    (site / "run").mkdir()
    by_nginx = {"X-Forwarded-For": "192.0.2.1"}
    for option, status in (("--proxy-headers ", 404), ("", 200)):
        with Server(f"daphne -u run/one.sock {option}myproject.asgi:application", site):
            transport = httpx.HTTPTransport(uds=str(site / "run/one.sock"))
            with httpx.Client(transport=transport, base_url="http://localhost") as client:
                assert client.get("/inside/alive/").status_code == 200
                assert client.get("/inside/alive/", headers=by_nginx).status_code == status


@pytest.mark.claim(
    "lesson 27",
    "Without the first of them nobody has an address, and all are one for our limits.",
    "as it comes, uvicorn lets 16 KB that were compressed become 16 MiB.",
    "with a log that tells more, it writes what follows a `?`, where tickets stand.",
)
@pytest.mark.parametrize("careful", [True, False])
def test_uvicorn_behind_nginx(site, tmp_path, careful):
    (site / "run").mkdir(exist_ok=True)
    typed = re.search(r"uvicorn --uds .+?asgi:application", stated("lesson 27"))[0]
    options = re.search(r"--forwarded.+ ", typed)[0]
    line = typed.replace("\\ ", "") if careful else typed.replace(options, "")
    log, large = tmp_path / "log", " " * (2**24 - 100)
    assert len(zlib.compress(large.encode())) < 17_000
    with in_terminal(line, site, log):
        transport = httpx.HTTPTransport(uds=str(site / "run/one.sock"))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            answer = client.get("/inside/alive/", headers={"X-Forwarded-For": "192.0.2.1"})
            assert answer.status_code == (404 if careful else 200)
        address = "ws://localhost/ws/chat/?secret=top-secret"
        with unix_connect(str(site / "run/one.sock"), address, origin=ORIGIN) as websocket:
            assert bool(websocket.protocol.extensions) != careful
            with contextlib.suppress(ConnectionClosed):
                websocket.send(large)
            if careful:
                assert closed_with(websocket) in (1006, 1009)
            else:
                assert "error" in read(websocket)
    assert ("top-secret" in log.read_text()) != careful


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.claim(
    "lesson 27",
    "`restart()` waits until a server answers, and you must too, before the other one's turn.",
)
def test_how_to_ask_whether_a_server_is_ready(site):
    typed = re.search(r"until (curl .+?) do ", stated("lesson 27"))[1]
    one_line = typed.replace("\\ ", "")  # as a shell reads it
    ask = shlex.split(one_line.replace("/run/board-$name/socket", "ready.sock"))
    assert subprocess.run(ask, cwd=site).returncode
    with Server("daphne -u ready.sock --proxy-headers myproject.asgi:application", site):
        subprocess.run(ask, cwd=site, check=True)


@pytest.mark.claim(
    "lesson 27",
    "systemd does, with the unit of lesson 22",
    "what has not ended after 30 seconds is killed (`TimeoutStopSec`), so drain for less.",
    "with systemd by `RestartSec`, and by `OnFailure`, which names what is started when "
    "`StartLimitBurst` tries were in vain.",
)
def test_what_systemd_is_told(site):
    unit = re.search(r"\[Service\].+?\[Install\]", stated("lesson 22"))[0].split()
    assert {"Restart=always", "KillSignal=SIGINT", "TimeoutStopSec=30", "RestartSec=1"} <= set(unit)
    said = re.search(r"with systemd by .+?in vain", stated("lesson 27"))[0]
    assert set(re.findall("`(.+?)`", said)) <= SYSTEMD["Unit"] | SYSTEMD["Service"]
    production = (site / "myproject/production.py").read_text()
    assert float(re.search(r'"DJANGO_DRAIN", (\d+)\)', production)[1]) < 30


@pytest.mark.claim(
    "lesson 27",
    "**granian** is a third, written in Rust, with workers too",
    "| comes with | Channels, and `runserver` | itself |",
)
def test_servers_as_they_are_made():
    assert "Programming Language :: Rust" in metadata("granian").get_all("Classifier")
    shown = subprocess.run([*GRANIAN, "--help"], capture_output=True, text=True, check=True)
    assert "--workers" in shown.stdout
    needs = requires("channels")
    assert any(need.startswith("daphne") for need in needs)
    assert not any(need.startswith("uvicorn") for need in needs)
    assert importlib.util.find_spec("daphne.management.commands.runserver")


@pytest.mark.claim(
    "lesson 27",
    "Mind the labels: each value is a number of its own, for ever.",
)
def test_labels_stay():
    registry = CollectorRegistry()
    closes = Counter("closes", "…", ["code"], registry=registry)
    for code in range(3000, 3100):
        closes.labels(code).inc()
    (family,) = registry.collect()
    assert len([its for its in family.samples if its.name == "closes_total"]) == 100


@pytest.mark.claim(
    "lesson 27",
    "Let the units' `/srv/board` be a link to that folder, and turn it (`ln -sfn`) before the "
    "first restart: a server that runs stays in the folder in which it was started.",
)
def test_link_to_the_folder_of_a_version(tmp_path):
    link, running = tmp_path / "board", []
    try:
        for version in ("version-1", "version-2"):
            (tmp_path / version).mkdir()
            subprocess.run(["ln", "-sfn", version, link], check=True)
            command = [sys.executable, "-c", "input()"]
            running.append(psutil.Popen(command, cwd=link, stdin=subprocess.PIPE))
        assert [Path(process.cwd()).name for process in running] == ["version-1", "version-2"]
    finally:
        for process in running:
            process.communicate(b"\n")
