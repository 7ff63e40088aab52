"""The witnesses of lesson 6, Update the URLs, and of its exercises.

What it says of pages in a browser is in test_claims_browser.py.
"""

import re

import django.conf.urls
import django.urls
import pytest
from clients import DAPHNE, RUNSERVER, client, eventually, manage, talk
from django.template.defaultfilters import json_script
from django.utils.html import escape
from projects import another_answer, lesson_begins, written
from websockets import InvalidStatus

from channels_live.progress import RIGHT
from channels_live.server import Server, ServerError

URLS, APP_URLS = "myproject/urls.py", "myapp/urls.py"
ORIGIN = {"origin": "http://localhost"}
BELL = """
from channels.generic.websocket import WebsocketConsumer


class BellConsumer(WebsocketConsumer):
    pass


urlpatterns.append(path("ws/bell/", BellConsumer.as_asgi()))
"""
# Tests of what a test can overlook; the last two pass, though the consumer says nothing like it
TESTS = """
import os

from channels.generic.websocket import WebsocketConsumer
from channels.testing import WebsocketCommunicator
from django.test import SimpleTestCase

from myproject.asgi import application

EVIL = [(b"origin", b"https://evil.example")]


class Process(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send(str(os.getpid()))


class Tests(SimpleTestCase):
    async def test_own_process(self):
        socket = WebsocketCommunicator(Process.as_asgi(), "/")
        self.assertEqual(await socket.connect(), (True, None))
        self.assertEqual(await socket.receive_from(), str(os.getpid()))
        await socket.disconnect()

    async def test_whole_application_tests_origin_and_route(self):
        for path, headers in (("/ws/chat/", []), ("/ws/chat/", EVIL)):
            accepted, _ = await WebsocketCommunicator(application, path, headers).connect()
            self.assertFalse(accepted)
        socket = WebsocketCommunicator(application, "/no", [(b"origin", b"http://localhost")])
        with self.assertRaisesMessage(ValueError, "No route found"):
            await socket.connect()

    async def test_consumer_alone_needs_neither(self):
        socket = WebsocketCommunicator(Process.as_asgi(), "/anywhere", EVIL)
        self.assertEqual(await socket.connect(), (True, None))
        await socket.disconnect()

    async def test_without_await_nothing_is_checked(self):
        socket = WebsocketCommunicator(Process.as_asgi(), "/")
        await socket.connect()
        self.assertTrue(socket.receive_nothing())
        await socket.disconnect()

    async def test_without_await_an_object_is_compared(self):
        socket = WebsocketCommunicator(Process.as_asgi(), "/")
        await socket.connect()
        self.assertNotEqual(socket.receive_from(), str(os.getpid()))
        await socket.disconnect()
"""


def ran(folder, *labels):
    """Run Django's tests. Return how many there were, and whether all passed."""
    output = manage(folder, "test", *labels, check=False)
    return int(re.search(r"Ran (\d+) test", output)[1]), output.strip().splitlines()[-2:]


@pytest.mark.live
@pytest.mark.claim("lesson 6", "(`runserver` checks it at the start, and would not have started.)")
@pytest.mark.claim(
    "lesson 6",
    "Under `daphne`, `urls.py` is read when the first *page* is asked for, so you learn of a "
    "mistake only then.",
    "Under `daphne`, `urls.py` is read at the first page",
)
@pytest.mark.claim("lesson 7", "| checks your project first, `urls.py` too | yes | no |")
def test_runserver_checks_the_urls(tmp_path):
    folder = lesson_begins(6, tmp_path)
    (folder / URLS).write_text(written(6, URLS)[0])
    with pytest.raises(ServerError, match="name 'admin' is not defined"):
        Server(f"{RUNSERVER} --noreload", folder)
    with Server(DAPHNE, folder) as server:  # checks nothing
        assert server.http("/").status_code == 500


@pytest.mark.live
@pytest.mark.claim("lesson 6", "Reload the page: with `runserver`, templates need no restart.")
def test_templates_need_no_restart(tmp_path):
    folder = lesson_begins(7, tmp_path)
    template = folder / "myapp/templates/myapp/chat.html"
    with Server(RUNSERVER, folder) as server:
        assert "<h1>Chat</h1>" in server.http("/chat/").text
        template.write_text(template.read_text().replace("<h1>Chat</h1>", "<h1>New</h1>"))
        assert eventually(lambda: "<h1>New</h1>" in server.http("/chat/").text)
        assert len(str(server.log(contains="Starting ASGI")).splitlines()) == 1


@pytest.mark.claim("lesson 6", "(`include` itself is imported from `django.urls` nowadays.)")
def test_where_include_is():
    assert django.conf.urls.include is django.urls.include


@pytest.mark.claim("lesson 6", "The site came with 22 tests of its own, for its pages.")
def test_site_has_22_tests(tmp_path):
    texts = [file.read_text() for file in lesson_begins(6, tmp_path).rglob("test*.py")]
    assert sum(text.count("    def test_") for text in texts) == 22


