"""Whatever a project does: with the tap it happens as without, and the tap tells of it."""

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from clients import DAPHNE, HELLO, RUNSERVER, client, eventually, talk
from websockets.exceptions import ConnectionClosed

from channels_live.server import Server, ServerError
from channels_live.server.ports import free_port

NASTY = '''
"""Consumers that do what nobody expects; each "goes" once."""

import asyncio
import dataclasses
import os
import signal
import sys
import threading

from channels.consumer import AsyncConsumer, SyncConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer


class Weird:
    """Nothing can be done with it."""

    def fail(self, *_):
        raise RuntimeError("touched")

    __eq__ = __bool__ = __len__ = __str__ = __repr__ = __iter__ = fail
    __hash__ = None

    @property
    def __class__(self):
        raise RuntimeError("touched")

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError("touched")


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    number: int


class Mute(Exception):
    __str__ = __repr__ = Weird.fail


class Text(str):
    encode = __len__ = __str__ = __getitem__ = __eq__ = Weird.fail
    __hash__ = str.__hash__


class Meta(type):
    def __getattr__(cls, name):
        raise RuntimeError("touched")


class Consumer(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.go()
        await self.send("gone")


class FrozenError(Consumer):
    async def go(self):
        raise Frozen(1)


class FrozenSync(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        raise Frozen(1)


class MuteError(Consumer):
    async def go(self):
        raise Mute


class Group(Consumer):
    async def go(self):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.fail())

    async def fail(self):
        raise KeyError("inner")


class Deep(Consumer):
    async def go(self):
        return await self.go()


class Generator(Consumer):
    async def go(self):
        async for _ in self.each():
            await self.send("one")

    async def each(self):
        yield 1
        raise LookupError("after one")


class ByHand(Consumer):
    async def go(self):
        await self.dispatch({"type": "by.hand"})

    async def by_hand(self, event):
        await self.send("by hand")


class ByHandSync(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        type(self).dispatch.func(self, {"type": "by.hand"})

    def by_hand(self, event):
        self.send("by hand")


class OwnDispatch(Consumer):
    async def dispatch(self, message):
        if message["type"] == "websocket.receive":
            await self.websocket_receive(message)
        else:
            await super().dispatch(message)

    async def go(self):
        pass


class Alone(Consumer):
    async def dispatch(self, message):
        if message["type"] == "websocket.receive":
            await self.go()
        else:
            await super().dispatch(message)

    async def go(self):
        await self.send("alone")


class AloneFails(Alone, Consumer):
    async def go(self):
        raise RuntimeError("alone")


class AloneIgnores(Alone, Consumer):
    async def go(self):
        pass


class Direct(Consumer):
    async def websocket_connect(self, message):
        await self.accept()

    async def go(self):
        pass


class OwnCall:
    async def __call__(self, scope, receive, send):
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            if event["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": "gone"})

    @classmethod
    def as_asgi(cls):
        async def application(*arguments):
            return await cls()(*arguments)

        return application


class OwnConsumerCall(AsyncConsumer):
    __call__ = OwnCall.__call__


class AroundCall(Consumer):
    async def __call__(self, scope, receive, send):
        try:
            return await super().__call__(scope, receive, send)
        finally:
            print("around", flush=True)

    async def dispatch(self, message):
        return await super().dispatch(message)

    async def go(self):
        pass


class Types(Consumer):
    """Messages whose type is no text."""

    async def go(self):
        await self.channel_layer.send(self.channel_name, {"type": self.kind})
        await asyncio.sleep(0.1)


class NumberType(Types):
    kind = 5


class ListType(Types):
    kind = [5]


class NoType(Types):
    kind = None


class SubType(Types):
    kind = Text("x.y")


class Objects(Consumer):
    async def go(self):
        event = {"type": "objects", "weird": Weird(), "bytes": b"x", 5: Text("x")}
        await self.channel_layer.send(self.channel_name, event)
        await asyncio.sleep(0.1)

    async def objects(self, event):
        assert type(event) is dict and type(event["weird"]) is Weird
        await self.send("objects")


class Shared(Consumer):
    """A message that is no plain dict keeps its class."""

    class Event(dict):
        pass

    async def go(self):
        await self.channel_layer.send(self.channel_name, self.Event(type="shared"))
        await asyncio.sleep(0.1)

    async def shared(self, event):
        await self.send(type(event).__name__)


class Metaclass(Consumer, metaclass=Meta):
    async def go(self):
        pass


class AnyHandler(Consumer):
    async def go(self):
        await self.channel_layer.send(self.channel_name, {"type": "any.thing"})
        await asyncio.sleep(0.1)

    def __getattr__(self, name):
        if name == "any_thing":
            return self.anything
        raise AttributeError(name)

    async def anything(self, event):
        await self.send("anything")


class Surrogate(Consumer):
    async def go(self):
        await self.send("\\ud800")


class NoBytes(Consumer):
    async def go(self):
        await self.send(bytes_data=bytearray(b"never"))


class SubText(Consumer):
    async def go(self):
        await self.base_send({"type": "websocket.send", "text": Text("x")})


class Huge(Consumer):
    async def go(self):
        await self.send("x" * 5_000_000)


class Scope(Consumer):
    async def go(self):
        self.scope["weird"] = Weird()


class Threads(Consumer):
    async def go(self):
        thread = threading.Thread(target=self.fail)
        thread.start()
        thread.join()

    def fail(self):
        raise RuntimeError("in a thread")


class AfterClose(Consumer):
    async def go(self):
        await self.close(4000)
        await self.send("never")


class Exit(Consumer):
    async def go(self):
        sys.exit("enough")


class ExitSync(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        sys.exit("enough")


class HardExit(Consumer):
    async def go(self):
        await self.send("last words")
        os._exit(3)


class Killed(Consumer):
    async def go(self):
        os.kill(os.getpid(), signal.SIGKILL)
'''
ENDS = ["Exit", "ExitSync", "HardExit", "Killed"]
NAMES = re.findall(r"^class (\w+)\(.*(?:Consumer|Types)\b.*\)", NASTY, re.M)
NAMES = ["OwnCall", *(name for name in NAMES if name not in {"Consumer", "Types", *ENDS})]
LAST = ["MuteError"]  # daphne itself fails to tell of them, and tells of no other
FIRST = [name for name in NAMES if name not in LAST]
ROUTES = f"""
from . import nasty

websocket_urlpatterns += [
    path(f"nasty/{{name}}/", getattr(nasty, name).as_asgi()) for name in {[*NAMES, *ENDS]}
]
"""


