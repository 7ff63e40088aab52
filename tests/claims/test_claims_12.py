"""Lesson 12, Talk in groups: what no cell shows."""

import asyncio
import re

import pytest
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from clients import DAPHNE, eventually
from daphne.cli import CommandLineInterface
from django.urls.converters import StringConverter
from django.utils.text import slugify
from rooms import UVICORN, closed_with, lay_out, read, shell, visit

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
    "`leave` runs however that ends.",
)
@pytest.mark.claim(
    "lesson 13",
    "But after an exception it does not, nor if a handler is still busy ten seconds after Ben has "
    "gone, when daphne ends it. Anna would see a **ghost**. So the leaving belongs into `finally`.",
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
    assert eventually(lambda: ran("disconnect ran") == before[0] + 1, within=5), "Anna has left"


@pytest.mark.claim(
    "lesson 12",
    "So is everybody's in the room.",
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
        assert daphne.log() == log
    with visit(uvicorn, "/ws/first/deaf/") as anna:
        anna.send('{"type": "websocket.disconnect", "code": 1000}')
        assert closed_with(anna) == 1006
