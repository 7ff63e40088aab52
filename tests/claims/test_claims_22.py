"""What lesson 22 and its solutions state about nginx, daphne and what stands around them."""

import configparser
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from importlib import metadata

import certifi
import httpx
import psutil
import pytest
from clients import DAPHNE, eventually
from daphne.cli import CommandLineInterface
from django.conf import settings
from kinds import lay_out as lay_out_kinds
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rooms import UVICORN, closed_with, lay_out, visit
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from channels_live import notebook
from channels_live.server import Server
from channels_live.workspace import NOTEBOOKS, SAMPLE
from conftest import stated

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets"),
]
NGINX = "nginx -p run -c ../nginx.conf"
UNIX = "daphne -u run/one.sock myproject.asgi:application"
FILE = """daemon off;
events {}
http {
    upstream site { server unix:run/one.sock; }
    server {
        listen 127.0.0.1:8443;
        location / { proxy_pass http://site; LINES }
    }
}
"""
UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
HOST = "proxy_set_header Host $http_host;"


@pytest.fixture
def proxy(tmp_path):
    """Return a function that starts an nginx with more lines in its file."""
    servers = []

    def proxy(*lines, folder=tmp_path, before=""):
        (folder / "run").mkdir(exist_ok=True)
        text = FILE.replace("LINES", " ".join(lines)).replace("http {", f"http {{ {before}")
        (folder / "nginx.conf").write_text(text)
        servers.append(Server(NGINX, folder))
        return servers[-1]

    yield proxy
    for server in servers:
        server.end()


@contextlib.contextmanager
def listening(path, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", goes_on=False):
    """Give the heads of requests that come to a Unix socket, which gives each the same answer."""
    heads, answered = [], []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def listen():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            heads.append(connection.recv(65536).decode())
            connection.sendall(answer)
            answered.append(connection)
            if not goes_on:
                connection.close()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield heads
    finally:
        listener.close()
        path.unlink()
        for connection in answered:
            connection.close()


@pytest.fixture
def heard(tmp_path):
    (tmp_path / "run").mkdir()
    with listening(tmp_path / "run/one.sock") as heads:
        yield heads


@pytest.mark.claim(
    "lesson 22",
    "nginx does not hand on the `Host` that the visitor asked for: it says the name of the "
    "`upstream`, `site`",
    "`Upgrade` and `Connection` are meant for the next program only, so a proxy drops them.",
    "`$proxy_add_x_forwarded_for` *adds* nginx's visitor to what the visitor says: `192.0.2.66, "
    "127.0.0.1`.",
)
@pytest.mark.claim(
    "solutions 22",
    "The nginx of this course speaks 1.1 by itself; there you would not see",
    'then ordinary requests do not say "upgrade"',
)
def test_what_nginx_hands_on_by_itself(heard, proxy):
    said = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "X-Forwarded-For": "192.0.2.66",
        "X-Own": "kept",
    }
    proxy().http("/", headers=said)
    added = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    proxy(added).http("/", headers=said)
    first, second = heard
    mapped = '`map $http_upgrade $upgrading { default upgrade; "" close; }`'
    assert mapped in stated("solutions 22")
    by_map = "proxy_set_header Connection $upgrading;"
    its = proxy(by_map, UPGRADE.split(" proxy")[0], before=mapped.strip("`"))
    its.http("/")
    its.http("/", headers=said)
    assert "\r\nConnection: close\r\n" in heard[2]
    assert "\r\nConnection: upgrade\r\n" in heard[3]
    assert first.startswith("GET / HTTP/1.1\r\n")
    assert "\r\nHost: site\r\n" in first
    assert "upgrade" not in first.lower()
    assert "X-Own: kept" in first
    assert "X-Forwarded-For: 192.0.2.66\r\n" in first
    assert "X-Forwarded-For: 192.0.2.66, 127.0.0.1\r\n" in second


