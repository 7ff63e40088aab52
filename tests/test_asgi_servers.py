"""uvicorn, hypercorn, granian and gunicorn start as they are typed, for this computer only."""

import socket
import sys

import httpx
import psutil
import pytest
from clients import HELLO, PATIENCE, talk
from websockets.sync.client import unix_connect

from channels_live import ServerError
from channels_live.server.command import parse
from channels_live.server.ports import free_port, listened_on

WEB, WSGI = "myproject.asgi:application", "myproject.wsgi:application"
GUNICORN = "gunicorn -k uvicorn_worker.UvicornWorker"
not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn is not for Windows")


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        (f"uvicorn {WEB}", "127.0.0.1", 8000),
        (f"uvicorn --port 8001 {WEB}", "127.0.0.1", 8001),
        (f"uvicorn {WEB} --host localhost --port=8001", "localhost", 8001),
        (f"UVICORN_PORT=8001 uvicorn {WEB}", "127.0.0.1", 8001),
        (f"uvicorn --host ::1 {WEB}", "::1", 8000),
        (f"python -m uvicorn --port 8001 {WEB}", "127.0.0.1", 8001),
        (f"hypercorn {WEB}", "127.0.0.1", 8000),
        (f"hypercorn -b 127.0.0.1:8001 {WEB}", "127.0.0.1", 8001),
        (f"hypercorn {WEB} --bind=localhost:8001", "localhost", 8001),
        (f"hypercorn -b127.0.0.1:8001 {WEB}", "127.0.0.1", 8001),
        (f"hypercorn -b [::1]:8001 {WEB}", "[::1]", 8001),
        (f"hypercorn -b 127.0.0.1 {WEB}", "127.0.0.1", 8000),
        (f"granian --interface asgi --port 8001 {WEB}", "127.0.0.1", 8001),
        (f"GRANIAN_PORT=8001 granian --interface asgi {WEB}", "127.0.0.1", 8001),
        pytest.param(f"{GUNICORN} {WEB}", "127.0.0.1", 8000, marks=not_on_windows),
        pytest.param(
            f"{GUNICORN} -b localhost:8001 {WEB}", "localhost", 8001, marks=not_on_windows
        ),
        pytest.param(f"PORT=8001 {GUNICORN} {WEB}", "127.0.0.1", 8001, marks=not_on_windows),
    ],
)
def test_address_in_every_spelling(line, host, port):
    command = parse(line)
    assert (command.host, command.port) == (host, port)
    assert WEB in command.argv(None)
    changed = command.argv(9000)
    assert "9000" in " ".join(changed)
    assert "8001" not in " ".join(changed)
    assert changed[-1] == WEB


@pytest.mark.parametrize(
    "line",
    [
        f"uvicorn --host 0.0.0.0 {WEB}",
        f"uvicorn --host=:: {WEB}",
        f"UVICORN_HOST=0.0.0.0 uvicorn {WEB}",
        f"hypercorn -b 0.0.0.0:8000 {WEB}",
        f"hypercorn -b :8000 {WEB}",
        f"granian --interface asgi --host 0.0.0.0 {WEB}",
        pytest.param(f"{GUNICORN} -b :8000 {WEB}", marks=not_on_windows),
        pytest.param(f"{GUNICORN} -b 8000 {WEB}", marks=not_on_windows),
    ],
)
def test_never_for_other_computers(line):
    with pytest.raises(ServerError, match="would open this server to other computers"):
        parse(line)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        (f"uvicorn --fd 3 {WEB}", "--port"),
        (f"hypercorn -b 127.0.0.1:8000 -b 127.0.0.1:8001 {WEB}", "-b"),
    ],
)
def test_other_than_one_port(line, option):
    with pytest.raises(ServerError, match=f"on one port of 127.0.0.1: say it with {option}"):
        parse(line)


@pytest.mark.parametrize(
    "line",
    [
        f"uvicorn --uds run/site.sock {WEB}",
        f"granian --interface asgi --uds run/site.sock {WEB}",
        f"hypercorn -b unix:run/site.sock {WEB}",
        f"hypercorn -c site.toml {WEB}",
        pytest.param(f"{GUNICORN} -b unix:run/site.sock {WEB}", marks=not_on_windows),
        pytest.param(f"{GUNICORN} --config site.py {WEB}", marks=not_on_windows),
        pytest.param(f"{GUNICORN} {WEB}", marks=not_on_windows),
    ],
)
def test_sockets_and_files_are_left_as_they_are_typed(tmp_path, line):
    (tmp_path / "gunicorn.conf.py").write_text("bind = '127.0.0.1:8001'\n")
    command = parse(line, tmp_path)
    assert command.port is None
    assert command.argv(None)[1:] == line.split()[1:]
    assert parse(f"hypercorn -b 127.0.0.1:8002 -c site.toml {WEB}", tmp_path).port == 8002


