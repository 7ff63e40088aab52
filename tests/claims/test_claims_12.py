"""Lesson 12, Talk in groups: what no cell shows."""

import asyncio
import inspect
import re

import pytest
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from channels.testing import WebsocketCommunicator
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from clients import DAPHNE, eventually, manage
from daphne.cli import CommandLineInterface
from django.urls.converters import StringConverter
from django.utils.text import slugify
from projects import another_answer
from rooms import UVICORN, closed_with, lay_out, read, rewrite, shell, visit
from websockets.exceptions import InvalidStatus

from channels_live.exercise import task
from channels_live.progress import RIGHT
from channels_live.server import Server


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def daphne(folder):
    server = Server(f"{DAPHNE} --application-close-timeout 1", folder)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def uvicorn(folder):
    server = Server(UVICORN, folder, ready="Uvicorn running")
    yield server
    server.stop()


def received(layer, channel):
    """Return whether something is in a channel."""

    async def look():
        try:
            await asyncio.wait_for(layer.receive(channel), 0.05)
        except TimeoutError:
            return False
        return True

    return look()


# Layers


@pytest.mark.claim(
    "lesson 12",
    "Whoever forgets it leaves a dead channel in the group, and the layer fills it, with up to "
    "100 events.",
    "(Once one of them has waited for a minute, this layer takes the channel out of all groups, "
    "that of a busy consumer too.)",
    "`send` raises `ChannelFull`, where `group_send` says nothing.)",
)
@pytest.mark.claim(
    "solutions 12",
    "the channel of a client who has gone stays in the group, and the layer keeps events for it: "
    "in memory for a minute",
)
def test_events_that_nobody_takes():
    assert InMemoryChannelLayer().expiry == 60

    async def run():
        layer = InMemoryChannelLayer()
        channel = await layer.new_channel()
        await layer.group_add("one", channel)
        await layer.group_add("two", channel)
        for _ in range(150):
            await layer.group_send("one", {"type": "demo"})
        assert layer.channels[channel].qsize() == 100
        with pytest.raises(ChannelFull):
            await layer.send(channel, {"type": "demo"})

        hasty = InMemoryChannelLayer(expiry=0.05)
        for group in ("one", "two"):
            await hasty.group_add(group, channel)
        await hasty.group_send("one", {"type": "demo"})
        await received(hasty, "silence")  # while it passes
        await hasty.group_send("one", {"type": "demo"})
        assert not await received(hasty, channel), "it is in no group any more"
        await hasty.group_send("two", {"type": "demo"})
        assert not await received(hasty, channel)

    asyncio.run(run())


@pytest.mark.claim("lesson 12", "No layer has a method that tells who is in a group.")
def test_layers_do_not_tell_who_is_in_a_group():
    def methods(layer):
        public = {name for name in dir(layer) if "group" in name and not name.startswith("_")}
        return {name for name in public if callable(getattr(layer, name))}

    async def pubsub():
        return RedisPubSubChannelLayer()._get_layer()

    names_are_valid = {"require_valid_group_name", "valid_group_name"}
    for layer in (InMemoryChannelLayer(), RedisChannelLayer(), asyncio.run(pubsub())):
        assert methods(layer) - names_are_valid == {"group_add", "group_discard", "group_send"}


@pytest.mark.claim(
    "lesson 12",
    "`<str:room_name>` takes any letter. (So does the `\\w+` of many guides.)",
    'with `_` for each, "Küche" and "Kåche" would be one room.',
    "The same name always has the same ones, and in practice any other name has others.",
    "what Django's `slugify` leaves of the name, letters without their accents",
    'Alone it would not do, for "☕" leaves nothing.',
)
def test_names_of_rooms_and_groups(folder):
    for name in ("Küche", "кухня"):
        assert re.fullmatch(StringConverter.regex, name)
        assert re.fullmatch(r"\w+", name)
    assert re.sub(r"[^A-Za-z]", "_", "Küche") == re.sub(r"[^A-Za-z]", "_", "Kåche")
    code = (
        "import json; from myapp.rooms import group_of;"
        "print(json.dumps([group_of(str(number) * 9) for number in range(10000)]))"
    )
    names = shell(folder, code)
    assert len(set(names)) == 10_000
    assert all(re.fullmatch(r"chat\.\d+-[a-f0-9]{12}", name) for name in names)
    assert [slugify(name) for name in ("Küche", "Kåche", "☕")] == ["kuche", "kache", ""]
    code = "import json; from myapp.rooms import group_of; print(json.dumps([group_of('ﬃ' * 50)]))"
    assert len(f"here.{shell(folder, code)[0]}") < BaseChannelLayer.MAX_NAME_LENGTH


