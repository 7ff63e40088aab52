"""What lesson 11, its exercises and their hints state, and no output shows."""

import asyncio
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from channels.generic.http import AsyncHttpConsumer
from clients import eventually
from kinds import lay_out

from channels_live.exercise import task
from channels_live.server import Server
from channels_live.server.ports import free_port
from channels_live.workspace import SAMPLE, copy_project, project_before
from channels_live.workspace import lay_out as lay_out_project

DAPHNE = "daphne --application-close-timeout 1 -p 8000 myproject.asgi:application"
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def folder(project, tmp_path_factory):
    return lay_out(project, tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def daphne(folder):
    with Server(DAPHNE, folder) as server:
        yield server


def stream(server, path):
    """Return what gives the pieces of an answer. It waits for half a second for each."""
    wait = httpx.Timeout(5, read=0.5)
    return httpx.stream("GET", server.url(path), trust_env=False, timeout=wait)


def printed(server, text):
    return str(server.log(contains=text)).count(text)


# Waiting for others


@pytest.mark.claim(
    "lesson 11",
    "`wait_for` pauses until something is so, and looks again whenever another coroutine calls "
    "`notify_all()`; `notify()` would wake only one of those who wait.",
)
@pytest.mark.parametrize(("wake", "woken"), [("notify_all", 2), ("notify", 1)])
def test_condition_wakes_who_waits(wake, woken):
    async def count():
        condition, looks = asyncio.Condition(), []

        def is_so():
            looks.append(1)

        async def wait():
            async with condition:
                await condition.wait_for(is_so)

        waiting = [asyncio.create_task(wait()) for _ in range(2)]
        while len(looks) < 2:
            await asyncio.sleep(0)
        for _ in range(9):  # nothing else makes it look
            await asyncio.sleep(0)
        assert len(looks) == 2
        async with condition:
            getattr(condition, wake)()
        for _ in range(9):
            await asyncio.sleep(0)
        for waits in waiting:
            waits.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return len(looks) - 2

    assert asyncio.run(count()) == woken


@pytest.mark.claim(
    "lesson 11",
    "`trust_env=False`: it asks our server itself, whatever proxy the environment names.",
)
@pytest.mark.live
def test_client_passes_by_a_proxy_of_the_environment(daphne, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")  # where nobody listens
    with pytest.raises(httpx.ConnectError):
        httpx.get(daphne.url("/accounts/login/"))
    assert httpx.get(daphne.url("/accounts/login/"), trust_env=False).is_success
    with httpx.Client(trust_env=False) as client:
        assert client.get(daphne.url("/accounts/login/")).is_success


# Lines over TCP


def break_off(port, sent):
    """Connect, send this, and read until the end. None: reset the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        assert connection.recv(4096)
        if sent is None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        connection.sendall(sent)
        try:
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass


def disconnects(server):
    return [event for event in server.events(5) if event.get("handler") == "line_disconnect"]


@pytest.mark.claim(
    "lesson 11",
    "However a connection ends, the consumer has to be told; otherwise it would wait for ever. "
    "Hence the `try`: reading fails if a client is cut off, and if a line is not UTF-8 or longer "
    "than 64 KiB.",
)
@pytest.mark.claim(
    "hints 11.2",
    "When the cable is pulled out, `async for line in reader` raises `ConnectionResetError`.",
)
@pytest.mark.claim("solutions 11", "`guess_server.py` is the server of the lesson")
@pytest.mark.live
@pytest.mark.parametrize("name", ["lesson", "exercise"])
def test_consumer_learns_of_every_end(tmp_path, name):
    if name == "lesson":
        copy_project(SAMPLE / "finished", tmp_path)
        command = "python -m experiments.line_server --port 8001"
    else:
        files = task("11.3").files(solved=True)
        lay_out_project(tmp_path, project_before(12), files)
        command = "python guess_server.py --port 8001"
    ends = [None, b"\xff\xfe\n", b"x" * 70_000 + b"\n"]
    with Server(command, tmp_path, ready="Listening") as server:
        for number, sent in enumerate(ends, 1):
            break_off(server.port, sent)
            assert eventually(lambda so_far=number: len(disconnects(server)) == so_far), sent
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(b"x" * 65_000 + b"\n")
            lines = connection.makefile("rb")
            assert lines.readline()
            assert lines.readline()  # an answer: this line was short enough


# HTTP


@pytest.mark.claim(
    "lesson 11",
    "You write `handle`, and `disconnect` if there is something to tidy up.",
    "A coroutine that waits needs no thread.",
)
@pytest.mark.live
def test_waiting_needs_no_thread(daphne):
    own = {name for name in vars(AsyncHttpConsumer) if not name.startswith(("_", "send", "http"))}
    assert own == {"handle", "disconnect"}
    before = daphne.http("/threads/").text
    with ThreadPoolExecutor(20) as pool:
        silent = [pool.submit(httpx.get, daphne.url("/slow/?silent"), timeout=1) for _ in range(20)]
        assert eventually(lambda: printed(daphne, "handle waits") == 20)
        assert daphne.http("/threads/").text == before
    assert all(isinstance(waiting.exception(), httpx.ReadTimeout) for waiting in silent)


@pytest.mark.claim(
    "lesson 11",
    "If that sends a piece with `more_body=True` and *returns*, to let events do the rest, then "
    "`disconnect` has run at once, no event comes any more, and the client waits in vain. So stay "
    "in `handle`. What comes by a channel layer you fetch there by `receive`, as in lesson 10, "
    "from a channel that you have asked for by `await self.channel_layer.new_channel()`; on "
    "`self.channel_name` Channels listens already, and would be given the event before you.",
)
@pytest.mark.live
def test_a_stream_lasts_as_long_as_handle(daphne):
    for how in ("return", "channel_receive", "own"):
        at_the_end = f"disconnect of /left/?{how}."
        with stream(daphne, f"/left/?{how}") as response:
            pieces = response.iter_text()
            assert next(pieces) == "first"
            if how == "return":
                assert eventually(lambda: printed(daphne, "disconnect of /left/?return."))
            assert bool(printed(daphne, at_the_end)) == (how == "return")
            daphne.http("/wake/")
            if how == "own":
                assert next(pieces) == "second"
            else:
                with pytest.raises(httpx.ReadTimeout):
                    next(pieces)
    assert not printed(daphne, "an event came")


@pytest.mark.claim(
    "lesson 11",
    "And that a reader has left is noticed only when `handle` ends; daphne kills it after ten "
    "seconds.",
)
@pytest.mark.claim(
    "solutions 11",
    "(When a reader leaves, `handle` goes on waiting for scores. daphne kills it after ten "
    "seconds, with the words `took too long to shut down` that you know from lesson 10.)",
)
@pytest.mark.live
def test_reader_who_leaves(folder):
    """The ten seconds are daphne's default, see lesson 9. Here they are one."""
    with Server(DAPHNE, folder) as daphne:
        with stream(daphne, "/slow/") as response:
            assert next(response.iter_text()) == "first"
        assert daphne.http("/thread/").status_code == 200  # the end of the other was seen before
        assert not printed(daphne, "handle ends")
        daphne.wait_for_log("took too long to shut down")
        assert eventually(lambda: printed(daphne, "handle ends"))


@pytest.mark.claim(
    "solutions 11",
    '`send_body` without `more_body=True` means "that was all", and daphne ends the answer; what '
    "is sent later goes nowhere, without an error.",
)
@pytest.mark.claim("hints 11.1", "`send_body` ends the answer, unless you say that more will come.")
@pytest.mark.live
def test_end_of_an_answer(daphne):
    assert daphne.http("/over/").text == "all"
    assert eventually(lambda: printed(daphne, "sent more, without an error"))


@pytest.mark.claim(
    "lesson 11",
    "These two stand beside Django, not behind it: no session, no CSRF check, no login.",
    "Session and login can be put around the router, as `AuthMiddlewareStack` does for WebSockets.",
    "Django's own views may be `async def` and stream, too.",
)
@pytest.mark.live
def test_beside_django(daphne):
    assert daphne.http("/who/", "POST").text == "None False"  # Django would ask for a CSRF token
    assert daphne.http("/signed/who/").text == "AnonymousUser True"
    assert daphne.http("/stream/").text == "first second"


@pytest.mark.claim(
    "lesson 11", "**server-sent events**, a stream that browsers read with `EventSource`."
)
@pytest.mark.browser
@pytest.mark.live
def test_event_source(browser, daphne):
    page = browser.new_page()
    page.goto(daphne.url("/threads/"))
    script = """() => new Promise(resolve => {
        new EventSource("/countdown/").onmessage = event => resolve(event.data)
    })"""
    assert page.evaluate(script) == "3"
    page.close()
