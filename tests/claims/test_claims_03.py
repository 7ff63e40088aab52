"""The witnesses of lesson 3, Configure ASGI, and of its exercises."""

import asyncio
import re
import subprocess
import sys

import pytest
from clients import DAPHNE, client, manage
from django.conf import global_settings
from projects import another_answer, lesson_begins, written
from websockets import InvalidStatus

from channels_live.progress import RIGHT
from channels_live.server import Server

ASGI, ROUTING = "myproject/asgi.py", "myapp/routing.py"
ORIGIN = "http://localhost"
ANNA = """
from django.contrib.auth.models import User
from django.test import Client
client = Client()
client.force_login(User.objects.create_user("annalena"))
print("cookie:", client.cookies["sessionid"].value)
"""
# One consumer that says what it knows, behind guards
ROUTES = """
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import WebsocketConsumer
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, OriginValidator
from django.urls import path


class Scope(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send(" ".join(sorted(self.scope)))
        self.send(str(self.scope.get("user", "Somebody")))


scope = Scope.as_asgi()
websocket_urlpatterns = [
    path("hosts/", AllowedHostsOriginValidator(scope)),
    path("whole/", OriginValidator(scope, ["localhost", "https://board.example"])),
    path("bare/", scope),
    path("known/", AuthMiddlewareStack(scope)),
    path("guard-outside/", AllowedHostsOriginValidator(AuthMiddlewareStack(scope))),
    path("guard-inside/", AuthMiddlewareStack(AllowedHostsOriginValidator(scope))),
]
"""
UNGUARDED = """
application = ProtocolTypeRouter(
    {"http": django_asgi_app, "websocket": URLRouter(websocket_urlpatterns)}
)
"""
# Knocks with headers, without a server
KNOCK = """
import asyncio, os, sys
import django
django.setup()
from myproject.asgi import application


async def receive():
    return {"type": "websocket.connect"}


async def send(event):
    raise SystemExit(event)


scope = {"type": "websocket", "path": "/known/", "headers": eval(sys.argv[1])}
try:
    asyncio.run(application(scope, receive, send))
except BaseException as error:
    print(error, flush=True)
os._exit(0)
"""


