"""The witnesses of lesson 4, Route WebSockets, and of its exercises."""

import asyncio
import re
import sys

import pytest
from channels.generic.websocket import WebsocketConsumer
from channels.routing import URLRouter
from clients import DAPHNE, client
from django.urls import path, re_path
from projects import another_answer, lesson_begins
from websockets import InvalidStatus

from channels_live.progress import RIGHT
from channels_live.server import Server

ROUTING = "myapp/routing.py"


class ChatConsumer(WebsocketConsumer):
    pass


async def chat(scope, receive, send):
    """Return what the route found."""
    return scope["url_route"]["kwargs"]


def routed(address, *routes):
    """Return what a router's routes find at an address, or None."""
    scope = {"type": "websocket", "path": address, "headers": []}
    try:
        return asyncio.run(URLRouter([*routes])(scope, None, None))
    except ValueError as error:
        assert str(error) == f"No route found for path {address.lstrip('/')!r}."
        return None


@pytest.mark.claim(
    "lesson 4",
    "Note that it has no slash at its beginning; your routes must not have one either. And nobody "
    "adds a slash for you",
    "But when a pattern ends in `$`, Django compares it with the *whole* path.",
    "Without `$`, Django *searches*: the pattern may stand anywhere in the path.",
    "`path` is exact, without either of them.",
    "`re_path` without `^` and `$` matches more than you think.",
)
@pytest.mark.claim(
    "solutions 4",
    "The router takes the first slash off before it compares, so no route may begin with one. It "
    "adds no slash at the end, so a route says it.",
    "And `re_path` searches, unless its pattern ends in `$`; `path` is exact.",
    "A `^` alone would still let in what comes behind.",
)
@pytest.mark.claim("hints 4.1", "`re_path` searches anywhere in the path.")
def test_what_a_route_matches():
    for pattern, found in (
        (re_path(r"ws/chat/$", chat), {"/ws/chat/"}),
        (re_path(r"^ws/chat/$", chat), {"/ws/chat/"}),
        (re_path(r"ws/chat/", chat), {"/ws/chat/", "/x/ws/chat/", "/ws/chat/x"}),
        (re_path(r"^ws/chat/", chat), {"/ws/chat/", "/ws/chat/x"}),
        (path("ws/chat/", chat), {"/ws/chat/"}),
        (path("/ws/chat/", chat), set()),
        (re_path(r"^/ws/chat/$", chat), set()),
    ):
        addresses = ("/ws/chat/", "/x/ws/chat/", "/ws/chat/x", "/ws/chat")
        assert {address for address in addresses if routed(address, pattern) == {}} == found


@pytest.mark.claim(
    "lesson 4",
    'with a converter: `path("ws/topics/<slug:topic>/", …)`. The consumer then finds the part in '
    '`self.scope["url_route"]["kwargs"]["topic"]`.',
    'so one can stand inside another: `path("ws/", URLRouter(chat_routes))`.',
    "`URLRouter` inside `URLRouter` is not.",
)
def test_converters_and_routers_in_routers():
    topics = path("ws/topics/<slug:topic>/", chat)
    assert routed("/ws/topics/lunch/", topics) == {"topic": "lunch"}
    assert routed("/ws/chat/", path("ws/", URLRouter([path("chat/", chat)]))) == {}


@pytest.mark.claim(
    "solutions 4",
    "the first route captures no `line`, so the consumer looks before it takes one. The converter "
    "`<int:…>` hands over a number, a regular expression always a text. `int()` is right for both.",
    'One pattern for both addresses, `r"^ws/stops/(?P<stop>[0-9]+)/(?:(?P<line>[A-Z][0-9])/)?$"`',
)
@pytest.mark.claim(
    "hints 4.2",
    "`<int:stop>` hands over a number, a regular expression hands over a text: `int(…)`.",
)
def test_what_a_route_captures():
    assert routed("/ws/stops/12/", path("ws/stops/<int:stop>/", chat)) == {"stop": 12}
    both = re_path(r"^ws/stops/(?P<stop>[0-9]+)/(?:(?P<line>[A-Z][0-9])/)?$", chat)
    assert routed("/ws/stops/12/", both) == {"stop": "12"}
    assert routed("/ws/stops/12/N4/", both) == {"stop": "12", "line": "N4"}
    assert routed("/ws/stops/12/N4/x/", both) is None


