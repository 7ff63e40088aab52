"""Whatever a program is and however its owner ends, nothing of it is left, and no port is taken."""

import contextlib
import errno
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from clients import eventually, gone
from jupyter_client.manager import start_new_kernel

from channels_live.server import process as process_module
from channels_live.server.process import KEEPER, Process, run

WITHIN = 3.0  # seconds in which everything must have ended
PYTHON = [sys.executable, "-I", "-S", "-c"]
PRELUDE = """
import ctypes, os, re, signal, socket, subprocess, time

def seen(pid=None):
    with open(os.environ["SEEN"], "a") as file:
        print(pid or os.getpid(), file=file)

def listen():
    global server
    server = socket.create_server(("127.0.0.1", 0))

def ignore(*numbers):
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)

def hang():
    lock, c = ctypes.create_string_buffer(128), ctypes.PyDLL(None)
    c.pthread_mutex_init(lock, None)
    c.pthread_mutex_lock(lock)
    c.pthread_mutex_lock(lock)  # for ever, whatever signal comes; costs no time of the processor

def daemon():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            ignore(signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
            listen()
            seen()
            os.write(write, b"!")
            signal.pause()
        os._exit(0)
    os.wait()
    os.read(read, 1)  # or its end might come before it has said who it is
"""


def python(code):
    return [*PYTHON, PRELUDE + code]


# each with the number of processes that it makes
PROGRAMS = {
    "waits": (python("listen(); seen(); signal.pause()"), 1),
    "searches for ever": (python("listen(); seen(); re.match('(a+)+$', 'a' * 99 + 'b')"), 1),
    "hangs in C": (python("listen(); seen(); hang()"), 1),
    "is stopped": (python("listen(); seen(); os.kill(os.getpid(), signal.SIGSTOP)"), 1),
    "ignores": (
        python("ignore(signal.SIGINT, signal.SIGTERM); listen(); seen(); signal.pause()"),
        1,
    ),
    "has a child": (
        python("seen(subprocess.Popen(['sleep', '300']).pid); seen(); signal.pause()"),
        2,
    ),
    "has a worker with its socket": (
        python("listen()\nif os.fork() == 0: ignore(signal.SIGINT)\nseen(); signal.pause()"),
        2,
    ),
    "has a pool": (
        python(
            "from multiprocessing import get_context\n"
            "listen()\n"
            "pool = get_context('fork').Pool(2, seen); seen(); signal.pause()"
        ),
        3,
    ),
    "is a shell": (
        ["sh", "-c", "sleep 300 & echo $! >>$SEEN; echo $$ >>$SEEN; wait"],
        2,
    ),
    "has a daemon": (python("daemon(); seen(); signal.pause()"), 2),
}


