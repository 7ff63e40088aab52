"""A typed command runs in the background, on the port it should, until it is stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

import psutil
import pytest
from clients import DAPHNE, HELLO, RUNSERVER, client, eventually, family, gone, talk

from channels_live.record import Record
from channels_live.server import ServerError
from channels_live.server.command import parse
from channels_live.server.ports import free_port, is_free
from channels_live.server.typed import taken_apart
from channels_live.server.watch import watch
from channels_live.timeline.timeline import GAPS, UNANSWERED

WEB = "myproject.asgi:application"


# Commands as typed


@pytest.mark.parametrize(
    ("line", "port"),
    [
        (f"daphne {WEB}", 8000),
        (f"daphne -p 8001 {WEB}", 8001),
        (f"daphne -p8001 {WEB}", 8001),
        (f"daphne --port=8001 {WEB}", 8001),
        (f"daphne --port 8001 -b 127.0.0.1 {WEB}", 8001),
        (f"daphne -v 2 -t 9 {WEB}", 8000),
        (f"daphne {WEB} -p 8001 -v 2", 8001),
        ("python manage.py runserver", 8000),
        ("python manage.py runserver 8001", 8001),
        ("python3 manage.py runserver 127.0.0.1:8001", 8001),
        ("python manage.py runserver localhost:8001 --noreload", 8001),
        ("python manage.py runserver --noreload 8001", 8001),
        ("python manage.py runserver -v 2", 8000),
        ("python manage.py runserver -v 2 8001", 8001),
        ("python manage.py runserver --verbosity 2 8001 --noreload", 8001),
        ("python manage.py runserver --http_timeout 60", 8000),
        ("python -v manage.py runserver 8001", 8001),
        ("python manage.py runworker jobs", None),
        ("python manage.py migrate", None),
        ("python serve.py --port 8001 --fast", 8001),
        ("python serve.py --port", None),
    ],
)
def test_port_is_read_from_the_command(line, port):
    assert parse(line).port == port


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"daphne {WEB}", ["-P", "-m", "daphne", "-b", "127.0.0.1", "-p", "9000", WEB]),
        (
            f"daphne -v 2 {WEB} -p8001",
            ["-P", "-m", "daphne", "-b", "127.0.0.1", "-p", "9000", "-v", "2", WEB],
        ),
        (
            "python manage.py runserver -v 2 8001 --noreload",
            ["manage.py", "runserver", "127.0.0.1:9000", "-v", "2", "--noreload"],
        ),
        ("python manage.py runserver", ["manage.py", "runserver", "127.0.0.1:9000"]),
        ("python serve.py --port 8001 x", ["serve.py", "--port", "9000", "x"]),
        (
            "python manage.py runserver localhost:8001",
            ["manage.py", "runserver", "localhost:9000"],
        ),
    ],
)
def test_command_can_be_given_another_port(line, words):
    assert parse(line).argv(9000) == [sys.executable, *words]


def test_command_is_run_word_for_word_on_its_own_port():
    typed = ["-v", "2", "--port=8001", "--root-path", "/a b", WEB]
    argv = parse(f"daphne -v 2 --port=8001 --root-path '/a b' {WEB}").argv(8001)
    assert argv == [sys.executable, "-P", "-m", "daphne", *typed]


@pytest.mark.parametrize(
    "line",
    [
        f"daphne -b 0.0.0.0 {WEB}",
        f"daphne --bind=0.0.0.0 {WEB}",
        f"daphne --bin 0.0.0.0 {WEB}",
        # no "::" in a name, by which pytest-xdist tells modules apart
        pytest.param(f"daphne -b :: {WEB}", id="daphne -b IPv6"),
        "python manage.py runserver 0.0.0.0:8000",
        "python manage.py runserver 0:8000",
        "python manage.py runserver --noreload 0:8000",
        pytest.param("python manage.py runserver [::]:8000", id="runserver IPv6"),
    ],
)
def test_server_is_not_opened_to_other_computers(start, line):
    with pytest.raises(ServerError, match=r"would open this server to other computers"):
        start(line)


@pytest.mark.parametrize("options", ["-e tcp:8000", "--endpoint tcp:8000", "--fd 3"])
def test_daphne_listens_on_a_port_and_nowhere_else(start, options):
    with pytest.raises(ServerError, match=r"say it with -p"):
        start(f"daphne {options} {WEB}")


@pytest.mark.parametrize(
    ("line", "ready", "words"),
    [
        (f"uvicorn --host 0.0.0.0 --port 8000 {WEB}", "running on", "leave the address out"),
        ("python -m http.server 0", "Serving HTTP", "such as --bind 127.0.0.1"),
        (
            "python -c 'import socket; s = socket.create_server((\"\", 0)); print(1); s.accept()'",
            "1",
            "give it that address",
        ),
    ],
    ids=["uvicorn", "http.server", "any program"],
)
def test_what_listens_everywhere_is_ended_whatever_was_typed(start, line, ready, words):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with pytest.raises(ServerError, match=words):
        start(line, ready=ready)
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (
            f"daphne {WEB} | tee log",
            "`|` cannot be used. What the server prints is in `server.log()`",
        ),
        (f"daphne {WEB} > log 2>&1", "`>` cannot be used. What the server prints"),
        (f"daphne {WEB} &", "`&` cannot be used. A server runs in the background anyway"),
        (f"cd site && daphne {WEB}", "`&&` cannot be used. Start one command at a time."),
        (f"date; daphne {WEB}", "`;` cannot be used. Start one command at a time."),
    ],
)
def test_what_only_a_shell_understands_is_told_with_what_to_do(start, line, instead):
    with pytest.raises(ServerError) as caught:
        start(line)
    assert str(caught.value).startswith(f"There is no shell here, so {instead}")


@pytest.mark.parametrize("prompt", ["$ ", " % ", "!", "! "])
def test_prompt_that_was_copied_along_is_told(start, prompt):
    with pytest.raises(ServerError, match=f"leave it out. Write `daphne {WEB}`."):
        start(f"{prompt}daphne {WEB}")


@pytest.mark.parametrize(
    ("printed", "typed"),
    [
        ("daphne –p 8000 x", "-p 8000 x"),
        ("daphne —port 8000 x", "--port 8000 x"),
        ("daphne “x”", '"x"'),
        ("daphne ‘x’", "'x'"),
        ("daphne\u00a0-p 8000 x", "-p 8000 x"),
    ],
)
def test_characters_of_printed_texts_are_told_with_those_to_write(start, printed, typed):
    with pytest.raises(ServerError) as caught:
        start(printed)
    assert str(caught.value).endswith(f"for printed texts. Write `daphne {typed}`.")


def test_line_is_a_command_unless_it_goes_on():
    with pytest.raises(ServerError, match="Each line is a command of its own"):
        taken_apart(f"cd site\ndaphne {WEB}")
    assert taken_apart("daphne \\\n  -p 8000 \\\r\n x")[0] == ["daphne", "-p", "8000", "x"]
    assert taken_apart("\n daphne 'a\nb'\n")[0] == ["daphne", "a\nb"]
    assert taken_apart("daphne Ann’s/x a–b")[0] == ["daphne", "Ann’s/x", "a–b"]


@pytest.mark.parametrize("name", ["runserver", "runworker"])
def test_command_of_the_project_is_told_whole(start, name):
    with pytest.raises(ServerError, match=f"`python manage.py {name} …`"):
        start(f"{name} 8000")


def test_command_of_another_user(start):
    with pytest.raises(ServerError, match="needs another user's rights: leave `sudo` out"):
        start(f"sudo daphne {WEB}")


@pytest.mark.parametrize("line", [["daphne", WEB], None, 8000, b"daphne"])
def test_command_that_is_no_text(start, line):
    with pytest.raises(ServerError, match="A command is a text, as typed in a terminal, not "):
        start(line)


@pytest.mark.parametrize(
    "line",
    [
        f"python -m daphne -p 8000 {WEB}",
        f"uv run daphne -p 8000 {WEB}",
        f"nohup env DEBUG=1 time daphne -p 8000 {WEB}",
        "./manage.py runserver --noreload",
        f"DJANGO_ALLOWED_HOSTS=[::1] daphne -b ::1 -p 8000 {WEB}",
        "DJANGO_ALLOWED_HOSTS=[::1] python manage.py runserver --noreload [::1]:8000",
    ],
)
def test_commands_as_people_type_them(forked, start, line):
    server = start(line)
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert server.http("/accounts/login/").status_code == 200


def test_variables_before_a_command_are_its_own(start, site):
    (site / "show.py").write_text(
        "import os, time\nprint(os.environ['A'], 'B=1')\ntime.sleep(60)\n"
    )
    server = start("A='x y' B= python show.py", ready="B=1\n")
    assert server.log() == "x y B=1"
    assert "A" not in os.environ


def test_address_is_known_or_it_is_said_that_it_is_not(start, site):
    program = (
        "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(1); time.sleep(60)"
    )
    (site / "listens.py").write_text(program)
    server = start("python listens.py", ready="1\n")
    assert server.ws() == f"ws://127.0.0.1:{server.port}/"
    assert server.port
    server = start("python -c 'import time; print(1); time.sleep(60)'", ready="1\n")
    with pytest.raises(ServerError, match="It is not known on which port this listens"):
        server.ws()


# Ready


@pytest.mark.parametrize("command", [DAPHNE, f"{RUNSERVER} --noreload", RUNSERVER])
def test_ready_means_that_it_answers_at_once(start, command):
    assert talk(start(command), "/ws/chat/", HELLO) == [HELLO]


def test_page_is_answered(daphne):
    assert daphne.http("/accounts/login/").status_code == 200
    assert daphne.http("/accounts/login/", "POST").status_code == 403
    assert daphne.url("/a/") == f"http://127.0.0.1:{daphne.port}/a/"
    assert daphne.ws("/a/") == f"ws://127.0.0.1:{daphne.port}/a/"


def test_other_command_is_ready_when_it_says_so(start):
    server = start("python -c 'import time; print(1 + 1); time.sleep(99)'", ready="2\n", timeout=5)
    assert server.port is None
    assert server.log() == "2"


def test_server_runs_with_the_python_of_the_kernel(start, monkeypatch, tmp_path):
    for name in ("daphne", "python"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 9\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for command in (DAPHNE, f"{RUNSERVER} --noreload"):
        assert psutil.Process(start(command).pid).exe() == psutil.Process().exe()


def test_proxy_of_the_environment_is_not_asked(forked, start, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert start().http("/accounts/login/").status_code == 200


def test_python_path_of_the_environment_is_kept(start, site, monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/sitecustomize.py").write_text("print('the customised Python')\n")
    (tmp_path / "mine/my_library.py").write_text("print('my library')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "mine"))
    consumers = site / "myapp/consumers.py"
    consumers.write_text(consumers.read_text() + "\nimport my_library\n")
    server = start()
    assert server.log("the customised Python") == "the customised Python"
    assert server.log("my library") == "my library"
    talk(server)
    assert "101 accepted" in str(server.timeline())


# The port


def test_typed_port_is_used(forked, start, monkeypatch, capsys):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    port = free_port()
    assert start(f"daphne -p {port} {WEB}").port == port
    assert capsys.readouterr().out == ""


def test_port_zero_is_any_port(forked, start, monkeypatch):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    server = start(f"daphne -p 0 {WEB}")
    assert server.port > 0
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert f"Listening on TCP address 127.0.0.1:{server.port}" in server.log()


def test_it_listens_on_this_computer_only(forked, start):
    for command in (f"daphne {WEB}", f"{RUNSERVER} --noreload"):
        listening = [
            connection.laddr.ip
            for process in family(start(command).pid)
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == ["127.0.0.1"]


def test_restart_keeps_the_port_and_begins_anew(forked, start, capsys):
    server = start()
    port, pid = server.port, server.pid
    talk(server)
    server.restart()
    assert server.port == port
    assert server.pid != pid
    assert str(server.timeline()) == (
        "server       started again; before that: timeline(restarts=True)"
    )
    assert "WSCONNECT" not in server.log()
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert capsys.readouterr().out == f"Running again: {DAPHNE}\n"


def test_reload_is_waited_for(start, site):
    server = start(RUNSERVER)
    consumers = site / "myapp/consumers.py"
    good = consumers.read_text()

    consumers.write_text(good.replace("def connect(self):", "def connect(self)"))
    with pytest.raises(ServerError, match=r"consumers.py, line 12: SyntaxError: expected ':'"):
        server.wait_for_reload()

    consumers.write_text(good.replace('{"message": message}', '{"message": message.upper()}'))
    server.wait_for_reload()
    assert talk(server, "/ws/chat/", HELLO) == [HELLO.replace("hello", "HELLO")]

    with pytest.raises(ServerError, match=r"Nothing was reloaded within 0\.1 seconds"):
        server.wait_for_reload(timeout=0.1)
    assert server.running


# The end


@pytest.mark.parametrize("command", [DAPHNE, RUNSERVER, "python manage.py runworker jobs"])
def test_stop_ends_every_process(start, capsys, command):
    server = start(command)
    processes = family(server.pid)
    server.stop()
    assert gone(processes, within=0)
    assert not server.running
    assert capsys.readouterr().out == f"Stopped: {command}\n"


def test_stop_ends_a_server_with_open_connections(start):
    server = start()
    with client(server) as idle, client(server, "/ws/endless/") as busy:
        busy.send("x")
        processes = family(server.pid)
        server.stop()
        assert gone(processes, within=0)
        with pytest.raises(Exception, match="no close frame"):
            idle.recv(timeout=30)


def test_server_is_shown_by_what_was_typed(forked, start):
    server = start()
    assert repr(server) == f"<Server '{server.command}', running>"
    server.stop()
    assert repr(server) == f"<Server '{server.command}', ended>"


def test_stopping_twice_says_so(forked, start, capsys):
    server = start()
    server.stop()
    server.stop()
    assert capsys.readouterr().out == f"Stopped: {DAPHNE}\nAlready ended: {DAPHNE}\n"


def test_server_that_has_ended_has_no_address(forked, start):
    server = start()
    server.stop()
    for ask in (server.ws, server.url, server.http):
        with pytest.raises(ServerError, match="This server has been stopped"):
            ask("/")


def test_dead_server_can_be_asked_and_stopped_and_restarted(start, capsys):
    server = start()
    talk(server)
    talked = str(server.timeline())
    psutil.Process(server.pid).kill()
    assert eventually(lambda: not server.running)
    assert str(server.timeline()) == f"{talked}\n\n{GAPS['killed']}"
    assert "WSCONNECT" in server.log()
    server.stop()
    assert capsys.readouterr().out == f"Already ended: {DAPHNE}\n"
    server.restart()
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]


def test_no_log_file_is_left_behind(forked, start, monkeypatch, tmp_path):
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    server = start()
    server.restart()
    server.stop()
    assert "Listening" in server.log()
    if os.name != "nt":  # which keeps a file that is open
        assert not list((tmp_path / "temp").iterdir())


# The log


def test_log_is_told_in_parts(daphne):
    talk(daphne, "/ws/refusing/")
    refused = '127.0.0.1 - - "WSREJECT /ws/refusing/" - -'
    assert daphne.log("WSREJECT") == refused
    assert daphne.log(last=2).splitlines()[0] == refused
    assert len(daphne.log(last=2).splitlines()) == 2
    assert daphne.log("/ws/refusing/", last=1) == daphne.log(last=1)
    assert daphne.log("no such text") == ""


def test_log_names_the_typed_port_where_any_other_will_do(daphne, monkeypatch):
    assert daphne.log("Listening on").endswith("Listening on TCP address 127.0.0.1:8000")
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    assert daphne.log("Listening on").endswith(f"on TCP address 127.0.0.1:{daphne.port}")


def test_log_is_waited_for(start, site, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    (site / "count.py").write_text("import time\nfor n in range(99):\n    print(n)\ntime.sleep(60)")
    server = start("python count.py", ready="0\n")
    assert server.wait_for_log("42") == "42"
    with pytest.raises(ServerError, match=r"has not printed 'x' within 0\.1 seconds"):
        server.wait_for_log("x", timeout=0.1)


def test_full_log_is_word_for_word(daphne):
    talk(daphne, "/ws/broken/")
    full = daphne.log(full=True)
    assert f"Listening on TCP address 127.0.0.1:{daphne.port}\n" in full
    assert re.search(r'File ".+consumer\.py", line \d+, in dispatch', full)
    assert not re.search(r'File ".+consumer\.py", line \d+, in dispatch', daphne.log())


def test_free_port_is_free_and_no_other_server_just_had_it():
    ports = [free_port() for _ in range(1000)]
    assert len(set(ports)) == 1000
    assert is_free(ports[0])
    code = "from channels_live.server.ports import free_port; print(free_port())"
    others = {int(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)}
    assert len(others) == 5  # processes that come and go do not have the same ones


def test_free_port_is_none_that_is_listened_on():
    with socket.create_server(("127.0.0.1", free_port() + 1)) as taken:
        assert free_port() != taken.getsockname()[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP")
def test_timeline_says_that_a_stopped_server_does_not_answer(forked, start):
    server = start()
    talk(server, "/ws/chat/", HELLO)
    told = str(server.timeline())
    os.kill(server.pid, signal.SIGSTOP)
    assert str(server.timeline()) == f"{told}\n\n{UNANSWERED}"
    os.kill(server.pid, signal.SIGCONT)
    assert str(server.timeline()) == told


def test_timeline_of_a_server_that_has_ended_is_as_it_was(forked, start):
    server = start()
    talk(server, "/ws/chat/", HELLO)
    told = str(server.timeline())
    psutil.Process(server.pid).kill()
    assert eventually(lambda: not server.running)
    assert str(server.timeline()) == f"{told}\n\n{GAPS['killed']}"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sh")
def test_program_that_goes_into_the_background_is_told_and_ended(start, site):
    with pytest.raises(ServerError, match="what it left in the background was ended too") as caught:
        start("sh -c 'sleep 300 & echo $! > pid'", ready="never")
    assert not caught.value.timed_out
    assert not psutil.pid_exists(int((site / "pid").read_text()))


# Watching


def test_flood_is_not_drawn_frame_by_frame(monkeypatch):
    pictures = []

    class Place:
        update = staticmethod(pictures.append)

    monkeypatch.setattr("IPython.get_ipython", lambda: "a notebook")
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: Place)
    record = Record()
    watcher = watch(record, lambda: len(record.events))
    for _ in range(3000):
        with record.changed:
            record.events.append({})
            record.changed.notify_all()
    record.close()
    watcher.join(5)
    assert pictures[-1] == 3000
    assert len(pictures) < 100
