"""What lesson 23 states about daphne, nginx, Django and browsers."""

import contextlib
import importlib.util
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import django
import pytest
from clients import PATIENCE, manage
from deployed import NGINX, certificate, production
from playwright.sync_api import expect
from rooms import lay_out, shell
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channels_live.server import Server

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets"),
]
DAPHNE = "daphne -u run/one.sock --proxy-headers myproject.asgi:application"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """Serve the finished site with its own settings for production, behind its own nginx.

    Return its proxy, its daphne, and what trusts its certificate.
    """
    folder = lay_out(tmp_path_factory.mktemp("deployed"))
    trusted = certificate(folder)
    with (
        Server('valkey-server --port 6379 --save ""', folder) as broker,
        Server(NGINX, folder) as proxy,
        Server(DAPHNE, folder, environment=production(proxy, broker)) as daphne,
    ):
        yield proxy, daphne, trusted


@pytest.mark.claim(
    "lesson 23",
    "daphne's own log has what follows the `?` of a page too, so it was started with `-v 0` here.",
    "`$uri` is the path alone; with `$request`, which is nginx's default, the ticket would stand "
    "there",
)
def test_what_stands_in_logs(deployed):
    proxy, daphne, trusted = deployed
    assert proxy.http("/chat/?ticket=top-secret", verify=trusted).status_code == 200
    assert proxy.http("/chat/", verify=trusted).status_code == 200
    assert "top-secret" in daphne.log()
    log = proxy.folder / "run/access.log"
    assert '"GET /chat/" 200' in log.read_text()
    assert "top-secret" not in log.read_text()
    with_request = proxy.folder / "nginx.conf"
    text = with_request.read_text()
    try:
        with_request.write_text(text.replace("access_log access.log plain;", "access_log all.log;"))
        with Server(NGINX, proxy.folder) as other:
            for path in ("/chat/?ticket=top-secret", "/chat/"):
                other.http(path, verify=trusted)
        assert "top-secret" in (proxy.folder / "run/all.log").read_text()
    finally:
        with_request.write_text(text)


@pytest.mark.claim(
    "lesson 23",
    "It would not run: it bears no nonce. Both scripts of the page bear it.",
    "A test of this lesson tries it in a browser.",
)
@pytest.mark.browser
def test_policy_in_a_browser(deployed, browser):
    proxy, *_ = deployed
    context = browser.new_context(ignore_https_errors=True)
    try:
        page = context.new_page()
        refused = []
        page.on(
            "console",
            lambda message: "Security Policy" in message.text and refused.append(message.text),
        )
        page.goto(proxy.url("/chat/lobby/"))
        page.get_by_text("Connected.").wait_for(timeout=10_000)  # its own scripts run
        page.fill("#chat-message-input", "hello")
        page.click("#chat-message-submit")
        expect(page.locator("#chat-log")).to_have_value("hello\n")
        assert not refused
        ran = page.evaluate(
            "() => { const script = document.createElement('script');"
            "script.textContent = 'window.stolen = true'; document.body.append(script);"
            "return window.stolen === true; }"
        )
        assert not ran
        assert len(refused) == 1
    finally:
        context.close()


