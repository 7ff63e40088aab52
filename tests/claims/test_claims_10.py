"""What lesson 10, its exercises and their hints state, and no output shows."""

import inspect
import os
import signal
import subprocess
import sys

import pytest
from channels.consumer import SyncConsumer, get_handler_name
from channels.generic.websocket import WebsocketConsumer
from channels.management.commands import runworker
from channels.worker import Worker
from clients import client, talk
from kinds import lay_out

from channels_live.server import Server

DAPHNE = "daphne -p 8000 myproject.asgi:application"


@pytest.fixture(scope="module")
def folder(project, tmp_path_factory):
    return lay_out(project, tmp_path_factory.mktemp("kinds"))


@pytest.mark.claim(
    "lesson 10",
    "Channels takes the type, writes `_` for each `.`, and calls the method of that name.",
    "| `my.custom.event` | `my_custom_event` |",
    "| `my_custom_event` | `my_custom_event` too |",
    "| `_secret` | none: a type may not begin with `_` |",
)
@pytest.mark.claim("hints 10.2", "Their names are the types of the events, with `_` for `.`")
def test_names():
    for kind in ("my.custom.event", "my_custom_event"):
        assert get_handler_name({"type": kind}) == "my_custom_event"
    with pytest.raises(ValueError, match="leading underscore"):
        get_handler_name({"type": "_secret"})


def python(script, folder, **environment):
    """Run a script, and return what it prints and complains of."""
    variables = {name: value for name, value in os.environ.items() if "DJANGO_SETTINGS" not in name}
    command = [sys.executable, "-c", script]
    ran = subprocess.run(
        command, cwd=folder, env=variables | environment, capture_output=True, text=True
    )
    return ran.stdout + ran.stderr


@pytest.mark.claim("lesson 10", "(Channels asks for Django settings, so we give it nearly empty")
@pytest.mark.claim("lesson 11", "(Channels asks for Django settings. Empty ones will do.)")
def test_settings_are_asked_for(tmp_path):
    script = (
        "import asyncio\nfrom channels.consumer import AsyncConsumer\n"
        "from channels.testing import ApplicationCommunicator\n"
        "async def main():\n"
        "    by_hand = ApplicationCommunicator(AsyncConsumer.as_asgi(), {'type': 'demo'})\n"
        "    await by_hand.send_input({'type': 'x'})\n"
        "    await by_hand.wait()\n"
        "asyncio.run(main())"
    )
    assert "settings are not configured" in python(script, tmp_path)
    empty = f"from django.conf import settings\nsettings.configure()\n{script}"
    assert "No handler for message type x" in python(empty, tmp_path)


@pytest.mark.claim("lesson 10", "`Worker` is the class behind the command `runworker`.")
def test_worker_of_the_command():
    assert runworker.Command.worker_class is Worker


@pytest.mark.claim(
    "lesson 10",
    "a worker keeps *one* consumer for each channel, not one for each sender.",
    "(Channels itself causes a warning here, about `async_to_sync`. It is harmless",
)
@pytest.mark.claim(
    "solutions 10",
    "A worker keeps one consumer for each channel.",
    "`self.send` would be no way out: behind a worker there is no client, only the layer.",
)
@pytest.mark.claim("hints 10.3", "A worker keeps one instance for each channel")
@pytest.mark.live
def test_worker_keeps_one_consumer_a_channel(tmp_path):
    script = (
        "import asyncio\nfrom django.conf import settings\n"
        "backend = 'channels.layers.InMemoryChannelLayer'\n"
        "settings.configure(CHANNEL_LAYERS={'default': {'BACKEND': backend}})\n"
        "from channels.consumer import SyncConsumer\n"
        "from channels.layers import get_channel_layer\nfrom channels.worker import Worker\n"
        "made = []\n"
        "class Job(SyncConsumer):\n"
        "    def __init__(self):\n        made.append(self)\n"
        "    def job_please(self, event):\n"
        "        print(event['by'], made.index(self))\n"
        "    def job_answer(self, event):\n"
        "        try:\n            self.send({'type': 'job.done'})\n"
        "        except NotImplementedError:\n            print('no client')\n"
        "async def main():\n"
        "    layer = get_channel_layer()\n"
        "    working = asyncio.create_task(Worker(Job.as_asgi(), ['a', 'b'], layer).arun())\n"
        "    for channel, by in ['ax', 'ay', 'bx', 'ax']:\n"
        "        await layer.send(channel, {'type': 'job.please', 'by': by})\n"
        "        await asyncio.sleep(0.2)\n"
        "    await layer.send('a', {'type': 'job.answer'})\n"
        "    await asyncio.sleep(0.2)\n"
        "asyncio.run(main())"
    )
    said = python(script, tmp_path)
    assert [line for line in said.splitlines() if line[0] in "xy"] == ["x 0", "y 0", "x 1", "x 0"]
    assert "no client" in said
    assert "async_to_sync was passed a non-async-marked callable" in said


