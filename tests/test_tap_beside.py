"""What happens beside connections, in children and in other environments, is told too."""

import asyncio
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from clients import DAPHNE, HELLO, RUNSERVER, client, eventually, talk
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from channels_live import tap
from channels_live.record import Record
from channels_live.timeline.story import clients_of

SITE = Path(tap.__file__).parent / "site"
WSGI = f"{RUNSERVER} --noreload --settings=myproject.plain_settings"


def events_of(server, kind=None):
    server.timeline()
    return [event for event in server._run.record.events if kind in (None, event["kind"])]


def add(file, text):
    with file.open("a") as lines:
        lines.write(text)


# A cell that waits


def test_looking_at_the_timeline_does_not_change_how_a_connection_ends(daphne):
    async def cell():
        async with connect(daphne.ws("/ws/closing/"), proxy=None) as websocket:
            await websocket.send("x")
            for _ in range(3):
                daphne.timeline()  # as in a notebook, nothing else runs in this loop meanwhile
            with pytest.raises(ConnectionClosed) as caught:
                await websocket.recv()
            return caught.value.rcvd.code

    assert asyncio.run(cell()) == 4000
    assert events_of(daphne, "call")[-1]["arg"] == 4000


# Secrets


def test_secrets_are_cut(start, site):
    add(
        site / "myapp/consumers.py",
        "\n\nclass Own(AsyncWebsocketConsumer):\n"
        "    async def connect(self):\n"
        "        key = self.scope['cookies']['sessionid']\n"
        "        await self.channel_layer.group_add(f'user_{key}', self.channel_name)\n"
        "        await self.accept()\n\n"
        "    async def receive(self, text_data=None, bytes_data=None):\n"
        "        raise ValueError('no session ' + self.scope['cookies']['sessionid'])\n",
    )
    add(
        site / "myapp/routing.py",
        "from channels.sessions import CookieMiddleware\n\nwebsocket_urlpatterns += "
        "[path('own/', CookieMiddleware(consumers.Own.as_asgi()))]\n",
    )
    server = start(DAPHNE, site)
    key, other = "abcdefghij0123456789klmnopqrstuv", "Opaque-And-Long-Enough"
    for secret in (key, other):
        with client(
            server,
            "/own/?room=7&token=swordfish&access_token=swordfish&Password=swordfish&sid=swordfish",
            additional_headers={"Cookie": f"a=b; sessionid={secret}"},
        ) as websocket:
            websocket.send("x")
            with pytest.raises(ConnectionClosed):
                websocket.recv(timeout=10)
    server.http("/reset/MQ/c8d2f1-9f86d081884c7d659a2feaa0c55ad015/")
    record = repr(events_of(server))
    assert "swordfish" not in record and key not in record and other not in record
    assert "9f86d081884c7d659a2feaa0c55ad015" not in record
    paths = [event["path"] for event in events_of(server, "open")]
    assert paths[0] == "/own/?room=7&token=…&access_token=…&Password=…&sid=…"
    assert {event["target"] for event in events_of(server, "layer")} == {"user_abcd…", "user_Opaq…"}


def test_refusal_says_which_origin_and_which_code(start, site):
    add(
        site / "myapp/consumers.py",
        "\n\nclass Coded(WebsocketConsumer):\n    def connect(self):\n        self.close(4401)\n",
    )
    add(
        site / "myapp/routing.py",
        "\nwebsocket_urlpatterns += [path('coded/', consumers.Coded.as_asgi())]\n",
    )
    server = start(DAPHNE, site)
    talk(server, "/coded/")
    talk(server, "/ws/guarded/", origin="http://evil.example")
    told = [
        (answer["status"], answer["origin"], answer["code"])
        for answer in events_of(server, "answer")
    ]
    assert told == [(403, None, 4401), (403, "http://evil.example", 1000)]


# Views, threads, tasks, children

VIEWS = """
import asyncio
import multiprocessing
import os
import threading

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.http import HttpResponse
from django.urls import path


def tell(request):
    async_to_sync(get_channel_layer().group_send)("room", {"type": "room.message", "text": "x"})
    return HttpResponse("told")


def fail(request):
    raise LookupError("in a view")


def thread(request):
    def run():
        async_to_sync(get_channel_layer().send)("jobs", {"type": "x"})
        raise LookupError("in a thread")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return HttpResponse("done")


def child(request):
    if (pid := os.fork()) == 0:
        async_to_sync(get_channel_layer().send)("child", {"type": "x"})
        os._exit(0)
    os.waitpid(pid, 0)
    return HttpResponse("done")


async def task(request):
    async def run():
        raise LookupError("in a task")

    asyncio.create_task(run())
    return HttpResponse("done")


urlpatterns = [
    path("tell/", tell), path("fail/", fail), path("thread/", thread), path("task/", task),
    path("child/", child),
]
"""