@pytest.mark.claim(
    "lesson 23",
    "browsers then say only to pages of the same origin where somebody comes from.",
)
@pytest.mark.browser
def test_where_readers_come_from(deployed, browser, tmp_path):
    proxy, *_ = deployed
    heads = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            heads.append(self.headers["Referer"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Keep the test's output clean."""

    context = browser.new_context(ignore_https_errors=True)
    with HTTPServer(("127.0.0.1", 0), Page) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        try:
            page = context.new_page()
            page.goto(proxy.url("/chat/secret-room/"))
            go = (
                "address => { const a = document.createElement('a'); a.href = address; a.click(); }"
            )
            page.evaluate(go, proxy.url("/chat/"))
            page.wait_for_url(proxy.url("/chat/"))
            assert page.evaluate("document.referrer") == proxy.url("/chat/secret-room/")
            page.goto(proxy.url("/chat/secret-room/"))
            with page.expect_request(f"http://127.0.0.1:{other.server_port}/**") as asked:
                page.evaluate(go, f"http://127.0.0.1:{other.server_port}/")
            asked.value.response()
        finally:
            context.close()
            other.shutdown()
    assert heads == [None]


@pytest.mark.claim(
    "lesson 23",
    "(Django 6 has this built in. In 5.2 it is a middleware of a few lines.",
)
def test_policy_of_django():
    built_in = importlib.util.find_spec("django.middleware.csp")
    assert bool(built_in) == (django.VERSION >= (6,))


@pytest.mark.claim(
    "lesson 23",
    "Each process counts frames for itself, so with four processes a client has four times as "
    "many.",
    "in `nginx.conf` each address has 50 connections, and six tries to log in, then one every ten "
    "seconds.",
    "who has not asked within five seconds is hung up on",
)
def test_numbers_of_limits(deployed):
    proxy, *_ = deployed
    text = (proxy.folder / "nginx.conf").read_text()
    assert "limit_conn each 50;" in text
    assert "client_header_timeout 5s;" in text  # tests/test_attacks.py says what it does
    (a_minute,) = re.findall(r"rate=(\d+)r/m;", text)
    assert 60 / int(a_minute) == 10
    (later,) = re.findall(r"burst=(\d+) nodelay;", text)
    assert 1 + int(later) == 6
    code = "from myapp.gate import Gate; import json; "
    code += "gates = [Gate(None, 1) for _ in range(4)]; "
    code += "print(json.dumps([g.is_too_much('eve') for _ in range(2) for g in gates]))"
    assert shell(proxy.folder, code) == 4 * [False] + 4 * [True]


ORDERS_THEN_FRAMES = """
import json, types
from myapp import gate

def answered(pause):
    clock = types.SimpleNamespace(now=0.0)
    gate.time = types.SimpleNamespace(monotonic=lambda: clock.now)
    mine = gate.Gate(None, 200)
    [mine.is_too_much("eve") for _ in range(8)]
    clock.now += pause
    return [mine.is_too_much("eve") for _ in range(300)].count(False)

print(json.dumps([answered(9), answered(11)]))
"""


LONG_POST = """
from django.contrib.auth.models import User
from django.test import Client
anna = Client(HTTP_HOST="localhost")
anna.force_login(User.objects.create_user("writes-long"))
anna.post("/topics/lunch/", {"text": 190_000 * "."})
print(len(Client(HTTP_HOST="localhost").get("/topics/lunch/").content) > 190_000)
"""


@pytest.mark.claim(
    "lesson 23",
    "A member could post 190,000 characters, and whoever opened the topic had to load them:",
)
@pytest.mark.parametrize(("lesson", "takes"), [(22, "True"), (23, "False")])
def test_post_without_an_end(tmp_path, lesson, takes):
    lay_out(tmp_path, lesson)
    assert manage(tmp_path, "shell", "--verbosity", "0", "-c", LONG_POST).split() == [takes]


@pytest.mark.claim("lesson 23", "After ten seconds it has forgotten them, and answers 200.")
def test_gate_forgets_what_was_sent_before(deployed):
    proxy, *_ = deployed
    assert shell(proxy.folder, ORDERS_THEN_FRAMES) == [192, 200]


@pytest.mark.claim(
    "lesson 23",
    "An acknowledgement of a message is not counted: pages send one for each (lesson 19), and "
    "fifty readers behind one address have done nothing wrong.",
)
def test_readers_behind_one_address(deployed):
    proxy, _, trusted = deployed
    options = {"ssl": trusted, "origin": proxy.url(""), "proxy": None, "open_timeout": PATIENCE}
    with contextlib.ExitStack() as stack:
        speaker, *readers = (
            stack.enter_context(connect(proxy.ws("/ws/chat/school/?after=0"), **options))
            for _ in range(30)
        )
        for number in range(15):  # 435 acknowledgements, where 200 frames are too much
            speaker.send(json.dumps({"message": str(number)}))
            for reader in readers:
                while "id" not in (frame := json.loads(reader.recv(timeout=PATIENCE))):
                    pass
                assert frame["message"] == str(number)
                reader.send(json.dumps({"read": frame["id"]}))
        for reader in readers:  # and none is sent away
            assert reader.ping().wait(PATIENCE)


@pytest.mark.claim(
    "lesson 23",
    "Django puts the path of the site before that. And it does so **once**, when it is needed for "
    "the first time, and keeps the result.",
    "In lesson 22 the proxy removes the header.",
)
def test_header_does_not_pass_the_proxy(deployed):
    proxy, _, trusted = deployed
    headers = {"Daphne-Root-Path": "//evil.example", "X-Forwarded-Port": "1"}
    proxy.http("//evil.example/", headers=headers, verify=trusted)
    page = proxy.http("/admin/login/", verify=trusted)
    assert page.status_code == 200
    assert "evil.example" not in page.text
    assert re.search('href="/static/admin', page.text)


@pytest.mark.claim(
    "lesson 23",
    "Pings, and the pieces of a message that does not end, are daphne's own matter, and no gate "
    "sees them",
    "The gate ends such a socket with 4400, and without a line.",
)
def test_what_a_gate_sees(deployed):
    proxy, daphne, trusted = deployed
    options = {"ssl": trusted, "origin": proxy.url(""), "proxy": None, "open_timeout": PATIENCE}
    with connect(proxy.ws("/ws/chat/"), **options) as eve:
        for _ in range(300):  # where 200 frames are too much
            eve.ping()
        eve.send(iter('{"message": "%s"}' % ("piece" * 60)))
        assert json.loads(eve.recv(timeout=PATIENCE)) == {"message": "piece" * 60}
        eve.send("[" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            eve.recv(timeout=PATIENCE)
        assert closed.value.rcvd.code == 4400
    assert "RecursionError" not in str(daphne.log(full=True))
