"""The process that forks servers, or kernels, for `prefork.py`.

It imports what they import, and forks for each request. The fork then does what `python -m …` or
`python manage.py …` would do, a server with the tap in it. What only the fork of a server can
import, it finds compiled.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading

from libraries import import_for_kernels, import_for_servers


def main():
    """Fork a program for each request: a line of JSON, with descriptors.

    These are of its log, or of its stdin, stdout and stderr.

    The first connection is that of who has started this, and ends it.
    """
    gc.collect()
    gc.freeze()  # or each fork looks through, and so copies, all of it, again and again
    listener = socket.socket(fileno=0)
    ended, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    owner, living = listener.accept()[0], {}  # pid → the connection that has asked for it
    connections = [owner]
    while True:
        ready, *_ = select.select([listener, ended, *connections], [], [])
        if ended in ready:
            os.read(ended, 512)
        if listener in ready:
            connections.append(listener.accept()[0])
        for connection in set(ready) & set(connections):
            content, descriptors = b"", []
            with contextlib.suppress(ConnectionError):
                content, descriptors, *_ = socket.recv_fds(connection, 2**20, 3)
            if content:
                pid = os.fork()
                if pid == 0:
                    become(json.loads(content), descriptors)
                living[pid] = connection
                for descriptor in descriptors:
                    os.close(descriptor)
                tell(connection, "pid", pid)
                continue
            end(pid for pid in living if connection in (owner, living[pid]))
            if connection is owner:  # the tests have ended, or were killed
                return
            connections.remove(connection)
            connection.close()
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                tell(living.pop(dead[0]), dead[0], os.waitstatus_to_exitcode(dead[1]))


def end(pids):
    """End the forks that nobody has ended, and what they have started."""
    for pid in pids:
        for kill in (os.kill, os.killpg):  # one that was just forked leads no group yet
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)


def tell(requests, *words):
    with contextlib.suppress(OSError):
        requests.sendall(f"{json.dumps(words)}\n".encode())


def become(request, descriptors):
    """Be the program, to its end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        if len(descriptors) == 1:
            descriptors = [os.open(os.devnull, os.O_RDONLY), *2 * descriptors]
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.closerange(3, 256)  # or an open connection would outlive who has asked
        sys.stdin = open(0)
        sys.stdout, sys.stderr = (
            open(number, "w", encoding="utf-8", errors=errors, buffering=1, closefd=False)
            for number, errors in ((1, "strict"), (2, "backslashreplace"))
        )
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.dont_write_bytecode = True
        status = run(request["argv"])
    finally:
        os._exit(status)


def run(words):
    """Do what Python does with these words, and return its exit status."""
    try:
        if address := os.environ.get("CHANNELS_LIVE_TAP"):
            from channels_live import tap

            tap.install(address)
        if words[0] == "-m":
            sys.path.insert(0, os.getcwd())
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if status and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    {"servers": import_for_servers, "kernels": import_for_kernels}[sys.argv[1]]()
    main()
