"""Lesson 17, Let apps in: what no cell shows."""

import socket
import threading
from urllib.parse import urlparse

import pytest
from channels.security.websocket import OriginValidator
from clients import DAPHNE, manage
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from projects import another_answer, written
from rooms import ORIGIN, UVICORN, closed_with, lay_out, read, shell, visit
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

from channels_live.progress import NOT_YET
from channels_live.server import Server

NEW = "from myapp.tokens import new_token; print(new_token(User.objects.get(username='{}')))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def server(folder):
    with Server(DAPHNE, folder) as server:
        yield server


def new_token(folder, name):
    return manage(folder, "shell", "--verbosity", "0", "-c", NEW.format(name)).split()[-1]


# Four places


@pytest.mark.claim("lesson 17", "uvicorn writes all of a socket's address too")
@pytest.mark.live
def test_uvicorn_logs_the_query_of_a_socket(folder):
    with Server(UVICORN, folder, ready="Uvicorn running") as server:
        with visit(server, "/ws/places/?token=TOKEN") as websocket:
            assert websocket.recv(timeout=10) == "the query"
        assert "/ws/places/?token=TOKEN" in server.log()


@pytest.mark.claim("lesson 17", "| header | no, `new WebSocket` has no place for it |")
@pytest.mark.live
def test_a_script_can_set_no_header(server, browser):
    page = browser.new_page()
    page.goto(server.url("/"))
    assert page.evaluate("WebSocket.length") == 1
    tried = """address => {
        try { new WebSocket(address, { headers: { Authorization: "Bearer x" } }); return "made"; }
        catch (error) { return error.name; }
    }"""
    assert page.evaluate(tried, server.ws("/ws/places/")) == "SyntaxError"
    both = """address => new Promise(answer => {
        const socket = new WebSocket(address, ["board.v1", "TOKEN-3"]);
        socket.onmessage = event => answer(event.data + ", " + socket.protocol);
    })"""
    assert page.evaluate(both, server.ws("/ws/places/")) == "a subprotocol, board.v1"
    page.close()


@pytest.mark.claim("lesson 17", "never answer with it, or it goes back in a header")
@pytest.mark.live
def test_answer_has_the_subprotocol(server):
    options = {"origin": ORIGIN, "proxy": None, "subprotocols": ["TOKEN"]}
    with connect(server.ws("/ws/places/"), **options) as websocket:
        assert websocket.response.headers["Sec-WebSocket-Protocol"] == "TOKEN"


# Middlewares

LOG_IN = """
from django.test import Client

client = Client()
client.force_login(User.objects.get(username="anna"))
print(client.cookies["sessionid"].value)
"""
AROUND = """
from experiments.greedy import GreedyTokenMiddleware, WhoConsumer

around = GreedyTokenMiddleware(AuthMiddlewareStack(WhoConsumer.as_asgi()))
application.application_mapping["websocket"] = around
"""


@pytest.mark.claim(
    "lesson 17", "A query in a middleware must be async, or it is a `SynchronousOnlyOperation`."
)
@pytest.mark.live
def test_a_sync_query_in_a_middleware(tmp_path):
    change = (r"await (tokens\.filter\(.*\))\.afirst\(\)", r"\1.first()")
    outcome = another_answer("17.1", tmp_path / "site", {"myapp/turnstile.py": change})
    assert outcome.state == NOT_YET
    assert "SynchronousOnlyOperation" in str(outcome.details)


@pytest.mark.claim(
    "lesson 17",
    "Around the stack instead of inside it would be the same: the stack finds a user in the scope, "
    "and leaves it.",
)
@pytest.mark.live
def test_token_middleware_around_the_stack(tmp_path):
    folder = lay_out(tmp_path / "site")
    first, _ = written(17, "experiments/bearer.py")
    (folder / "experiments/greedy.py").write_text(first)
    asgi = folder / "myproject/asgi.py"
    asgi.write_text(asgi.read_text() + AROUND)
    session = manage(folder, "shell", "--verbosity", "0", "-c", LOG_IN).split()[-1]
    shown = {"Authorization": "Bearer secret"}, {"Cookie": f"sessionid={session}"}
    with Server(DAPHNE, folder) as server:
        for headers, user in zip(shown, ("anna", "AnonymousUser"), strict=True):
            options = {"origin": ORIGIN, "proxy": None, "additional_headers": headers}
            with connect(server.ws("/"), **options) as websocket:
                assert websocket.recv(timeout=10) == user


# Doors


@pytest.mark.claim("lesson 17", 'But `"*"` lets in *every* origin.')
def test_a_star_lets_in_every_origin():
    validator = OriginValidator(None, ["*"])
    assert validator.valid_origin(None)
    assert validator.valid_origin(urlparse("https://evil.example"))
    assert not OriginValidator(None, ["board.example"]).valid_origin(None)