# How a consumer ends


@pytest.mark.claim(
    "lesson 12",
    "after an exception `disconnect` does not run.",
    "`__call__` runs a consumer from its first event to its last. With `finally` around it, "
    "`leave` runs however that ends, as long as the server lives.",
)
@pytest.mark.claim(
    "lesson 13",
    "But after an exception it does not, nor if a handler is still busy ten seconds after Ben has "
    "gone, when daphne ends it. Anna would see a **ghost**. So the leaving belongs in a `finally`.",
)
@pytest.mark.claim(
    "solutions 12",
    "In `disconnect` it would run when somebody leaves, but not after an exception, such as that "
    "for a frame that is not JSON. `finally` runs after both.",
)
@pytest.mark.claim(
    "hints 12.1",
    "`disconnect` runs when a client leaves, but not after an exception.",
    "What runs in any case is a `finally` around `await super().__call__(scope, receive, send)`",
)
@pytest.mark.live
@pytest.mark.parametrize("frame", ["fault", "busy"])
def test_nobody_leaves_a_ghost(daphne, frame):
    assert CommandLineInterface().parser.get_default("application_close_timeout") == 10

    def ran(what):
        return len(daphne.log(contains=what).splitlines())

    room = f"/ws/faulty/{frame}/"
    before = ran("disconnect ran"), ran("leave ran")
    with visit(daphne, f"{room}?name=Anna") as anna:
        assert read(anna) == {"here": ["Anna"]}
        with visit(daphne, f"{room}?name=Ben") as ben:
            assert read(anna) == {"here": ["Anna", "Ben"]}
            ben.send(frame)
            if frame == "busy":
                ben.close()
            assert read(anna) == {"here": ["Anna"]}
        assert ran("leave ran") == before[1] + 1
        assert ran("disconnect ran") == before[0]
    assert eventually(lambda: ran("disconnect ran") == before[0] + 1), "Anna has left"


@pytest.mark.claim(
    "lesson 12",
    "with 1011, daphne's code for \"my consumer has raised an exception\". So is everybody's in "
    "the room.",
    "a `group_send` with a wrong type closes every member",
)
@pytest.mark.claim("solutions 12", "and every member is closed.")
@pytest.mark.live
def test_wrong_type_closes_every_member(daphne):
    room = "/ws/first/kitchen/"
    with visit(daphne, room) as anna, visit(daphne, room) as ben, visit(daphne, room) as cleo:
        anna.send('{"type": "chat.missing"}')
        assert [closed_with(who) for who in (anna, ben, cleo)] == [1011] * 3


@pytest.mark.claim(
    "lesson 12",
    "Every WebSocket consumer also knows the type `websocket.disconnect`.",
    "The consumer has ended, and daphne leaves the socket open and deaf (uvicorn closes it).",
    "There is no error and no line in the log.",
)
@pytest.mark.live
def test_disconnect_from_a_client(daphne, uvicorn):
    # the handshake of this second client is the last that the log tells
    with visit(daphne, "/ws/first/deaf/") as anna, visit(daphne, "/ws/first/deaf/") as ben:
        daphne.timeline()
        log = daphne.log()
        anna.send('{"type": "websocket.disconnect", "code": 1000}')
        daphne.timeline()  # when all is done
        ben.send('{"message": "Is anybody here?"}')
        ben.ping().wait(5)
        with pytest.raises(TimeoutError):
            ben.recv(timeout=0.3)
        lines = str(daphne.log()).removeprefix(str(log)).splitlines()
        assert set(lines) <= {"", "INFO     socket ended"}, "the site's own, since lesson 27"
    with visit(uvicorn, "/ws/first/deaf/") as anna:
        anna.send('{"type": "websocket.disconnect", "code": 1000}')
        assert closed_with(anna) == 1006