def with_nasty(folder):
    """Add these consumers to a copy of the site."""
    (folder / "myapp/nasty.py").write_text(NASTY)
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(ROUTES)
    return folder


class Bare:
    """A daphne without the tap."""

    def __init__(self, folder, file):
        self.port, self.file = free_port(), file
        command = [sys.executable, "-m", "daphne", "-p", str(self.port)]
        with file.open("w") as log:
            self._process = subprocess.Popen(
                [*command, "myproject.asgi:application"], cwd=folder, stdout=log, stderr=log
            )
        assert eventually(lambda: "Listening on TCP" in self.log())

    def ws(self, path):
        return f"ws://127.0.0.1:{self.port}{path}"

    def log(self, full=True):
        return self.file.read_text()

    def stop(self):
        self._process.kill()
        self._process.wait()


def heard_from(server, name):
    """Return what a client hears of a consumer that is asked to go."""
    heard = []
    with client(server, f"/nasty/{name}/", max_size=None) as websocket:
        websocket.send("go")
        try:
            while True:
                heard.append(websocket.recv(timeout=3)[:100])
        except (ConnectionClosed, TimeoutError) as error:
            heard.append(str(error))
    return heard


@pytest.fixture(scope="module")
def outcomes(project, tmp_path_factory):
    """Return what becomes of each consumer with the tap and without: [(heard, log), …], events."""
    folder = with_nasty(shutil.copytree(project, tmp_path_factory.mktemp("nasty") / "site"))
    servers = [Server(DAPHNE, folder), Bare(folder, folder.parent / "log")]
    results = []
    with ThreadPoolExecutor(len(NAMES)) as threads:
        for server in servers:
            heard = {}
            for names in (FIRST, LAST):
                outcomes = threads.map(lambda name, server=server: heard_from(server, name), names)
                heard |= dict(zip(names, outcomes, strict=True))
            results.append((heard, server.log(full=True)))
    servers[0].timeline()
    events = list(servers[0]._run.record.events)
    for server in servers:
        server.stop()
    return results, events