class Seen:
    """The file in which programs tell who they are; they also have it in their environment."""

    def __init__(self, path):
        self.path = path

    def pids(self):
        return list(map(int, self.path.read_text().split())) if self.path.exists() else []

    def processes(self, count):
        """Return them, when there are so many."""
        assert eventually(lambda: len(self.pids()) >= count), self.pids()
        return list(map(psutil.Process, self.pids()))

    def left(self):
        """Return what is alive of this test, also what has never told of itself."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("SEEN") == str(self.path):
                    found.append(process)
        return found


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """Return what a test has seen. Kill it afterwards."""
    found = Seen(tmp_path / "seen")
    monkeypatch.setenv("SEEN", str(found.path))
    yield found
    for process in found.left():
        with contextlib.suppress(psutil.Error):
            process.kill()


# Every program and every end of its owner


class Owner:
    """A process with a terminal, with all of these programs, and with a fork of its own."""

    def __init__(self, folder, programs, keeper):
        self.removed = folder / "removed"
        self.removed.mkdir()
        (self.removed / "file").touch()
        self.terminal, theirs = pty.openpty()
        options = json.dumps([programs, keeper, str(self.removed)])
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("owner.py"), options],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                text=True,
                start_new_session=True,
            )
        os.close(theirs)
        line = self.process.stdout.readline()
        assert line, (folder / "log").read_text()
        fork, self.held = map(int, line.split())
        self.fork = psutil.Process(fork)
        itself = psutil.Process(self.process.pid)
        self.itself = {itself, self.fork}
        self.keepers = set(itself.children()) - self.itself

    def type(self, word):
        os.write(self.terminal, f"{word}\n".encode())

    def close_terminal(self):
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None


@pytest.fixture
def own(tmp_path, seen):
    """Return a function that makes an owner, and end it after the test."""
    owners = []

    def own(programs, keeper=KEEPER):
        owners.append(Owner(tmp_path, programs, keeper))
        return owners[-1]

    yield own
    for owner in owners:
        owner.close_terminal()
        for process in (owner.process, owner.fork, *owner.keepers):
            with contextlib.suppress(psutil.Error):
                process.kill()
        owner.process.wait()
        owner.process.stdout.close()


ENDS = {
    "kill -9": lambda owner: owner.process.kill(),
    "SIGTERM": lambda owner: owner.process.terminate(),
    "its terminal closes": Owner.close_terminal,
    "Control-C": lambda owner: owner.type("\3"),
    "it ends": lambda owner: owner.type("end"),
    "stop": lambda owner: owner.type("stop"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.live
def test_nothing_is_left(own, seen, end):
    owner = own([argv for argv, _ in PROGRAMS.values()])
    programs = seen.processes(sum(count for _, count in PROGRAMS.values()))
    assert all(one.is_running() for one in programs), "a fork has ended what is not its own"
    assert owner.held == 0, "a fork keeps pipes of its parent open"
    ENDS[end](owner)
    assert gone([*programs, *owner.keepers], WITHIN)
    assert set(seen.left()) <= owner.itself
    assert owner.removed.exists() == (end == "stop")
    if end in ("kill -9", "SIGTERM", "its terminal closes"):
        assert owner.fork.is_running(), "it was to outlive its parent"
    if end == "stop":
        told = map(int, owner.process.stdout.readline().split())
        codes = dict(zip(PROGRAMS, told, strict=True))
        assert codes["waits"] == codes["is stopped"] == -signal.SIGINT
        assert codes["ignores"] == codes["hangs in C"] == -signal.SIGKILL


ELSEWHERE = """
import os, sys
sys.platform, sys.modules["ctypes"] = "darwin", None
del os.pidfd_open
"""


@pytest.fixture
def keeper_elsewhere():
    """Return a keeper that has only what every POSIX system has."""
    if not shutil.which("ps"):
        pytest.skip("there is no program called ps")
    return [*KEEPER[:-2], ELSEWHERE + KEEPER[-2], KEEPER[-1]]


@pytest.mark.live
def test_nothing_is_left_without_what_only_linux_has(own, seen, keeper_elsewhere):
    programs = {name: program for name, program in PROGRAMS.items() if name != "has a daemon"}
    owner = own([argv for argv, _ in programs.values()], keeper_elsewhere)
    processes = seen.processes(sum(count for _, count in programs.values()))
    owner.process.kill()
    assert gone(processes, WITHIN)
    assert gone(owner.keepers, 10.0), "a zombie may be waiting for init"
    assert set(seen.left()) <= owner.itself


KERNEL = """
import os
from pathlib import Path
from channels_live.server.process import Process
options = {{"folder": Path.cwd(), "environment": os.environ, "log": 2}}
programs = [Process(argv, **options) for argv in {!r}]
"""


@pytest.mark.live
def test_nothing_is_left_of_a_kernel_that_restarts(seen):
    names = ("waits", "hangs in C", "is stopped", "has a daemon")
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        code = KERNEL.format([PROGRAMS[name][0] for name in names])
        assert client.execute_interactive(code, timeout=30)["content"]["status"] == "ok"
        processes = seen.processes(sum(PROGRAMS[name][1] for name in names))
        manager.interrupt_kernel()
        client.execute_interactive("pass", timeout=30)
        assert not any(gone([one], 0) for one in processes), "an interrupt is meant for the cell"
        manager.restart_kernel()
        assert gone(processes, WITHIN)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# Programs that end by themselves


@pytest.fixture
def log(tmp_path):
    """Return a file for what the programs print."""
    with (tmp_path / "log").open("w+") as log:
        yield log


@pytest.fixture
def start(tmp_path, seen, log):
    """Return a function that starts a program, and stop it after the test."""
    started = []

    def start(argv, **options):
        options = {"folder": tmp_path, "environment": os.environ, "log": log.fileno()} | options
        started.append(Process(argv, **options))
        return started[-1]

    yield start
    for process in started:
        process.stop()


BACKGROUND = {
    "a shell's job": ["sh", "-c", "sleep 300 & echo $! >>$SEEN; echo up"],
    "a daemon": python("daemon(); print('up')"),
}


@pytest.mark.parametrize("program", BACKGROUND.values(), ids=BACKGROUND)
def test_what_goes_into_the_background_is_ended_and_told(start, seen, log, program):
    process = start(program)
    (child,) = seen.processes(1)
    assert process.wait(WITHIN) == 0
    assert process.left_behind == 1
    assert gone([child], 0) and not seen.left()
    log.seek(0)
    assert log.read() == "up\n"


def test_child_whose_parent_was_killed(start, seen):
    process = start(PROGRAMS["has a worker with its socket"][0])
    processes = seen.processes(2)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(WITHIN) == -signal.SIGKILL
    assert process.left_behind == 1
    assert gone(processes, 0) and not seen.left()


ENDINGS = {"exit 0": 0, "exit 3": 3, "kill -9 $$": -9, "sleep 0.01 & exit 5": 5}


@pytest.mark.parametrize("code", ENDINGS)
def test_exit_status(start, code):
    ended = threading.Event()
    process = start(["sh", "-c", code], on_end=ended.set)
    assert process.wait(WITHIN) == process.returncode == ENDINGS[code]
    assert not process.running
    assert process.left_behind == 0, "it has ended by itself"
    assert ended.wait(WITHIN)
    process.stop()


# What its owner asks


def test_running_program(start, tmp_path, log):
    process = start(
        ["sh", "-c", "echo $$ $PPID; pwd -P; cat; echo $WORD >&2; sleep 300"],
        environment=os.environ | {"WORD": "here"},
    )
    assert eventually(lambda: "here" in (tmp_path / "log").read_text(), WITHIN)
    pid, *rest = (tmp_path / "log").read_text().split()
    assert rest == [str(process._keeper.pid), str(tmp_path.resolve()), "here"]
    assert process.pid == int(pid)
    assert os.getsid(process.pid) == process.pid
    assert process.running and process.returncode is None
    assert process.wait(0.01) is None


def test_last_words_are_in_the_log(start, seen, log):
    code = "seen()\ntry: signal.pause()\nfinally: print('last words', flush=True)"
    process = start(python(code))
    seen.processes(1)
    process.stop()
    log.seek(0)
    assert log.read().startswith("last words\n")


def test_two_stops_at_once(start):
    process = start(PROGRAMS["ignores"][0])
    states = []

    def stop():
        process.stop()
        states.append(process.running)

    threads = [threading.Thread(target=stop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN)
    process.stop()
    assert states == [False, False]


@pytest.mark.parametrize("word", [b"", b"\n", b"\xff\0 garbage"])
def test_any_word_and_none_are_an_end(word):
    command = [*KEEPER, str(os.getpid()), "", "sleep", "300"]
    done = subprocess.run(command, input=word, stdout=subprocess.PIPE, timeout=WITHIN)
    pid, end = done.stdout.decode().splitlines()
    assert pid.startswith("pid ") and end == "end -2 0"


def test_program_that_cannot_be_executed(start, tmp_path):
    (tmp_path / "text").write_text("no program")
    (tmp_path / "empty").touch(0o755)
    for name, error in {
        "nothing": errno.ENOENT,
        "text": errno.EACCES,
        "empty": errno.ENOEXEC,
    }.items():
        ended = threading.Event()
        with pytest.raises(OSError) as caught:
            start([str(tmp_path / name)], on_end=ended.set)
        assert (caught.value.errno, caught.value.filename) == (error, str(tmp_path / name))
        assert not ended.is_set()
    with pytest.raises(FileNotFoundError):
        start(["sleep", "300"], folder=tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        start(["no-such-program"])


def test_program_that_starts_ever_more(start, seen):
    code = """
