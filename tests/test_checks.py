"""What the checks of exercises are written with: several servers, and what reaches them."""

import socket

import psutil
import pytest

from channels_live.checks import RAISED, NotYet, Site, at_once
from channels_live.checks import client as clients
from channels_live.checks.broker import broker
from channels_live.checks.lesson_18 import FIRST, doubles
from channels_live.checks.site import ENDS
from channels_live.kernel import KERNEL
from channels_live.server import command as commands

BROKER_OF_ONES_OWN = {"REDIS_URL": "redis://example.test:6380/1", "CHANNEL_LAYER": "some.Layer"}


@pytest.fixture
def served(project):
    """Return a Site with two servers, started at the same time, each with a variable of its own."""
    with Site(project) as first:
        second = first.twin()
        at_once(
            lambda: first.serve(environment={"REDIS_URL": "redis://one"}),
            lambda: second.serve(environment={"REDIS_URL": "redis://two"}),
        )
        yield first, second


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ([1, 2, 4, 8, 16, 32], True),
        ([2, 4, 8, 16, 32, 64], True),
        ([1, 1, 2, 5, 9, 17], True),  # half of it at random
        ([2, 3, 4, 5, 6, 7], False),
        ([8, 8, 8, 8, 8, 8], False),
        ([2, 4, 8, 1, 2, 4], False),
    ],
)
def test_waits_that_double(factors, expected):
    assert doubles([FIRST * factor for factor in factors]) is expected


@pytest.mark.live
def test_twins_have_the_same_files_and_servers_of_their_own(forked, served):
    first, second = served
    assert first.folder == second.folder
    assert first.server.port != second.server.port
    for site, other in ((first, second), (second, first)):
        before = len(other.events())
        with site.client("/ws/echo/") as client:
            client.send("hello")
            client.expect("hello", "the echo")
            client.abort()
        assert site.events("close")
        assert len(other.events()) == before
    first.__exit__()
    assert not first.server.running and not second.server.running


@pytest.mark.live
@pytest.mark.parametrize("which", [0, 1])
def test_exception_in_any_server_is_told(forked, served, which):
    with pytest.raises(NotYet), served[which].client("/ws/broken/"):
        pass
    assert "out of order" in served[0].trouble()["your code raised"]


@pytest.mark.live
def test_connection_that_ends_where_a_check_reads_by_itself_is_not_yet(forked, served):
    with pytest.raises(NotYet) as problem, served[0].client("/ws/echo/") as client:
        client.websocket.close()
        client.websocket.recv()
    assert (problem.value.look, problem.value.sent) == (ENDS, "GET /ws/echo/")
    assert problem.value.got.startswith("close 1000")


TASKS = """
import asyncio

from channels.generic.websocket import AsyncWebsocketConsumer


class TaskConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        self.task = asyncio.create_task(self.work())
        await asyncio.wait([self.task])
        await self.send("done")

    async def work(self):
        raise LookupError("in a task")

    async def disconnect(self, code):
        self.task.cancel()  # from now on asyncio says nothing of it


websocket_urlpatterns.append(path("ws/task/", TaskConsumer.as_asgi()))
"""


@pytest.mark.live
def test_exception_that_a_task_holds_is_told(forked, site):
    with (site / "myapp/routing.py").open("a", encoding="utf-8") as routing:
        routing.write(TASKS)
    with Site(site) as served:
        served.serve()
        with served.client("/ws/task/") as client:
            client.send("go")
            assert client.receive("the task") == "done"
        served.events()
        assert not served.errors()
        raised = served.trouble()["your code raised"]
        assert raised.startswith("LookupError: in a task, in myapp/routing.py, line ")


AT_WORK = """
from channels.generic.websocket import WebsocketConsumer


class AtWorkConsumer(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        raise RuntimeError(text_data)


websocket_urlpatterns.append(path("ws/at-work/", AtWorkConsumer.as_asgi()))
"""


@pytest.mark.live
@pytest.mark.parametrize(
    ("said", "is_told"),
    [
        ("cannot schedule new futures after interpreter shutdown", False),
        ("cannot schedule new futures after shutdown", True),  # of a pool that was closed
    ],
)
def test_what_the_end_of_its_server_has_stopped_is_nobodys_fault(site, forked, said, is_told):
    """A worker in the midst of its work raises when the check has ended it, and seemed to err."""
    with (site / "myapp/routing.py").open("a", encoding="utf-8") as routing:
        routing.write(AT_WORK)
    with Site(site) as served:
        served.serve()
        with served.client("/ws/at-work/") as client:
            client.send(said)
            client.expect_close(1011, "the end")
        assert bool(served.trouble()) == is_told


