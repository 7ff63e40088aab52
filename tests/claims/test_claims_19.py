"""What lesson 19 and its solutions state about daphne, Django's cache and close codes."""

import asyncio
import inspect
import json
import re
import socket

import httpx
import pytest
from clients import DAPHNE, PATIENCE, client, eventually
from django.conf import settings
from django.core.cache.backends import base, db, dummy, filebased, locmem, memcached, redis
from kinds import lay_out as lay_out_kinds
from rooms import UVICORN, closed_with, lay_out, manage, read, rewrite, visit

from channels_live.server import Server

if not settings.configured:
    settings.configure()

ROUTES = "URLRouter(websocket_urlpatterns)"
FORGIVING = f"Goodbyes({ROUTES})"  # in asgi.py, as lesson 19 leaves it
WRONG = "Attempt to send on a closed protocol"


@pytest.mark.claim(
    "lesson 19",
    "in the caches that come with Django this reads, adds and writes in three steps, without the "
    "time limit: two at once would count as one, and the counter would live for longer.",
)
def test_aincr_of_djangos_caches():
    for module in (db, dummy, filebased, locmem, memcached, redis):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            assert "aincr" not in vars(kind) or kind is base.BaseCache, kind
    cache = locmem.LocMemCache("claims 17", {})
    cache.set("sync", 0, timeout=5)
    cache.set("async", 0, timeout=5)

    async def twice():
        await asyncio.gather(cache.aincr("async"), cache.aincr("async"))

    before = dict(cache._expire_info)
    for _ in range(2):
        cache.incr("sync")
    asyncio.run(twice())
    assert cache.get("sync") == 2
    assert cache.get("async") == 1
    later = {key: cache._expire_info[key] - before[key] for key in before}
    assert later[":1:sync"] == 0
    assert later[":1:async"] > 200


@pytest.mark.claim("lesson 19", "(The default cache lies in the memory of the process.")
def test_default_cache():
    from django.conf import global_settings

    assert global_settings.CACHES["default"]["BACKEND"].endswith(".locmem.LocMemCache")


@pytest.mark.claim(
    "lesson 19",
    "But daphne lets a consumer close with 1000 or 3000 to 4999 only, and raises for all others: "
    "`invalid close code 1013 (must be 1000 or from [3000, 4999])`. The client would read 1011.",
)
@pytest.mark.live
def test_close_codes_that_daphne_lets_through(tmp_path):
    lay_out(tmp_path)
    (tmp_path / "myapp/codes.py").write_text(
        "from channels.generic.websocket import AsyncWebsocketConsumer\n\n\n"
        "class CodeConsumer(AsyncWebsocketConsumer):\n"
        "    async def receive(self, text_data=None, bytes_data=None):\n"
        "        await self.close(int(text_data))\n"
    )
    with (tmp_path / "myapp/routing.py").open("a") as routing:
        routing.write(
            "\nfrom . import codes\n\n"
            'websocket_urlpatterns += [path("ws/codes/", codes.CodeConsumer.as_asgi())]\n'
        )
    with Server(DAPHNE, tmp_path) as server:
        for code in (1000, 3000, 4503, 4999):
            with visit(server, "/ws/codes/") as websocket:
                websocket.send(str(code))
                assert closed_with(websocket) == code
        for code in (1001, 1008, 1013, 2999):
            with visit(server, "/ws/codes/") as websocket:
                websocket.send(str(code))
                assert closed_with(websocket) == 1011
        assert "invalid close code 1013 (must be 1000 or from [3000, 4999])" in server.log()


@pytest.mark.claim(
    "lesson 19",
    "Behind a load balancer all visitors have one address, the balancer's. With "
    "`--proxy-headers`, daphne takes the one that the balancer hands on in `X-Forwarded-For`; but "
    "then nobody may reach daphne past the balancer, for anybody can write such a header.",
)
@pytest.mark.live
def test_address_behind_a_balancer(project, tmp_path):
    folder = lay_out_kinds(project, tmp_path / "kinds")
    for command, expected in (
        ("daphne -p 8000 myproject.asgi:application", "127.0.0.1"),
        ("daphne --proxy-headers -p 8000 myproject.asgi:application", "192.0.2.7"),
    ):
        headers = {"X-Forwarded-For": "192.0.2.7"}
        with (
            Server(command, folder) as server,
            client(server, "/plain-scope/", additional_headers=headers) as websocket,
        ):
            assert json.loads(websocket.recv(timeout=10))["client"][0] == expected