@pytest.mark.live
@pytest.mark.parametrize(
    "line",
    [
        "uvicorn --uds {} " + WEB,
        "hypercorn -b unix:{} " + WEB,
        "granian --interface asgi --uds {} " + WEB,
        pytest.param(GUNICORN + " -b unix:{} " + WEB, marks=not_on_windows),
    ],
)
def test_each_on_a_unix_socket(start, tmp_path, line):
    server = start(line.format(tmp_path / "s"), timeout=PATIENCE)
    transport = httpx.HTTPTransport(uds=str(tmp_path / "s"))
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        assert http.get("/nowhere").status_code == 404
    assert "GET /nowhere" in str(server.timeline())


@pytest.mark.live
@not_on_windows
def test_address_that_stands_in_a_file(start, site):
    port = free_port()
    (site / "gunicorn.conf.py").write_text(f"bind = '127.0.0.1:{port}'\n")
    server = start(f"gunicorn {WSGI}", site, timeout=PATIENCE)
    assert server.port == port
    assert server.http("/nowhere").status_code == 404


@pytest.mark.live
@not_on_windows
def test_file_that_would_open_it_to_others(start, site):
    (site / "gunicorn.conf.py").write_text(f"bind = '0.0.0.0:{free_port()}'\n")
    with pytest.raises(ServerError, match=r"listens on '0\.0\.0\.0', where other"):
        start(f"gunicorn {WSGI}", site, timeout=PATIENCE)


@pytest.mark.live
@not_on_windows
def test_gunicorn_for_wsgi(start, site):
    server = start(f"gunicorn -b 127.0.0.1:{free_port()} {WSGI}", site, timeout=PATIENCE)
    assert server.http("/nowhere").status_code == 404
    lines = [line.split(maxsplit=2)[2] for line in str(server.timeline()).splitlines()]
    assert lines == ["──▶  GET /nowhere", "◀──  404 not found"]


COMMANDS = [
    "uvicorn --port {} {}",
    "uvicorn --port {} --reload {}",
    "uvicorn --port {} --log-level warning {}",
    "hypercorn -b 127.0.0.1:{} {}",
    "granian --interface asgi --port {} {}",
    pytest.param(GUNICORN + " -b 127.0.0.1:{} {}", marks=not_on_windows),
]


@pytest.mark.live
@pytest.mark.parametrize("line", COMMANDS)
def test_each_is_ready_when_it_says_so(start, monkeypatch, line):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT", raising=False)
    port = free_port()
    server = start(line.format(port, WEB))
    assert server.port == port
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert {host for host, _ in listened_on(server.pid)} <= {"127.0.0.1"}
    family = psutil.Process(server.pid).children(recursive=True)
    server.stop()
    assert not any(process.is_running() for process in family)


@pytest.mark.live
@not_on_windows
def test_quiet_one_on_a_unix_socket(forked, start, site):
    server = start(f"uvicorn --uds quiet.sock --log-level warning {WEB}", site)
    assert server.port is None
    with unix_connect(str(site / "quiet.sock"), "ws://localhost/ws/chat/") as websocket:
        websocket.send(HELLO)
        assert websocket.recv(timeout=10) == HELLO


@pytest.mark.live
@pytest.mark.parametrize("line", COMMANDS)
def test_log_is_the_same_at_every_run(forked, start, line):
    first, second = (start(line.format(8000, WEB)) for _ in range(2))
    assert first.log() == second.log()


@pytest.mark.live
@pytest.mark.parametrize("line", [COMMANDS[0], *COMMANDS[3:5]])
def test_a_taken_port_is_told_from_other_errors(start, line):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ServerError) as caught:
        start(line.format(other.getsockname()[1], WEB), fallback=False)
    assert caught.value.port_taken


@pytest.mark.live
@not_on_windows
def test_what_a_file_of_settings_says_is_seen_too(start, site):
    (site / "gunicorn.conf.py").write_text("bind = ['127.0.0.1:0', '0.0.0.0:0']\n")
    with pytest.raises(ServerError, match="where other computers would reach it"):
        start(
            f"python -c 'import gunicorn.app.wsgiapp as w; w.run()' {GUNICORN[9:]} {WEB}",
            ready="Application startup complete.",
        )


@pytest.mark.live
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("uvicorn nowhere:application", "Error loading ASGI app. Could not import module"),
        ("hypercorn nowhere:application", "Cannot load application from 'nowhere:application'"),
        ("granian --interface asgi nowhere:application", "RuntimeError: Could not import"),
        pytest.param(
            f"{GUNICORN} nowhere:application",
            "ModuleNotFoundError: No module named 'nowhere'",
            marks=not_on_windows,
        ),
    ],
)
def test_reason_where_one_does_not_start(forked, start, line, reason):
    with pytest.raises(ServerError) as caught:
        start(line, timeout=10)
    assert reason in str(caught.value).splitlines()[1]
