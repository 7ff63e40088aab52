"""channels-live watch: what it prints, how it ends, and what never reaches a terminal."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pytest
from clients import eventually, family, gone, own_environment
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channels_live import ServerError
from channels_live.cli import main
from channels_live.record import Record
from channels_live.server import ports
from channels_live.server.command import parse
from channels_live.server.log import LogFile
from channels_live.server.ports import free_port
from channels_live.timeline import Live
from channels_live.watching import OPEN, UNSEEN, _Teller, without_secrets

SCRIPT = Path(sysconfig.get_path("scripts"), "channels-live")
HELLO = '{"message": "hello"}'
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


class Watched:
    """A `channels-live watch` of daphne in a process of its own. out, err: paths."""

    def __init__(self, site, folder, *options, stdout=None, command="daphne -p {} {}"):
        self.port = free_port()
        self.out, self.err = folder / "out", folder / "err"
        words = command.format(self.port, "myproject.asgi:application").split()
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [SCRIPT, "watch", *options, "--", *words],
                cwd=site,
                stdout=stdout or out,
                stderr=err,
            )

    def told(self, text, file=None):
        file = file or self.out
        assert eventually(lambda: text in file.read_text()), file.read_text()

    def talk(self, *frames, path="/ws/chat/"):
        self.told("Listening on TCP", self.err)
        with connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None) as websocket:
            for frame in frames:
                websocket.send(frame)
                try:
                    websocket.recv(timeout=10)
                except ConnectionClosed:
                    return

    def end(self, number=signal.SIGINT):
        started = family(self.process.pid)
        self.process.send_signal(number)
        status = self.process.wait(20)
        assert gone(started)
        return status


@pytest.fixture
def watched(site, tmp_path, monkeypatch):
    """Return a function that starts one; end it after the test."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):  # of who runs the tests
        monkeypatch.delenv(variable, raising=False)
    all_of_them = []

    def watched(*options, **more):
        all_of_them.append(Watched(site, tmp_path, *options, **more))
        return all_of_them[-1]

    yield watched
    for each in all_of_them:
        if each.process.poll() is None:
            each.end(signal.SIGTERM)


@pytest.mark.live
def test_conversation_is_told_while_it_goes_on(watched):
    watch = watched()
    watch.talk(HELLO)
    watch.told("disconnect(1000)")
    lines = watch.out.read_text().splitlines()
    assert [re.split("  +", line)[1:] for line in lines] == [
        ["──▶", "GET /ws/chat/", "ChatConsumer.connect()"],
        ["◀──", "101 accepted"],
        ["──▶", HELLO, "ChatConsumer.receive()"],
        ["◀──", HELLO],
        ["──▶", "close 1000", "ChatConsumer.disconnect(1000)"],
    ]
    assert all(line.startswith("client 1 ") for line in lines)
    assert "WSCONNECT" in watch.err.read_text()
    assert watch.end() == 0
    log = watch.err.read_text()
    assert "Traceback" not in log and "exit code" not in log


@pytest.mark.live
def test_whole_frames_laid_out_with_times(watched):
    watch = watched("--pretty", "--times")
    watch.talk(json.dumps({"message": "x" * 3000}))
    watch.told("disconnect(1000)")
    out = watch.out.read_text()
    assert out.count("x" * 3000) == 2
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3}  client 1 ", out)
    assert f'\n{" " * 34}"message": "xxx'.replace(" " * 34, "") not in out
    assert re.search(r'^ +"message": "xxx', out, re.M)


@pytest.mark.live
def test_lines_for_programs(watched):
    watch = watched("--json", "--full")
    watch.talk(json.dumps({"message": "x" * 500}))
    watch.told("disconnect(1000)")
    told = [json.loads(line) for line in watch.out.read_text().splitlines()]
    assert {"client", "path", "direction", "text", "call", "notes", "time"} == set(told[0])
    assert told[2]["text"] == json.dumps({"message": "x" * 500})
    assert told[2]["call"] == "ChatConsumer.receive()"


