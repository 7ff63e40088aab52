"""Lesson 13, Reach open pages: what no cell shows."""

import asyncio
import re
import signal
import socket

import psutil
import pytest
from channels.layers import BaseChannelLayer, InMemoryChannelLayer
from clients import DAPHNE, eventually, manage
from daphne.cli import CommandLineInterface
from django.urls.converters import SlugConverter
from playwright.sync_api import expect
from projects import another_answer
from rooms import ORIGIN, closed_with, lay_out, read, rewrite, shell, visit
from uvicorn.config import Config
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from channels_live.exercise import task
from channels_live.progress import RIGHT
from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def daphne(folder):
    server = Server(f"{DAPHNE} --application-close-timeout 1", folder)
    yield server
    server.stop()


# Layers


@pytest.mark.claim("lesson 13", "sending to an empty group is no error.")
def test_sending_to_an_empty_group():
    async def run():
        return await InMemoryChannelLayer().group_send("nobody", {"type": "demo"})

    assert asyncio.run(run()) is None


@pytest.mark.claim("lesson 13", "(A topic's slug is short and ASCII, so it needs no hash.")
def test_slugs_are_short_and_ascii(folder):
    assert re.fullmatch(SlugConverter.regex, "lunch-2")
    assert not re.fullmatch(SlugConverter.regex, "küche")
    code = "import json; print(json.dumps(Topic._meta.get_field('slug').max_length))"
    assert shell(folder, code) + len("topic.") < BaseChannelLayer.MAX_NAME_LENGTH


# Who is here


@pytest.mark.claim(
    "lesson 13",
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
    "lesson 13",
    "And if the *server* is killed, or daphne stopped, nothing runs at all, no `finally` either.",
)
@pytest.mark.live
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_runs_where_the_server_ends(folder, how):
    with Server(DAPHNE, folder) as server:
        with visit(server, "/ws/faulty/hall/?name=Anna") as anna:
            assert read(anna) == {"here": ["Anna"]}
            psutil.Process(server.pid).send_signal(how)
            assert closed_with(anna) == 1006
            assert eventually(lambda: not server.running)
        assert not server.log(contains=" ran")


@pytest.mark.claim("lesson 13", "Whoever asks for a topic that is not there is refused.)")
@pytest.mark.live
@pytest.mark.parametrize("slug", ["no-such-topic", "x" * 95])
def test_who_asks_for_no_topic_is_refused(daphne, slug):
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        visit(daphne, f"/ws/topics/{slug}/")
    assert daphne.http(f"/topics/{slug}/").status_code == 404


@pytest.mark.claim(
    "lesson 13", "Only clients that give a name take part; the others hear nothing of it."
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
    "lesson 13",
    "but the admin saves posts too. So a signal does it, and `ready` in `apps.py` loads it.",
    "`transaction.on_commit` waits until the post is safely in the database.",
    "`robust=True`: if the layer fails, that is logged, and Anna's page comes all the same.",
)
@pytest.mark.claim(
    "solutions 13",
    "if a list is refused, its topics are taken back, and what waited is forgotten.",
)
@pytest.mark.claim(
    "hints 13.2",
    "And `transaction.on_commit(…)` takes a function that it calls later, or never.",
)
def test_signal_tells_after_the_commit(folder):
    by_admin, early, after_rollback, answers, seen = shell(folder, VIEWS)
    assert by_admin == [302, 2]  # the group of the topic, and that of lesson 26
    assert early == after_rollback == 2, "nothing of what was rolled back"
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
    "solutions 13",
    "Outside of a transaction it does not wait at all.",
    "`robust=True` asks the function for its name, to log it, and a `partial` has none.",
)
def test_robust_asks_for_a_name(folder):
    called, (by_lambda, by_partial) = shell(folder, ROBUST)
    assert called == ["at once"]
    assert by_lambda == "logged"
    assert "__qualname__" in by_partial


ASYNC = """
import asyncio
import json
import warnings
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

layer = get_channel_layer()


async def in_async_code():
    try:
        async_to_sync(layer.group_send)("all", {"type": "demo"})
    except RuntimeError as error:
        return str(error)


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    layer.group_send("all", {"type": "demo"})
print(json.dumps([asyncio.run(in_async_code()), str(caught[0].message)]))
"""


