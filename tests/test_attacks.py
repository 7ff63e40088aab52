"""The finished site under attack, behind its nginx: each attack of site/attacks.md, and its end.

Each attack comes from an address of its own, so that the limits of one do not end another.
"""

import itertools
import json
import re
import socket
import ssl
import sys
import time
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from claims.rooms import lay_out
from clients import eventually, manage
from deployed import NGINX, certificate, in_terminal, production
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from channels_live.server import Server
from channels_live.workspace import SAMPLE

pytestmark = [
    pytest.mark.live,
    pytest.mark.usefixtures("forked_servers"),  # what the site does does not depend on it
    pytest.mark.skipif(sys.platform != "linux", reason="needs many addresses of this computer"),
]
DAPHNE = "daphne -u run/one.sock --proxy-headers -v 0 myproject.asgi:application"
UVICORN = "uvicorn --uds run/two.sock --forwarded-allow-ips '*' myproject.asgi:application"
PAGE = Path(__file__).parents[1] / "site/attacks.md"
CHECK = "test_each_attack_is_in_the_table_with_what_holds_it"
PASSWORD = "correct-horse"
INSIDE = [
    *("/inside/alive/", "/inside/ready/", "/inside/metrics/", "/inside%2fmetrics/"),
    *("/%69nside/metrics/", "/inside//metrics/"),
]
MEMBERS = f"""
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
password = make_password({PASSWORD!r})  # once, for it takes half a second
for name in ("fixed", "left", "banned", "changed", "ended", "ticket", "talks", "sends", "writes"):
    User.objects.create(username=name, password=password)
"""

ENDS_AFTER_THE_LOOK = """
from unittest.mock import patch
from django.core.cache import cache
from myapp.limits import count
from redis import Redis

look = Redis.exists

def look_and_end(self, key):
    found = look(self, key)
    self.delete(key)
    return found

with patch.object(Redis, "exists", look_and_end):
    count("test", {}, 1, 60)
print(cache._cache.get_client().ttl(cache.make_key("test.address-unknown")))
"""


