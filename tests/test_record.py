"""The kernel's end of the tap believes only the processes it has started, and outlives them."""

import json
import socket
import threading

import pytest
from clients import HELLO, eventually, talk

from channels_live.record import Record, deadline

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

    def connect(record, *lines, token=None):
        port, right = record.address.split()
        connections.append(socket.create_connection(("127.0.0.1", int(port)), timeout=5))
        text = "\n".join([right if token is None else token, *lines, ""])
        connections[-1].sendall(text.encode())
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


def event(kind, **fields):
    return json.dumps({"kind": kind, **fields})


def heard(record, number):
    with record.changed:
        assert record.changed.wait_for(lambda: len(record.events) >= number, timeout=5)
    return record.events


def test_events_keep_their_order_and_get_the_number_of_their_process(record, connect):
    first = connect(record, event("a"), event("b"))
    assert heard(record, 2) == [{"kind": "a", "process": 1}, {"kind": "b", "process": 1}]
    connect(record, event("c"))
    assert heard(record, 3)[2] == {"kind": "c", "process": 2}
    assert record.connected
    first.close()
    assert record.connected


@pytest.mark.parametrize("token", ["", "wrong", "wrong é", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_stranger_is_not_heard(record, connect, token):
    assert hung_up(connect(record, event("listening", host="evil", port=1), token=token))
    assert not record.connected
    assert record.events == []


def test_silent_stranger_is_not_waited_for(record, connect):
    connection = connect(record, token="")
    connection.close()
    port = int(record.address.split()[0])
    with socket.create_connection(("127.0.0.1", port)):
        record.settle()
        connect(record, event("a"))
        assert heard(record, 1)


def test_garbage_on_its_port_does_not_touch_a_server(daphne, connect):
    talk(daphne, "/ws/chat/", HELLO)
    before = str(daphne.timeline())
    for token in ("", "wrong", "\0" * 100_000):
        assert hung_up(connect(daphne._record, event("crash"), token=token))
    assert str(daphne.timeline()) == before
    assert talk(daphne, "/ws/chat/", HELLO) == [HELLO]


def test_process_may_be_killed_in_the_middle_of_a_line(record, connect):
    connection = connect(record, event("a"), '{"kind": "b", "te')
    connection.close()
    assert heard(record, 1)
    record.wait_for_end(5)
    assert not record.connected
    assert len(record.events) == 1


def test_settle_waits_for_each_process(record, connect):
    processes = [connect(record) for _ in range(2)]
    assert eventually(lambda: len(record._settled) == 2, within=5)
    settling = threading.Thread(target=record.settle)
    settling.start()
    for connection in processes:
        assert settling.is_alive()
        assert connection.makefile().readline() == "1\n"
        connection.sendall(f"{event('settled', number=1)}\n".encode())
    settling.join(5)
    assert not settling.is_alive()
    assert record.events == []


def test_settle_does_not_wait_for_a_process_that_ends(record, connect):
    connection = connect(record, event("a"))
    heard(record, 1)
    settling = threading.Thread(target=record.settle)
    settling.start()
    assert connection.makefile().readline() == "1\n"
    connection.shutdown(socket.SHUT_RDWR)
    settling.join(5)
    assert not settling.is_alive()


def test_closing_hangs_up(record, connect):
    connection = connect(record, event("a"))
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
        connect(record, event("a"))
        heard(record, 1)  # so both have been accepted
        record.close()
        connection.sendall(f"{token}\n".encode())
        assert hung_up(connection)


def test_waiters_are_told_of_the_end(record):
    told = threading.Event()

    def wait():
        with record.changed:
            record.changed.wait_for(lambda: record.closed)
        told.set()

    threading.Thread(target=wait, daemon=True).start()
    record.close()
    assert told.wait(5)


def test_deadline_never_tells_less_than_nothing():
    assert 4 < deadline(5.0)() <= 5
    assert deadline(-5.0)() == 0