FLOOD = """
import asyncio

from channels.generic.websocket import AsyncWebsocketConsumer


class FloodConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "close":
            await self.close()
        else:
            for _ in range(16):
                await self.send("x" * 2**20)
        while True:
            await self.send("one more")
            await asyncio.sleep(0.01)


websocket_urlpatterns.append(path("ws/flood/", FloodConsumer.as_asgi()))
"""
HANDSHAKE = (
    b"GET /ws/flood/ HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
FLOOD_ME, CLOSE = b"\x81\x82\0\0\0\0go", b"\x88\x80\0\0\0\0"  # frames, as clients mask them


@pytest.mark.live
def test_frame_that_meets_a_client_who_is_going_is_no_error(forked, project):
    """Who goes while the server has much to send stays half closed, for as long as we like."""
    with (project / "myapp/routing.py").open("a", encoding="utf-8") as routing:
        routing.write(FLOOD)

    def failed(events):
        return [event["type"] for event in events if event["kind"] == "error"]

    with Site(project) as site:
        site.serve()
        with socket.create_connection(("127.0.0.1", site.server.port)) as wire:
            wire.sendall(HANDSHAKE)
            assert wire.recv(9, socket.MSG_WAITALL).startswith(b"HTTP/1.1 ")
            wire.sendall(FLOOD_ME)
            wire.recv(2**19, socket.MSG_WAITALL)  # a part: the rest waits in the server
            wire.sendall(CLOSE)
            assert failed(site.server.events(10.0, until=failed)) == ["Disconnected"]
        site.server.events(10.0, until=lambda events: events[-1]["kind"] == "close")
        assert site.trouble() == {}
        site.serve()
        with site.client("/ws/flood/") as client:  # one that is sent away, and then sent a frame
            client.send("close")
            client.expect_close(1000, "the code")
            site.server.events(10.0, until=failed)
        assert "Disconnected" in site.trouble()["your code raised"]


TICKING = """
import asyncio

from channels.generic.websocket import AsyncJsonWebsocketConsumer


class TickingConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        while True:
            await self.send_json({"tick": True})
            await asyncio.sleep(0.01)


websocket_urlpatterns.append(path("ws/ticking/", TickingConsumer.as_asgi()))
"""


@pytest.mark.live
def test_what_goes_on_for_ever_is_not_read_for_ever(site, forked, monkeypatch):
    """A list that was told again and again kept the check of 17.3 reading without an end."""
    with (site / "myapp/routing.py").open("a", encoding="utf-8") as routing:
        routing.write(TICKING)
    with Site(site) as served:
        served.serve()
        with served.client("/ws/ticking/") as client:
            client.send({})
            client.expect({"tick": True}, "the first")
            monkeypatch.setattr(clients, "WAIT", 0.3)
            monkeypatch.setattr(clients, "_PATIENCE", 1)
            with pytest.raises(NotYet, match="what comes"):
                client.read_until({"tock": True}, "what comes")
            with pytest.raises(NotYet, match="the end"):
                client.expect_close(1000, "the end")
            assert set(client.pending("the rest")) == {'{"tick": true}'}


@pytest.mark.live
def test_broker_of_ones_own_reaches_only_what_is_meant_to_have_it(served, monkeypatch):
    first, second = served
    for name, value in BROKER_OF_ONES_OWN.items():
        monkeypatch.setenv(name, value)
    code = "import os; print({'REDIS_URL', 'CHANNEL_LAYER'} & set(os.environ))"
    assert first.python("-c", code) == (0, "set()\n")
    for site, address in ((first, "redis://one"), (second, "redis://two")):
        assert psutil.Process(site.server.pid).environ()["REDIS_URL"] == address
    variables = psutil.Process(first.serve().pid).environ()
    assert not BROKER_OF_ONES_OWN.keys() & variables.keys()


@pytest.fixture
def no_valkey(monkeypatch, tmp_path):
    """Have no broker that could be started, as on Windows."""
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_a_broker_a_check_says_what_to_do(no_valkey, project):
    with Site(project) as site, pytest.raises(NotYet) as caught:
        broker(site)
    assert caught.value.details["got"] == commands.NO_BROKER
    assert "Your files are not at fault" in caught.value.details["look at"]
    assert site.trouble() == {}


def test_without_a_broker_a_check_takes_ones_own(no_valkey, project, monkeypatch):
    monkeypatch.setattr(KERNEL, "own_broker", BROKER_OF_ONES_OWN["REDIS_URL"])
    with Site(project) as site:
        assert broker(site) == {"REDIS_URL": BROKER_OF_ONES_OWN["REDIS_URL"]}


@pytest.mark.parametrize(
    ("log", "raised"),
    [
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\n\nKeyError: 1\n',
            "KeyError: 1",
        ),
        ("Traceback (most recent call last):\nValueError: a\nb\n", "ValueError: a"),
        ("Traceback (most recent call last):\nA: 1\n\nTraceback (most …):\n  x\nB: 2\n", "B: 2"),
        ("Traceback (most recent call last):\n" + "\n \n" * 50_000, None),
        ("Traceback (most recent call last):\n" + "  x\n\n" * 50_000 + "C: 3", "C: 3"),
        ("Traceback\n" * 50_000, "Traceback"),
    ],
    ids=["plain", "several lines", "two", "endless blanks", "long", "nothing else"],
)
def test_exception_is_found_in_a_log_of_any_kind(log, raised):
    """One of these took longer than anybody waits: exponential in the number of blank lines."""
    assert RAISED.findall(log)[-1:] == [raised] * bool(raised)


def test_at_once_raises_what_one_of_them_raises():
    with pytest.raises(NotYet):
        at_once(lambda: 1, lambda: (_ for _ in ()).throw(NotYet("it")))
    assert at_once(lambda: 1, lambda: 2) == [1, 2]