class Visitor:
    """Somebody with an address, and with cookies."""

    addresses = map(ip_address("127.0.0.1").__add__, itertools.count(1))

    def __init__(self, proxy, trusted):
        self.proxy, self.trusted = proxy, trusted
        self.address = str(next(self.addresses))
        transport = httpx.HTTPTransport(verify=trusted, local_address=self.address)
        headers = {"Origin": self.site, "Referer": self.site}
        self.http = httpx.Client(
            transport=transport, base_url=self.site, headers=headers, timeout=120, trust_env=False
        )

    @property
    def site(self):
        return self.proxy.url("")

    def get(self, path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(path, headers=headers)

    def post(self, path, **fields):
        if "csrftoken" not in self.http.cookies:
            self.get("/accounts/login/")
        fields["csrfmiddlewaretoken"] = self.http.cookies["csrftoken"]
        return self.http.post(path, data=fields)

    def log_in(self, name):
        answer = self.post("/accounts/login/", username=name, password=PASSWORD)
        assert answer.status_code == 302, answer.text
        return self

    def join(self, path, origin="", headers=(), **options):
        """Open a socket as a page of the site does. origin: None for none at all."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        headers = {"Cookie": cookies, **dict(headers)} if cookies else dict(headers)
        return connect(
            self.proxy.ws(path),
            ssl=self.trusted,
            origin=self.site if origin == "" else origin,
            additional_headers=headers,
            source_address=(self.address, 0),
            proxy=None,
            open_timeout=120,
            **options,
        )

    def attempt(self, path, **options):
        """Return the status with which a socket is answered: 101 if it is let in."""
        try:
            with self.join(path, **options):
                return 101
        except ConnectionClosed:  # by the server, at once
            return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    def is_sent_away(self, path):
        """Return the code with which a socket that is let in is closed."""
        try:
            with self.join(path) as socket:
                return ends_with(socket)
        except ConnectionClosed as closed:
            return closed.rcvd.code

    def wire(self, secure=True):
        """Return a connection without any protocol."""
        address = "127.0.0.1", self.proxy.port
        wire = socket.create_connection(address, 120, source_address=(self.address, 0))
        return self.trusted.wrap_socket(wire, server_hostname="localhost") if secure else wire

    def says(self, *lines, secure=True, whole=True):
        """Send lines of HTTP. Return all that is answered, or how it begins."""
        with self.wire(secure) as wire:
            wire.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            return until_end(wire) if whole else wire.recv(100).decode("latin-1")


def until_end(wire):
    got = b""
    with suppress(ConnectionError, ssl.SSLEOFError):
        while part := wire.recv(65536):
            got += part
    return got.decode("latin-1")


def ends_with(websocket):
    """Return the code with which a socket is closed, after whatever comes before."""
    try:
        while True:
            websocket.recv(timeout=120)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the finished site as lesson 27 deploys it. Return a function that makes visitors."""
    folder = lay_out(tmp_path_factory.mktemp("attacked"))
    manage(folder, "shell", "--verbosity", "0", "-c", MEMBERS)
    trusted = certificate(folder)
    with (
        Server('valkey-server --port 6379 --save ""', folder) as broker,
        Server(NGINX, folder) as proxy,
        ExitStack() as stack,
    ):

        def made():
            visitor = Visitor(proxy, trusted)
            stack.callback(visitor.http.close)
            return visitor

        made.without_daphne = {path: made().get(path).status_code for path in ("/chat/", *INSIDE)}
        environment = production(proxy, broker) | {"DJANGO_DRAIN": "0"}
        with Server(DAPHNE, folder, environment=environment) as daphne:
            made.folder, made.daphne, made.environment = folder, daphne, environment
            yield made


@pytest.fixture
def eve(site):
    return site()


# --- doors


def test_pages_of_others(site, eve):
    port = eve.proxy.port
    for origin in (
        "https://evil.example",
        "https://127.0.0.1:9999",
        f"http://127.0.0.1:{port}",
        "null",
        "https://127.0.0.1.evil.example",
        None,
    ):
        assert eve.attempt("/ws/member/", origin=origin) == 403, origin
    assert eve.attempt("/ws/member/") == 101


def test_hosts_of_others(eve):
    assert eve.get("/", Host="evil.example").status_code == 400
    page = eve.get("/admin/", X_Forwarded_Host="evil.example")
    assert "evil.example" not in str(page.headers) + page.text


def test_forged_headers(site, eve):
    eve.get("//evil.example/", Daphne_Root_Path="//evil.example", X_Forwarded_Port="1")
    assert "evil.example" not in site().get("/admin/login/").text
    assert eve.get("/", X_Forwarded_Proto="http").status_code == 200  # or it would redirect
    assert "400 Bad Request" in eve.says("GET / HTTP/1.0", "X-Forwarded-Proto: https", secure=False)


def test_pages_for_programs(site, eve):
    refused = {"/chat/": 502} | dict.fromkeys(INSIDE, 404)
    assert site.without_daphne == refused, "by nginx, which asks nobody"
    for path in (*INSIDE, "/chat/../inside/metrics/"):
        for value in ("", "unix:", "127.0.0.1"):
            lines = "Host: " + eve.site.removeprefix("https://"), f"X-Forwarded-For: {value}"
            answer = eve.says(f"GET {path} HTTP/1.0", *lines)
            assert " 404 " in answer.partition("\r\n")[0], answer
            assert "sockets_open" not in answer


def test_hidden_requests(eve):
    host = "Host: " + eve.site.removeprefix("https://")
    for lines, statuses in {
        ("POST / HTTP/1.1", host, "Content-Length: 5", "Transfer-Encoding: chunked"): {"400"},
        ("POST / HTTP/1.1", host, "Transfer-Encoding: \x0bchunked"): {"400", "501"},
        ("POST / HTTP/1.1", host, "Content-Length: 1", "Content-Length: 2"): {"400"},
        ("GET / HTTP/1.0", host, "X: a\x0bDaphne-Root-Path: /x"): {"400"},
        ("GET / HTTP/1.1", host, "Connection: Upgrade, close", "Upgrade: h2c"): {"200", "400"},
    }.items():
        answer = eve.says(*lines, whole=False)  # then nginx waits for 5 s
        assert answer.split()[1] in statuses, (lines, answer)


def test_files_of_the_site(eve):
    host = "Host: " + eve.site.removeprefix("https://")
    for path in ("/static/../site.pem", "/static/..%2fsite.pem", "/static../site.pem"):
        answer = eve.says(f"GET {path} HTTP/1.0", host)
        assert answer.split()[1] in ("400", "404")
        assert "PRIVATE KEY" not in answer


def test_what_was_for_trying_out(eve):
    routing = (eve.proxy.folder / "experiments/routing.py").read_text()
    paths = re.findall(r'path\("([^"<]+)"', routing)
    assert {"news/", "ws/blocking/", "ws/slow/"} <= set(paths)
    for path in paths:
        if path.startswith("ws/"):
            assert eve.attempt(f"/{path}") == 403
        else:
            assert eve.http.post(f"/{path}", content="<script>").status_code in (403, 404)
    assert eve.attempt("/ws/nowhere/") == 403


# --- who somebody is


def test_session_that_somebody_else_has_chosen(site, eve):
    eve.http.cookies.set("sessionid", "a" * 32)
    eve.log_in("fixed")
    cookies = {cookie.name: cookie for cookie in eve.http.cookies.jar if cookie.domain}
    keys = [cookie.value for cookie in eve.http.cookies.jar if cookie.name == "sessionid"]
    assert keys[-1] != "a" * 32
    other = site()
    other.http.cookies.set("sessionid", "a" * 32)
    assert other.is_sent_away("/ws/member/") == 4401
    its = cookies["sessionid"]
    assert its.secure and its.has_nonstandard_attr("HttpOnly")
    assert its.get_nonstandard_attr("SameSite") == "Lax"


def test_members_who_are_members_no_more(site, eve):
    with ExitStack() as stack:
        sockets = {}
        for name in ("left", "banned", "changed", "ended"):
            member = site().log_in(name)
            sockets[name] = stack.enter_context(member.join("/ws/member/"))
            assert "unread" in sockets[name].recv(timeout=120)
            if name == "left":
                member.post("/accounts/logout/")
        end = """
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from myapp.members import user_group
from myapp.signals import group_send
banned, changed, ended = (User.objects.get(username=n) for n in ("banned", "changed", "ended"))
banned.is_active = False
banned.save()
changed.set_password("another")
changed.save()
Session.objects.all().delete()
group_send(user_group(ended.pk), {"type": "unread.changed"})
"""
        manage(site.folder, "shell", "--verbosity", "0", "-c", end, **site.environment)
        for name, socket in sockets.items():
            assert ends_with(socket) == 4401, name
    assert eve.is_sent_away("/ws/member/") == 4401


def test_passwords_that_are_guessed(eve):
    statuses = [
        eve.post("/accounts/login/", username="left", password=str(number)).status_code
        for number in range(12)
    ]
    assert statuses.count(429) >= 1
    assert set(statuses) == {200, 429}


def test_forms_of_others(eve):
    assert eve.http.post("/accounts/login/", data={}).status_code == 403
    fields = {"csrfmiddlewaretoken": "a" * 64}
    assert eve.http.post("/accounts/logout/", data=fields).status_code == 403


def test_ticket_is_used_once(site, eve):
    member = site().log_in("ticket")
    token = re.search('id="token">([^<]+)<', member.post("/tokens/").text)[1]
    bearer = {"Authorization": f"Bearer {token}"}
    ticket = eve.http.post("/ticket/", headers=bearer).json()["ticket"]
    assert eve.attempt(f"/ws/member/?ticket={ticket}", origin=None) == 101
    assert eve.attempt(f"/ws/member/?ticket={ticket}", origin=None) == 403
    assert eve.http.post("/ticket/", headers={"Authorization": "Bearer x"}).status_code == 401


# --- frames

BAD = [
    *(" ", "x", "{}", "[]", "[1]", "null", "true", "1", '"message"', '{"message": null}'),
    *('{"message": 1}', '{"message": []}', '{"message": {}}', '{"message": ""}', b"\x00\xff"),
    *('{"message": "\\ud800"}', "[" * 10_000, '{"message": "%s"}' % ("x" * 501)),
    *('{"message": "x", "key": 1}', '{"message": "x", "key": "%s"}' % ("x" * 37), '{"read": "x"}'),
]


def test_frames_that_are_no_messages(eve):
    for number in (0, 1):
        with eve.join(f"/ws/chat/bad-{number}/?after=0") as socket:
            assert "reload" in socket.recv(timeout=120)
            for frame in BAD[number::2]:
                socket.send(frame)
                assert list(json.loads(socket.recv(timeout=120))) == ["error"], frame
            socket.send('{"message": "well", "key": "well"}')
            assert "well" in socket.recv(timeout=120)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/ws/chat/", 4400),  # the gate's
        ("/ws/live/", "JSON is nested too deep"),
        ("/ws/topics/lunch/page/?after=0", "This field is required"),
    ],
)
def test_json_that_is_nested_too_deep(site, eve, path, answer):
    with eve.join(path) as socket:
        socket.send('{"a":' * 30_000)
        if answer == 4400:
            assert ends_with(socket) == answer
        else:
            while answer not in socket.recv(timeout=120):
                pass
    assert "RecursionError" not in str(site.daphne.log(full=True))


