"""The finished site: a chat for each room and live topics, through a real daphne and a browser."""

import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import django_htmx
import httpx
import pytest
from clients import DAPHNE, client, eventually, manage, talk
from playwright.sync_api import expect

from channels_live.server import Server
from channels_live.server.ports import free_port
from channels_live.workspace import SAMPLE, copy_project

pytestmark = pytest.mark.usefixtures("forked_servers")  # what the site does does not depend on it
ORIGIN = "http://localhost"
PASSWORD = "correct-horse"
HELLO = '{"message": "hello"}'

# What no learner would want in the site, and a test needs
URLS = """
from channels.layers import get_channel_layer
from django.db import transaction
from django.http import HttpResponse

from myapp.models import Post, Topic


@transaction.atomic
def rolled_back(request):
    Post.objects.create(topic_id=2, author_id=1, text="Never.")
    raise RuntimeError("after the post")


def new_topic(request):
    Topic.objects.create(title="New", slug="new")
    return HttpResponse()


urlpatterns += [
    path("new-topic/", new_topic),
    path("rolled-back/", rolled_back),
    path("groups/", lambda request: HttpResponse(" ".join(get_channel_layer().groups))),
]
"""


# What experiments/ routes, as paths
ROUTES = re.findall(r'path\("(.+?)"', (SAMPLE / "finished/experiments/routing.py").read_text())
SOCKETS = [f"/{route}" for route in ROUTES if route.startswith("ws/")]
PAGES = [f"/{route}" for route in ROUTES if not route.startswith("ws/")]

STATIC = [
    SAMPLE / "finished/myapp/static",
    Path(django_htmx.__file__).parent / "static",
]

# Tells what the site has loaded with DEBUG off, and which of its consumers nobody can reach
LOADED = """
import json
import sys

from myproject.asgi import application  # loads the apps
import myproject.urls
from channels.consumer import AsyncConsumer
from myapp.health import inside_urlpatterns
from myapp.routing import websocket_urlpatterns, workers


def family(consumer):
    yield consumer
    for child in consumer.__subclasses__():
        yield from family(child)


routed = [route.callback for route in websocket_urlpatterns] + list(workers.values())
routed += [url.callback for url in inside_urlpatterns if hasattr(url.callback, "consumer_class")]
reached = {kind for callback in routed for kind in callback.consumer_class.__mro__}
idle = {kind.__name__ for kind in family(AsyncConsumer) if kind.__module__.startswith("myapp.")}
print(json.dumps([list(sys.modules), sorted(idle - {kind.__name__ for kind in reached})]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a daphne that serves the finished site, with its noticeboard and a user's password."""
    folder = tmp_path_factory.mktemp("finished")
    copy_project(SAMPLE / "finished", folder)
    with (folder / "myproject/urls.py").open("a") as urls:
        urls.write(URLS)
    password = f"u = User.objects.get(pk=1); u.set_password('{PASSWORD}'); u.save()"
    for arguments in (["migrate"], ["loaddata", "noticeboard"], ["shell", "-c", password]):
        manage(folder, *arguments, "--verbosity", "0")
    server = Server(DAPHNE, folder)
    yield server
    server.stop()


@pytest.fixture
def visit(server):
    """Return a function that opens a socket of the site, and close it after the test."""
    with ExitStack() as stack:
        options = {"origin": ORIGIN, "max_queue": None}  # what is never read must not stop us
        yield lambda path: stack.enter_context(client(server, path, **options))


def read(websocket):
    """Return the next frame, decoded."""
    return json.loads(websocket.recv(timeout=10))


def say(websocket, message):
    websocket.send(json.dumps({"message": message}))


def cut(websocket):
    """End a connection without a close frame."""
    websocket.socket.shutdown(socket.SHUT_RDWR)


# Rooms


ROOMS = ["plain", "Küche", "кухня", "厨房", "a%20b", "100%25", "%F0%9F%8D%B2" * 50]  # a pot of food


@pytest.mark.parametrize("room", ROOMS, ids=range(len(ROOMS)))
def test_room_may_have_any_name(visit, room):
    anna, ben = visit(f"/ws/chat/{room}/"), visit(f"/ws/chat/{room}/")
    say(anna, "Grüße ☕")
    assert read(anna) == read(ben) == {"message": "Grüße ☕"}


def test_rooms_do_not_hear_each_other(visit):
    rooms = ["K_che", "Kuche", "Küche2", "Kåche2", "KUCHE", "K", "a.b", "a-b"]
    sockets = {room: visit(f"/ws/chat/{room}/") for room in rooms}
    for room, websocket in sockets.items():
        say(websocket, f"in {room}")
    for room, websocket in sockets.items():
        assert read(websocket) == {"message": f"in {room}"}