@pytest.mark.claim(
    "lesson 4",
    "`path` takes anything that can be called, and a class can: calling it makes an instance. But "
    "an ASGI application, when it is called, must return something to `await`. `as_asgi()` makes "
    "such an application out of the class.",
    "\"object `YourConsumer` can't be used in 'await' expression\" means: `as_asgi()` is missing "
    "in its route.** (From Python 3.14 on, it says `'YourConsumer' object can't be awaited`.)",
)
@pytest.mark.claim(
    "hints 4.1",
    "`can't be used in 'await' expression`, or `can't be awaited`: a route needs `as_asgi()`. "
    "`takes 1 positional argument`: it has lost its `()`.",
)
def test_what_path_takes():
    with pytest.raises(TypeError, match="view must be a callable"):
        path("ws/chat/", "myapp.consumers.ChatConsumer")
    message = "object ChatConsumer can't be used in 'await' expression"
    if sys.version_info >= (3, 14):
        message = "'ChatConsumer' object can't be awaited"
    with pytest.raises(TypeError, match=message):
        routed("/ws/chat/", path("ws/chat/", ChatConsumer))
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        routed("/ws/chat/", path("ws/chat/", ChatConsumer.as_asgi))
    assert asyncio.iscoroutinefunction(ChatConsumer.as_asgi())


@pytest.mark.live
@pytest.mark.claim(
    "lesson 4",
    "A page without its slash gets a redirect, or a 404.",
    "A web server answers 404 for a page that it does not know.",
    "`APPEND_SLASH` is for pages.",
)
@pytest.mark.claim(
    "solutions 4",
    "Two of the three 500s are `No route found`, the third is a `TypeError`. The client cannot "
    "tell them apart. The log can.",
)
def test_pages_and_sockets_without_their_slash(tmp_path):
    folder = lesson_begins(5, tmp_path)
    routing = folder / ROUTING
    routing.write_text(
        routing.read_text().replace(
            "consumers.TopicCountConsumer.as_asgi()", "consumers.ChatConsumer"
        )
    )
    with Server(DAPHNE, folder) as server:
        redirect = server.http("/accounts/login")
        assert (redirect.status_code, redirect.headers["location"]) == (301, "/accounts/login/")
        assert server.http("/nothing").status_code == 404
        answers = []
        for address in ("/ws/chat", "/ws/topics/"):
            with pytest.raises(InvalidStatus) as refused:
                client(server, address, origin="http://localhost").__enter__()
            response = refused.value.response
            answers.append((response.status_code, response.reason_phrase, response.body))
        assert answers[0] == answers[1]
        errors = re.findall(r"(\w+Error): ", str(server.log()))
        assert errors == ["ValueError", "TypeError"]


@pytest.mark.live
@pytest.mark.parametrize(
    ("number", "changes"),
    [
        pytest.param(
            "4.1",
            {
                ROUTING: (
                    r'(?s)import path\n(.*)path\("ws/orders/", ',
                    r'import path, re_path\n\1re_path(r"^ws/orders/$", ',
                )
            },
            id="re_path",
            marks=pytest.mark.claim(
                "solutions 4", '**What else would do.** `re_path(r"^ws/orders/$", …)`.'
            ),
        ),
        pytest.param(
            "4.2",
            {
                ROUTING: (
                    r'(?s)    path\("ws/stops.*?\n.*?\n',
                    r'    re_path(r"^ws/stops/(?P<stop>[0-9]+)/(?:(?P<line>[A-Z][0-9])/)?$", '
                    "stops.StopConsumer.as_asgi()),\n",
                ),
                "myapp/stops.py": (r'if "line" in found', 'if found.get("line")'),
            },
            id="one pattern",
            marks=pytest.mark.claim(
                "solutions 4", '`found.get("line")`, which is `None` where there is none.'
            ),
        ),
        pytest.param(
            "4.2",
            {
                ROUTING: (
                    r"re_path\(.*?stops\.Stop",
                    'path("ws/stops/<int:stop>/<line:line>/", stops.Stop',
                ),
                "myapp/stops.py": (
                    r"^",
                    "from django.urls import register_converter\n\n\n"
                    "class Line:\n"
                    '    regex = "[A-Z][0-9]"\n\n'
                    "    def to_python(self, value):\n"
                    "        return value\n\n\n"
                    'register_converter(Line, "line")\n\n',
                ),
            },
            id="converter",
            marks=pytest.mark.claim(
                "solutions 4", "Or a converter of your own, with `register_converter`;"
            ),
        ),
    ],
)
def test_what_else_would_do(tmp_path, number, changes):
    assert another_answer(number, tmp_path, changes).state == RIGHT
