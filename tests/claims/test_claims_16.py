"""Lesson 16, Know your members: what no cell shows."""

import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlparse

import httpx
import pytest
from channels.security.websocket import OriginValidator
from clients import DAPHNE, manage
from django.core.exceptions import SynchronousOnlyOperation
from django.utils.asyncio import async_unsafe
from playwright.sync_api import expect
from rooms import ORIGIN, closed_with, lay_out, read, shell
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from channels_live.server import Server

PASSWORDS = "for u in User.objects.all(): u.set_password('soup'); u.save()"
# Opens a socket, and returns its first frame, or its close code
ASK = """address => new Promise(answer => {
    const socket = new WebSocket(address);
    socket.onmessage = event => answer(event.data);
    socket.onclose = event => answer(event.code);
})"""
EARLY = """

class EarlyConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        await self.close(LOGGED_OUT)


class StoppedConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        raise StopConsumer

"""
ROUTES = """

websocket_urlpatterns += [
    path("ws/early/", members.EarlyConsumer.as_asgi()),
    path("ws/stopped/", members.StoppedConsumer.as_asgi()),
]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = lay_out(tmp_path_factory.mktemp("finished"))
    members = folder / "myapp/members.py"
    text = members.read_text()
    members.write_text("from channels.exceptions import StopConsumer\n" + text + EARLY)
    routing = folder / "myapp/routing.py"
    routing.write_text(routing.read_text() + ROUTES)
    manage(folder, "shell", "-c", PASSWORDS)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with Server(DAPHNE, folder) as server:
        yield server


class Member(ExitStack):
    """Somebody with a browser of httpx, who is logged in, until the end of a `with` statement."""

    def __init__(self, server, name):
        super().__init__()
        self.server = server
        self.browser = self.enter_context(httpx.Client(base_url=server.url(""), trust_env=False))
        assert self.post("/accounts/login/", username=name, password="soup").status_code == 302

    def post(self, path, **data):
        self.browser.get("/accounts/login/")
        token = {"csrfmiddlewaretoken": self.browser.cookies["csrftoken"]}
        return self.browser.post(path, data=data | token)

    def window(self, path="/ws/member/"):
        cookie = {"Cookie": f"sessionid={self.browser.cookies['sessionid']}"}
        url = self.server.ws(path)
        return connect(url, origin=ORIGIN, proxy=None, additional_headers=cookie)


EARLY_CLOSE = """
import asyncio
import json
from channels.testing import WebsocketCommunicator
from myapp.members import EarlyConsumer

communicator = WebsocketCommunicator(EarlyConsumer.as_asgi(), "/")
print(json.dumps(asyncio.run(communicator.connect())))
"""


@pytest.mark.claim(
    "lesson 16",
    "A refusal, before `accept()`, is a 403, and a browser does not show that to a script.",
    "`WebsocketCommunicator` hands over the code of a `close(4401)` before `accept()`, which no "
    "browser ever sees.",
)
@pytest.mark.live
def test_code_before_accept_is_seen_in_tests_only(folder, server, browser):
    assert shell(folder, EARLY_CLOSE) == [False, 4401]
    with pytest.raises(InvalidStatus, match="HTTP 403"):
        connect(server.ws("/ws/early/"), origin=ORIGIN, proxy=None)
    page = browser.new_page()
    page.goto(server.url("/"))
    assert page.evaluate(ASK, server.ws("/ws/early/")) == 1006
    assert page.evaluate(ASK, server.ws("/ws/member/")) == 4401
    page.close()


class Elsewhere(BaseHTTPRequestHandler):
    """Another program on the same host."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<p>Another program")

    def log_message(self, *_):
        pass


@pytest.mark.claim(
    "lesson 16",
    "A browser sends Anna's cookies from other pages too, as lesson 3 said: from those on another "
    "port of your host in any case.",
    "So whatever is served from another port of your host reads what is Anna's.",
    "And who sends no origin is refused: browsers always send one.",
)
@pytest.mark.live
def test_page_on_another_port_reads_what_is_annas(server, browser):
    program = HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=program.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    try:
        log_in(page, server, "anna")
        page.goto(f"http://127.0.0.1:{program.server_port}/")
        assert "unread" in page.evaluate(ASK, server.ws("/ws/member/"))
    finally:
        context.close()
        program.shutdown()
        program.server_close()


