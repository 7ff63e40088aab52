"""What lesson 19 and its solutions state about daphne, Django's cache and close codes."""

import asyncio
import inspect
import json

import pytest
from clients import DAPHNE, client
from django.conf import settings
from django.core.cache.backends import base, db, dummy, filebased, locmem, memcached, redis
from kinds import lay_out as lay_out_kinds
from rooms import closed_with, lay_out, read, rewrite, visit

from channels_live.server import Server

if not settings.configured:
    settings.configure()


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
    "`close` alone would not do: the consumer goes on, and what it sends then goes nowhere, or "
    "raises under daphne: `Attempt to send on a closed protocol`.",
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
    with Server(DAPHNE, tmp_path) as server, visit(server, f"{room}?after=0") as slow:
        assert [list(read(slow))[-1] for _ in range(4)] == ["reload", *["message"] * 3]
        assert closed_with(slow) == 4503
        assert server.wait_for_log("Attempt to send on a closed protocol")