def told_of(events, name):
    (opened,) = [event for event in events if event.get("path") == f"/nasty/{name}/"]
    return [event for event in events if event.get("conn") == opened["conn"]]


@pytest.mark.parametrize("name", NAMES)
def test_client_hears_what_it_hears_without_the_tap(outcomes, name):
    (tapped, _), (bare, _) = outcomes[0]
    assert tapped[name] == bare[name]


def test_log_says_what_it_says_without_the_tap(outcomes):
    errors = r"^(?:\w+\.)*(\w*(?:Error|Frozen|Mute|Exception)\w*\b.*)"
    tapped, bare = (sorted(re.findall(errors, log, re.M)) for _, log in outcomes[0])
    assert tapped == bare
    assert len(tapped) > 10


def test_all_of_it_is_told(outcomes):
    _, events = outcomes
    assert not [event for event in events if event["kind"] == "gap"]
    calls = [event["call"] for event in events if event["kind"] == "call"]
    assert sorted(calls) == sorted(event["call"] for event in events if event["kind"] == "return")
    raised = {
        name: event["type"]
        for name in NAMES
        for event in told_of(events, name)
        if event["kind"] == "error"
    }
    assert raised == {
        "FrozenError": "Frozen",
        "FrozenSync": "Frozen",
        "MuteError": "Mute",
        "Group": "ExceptionGroup",
        "Deep": "RecursionError",
        "Generator": "LookupError",
        "NumberType": "AttributeError",
        "ListType": "AttributeError",
        "NoType": "AttributeError",
        "SubType": "RuntimeError",
        "AloneFails": "RuntimeError",
        "Surrogate": "UnicodeEncodeError",
        "NoBytes": "AssertionError",
        "SubText": "RuntimeError",
        "Huge": "PayloadExceededError",
        "AfterClose": "Disconnected",
    }
    (group,) = [event for event in told_of(events, "Group") if event["kind"] == "error"]
    assert group["message"].endswith(": KeyError: 'inner'")
    assert [
        (event["type"], event["message"])
        for event in events
        if event["kind"] == "error" and event["conn"] is None
    ] == [("RuntimeError", "in a thread")]


def test_frame_that_never_left_is_not_told(outcomes):
    told = [event["kind"] for event in told_of(outcomes[1], "AfterClose")]
    assert "close" in told and "out" not in told
    assert "out" not in [event["kind"] for event in told_of(outcomes[1], "NoBytes")]


def handlers(events, name):
    return [event["handler"] for event in told_of(events, name) if event["kind"] == "call"]


@pytest.mark.parametrize("name", ["Alone", "AloneFails", "AloneIgnores"])
def test_dispatch_that_deals_with_a_frame_by_itself_is_told(outcomes, name):
    events = [event for event in told_of(outcomes[1], name) if event["kind"] != "layer"]
    kinds = [event["kind"] for event in events]
    frame = kinds.index("in")
    meanwhile = {"Alone": ["out"], "AloneFails": ["error"], "AloneIgnores": []}[name]
    assert kinds[frame + 1 :][: len(meanwhile) + 2] == ["call", *meanwhile, "return"]
    left = [] if name == "AloneFails" else ["disconnect"]
    assert handlers(outcomes[1], name) == ["connect", "dispatch", *left]


def test_method_of_the_project_in_place_of_a_generic_one_is_told(outcomes):
    assert handlers(outcomes[1], "Direct") == ["websocket_connect", "receive", "disconnect"]


def test_method_that_an_own_dispatch_calls_is_told_as_others_are(outcomes):
    told = [event for event in told_of(outcomes[1], "OwnDispatch") if event["kind"] == "call"]
    assert [(event["handler"], event["thread"]) for event in told] == [
        (handler, "the event loop") for handler in ("connect", "receive", "disconnect")
    ]


def test_long_texts_are_bounded(outcomes):
    assert max(len(json.dumps(event)) for event in outcomes[1]) < 10_000