@pytest.mark.claim(
    "lesson 16", "An origin without a port has the port of its scheme: 80 for http, 443 for https."
)
def test_ports_of_schemes():
    validator = OriginValidator(None, ["http://board.example", "https://board.example"])
    for origin, allowed in {
        "http://board.example:80": True,
        "https://board.example:443": True,
        "http://board.example:443": False,
    }.items():
        assert validator.valid_origin(urlparse(origin)) is allowed


ACCOUNTS = """
import asyncio
import json
from channels.auth import get_user
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from myapp.tokens import user_now

sent, there = [], []
signals.post_save.connect(lambda **_: sent.append(1), sender=User, weak=False)


def there_at_log_out(request, **_):
    there.append(SessionStore().exists(request.session.session_key))


user_logged_out.connect(there_at_log_out, weak=False)


def scope_of(user):
    client = Client()
    client.force_login(user)
    session = SessionStore(client.cookies["sessionid"].value)
    session[SESSION_KEY]
    return {"session": session}


def found(scope):
    return asyncio.run(get_user(scope)).is_authenticated


anna = User.objects.create_user("active", password="soup")
results = [found(scope_of(anna))]
inactive, renewed, ended = (scope_of(anna) for _ in range(3))
sent.clear()
User.objects.filter(pk=anna.pk).update(is_active=False)
results += [found(inactive), len(sent)]
User.objects.filter(pk=anna.pk).update(is_active=True)
SessionStore().delete(ended["session"].session_key)
results += [found(ended), asyncio.run(user_now(ended)).is_authenticated]
anna.set_password("other")
anna.save()
results += [found(renewed), len(sent)]
fresh = scope_of(anna)
request = RequestFactory().get("/")
request.session, request.user = fresh["session"], anna
logout(request)
results += [there[0], SessionStore().exists(fresh["session"].session_key)]
print(json.dumps(results))
"""


@pytest.mark.claim(
    "lesson 16",
    "Of a user who was deactivated, or has got another password, it makes an `AnonymousUser`.",
    "Whether the session is still there, we ask ourselves.",
    "Django sends the signal *before* it deletes the session.",
    "A user may also be changed by `update()`, which sends no signal, or in another process.",
)
@pytest.mark.claim(
    "solutions 16",
    "`get_user` looks again, and knows nobody who is not active. It takes the user's key from the "
    "session as it was read at the handshake, so it does not notice that the session is gone. "
    "`aexists` does.",
)
def test_what_get_user_asks(folder):
    code = "from django.db.models import signals\n" + ACCOUNTS
    assert shell(folder, code) == [True, False, 0, True, False, False, 1, True, False]


QUERIES = """
import asyncio
import json
from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client
from myapp.members import MemberConsumer

client = Client()
client.force_login(User.objects.get(username="anna"))
session = SessionStore(client.cookies["sessionid"].value)
session[SESSION_KEY]
consumer = MemberConsumer()
consumer.scope = {"session": session}
count = []


def counted(execute, *arguments):
    count.append(arguments[0])
    return execute(*arguments)


def count_here():
    connection.execute_wrappers.append(counted)


async def run():
    await sync_to_async(count_here)()
    assert await consumer.is_member()


asyncio.run(run())
print(json.dumps(len(count)))
"""


@pytest.mark.claim("lesson 16", "`is_member` costs two queries a message.")
def test_what_asking_costs(folder):
    assert shell(folder, QUERIES) == 2


@pytest.mark.claim(
    "lesson 16", "And whenever a user is saved, their sockets are told to ask again."
)
@pytest.mark.live
def test_user_deactivated_in_the_admin_is_sent_away(folder, server):
    manage(folder, "shell", "-c", "User.objects.create_superuser('boss', password='soup')")
    manage(folder, "shell", "-c", "User.objects.create_user('cleo', password='soup')")
    pk = shell(folder, "print(User.objects.get(username='cleo').pk)")
    with (
        Member(server, "boss") as boss,
        Member(server, "cleo") as cleo,
        cleo.window() as window,
    ):
        assert read(window) == {"unread": 0}
        form = {"username": "cleo", "date_joined_0": "2026-01-05", "date_joined_1": "08:00:00"}
        form |= {"last_login_0": "", "last_login_1": "", "initial-date_joined_0": ""}
        answer = boss.post(f"/admin/auth/user/{pk}/change/", **form)  # without is_active
        assert answer.status_code == 302, answer.text
        assert closed_with(window) == 4401


