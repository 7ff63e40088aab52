"""Lesson 12, Talk to each other with groups: what no cell shows."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys

import psutil
import pytest
from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from clients import DAPHNE, client, eventually
from daphne.cli import CommandLineInterface
from django.urls.converters import SlugConverter, StringConverter
from playwright.sync_api import expect
from uvicorn.config import Config
from websockets.exceptions import ConnectionClosed, InvalidStatus

from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project

ORIGIN = "http://localhost"
UVICORN = "uvicorn --port 8000 myproject.asgi:application"

# Rooms with a fault, as a learner may build one
FAULTY = '''
import asyncio

from .rooms import RoomConsumer
from .visitors import VisitorConsumer


class FaultyVisitor(VisitorConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "busy":
            await asyncio.sleep(60)
        raise RuntimeError("a fault")

    async def disconnect(self, close_code):
        print("disconnect ran")

    async def leave(self):
        print("leave ran")
        await super().leave()


class FirstRoom(RoomConsumer):
    """As in *Watch it fail*: the client chooses the type."""

    async def receive(self, text_data=None, bytes_data=None):
        event = {"type": "chat.message", **json.loads(text_data)}
        await self.channel_layer.group_send(self.group, event)


websocket_urlpatterns += [
    path("ws/faulty/<str:room_name>/", FaultyVisitor.as_asgi()),
    path("ws/first/<str:room_name>/", FirstRoom.as_asgi()),
]
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of the finished site, with a noticeboard and rooms that have faults."""
    folder = tmp_path_factory.mktemp("finished")
    copy_project(SAMPLE / "finished", folder)
    routing = folder / "myapp/routing.py"
    routing.write_text(f"import json\n{routing.read_text()}\n{FAULTY}")
    for command in ("migrate", "loaddata noticeboard"):
        manage(folder, *command.split(), "--verbosity", "0")
    return folder


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


def manage(folder, *arguments, **options):
    """Run `python manage.py` there, and return what it prints."""
    command = [sys.executable, "manage.py", *arguments]
    options = {"check": True, "capture_output": True, "text": True} | options
    return subprocess.run(command, cwd=folder, **options).stdout


def shell(folder, code):
    """Run code with the site's apps loaded. Return the values that it prints as JSON."""
    return json.loads(manage(folder, "shell", "--verbosity", "0", "-c", code).splitlines()[-1])


def visit(server, path):
    return client(server, path, origin=ORIGIN)


def read(websocket):
    return json.loads(websocket.recv(timeout=10))


def closed_with(websocket):
    with pytest.raises(ConnectionClosed) as closed:
        websocket.recv(timeout=10)
    return closed.value.rcvd.code if closed.value.rcvd else 1006


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


@pytest.mark.claim("lesson 12", "sending to an empty group is no error.")
def test_sending_to_an_empty_group():
    async def run():
        return await InMemoryChannelLayer().group_send("nobody", {"type": "demo"})

    assert asyncio.run(run()) is None


