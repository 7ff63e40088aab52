"""Who has a port, and how a server of a lesson gets it."""

import os
import socket
import subprocess
import sys

import pytest
from clients import HELLO, talk

from channels_live import Lesson, ServerError
from channels_live.server import holder
from channels_live.server.ports import free_port

pytestmark = pytest.mark.live
# Another notebook: a kernel of its own, whose lesson's server has the port, until it is told.
OTHER = """
import sys
from channels_live import Lesson, ServerError

lesson = Lesson(int(sys.argv[1]))
server = lesson.start(f"daphne -p {sys.argv[2]} myproject.asgi:application")
print("there", flush=True)
input()
print("running" if server.running else "ended")
try:
    server.ws()
except ServerError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def own_workspace(tmp_path, monkeypatch):
    """Give each test a workspace of its own, and ports that are not just any."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT", raising=False)
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def other():
    """Return a function that starts another notebook in a lesson; end it after the test."""
    started = []

    def other(lesson, port, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(lesson), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        started.append(process)
        while process.stdout.readline() != "there\n":
            pass
        return process

    yield other
    for process in started:
        process.communicate("\n" if process.returncode is None else None)


def test_port_of_another_lesson_is_taken_over(forked, other, capsys):
    port = free_port()
    command = f"daphne -p {port} myproject.asgi:application"
    notebook = other(0, port)
    lesson = Lesson(13)
    with pytest.raises(ServerError, match=f"Port {port} is taken by lesson 0, in another note"):
        lesson.start(command, fallback=False)
    capsys.readouterr()
    server = lesson.start(command)
    assert server.port == port
    assert capsys.readouterr().out == (
        f"Port {port} was taken by lesson 0, in another notebook: that is ended now.\n"
        f"Running: {command}\n"
    )
    out, _ = notebook.communicate("\n")
    assert out.splitlines() == [
        "ended",
        f"This server has been stopped: {command}. Its method `restart()` starts it again.",
    ]
    assert server.http("/accounts/login/").status_code == 200
    lesson.stop()


def test_server_of_another_learner_goes_on(forked, other, tmp_path, capsys):
    port = free_port()
    notebook = other(0, port, CHANNELS_LIVE_WORKSPACE=str(tmp_path / "of anna"))
    lesson = Lesson(13)
    server = lesson.start(f"daphne -p {port} myproject.asgi:application")
    assert server.port != port
    said = capsys.readouterr().out
    assert f"Port {port} is taken by the project in {tmp_path / 'of anna' / '00'}, in ano" in said
    assert notebook.communicate("\n")[0].startswith("running\n")
    lesson.stop()


def test_programs_that_are_not_ours_are_never_ended():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert holder.holder_of(listener.getsockname()[1]) is None


def test_restart_takes_another_port_where_its_own_is_taken(forked, start, capsys):
    port = free_port()
    server = start(f"daphne -p {port} myproject.asgi:application")
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    server.end()
    with socket.create_server(("127.0.0.1", port)):
        server.restart()
    assert server.port != port
    assert capsys.readouterr().out.startswith(f"Port {port} is taken by another program: this")
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert "client 1" in str(server.timeline())
    assert "client 2" not in str(server.timeline())


def test_restart_that_may_not_take_another_port(forked, start):
    port = free_port()
    server = start(f"daphne -p {port} myproject.asgi:application", fallback=False)
    server.end()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ServerError, match=f"Port {port} is taken by another program"),
    ):
        server.restart()


def test_timeline_goes_on_after_a_restart_where_asked_to(forked, start):
    server = start()
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    server.restart()
    server.restart()
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    told = str(server.timeline(restarts=True))
    lines = [line for line in told.splitlines() if line]
    assert [line.split("  ")[0] for line in lines] == (
        ["client 1"] * 5 + ["server", "server"] + ["client 2"] * 5
    )
    said = "started again; before that: timeline(restarts=True)"
    assert str(server.timeline()).split(maxsplit=1)[1].startswith(said)
    assert str(server.timeline(client=1)).count("hello") == 2
    assert str(server.overlaps("receive")).endswith("1 call of receive(), never two at a time")
    source = server.timeline(restarts=True).mermaid()
    assert "Note over s1: started again" in source
    assert "as server" not in source


def test_files_named_like_libraries_do_not_disturb_daphne(start, site):
    """As in a terminal: its script does not look into the project's folder first."""
    for name in ("queue", "html", "json", "logging", "socket", "typing", "select", "calendar"):
        (site / f"{name}.py").write_text("raise RuntimeError('not the library')\n")
    server = start("daphne -p 0 myproject.asgi:application")
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert server.http("/nowhere/").status_code == 404
    assert "not the library" not in server.log(full=True)
    assert "client 1" in str(server.timeline())