@pytest.mark.live
@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["--client", "2"], {"GET /ws/chat/", "101 accepted", '{"message": "two"}', "close 1000"}),
        (["--grep", "two"], {'{"message": "two"}'}),
        (["--path", "nowhere"], set()),
    ],
)
def test_filters(watched, options, texts):
    watch = watched(*options, "--json")
    for word in ("one", "two"):
        watch.talk(json.dumps({"message": word}))
    watch.told("WSDISCONNECT", watch.err)
    watch.end()
    told = [json.loads(line) for line in watch.out.read_text().splitlines()]
    assert {each["text"] for each in told} == texts


@pytest.mark.live
def test_errors_and_the_last_ones(watched, site):
    consumers = site / "myapp/consumers.py"
    consumers.write_text(
        consumers.read_text().replace(
            "def connect(self):", "def connect(self):\n        raise ValueError('\\x1b[31mred')\n"
        )
    )
    watch = watched("--errors")
    with pytest.raises(Exception, match="500"):
        watch.talk()
    watch.told("raised ValueError: �[31mred")
    watch.told("in myapp/consumers.py, line ")
    assert "\x1b" not in watch.out.read_text() + watch.err.read_text()
    watch.told("ValueError: red\n", watch.err)
    watch.end()
    last = watched("--last", "1")
    with pytest.raises(Exception, match="500"):
        last.talk()
    last.told("red", last.err)
    last.end()
    assert len(last.out.read_text().splitlines()) <= 3


@pytest.mark.live
def test_status_of_the_server_is_handed_on(watched):
    watch = watched(command="python -c raise(SystemExit(7)) {} {}")
    assert watch.process.wait(20) == 7
    watch = watched(command="daphne -p {} nowhere:{}")
    assert watch.process.wait(20) == 1
    assert "ModuleNotFoundError: No module named 'nowhere'" in watch.err.read_text()


SLOW = """
import sys, time
print("begun", flush=True)
while True:
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        print("asked", flush=True)
        if sys.argv[1] == "slow":
            time.sleep(1.5)
            sys.exit(5)
"""


@pytest.mark.live
def test_environment_that_is_activated_is_taken(watched, site, monkeypatch):
    own_environment(site / "own", module="only_there")
    with (site / "myapp/consumers.py").open("a") as consumers:
        consumers.write("\nimport only_there\n")
    monkeypatch.setenv("VIRTUAL_ENV", str(site / "own"))
    watch = watched()
    watch.talk(HELLO)
    watch.told("disconnect(1000)")
    assert "its own" in watch.err.read_text()
    python = str(site / "own/bin/python")
    for line in ("python -m daphne x:y", "python3 manage.py runserver", "./manage.py runserver"):
        assert parse(line, in_terminal=True).program[0] in (python, f"{python}3")
        assert parse(line).program[0] == sys.executable
    assert parse("uvicorn x:y", in_terminal=True).program == parse("uvicorn x:y").program


def test_environment_may_only_be_on_the_path(tmp_path, monkeypatch):
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(variable, raising=False)
    own_environment(tmp_path / "own", module="only_there")
    monkeypatch.setenv("PATH", str(tmp_path / "own/bin"), prepend=os.pathsep)
    assert parse("./manage.py runserver", in_terminal=True).program[0] == str(
        tmp_path / "own/bin/python"
    )
    assert parse("./manage.py runserver").program[0] == sys.executable


