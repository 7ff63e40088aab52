"""What lesson 9, its exercises and their hints state, and no output shows."""

import asyncio
import inspect
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic

import httpx
import pytest
import requests
from channels.generic.websocket import AsyncWebsocketConsumer
from clients import DAPHNE, GIVEN_UP, client, eventually, talk
from daphne.cli import CommandLineInterface
from django.db.models import QuerySet
from kinds import SECONDS, UVICORN, frame, lay_out, raw, read

from channels_live.server import Server

CLOSED_1011 = "received 1011 (internal error); then sent 1011 (internal error)"
DROPPED = "no close frame received or sent"
KILLING = "daphne --application-close-timeout 1 -p 8000 myproject.asgi:application"


@pytest.fixture(scope="module")
def folder(project, tmp_path_factory):
    return lay_out(project, tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def daphne(folder):
    with Server(KILLING, folder) as server:
        yield server


@pytest.fixture(scope="module")
def uvicorn(folder):
    with Server(UVICORN, folder, ready="Uvicorn running") as server:
        yield server


def lines(server, text):
    """Return the lines of the log with this text."""
    return str(server.log(contains=text)).splitlines()


def default(option):
    """Return the default of an option of daphne."""
    return CommandLineInterface().parser.get_default(option)


@pytest.mark.claim(
    "lesson 9",
    "A daphne process has one, on its main thread, and all async consumers share it.",
)
@pytest.mark.live
def test_one_loop_on_the_main_thread(daphne):
    with client(daphne, "/scope/") as anna, client(daphne, "/plain-scope/") as ben:
        told = [re.findall(r'"main": (\w+), "loop": (\d+)', each.recv()) for each in (anna, ben)]
    assert told[0] == told[1]
    assert told[0][0][0] == "true"


@pytest.mark.claim(
    "lesson 9", "`accept`, `send` and `close` are coroutines now and must be awaited."
)
@pytest.mark.claim("hints 9.1", "What of Channels must be awaited? `accept`, `send`, `close`.")
def test_coroutines():
    for name in ("accept", "send", "close"):
        assert inspect.iscoroutinefunction(getattr(AsyncWebsocketConsumer, name))


@pytest.mark.claim("lesson 9", "otherwise daphne would drop the connection after five.")
@pytest.mark.live
def test_patience_with_a_handshake(start, project):
    assert default("websocket_connect_timeout") == 5
    impatient = "daphne --websocket_connect_timeout 1 -p 8000 myproject.asgi:application"
    (told,) = talk(start(impatient, project), "/ws/deaf/")
    assert told in GIVEN_UP


@pytest.mark.claim(
    "lesson 9",
    "Python does warn of a forgotten `await`, but daphne throws such warnings away. Only with "
    "`-v 2` they are in the log.",
    "(`runserver -v 2` does not show it.)",
)
@pytest.mark.live
@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (DAPHNE, False),
        ("daphne -v 2 -p 8000 myproject.asgi:application", True),
        ("python manage.py runserver --noreload -v 2", False),
    ],
)
def test_warning_of_a_forgotten_await(start, site, command, shown):
    lay_out(site, site)
    server = start(command, site)
    assert talk(server, "/forgetful/", "x") == ["two"]
    assert talk(server, "/forgetful/", "x") == ["two"]
    assert bool(lines(server, "was never awaited")) == shown


@pytest.mark.claim("lesson 9", "Django's queries have async twins with an `a` in front")
def test_async_twins():
    assert all(hasattr(QuerySet, f"a{name}") for name in ("count", "get", "create", "first"))
    assert hasattr(QuerySet, "__aiter__")


# Waiting and blocking


@pytest.mark.claim(
    "lesson 9",
    "**while it sleeps, the whole server stands still**. No other socket is served, no page, no "
    "handshake, whatever the server.",
)
@pytest.mark.live
@pytest.mark.parametrize("name", ["daphne", "uvicorn"])
def test_sleep_on_the_loop_stops_everything(name, request, tmp_path):
    server = request.getfixturevalue(name)
    for other in ("socket", "page", "handshake"):
        with client(server, "/handing/") as ben, client(server, "/asleep/") as anna:
            start = monotonic()
            anna.send(f"0.3 {tmp_path / other}")
            assert eventually((tmp_path / other).exists)
            if other == "socket":
                ben.send("to_thread 0")
                ben.recv()
            elif other == "page":
                assert server.http("/thread/").status_code == 200
            else:
                talk(server, "/handing/")
            assert monotonic() - start >= 0.3
            anna.recv()


@pytest.mark.claim(
    "lesson 9",
    "Before it calls a method of an async consumer, Channels tidies up the database connections.",
    "So a blocking line in *any* consumer holds up *all* consumers; on the event loop it stops the "
    "pages too.",
)
@pytest.mark.claim(
    "solutions 9",
    "the call goes to *the* thread, where it holds up all sync consumers, and async ones too.",
)
@pytest.mark.live
def test_busy_thread_holds_up_async_consumers(daphne):
    for path, text in [("/sync/", "0.4"), ("/handing/", "sync 0.4")]:
        with client(daphne, path) as anna, client(daphne, "/handing/") as ben:
            start = monotonic()
            anna.send(text)
            for _ in range(2):  # the first may still come before her
                ben.send("to_thread 0")
                ben.recv()
            assert monotonic() - start >= 0.4
            anna.recv()