@pytest.mark.claim(
    "solutions 16",
    "`raise StopConsumer` ends the consumer, and not the connection: daphne keeps the socket open, "
    "and nobody answers any more.",
)
@pytest.mark.live
def test_stopped_consumer_leaves_its_socket_open(server):
    with connect(server.ws("/ws/stopped/"), origin=ORIGIN, proxy=None) as websocket:
        websocket.send("{}")
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=1.5)  # daphne looks once a second for what has ended
        websocket.ping().wait(5)


def log_in(page, server, name):
    page.goto(server.url("/accounts/login/"))
    page.fill("[name=username]", name)
    page.fill("[name=password]", "soup")
    page.click("main button")
    expect(page.locator("nav strong")).to_have_text(name)


@pytest.mark.claim(
    "lesson 16",
    "The number goes into the head of each page.",
    "after 4401 it does not come back.",
    "The socket belongs to members, so a page without one has no script:",
)
@pytest.mark.live
def test_two_members_in_two_browsers(folder, server, browser):
    manage(folder, "shell", "-c", "Notification.objects.all().delete()")
    of_anna, of_ben, of_nobody = (browser.new_context() for _ in range(3))
    try:
        anna, also_anna, ben = of_anna.new_page(), of_anna.new_page(), of_ben.new_page()
        log_in(anna, server, "anna")
        log_in(ben, server, "ben")
        also_anna.goto(server.url("/chat/kitchen/"))
        ben.goto(server.url("/topics/lunch/"))
        ben.fill("textarea", "Noodles <b>again</b>?")
        ben.click("main button")
        for page in (anna, also_anna):
            expect(page.locator("#unread")).to_have_text("1")
        expect(ben.locator("#unread")).to_have_text("")
        ben.add_script_tag(content="const unread = 'of the page itself'; document.title = unread;")
        expect(ben).to_have_title("of the page itself")
        anna.click("text=Notifications")
        expect(anna.locator("main li").first).to_contain_text("Noodles <b>again</b>?")
        anna.click("main button")
        for page in (anna, also_anna):
            expect(page.locator("#unread")).to_have_text("")
        anna.click("text=Log out")
        expect(also_anna.locator("#unread")).to_have_text("– you are logged out")
        stranger = of_nobody.new_page()
        stranger.goto(server.url("/"))
        assert "/ws/member/" not in stranger.content()
    finally:
        for context in (of_anna, of_ben, of_nobody):
            context.close()


@pytest.mark.claim(
    "lesson 16",
    "(`get_user_model` returns the class of the site's users, whichever the settings name.)",
)
def test_users_of_another_class(tmp_path):
    folder = lay_out(tmp_path, lesson=16)
    (folder / "people").mkdir()
    (folder / "people/__init__.py").touch()
    (folder / "people/models.py").write_text(
        "from django.contrib.auth.models import AbstractUser\n\n\n"
        "class Person(AbstractUser):\n    pass\n"
    )
    with (folder / "myproject/settings.py").open("a") as settings:
        settings.write('\nINSTALLED_APPS += ["people"]\nAUTH_USER_MODEL = "people.Person"\n')
    told = "from myapp import signals; print(signals.get_user_model().__name__)"
    assert manage(folder, "shell", "--verbosity", "0", "-c", told).split()[-1] == "Person"


BULK = """
import json
from django.db.models.signals import post_save
from myapp.models import Report

told = []
post_save.connect(lambda **_: told.append(1), sender=Report, weak=False)
Report.objects.bulk_create([Report(key="in bulk")])
in_bulk = len(told)
Report.objects.create(key="alone")
print(json.dumps([in_bulk, len(told)]))
"""


@pytest.mark.claim("lesson 16", "`bulk_create` sends none.")
def test_bulk_create_sends_no_signal(folder):
    assert shell(folder, BULK) == [0, 1]


@pytest.mark.claim(
    "lesson 25",
    "inside of it an event loop runs, so that a query is a `SynchronousOnlyOperation`, in a plain "
    "`def` too. Give the cookie `sessionid` to the window with `add_cookies`.",
)
@pytest.mark.live
def test_member_in_a_window_of_playwright(server, browser):
    with pytest.raises(SynchronousOnlyOperation):
        async_unsafe(lambda: None)()  # as each query is
    with Member(server, "anna") as anna:
        session = anna.browser.cookies["sessionid"]
    window = browser.new_context()
    window.add_cookies([{"name": "sessionid", "value": session, "url": server.url("/")}])
    page = window.new_page()
    page.goto(server.url("/"))
    expect(page.locator("nav strong")).to_have_text("anna")
    window.close()