@pytest.mark.live
def test_what_is_compiled_is_kept_as_without_it(watched, site, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    watched().talk(HELLO)
    assert [*(site / "myapp/__pycache__").glob("consumers.*.pyc")]


@pytest.mark.parametrize("options", ["", "--env-file .env "])
def test_runner_of_a_project_runs_it_in_a_terminal_only(options):
    line = f"uv run {options}daphne -b 127.0.0.1 --port 9 x:y"
    assert parse(line, in_terminal=True).argv(9)[1:] == line.split()[1:]
    assert parse("uv run daphne -p 9 x:y").program[0] == sys.executable


@pytest.mark.parametrize(
    "line",
    [
        "daphne -b 0.0.0.0 -p 8001 x:y",
        "daphne -e tcp:8001 x:y",
        "uvicorn --host 0.0.0.0 --port 8001 x:y",
        "hypercorn -b 0.0.0.0:8001 -b [::]:8001 x:y",
        "python manage.py runserver 0.0.0.0:8001",
    ],
)
def test_server_listens_where_it_is_told_to_in_a_terminal_only(line):
    words = parse(line, in_terminal=True).argv(None)
    assert set(line.split()[1:]) <= set(words)
    with pytest.raises(ServerError, match=r"127\.0\.0\.1"):
        parse(line)


LISTENER = """
import os, socket, time
with socket.create_server(("127.0.0.1", 0)):
    while not os.path.exists("seen"):
        time.sleep(0.05)
"""


@pytest.mark.live
def test_server_that_others_reach_is_told(site, capfd, monkeypatch):
    def open_it(host):  # not really
        (site / "seen").touch()
        return False

    monkeypatch.setattr(ports, "is_loopback", open_it)
    (site / "listens.py").write_text(LISTENER)
    monkeypatch.chdir(site)
    assert main(["watch", "--", "python", "listens.py"]) == 0
    assert OPEN.format("127.0.0.1") in capfd.readouterr().err


TOKEN = "9944b09199c62bcf9418ad846dd0e4bb"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"user": "ann", "password": "x"}', '{"user": "ann", "password": "…"}'),
        (f'{{"access_token":"{TOKEN}","a":1}}', '{"access_token":"…","a":1}'),
        (f'{{"text":"{{\\"token\\":\\"{TOKEN}\\"}}"}}', '{"text":"{\\"token\\":\\"…\\"}"}'),
        ("{'secret': 'it\\'s', 'b': 1}", "{'secret': '…', 'b': 1}"),
        ('{"pin": 1234, "otp": "12"', '{"pin": "…", "otp": "…"'),
        ('{"password": "cut o… (300 bytes)', '{"password": "…"'),
        ("see eyJhbGciOiJIUzI1.eyJzdWIiOiIx.abc_d", "see …"),
        *[
            (text, text)
            for text in (
                '{"type": "token", "token": "Hi", "max_tokens": 100}',
                '{"token": "a model may say a long sentence"}',
                '{"spin": 1, "author": "Ann", "state": "on", "key": "a", "token": null}',
            )
        ],
    ],
)
def test_secrets_in_frames_are_not_shown(text, shown):
    assert without_secrets(text) == shown


@pytest.mark.parametrize("text", ["\\", '"', '"token":"', "eyJ", '\\"', '"pin":-'])
def test_frame_that_is_made_to_take_long_takes_no_longer(text):
    began = time.process_time()
    without_secrets(text * 200_000)
    long = time.process_time() - began
    began = time.process_time()
    without_secrets(text * 20_000)
    short = time.process_time() - began
    assert long < 60 * short + 0.5, "where it is quadratic, 100 times as long"


@pytest.mark.live
@pytest.mark.parametrize("options", [[], ["--secrets"]])
def test_secrets_are_shown_if_asked_for(watched, options):
    watch = watched("--json", *options)
    watch.talk(f'{{"message": "x", "token": "{TOKEN}"}}')
    watch.told("disconnect(1000)")
    assert (TOKEN in watch.out.read_text()) is bool(options)


@pytest.mark.live
def test_server_that_cannot_be_seen_is_told(watched):
    watch = watched(command="python -I -m http.server --bind 127.0.0.1 {}")
    watch.told(UNSEEN, watch.err)
    watch.end()