def test_what_members_send(site, eve):
    with eve.join("/ws/member/") as socket:  # a stranger, who is sent away
        with suppress(ConnectionClosed):
            socket.send("no JSON")
        assert ends_with(socket) == 4401
    member = site().log_in("sends")
    with member.join("/ws/member/") as socket:
        assert json.loads(socket.recv(timeout=120)) == {"unread": 0}
        socket.send("no JSON")
        socket.send(b"\x00")
        answer = member.post("/notifications/", up_to="9" * 5_000)
        assert answer.status_code == 302
        assert json.loads(socket.recv(timeout=120)) == {"unread": 0}
    log = str(site.daphne.log(full=True))
    assert "JSONDecodeError" not in log
    assert "No text section" not in log  # as for bytes
    assert "string conversion" not in log  # as for digits


def test_what_is_put_into_messages(site, eve):
    texts = ["'; DROP TABLE myapp_message; --", "<script>alert(1)</script>", "a\r\nb\x00\u2028c"]
    with eve.join("/ws/chat/put-in/?after=0") as socket:
        for number, text in enumerate(texts):
            frame = {"message": text, "key": str(number), "type": "websocket.disconnect", "id": 0}
            socket.send(json.dumps(frame))
            while "saved" not in socket.recv(timeout=120):
                pass
    with site().join("/ws/chat/put-in/") as socket:
        assert [json.loads(socket.recv(timeout=120)) for _ in texts] == [
            {"message": t} for t in texts
        ]
    page = site().get("/chat/%3Cscript%3Ealert(1)%3C%2Fscript%3E/".replace("%2F", "%252F"))
    assert "<script>alert" not in page.text