@pytest.mark.claim(
    "lesson 22",
    "nginx hangs up where nothing comes for a while",
    "daphne's ping comes every 20 seconds, so daphne does not need it; a server that pings once a "
    "minute does.",
    "daphne opens it with `-u`. No other computer can reach it",
    '`None`: a Unix socket has no address, and `scope["client"]` is `None`.',
)
def test_idle_socket_behind_a_proxy(project, tmp_path, proxy):
    assert CommandLineInterface().parser.parse_args(["x:y"]).ping_interval == 20
    folder = lay_out_kinds(project, tmp_path / "kinds")
    (folder / "run").mkdir()
    with Server(UNIX, folder) as daphne:
        listening = psutil.Process(daphne.pid).net_connections("tcp")
        assert not [its for its in listening if its.status == psutil.CONN_LISTEN]
        for patience, lives in (("300ms", False), ("19s", True)):
            server = proxy(UPGRADE, HOST, f"proxy_read_timeout {patience};", folder=folder)
            address = server.ws("/plain-scope/")
            with connect(address, origin="http://localhost", proxy=None) as websocket:
                assert json.loads(websocket.recv(timeout=10))["client"] is None
                with pytest.raises(TimeoutError if lives else ConnectionClosed):
                    websocket.recv(timeout=0.9)


@pytest.mark.claim(
    "lesson 22",
    "There the proxy writes `/board`, and Django and Channels take that away from what is asked "
    "for.",
)
@pytest.mark.claim(
    "solutions 22",
    "An `Upgrade` counts only together with `Connection: upgrade`, which says that it is meant",
)
def test_site_below_a_path(tmp_path):
    lay_out(tmp_path)
    headers = {"Daphne-Root-Path": "/board"}
    with Server(DAPHNE, tmp_path) as server:
        assert server.http("/board/chat/", headers=headers).status_code == 200
        assert server.http("/board/chat/").status_code == 404
        address = server.ws("/board/ws/chat/")
        options = {"origin": "http://localhost", "proxy": None}
        with connect(address, additional_headers=headers, **options) as websocket:
            websocket.send('{"message": "hello"}')
            assert websocket.recv(timeout=10) == '{"message": "hello"}'
        with pytest.raises(InvalidStatus), connect(address, **options):
            pass
        assert server.http("/ws/chat/", headers={"Upgrade": "websocket"}).status_code == 400


@pytest.mark.claim(
    "lesson 22",
    "take 4.2.2 or newer, for older ones have no limit for the size of a message.",
    "uvicorn, which lesson 21 has measured, says goodbye when it is stopped: with close code 1012, "
    "*service restart*.",
)
def test_servers_that_stop(tmp_path):
    import daphne

    assert Version(daphne.__version__) >= Version("4.2.2")
    assert CommandLineInterface().parser.parse_args(["x:y"]).websocket_max_message_size == 2**20
    lay_out(tmp_path)
    for command, code in ((DAPHNE, 1006), (UVICORN, 1012)):
        server = Server(command, tmp_path)
        with visit(server, "/ws/chat/") as websocket:
            server.end()
            assert closed_with(websocket) == code


@pytest.mark.claim(
    "lesson 22", "`max_fails=0` means that one which was away is tried again at once."
)
def test_server_that_was_away(tmp_path):
    (tmp_path / "run").mkdir()
    for option, status in (("", 502), (" max_fails=0", 200)):
        two = f"server unix:run/one.sock{option}; server unix:run/two.sock{option};"
        text = FILE.replace("server unix:run/one.sock;", two).replace("LINES", "")
        (tmp_path / "nginx.conf").write_text(text)
        with Server(NGINX, tmp_path) as server:
            assert server.http("/").status_code == 502
            with listening(tmp_path / "run/one.sock"):
                assert server.http("/").status_code == status


@pytest.mark.claim(
    "lesson 22",
    "nginx hangs up where nothing comes for a while, and without this line that is a minute.",
)
@pytest.mark.claim("solutions 22", "No `proxy_read_timeout` at all: 60 seconds are enough")
def test_how_long_nginx_waits_by_itself(heard, proxy, tmp_path):
    for line, seconds in (("", 60), ("proxy_read_timeout 90s;", 90)):
        log = tmp_path / f"run/{seconds}.log"
        proxy(line, f"error_log {log.name} debug;").http("/")
        timers = re.findall(r"event timer add: \d+: (\d+):", log.read_text())
        assert str(seconds * 1000) in timers