@pytest.mark.claim(
    "lesson 12",
    "`<str:room_name>` takes any letter. (So does the `\\w+` of many guides.)",
    'with `_` for each, "Küche" and "Kåche" would be one room.',
    "It has only letters and digits, always the same length, and in practice is another one for "
    "every room.",
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
    assert all(re.fullmatch(r"chat\.[a-z0-9]{20}", name) for name in names)


@pytest.mark.claim("lesson 12", "(A topic's slug is short and ASCII, so it needs no hash.")
def test_slugs_are_short_and_ascii(folder):
    assert re.fullmatch(SlugConverter.regex, "lunch-2")
    assert not re.fullmatch(SlugConverter.regex, "küche")
    code = "import json; print(json.dumps(Topic._meta.get_field('slug').max_length))"
    assert shell(folder, code) + len("topic.") < BaseChannelLayer.MAX_NAME_LENGTH


# How a consumer ends


@pytest.mark.claim(
    "lesson 12",
    "after an exception `disconnect` does not run.",
    "`__call__` runs a consumer from its first event to its last. With `finally` around it, "
    "`leave` runs however that ends.",
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


@pytest.mark.claim(
    "lesson 12",
    "daphne asks with pings, and takes up to 50 seconds to notice (uvicorn: 40).",
)
@pytest.mark.live
def test_who_answers_no_ping_is_dropped(folder):
    default = CommandLineInterface().parser.get_default
    assert default("ping_interval") + default("ping_timeout") == 50
    options = Config("app:app")
    assert options.ws_ping_interval + options.ws_ping_timeout == 40
    with Server(f"{DAPHNE} --ping-interval 1 --ping-timeout 1", folder) as server:
        address = "127.0.0.1", server.port
        with (
            visit(server, "/ws/chat/hall/?name=Anna") as anna,
            socket.create_connection(address) as mute,
        ):
            assert read(anna) == {"here": ["Anna"]}
            lines = [
                "GET /ws/chat/hall/?name=Ben HTTP/1.1",
                "Host: localhost",
                f"Origin: {ORIGIN}",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
            mute.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            assert read(anna) == {"here": ["Anna", "Ben"]}
            assert read(anna) == {"here": ["Anna"]}, "its end was noticed, and it sent none"


@pytest.mark.claim(
    "lesson 12",
    "And if the *server* is killed, or daphne stopped, nothing runs at all.",
)
@pytest.mark.live
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_runs_where_the_server_ends(folder, how):
    with Server(DAPHNE, folder) as server:
        with visit(server, "/ws/faulty/hall/?name=Anna") as anna:
            assert read(anna) == {"here": ["Anna"]}
            psutil.Process(server.pid).send_signal(how)
            assert closed_with(anna) == 1006
            assert eventually(lambda: not server.running, within=10)
        assert not server.log(contains=" ran")


@pytest.mark.claim("lesson 12", "Who asks for a topic that is not there is refused.)")
@pytest.mark.live
@pytest.mark.parametrize("slug", ["no-such-topic", "x" * 95])
def test_who_asks_for_no_topic_is_refused(daphne, slug):
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        visit(daphne, f"/ws/topics/{slug}/")
    assert daphne.http(f"/topics/{slug}/").status_code == 404


@pytest.mark.claim(
    "lesson 12", "Only who gives a name takes part; other clients hear nothing of it."
)
@pytest.mark.live
def test_who_gives_no_name_hears_nothing_of_visitors(daphne):
    room = "/ws/chat/quiet/"
    with visit(daphne, room) as cleo, visit(daphne, f"{room}?name=Anna") as anna:
        assert read(anna) == {"here": ["Anna"]}
        anna.send('{"message": "hello"}')
        assert read(cleo) == {"message": "hello"}


# From a view


VIEWS = """
import json
from unittest.mock import patch
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from myapp import signals
from myapp.models import Post, Topic

told, seen = [], []


def group_send(group, event):
    told.append(event["url"])
    seen.append(Post.objects.filter(pk=event["url"].rpartition("-")[2]).exists())
    if failing:
        raise ConnectionError("no layer")


failing, real = False, transaction.on_commit
anna = User.objects.create_superuser("boss", password="soup")
client = Client(raise_request_exception=False, SERVER_NAME="localhost")
client.force_login(anna)
first = {"topic": 2, "author": anna.pk, "text": "From the admin."}
with patch.object(signals, "group_send", group_send):
    by_admin = client.post("/admin/myapp/post/add/", first).status_code, len(told)
    try:
        with transaction.atomic():
            Post.objects.create(topic_id=2, author=anna, text="Never.")
            early = len(told)
            raise RuntimeError
    except RuntimeError:
        after_rollback = len(told)
    failing, answers = True, []
    for robust in (True, False):
        text = f"robust: {robust}"
        with patch.object(
            transaction, "on_commit", lambda call, robust_=robust, **_: real(call, robust=robust_)
        ):
            status = client.post("/topics/lunch/", {"text": text}).status_code
        answers.append([status, Post.objects.filter(text=text).exists()])
print(json.dumps([by_admin, early, after_rollback, answers, seen]))
"""


@pytest.mark.claim(
    "lesson 12",
    "but the admin saves posts too. So a signal does it, and `ready` in `apps.py` loads it.",
    "`transaction.on_commit` waits until the post is safely in the database.",
    "`robust=True`: if the layer fails, that is logged, and Anna's page comes all the same.",
)
@pytest.mark.claim(
    "solutions 12",
    "if a list is refused, its topics are taken back, and what waited is forgotten.",
)
@pytest.mark.claim(
    "hints 12.3",
    "And `transaction.on_commit(…)` takes a function that it calls later, or never.",
)
def test_signal_tells_after_the_commit(folder):
    by_admin, early, after_rollback, answers, seen = shell(folder, VIEWS)
    assert by_admin == [302, 1]
    assert early == after_rollback == 1, "nothing of what was rolled back"
    assert answers == [[302, True], [500, True]], "robust, and not: saved in both cases"
    assert all(seen)


ROBUST = """
import json
from functools import partial
from django.db import transaction


def fail(*_):
    raise ConnectionError("no layer")


called, results = [], []
transaction.on_commit(lambda: called.append("at once"))
for call in (lambda: fail(1), partial(fail, 1)):
    try:
        with transaction.atomic():
            transaction.on_commit(call, robust=True)
        results.append("logged")
    except Exception as error:
        results.append(str(error))
print(json.dumps([called, results]))
"""


@pytest.mark.claim(
    "solutions 12",
    "Outside of a transaction it does not wait at all.",
    "`robust=True` asks the function for its name, to log it, and a `partial` has none.",
)
def test_robust_asks_for_a_name(folder):
    called, (by_lambda, by_partial) = shell(folder, ROBUST)
    assert called == ["at once"]
    assert by_lambda == "logged"
    assert "__qualname__" in by_partial


# Pages and tests


@pytest.mark.claim("lesson 12", "(`runserver` then, because it serves the style sheet too.)")
@pytest.mark.live
def test_style_sheet(daphne, folder):
    assert daphne.http("/static/myapp/site.css").status_code == 404
    with Server("python manage.py runserver 8000", folder) as runserver:
        assert runserver.http("/static/myapp/site.css").status_code == 200


LIVE_TESTS = "myapp.test_live.LiveTests.test_two_clients_meet"


@pytest.mark.claim(
    "lesson 12",
    "The third starts a real daphne, in a process of its own, with `ChannelsLiveServerTestCase`.",
    'Two processes cannot share a database in memory, hence the line `"TEST"` in the settings.',
    "Never name your own `db.sqlite3` there: **the tests delete the file of that name**.",
)
def test_live_tests_and_their_database(tmp_path):
    copy_project(SAMPLE / "finished", tmp_path)
    settings = tmp_path / "myproject/settings.py"
    text = settings.read_text()
    (line,) = re.findall(r'.*"TEST": .*\n', text)
    settings.write_text(text.replace(line, ""))
    command = [sys.executable, "manage.py", "test", LIVE_TESTS, "--noinput"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "can not be used with in memory databases" in run.stderr

    settings.write_text(text.replace("test.sqlite3", "db.sqlite3"))
    own = tmp_path / "db.sqlite3"
    own.write_bytes(b"")
    manage(tmp_path, "test", LIVE_TESTS, "--noinput")
    assert not own.exists()


# In a browser


@pytest.mark.claim(
    "lesson 12",
    "It waits longer and longer, up to 30 seconds, and by chance a little more or less than other "
    "pages.",
)
@pytest.mark.live
def test_page_waits_longer_and_longer(browser):
    template = (SAMPLE / "finished/myapp/templates/myapp/socket.html").read_text()
    page = browser.new_page()
    page.set_content("<p>")
    stub = """() => {
      window.waits = [];
      window.WebSocket = class { constructor() { window.last = this; } };
      window.setTimeout = (call, milliseconds) => { waits.push(milliseconds); call(); };
    }"""
    page.evaluate(stub)
    page.add_script_tag(content=re.search(r"<script>(.*)</script>", template, re.S)[1])
    page.evaluate("() => { openSocket('/', { opened() {}, received() {}, lost() {} }); }")
    page.evaluate("() => { for (let n = 0; n < 40; n++) last.onclose(); }")
    waits = page.evaluate("waits")
    page.close()
    assert waits[:6] == sorted(waits[:6])
    assert max(waits) <= 30_000
    assert min(waits[10:]) >= 15_000
    assert len(set(waits)) == 40


@pytest.mark.claim(
    "lesson 12",
    "`json_script` carries the name into the script, whatever signs are in it.",
    "Messages go into the `value` of a text area, where no markup has a meaning.",
    "When the socket opens, the log is emptied: the newest 50 messages come again.",
    "They say that the connection is lost, try again, and go on as if nothing had happened.",
    "What you typed meanwhile is still in its field.",
    "the list is made in one place, the template, and Django escapes it. It also looks once "
    "whenever the socket opens, for posts that it has missed.",
)
@pytest.mark.live
def test_pages_in_a_browser(browser, folder):
    name = """'"<b> & %"""
    with Server(DAPHNE, folder) as server:
        page = browser.new_page()
        page.goto(server.url("/chat/"))
        page.locator("#room-name-input").fill(name)
        page.keyboard.press("Enter")
        state, log = page.locator("#chat-state"), page.locator("#chat-log")
        expect(state).to_have_text("Connected.")
        field = page.locator("#chat-message-input")
        field.fill("<b>hello</b>")
        field.press("Enter")
        expect(log).to_have_value("<b>hello</b>\n")
        field.fill("meanwhile")
        reader = browser.new_page()
        reader.goto(server.url("/topics/lunch/"))
        posts = reader.locator("#posts > li")
        number = posts.count()
        server.stop()
        code = "Post.objects.create(topic_id=2, author_id=1, text='<b>Cake</b>')"
        manage(folder, "shell", "--verbosity", "0", "-c", code)
        expect(state).to_contain_text("lost")
        server.restart()
        expect(state).to_have_text("Connected.", timeout=15_000)
        expect(log).to_have_value("<b>hello</b>\n")
        expect(field).to_have_value("meanwhile")
        expect(posts).to_have_count(number + 1, timeout=15_000)
        expect(posts.last).to_contain_text("<b>Cake</b>")
        reader.close()
        page.close()