def with_views(site):
    (site / "myproject/views.py").write_text(VIEWS)
    for settings in ("settings", "plain_settings"):
        add(
            site / f"myproject/{settings}.py",
            "\nROOT_URLCONF = 'myproject.views'\nCHANNEL_LAYERS = {'default': "
            "{'BACKEND': 'channels.layers.InMemoryChannelLayer'}}\n",
        )
    return site


@pytest.mark.parametrize("command", [DAPHNE, WSGI], ids=["daphne", "WSGI"])
def test_what_views_do_belongs_to_their_request(start, site, command):
    server = start(command, with_views(site))
    assert server.http("/tell/").text == "told"
    assert server.http("/fail/").status_code == 500
    events = events_of(server)
    paths = {event["conn"]: event["path"] for event in events if event["kind"] == "open"}
    told = [
        (event["kind"], paths[event["conn"]], event["type"])
        for event in events
        if event["kind"] in ("layer", "error")
    ]
    assert told == [("layer", "/tell/", "room.message"), ("error", "/fail/", "LookupError")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_threads_tasks_and_children_are_told(start, site):
    server = start(DAPHNE, with_views(site))
    for path in ("/thread/", "/task/", "/child/"):
        assert server.http(path).text == "done"
    # the child's connection comes beside that of the server, which knows nothing of it
    for kind in ("error", "layer"):
        assert eventually(lambda kind=kind: len(events_of(server, kind)) == 2), kind
    assert [event["message"] for event in events_of(server, "error")] == [
        "in a thread", "in a task",
    ]  # fmt: skip
    layer = [(event["target"], event["process"]) for event in events_of(server, "layer")]
    assert layer == [("jobs", 1), ("child", 2)]
    assert not events_of(server, "gap")


# Tests of a project

TESTS = """
import asyncio, os
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "myproject.settings"
django.setup()
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from myapp.routing import websocket_urlpatterns

async def main():
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), "/ws/echo/?token=x")
    assert (await communicator.connect())[0]
    await communicator.send_to(text_data="hello")
    assert await communicator.receive_from() == "hello"
    await communicator.disconnect(code=4001)

asyncio.run(main())
"""


@pytest.mark.live
def test_connections_of_its_tests_are_told_with_their_paths(site):
    (site / "try.py").write_text(TESTS)
    record = Record()
    try:
        environment = os.environ | {"PYTHONPATH": str(SITE), "CHANNELS_LIVE_TAP": record.address}
        command = [sys.executable, "try.py"]
        done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert eventually(lambda: not record.connected and record.events)
        (client,) = clients_of(record.events)
        assert [(row.direction, row.text, row.call) for row in client.rows] == [
            ("in", "GET /ws/echo/?token=…", "Echo.connect()"),
            ("out", "101 accepted", ""),
            ("in", "hello", "Echo.receive()"),
            ("out", "hello", ""),
            ("in", "close 4001", "Echo.disconnect(4001)"),
        ]
    finally:
        record.close()


# Other environments


def test_it_runs_in_an_environment_that_has_nothing_of_the_course(tmp_path):
    venv.create(tmp_path / ".venv", symlinks=True)
    python = tmp_path / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    script = (
        "import sys, threading\n"
        "from importlib.util import find_spec\n"
        "assert 'channels_live.tap.wire' in sys.modules\n"
        "assert not find_spec('wrapt') and not find_spec('django')\n"
        "def run(): raise LookupError('here')\n"
        "thread = threading.Thread(target=run); thread.start(); thread.join()\n"
    )
    (tmp_path / "own.py").write_text(script)
    record = Record()
    try:
        environment = os.environ | {"PYTHONPATH": str(SITE), "CHANNELS_LIVE_TAP": record.address}
        command = [str(python), "own.py"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert eventually(lambda: not record.connected and record.events)
        error, _exit = record.events
        assert (error["type"], error["line"]) == ("LookupError", 5)
    finally:
        record.close()


def test_its_files_can_be_read_by_older_pythons():
    import ast

    for file in [*SITE.parent.glob("*.py"), *SITE.glob("*.py")]:
        ast.parse(file.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("missing", ["aclose_old_connections"])
def test_older_channels_tell_too(start, site, missing):
    """Channels 4.0 and 4.1 do not have it."""
    own = shutil.copytree(Path(__import__("channels").__file__).parent, site / "channels")
    consumer = own / "consumer.py"
    text = consumer.read_text()
    text = text.replace(f"import {missing}, ", "import ").replace(
        f"            await {missing}()\n", ""
    )
    assert missing not in text
    consumer.write_text(text)
    server = start(DAPHNE, site)
    assert talk(server, "/ws/echo/", HELLO) == [HELLO]
    kinds = [event["kind"] for event in events_of(server) if "conn" in event]
    assert kinds == [
        "open", "call", "answer", "return", "in", "call", "out", "return",
        "close", "call", "return",
    ]  # fmt: skip
    assert not events_of(server, "gap")