@pytest.mark.live
def test_server_may_take_its_time_to_end_unless_asked_twice(watched, site):
    (site / "server.py").write_text(SLOW)
    slow = watched(command="python server.py slow {} {}")
    slow.told("begun", slow.err)
    assert slow.end() == 5
    deaf = watched(command="python server.py deaf {} {}")
    deaf.told("begun", deaf.err)
    deaf.process.send_signal(signal.SIGINT)
    deaf.told("asked", deaf.err)
    assert deaf.end() == 128 + signal.SIGKILL


@pytest.mark.live
def test_nothing_is_left_when_the_terminal_closes(watched):
    watch = watched()
    watch.told("Listening on TCP", watch.err)
    assert watch.end(signal.SIGHUP) == 128 + signal.SIGHUP


@pytest.mark.live
@pytest.mark.parametrize("quiet", [False, True])
def test_colors_are_for_terminals(watched, monkeypatch, quiet):
    import pty

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    if not quiet:
        monkeypatch.delenv("NO_COLOR")
    ours, theirs = pty.openpty()
    watch = watched(stdout=theirs)
    os.close(theirs)
    watch.talk(HELLO)
    seen = b""
    while b"disconnect(1000)" not in seen:
        seen += os.read(ours, 10_000)
    assert (b"\x1b[32mclient 1" in seen) is not quiet
    assert (b"\x1b" in seen) is not quiet
    watch.end()
    os.close(ours)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("watch", "say after -- what runs"),
        ("watch --last 0 -- daphne x:y", "argument --last: a number of lines"),
        ("watch -- dafne x:y", "There is no program called 'dafne'"),
    ],
)
def test_what_cannot_be_watched(capsys, line, words):
    try:
        status = main(line.split())
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert words in err


def test_what_no_consumer_takes_up_is_told_after_a_while():
    live = Live(str)
    opened = {"kind": "open", "process": 0, "conn": 1, "at": 5.0, "protocol": "websocket"}
    assert list(live.tell(opened | {"method": "GET", "path": "/ws/"})) == []
    assert list(live.overdue(5.5)) == []
    (told,) = live.overdue(6.5)
    assert (told.client, told.row.text) == ("client 1", "GET /ws/")
    assert list(live.overdue(9.0)) == []


def test_frames_of_an_application_without_consumers_are_told_as_they_come():
    live = Live(str)
    opened = {"kind": "open", "protocol": "websocket", "method": "GET", "path": "/raw/"}
    happened = [
        opened,
        {"kind": "answer", "status": 101},
        {"kind": "in", "text": "asked"},
        {"kind": "out", "text": "answered", "call": None},
        {"kind": "close", "by": "client", "code": 1000, "reason": None},
    ]
    told = [
        [each.row.text for each in live.tell({**event, "process": 0, "conn": 1, "at": 5.0})]
        for event in happened
    ]
    assert told == [[], ["GET /raw/", "101 accepted"], ["asked"], ["answered"], ["close 1000"]]


def test_disconnect_after_the_end_by_the_server_is_told():
    call = {"consumer": "Room", "known": True, "arg": 4000, "call": 1, "text": None}
    happened = [
        {"kind": "open", "protocol": "websocket", "method": "GET", "path": "/room/"},
        {"kind": "call", "handler": "connect", "type": "websocket.connect", **call},
        {"kind": "answer", "status": 101},
        {"kind": "close", "by": "server", "code": 4000, "reason": None},
        {"kind": "return", "call": 1, "seconds": 0.0},
        {"kind": "call", "handler": "disconnect", "type": "websocket.disconnect", **call},
        {"kind": "error", "type": "KeyError", "message": "'x'", "file": None},
    ]
    live, told = Live(str), []
    for event in happened:
        for each in live.tell({**event, "process": 0, "conn": 1, "at": 5.0}):
            told.append((each.row.text, each.row.call, list(each.row.notes)))
    assert told == [
        ("GET /room/", "Room.connect()", []),
        ("101 accepted", "", []),
        ("close 4000", "", []),
        ("", "Room.disconnect(4000)", []),
        ("", "", ["raised KeyError: 'x'"]),
    ]


