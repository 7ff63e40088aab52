"""What lesson 21 and its solutions state about hubs, servers and limits."""

import asyncio
import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from brokers import NO_BROKER, PUBSUB
from channels_redis.pubsub import RedisPubSubChannelLayer
from clients import DAPHNE, client, manage
from rooms import lay_out, read, rewrite, visit

from channels_live.server import Server
from channels_live.workspace import SAMPLE

ROOM = "/ws/chat/kitchen/"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def folder(laid_out, tmp_path):
    """Return the folder of a site, to be changed."""
    return shutil.copytree(laid_out, tmp_path / "site")


def before_hubs():
    """Return the number of the lesson before the one that writes hubs.py."""
    (hubs,) = SAMPLE.glob("steps/*/myapp/hubs.py")
    return int(hubs.parents[1].name) - 1


# One subscription a room and process


@pytest.mark.claim(
    "lesson 21", "The group, and the channel of the hub. Before, there were 21: the group, and a"
)
@pytest.mark.live
@NO_BROKER
def test_channels_at_the_broker(tmp_path, laid_out, broker, redis):
    for folder, expected in ((lay_out(tmp_path, before_hubs()), 21), (laid_out, 2)):
        variables = {"REDIS_URL": broker.url(), "CHANNEL_LAYER": PUBSUB}
        with Server(DAPHNE, folder, environment=variables) as server, ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(visit(server, ROOM))
            server.timeline()
            assert len(redis.pubsub_channels()) == expected


@pytest.mark.claim(
    "lesson 21",
    "A server that is killed cannot say goodbye. So names hold for a minute only, and are told "
    "again every 20 seconds.",
    "So each hub tells all hubs the names of *its own* visitors, at most ten times a second, in "
    "one event.",
)
@pytest.mark.live
@NO_BROKER
def test_names_of_a_server_that_was_killed(folder, broker, redis):
    visitors = folder / "myapp/visitors.py"
    assert "PAUSE = 0.1 " in visitors.read_text()
    assert "now + 3 * RENEW" in visitors.read_text()
    rewrite(visitors, ("RENEW = 20.0 ", "RENEW = 0.2 "))
    with contextlib.ExitStack() as stack:
        variables = {"REDIS_URL": broker.url(), "CHANNEL_LAYER": PUBSUB}
        servers = [
            stack.enter_context(Server(DAPHNE, folder, environment=variables)) for _ in range(2)
        ]
        anna = stack.enter_context(visit(servers[0], f"{ROOM}?name=Anna"))
        ben = stack.enter_context(visit(servers[1], f"{ROOM}?name=Ben"))
        for websocket in (anna, ben):
            while read(websocket) != {"here": ["Anna", "Ben"]}:
                pass
        psutil.Process(servers[1].pid).kill()
        assert read(anna) == {"here": ["Anna"]}