@pytest.mark.claim(
    "lesson 6",
    "it plays the server's part and hands events to your ASGI application, in the test's own "
    "process. We give it the whole application, so that the route and the origin are tested too.",
)
@pytest.mark.claim(
    "solutions 6",
    'A communicator for the consumer alone, `WebsocketCommunicator(StampConsumer.as_asgi(), "/")`, '
    "tests neither the route nor the origin, and needs no header.",
    "Without it, a test compares an object that nobody has awaited, or checks nothing at all.",
)
def test_what_a_communicator_tests(tmp_path):
    folder = lesson_begins(6, tmp_path)
    (folder / "myapp/test_claims.py").write_text(TESTS)
    number, end = ran(folder, "myapp.test_claims")
    assert number == 5 and "OK" in end, end


@pytest.mark.live
@pytest.mark.claim(
    "solutions 6",
    '`include("myapp.routing")` breaks every page, since Django reads all of `urls.py` before it '
    "looks for one. The doorbell's line in `myapp/urls.py` does no harm at the start. It makes a "
    "page of a consumer, which answers 500, and it gives the socket no route.",
)
def test_consumer_in_the_urls(tmp_path):
    folder = lesson_begins(6, tmp_path)
    urls = folder / APP_URLS
    urls.write_text(urls.read_text() + BELL)
    with Server(DAPHNE, folder) as server:
        assert server.http("/accounts/login/").status_code == 200
        assert server.http("/ws/bell/").status_code == 500
        with pytest.raises(InvalidStatus, match="500"):
            client(server, "/ws/bell/", **ORIGIN).__enter__()
        assert "No route found for path 'ws/bell/'" in str(server.log())
        assert talk(server, "/ws/chat/", '{"message": "a"}', **ORIGIN) == ['{"message": "a"}']
        project_urls = folder / URLS
        text = project_urls.read_text()
        project_urls.write_text(
            text.replace(
                "urlpatterns = [", "urlpatterns = [\n    path('admin/', admin.site.urls),"
            ).replace("]", "    path('ws/', include('myapp.routing')),\n]")
        )
        server.restart()
        assert server.http("/admin/").status_code == 500  # though its line is the first


ELSEWHERE = """
from threading import Thread

from django.db import OperationalError
from django.test import TestCase, TransactionTestCase

from .models import Topic


class Counted:
    def count(self):
        try:
            self.counted = Topic.objects.count()  # over another connection: it is another thread's
        except OperationalError:
            self.counted = 0  # SQLite locks what others may not see

    def counted_elsewhere(self):
        Topic.objects.create(slug="new")
        thread = Thread(target=self.count)
        thread.start()
        thread.join()
        return self.counted


class InTransaction(Counted, TestCase):
    def test(self):
        self.assertEqual(self.counted_elsewhere(), 0)


class Written(Counted, TransactionTestCase):
    def test(self):
        self.assertEqual(self.counted_elsewhere(), 1)
"""


@pytest.mark.claim(
    "lesson 6",
    "In Django's plain `TestCase` each test is one transaction, which is undone at its end, and "
    "another database connection does not get to see it.",
)
def test_who_sees_what_a_test_writes(tmp_path):
    folder = lesson_begins(6, tmp_path / "site")
    (folder / "myapp/test_elsewhere.py").write_text(ELSEWHERE)
    assert "OK" in manage(folder, "test", "myapp.test_elsewhere", "--verbosity", "0")


@pytest.mark.claim(
    "solutions 6",
    'Where the script needs more than one value, write `{{ value|json_script:"name" }}`, a filter '
    "of Django.",
    "Django escapes values for HTML, not for JavaScript.",
)
def test_what_django_escapes():
    assert escape("<script>") == "&lt;script&gt;"
    for ends_a_text_in_javascript in ("`", "${alert(1)}", "\\", "\n"):
        assert escape(ends_a_text_in_javascript) == ends_a_text_in_javascript
    assert json_script("</script>", "name").count("</script>") == 1


@pytest.mark.live
@pytest.mark.claim(
    "solutions 6", "**What else would do.** A view of your own that hands over the address."
)
def test_view_of_your_own_would_do(tmp_path):
    view = (
        "from django.shortcuts import render\n\n\n"
        "def room(request, room):\n"
        '    context = {"room": room, "socket": f"/ws/rooms/{room}/"}\n'
        '    return render(request, "myapp/room.html", context)\n\n\n'
    )
    changes = {
        APP_URLS: (
            r"(?s)(urlpatterns = .*)TemplateView.as_view\(template_name=\"myapp/room.html\"\)",
            view.replace("\\", "\\\\") + r"\1room",
        ),
        "myapp/templates/myapp/room.html": (r"/ws/rooms/\{\{ room \}\}/", "{{ socket }}"),
    }
    assert another_answer("6.2", tmp_path, changes).state == RIGHT