@pytest.mark.parametrize("room", ["x" * 51, "x" * 3000])
def test_long_name_is_refused(server, room):
    (told,) = talk(server, f"/ws/chat/{room}/", origin=ORIGIN)
    assert told == "server rejected WebSocket connection: HTTP 403"
    assert server.http(f"/chat/{room}/").status_code == 404


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/chat/room/", "/ws/topics/lunch/"])
@pytest.mark.parametrize("origin", ["http://evil.example", None])
def test_other_origins_are_refused(server, path, origin):
    (told,) = talk(server, path, origin=origin)
    assert told == "server rejected WebSocket connection: HTTP 403"


BAD_FRAMES = [
    "not json",
    "{}",
    "[1]",
    "null",
    '"message"',
    "[" * 100_000,
    b"\x00\xff",
    HELLO.encode(),
    '{"message": null}',
    '{"message": 7}',
    '{"message": ["hello"]}',
    '{"message": {"type": "send"}}',
    '{"message": ""}',
    '{"message": " \\n "}',
    '{"message": "\\ud800"}',
    json.dumps({"message": "x" * 501}),
    '{"type": "websocket.disconnect", "code": 1000}',
    '{"type": "send"}',
]


def test_bad_frames_are_answered_and_go_no_further(visit):
    for number, frame in enumerate(BAD_FRAMES):
        anna, ben = visit(f"/ws/chat/bad{number}/"), visit(f"/ws/chat/bad{number}/")
        anna.send(frame)
        assert list(read(anna)) == ["error"], frame
        anna.send('{"message": "hello", "type": "send", "id": 0}')
        assert read(anna) == read(ben) == {"message": "hello"}, frame


def test_too_many_messages_are_refused_for_each_client_by_itself(visit):
    anna, ben = visit("/ws/chat/fast/"), visit("/ws/chat/fast/")
    for number in range(30):
        say(anna, str(number))
    answers = [read(anna) for _ in range(30)]
    assert sum("error" in answer for answer in answers) == 10
    heard = [answer["message"] for answer in answers if "message" in answer]
    assert heard == [read(ben)["message"] for _ in range(20)] == [str(n) for n in range(20)]
    say(ben, "still welcome")
    assert read(ben) == read(anna) == {"message": "still welcome"}


def test_who_joins_reads_what_was_said(visit):
    for first in range(0, 60, 20):  # in time for nobody to be too fast
        anna = visit("/ws/chat/history/")
        for number in range(first, first + 20):
            say(anna, str(number))
        while read(anna)["message"] != str(first + 19):
            pass
    ben = visit("/ws/chat/history/")
    assert [read(ben)["message"] for _ in range(50)] == [str(number) for number in range(10, 60)]
    say(ben, "new")
    assert read(ben)["message"] == "new"


def test_who_joins_while_others_talk_reads_everything_once(visit):
    anna = visit("/ws/chat/busy/")
    others = []
    for number in range(20):
        say(anna, str(number))
        others.append(visit("/ws/chat/busy/"))
    for other in others:
        heard = []
        while "19" not in heard:
            heard.append(read(other)["message"])
        assert heard == [str(number) for number in range(20)]


# Who is here


LEAVE = {"cut": cut, "close": lambda websocket: websocket.close()}


@pytest.mark.parametrize("how", LEAVE)
def test_visitors_are_told_who_comes_and_goes(visit, how):
    room = f"/ws/chat/hall-{how}/"
    plain, anna = visit(room), visit(f"{room}?name=Anna")
    assert read(anna) == {"here": ["Anna"]}
    ben = visit(f"{room}?name=Zo%C3%AB%20{'x' * 50}")
    name = "Zoë " + "x" * 26
    assert read(ben) == read(anna) == {"here": ["Anna", name]}
    LEAVE[how](ben)
    assert read(anna) == {"here": ["Anna"]}
    say(anna, "alone again")
    assert read(plain) == {"message": "alone again"}, "who gives no name hears only messages"


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_nothing_is_left_of_those_who_are_gone(server, visit, leave):
    for path in ("/ws/chat/a/?name=x", "/ws/chat/a/", "/ws/topics/lunch/"):
        leave(visit(path))
    # the server notices a little later that they are gone
    assert eventually(lambda: server.http("/groups/").text == "")


# Live topics