@pytest.mark.claim(
    "lesson 21",
    "One task receives, and one writes for each member: the order is the same for everybody.",
    "So nothing is missed, and nothing comes twice.",
)
@pytest.mark.live
@NO_BROKER
@pytest.mark.parametrize("program", ["daphne", "uvicorn"])
def test_order_and_history_over_two_servers(folder, broker, redis, program):
    rewrite(folder / "myapp/rooms.py", ("rate, period = 20", "rate, period = 99"))
    command = DAPHNE if program == "daphne" else "uvicorn --port 8000 myproject.asgi:application"
    variables = {"REDIS_URL": broker.url(), "CHANNEL_LAYER": PUBSUB}
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(Server(command, folder, environment=variables)) for _ in range(2)
        ]
        speakers = [stack.enter_context(visit(server, ROOM)) for server in servers]
        readers = []
        for number in range(40):
            speakers[number % 2].send(json.dumps({"message": str(number)}))
            if number % 8 == 0:  # while others talk
                server = servers[number // 8 % 2]
                readers.append(stack.enter_context(visit(server, f"{ROOM}?after=0")))
        heard = []
        for reader in readers:
            assert read(reader) == {"reload": True}
            heard.append([read(reader) for _ in range(40)])
        for speaker in speakers:  # who has not read all takes long to close
            for _ in range(40):
                read(speaker)
    assert all(frames == heard[0] for frames in heard)
    ids = [frame["id"] for frame in heard[0]]
    assert ids == sorted(set(ids))
    texts = [frame["message"] for frame in heard[0]]
    assert sorted(map(int, texts)) == list(range(40))
    for parity in range(2):  # what one client sends on one connection keeps its order
        assert [text for text in texts if int(text) % 2 == parity] == [
            str(number) for number in range(parity, 40, 2)
        ]


@pytest.mark.claim(
    "lesson 21",
    "Who has not acknowledged 100 messages is hung up on as before, and so is who has 200 frames "
    "in the outbox.",
)
@pytest.mark.live
def test_who_does_not_read_stops_nobody(folder):
    """On uvicorn, where `send` waits."""
    assert "most_waiting = 200" in (folder / "myapp/hubs.py").read_text()
    rewrite(folder / "myapp/hubs.py", ("most_waiting = 200", "most_waiting = 3"))
    rewrite(
        folder / "myapp/rooms.py",
        ("rate, period = 20", "rate, period = 999"),
        ('{"message": text}), ', '{"message": text * 1000}), '),
        ("LONGEST_MESSAGE, LONGEST_KEY = 50, 500,", "LONGEST_MESSAGE, LONGEST_KEY = 50, 9999,"),
    )
    options = {"origin": "http://localhost", "max_size": None, "compression": None}
    with (
        Server("uvicorn --port 8000 myproject.asgi:application", folder) as server,
        client(server, ROOM, max_queue=1, close_timeout=0.1, **options),
        client(server, ROOM, **options) as anna,
    ):
        for _ in range(40):
            anna.send(json.dumps({"message": "x" * 500}))
            assert len(anna.recv(timeout=10)) > 500_000
        assert "Traceback" not in server.log()


# Saved together


@pytest.mark.claim(
    "lesson 21",
    "And `dispatch` leaves out the trip before `receive`, which acknowledgements do not need.",
)
@pytest.mark.live
def test_acknowledgements_go_to_no_thread(folder):
    def trips():
        with Server(DAPHNE, folder) as server, visit(server, f"{ROOM}?after=0") as anna:
            assert read(anna) == {"reload": True}
            with visit(server, "/ws/profile/") as profiler:
                for _ in range(5):
                    anna.send(json.dumps({"read": 0}))
                server.timeline()  # waits until all are read
                profiler.send('["submit"]')
                return read(profiler)["submit"]

    assert trips() == 1, "the profiler's own"
    rewrite(folder / "myapp/rooms.py", ('if message["type"] == "websocket.receive"', "if False"))
    assert trips() == 6


@pytest.mark.claim("lesson 21", "As before, a message is told only when it is saved.")
@pytest.mark.live
def test_told_when_it_is_saved(folder):
    with (
        Server(DAPHNE, folder) as server,
        visit(server, ROOM) as anna,
        contextlib.closing(sqlite3.connect(folder / "db.sqlite3")) as database,
    ):
        database.execute("BEGIN IMMEDIATE")  # nobody else may write
        anna.send(json.dumps({"message": "hello"}))
        assert anna.ping().wait(10)  # the server has read it
        with pytest.raises(TimeoutError):
            anna.recv(timeout=0.5)
        database.rollback()
        assert read(anna) == {"message": "hello"}
        assert database.execute("SELECT text FROM myapp_message").fetchall() == [("hello",)]


LOOK_UP = """
from types import SimpleNamespace
from django.db import connection
from django.test.utils import CaptureQueriesContext
from myapp.models import Message
from myapp.rooms import save_together

with CaptureQueriesContext(connection) as queries:
    anna = SimpleNamespace(room="kitchen", take=lambda message: message)
    save_together([(anna, Message(room="kitchen", text="hello", key="anna-1"))])
(looked_up,) = [
    query["sql"] for query in queries
    if query["sql"].startswith("SELECT") and "anna-1" in query["sql"]
]
with connection.cursor() as cursor:
    cursor.execute(f"EXPLAIN QUERY PLAN {looked_up}")
    print(*cursor.fetchall())
"""


@pytest.mark.claim(
    "lesson 21",
    '`exclude(key="")` lets SQLite find a key in the index of keys, in which there are no empty '
    "ones. Without it, SQLite reads the whole room.",
)
def test_key_is_looked_up_in_its_index(folder):
    assert "USING INDEX message_key (room=? AND key=?)" in manage(folder, "shell", "-c", LOOK_UP)
    rewrite(folder / "myapp/rooms.py", ('.exclude(key="")', ".all()"))
    plan = manage(folder, "shell", "-c", LOOK_UP)
    assert "(room=?)" in plan
    assert "message_key" not in plan


# Limits


@pytest.mark.claim("lesson 21", "On Linux that is 28,232, unless you say otherwise.")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about Linux")
def test_ports_of_a_client():
    text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    first, last = map(int, text.split())
    if (first, last) != (32768, 60999):
        pytest.skip(f"here it was said otherwise: {text}")
    assert last - first + 1 == 28_232


@pytest.mark.claim("lesson 21", "SQLite lets one write at a time.")
@pytest.mark.claim("solutions 21", "or fail with `database is locked`.")
def test_one_writes_at_a_time(tmp_path):
    first, second = (sqlite3.connect(tmp_path / "db", timeout=0) for _ in range(2))
    with contextlib.closing(first), contextlib.closing(second):
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            second.execute("BEGIN IMMEDIATE")


@pytest.mark.claim("lesson 21", "(`daphne` four times, or `uvicorn --workers 4`)")
def test_uvicorn_has_workers():
    command = [sys.executable, "-m", "uvicorn", "--help"]
    assert "--workers" in subprocess.run(command, capture_output=True, text=True).stdout


@pytest.mark.claim(
    "lesson 21",
    "several brokers, of which each carries a part of the groups (`hosts` of the pub/sub layer is "
    "a list)",
)
def test_each_broker_has_a_part_of_the_groups():
    async def shards():
        layer = RedisPubSubChannelLayer(hosts=["redis://127.0.0.1:1", "redis://127.0.0.1:2"])
        return {id(layer._get_layer()._get_shard(f"group-{number}")) for number in range(50)}

    assert len(asyncio.run(shards())) == 2


@pytest.mark.claim("lesson 21", "1,000 people in rooms of 50, each of whom says something every")
def test_arithmetic():
    def deliveries(people, room, seconds):
        return people * room / seconds

    assert round(deliveries(1_000, 50, 120)) == 417
    assert 10 * 1_000 == 10_000
    assert round(deliveries(1_000_000, 50, 120) / 1000) == 417
    assert round(1 / 70e-6, -3) == 14_000
    assert 29 <= deliveries(1_000_000, 50, 120) * 70e-6 <= 30
    assert round(1_000_000 / 120, -2) == 8_300