def arrivals(server, how):
    """Return after how many tokens' time each of four tokens arrives."""
    with client(server, "/tokens/") as websocket:
        start = monotonic()
        websocket.send(how)
        times = []
        for _ in range(4):
            websocket.recv()
            times.append((monotonic() - start) / SECONDS)
    return times


@pytest.mark.claim(
    "lesson 9",
    "Then their generator blocks the loop, and under daphne no frame leaves before the loop is "
    "free. `await asyncio.to_thread(next, tokens, None)` waits for the next one beside it. uvicorn "
    "sends them one by one either way, and still serves nobody else meanwhile.",
)
@pytest.mark.live
def test_tokens(daphne, uvicorn):
    first, *_, last = arrivals(daphne, "blocking")
    assert first >= 4
    assert last - first < 1
    for server, how in [(daphne, "thread"), (uvicorn, "thread"), (uvicorn, "blocking")]:
        first, *_, last = arrivals(server, how)
        assert last - first > 2, (server.command, how)
    with client(uvicorn, "/tokens/") as anna, client(uvicorn, "/handing/") as ben:
        anna.send("blocking")
        anna.recv()
        ben.send("to_thread 0")
        ben.recv()
        # they were there before, or one more would take a second
        assert len([anna.recv(timeout=0.5) for _ in range(3)]) == 3


@pytest.mark.claim(
    "lesson 9",
    "while `receive` waits, this connection's `disconnect` waits as well. A `while True:` in "
    "`connect` would be the end of the conversation.",
)
@pytest.mark.claim(
    "solutions 9",
    "`while True` is at home there, while in `connect` it would let nothing else happen.",
)
@pytest.mark.live
def test_events_of_a_connection_take_turns(daphne):
    before = len(lines(daphne, "sync consumer left"))
    with client(daphne, "/sync/") as anna:
        anna.send("0.4")
        start = monotonic()
    assert eventually(lambda: len(lines(daphne, "sync consumer left")) > before)
    assert monotonic() - start >= 0.35
    with client(daphne, "/never/") as ben:
        ben.send("hello")
        with pytest.raises(TimeoutError):
            ben.recv(timeout=0.3)


# What runs at the end


def ended(server, path):
    """Return what the consumers `Tidy` with this path have printed at their end."""
    return [line.split()[0] for line in lines(server, f" of {path}.")]


@pytest.mark.claim(
    "lesson 9",
    "**after an exception in a method, `disconnect()` does not run.**",
    "`finally` runs in both cases.",
    "The 1011 is daphne's too: it looks for exceptions once a second, while uvicorn drops the "
    "connection without a close frame.",
)
@pytest.mark.claim(
    "solutions 9",
    "`disconnect` would run however the *client* ends a connection here, but not after an "
    "exception. The `finally` around `__call__` runs in each case",
    "Any other text makes `receive` raise a `ValueError`; daphne then closes the connection with "
    "1011.",
)
@pytest.mark.claim("hints 9.3", "because `disconnect` does not run after an exception.")
@pytest.mark.live
def test_exception(daphne, uvicorn):
    for server, told in [(daphne, CLOSED_1011), (uvicorn, DROPPED)]:
        for path in ("/tidy/", "/synctidy/"):
            assert talk(server, f"{path}?raise", "raise") == [told]
            assert ended(server, f"{path}?raise") == ["finally"]
            for code in (1000, 1001):
                talk(server, f"{path}?{code}", code=code)
            with raw(server, f"{path}?cut"):
                pass
            for way in (1000, 1001, "cut"):
                ends = partial(ended, server, f"{path}?{way}")
                assert eventually(lambda ends=ends: len(ends()) == 2)
                assert ends() == ["disconnect", "finally"]


@pytest.mark.claim(
    "lesson 9",
    "Nor does it if a method is still busy ten seconds after the client has left: daphne then "
    "kills the consumer. `finally` runs in both cases.",
)
@pytest.mark.live
def test_kill(daphne):
    assert default("application_close_timeout") == 10
    with client(daphne, "/tidy/?busy") as anna:
        anna.send("wait")
        anna.recv()
    daphne.wait_for_log("took too long to shut down and was killed")
    assert eventually(lambda: ended(daphne, "/tidy/?busy"))
    assert ended(daphne, "/tidy/?busy") == ["finally"]


@contextmanager
def program(folder, *command):
    """Run a server without anything around it, to be stopped as in production."""
    arguments = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(arguments, cwd=folder, **pipes) as process:
        yield process
        process.kill()