@pytest.mark.claim(
    "solutions 22",
    "A `location` takes over no `proxy_pass` and no headers from the `location` beside it",
    "with the header `X-Accel-Buffering: no` in its answer nginx does not gather, whatever its "
    "file says.",
)
def test_one_location_beside_another(proxy, tmp_path):
    (tmp_path / "run").mkdir()
    answer = b"HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n\r\nfirst"
    with listening(tmp_path / "run/one.sock", answer, goes_on=True) as heads:
        other = "} location /other/ {"
        server = proxy("proxy_set_header X-Own kept;", other, "proxy_pass http://site;")
        for path in ("/", "/other/"):
            with httpx.stream("GET", server.url(path), trust_env=False) as page:
                assert next(page.iter_text()) == "first"  # and the answer goes on
        assert ["X-Own" in head for head in heads] == [True, False]
        assert proxy("proxy_set_header X-Own kept;", other).http("/other/").status_code == 404


@pytest.mark.claim(
    "lesson 22",
    "Set that only where the proxy writes this header in any case: otherwise visitors write it.",
)
def test_header_that_django_believes():
    from django.test import RequestFactory, override_settings

    if not settings.configured:
        settings.configure()
    of_visitor = RequestFactory().get("/", headers={"X-Forwarded-Proto": "https"})
    assert not of_visitor.is_secure()
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        assert of_visitor.is_secure()


# Names that systemd knows in a unit. Source: its manual, systemd.unit, .service, .exec and .kill.
# `systemd-analyze verify` of 252 took such a unit, without OnFailure and StartLimit…, by hand, and
# named a misspelt one.
SYSTEMD = {
    "Unit": {"After", "OnFailure", "StartLimitBurst", "StartLimitIntervalSec"},
    "Service": {
        *("User", "Group", "WorkingDirectory", "EnvironmentFile", "Environment"),
        *("RuntimeDirectory", "RuntimeDirectoryMode", "ExecStart", "KillSignal"),
        *("TimeoutStopSec", "Restart", "RestartSec"),
    },
    "Install": {"WantedBy"},
}


@pytest.mark.claim(
    "lesson 22",
    "`RuntimeDirectoryMode` keeps other users of the computer away from the sockets",
    "nginx needs them, so `Group` is nginx's",
    "The worker of lesson 15 is a unit of its own",
    "`-v 0` keeps what follows a `?` out of the log.",
)
def test_what_a_supervisor_is_told():
    (page,) = NOTEBOOKS.glob("*_deploy_it.ipynb")
    text = "\n".join(cell.source for cell in notebook.read(page).cells)
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read_string(re.search(r"```ini\n(.+?)```", text, re.S)[1])
    for section in unit.sections():
        assert set(unit[section]) <= SYSTEMD[section]
    assert unit["Service"]["RuntimeDirectoryMode"] == "0750", "the group: nginx's"
    assert unit["Service"]["Group"] == "www-data", "or nginx is answered 'Permission denied'"
    lines = [
        unit["Service"]["ExecStart"],
        re.search(r"^web: (.+)$", text, re.M)[1].replace("$PORT", "8000"),
        shlex.join(json.loads(re.search(r"^CMD (.+)$", text, re.M)[1])),
    ]
    for line in lines:
        program, *arguments = shlex.split(line)
        typed = CommandLineInterface().parser.parse_args(arguments)
        assert program.endswith("daphne")
        assert typed.application == "myproject.asgi:application"
        assert typed.proxy_headers
        assert typed.verbosity == 0, "or tokens of pages stand in the log"
    socket_of_unit = f"/{unit['Service']['RuntimeDirectory']}/socket".replace("%i", "one")
    assert f"`unix:/run{socket_of_unit}`" in text
    worker = re.search(r"^worker: (.+)$", text, re.M)[1]
    assert f"bin/{worker}`" in text, "of the unit"
    assert "needed(" in stated("lesson 22") or "needed(" in text


def waiting(path):
    """Return how many connections to a Unix socket wait, at most 80, while nobody takes them."""
    with contextlib.ExitStack() as stack:
        for number in range(80):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(str(path))
            except BlockingIOError:  # what nginx answers by 502
                return number
    return 80


def answers_at(path):
    if not path.exists():
        return None
    with (
        contextlib.suppress(httpx.TransportError),
        httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client,
    ):
        return client.get("http://localhost/").status_code