ENDED = {"kind": "exit", "process": 0, "at": 6.0}
KILLED = {"kind": "gap", "process": 0, "at": 6.0, "why": "killed", "detail": None}


@pytest.mark.parametrize("end", [ENDED, KILLED], ids=["exit", "killed"])
def test_what_is_open_when_a_process_ends_is_dropped_with_it(end):
    live = Live(str)
    for process, number, more in (
        (0, 1, []),
        (0, 2, [{"kind": "close", "by": "client"}]),
        (1, 1, []),
    ):
        opened = {"kind": "open", "protocol": "websocket", "method": "GET", "path": "/"}
        for event in [opened, {"kind": "answer", "status": 101}, *more]:
            event = {"code": 1000, "reason": None, **event}
            list(live.tell({**event, "process": process, "conn": number, "at": 5.0}))
    (told,) = live.tell(end)
    assert (told.client, told.row.text) == ("client 1", "connection dropped (1006)")
    assert told.row.notes == ["its process ended"]


def test_long_watch_forgets_what_has_ended(monkeypatch):
    monkeypatch.setattr("channels_live.timeline.live.MOST", 10)
    live = Live(str)
    for number in range(100):
        event = {"process": 0, "conn": number, "at": 5.0}
        list(live.tell({**event, "kind": "open", "protocol": "http", "method": "GET", "path": "/"}))
        list(live.tell({**event, "kind": "answer", "status": 200}))
    assert len(live._connections) <= 20
    late = {"kind": "end", "by": "server", "stream": True, "process": 0, "conn": 1, "at": 6.0}
    assert list(live.tell(late)) == []


@pytest.fixture
def run(tmp_path):
    """Return what a teller looks at, without a server."""
    record, log = Record(), LogFile()
    yield SimpleNamespace(record=record, log=log, folder=tmp_path)
    record.close()
    log.close_descriptor()


def a_teller():
    names = ("last", "client", "path", "grep", "errors", "json", "times", "full", "pretty")
    return _Teller(Namespace(secrets=False, **dict.fromkeys(names)))


def opened(number, process=0, at=5.0):
    event = {"kind": "open", "protocol": "http", "method": "GET", "path": f"/{number}"}
    return {**event, "process": process, "conn": number, "at": at}


def test_what_several_processes_do_is_told_in_its_order(run, capsys, monkeypatch):
    teller = a_teller()
    monkeypatch.setattr("channels_live.watching.HELD", 1000.0)
    now = time.monotonic()
    run.record.events += [opened(1, process=1, at=now - 2000), opened(2, process=2, at=now - 1500)]
    run.record.events += [opened(4, process=2, at=now - 2)]
    teller.tell(run)
    run.record.events += [opened(3, process=1, at=now - 3)]
    teller.tell(run)
    assert re.findall(r"/\d", capsys.readouterr().out) == ["/1", "/2"]
    teller.tell(run, last=True)
    assert re.findall(r"/\d", capsys.readouterr().out) == ["/3", "/4"]


def test_what_a_killed_worker_leaves_open_is_told_at_the_end(run, capsys):
    teller = a_teller()
    at = {"process": 1, "conn": 1, "at": 6.0}
    run.record.events += [opened(1, process=1) | {"protocol": "websocket"}]
    run.record.events += [at | {"kind": "answer", "status": 101}]
    teller.tell(run, last=True)
    assert "dropped" not in capsys.readouterr().out
    teller.end()
    assert "client 1    ◀──  connection dropped (1006)" in capsys.readouterr().out


def test_record_of_a_long_watch_does_not_grow(run, capsys):
    teller = a_teller()
    for number in (1, 2):
        run.record.events.append(opened(number))
        teller.tell(run)
        teller.forget(run)
        assert run.record.events == []
    assert capsys.readouterr().out.split() == [
        *("request", "1", "──▶", "GET", "/1"),
        *("request", "2", "──▶", "GET", "/2"),
    ]
