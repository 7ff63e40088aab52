"""The kernel's end of the tap believes only the processes it has started, and outlives them."""

import asyncio
import gc
import marshal
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from clients import DAPHNE, HELLO, eventually, talk

from channels_live import record as record_module
from channels_live import tap
from channels_live.record import Record, Settled, deadline
from channels_live.server import Server
from channels_live.server.ports import is_free
from channels_live.tap.batches import HEADER, packed

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def record():
    record = Record()
    yield record
    record.close()


@pytest.fixture
def connect():
    """Return a function that connects to a record, and says something."""
    connections = []

    def connect(record, *batches, token=None):
        port, right = record.address.split()
        connections.append(socket.create_connection(("127.0.0.1", int(port)), timeout=5))
        said = f"{right if token is None else token}\n".encode()
        connections[-1].sendall(b"".join([said, *batches]))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def hung_up(connection):
    """Tell whether the other end has closed this connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def event(kind="ready", **fields):
    return packed([{"kind": kind, "at": 0.5, **fields}])


def batch(content):
    return HEADER.pack(len(content), zlib.crc32(content)) + content


def heard(record, number):
    with record.changed:
        assert record.changed.wait_for(lambda: len(record.events) >= number, timeout=5)
    return record.events


def test_events_keep_their_order_and_get_the_number_of_their_process(record, connect):
    first = connect(record, event("ready"), event("watching"))
    told = [{"kind": kind, "at": 0.5, "process": 1} for kind in ("ready", "watching")]
    assert heard(record, 2) == told
    connect(record, event("end", conn=1, by="server", stream=False))
    assert heard(record, 3)[2]["process"] == 2
    assert record.connected
    first.close()
    assert record.connected


@pytest.mark.parametrize("token", ["", "wrong", "wrong é", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_stranger_is_not_heard(record, connect, token):
    assert hung_up(connect(record, event("listening", host="evil", port=1), token=token))
    assert not record.connected
    assert record.events == []


def test_silent_stranger_is_not_waited_for_long(record, connect):
    connection = connect(record, token="")
    connection.close()
    port = int(record.address.split()[0])
    with socket.create_connection(("127.0.0.1", port)):
        assert record.settle() == Settled(answered=True, quiet=True, pending=False)
        connect(record, event())
        assert heard(record, 1)


def test_silent_stranger_leaves_time_for_an_answer(record, settle, process, monkeypatch):
    monkeypatch.setattr(record_module, "ARRIVAL_LIMIT", 60.0)
    connection, lines = process()
    port = int(record.address.split()[0])
    with socket.create_connection(("127.0.0.1", port)):
        answer = settle(timeout=4.0)
        assert lines.readline()
        say(connection, "settled", number=1, quiet=True, pending=False)
        assert answer.result(5) == Settled(answered=True, quiet=True, pending=False)


def test_garbage_on_its_port_does_not_touch_a_server(daphne, connect):
    talk(daphne, "/ws/chat/", HELLO)
    before = str(daphne.timeline())
    for token in ("", "wrong", "\0" * 100_000):
        assert hung_up(connect(daphne._run.record, event("crash"), token=token))
    assert str(daphne.timeline()) == before
    assert talk(daphne, "/ws/chat/", HELLO) == [HELLO]


def test_process_that_says_goodbye_leaves_no_gap(record, connect):
    connect(record, event(), event("exit")).close()
    record.wait_for_end(5)
    assert eventually(lambda: not record.connected and len(record.events) == 2)


@pytest.mark.parametrize(
    "told",
    [b"[" * 100_000, batch(b""), batch(b"json"), HEADER.pack(100, 5) + b"[" * 100,
     HEADER.pack(2**31, 0),
     *(batch(marshal.dumps(content)) for content in
       [5, None, {}, ({"kind": "ready"},), [5], [[]], [{}], [{5: 5}], [{"kind": []}], [["kind"]]]),
     event(5), event("asked"), event("settled", number=[], quiet=True, pending=True),
     event("end", conn=1, more=1)],
)  # fmt: skip
def test_what_is_no_event_is_not_taken(record, connect, told):
    connection = connect(record, event(), told, event())
    assert hung_up(connection)
    assert {event["kind"] for event in heard(record, 2)} == {"ready", "gap"}
    assert eventually(lambda: not record.connected)


def test_what_does_not_end_takes_no_room(record, connect, monkeypatch):
    process = psutil.Process()
    for token in ("x" * 1000, None):
        connection = connect(record, token=token)
        before = process.memory_info().rss
        try:
            for _ in range(300):
                connection.sendall(b"x" * 2**20)
        except OSError:
            pass  # it was hung up on
        assert hung_up(connection)
        assert process.memory_info().rss - before < 50 * 2**20


def test_crowd_of_strangers_is_kept_small_and_keeps_nobody_out(record, connect):
    port, before = int(record.address.split()[0]), threading.active_count()
    crowd = []
    try:
        for _ in range(300):
            crowd.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        connect(record, event())
        assert heard(record, 1)
        most = record_module.MOST_STRANGERS + 2
        assert eventually(lambda: threading.active_count() - before <= most)
    finally:
        for stranger in crowd:
            stranger.close()


def test_silent_stranger_is_hung_up_on(record, monkeypatch):
    monkeypatch.setattr(record_module, "TOKEN_LIMIT", 0.2)
    port = int(record.address.split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        assert hung_up(connection)


def test_record_does_not_grow_without_end(record, connect, monkeypatch):
    monkeypatch.setattr(record_module, "MOST_EVENTS", 3)
    connect(record, *[event()] * 10, event("exit"))
    assert [event["kind"] for event in heard(record, 4)] == ["ready"] * 3 + ["gap"]
    assert record.events[3]["why"] == "full"


def test_large_frame_arrives_whole(record, connect):
    text = "é" * 1_000_000  # all that is recorded of one, where all is wanted
    connect(record, event("in", conn=1, text=text), event())
    assert heard(record, 2)[0]["text"] == text


@pytest.mark.parametrize("cut", [event()[:2], event()[: HEADER.size], event()[:-1]])
def test_process_may_be_killed_in_the_middle_of_a_batch(record, connect, cut):
    connection = connect(record, event(), cut)
    connection.close()
    assert heard(record, 2)[1]["kind"] == "gap"
    record.wait_for_end(5)
    assert not record.connected
    assert [event["kind"] for event in record.events] == ["ready", "gap"]
    assert record.events[1]["why"] == "killed"


@pytest.fixture
def settle(record):
    """Return a function that asks all processes, in a thread: a future of what they answer."""
    with ThreadPoolExecutor() as threads:
        yield lambda **options: threads.submit(record.settle, **options)
        record.close()


@pytest.fixture
def process(record, connect):
    """Return a function that connects a process, and returns what reads from and writes to it."""

    def process():
        known = len(record._processes)
        connection = connect(record)
        with record.changed:
            assert record.changed.wait_for(lambda: len(record._processes) > known, timeout=5)
        return connection, connection.makefile()

    return process


def say(connection, kind, **fields):
    connection.sendall(event(kind, **fields))


def test_settle_waits_for_each_process(record, settle, process):
    processes = [process(), process()]
    answer = settle(patience=0.5)
    for pending, (connection, lines) in enumerate(processes):
        assert lines.readline() == "1 0.5\n"
        assert not answer.done()
        say(connection, "asked", number=1)
        say(connection, "settled", number=1, quiet=True, pending=bool(pending))
    assert answer.result(5) == Settled(answered=True, quiet=True, pending=True)
    assert record.events == []


def test_answer_belongs_to_its_question(settle, process):
    connection, lines = process()
    patient = settle(patience=10.0)
    assert lines.readline() == "1 10.0\n"
    impatient = settle(patience=0.1)
    assert lines.readline() == "2 0.1\n"
    say(connection, "settled", number=2, quiet=False, pending=True)
    assert not impatient.result(5).quiet
    assert not patient.done()
    say(connection, "settled", number=1, quiet=True, pending=False)
    assert patient.result(5) == Settled(answered=True, quiet=True, pending=False)


def test_settle_does_not_wait_for_a_process_that_ends(settle, process):
    connection, lines = process()
    answer = settle()
    assert lines.readline()
    connection.shutdown(socket.SHUT_RDWR)
    assert answer.result(5) == Settled(answered=True, quiet=True, pending=False)


def test_settle_does_not_wait_for_a_process_that_it_has_not_asked(settle, process):
    connection, lines = process()
    answer = settle()
    assert lines.readline()
    process()
    say(connection, "settled", number=1, quiet=True, pending=False)
    assert answer.result(1).answered


@pytest.fixture(params=["who lets in", "who reads"])
def slow_arrival(request, record, monkeypatch):
    """Let those who connect wait in the queue of the port, or for somebody who reads."""

    class SlowQueue(deque):
        def append(self, stranger):
            time.sleep(0.2)
            super().append(stranger)

    def slow_read(process):
        time.sleep(0.2)
        Record._read(record, process)

    if request.param == "who lets in":
        monkeypatch.setattr(record, "_strangers", SlowQueue())
    else:
        monkeypatch.setattr(record, "_read", slow_read)


@pytest.mark.usefixtures("slow_arrival")
def test_settle_asks_also_who_has_connected_just_before(record, connect, settle):
    connection = connect(record)
    answer = settle()
    assert connection.makefile().readline() == "1 10.0\n"
    say(connection, "settled", number=1, quiet=True, pending=True)
    assert answer.result(5) == Settled(answered=True, quiet=True, pending=True)


@pytest.mark.usefixtures("slow_arrival")
def test_end_is_waited_for_also_of_who_has_connected_just_before(record, connect):
    """What a forked server said of its crash was missed, and so what to look at."""
    connection = connect(record)
    say(connection, "ready")
    connection.close()
    record.wait_for_end(5)
    assert [event["kind"] for event in record.events] == ["ready", "gap"]


def test_settle_waits_only_as_long_as_a_process_shows_that_it_is_alive(
    settle, process, monkeypatch
):
    monkeypatch.setattr(record_module, "ANSWER_LIMIT", 0.3)
    connection, lines = process()
    answer = settle()
    assert lines.readline()
    for _ in range(3):
        say(connection, "asked", number=1)
        with pytest.raises(TimeoutError):
            answer.result(0.2)
    assert answer.result(5) == Settled(answered=False, quiet=False, pending=True)


def test_server_without_a_process_is_quiet(record):
    assert record.settle(timeout=0) == Settled(answered=True, quiet=True, pending=False)


def test_closing_hangs_up(record, connect):
    connection = connect(record, event())
    heard(record, 1)
    record.close()
    assert record.closed
    assert hung_up(connection)
    connection.sendall(f"{event('last words')}\n".encode())
    assert heard(record, 2)
    connection.close()
    record.wait_for_end(5)
    assert not record.connected


def test_closing_twice_does_no_harm(record):
    record.close()
    record.close()


def test_process_that_comes_too_late_is_hung_up_on(record, connect):
    record.close()
    try:
        assert hung_up(connect(record))
    except ConnectionError:
        pass  # nobody listens any more
    assert not record.connected


def test_process_that_says_who_it_is_too_late_is_hung_up_on(record, connect):
    port, token = record.address.split()
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
        connect(record, event())
        heard(record, 1)  # so both have been accepted
        record.close()
        connection.sendall(f"{token}\n".encode())
        assert hung_up(connection)


def test_waiters_are_told_of_the_end(record):
    closed = threading.Event()

    def wait():
        with record.changed:
            record.changed.wait_for(lambda: record.closed)
        closed.set()

    threading.Thread(target=wait, daemon=True).start()
    record.close()
    assert closed.wait(5)


KERNEL = """
import os, threading
from channels_live.record import Record
record = Record()
print(record.address, flush=True)
with record.changed:
    record.changed.wait_for(lambda: record.connected)
