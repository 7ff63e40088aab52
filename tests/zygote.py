"""The process that forks servers for `prefork.py`.

It imports what daphne, Django and Channels import, and forks for each request. The fork then does
what `python -m daphne …` or `python manage.py …` would do, with the tap in it.
"""

import atexit
import contextlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading

LIBRARIES = """
asyncio.runners autobahn.twisted.websocket autobahn.websocket.protocol channels.auth
channels.generic.http channels.generic.websocket channels.layers channels.routing
channels.security.websocket channels.sessions channels.worker channels_redis.core
channels_redis.pubsub daphne.access daphne.utils django.apps.registry
django.contrib.auth.hashers django.contrib.sessions.backends.db
django.contrib.staticfiles.handlers django.core.asgi django.core.handlers.asgi
django.core.handlers.wsgi django.core.management.commands.migrate
django.core.management.commands.shell django.core.serializers.json django.core.servers.basehttp
django.db.backends.sqlite3.base django.db.migrations.executor django.db.models
django.template.backends.django django.template.loader_tags django.test django.urls
django.utils.autoreload django.views.debug django.views.generic OpenSSL.SSL
twisted.internet.asyncioreactor twisted.internet.endpoints twisted.internet.tcp
twisted.web.http wrapt zoneinfo
"""


def main():
    """Fork a server for each request: a line of JSON, with the descriptor of its log."""
    for name in LIBRARIES.split():
        with contextlib.suppress(ImportError):
            __import__(name)
    # daphne makes the event loop when it is imported; forks must not share one
    assert not {"twisted.internet.reactor", "daphne.server", "channels_live"} & set(sys.modules)
    requests = socket.socket(fileno=0)
    ended, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, *_ = select.select([requests, ended], [], [])
        if ended in ready:
            os.read(ended, 512)
        if requests in ready:
            content, descriptors, *_ = socket.recv_fds(requests, 2**20, 1)
            if not content:
                return
            pid = os.fork()
            if pid == 0:
                requests.close()
                become(json.loads(content), *descriptors)
            os.close(descriptors[0])
            tell(requests, "pid", pid)
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                tell(requests, dead[0], os.waitstatus_to_exitcode(dead[1]))


def tell(requests, *words):
    with contextlib.suppress(OSError):
        requests.sendall(f"{json.dumps(words)}\n".encode())


def become(request, log):
    """Be the server, to its end."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
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
        sys.path.insert(0, os.getcwd())
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
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
    main()