@pytest.mark.claim(
    "lesson 10",
    "With a layer in memory, `runworker` would wait for ever: its memory is not ours.",
)
@pytest.mark.live
def test_layer_in_memory_reaches_no_other_process(tmp_path):
    send = "await layer.send('squares', {'type': 'square.please'})"
    receive = "print(await asyncio.wait_for(layer.receive('squares'), 0.3))"

    def run(*steps):
        body = "\n".join(f"    {step}" for step in steps)
        return python(
            "import asyncio\nfrom channels.layers import InMemoryChannelLayer\n"
            f"async def main():\n    layer = InMemoryChannelLayer()\n{body}\nasyncio.run(main())",
            tmp_path,
        )

    assert run(send) == ""
    assert "TimeoutError" in run(receive)
    assert "square.please" in run(send, receive)


@pytest.mark.claim(
    "lesson 10",
    "`WebsocketConsumer` translates `websocket_connect` into `connect`, `websocket_receive` into "
    "`receive` with one of its two arguments, and raises `StopConsumer` for you.",
    "`WebsocketConsumer` is a `SyncConsumer` that knows the three WebSocket events, and stops when "
    "the client is gone.",
)
@pytest.mark.claim(
    "lesson 11",
    "means no more than the translation that you have seen in lesson 10: an event comes in, and "
    "`connect`, `receive` or `disconnect` is called.",
)
def test_translation():
    assert issubclass(WebsocketConsumer, SyncConsumer)
    own = {name for name in vars(WebsocketConsumer) if name.startswith("websocket_")}
    assert own == {"websocket_connect", "websocket_receive", "websocket_disconnect"}
    for event in ("connect", "receive", "disconnect"):
        source = inspect.getsource(getattr(WebsocketConsumer, f"websocket_{event}"))
        assert f"self.{event}(" in source
    assert "raise StopConsumer()" in source


@pytest.mark.claim("lesson 10", "daphne patient for one second only; it would wait for ten.)")
def test_patience_of_daphne():
    from daphne.cli import CommandLineInterface

    assert CommandLineInterface().parser.get_default("application_close_timeout") == 10


@pytest.mark.claim(
    "lesson 10",
    "(daphne kills; uvicorn has no such limit, and would wait for it for ever.)",
)
@pytest.mark.claim("solutions 10", "(uvicorn raises.)")
@pytest.mark.live
def test_uvicorn_kills_nobody_and_takes_no_event_the_other_way(folder):
    """It waits even when it is told to stop."""
    from test_claims_09 import program

    command = ["uvicorn", "--port", "0", "myproject.asgi:application"]
    with program(folder, *command) as process:
        process.port = next(
            int(line.rpartition(":")[2].split()[0])
            for line in process.stdout
            if "Uvicorn running on" in line
        )
        process.ws = lambda path: f"ws://127.0.0.1:{process.port}{path}"
        with client(process, "/tidy/") as websocket:
            websocket.send("wait")
            websocket.recv()
        assert talk(process, "/raw/", "x") == ["no close frame received or sent"]
        process.send_signal(signal.SIGTERM)
        said = []
        for line in process.stdout:
            said.append(line)
            if "Waiting for background tasks to complete" in line:
                break
        assert any("but got 'websocket.receive'" in line for line in said), said
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)


@pytest.mark.claim(
    "solutions 10",
    "`websocket.receive` goes only the other way, and daphne passes over it in silence.",
)
@pytest.mark.live
def test_event_that_goes_the_other_way(folder):
    with Server(DAPHNE, folder) as daphne:
        assert talk(daphne, "/raw/", "x") == ["passed over"]