def test_names_of_rooms(eve):
    for name in ("%00", "%0a", "é", "%F0%9F%8D%B5", "*", "a.b!c", "x" * 51, "x" * 5000, "..%2f"):
        assert eve.attempt(f"/ws/chat/{name}/".replace("é", "%C3%A9")) in (101, 400, 403), name


def test_large_frame(eve):
    with eve.join("/ws/chat/") as socket:
        with suppress(ConnectionClosed):
            socket.send("x" * (2**20 + 1))
        assert ends_with(socket) in (1006, 1009)
        assert not socket.protocol.extensions  # a small one cannot become a large one


def test_many_pings_and_many_pieces(eve):
    with eve.join("/ws/chat/") as socket:
        for _ in range(2_000):
            socket.ping()
        socket.send(iter('{"message": "%s"}' % ("piece" * 100)))
        assert json.loads(socket.recv(timeout=120)) == {"message": "piece" * 100}


def test_frames_against_the_protocol(eve):
    handshake = (
        "GET /ws/chat/ HTTP/1.1",
        "Host: " + eve.site.removeprefix("https://"),
        f"Origin: {eve.site}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *("", ""),
    )
    for frame in (b"\x81\x01x", b"\xf1\x80\0\0\0\0", b"\x83\x80\0\0\0\0", b"\x81\x81\0\0\0\0\xff"):
        with eve.wire() as wire:
            wire.sendall("\r\n".join(handshake).encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += wire.recv(1)
            assert answer.startswith(b"HTTP/1.1 101 ")
            wire.sendall(frame)
            assert until_end(wire)[:1] in ("", "\x88")  # it is hung up on


# --- number and size


def test_many_frames(eve):
    with ExitStack() as stack:
        sockets = [stack.enter_context(eve.join("/ws/chat/")) for _ in range(4)]
        with suppress(ConnectionClosed):
            for number in range(2_000):
                sockets[number % 4].send('{"message": "x"}')
        assert 4429 in {ends_with(socket) for socket in sockets}


def test_long_frames(eve):
    with eve.join("/ws/chat/") as socket:
        with suppress(ConnectionClosed):
            for _ in range(10):
                socket.send("x" * 90_000)
        assert ends_with(socket) == 4429


def test_posts_by_a_form_and_by_a_socket(eve):
    eve.log_in("talks")
    for _ in range(10):
        assert eve.post("/topics/lunch/", text="Soup?").status_code == 302
    assert "too many posts" in eve.post("/topics/lunch/", text="Soup?").text
    with eve.join("/ws/topics/lunch/page/?after=999999") as socket:
        socket.recv(timeout=120)
        socket.send('{"text": "Soup?"}')
        assert "too many posts" in socket.recv(timeout=120)


def test_long_posts(eve):
    eve.log_in("writes")
    text = "." * 5_001
    assert "at most 5000 characters" in eve.post("/topics/lunch/", text=text).text
    with eve.join("/ws/topics/lunch/page/?after=999999") as socket:
        socket.recv(timeout=120)
        socket.send(json.dumps({"text": text}))
        assert "at most 5000 characters" in socket.recv(timeout=120)


def test_count_that_begins_when_it_ends(site):
    """Redis looks for a key, and counts, in two steps: in between, the key may come to its end."""
    code = ("shell", "--verbosity", "0", "-c", ENDS_AFTER_THE_LOOK)
    seconds = manage(site.folder, *code, **site.environment).split()[-1]
    assert 0 < int(seconds) <= 60, "it would count for ever, and lock an address out"


def test_frames_that_unpack_to_large_ones(site, eve, tmp_path):
    log = tmp_path / "log"
    with in_terminal(UVICORN, site.folder, log, site.environment):
        for _ in range(4):  # two of them come to uvicorn, which would unpack
            with eve.join("/ws/chat/", compression="deflate") as socket:
                assert not socket.protocol.extensions
    assert "[accepted]" in log.read_text()


def test_many_sockets(site, eve):
    with ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(eve.join("/ws/chat/"))
        assert eve.attempt("/ws/chat/") == 429
        assert eve.get("/posts/stream/").status_code == 429
        assert site().attempt("/ws/chat/") == 101


def test_expensive_work(eve):
    told = []
    for number in range(7):
        forged = {"X-Forwarded-For": f"192.0.2.{number}"}
        with eve.join("/ws/report/", headers=forged) as socket:
            socket.send("please")
            told += json.loads(socket.recv(timeout=120))
    assert told == ["status"] * 5 + ["error"] * 2


def test_large_forms(eve):
    assert eve.post("/topics/lunch/", text="." * 200_000).status_code == 413
    pieces = (b"." * 10_000 for _ in range(20))
    assert eve.http.post("/topics/lunch/", content=pieces).status_code == 413


def test_requests_that_never_end(site, eve):
    hello = b"\x16\x03\x01\x02\x00\x01"  # the first bytes of TLS
    with ExitStack() as stack:
        for _ in range(600):  # more than an nginx holds
            wire = stack.enter_context(eve.wire(secure=False))
            with suppress(OSError):
                wire.sendall(hello)

        def answered():
            with suppress(httpx.TransportError):
                return site().get("/chat/").status_code == 200

        assert eventually(answered, within=30), "nginx alone would wait for 60 s"


def test_requests_that_come_a_letter_at_a_time(eve):
    begin = time.monotonic()
    with eve.wire() as wire, suppress(OSError):
        wire.settimeout(0.2)
        wire.sendall(b"GET / HTTP/1.1\r\nX: ")
        while time.monotonic() - begin < 30:
            wire.sendall(b"x")
            with suppress(TimeoutError):
                if not wire.recv(1):
                    break
    assert time.monotonic() - begin < 30


# --- what is told


def test_headers_of_pages(eve):
    page = eve.get("/chat/")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "max-age=" in page.headers["Strict-Transport-Security"]


def test_pages_of_faults(eve):
    page = eve.get("/nowhere/?ticket=top-secret")
    assert page.status_code == 404
    assert "urlpatterns" not in page.text and "ticket" not in page.text


def test_lines_in_logs(site, eve):
    eve.get("/tea%0aforged-line")
    eve.get("/chat/?ticket=top-secret")
    with suppress(InvalidStatus), eve.join("/ws/chat/?secret=top-secret") as socket:
        socket.send('{"message": "top-secret"}')
        socket.recv(timeout=120)
    site().get("/")  # so that the lines above are there
    log = (site.folder / "run/access.log").read_text() + str(site.daphne.log(full=True))
    assert "forged-line" in log
    assert not [line for line in log.splitlines() if line.startswith("forged-line")]
    assert "top-secret" not in log
    assert "No route found" not in log


def test_each_attack_is_in_the_table_with_what_holds_it():
    """Every row of site/attacks.md names tests that exist, and every attack here is in it."""
    rows = re.findall(r"^\| (\d+) \| .+? \| .+? \| (.+?) \|$", PAGE.read_text(), re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 59))
    here = {name for name in globals() if name.startswith("test_") and name != CHECK}
    named = set(re.findall(r"`(test_\w+)`", str(rows)))
    assert here <= named
    files = [*PAGE.parents[1].glob("tests/**/test_*.py"), *(SAMPLE / "finished").rglob("test_*.py")]
    known = set(re.findall(r"def (test_\w+)", "".join(path.read_text() for path in files)))
    assert named <= known, named - known
    assert all("`test_" in tests for _, tests in rows)