@pytest.mark.claim(
    "lesson 13",
    "A layer is async: `group_send` makes a coroutine, and without `await` it never runs.",
    "There `async_to_sync` would raise `You cannot use AsyncToSync in the same thread as an async "
    "event loop`.",
)
@pytest.mark.claim("solutions 13", "Only the log says `was never awaited`")
def test_sync_and_async_code(folder):
    raised, warned = shell(folder, ASYNC)
    assert raised.startswith("You cannot use AsyncToSync in the same thread as an async event loop")
    assert warned == "coroutine 'InMemoryChannelLayer.group_send' was never awaited"


@pytest.mark.claim(
    "solutions 13",
    "An async view: `async def call(request)` with `await`. Then there is no `async_to_sync`.",
    "And `patient_came` may answer with `group_send` to all instead of `send` to one: everybody "
    "puts down again what they know already",
)
@pytest.mark.live
@pytest.mark.parametrize(
    "changes",
    [
        [
            ("def call", "async def call"),
            (r"async_to_sync\((get_channel_layer\(\).group_send)\)", r"await \1"),
        ],
        [(r'send\(event\["channel"\], self', 'group_send("waiting", self')],
    ],
    ids=["async", "to all"],
)
def test_other_answers_to_13_1(changes, tmp_path):
    path = "myapp/waiting.py"
    text = dict(task("13.1").files(solved=True))[path]
    for old, new in changes:
        text, count = re.subn(old, new, text)
        assert count == 1
    assert another_answer("13.1", tmp_path, {path: text}).state == RIGHT


LOG_OUT = """
import json
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.models import Session
from django.test import Client

told = []


def tell(user, **_):
    told.append([str(user), Session.objects.filter(pk=key).exists()])


user_logged_out.connect(tell)
client, stranger = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
client.force_login(User.objects.create_user("carl"))
key = client.cookies["sessionid"].value
client.post("/accounts/logout/")
told.append(Session.objects.filter(pk=key).exists())
stranger.post("/accounts/logout/")
print(json.dumps(told))
"""


@pytest.mark.claim(
    "solutions 13",
    "`user` is `None` where nobody was logged in, for the log-out of a stranger sends the signal "
    "too.",
    "Django sends the signal *before* it deletes the session.",
)
def test_log_out_signal(folder):
    assert shell(folder, LOG_OUT) == [["carl", True], False, ["None", False]]


LOGGED_IN = """
import json
from django.contrib.auth.models import User
from django.test import Client

client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.create_user("dora"))
print(json.dumps(client.cookies["sessionid"].value))
"""


@pytest.mark.claim(
    "solutions 13",
    "Who is logged in is looked up once, at the handshake. So whoever logs out, and leaves another "
    "window open, is still served there, for hours.",
)
@pytest.mark.live
def test_open_socket_outlives_the_session(daphne, folder):
    cookie = {"Cookie": f"sessionid={shell(folder, LOGGED_IN)}"}

    def you(websocket):
        websocket.send("who am I?")
        return read(websocket)["you"]

    def enter():
        path = daphne.ws("/ws/whoami/hall/")
        return connect(path, origin=ORIGIN, additional_headers=cookie, proxy=None)

    with enter() as early:
        assert you(early) == "dora"
        delete = (
            "from django.contrib.sessions.models import Session; Session.objects.all().delete()"
        )
        manage(folder, "shell", "--verbosity", "0", "-c", delete)
        with enter() as late:
            assert you(late) == ""
        assert you(early) == "dora"


# Pages and tests


@pytest.mark.claim(
    "lesson 13", "(The server is now `runserver`, because it serves the style sheet too.)"
)
@pytest.mark.live
def test_style_sheet(daphne, folder):
    assert daphne.http("/static/myapp/site.css").status_code == 404
    with Server("python manage.py runserver 8000", folder) as runserver:
        assert runserver.http("/static/myapp/site.css").status_code == 200


LIVE_TESTS = "myapp.test_live.LiveTests.test_two_clients_meet"


@pytest.mark.claim(
    "lesson 13",
    "The last starts a real daphne, in a process of its own, with `ChannelsLiveServerTestCase`.",
    'Two processes cannot share a database in memory, hence the line `"TEST"` in the settings.',
    "Never name your own `db.sqlite3` there: **the tests delete the file of that name**.",
)
@pytest.mark.live
def test_live_tests_and_their_database(tmp_path):
    copy_project(SAMPLE / "finished", tmp_path)
    settings = tmp_path / "myproject/settings.py"
    text = settings.read_text()
    (line,) = re.findall(r'.*"TEST": .*\n', text)
    settings.write_text(text.replace(line, ""))
    said = manage(tmp_path, "test", LIVE_TESTS, "--noinput", check=False)
    assert "can not be used with in memory databases" in said

    settings.write_text(text.replace("test.sqlite3", "db.sqlite3"))
    own = tmp_path / "db.sqlite3"
    own.write_bytes(b"")
    manage(tmp_path, "test", LIVE_TESTS, "--noinput")
    assert not own.exists()


