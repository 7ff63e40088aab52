"""uvicorn, hypercorn, granian and gunicorn start as they are typed, for this computer only."""

import socket
import sys

import psutil
import pytest
from clients import HELLO, talk

from channels_live import ServerError
from channels_live.server.command import parse
from channels_live.server.ports import free_port, listened_on

WEB = "myproject.asgi:application"
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
        (f"uvicorn --uds /tmp/socket {WEB}", "--port"),
        (f"uvicorn --fd 3 {WEB}", "--port"),
        (f"hypercorn -b unix:/tmp/socket {WEB}", "-b"),
        (f"hypercorn -b 127.0.0.1:8000 -b 127.0.0.1:8001 {WEB}", "-b"),
    ],
)
def test_other_than_one_port(line, option):
    with pytest.raises(ServerError, match=f"on one port of 127.0.0.1: say it with {option}"):
        parse(line)


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
@pytest.mark.parametrize("line", COMMANDS)
def test_log_is_the_same_at_every_run(start, line):
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
def test_reason_where_one_does_not_start(start, line, reason):
    with pytest.raises(ServerError) as caught:
        start(line, timeout=10)
    assert reason in str(caught.value).splitlines()[1]