@pytest.mark.claim(
    "lesson 9",
    "(When daphne itself stops, do not count on either: what is in memory goes with it.",
)
@pytest.mark.live
def test_stop(folder):
    with program(folder, "daphne", "-v", "2", "-p", "0", "myproject.asgi:application") as process:
        for line in process.stdout:
            if found := re.search(r"Listening on TCP address 127.0.0.1:(\d+)", line):
                break
        process.port = int(found[1])
        # a connection whose consumer has failed makes daphne stop without a word to all others
        with raw(process, "/tidy/?stop"), raw(process, "/tidy/?stop") as failed:
            failed.sendall(frame(1, b"raise"))
            while read(failed)[0] != 8:
                pass
            process.send_signal(signal.SIGTERM)
            said = process.stdout.read()
    assert "disconnect of" not in said
    assert said.count("finally of") == 1  # of the one that has failed


@pytest.mark.claim(
    "lesson 9",
    "Without the `cancel()`, one task for each client that ever came would tick on until the "
    "server stops. And mind that an exception inside a *task* does not close the connection",
)
@pytest.mark.live
def test_tasks(daphne):
    with client(daphne, "/failing/?tick") as anna:  # whose first task has raised
        assert [anna.recv(timeout=30) for _ in range(3)] == ["tick"] * 3
    daphne.events(5)
    gone = len(lines(daphne, "tick of tick"))
    assert eventually(lambda: len(lines(daphne, "tick of tick")) > gone + 3)


@pytest.mark.claim(
    "solutions 9",
    "It silences Django, and the query blocks the event loop.",
    "What would not: `DJANGO_ALLOW_ASYNC_UNSAFE`",
    "It does not run in the line with `filter`, which only describes it, but in the line that goes "
    "through the topics.",
    "It must return a list, not the query: the query would run only later, outside the thread.",
)
@pytest.mark.claim("hints 9.1", "`filter` only describes a query.")
def test_unsafe(monkeypatch, folder):
    script = (
        "import asyncio, django\ndjango.setup()\n"
        "from channels.db import database_sync_to_async\n"
        "from django.contrib.auth.models import User\n"
        "async def main():\n"
        "    users = await database_sync_to_async(User.objects.filter)(username='x')\n"
        "    print('described')\n"
        "    try:\n        print(list(users))\n"
        "    except Exception as error:\n        print(type(error).__name__)\n"
        "asyncio.run(main())"
    )
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "myproject.settings")
    for unsafe, said in [("", "SynchronousOnlyOperation"), ("1", "OperationalError")]:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", unsafe)
        command = [sys.executable, "-c", script]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert ran.stdout.split() == ["described", said]  # there is no table, but it was asked


@pytest.mark.claim(
    "lesson 0",
    "a cell that blocks, such as `time.sleep(60)` or a long `!command`, cannot answer daphne, "
    "which asks every now and then whether the client is still there: after about 50 seconds of "
    "that, daphne drops the sockets that the notebook holds",
)
@pytest.mark.live
def test_no_pong(start, project):
    assert default("ping_interval") + default("ping_timeout") == 50
    server = start("daphne --ping-interval 1 --ping-timeout 1 -p 8000 myproject.asgi:application")
    with raw(server, "/ws/echo/") as silent, client(server, "/ws/echo/") as awake:
        opcode, _ = read(silent)
        assert opcode == 9  # a ping, which we leave unanswered
        silent.settimeout(15)
        with suppress(ConnectionResetError):
            assert silent.recv(1) == b""
        awake.send("still here")
        assert awake.recv(timeout=30) == "still here"


# Python's own


@pytest.mark.claim(
    "lesson 9",
    "What blocks: `time.sleep`, `requests.get`, sync queries, big files, long calculations. What "
    "does not: `asyncio.sleep`, Django's a-methods, and the `AsyncClient` of `httpx`, a library "
    "that requests pages.",
)
def test_what_blocks(tmp_path):
    """Queries are held by the check of exercise 9.1, which locks the database."""

    async def ask():
        async with httpx.AsyncClient(trust_env=False) as web:
            await web.get(url)

    async def blocking(function, *arguments):
        function(*arguments)

    async def turns(waiting):
        """Return how often the loop comes round meanwhile."""
        count, work = 0, asyncio.create_task(waiting)
        while not work.done():
            count += 1
            await asyncio.sleep(0.01)
        return count

    big = tmp_path / "big"
    big.write_bytes(bytes(50_000_000))
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        pool.submit(answer_late, listener, 2)
        plain = requests.Session()
        plain.trust_env = False
        for waiting, blocks in [
            (blocking(time.sleep, 0.2), True),
            (blocking(plain.get, url), True),
            (blocking(big.read_bytes), True),
            (blocking(sum, range(5_000_000)), True),
            (asyncio.sleep(0.2), False),
            (ask(), False),
        ]:
            assert (asyncio.run(turns(waiting)) <= 2) == blocks, waiting


def answer_late(listener, times):
    for _ in range(times):
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            time.sleep(0.2)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.claim(
    "solutions 9",
    "To cancel a task that has ended does no harm.",
    "mind that a task is cancelled only a moment *after* `cancel()`.",
)
@pytest.mark.claim("hints 9.3", "to cancel a task twice does no harm.")
def test_cancel():
    async def main():
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)
        task.cancel()
        assert not task.cancelled()
        task.cancel()
        await asyncio.sleep(0)
        assert task.cancelled()
        task.cancel()

    asyncio.run(main())