def unguarded(folder):
    """Lay out a project with the routes above, which nothing stands around."""
    lesson_begins(4, folder)
    (folder / ROUTING).write_text(ROUTES)
    with (folder / ASGI).open("a") as file:
        file.write(UNGUARDED)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a daphne with the routes above. Its cookie is that of a user, annalena."""
    folder = unguarded(tmp_path_factory.mktemp("guards"))
    manage(folder, "migrate", "--verbosity", "0")
    cookie = re.search("cookie: (.*)", manage(folder, "shell", "-c", ANNA))[1]
    with Server(DAPHNE, folder) as server:
        server.cookie = cookie
        yield server


@pytest.fixture(scope="module")
def unmigrated(tmp_path_factory):
    with Server(DAPHNE, unguarded(tmp_path_factory.mktemp("unmigrated"))) as server:
        server.cookie = "a" * 32
        yield server


def knock(server, path, origin=ORIGIN, cookie=False):
    """Return who one is there, or the status."""
    headers = {"Cookie": f"sessionid={server.cookie}"} if cookie else None
    try:
        with client(server, path, origin=origin, additional_headers=headers) as websocket:
            return [websocket.recv(timeout=10) for _ in range(2)][1]
    except InvalidStatus as refused:
        return refused.response.status_code


def keys(server, path):
    with client(server, path, origin=ORIGIN) as websocket:
        return set(websocket.recv(timeout=10).split())


@pytest.mark.live
@pytest.mark.claim(
    "lesson 3",
    "`self.scope` holds what is known of the connection: path and headers come from the server, "
    "cookies, session and user from `AuthMiddlewareStack`, and what the path matched from "
    "`URLRouter`.",
)
@pytest.mark.claim(
    "lesson 4",
    "`self.scope` is what is known of the connection: its path, its user, its headers.",
)
def test_who_puts_what_into_the_scope(server):
    bare, known = keys(server, "/bare/"), keys(server, "/known/")
    assert {"path", "headers", "url_route"} <= bare
    assert known - bare == {"cookies", "session", "user"}

    async def routed():
        from channels.routing import URLRouter
        from django.urls import path

        scopes = []

        async def application(scope, receive, send):
            scopes.append(scope)

        router = URLRouter([path("<slug:topic>/", application)])
        await router({"type": "websocket", "path": "/lunch/"}, None, None)
        return scopes[0]

    assert asyncio.run(routed())["url_route"] == {"args": (), "kwargs": {"topic": "lunch"}}


@pytest.mark.live
@pytest.mark.claim(
    "lesson 3",
    "`AuthMiddlewareStack` reads the session cookie and finds the user; whoever sends no cookie is "
    "`AnonymousUser`, as our clients are.",
    "If the visitor's browser sends your session cookie along, the socket is served *as that "
    "visitor*.",
    "Without it, pages of other hosts can open sockets, in some cases in the name of your users.",
)
def test_cookie_says_who_it_is_wherever_the_page_is_from(server):
    evil = "https://evil.example"
    assert knock(server, "/known/") == "AnonymousUser"
    assert knock(server, "/known/", evil) == "AnonymousUser"
    assert knock(server, "/known/", evil, cookie=True) == "annalena"
    assert knock(server, "/guard-outside/", evil, cookie=True) == 403
    assert knock(server, "/guard-outside/", cookie=True) == "annalena"


@pytest.mark.live
@pytest.mark.claim(
    "lesson 3",
    "for those who send a cookie also `sessions`, and a migrated database.",
)
@pytest.mark.claim(
    "solutions 3",
    "The order of `OriginValidator` and `AuthMiddlewareStack` is free; with the guard outside, no "
    "database is asked for those who are refused.",
)
def test_whose_cookie_asks_the_database(server, unmigrated):
    for path in ("/guard-outside/", "/guard-inside/"):
        assert knock(server, path, cookie=True) == "annalena"
        assert knock(server, path, "https://evil.example", cookie=True) == 403
        assert knock(unmigrated, path) == "AnonymousUser"
        assert knock(unmigrated, path, cookie=True) == 500
    assert knock(unmigrated, "/guard-outside/", "https://evil.example", cookie=True) == 403
    assert knock(unmigrated, "/guard-inside/", "https://evil.example", cookie=True) == 500
    assert "no such table: django_session" in str(unmigrated.log())


@pytest.mark.claim(
    "lesson 3",
    "It needs the apps `auth` and `contenttypes`; for those who send a cookie also `sessions`,",
)
@pytest.mark.live
def test_apps_that_the_user_needs(tmp_path):
    folder = unguarded(tmp_path)
    settings = folder / "myproject/settings.py"
    text = settings.read_text().replace('    "django.contrib.admin",\n', "")
    without, cookie = [], [(b"cookie", b"sessionid=" + b"a" * 32)]
    for app, headers, fails in (
        ("sessions", without, False),
        ("sessions", cookie, True),
        ("contenttypes", without, True),
        ("auth", without, True),
    ):
        less = text.replace(f'    "django.contrib.{app}",\n', "").replace('    "myapp",\n', "")
        assert less != text
        settings.write_text(less)
        done = subprocess.run(
            [sys.executable, "-c", KNOCK, repr(headers)],
            cwd=folder,
            env={"DJANGO_SETTINGS_MODULE": "myproject.settings"},
            capture_output=True,
            text=True,
        )
        said = done.stdout + done.stderr
        assert ("websocket.accept" in said) is not fails, said
        assert (f"django.contrib.{app}" in said) is fails, said


@pytest.mark.live
@pytest.mark.claim(
    "lesson 3",
    "it compares the origin's host with `ALLOWED_HOSTS`, which holds `127.0.0.1` and `localhost` "
    "in our settings, and refuses the rest. (Only the host: pages on another port of yours are let "
    "in. Exercise 3.2 has a guard that compares scheme and port too.)",
    "It compares hosts only, answers 403",
)
@pytest.mark.claim(
    "solutions 3",
    "A host name in the list admits pages of that host with any scheme and any port; a whole "
    "origin fixes both,",
    "it is only a short form of `OriginValidator(application, origins)`, which takes a list of "
    'your own: host names as in `ALLOWED_HOSTS`, or whole origins such as `"https://club.example"`',
)
@pytest.mark.claim(
    "hints 3.2",
    "With `https://` before it, a host is let in over https only, and from no other port.",
    "`OriginValidator` wants two things, in this order: what it guards, and a list.",
)
def test_what_the_guards_compare(server):
    for path in ("/hosts/", "/whole/"):
        for origin in ("http://localhost:9999", "https://localhost", "ftp://localhost:1"):
            assert knock(server, path, origin) == "Somebody"
        for origin in ("http://localhost.evil.example", None):
            assert knock(server, path, origin) == 403
    assert knock(server, "/hosts/", "http://127.0.0.1") == "Somebody"
    assert knock(server, "/whole/", "https://board.example") == "Somebody"
    assert knock(server, "/whole/", "https://board.example:443") == "Somebody"
    for origin in ("http://board.example", "https://board.example:8443", "https://a.board.example"):
        assert knock(server, "/whole/", origin) == 403


@pytest.mark.live
@pytest.mark.claim(
    "lesson 3",
    "The log gives no reason for such a 403",
    "answers 403 and logs no reason.",
    "The same goes for most clients that are not browsers, such as mobile apps, because they send "
    "no origin.",
)
@pytest.mark.claim(
    "lesson 7",
    "A 403 shows as `WSREJECT`, a 500 as an exception.",
    "`WSCONNECTING` is the handshake",
)
def test_log_gives_no_reason(server):
    assert knock(server, "/hosts/", None) == 403
    lines = str(server.log(contains="/hosts/")).splitlines()
    assert re.search(r'"WSCONNECTING /hosts/" - -\n.*"WSREJECT /hosts/" - -', "\n".join(lines))
    assert "rigin" not in str(server.log())
    assert knock(server, "/nowhere/") == 500
    assert "ValueError: No route found for path 'nowhere/'." in str(server.log())
    with client(server, "/bare/") as websocket:
        assert "Origin" not in websocket.request.headers


@pytest.mark.claim(
    "lesson 3",
    "Django's default for the cookie, `SameSite=Lax`, stops this for pages of other sites",
)
def test_default_of_the_cookie():
    assert global_settings.SESSION_COOKIE_SAMESITE == "Lax"


@pytest.mark.live
@pytest.mark.claim(
    "lesson 3",
    "`runserver` would have started with each of the last three versions of `asgi.py`, because "
    "`manage.py` loads the apps first.",
)
@pytest.mark.claim(
    "solutions 3", "`runserver` never noticed, because `manage.py` loads them first."
)
def test_runserver_starts_with_each_of_the_last_three_versions(tmp_path):
    *_, trap, moved, kept = written(3, ASGI)
    folder = lesson_begins(4, tmp_path)
    for text in (trap, moved, kept):
        (folder / ASGI).write_text(text)
        with Server("python manage.py runserver --noreload 8000", folder) as server:
            assert server.http("/accounts/login/").status_code == 200


@pytest.mark.claim(
    "lesson 3",
    "The comment `# noqa: E402` is for linters, which want all imports at the top.",
)
def test_linters_want_imports_at_the_top(tmp_path):
    kept = written(3, ASGI)[-1]
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E402", "-"]
    for text, code in ((kept, 0), (kept.replace("  # noqa: E402", ""), 1)):
        done = subprocess.run(ruff, input=text, text=True, capture_output=True)
        assert done.returncode == code, done.stdout


@pytest.mark.claim(
    "solutions 3",
    "around the whole router it would raise an exception for every page.",
)
def test_guard_is_for_sockets():
    from channels.security.websocket import OriginValidator

    with pytest.raises(ValueError, match="on a non-WebSocket connection"):
        asyncio.run(OriginValidator(None, [])({"type": "http"}, None, None))


@pytest.mark.live
@pytest.mark.parametrize(
    ("number", "changes"),
    [
        pytest.param(
            "3.1",
            {
                ASGI: (
                    r"django_asgi_app = .*\n",
                    "import django\n\ndjango.setup()\ndjango_asgi_app = get_asgi_application()\n",
                )
            },
            id="django.setup()",
            marks=pytest.mark.claim(
                "solutions 3",
                "`import django` and `django.setup()` above the import load the apps too.",
            ),
        ),
        pytest.param(
            "3.2",
            {
                ASGI: (
                    r"(?s)OriginValidator\(\n.*?origins\n +\)",
                    "AuthMiddlewareStack("
                    "OriginValidator(URLRouter(websocket_urlpatterns), origins))",
                )
            },
            id="guard inside",
            marks=pytest.mark.claim(
                "solutions 3", "The order of `OriginValidator` and `AuthMiddlewareStack` is free"
            ),
        ),
        pytest.param(
            "3.3",
            {
                ROUTING: (r'(?s)    path\(\n        "ws/topics/".*?\n    \),\n', ""),
                ASGI: (
                    r"application = ProtocolTypeRouter\(\n(.*)URLRouter\(websocket_urlpatterns\)",
                    "from django.urls import path\n"
                    "from myapp.consumers import TopicCountConsumer\n"
                    r"application = ProtocolTypeRouter(\n\1"
                    "URLRouter([*websocket_urlpatterns, "
                    "path('ws/topics/', AllowedHostsOriginValidator("
                    "AuthMiddlewareStack(TopicCountConsumer.as_asgi())))])",
                ),
            },
            id="in asgi.py",
            marks=pytest.mark.claim(
                "solutions 3", "Wrap the consumer in `asgi.py` rather than in `routing.py`."
            ),
        ),
    ],
)
def test_what_else_would_do(tmp_path, number, changes):
    assert another_answer(number, tmp_path, changes).state == RIGHT


@pytest.mark.claim(
    "solutions 3",
    "a router inside a router sees the rest of the path only if nothing stands between the two.",
)
def test_router_in_a_router():
    from channels.routing import URLRouter
    from channels.security.websocket import OriginValidator
    from django.urls import path

    async def inside(scope, receive, send):
        return "inside"

    def router():
        return URLRouter([path("topics/", inside)])

    def knock(guarded):
        scope = {"type": "websocket", "path": "/ws/topics/", "headers": []}
        return asyncio.run(URLRouter([path("ws/", guarded)])(scope, None, None))

    assert knock(router()) == "inside"
    with pytest.raises(ValueError, match="No route found for path 'ws/topics/'"):
        knock(OriginValidator(router(), ["*"]))


@pytest.mark.live
@pytest.mark.claim("lesson 3", 'Without the key `"http"`, every *page* would be a 500.')
def test_without_the_key_http(tmp_path):
    folder = lesson_begins(4, tmp_path)
    asgi = folder / ASGI
    asgi.write_text(asgi.read_text().replace('"http": django_asgi_app,', ""))
    with Server(DAPHNE, folder) as server:
        for page in ("/", "/accounts/login/"):
            assert server.http(page).status_code == 500
        assert "No application configured for scope type 'http'" in str(server.log())
        assert knock(server, "/ws/nowhere/") == 500
        assert "No route found" in str(server.log()), "sockets get to their router"