# The start


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("raise SyntaxError\n", "myproject/settings.py, line 1: SyntaxError\n"),
        ("raise SyntaxError('odd')\n", "myproject/settings.py, line 1: SyntaxError: odd"),
        ("\nDEBUG = True\0\n", "myproject/settings.py, line 2: "),
        (
            "import dataclasses\n\n\n@dataclasses.dataclass(frozen=True)\n"
            "class Frozen(Exception):\n    number: int\n\n\nraise Frozen(1)\n",
            "myproject/settings.py, line 9: Frozen: 1",
        ),
        (
            "class Mute(Exception):\n    def __str__(self):\n        1 / 0\n\n\nraise Mute\n",
            "myproject/settings.py, line 6: Mute",
        ),
        (
            "error = ValueError('ring')\nerror.__cause__ = KeyError('other')\n"
            "error.__cause__.__cause__ = error\nraise error\n",
            "myproject/settings.py, line 4: ValueError: ring",
        ),
        ("raise Exception('x' * 10_000_000)\n", "myproject/settings.py, line 1: Exception: xxx"),
        ("raise Exception('\\x1b[31mred\\udc80')\n", "myproject/settings.py, line 1: Exception: "),
    ],
    ids=["no text", "no place", "byte 0", "frozen", "mute", "ring", "long", "control"],
)
@pytest.mark.parametrize("command", [DAPHNE, RUNSERVER], ids=["daphne", "runserver"])
def test_what_settings_raise_is_told_whatever_it_is(forked, start, site, settings, reason, command):
    (site / "myproject/settings.py").write_text(settings)
    with pytest.raises(ServerError) as caught:
        start(command, site)
    message = str(caught.value)
    assert message.partition("\n")[2].startswith(reason)
    assert len(message) < 10_000
    assert "\x1b" not in message
    message.encode()


def test_exception_that_something_catches_does_not_fail_a_start(forked, start, site):
    with (site / "myapp/apps.py").open("a") as apps:
        apps.write(
            "    def ready(self):\n"
            "        from django.core.management import CommandError, call_command\n\n"
            "        try:\n"
            "            call_command('migrate', 'nowhere')\n"
            "        except CommandError:\n"
            "            print('caught')\n"
        )
    for command in (DAPHNE, f"{RUNSERVER} --noreload"):
        server = start(command, site)
        assert "caught" in server.log(full=True)
        assert talk(server, "/ws/chat/", HELLO) == [HELLO]
        server.stop()


# The end of the process


@pytest.mark.parametrize("name", ["Exit", "ExitSync"])
def test_exit_in_a_consumer_is_told(start, site, name):
    server = start(DAPHNE, with_nasty(site))
    heard_from(server, name)
    assert eventually(lambda: not server.running)
    (error,) = [event for event in server._run.record.events if event["kind"] == "error"]
    assert (error["type"], error["message"]) == ("SystemExit", "enough")
    assert error["file"].endswith("nasty.py")
    assert "raised SystemExit: enough" in str(server.timeline())
    assert not [event for event in server._run.record.events if event["kind"] == "gap"]


def test_last_words_are_heard(start, site):
    server = start(DAPHNE, with_nasty(site))
    with client(server, "/nasty/HardExit/") as websocket:
        websocket.send("go")
        with pytest.raises(ConnectionClosed):
            while True:
                websocket.recv(timeout=10)
    assert eventually(lambda: not server.running)
    text = str(server.timeline())
    assert "HardExit.receive()" in text and "last words" in text
    assert "missing" not in text
    assert re.search(r"HardExit.receive\(\)\n +cut off: the server ended", text)
    assert "still running" not in text


def test_killed_server_is_said_to_be_killed(start, site):
    server = start(DAPHNE, with_nasty(site))
    heard_from(server, "Killed")
    assert eventually(lambda: not server.running)
    said = str(server.timeline())
    assert said.endswith("The server was killed: what it did last may be missing here.")
    assert "Nothing has happened" not in said


def test_server_that_is_stopped_is_not_said_to_be_killed(start, project):
    server = start(DAPHNE, project)
    talk(server, "/ws/chat/", HELLO)
    server.stop()
    assert "missing" not in str(server.timeline())