@pytest.mark.claim(
    "lesson 19",
    "Clients without `after` have no such queue: for them there is daphne's ping, and nothing "
    "else.",
    "With 100 of them not acknowledged, it closes, and `StopConsumer` ends it there and then.",
)
@pytest.mark.claim(
    "solutions 19",
    "`close` alone leaves the consumer at work: it goes on, and what it sends then is for nobody. "
    "(Without `Goodbyes` of the lesson it raises under daphne: `Attempt to send on a closed "
    "protocol`.)",
)
@pytest.mark.live
def test_what_comes_after_a_close(tmp_path):
    lay_out(tmp_path, lesson=19)
    rooms = tmp_path / "myapp/rooms.py"
    assert "most_unread = 100" in rooms.read_text()
    rewrite(
        rooms, ("most_unread = 100", "most_unread = 3"), ("rate, period = 20", "rate, period = 99")
    )
    room = "/ws/chat/kitchen/"

    def talk(server):
        with (
            visit(server, f"{room}?after=0") as slow,
            visit(server, room) as plain,
            visit(server, room) as speaker,
        ):
            assert read(slow) == {"reload": True}
            for number in range(6):
                speaker.send(json.dumps({"message": str(number)}))
            heard = [read(slow)["message"] for _ in range(3)]
            assert heard == ["0", "1", "2"]
            assert closed_with(slow) == 4503, "and no fourth"
            assert [read(plain)["message"] for _ in range(6)] == [str(n) for n in range(6)]
        return str(server.timeline(client=1))

    with Server(DAPHNE, tmp_path) as server:
        assert talk(server).count("chat.message event") == 4
        assert "Traceback" not in server.log()
    rewrite(rooms, ("            raise StopConsumer\n", ""))

    def come_back(server):
        with visit(server, f"{room}?after=0") as slow:
            assert [list(read(slow))[-1] for _ in range(4)] == ["reload", *["message"] * 3]
            assert closed_with(slow) == 4503

    with Server(DAPHNE, tmp_path) as server:
        come_back(server)
        server.timeline()  # when all is done
        assert "Traceback" not in server.log()
    rewrite(tmp_path / "myproject/asgi.py", (FORGIVING, ROUTES))
    with Server(DAPHNE, tmp_path) as server:
        come_back(server)
        assert server.wait_for_log(WRONG)


HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"  # a frame with the code 1000
LONG = """
from myapp.models import Message
said = [Message(room="hall", text=200_000 * ".") for _ in range(50)]
Message.objects.bulk_create(said)
"""


def hall_with_a_long_history(folder, lesson=None):
    """Lay out a site with a room whose history is more than all buffers of a connection hold."""
    lay_out(folder, lesson)
    manage(folder, "shell", "--verbosity", "0", "-c", LONG)


def tell_somebody_who_goes(server, then=None):
    """Let somebody who does not read say goodbye, and others talk. Then all go.

    What is not read keeps the connection from its end for as long as we like. then: what to do
    before it ends.
    """
    hall = "/ws/chat/hall/"
    with visit(server, hall) as anna, socket.socket() as wire:
        for _ in range(50):
            read(anna)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        wire.settimeout(PATIENCE)
        wire.connect(("127.0.0.1", server.port))
        wire.sendall(HANDSHAKE.format(path=hall).encode())
        with wire.makefile("rb") as told:
            told.read(2**15)  # a part of the history: the rest is on its way
        wire.sendall(CLOSE)
        for text in ("hello", "again"):
            anna.send(json.dumps({"message": text}))
            assert read(anna)["message"] == text
        if then:
            then()


@pytest.mark.claim(
    "lesson 19",
    "If it sends something in between, daphne raises `Disconnected: Attempt to send on a closed "
    "protocol`: the consumer ends there, and a traceback fills the log.",
    "So we leave it out, and wait for the `disconnect`.",
)
@pytest.mark.live
def test_somebody_goes_while_being_told_something(tmp_path):
    hall_with_a_long_history(tmp_path, lesson=19)
    with Server(DAPHNE, tmp_path) as server:

        def times(what):
            events = [event for event in server.events(0.1) if event.get("conn") == 2]
            return [event.get("type") for event in events if event["kind"] == "call"].count(what)

        told = [lambda: times("chat.message") == 2, lambda: times("websocket.disconnect") == 1]
        tell_somebody_who_goes(server, then=lambda: eventually(told[0]))
        assert all(map(eventually, told))
        assert "Traceback" not in server.log()
    rewrite(tmp_path / "myproject/asgi.py", (FORGIVING, ROUTES))
    with Server(DAPHNE, tmp_path) as server:
        tell_somebody_who_goes(server, then=lambda: server.wait_for_log(WRONG, PATIENCE))
        assert str(server.timeline()).count("disconnect(") == 1  # of who has heard it all


@pytest.mark.claim("lesson 19", "This class does that in one place, for all sockets of the site:")
@pytest.mark.parametrize("command", [DAPHNE, UVICORN])
@pytest.mark.live
def test_somebody_who_goes_is_counted_as_that(command, tmp_path):
    """In the finished site, where lesson 27 counts how sockets end."""
    hall_with_a_long_history(tmp_path)
    everybody = "await inside"  # may read the numbers
    rewrite(
        tmp_path / "myapp/health.py",
        ('await (pages if scope.get("client") else inside)', everybody),
    )
    with Server(command, tmp_path) as server:
        tell_somebody_who_goes(server)

        def ends():
            page = httpx.get(server.url("/inside/metrics/"), trust_env=False).text
            return re.findall(r'^socket_closes_total{code="(\w+)"} (\S+)', page, re.M)

        assert eventually(lambda: sum(float(number) for _, number in ends()) == 2)
        assert "1011" not in dict(ends())
        assert "Traceback" not in server.log()
