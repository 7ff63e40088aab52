"""What lesson 25 and its solutions state about communicators, Django's tests and pytest."""

import asyncio
import inspect
import json
import multiprocessing
import os
import shutil
import subprocess
import sys

import pytest
from channels.consumer import AsyncConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator
from clients import manage
from django.conf import settings
from projects import lesson_begins

from channels_live import workspace
from channels_live.kernel import NO_PLUGINS
from channels_live.server.process import run

if not settings.configured:
    settings.configure()

# as in a cell, see kernel.py
PYTEST = ["-m", "pytest", "-q", *NO_PLUGINS.split()]

ROUTE = """
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.testing import ChannelsLiveServerTestCase, WebsocketCommunicator
from django.test import SimpleTestCase

from myapp.rooms import RoomConsumer


class Early(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close(4401)


class RouteTests(SimpleTestCase):
    async def test_no_route(self):
        with self.assertRaisesMessage(KeyError, "url_route"):
            await WebsocketCommunicator(RoomConsumer.as_asgi(), "/").connect()

    async def test_code_before_accept(self):
        answer = await WebsocketCommunicator(Early.as_asgi(), "/").connect()
        self.assertEqual(answer, (False, 4401))


class MemoryTests(ChannelsLiveServerTestCase):
    def test_nothing(self):
        pass
"""
LIVE = """
from django.test import TestCase


class DatabaseTests(TestCase):
    def test_nothing(self):
        pass
"""
LEFT = """
import pytest
from websockets import InvalidStatus
from websockets.sync.client import connect

from myapp.models import Message

pytestmark = pytest.mark.django_db


async def test_1_writes():
    await Message.objects.acreate(room="kitchen", text="Soup?")


async def test_2_finds_it():
    assert await Message.objects.acount() == 1


def test_3_wsgi(live_server):
    address = live_server.url.replace("http", "ws") + "/ws/chat/kitchen/"
    with pytest.raises(InvalidStatus, match="404"):
        connect(address, origin="http://localhost", proxy=None)
"""
INI = """[pytest]
DJANGO_SETTINGS_MODULE = myproject.settings
asyncio_mode = auto
addopts = -p no:cacheprovider
"""


def python(folder, *arguments):
    """Run Python in a folder, as a fork. Return its exit status and what it has printed."""
    command = [sys.executable, *arguments]
    return run(command, folder=folder, environment=os.environ, timeout=300)


@pytest.mark.claim(
    "lesson 25",
    "a communicator for the consumer alone would end in `KeyError: 'url_route'`.",
    "a communicator gives you 4401, and no browser ever sees it.",
    "With SQLite, Django's tests use a database in memory; then this class refuses to start: "
    "`ChannelLiveServerTestCase can not be used with in memory databases`.",
)
def test_what_communicators_and_live_servers_ask_for(tmp_path):
    folder = lesson_begins(25, tmp_path)
    (folder / "myapp/test_claims.py").write_text(ROUTE)
    its = folder / "myproject/settings.py"
    text = its.read_text()
    (line,) = (line for line in text.splitlines() if '"TEST"' in line)
    its.write_text(text.replace(line, ""))
    said = manage(folder, "test", "myapp.test_claims", "--noinput", check=False)
    assert "ChannelLiveServerTestCase can not be used with in memory databases" in said
    assert "Ran 2 tests" in said and "errors=1" in said, said


@pytest.mark.claim(
    "lesson 25",
    "Django takes it for an old test database, asks whether it may delete it, and with `--noinput` "
    "it deletes it **without asking**.",
)
@pytest.mark.live
def test_database_of_the_tutorial(tmp_path):
    folder = lesson_begins(25, tmp_path)
    its = folder / "myproject/settings.py"
    its.write_text(its.read_text().replace('"test.sqlite3"', '"db.sqlite3"'))
    database = folder / "db.sqlite3"
    database.write_bytes(b"")
    (folder / "myapp/test_claims.py").write_text(ROUTE.partition("class RouteTests")[0] + LIVE)
    command = [sys.executable, "manage.py", "test", "myapp.test_claims"]
    asked = subprocess.run(command, cwd=folder, input="no\n", capture_output=True, text=True)
    assert "Type 'yes' if you would like to try deleting the test database" in asked.stdout
    assert database.exists()
    manage(folder, "test", "myapp.test_claims", "--noinput")
    assert not database.exists()