@pytest.fixture
def anna(server):
    """Return a client for pages that is logged in as anna."""
    with httpx.Client(base_url=server.url(""), trust_env=False, timeout=30) as web:
        submit(web, "/accounts/login/", username="anna", password=PASSWORD)
        yield web


def submit(web, path, **data):
    """Send a form, and return where it leads to."""
    web.get(path)
    answer = web.post(path, data=data | {"csrfmiddlewaretoken": web.cookies["csrftoken"]})
    assert answer.status_code == 302
    return answer.headers["Location"]


def test_post_is_told_on_its_own_page_only(visit, anna):
    lunch, lost = visit("/ws/topics/lunch/"), visit("/ws/topics/lost-and-found/")
    first = submit(anna, "/topics/lunch/", text="Soup again?")
    second = submit(anna, "/topics/lost-and-found/", text="A hat.")
    assert read(lunch) == {"post": first}
    assert read(lost) == {"post": second}


def test_post_that_is_rolled_back_is_never_told(server, visit, anna):
    lunch = visit("/ws/topics/lunch/")
    assert server.http("/rolled-back/").status_code == 500
    # the post that never was had the number of the first of these, so look at two
    posted = [submit(anna, "/topics/lunch/", text=text) for text in ("Noodles.", "Or rice.")]
    assert [read(lunch)["post"] for _ in posted] == posted


def test_post_is_saved_though_the_layer_fails(server):
    broker = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"}  # where nobody listens
    with (
        Server(DAPHNE, server.folder, environment=broker) as alone,
        httpx.Client(base_url=alone.url(""), trust_env=False, timeout=30) as web,
    ):
        submit(web, "/accounts/login/", username="anna", password=PASSWORD)
        submit(web, "/topics/lunch/", text="Is anybody connected?")
        assert "Is anybody connected?" in web.get("/topics/lunch/").text
        assert "ConnectionError" in alone.log()


def test_frames_to_a_topic_change_nothing(visit, anna):
    lunch = visit("/ws/topics/lunch/")
    lunch.send('{"post": "/evil/"}')
    posted = submit(anna, "/topics/lunch/", text="Salad.")
    assert read(lunch) == {"post": posted}


# Experiments


@pytest.fixture(scope="module")
def production(server):
    """Return a daphne that serves the same site with DEBUG off."""
    debug_off = os.environ | {"DJANGO_DEBUG": "0"}
    with Server(DAPHNE, server.folder, environment=debug_off) as production:
        yield production


def test_site_without_debug_serves_its_own(production):
    assert talk(production, "/ws/chat/", HELLO, origin=ORIGIN) == [HELLO]
    assert talk(production, "/ws/chat/room/", HELLO, origin=ORIGIN) == [HELLO]
    for path in ("/", "/chat/", "/chat/room/", "/topics/lunch/"):
        assert production.http(path).status_code == 200


def test_site_without_debug_knows_no_socket_of_an_experiment(server, production):
    with ThreadPoolExecutor(len(SOCKETS) + 1) as pool:  # each refusal takes a second
        for site, known in [(server, True), (production, False)]:
            knock = partial(talk, site, origin=ORIGIN)
            unknown, *answers = pool.map(knock, ["/ws/unknown/", *SOCKETS])
            assert unknown == ["server rejected WebSocket connection: HTTP 500"]
            for path, answer in zip(SOCKETS, answers, strict=True):
                assert (answer != unknown) == known, path


@pytest.mark.parametrize("path", PAGES)
def test_site_without_debug_knows_no_page_of_an_experiment(server, production, path):
    unknown = production.http("/unknown/", "POST")
    assert unknown.status_code == 404
    assert server.http(path, "POST").is_success
    answer = production.http(path, "POST")
    assert (answer.status_code, answer.text) == (unknown.status_code, unknown.text)


