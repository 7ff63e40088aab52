"""Lesson 20, Speak in types: what no cell shows."""

import asyncio
import json
import re
import runpy
from importlib.metadata import requires
from typing import Literal

import jsonschema
import msgspec
import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.testing import WebsocketCommunicator
from clients import DAPHNE
from django.conf import settings
from django.forms import IntegerField
from packaging.requirements import Requirement
from rooms import lay_out
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channels_live.exercise import task
from channels_live.server import Server
from channels_live.workspace import SAMPLE, project_before
from channels_live.workspace import lay_out as lay_out_layers

if not settings.configured:
    settings.configure()


@pytest.mark.claim(
    "lesson 20",
    "it ends the consumer of everybody in the group, with 1011.",
    "`websocket.disconnect` is the event with which daphne tells a consumer that its client has "
    "gone.",
)
@pytest.mark.live
def test_types_that_a_client_may_choose(tmp_path):
    folder = lay_out(tmp_path)
    wall = folder / "experiments/wall.py"
    told = (
        "    async def websocket_disconnect(self, event):\n        print(sorted(event.items()))\n"
    )
    wall.write_text(
        f"{wall.read_text()}\n{told}        await super().websocket_disconnect(event)\n"
    )
    with Server(DAPHNE, folder) as server:
        address = server.ws("/ws/wall/")
        with connect(address, origin="http://localhost", proxy=None) as anna:
            anna.send('{"type": "wall.note", "note": "hello"}')
            assert json.loads(anna.recv(timeout=10)) == {"note": "hello"}
        server.wait_for_log("('type', 'websocket.disconnect')")
        with (
            connect(address, origin="http://localhost", proxy=None) as anna,
            connect(address, origin="http://localhost", proxy=None) as ben,
        ):
            server.timeline()
            anna.send('{"type": "wall.missing"}')
            for client in (anna, ben):
                with pytest.raises(ConnectionClosed) as closed:
                    client.recv(timeout=10)
                assert closed.value.rcvd.code == 1011


def _needs(package, seen):
    for line in requires(package) or ():
        requirement = Requirement(line)
        if requirement.name not in seen and (
            not requirement.marker or requirement.marker.evaluate()
        ):
            seen.add(requirement.name)
            _needs(requirement.name, seen)
    return seen


@pytest.mark.claim("lesson 20", "`jsonschema`, a package that JupyterLab brings along")
def test_who_brings_jsonschema():
    assert "jsonschema" in _needs("jupyterlab", set())


@pytest.mark.claim("lesson 20", "They read texts, though, and each in a field of its own;")
def test_forms_read_texts():
    assert IntegerField().to_python("3") == 3


@pytest.mark.claim("solutions 20", "`RecursionError` is for JSON that is nested too deep")
@pytest.mark.parametrize(
    ("number", "path"), [("20.1", "drawing"), ("20.2", "lift"), ("20.3", "box")]
)
@pytest.mark.live
def test_answers_that_refuse_json_nested_too_deep(number, path, tmp_path):
    answer = task(number)
    lay_out_layers(tmp_path, project_before(21), answer.files(solved=True))
    with Server(DAPHNE, tmp_path) as server:
        address = server.ws(f"/ws/{path}/")
        with connect(address, origin="http://localhost", proxy=None) as anna:
            for _ in range(2):  # and she stays
                anna.send(100_000 * '{"a":')
                told = json.loads(anna.recv(timeout=10))
                assert "maximum recursion depth" in (told.get("error") or told["reason"])


@pytest.mark.claim(
    "solutions 20",
    "`True` is an `int`, for Python, and `[1, 2, 3]` is a list of numbers too.",
    'To put `"type"` last, `{**content, "type": …}`, mends the first fault and not the second.',
)
def test_what_isinstance_does_not_see():
    assert isinstance(True, int)
    assert {**{"type": "theirs"}, "type": "ours"} == {"type": "ours"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert([1, True], tuple[int, int])
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert([1, 2, 3], tuple[int, int])


@pytest.mark.claim(
    "solutions 20",
    "`Literal[-1, 0, 1, …, 9]` for the floors: right, and long.",
    '`tag="call"` written out in each class',
)
def test_other_ways_to_say_it():
    class Call(msgspec.Struct, tag_field="do", tag="call"):
        floor: Literal[-1, 0, 1]

    decode = msgspec.json.Decoder(Call).decode
    assert decode('{"do": "call", "floor": -1}') == Call(-1)
    with pytest.raises(msgspec.ValidationError):
        decode('{"do": "call", "floor": 2}')


class Forgetful(AsyncWebsocketConsumer):
    """Takes two kinds of frames, and has a `case` for one."""

    class Watch(msgspec.Struct, tag_field="do", tag="watch"):
        pass

    class Unwatch(msgspec.Struct, tag_field="do", tag="unwatch"):
        pass

    async def receive(self, text_data=None, bytes_data=None):
        match msgspec.json.decode(text_data, type=self.Watch | self.Unwatch):
            case self.Unwatch():
                await self.send("unwatched")


@pytest.mark.claim(
    "lesson 20", "A frame that is taken and has none is lost: no answer, and no error."
)
def test_struct_without_a_case():
    async def answer():
        anna = WebsocketCommunicator(Forgetful.as_asgi(), "/")
        await anna.connect(timeout=30)
        for name in ("watch", "unwatch"):
            await anna.send_to(f'{{"do": "{name}"}}')
        first = await anna.receive_from(timeout=30)
        await anna.disconnect(timeout=30)
        return first

    assert asyncio.run(answer()) == "unwatched"


@pytest.mark.claim(
    "lesson 20",
    "(In Python's patterns `$` lets a line feed follow. `(?!\\n)` says that none may.)",
)
@pytest.mark.claim(
    "solutions 20",
    'And `$` alone would take `"news\\n"`, which is another group than `"news"`.',
)
def test_line_feed_after_a_slug():
    protocol = runpy.run_path(str(SAMPLE / "steps/20/myapp/protocol.py"))
    pattern = protocol["schema"]["$defs"]["Watch"]["properties"]["topic"]["pattern"]
    for topic, right in (("django-5_2", True), ("django\n", False), ("\ndjango", False)):
        frame = {"do": "watch", "topic": topic}
        assert jsonschema.Draft202012Validator(protocol["schema"]).is_valid(frame) == right
        if right:
            assert protocol["decode"](json.dumps(frame)).topic == topic
        else:
            with pytest.raises(msgspec.ValidationError):
                protocol["decode"](json.dumps(frame))
    assert re.search(pattern.removesuffix(r"(?!\n)"), "django\n")