@pytest.mark.claim(
    "lesson 25",
    "Worse, what *it* writes is committed, and the next test finds it.",
    "The fixture `live_server` of pytest-django looks like it, but it is WSGI, and answers each "
    "socket with a 404.",
)
@pytest.mark.live
def test_what_is_left_without_transaction(tmp_path):
    folder = lesson_begins(25, tmp_path)
    (folder / "pytest.ini").write_text(INI)
    (folder / "myapp/test_claims.py").write_text(LEFT)
    _, printed = python(folder, *PYTEST, "myapp/test_claims.py")
    assert "3 passed" in printed, printed


@pytest.mark.claim(
    "lesson 25",
    "Silence for 0.1 seconds, the default of `receive_nothing`, is no silence.",
    "`receive_json_from` has a limit of one second; after it, the communicator has cancelled the "
    "consumer, so do not go on with it.",
)
def test_limits_of_a_communicator():
    def default(method):
        return inspect.signature(method).parameters["timeout"].default

    assert default(WebsocketCommunicator.receive_nothing) == 0.1
    assert default(WebsocketCommunicator.receive_json_from) == 1

    async def after_a_limit():
        anna = WebsocketCommunicator(AsyncJsonWebsocketConsumer.as_asgi(), "/")
        await anna.connect()
        with pytest.raises(TimeoutError):
            await anna.receive_json_from(timeout=0.01)
        return anna.future.cancelled() or anna.future.done()

    assert issubclass(AsyncJsonWebsocketConsumer, AsyncConsumer)
    assert asyncio.run(after_a_limit())


@pytest.mark.claim(
    "lesson 25",
    "`manage.py test` sets `DEBUG` to `False` before it imports a test. pytest imports the tests "
    "first, and our routes look at `DEBUG` when they are imported.",
    "After an `async def` test that asked the database, the copy waits for a thread that it does "
    "not have. A process that is **spawned** begins afresh.",
)
@pytest.mark.live
def test_lines_of_conftest(tmp_path):
    folder = tmp_path / "finished"
    shutil.copytree(workspace.SAMPLE / "finished", folder)
    ours = folder / "conftest.py"
    whole = ours.read_text()
    need_debug = ["experiments/test_protocols.py"]
    need_spawn = ["myapp/test_in_pytest.py", "myapp/test_live.py::LiveTests::test_two_clients_meet"]
    forks = multiprocessing.get_start_method(allow_none=False) == "fork"

    def failed(tests):
        _, printed = python(folder, *PYTEST, *tests)
        assert " passed" in printed, printed
        return " failed" in printed

    assert not failed(need_debug + need_spawn)
    for line, tests, needs in (
        ("settings.DEBUG = False", need_debug, True),
        ('multiprocessing.set_start_method("spawn")', need_spawn, forks),
    ):
        assert line in whole
        ours.write_text(whole.replace(line, ""))
        assert failed(tests) == needs, line


@pytest.mark.claim("lesson 25", "without it, the test is **skipped**, and says what to install.")
def test_browser_is_not_needed(tmp_path):
    folder = tmp_path / "finished"
    shutil.copytree(workspace.SAMPLE / "finished", folder)
    (folder / "playwright.py").write_text("raise ImportError")
    said = manage(folder, "test", "myapp.test_browser", "--noinput", "--verbosity", "2")
    assert "needs a browser: pip install playwright, then playwright install chromium" in said
    assert "(skipped=1)" in said  # since Python 3.12 without OK


@pytest.mark.claim("lesson 25", "Floors 1 and 2 are measured without more.")
@pytest.mark.live
def test_coverage_of_floor_2(tmp_path):
    folder = tmp_path / "finished"
    shutil.copytree(workspace.SAMPLE / "finished", folder)
    (folder / ".coveragerc").unlink()
    tests = ["manage.py", "test", "myapp.test_rooms", "--noinput"]
    for arguments in (["run", "--include=myapp/rooms.py", *tests], ["json", "-o", "seen.json"]):
        status, printed = python(folder, "-m", "coverage", *arguments)
        assert not status, printed
    seen = json.loads((folder / "seen.json").read_text())
    assert seen["totals"]["percent_covered"] > 50