def test_myapp_has_only_what_the_site_needs(server):
    told = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=server.folder,
        env=os.environ | {"DJANGO_DEBUG": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    modules, idle = json.loads(told)
    assert not idle, "consumers without a route"
    assert not [name for name in modules if name.startswith("experiments")]
    myapp = SAMPLE / "finished/myapp"
    for path in myapp.rglob("*.py"):
        assert "experiments" not in path.read_text(encoding="utf-8"), path
    own = {f"myapp.{path.stem}" for path in myapp.glob("*.py") if not path.stem.startswith("test")}
    assert own - {"myapp.__init__"} <= set(modules), "files that the site never loads"


# In the browser


@pytest.fixture
def window(browser, server):
    """Return a function that opens a page of the site in a window of its own."""
    expect.set_options(timeout=30_000)
    with ExitStack() as stack:

        def window(path, **options):
            context = stack.enter_context(browser.new_context(**options))
            context.route("**/static/**", serve_static)  # a bare daphne does not
            page = context.new_page()
            page.set_default_timeout(30_000)
            page.goto(server.url(path))
            return page

        yield window


def serve_static(route):
    """Answer a request for a static file of the site, as a proxy does."""
    name = urlsplit(route.request.url).path.removeprefix("/static/")
    route.fulfill(path=next(path for folder in STATIC if (path := folder / name).is_file()))


def enter(page, room):
    """Choose a room as one does, with the keyboard."""
    page.keyboard.type(room)
    page.keyboard.press("Enter")
    expect(page.locator("#chat-state")).to_have_text("Connected.")


def write(page, message):
    page.keyboard.type(message)
    page.keyboard.press("Enter")


def expect_log(page, *messages):
    expect(page.locator("#chat-log")).to_have_value("".join(f"{message}\n" for message in messages))


@pytest.mark.browser
def test_two_windows_talk_and_a_third_in_another_room_does_not_hear(window):
    anna, ben, cleo = window("/chat/"), window("/chat/"), window("/chat/")
    for page, room in ((anna, "Küche & 50%"), (ben, "Küche & 50%"), (cleo, "Garten")):
        enter(page, room)
    assert unquote(urlsplit(anna.url).path) == "/chat/Küche & 50%/"
    write(anna, "hello")
    write(cleo, "the sun is out")
    expect_log(anna, "hello")
    ben.locator("#chat-message-input").fill("soup?")
    ben.locator("#chat-message-submit").click()
    for page in (anna, ben):
        expect_log(page, "hello", "soup?")
    expect_log(cleo, "the sun is out")
    expect(anna.locator("#chat-message-input")).to_have_value("")


@pytest.mark.browser
def test_visitors_are_shown(window):
    anna, ben = window("/chat/lobby/"), window("/chat/lobby/")
    expect(anna.locator("#chat-here")).to_have_text("Here: guest, guest")
    ben.close()
    expect(anna.locator("#chat-here")).to_have_text("Here: guest")


@pytest.mark.browser
def test_who_is_writing_is_shown_and_forgotten(window):
    anna, ben = window("/chat/writing/"), window("/chat/writing/")
    for page in (anna, ben):
        expect(page.locator("#chat-here")).to_have_text("Here: guest, guest")
    anna.keyboard.type("soup")
    expect(ben.locator("#chat-writing")).to_have_text("guest is writing …")
    expect(ben.locator("#chat-writing")).to_have_text("")  # after four seconds
    expect(anna.locator("#chat-writing")).to_have_text("")
    expect_log(ben)


@pytest.mark.browser
def test_markup_is_shown_as_text(window):
    name, script = '"><img src=x onerror=alert(1)>', "<script>alert(1)</script>"
    anna, ben = window("/chat/"), window("/chat/")
    alerts = []
    for page in (anna, ben):
        page.on("dialog", lambda dialog: alerts.append(dialog.message) or dialog.dismiss())
        enter(page, name)
        expect(page.locator("h1")).to_have_text(f"Room {name}")
    write(anna, script)
    for page in (anna, ben):
        expect_log(page, script)
    assert not alerts


@pytest.mark.browser
def test_room_that_has_no_address_is_not_entered(window):
    page = window("/chat/")
    for name in ("a/b", "..", "  "):
        page.locator("#room-name-input").fill(name)
        page.keyboard.press("Enter")
        assert not page.evaluate("() => document.getElementById('room-form').checkValidity()")
        assert urlsplit(page.url).path == "/chat/"


@pytest.mark.browser
def test_error_is_shown(window):
    anna = window("/chat/errors/")
    anna.evaluate("() => document.getElementById('chat-form').noValidate = true")
    expect(anna.locator("#chat-state")).to_have_text("Connected.")
    write(anna, "  ")
    expect_log(anna, "a message has 1 to 500 characters")


@pytest.mark.browser
def test_windows_come_back_when_the_server_does(window, server):
    anna, ben = window("/chat/reconnect/"), window("/chat/reconnect/")
    for page in (anna, ben):
        expect(page.locator("#chat-state")).to_have_text("Connected.")
    write(anna, "before")
    expect_log(ben, "before")
    server.stop()
    for page in (anna, ben):
        expect(page.locator("#chat-state")).to_contain_text("lost")
    write(anna, "meanwhile")  # kept in its field
    server.restart()
    for page in (anna, ben):
        expect(page.locator("#chat-state")).to_have_text("Connected.")
    anna.keyboard.press("Enter")
    for page in (anna, ben):
        expect_log(page, "before", "meanwhile")


@pytest.mark.browser
def test_topic_grows_while_it_is_read(window, anna, server):
    reader = window("/topics/lunch/")
    posts = reader.locator("#posts li")
    number = posts.count()
    text = "<b>Cake</b> at four"
    posted = submit(anna, "/topics/lunch/", text=text)
    expect(posts).to_have_count(number + 1)
    expect(reader.locator(f"#{posted.partition('#')[2]}")).to_contain_text(text)
    server.stop()
    server.restart()
    submit(anna, "/topics/lunch/", text="Missed it?")
    expect(posts).to_have_count(number + 2)
    expect(posts.last).to_contain_text("Missed it?")


@pytest.mark.browser
def test_newest_posts_are_streamed_and_none_is_missed(window, anna, server):
    reader = window("/latest/")
    posts = reader.locator("#latest li")
    number = posts.count()
    submit(anna, "/topics/lunch/", text="Stew.")
    expect(posts).to_have_count(number + 1)
    expect(posts.first).to_have_text("anna Lunch")
    server.stop()
    server.restart()
    submit(anna, "/topics/lost-and-found/", text="While it was away")
    expect(posts).to_have_count(number + 2)
    expect(posts.first).to_have_text("anna Lost and found")


@pytest.mark.browser
def test_first_post_of_a_topic_takes_the_place_of_the_word_that_there_is_none(window, anna, server):
    server.http("/new-topic/")
    reader = window("/topics/new/")
    expect(reader.locator("#posts")).to_have_text("No posts yet.")
    submit(anna, "/topics/new/", text="First!")
    expect(reader.locator("#posts li")).to_have_count(1)
    expect(reader.locator("#posts")).to_contain_text("First!")


def log_in(page, path):
    """Log in as the member with a password, who is then shown this page."""
    page.fill("#id_username", "anna")
    page.fill("#id_password", PASSWORD)
    page.click("main button")
    assert urlsplit(page.url).path == path


def post(page, text):
    page.fill("#id_text", text)
    page.click("form[ws-send] button")


@pytest.mark.browser
def test_member_posts_over_the_socket_and_everybody_reads_it(window, server):
    topic = "/topics/lunch/"
    member, reader = window(f"/accounts/login/?next={topic}"), window(topic)
    log_in(member, topic)
    pages = (member, reader)
    number = reader.locator("#posts li").count()
    loaded = []
    member.on("framenavigated", lambda frame: loaded.append(frame.url))
    member.on("dialog", lambda dialog: loaded.append(dialog.message) or dialog.dismiss())
    for text in (
        "Pie?",
        '<img src=x onerror="alert(1)">',
        '</li></ol><h1 id="title" hx-swap-oob="true">No</h1>',
    ):
        post(member, text)
        number += 1
        for page in pages:
            expect(page.locator("#posts li")).to_have_count(number)
            expect(page.locator("#posts li").last).to_contain_text(text)
            expect(page.locator("h1")).to_have_text("Lunch")
        expect(member.locator("#id_text")).to_have_value("")
    post(member, "   ")
    expect(member.locator(".errorlist")).to_have_text("This field is required.")
    server.stop()
    post(member, "While it was away")  # kept by htmx
    server.restart()
    for page in pages:
        expect(page.locator("#posts li")).to_have_count(number + 1)
        expect(page.locator("#posts li").last).to_contain_text("While it was away")
    assert not loaded


@pytest.mark.browser
def test_member_posts_without_any_script(window):
    page = window("/accounts/login/?next=/topics/lunch/", java_script_enabled=False)
    log_in(page, "/topics/lunch/")
    page.fill("#id_text", "No script")
    page.click("main button")
    expect(page.locator("#posts li").last).to_contain_text("No script")


def test_visitors_of_the_roll_out_say_less_than_a_room_takes():
    """However slow a machine is: what a room refuses nobody hears, and lesson 27 called it lost."""
    visitor, rooms = (
        (SAMPLE / "finished" / path).read_text("utf-8")
        for path in ("experiments/visitor.py", "myapp/rooms.py")
    )
    (pause,) = re.findall(r"^    pause = (\S+)", visitor, re.M)
    ((rate, period),) = re.findall(r"^    rate, period = (\d+), (\S+)", rooms, re.M)
    assert "await asyncio.sleep(self.pause)" in visitor
    assert int(rate) * float(pause) > 1.5 * float(period)  # and what is sent again
