"""Servers that share what they import: for tests that start hundreds of them.

Each test worker has one process that has imported Django, Channels and Twisted (see `zygote.py`);
a server is a fork of it, there in a fraction of the time. `test_plain_way_has_the_same_outcome` in
test_exercises.py proves on a sample of each lesson that nothing else differs.

Notebooks that such a worker runs use its process, too: a variable tells them of it. Their kernels
are forks of another one. `make build` has made the stored outputs without both, so to compare them
proves the same of each cell.
"""

import atexit
import contextlib
import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from unittest.mock import patch

from channels_live.server.process import Process

ZYGOTE = Path(__file__).with_name("zygote.py")
UVICORN = str(Path(sys.executable).with_name("uvicorn"))
FORKED = f"{sys.executable} -I -S {Path(__file__).with_name('forked.py')}"  # and an address
# Python with a file or a module, at the beginning of a command, perhaps behind variables
PYTHON = re.compile(r"^((?:\w+=\S* )*)python( -m| [\w./]+\.py\b)")
IN_KERNEL = f"""\
import sys
sys.path.append({str(Path(__file__).parent)!r})
import prefork
prefork.fork_to_the_end()
sys.path.pop()
del prefork, sys
"""
ADDRESS = "CHANNELS_LIVE_ZYGOTE"  # the variable


class Zygote:
    """The process that forks.

    address: of one that runs; without it, one is started, and ended with this process.
    forks: what it is to have imported: what "servers" need, or "kernels".
    """

    def __init__(self, address=None, forks="servers"):
        self._process = None
        if address is None:
            address = self._start(forks)
        self.address = address
        self._requests = socket.socket(socket.AF_UNIX)
        self._requests.connect(address)
        self._asking = threading.Lock()
        self._pids = []  # answers
        self._known = {}  # pid → exit status, or the process that waits for it
        self._changed = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _start(self, forks):
        self._folder = tempfile.TemporaryDirectory(prefix="zygote_")
        address = f"{self._folder.name}/socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen()
            # in a session of its own: who kills a whole group leaves it there to end the servers
            self._process = subprocess.Popen(
                [sys.executable, str(ZYGOTE), forks], stdin=listener, start_new_session=True
            )
        return address

    def fork(self, process, argv, folder, environment, log):
        request = {"argv": argv, "folder": str(folder), "environment": dict(environment)}
        with self._asking:
            socket.send_fds(self._requests, [json.dumps(request).encode()], [log])
            with self._changed:
                assert self._changed.wait_for(lambda: self._pids, timeout=20), "the zygote is gone"
                pid = self._pids.pop()
                ended = self._known.get(pid)
                self._known[pid] = process
        if ended is not None:
            process._end(ended)
        return pid

    def _listen(self):
        with self._requests.makefile() as answers:
            for line in answers:
                self._hear(*json.loads(line))

    def _hear(self, what, value):
        with self._changed:
            if what == "pid":
                self._pids.append(value)
                self._changed.notify_all()
                return
            process = self._known.pop(what, None)
            if process is None:
                self._known[what] = value
        if process is not None:
            process._end(value)

    def close(self):
        self._requests.shutdown(socket.SHUT_RDWR)
        self._listener.join(10)
        self._requests.close()
        if self._process:
            self._process.wait(10)
            self._folder.cleanup()


@functools.cache
def shared():
    """Return the zygote of this process, which kernels that it starts share; None: none can be."""
    if not hasattr(os, "fork"):
        return None
    zygote = Zygote()
    os.environ[ADDRESS] = zygote.address
    atexit.register(zygote.close)
    return zygote


@functools.cache
def _kernels():
    zygote = Zygote(forks="kernels")
    atexit.register(zygote.close)
    return zygote.address


@contextlib.contextmanager
def forking_kernels():
    """Let kernels that are started here be forked, if anything can; their servers may be, too."""
    if shared() is None:
        yield
        return
    begin = begun(subprocess.Popen.__init__, _kernels())
    with patch.object(subprocess.Popen, "__init__", begin):
        yield


def kernelspec():
    """Return what lets JupyterLab fork its kernels: the content of a kernel.json."""
    argv = [*FORKED.split(), _kernels(), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3 (ipykernel)", "language": "python"}
    return json.dumps(spec | {"metadata": {"debugger": True}})


class Forked:
    """Stands in for channels_live.server.process.Process."""

    zygote = None
    left_behind = 0

    def __init__(self, argv, *, folder, environment, log, remove=None, on_end=None):
        self.returncode, self._on_end, self._ended = None, on_end, threading.Event()
        self.pid = self.zygote.fork(self, argv[1:], folder, environment, log)

    @property
    def running(self):
        return not self._ended.is_set()

    def wait(self, timeout=None):
        self._ended.wait(timeout)
        return self.returncode

    def stop(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            # a second; a computer that stands still for one has let it have only a part of it
            if any(self._ended.wait(0.05) for _ in range(20)):
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what it has started

    def _end(self, status):
        self.returncode = status
        self._ended.set()
        if self._on_end:
            self._on_end()


@contextlib.contextmanager
def forking(zygote):
    """Let servers, and programs of checks, be forked where they are Python, if anything can."""
    with contextlib.ExitStack() as stack:
        if zygote:
            stack.enter_context(patch.object(Forked, "zygote", zygote))
            for module in ("run", "process"):
                stack.enter_context(patch(f"channels_live.server.{module}.Process", process))
        yield


def fork_to_the_end():
    """Let them be forked as long as this process, a kernel, lives; and Python in cells, too."""
    stack = contextlib.ExitStack()
    stack.enter_context(forking(Zygote(os.environ[ADDRESS])))
    for name in ("IPython.core.interactiveshell", "ipykernel.zmqshell"):
        shell = sys.modules[name]  # with what runs commands, in both
        for run in {"system", "getoutput"} & vars(shell).keys():
            stack.enter_context(patch.object(shell, run, with_forks(getattr(shell, run))))
    stack.enter_context(
        patch.object(
            subprocess.Popen, "__init__", begun(subprocess.Popen.__init__, os.environ[ADDRESS])
        )
    )
    atexit.register(stack.close)


def with_forks(run):
    """Return a function that runs a command, in which Python is forked, by another that does."""
    forked = f"{FORKED} {os.environ[ADDRESS]}"
    return lambda command, **options: run(PYTHON.sub(rf"\1{forked}\2", command), **options)


def begun(init, address):
    """Return a function that begins a subprocess by another one, a fork if it is Python's."""

    def begin(self, args, *rest, **options):
        if is_python(args) and ADDRESS in (options.get("env") or os.environ):
            args = [*FORKED.split(), address, *args[1:]]
        init(self, args, *rest, **options)

    return begin


def process(argv, **options):
    """Return a Process, forked where it is a program in Python, without options of Python's own."""
    if argv[0] == UVICORN and not {"--reload", "--workers"} & {*argv}:  # a script in Python
        return Forked([sys.executable, *argv], **options)
    if argv[1] == "-P":  # a fork has imported the libraries before
        argv = [argv[0], *argv[2:]]
    return (Forked if is_python(argv) else Process)(argv, **options)


def is_python(argv):
    """Tell whether these words run a file or a module in this Python."""
    python = isinstance(argv, list) and argv[0] == sys.executable and len(argv) > 1
    return python and (argv[1] == "-m" or argv[1].endswith(".py"))