# In a browser


@pytest.mark.claim(
    "lesson 13",
    "It waits longer and longer, up to 30 seconds, and chance takes off up to half of that.",
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
    page.evaluate("() => { for (let n = 0; n < 40; n++) last.onclose({ code: 1006 }); }")
    waits = page.evaluate("waits")
    page.close()
    assert waits[:6] == sorted(waits[:6])
    assert max(waits) <= 30_000
    assert min(waits[10:]) >= 15_000
    assert len(set(waits)) == 40


@pytest.mark.claim(
    "lesson 13",
    "`json_script` carries the name into the script, whatever characters are in it.",
    "Messages go into the `value` of a text area, where no markup has a meaning.",
    "When the socket opens, the log is emptied: the newest 50 messages come again.",
    "They say that the connection is lost, try again, and go on as if nothing had happened.",
    "What you typed meanwhile is still in its field.",
    "the list is made in one place, the template, and Django escapes it. It also looks once "
    "whenever the socket opens, for posts that it has missed.",
)
@pytest.mark.live
def test_pages_in_a_browser(browser, tmp_path):
    folder = lay_out(tmp_path, 13)  # later the page of a topic has no script
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


# Now you


@pytest.mark.claim(
    "lesson 13",
    "Three changes. In `myapp/rooms.py` a room's consumer has a name, which is empty, and puts it "
    "into the event; `chat_message` hands it on:",
    "What comes from the history has no name, because the database does not know it",
    "(And some tests now fail. They compare frames, and a frame has become longer.)",
)
@pytest.mark.live
def test_now_you_shows_names(browser, tmp_path):
    lay_out(tmp_path, 13)
    rewrite(
        tmp_path / "myapp/rooms.py",
        ("the room is known\n", 'the room is known\n    name = ""  # of whoever gives one\n'),
        ('"message": text}\n', '"message": text, "name": self.name}\n'),
        ('{"message": event["message"]}', '{"message": event["message"], "name": event["name"]}'),
    )
    rewrite(
        tmp_path / "myapp/templates/myapp/room.html",
        (
            "log.value += (data",
            'const name = data.name ? `${data.name}: ` : "";\n          log.value += name + (data',
        ),
    )
    with Server(DAPHNE, tmp_path) as server:
        page = browser.new_page()
        page.goto(server.url("/chat/hall/"))
        log, field = page.locator("#chat-log"), page.locator("#chat-message-input")
        expect(page.locator("#chat-state")).to_have_text("Connected.")
        field.fill("hello")
        field.press("Enter")
        expect(log).to_have_value("guest: hello\n")
        page.reload()
        expect(log).to_have_value("hello\n")
        page.close()
    told = manage(tmp_path, "test", "myapp.test_live", "--noinput", check=False)
    assert "FAIL: test_two_clients_meet" in told


TEST_THAT_SAVES = """
from django.contrib.auth.models import User

from myapp.models import Post, Topic
from myapp.test_live import LiveTests as Base


class SavingTests(Base):
    def test_what_is_saved_here(self):
        topic = Topic.objects.create(title="Lunch", slug="lunch")
        author = User.objects.create_user("anna")
        with self.socket("/ws/topics/lunch/") as reader:
            Post.objects.create(topic=topic, author=author, text="Soup?")
            with self.assertRaises(TimeoutError):
                reader.recv(timeout=1)
"""


@pytest.mark.claim(
    "lesson 13",
    "And what the test itself saves is told to no socket of that daphne: its process has another "
    "channel layer in memory.",
)
@pytest.mark.live
def test_live_server_does_not_hear_the_test(tmp_path):
    copy_project(SAMPLE / "finished", tmp_path)
    (tmp_path / "myapp/test_saving.py").write_text(TEST_THAT_SAVES)
    name = "myapp.test_saving.SavingTests.test_what_is_saved_here"
    manage(tmp_path, "test", name, "--noinput")