if child := os.fork():
    print(child, flush=True)
threading.Event().wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_child_of_a_killed_kernel_does_not_keep_its_servers():
    command = [sys.executable, "-W", "ignore", "-c", KERNEL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kernel:
        port, token = kernel.stdout.readline().split()
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
            connection.sendall(f"{token}\n".encode())
            child = psutil.Process(int(kernel.stdout.readline()))
            kernel.kill()
            kernel.wait()
            try:
                assert hung_up(connection)
                assert child.is_running()
                # the child may not have come to close its copy yet
                assert eventually(lambda: is_free(int(port)))
            finally:
                child.kill()


FORKS_WHILE_SOMEBODY_ASKS = """
import os, threading
from channels_live.record import Record
record, asking = Record(), threading.Event()
def ask():
    with record._queue, record.changed:
        asking.set()
        threading.Event().wait()
threading.Thread(target=ask, daemon=True).start()
asking.wait()
if child := os.fork():
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
os._exit(5 if record._queue.locked() or not record.settle().quiet else 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_child_does_not_wait_for_a_thread_that_it_does_not_have():
    command = [sys.executable, "-W", "ignore", "-c", FORKS_WHILE_SOMEBODY_ASKS]
    assert subprocess.run(command, timeout=30).returncode == 0


SERVER = """
import os, sys, threading
if child := os.fork():
    print(child, flush=True)
    sys.stdin.read()
else:
    threading.Event().wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_child_of_a_server_does_not_keep_its_connection(record):
    site = Path(tap.__file__).parent / "site"
    environment = os.environ | {"PYTHONPATH": str(site), "CHANNELS_LIVE_TAP": record.address}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-W", "ignore", "-c", SERVER]
    with subprocess.Popen(command, env=environment, **pipes) as server:
        child = psutil.Process(int(server.stdout.readline()))
        try:
            assert eventually(lambda: record.connected)
            server.stdin.close()
            server.wait(5)
            record.wait_for_end(5)
            assert not record.connected
            assert child.is_running()
        finally:
            child.kill()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux lists them there")
@pytest.mark.live
def test_server_that_has_ended_leaves_no_descriptor(project):
    def start_and_end():
        server = Server(DAPHNE, project)
        talk(server, "/ws/chat/", HELLO)
        server.end()

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    start_and_end()
    gc.collect()
    gc.disable()
    try:
        before = descriptors()
        for _ in range(3):
            start_and_end()
        assert eventually(lambda: descriptors() <= before)
    finally:
        gc.enable()


def test_deadline_never_tells_less_than_nothing():
    assert 4 < deadline(5.0)() <= 5
    assert deadline(-5.0)() == 0


def test_settling_leaves_no_descriptor_of_the_loop_that_it_is_asked_in(record):
    """A pipe to another program would not end for that program."""

    async def settle_beside_a_program():
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "input()", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        before = psutil.Process().num_fds()
        record.settle()
        assert psutil.Process().num_fds() == before
        program.stdin.close()
        await asyncio.wait_for(program.wait(), 10)

    asyncio.run(settle_beside_a_program())