ignore(signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
while True:
    time.sleep(0.005)
    if os.fork() == 0:
        os.setsid()
        seen()
        signal.pause()
"""
    process = start(python(code))
    seen.processes(10)
    process.stop()
    assert not any(map(psutil.pid_exists, seen.pids()))


def test_signals_that_the_owner_ignores(start, tmp_path):
    ignored = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        process = start(["sh", "-c", "kill -USR1 $$; sleep 300"])
    finally:
        signal.signal(signal.SIGUSR1, ignored)
    assert process.wait(WITHIN) == -signal.SIGUSR1


# The keeper itself


def test_keeper_that_does_not_start(start, monkeypatch):
    monkeypatch.setattr(process_module, "KEEPER", [sys.executable, "-I", "-S", "-c", ""])
    with pytest.raises(ChildProcessError):
        start(["true"])


def test_keeper_may_be_killed(start, seen):
    ended = threading.Event()
    process = start(PROGRAMS["has a worker with its socket"][0], on_end=ended.set)
    processes = seen.processes(2)
    os.kill(process._keeper.pid, signal.SIGKILL)
    assert process.wait(WITHIN) == -signal.SIGKILL
    assert ended.wait(WITHIN)
    assert gone(processes, WITHIN) and not seen.left()


def test_keeper_may_be_asked_by_others(start):
    process = start(["sleep", "300"])
    os.kill(process._keeper.pid, signal.SIGTERM)
    assert process.wait(WITHIN) == -signal.SIGINT


def test_keeper_may_be_stopped(start, seen, monkeypatch):
    monkeypatch.setattr(process_module, "STOP_LIMIT", 0.1)
    process = start(PROGRAMS["has a daemon"][0])
    processes = seen.processes(2)
    os.kill(process._keeper.pid, signal.SIGSTOP)
    process.stop()
    assert not process.running
    assert gone(processes, WITHIN) and not seen.left()


def test_no_descriptor_is_left(start):
    before = sorted(os.listdir("/dev/fd"))
    start(["true"]).wait(WITHIN)
    with pytest.raises(OSError):
        start(["no-such-program"])
    assert sorted(os.listdir("/dev/fd")) == before


# A program whose output is wanted


def test_run(tmp_path):
    options = {"folder": tmp_path, "environment": os.environ, "timeout": 20.0}
    code = r"printf 'one\r\ntwo \377\n'; echo three >&2; exit 3"
    assert run(["sh", "-c", code], **options) == (3, "one\ntwo \ufffd\nthree\n")
    with pytest.raises(FileNotFoundError):
        run(["no-such-program"], **options)


def test_run_takes_too_long(tmp_path, seen):
    options = {"folder": tmp_path, "environment": os.environ, "timeout": 0.5}
    with pytest.raises(TimeoutError, match=r"sh has not ended within 0\.5 seconds"):
        run(PROGRAMS["is a shell"][0], **options)
    assert len(seen.pids()) == 2 and not any(map(psutil.pid_exists, seen.pids()))