@pytest.mark.skipif(sys.platform != "linux", reason="what waits is counted as Linux does")
@pytest.mark.claim(
    "lesson 22", "The last one offers to compress what comes. daphne never does; for uvicorn see"
)
@pytest.mark.parametrize(("command", "compresses"), [(DAPHNE, False), (UVICORN, True)])
def test_who_takes_the_offer_to_compress(project, command, compresses):
    with Server(command, project) as server:
        options = {"origin": server.url("").rstrip("/"), "compression": "deflate", "proxy": None}
        with connect(server.ws("/ws/chat/"), **options) as websocket:
            assert "Sec-WebSocket-Extensions" in websocket.request.headers
            assert bool(websocket.protocol.extensions) == compresses


@pytest.mark.claim("lesson 22", "daphne's Unix socket lets 50 wait")
def test_how_many_may_come_in_one_moment(project, tmp_path):
    lay_out_kinds(project, tmp_path)
    for name, option, most in (
        ("one.sock", "-u one.sock", 51),
        ("two.sock", "-e unix:two.sock:backlog=1024", 80),
    ):
        command = [sys.executable, "-m", "daphne", *option.split(), "myproject.asgi:application"]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as daphne:
            try:
                assert eventually(lambda path=tmp_path / name: answers_at(path))
                daphne.send_signal(signal.SIGSTOP)
                stopped = psutil.Process(daphne.pid)
                assert eventually(lambda its=stopped: its.status() == psutil.STATUS_STOPPED)
                assert waiting(tmp_path / name) == most, "Linux lets one more wait than it is told"
            finally:
                daphne.kill()


@pytest.mark.claim(
    "lesson 22",
    "(`--noinput`: without asking whether it may, when they are there already)",
)
def test_files_that_are_collected_again(tmp_path):
    shutil.copytree(SAMPLE / "finished", tmp_path, dirs_exist_ok=True)
    (tmp_path / "run/static").mkdir(parents=True)
    (tmp_path / "run/static/old.css").touch()
    needed = {"SECRET_KEY": "x" * 50, "SITE": "https://board.example"}
    variables = {f"DJANGO_{name}": value for name, value in needed.items()}
    variables |= {"DJANGO_SETTINGS_MODULE": "myproject.production", "REDIS_URL": "redis://"}
    command = [sys.executable, "manage.py", "collectstatic", "--verbosity", "0"]
    for options, returned in (([], 1), (["--noinput"], 0)):
        ended = subprocess.run(
            [*command, *options],
            cwd=tmp_path,
            env=os.environ | variables,
            input="\n",
            capture_output=True,
            text=True,
        )
        assert ended.returncode == returned, ended.stderr
        assert ("Are you sure" in ended.stdout) == bool(returned)


@pytest.mark.claim("lesson 22", "On the net that is an authority such as Let's Encrypt.")
def test_authority_that_browsers_trust():
    """Mozilla's list, which certifi brings, has the root of Let's Encrypt, ISRG's."""
    trusted = ssl.create_default_context(cafile=certifi.where())
    names = [dict(item[0] for item in its["subject"]) for its in trusted.get_ca_certs()]
    assert "ISRG Root X1" in {name.get("commonName") for name in names}


@pytest.mark.claim(
    "lesson 22",
    "What the site needs is in `requirements.txt`. (Lesson 24 adds `django-htmx`, and lesson 27 "
    "`prometheus-client`.)",
)
def test_what_the_finished_site_needs():
    """All that the site imports is named there, or needed by what is named there."""
    cells = json.loads(next(NOTEBOOKS.glob("22_*.ipynb")).read_text("utf-8"))["cells"]
    lesson = "\n".join("".join(cell["source"]) for cell in cells)
    (text,) = re.findall(r"in `requirements.txt`.+?```text\n(.+?)```", lesson, re.S)
    named = {Requirement(line).name for line in text.splitlines()}
    needs = {need for name in named for need in map(Requirement, metadata.requires(name) or ())}
    known = {canonicalize_name(name) for name in named | {need.name for need in needs}}
    known |= {"django-htmx", "prometheus-client"}
    owners = metadata.packages_distributions()
    files = [*(SAMPLE / "finished").rglob("*.py"), *(SAMPLE / "start").rglob("*.py")]
    site = [path for path in files if not re.search("test|experiments", path.as_posix())]
    assert len(site) > 30
    for path in site:
        imported = re.findall(r"^\s*(?:from|import) ([a-z_]+)", path.read_text(), re.M)
        for name in {*imported} & {*owners}:
            assert known & {canonicalize_name(owner) for owner in owners[name]}, (path, name)