@pytest.mark.claim(
    "lesson 17",
    "Delete the token, and its sockets end when they are told of something next, because "
    "`is_member` asks for it.",
)
@pytest.mark.live
def test_socket_of_a_deleted_token_ends(folder, server):
    headers = {"Authorization": f"Bearer {new_token(folder, 'anna')}"}
    ben = {"Authorization": f"Bearer {new_token(folder, 'ben')}"}
    address = server.ws("/ws/desk/")
    with (
        connect(address, proxy=None, additional_headers=headers) as app,
        connect(address, proxy=None, additional_headers=ben) as other,
    ):
        assert read(app) == read(other) == {"unread": 0}
        manage(folder, "shell", "-c", "Token.objects.filter(user__username='anna').delete()")
        for websocket in (app, other):
            websocket.send('{"delete": 0}')
        assert closed_with(app) == 4401
        assert "error" in read(other)


RACE = """
import asyncio
import json
from django.utils import timezone
from myapp.models import Token
from myapp.tokens import by_ticket, digest_of, new_token

anna = User.objects.get(username="anna")
new_token(anna)
rounds = []
for number in range(10):
    Token.objects.filter(user=anna).delete()
    new_token(anna)
    Token.objects.filter(user=anna).update(
        ticket=digest_of("ticket"), ticket_made=timezone.now()
    )

    async def both():
        return await asyncio.gather(*(by_ticket("ticket") for _ in range(4)))

    rounds.append(sum(token is not None for token in asyncio.run(both())))
print(json.dumps(rounds))
"""


@pytest.mark.claim("lesson 17", "For one of the two that is 0.")
def test_of_those_who_come_at_once_one_is_let_in(folder):
    assert shell(folder, RACE) == [1] * 10


# Sessions


SESSIONS = """
import asyncio
import json
from django.contrib.sessions.backends.db import SessionStore

made = SessionStore()
made.create()
at_handshake, in_view = SessionStore(made.session_key), SessionStore(made.session_key)


async def handshake():
    await at_handshake.aget("visits")


asyncio.run(handshake())
in_view["basket"] = "soup"
in_view.save()


async def write():
    await at_handshake.aset("visits", 1)
    await at_handshake.asave()


asyncio.run(write())
print(json.dumps(dict(SessionStore(made.session_key).items())))
"""


@pytest.mark.claim(
    "lesson 17",
    "(It saves the session as it was at the handshake, with your change. What a page has written "
    "meanwhile is lost.",
)
def test_saved_session_overwrites(folder):
    assert shell(folder, SESSIONS) == {"visits": 1}


VIEW = """
import json
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory


def view(request):
    request.session["visits"] = 1
    seen.append(type(request.session)(request.session.session_key).get("visits"))
    return HttpResponse()


seen, request = [], RequestFactory().get("/")
answer = SessionMiddleware(view)(request)
from django.contrib.sessions.backends.db import SessionStore
print(json.dumps([seen, SessionStore(answer.cookies["sessionid"].value).get("visits")]))
"""


@pytest.mark.claim(
    "lesson 17", "For a view, a middleware saves the session when the answer is sent."
)
def test_a_view_need_not_save(folder):
    assert shell(folder, VIEW) == [[None], 1]


@pytest.mark.claim("lesson 17", "A new password ends sessions, not tokens.")
@pytest.mark.live
def test_token_outlives_a_password(folder, server):
    token = new_token(folder, "ben")
    manage(
        folder, "shell", "-c", "u = User.objects.get(username='ben'); u.set_password('x'); u.save()"
    )
    options = {"additional_headers": {"Authorization": f"Bearer {token}"}, "proxy": None}
    with connect(server.ws("/ws/member/"), **options) as app:
        assert read(app).keys() == {"unread"}


@pytest.mark.claim("lesson 17", "over `ws://` everybody in between reads along.")
def test_handshake_can_be_read_on_the_way():
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as between:

        def hear():
            with between.accept()[0] as line:
                heard.append(line.recv(65_536))

        listener = threading.Thread(target=hear)
        listener.start()
        with pytest.raises(InvalidHandshake):
            connect(
                f"ws://127.0.0.1:{between.getsockname()[1]}/",
                additional_headers={"Authorization": "Bearer soup"},
                proxy=None,
            )
        listener.join()
    assert b"Authorization: Bearer soup" in heard[0]


@pytest.mark.claim("lesson 17", "`never_cache` keeps browsers from storing it.")
def test_page_that_is_not_stored():
    if not settings.configured:
        settings.configure()
    page = never_cache(lambda request: HttpResponse())(HttpRequest())
    assert "no-store" in page.headers["Cache-Control"]
