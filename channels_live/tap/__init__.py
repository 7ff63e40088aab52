"""Runs inside the server's process: records what happens, and ends the process with its kernel.

One loopback connection leads to the kernel that started the server. Events go up it, one JSON
object a line; numbers come down it, each a request to answer as soon as the server has nothing
left in hand. When it closes, the kernel is gone or has stopped the server, and the process ends.
Each process of a server (runserver has two) has a connection of its own.

The record. Every event has `kind` and `at` (seconds, monotonic). `conn` numbers the connections of
this process.

| kind | fields | means |
| --- | --- | --- |
| open | conn, protocol, method, path | a request arrived: websocket, http, or the type of a scope |
| answer | conn, status | its HTTP status; 101 is an accepted WebSocket |
| in, out | conn, text or size | a frame, or a piece of a body; text shortened, binary by length |
| in | conn, refused | a frame that the server did not take, and why |
| close | conn, by, code, reason | by client or server; code None: dropped without a close frame |
| end | conn | an HTTP response is complete |
| call | conn, call, consumer, handler, known, type, arg, text, thread | a method starts |
| return | conn, call, seconds | ... and ends |
| error | conn, call, type, message, file, line | an exception left the application |
| layer | conn, op, target, type | send, group_send, group_add, group_discard |
| listening | host, port | the server listens there |
| ready | | a worker listens on its channels |
| watching | | runserver's reloader has seen all files that were loaded |
| crash | type, message, file, line, trace, port_taken | the server did not start, or broke down |
| settled | number | the answer to a request |
"""

import atexit
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque

GRACE = 1.0  # seconds between a polite end and a hard one
BATCH = 0.02  # seconds; events travel in batches, because waking a thread for each would cost
SETTLE_LIMIT = 10.0  # seconds

programs = []  # processes that must end with this one (see run.py)
_events = deque()
_awake = threading.Event()
_sending = threading.Lock()
_connection = None
_encode = json.JSONEncoder(default=repr).encode  # json.dumps() would make an encoder for each


def record(kind, **fields):
    """Add an event and return its time. Cheap: it is sent later, by another thread."""
    fields["kind"] = kind
    fields["at"] = at = time.monotonic()
    _events.append(fields)
    if not _awake.is_set():
        _awake.set()
    return at


def flush():
    """Send all events recorded so far."""
    with _sending:
        lines = []
        while _events:
            lines.append(_encode(_events.popleft()))
        if lines:
            try:
                _connection.sendall("\n".join([*lines, ""]).encode())
            except OSError:
                pass  # the kernel is gone; _obey is ending this process


def where(error):
    """Return (file, line) of the innermost frame that is the learner's own, or (None, None)."""
    if isinstance(error, SyntaxError):
        return error.filename, error.lineno
    found = (None, None)
    folder = os.path.realpath(os.getcwd()) + os.sep
    trace = error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        path = os.path.realpath(name)
        own = path.startswith(folder) and os.path.basename(path) != "manage.py"
        if own and os.path.isfile(path):  # compiled modules have names that are no paths
            found = (path, trace.tb_lineno)
        trace = trace.tb_next
    return found


def record_crash(error, port_taken=False):
    # Django may tell of an error in a file of the learner's only as the context of its own
    reason = error
    while reason and where(reason) == (None, None):
        reason = reason.__cause__ or reason.__context__
    reason = reason or error
    file, line = where(reason)
    record(
        "crash",
        type=type(reason).__name__,
        message=reason.msg if isinstance(reason, SyntaxError) else str(reason),
        file=file,
        line=line,
        trace="".join(traceback.format_exception(error)),
        port_taken=port_taken,
    )
    flush()


def install(address):
    """Connect to the kernel and start to record.

    address: "PORT TOKEN" of the kernel that started this process. Without it the process ends:
    nobody is left who could stop it.
    """
    global _connection
    port, token = address.split()
    try:
        _connection = socket.socket()
        _connection.connect(("127.0.0.1", int(port)))  # create_connection() imports a codec first
        _connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _connection.sendall(f"{token}\n".encode())
    except OSError:
        os._exit(1)
    from channels_live.tap import hooks

    hooks.install()
    show = sys.excepthook

    def excepthook(kind, error, trace):
        show(kind, error, trace)
        if not isinstance(error, KeyboardInterrupt):
            record_crash(error)

    sys.excepthook = excepthook
    atexit.register(flush)
    threading.Thread(target=_send, name="tap-send", daemon=True).start()
    threading.Thread(target=_obey, args=(hooks.settle,), name="tap-obey", daemon=True).start()


def _send():
    while True:
        _awake.wait()
        time.sleep(BATCH)
        _awake.clear()
        flush()


def _answer(settle, number):
    settle(SETTLE_LIMIT)
    record("settled", number=number)
    flush()


def _obey(settle):
    try:
        for number in _connection.makefile("rb"):
            # in a thread of its own: meanwhile the kernel may go
            threading.Thread(target=_answer, args=(settle, int(number)), daemon=True).start()
    except OSError:
        pass  # a killed kernel resets the connection
    for program in programs:
        program.terminate()
    # The same as Control-C in a terminal, then the hard way.
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)
    time.sleep(GRACE)
    for program in programs:
        program.kill()
        program.wait()
    flush()
    os._exit(0)