@pytest.mark.claim(
    "lesson 12",
    "an exception `DenyConnection` in `connect` is Channels' word for it, and the client gets a "
    "403.",
)
@pytest.mark.live
def test_too_long_a_name_is_refused(daphne):
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        visit(daphne, f"/ws/chat/{'x' * 51}/")


# What is committed in tests


CASES = """
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from myapp.models import Message

called = []


class Saving:
    def test_one(self):
        Message.objects.create(room="x", text="x")
        transaction.on_commit(lambda: called.append(type(self).__name__))
        print(type(self).__name__, connection.in_atomic_block, *called, flush=True)

    def test_two(self):
        print("left:", Message.objects.count(), flush=True)


class Plain(Saving, TestCase):
    pass


class WithTransactions(Saving, TransactionTestCase):
    pass
"""


@pytest.mark.claim("lesson 12", "without it, it would be one.")
def test_patience_of_the_test_client():
    assert inspect.signature(WebsocketCommunicator.connect).parameters["timeout"].default == 1


@pytest.mark.claim(
    "lesson 12",
    "A `TransactionTestCase` really writes into the (test) database, and empties it after each "
    "test; a plain `TestCase` would take back what it writes, and nothing would ever be committed.",
)
@pytest.mark.claim(
    "lesson 13",
    "in a `TestCase` nothing is ever committed, so what waits in `on_commit` would never run.",
)
def test_what_is_committed_in_tests(folder):
    (folder / "myapp/test_cases.py").write_text(CASES)
    printed = manage(folder, "test", "myapp.test_cases", "--noinput", "--verbosity", "0")
    lines = [line for line in printed.splitlines() if line.startswith(("Plain", "With", "left"))]
    assert lines == ["Plain True", "left: 0", "WithTransactions False WithTransactions", "left: 0"]


# Now you


@pytest.mark.claim("lesson 12", "Anna reads nothing of what she says, and Ben reads it.")
@pytest.mark.live
def test_now_you_leaves_out_the_sender(tmp_path):
    lay_out(tmp_path, 12)
    rewrite(
        tmp_path / "myapp/rooms.py",
        (
            '"message": text}\n',
            '"message": text}\n            event["sender"] = self.channel_name\n',
        ),
        ("in self.shown:", 'in self.shown and event["sender"] != self.channel_name:'),
    )
    room = "/ws/chat/kitchen/"
    with (
        Server(DAPHNE, tmp_path) as server,
        visit(server, room) as anna,
        visit(server, room) as ben,
    ):
        anna.send('{"message": "hello"}')
        assert read(ben) == {"message": "hello"}
        ben.send('{"message": "hello, Anna"}')
        assert read(anna) == {"message": "hello, Anna"}, "the first that she reads"


@pytest.mark.claim(
    "solutions 12", 'The score in the event, `{"type": "score.changed", "home": 1, "away": 0}`.'
)
@pytest.mark.live
def test_other_answer_to_12_3(tmp_path):
    path = "myapp/scores.py"
    text = dict(task("12.3").files(solved=True))[path]
    for old, new in (
        ('{"type": "score.changed"}', '{"type": "score.changed", **await self.score()}'),
        (
            "    async def score_changed(self, event):\n        await self.show_score()\n",
            "    async def score_changed(self, event):\n"
            "        await self.send_json({side: event[side] for side in SIDES})\n",
        ),
        (
            "        await self.send_json({side: goals.count(side) for side in SIDES})",
            "        return {side: goals.count(side) for side in SIDES}",
        ),
        ("    async def show_score(self):", "    async def score(self):"),
        ("        await self.show_score()", "        await self.send_json(await self.score())"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    assert another_answer("12.3", tmp_path, {path: text}).state == RIGHT


@pytest.mark.claim(
    "lesson 12",
    "`receive_nothing()` waits for a tenth of a second, and is true if nothing has come.",
)
def test_how_long_nothing_is_waited_for():
    parameters = inspect.signature(WebsocketCommunicator.receive_nothing).parameters
    assert parameters["timeout"].default == 0.1

    async def application(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})

    async def nothing():
        communicator = WebsocketCommunicator(application, "/")
        await communicator.send_input({"type": "websocket.connect"})
        there = await communicator.receive_nothing()
        await communicator.receive_output(timeout=5)
        return there, await communicator.receive_nothing()

    assert asyncio.run(nothing()) == (False, True)
