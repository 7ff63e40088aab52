"""Lesson 14, Run many servers: what no cell shows."""

import asyncio
import contextlib
import json
import logging
import time
from decimal import Decimal
from importlib.metadata import metadata, requires
from threading import Thread

import psutil
import pytest
from brokers import BROKER, NO_BROKER, PUBSUB, demo
from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from clients import DAPHNE, PATIENCE, eventually, manage
from projects import another_answer
from redis import Redis
from redis.exceptions import ConnectionError as BrokerGone
from redis.exceptions import TimeoutError as TooLate
from rooms import UVICORN, closed_with, lay_out, read, rewrite, visit
from websockets.exceptions import InvalidStatus

from channels_live.progress import RIGHT
from channels_live.server import Server
from channels_live.workspace import SAMPLE

pytestmark = [pytest.mark.live, NO_BROKER]
HALL = "/ws/chat/hall/"


async def all_in(layer, channel, expected=()):
    """Return the numbers of all that is in a channel. As many as are expected are waited for."""
    numbers = []
    with contextlib.suppress(TimeoutError):
        while True:
            wait = PATIENCE if len(numbers) < len(expected) else 0.2
            numbers.append((await asyncio.wait_for(layer.receive(channel), wait))["number"])
    return numbers


# Layers


@pytest.mark.claim(
    "lesson 14",
    "`InMemoryChannelLayer` keeps its groups in a dictionary, in the memory of its process. Two "
    "processes have two.",
)
def test_layer_in_memory():
    one, other = InMemoryChannelLayer(), InMemoryChannelLayer()
    assert type(one.groups) is type(one.channels) is dict
    asyncio.run(one.group_add("all", "a.channel"))
    assert one.groups
    assert not other.groups


@pytest.mark.claim(
    "lesson 14",
    "**Core**, the one that we use, keeps each message at the broker until the receiving process "
    "fetches it. **Pub/sub** "
    "uses the broker as a radio: who is tuned in hears it, now or never.",
    "the default is 100.",
    "| a message before its reader | waits for `expiry` seconds | is lost |",
)
def test_where_messages_wait(broker, redis):
    async def run():
        core = RedisChannelLayer(hosts=[broker.url()])
        assert core.capacity == 100
        await core.send("orders", demo(1))
        assert redis.zcard("asgiorders") == 1
        assert await all_in(RedisChannelLayer(hosts=[broker.url()]), "orders", [1]) == [1]
        assert redis.zcard("asgiorders") == 0
        pubsub = RedisPubSubChannelLayer(hosts=[broker.url()])
        await pubsub.send("orders", demo(1))
        assert await all_in(pubsub, "orders") == []

    asyncio.run(run())


@pytest.mark.claim(
    "lesson 14",
    "A date, a `Decimal` or a model cannot be",
    "(A dictionary with numbers for keys can, and raises where it is received.)",
)
@pytest.mark.claim("solutions 13", "in memory it arrives, but lesson 14 has layers that cannot")
@pytest.mark.parametrize("kind", [RedisChannelLayer, RedisPubSubChannelLayer])
def test_what_no_broker_carries(broker, kind):
    async def run():
        layer = kind(hosts=[broker.url()])
        channel = await layer.new_channel()
        for value in (Decimal(1), object()):
            with pytest.raises(TypeError, match="can not serialize"):
                await layer.send(channel, demo(value))
        await layer.send(channel, demo({7: "B"}))
        with pytest.raises(ValueError, match="int is not allowed for map key"):
            await layer.receive(channel)

    asyncio.run(run())


@pytest.mark.claim(
    "lesson 14",
    "(While nobody there waits, the broker has room for `capacity` messages *a process*, and drops "
    "the newest; then the sender's log says `1 of 1 channels over capacity in group crowd`.)",
    "Pub/sub has no limit: it keeps them all, in the receiving process.",
    "`send` has only one receiver, and tells (not with pub/sub):",
    "| too many messages | dropped beyond `capacity` | pile up in memory |",
)
@pytest.mark.claim(
    "solutions 15",
    "If a client has left, nobody takes what is sent to its channel, and `send` does not mind, as "
    "long as there is room.",
)
def test_room_for_messages(broker, redis, caplog):
    caplog.set_level(logging.INFO)

    async def run():
        core = RedisChannelLayer(hosts=[broker.url()], capacity=5)
        channels = [await core.new_channel() for _ in range(8)]
        full = []
        for number, channel in enumerate(channels, 1):
            try:
                await core.send(channel, demo(number))
            except ChannelFull:
                full.append(number)
        assert full == [6, 7, 8], "one message for each of eight channels"

        core = RedisChannelLayer(hosts=[broker.url()], capacity=5)
        channel = await core.new_channel()
        await core.group_add("crowd", channel)
        for number in range(1, 9):
            await core.group_send("crowd", demo(number))
        assert await all_in(core, channel, range(5)) == [1, 2, 3, 4, 5]
        assert "1 of 1 channels over capacity in group crowd" in caplog.text

        pubsub = RedisPubSubChannelLayer(hosts=[broker.url()], capacity=5)
        channel = await pubsub.new_channel()
        for number in range(300):
            await pubsub.send(channel, demo(number))
        assert await all_in(pubsub, channel, range(300)) == list(range(300))

    asyncio.run(run())


@pytest.mark.claim(
    "lesson 14",
    "At the broker a channel that nobody reads is thrown away `expiry` seconds after the last "
    "message for it, by default 60.",
)
@pytest.mark.claim(
    "lesson 15",
    "There the order waited for its worker, which must come within 60 seconds.",
)
def test_expiry_begins_anew_with_each_message(broker, redis):
    async def run():
        layer = RedisChannelLayer(hosts=[broker.url()])
        await layer.send("slow", demo(1))
        assert 58 < redis.ttl("asgislow") <= 60

        hasty = RedisChannelLayer(hosts=[broker.url()], expiry=2)
        await hasty.send("orders", demo(1))
        first = time.monotonic()
        await all_in_seconds(hasty, 1.2)
        await hasty.send("orders", demo(2))
        await all_in_seconds(hasty, 1.2)
        assert time.monotonic() - first > 2
        assert await hasty.receive("orders") == demo(1), "it is older than two seconds"

    async def all_in_seconds(layer, seconds):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(layer.receive("silence"), seconds)

    asyncio.run(run())


@pytest.mark.claim(
    "lesson 14",
    "a message reaches each member of a group once, or never, and so does a message to a "
    "consumer's own channel.",
)
@pytest.mark.claim("solutions 14", "At most once is what a layer promises to each in a group")
@pytest.mark.parametrize("kind", [RedisChannelLayer, RedisPubSubChannelLayer])
def test_at_most_once_for_each_member(broker, redis, kind):
    async def run():
        layers = [kind(hosts=[broker.url()]) for _ in range(2)]
        members = [(layer, await layer.new_channel()) for layer in layers * 2]
        for layer, channel in members:
            await layer.group_add("all", channel)
        heard = [asyncio.create_task(all_in(*member, [1])) for member in members]
        for number in range(50):
            await layers[number % 2].group_send("all", demo(number))
            for at, (layer, channel) in enumerate(members):
                with contextlib.suppress(ChannelFull):
                    await layer.send(channel, demo([number, at]))
        for numbers in await asyncio.gather(*heard):
            assert len(set(map(str, numbers))) == len(numbers) > 0

    asyncio.run(run())


@pytest.mark.claim(
    "lesson 14",
    "(Her channel stays in the group for a day, `group_expiry`. It counts from joining: whoever is "
    "connected for longer falls out too.)",
)
@pytest.mark.claim("solutions 12", "with the broker of lesson 14 for a day.")
def test_group_expiry_counts_from_joining(broker, redis):
    async def run():
        assert RedisChannelLayer(hosts=[broker.url()]).group_expiry == 24 * 60 * 60
        layer = RedisChannelLayer(hosts=[broker.url()], group_expiry=2)
        channel = await layer.new_channel()
        await layer.group_add("all", channel)
        last, heard = time.monotonic() + 5, 0
        while time.monotonic() < last:
            await layer.group_send("all", demo(heard))
            try:
                await asyncio.wait_for(layer.receive(channel), 0.3)
            except TimeoutError:
                break
            heard += 1
        assert time.monotonic() < last, "it is out"
        assert heard > 1, "it was in, and read"

    asyncio.run(run())


@pytest.mark.claim(
    "lesson 14",
    "With core, one consumer of each process waits at the broker, for all. The wait ends in an "
    "exception, which ends the consumer; the next takes its place, and so on.",
    "The layer asks the broker for the next message, waits for 5 seconds, and asks again.",
    "With `RedisChannelLayer`, the one in our settings, a quiet server then closes one socket "
    "after another",
)
def test_one_waits_for_all(broker, redis):
    async def wait(layer, channel):
        try:
            await layer.receive(channel)
        except TooLate:
            return time.monotonic()

    async def core():
        layer = RedisChannelLayer(hosts=[broker.url()])
        assert layer.brpop_timeout == 5
        waiting = [asyncio.create_task(layer.receive(await layer.new_channel())) for _ in range(20)]
        while not redis.info("clients")["blocked_clients"]:
            await asyncio.sleep(0)
        assert redis.info("clients")["blocked_clients"] == 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

        hasty = RedisChannelLayer(hosts=[{"address": broker.url(), "socket_timeout": 0.5}])
        channels = [await hasty.new_channel() for _ in range(3)]
        first, second, third = await asyncio.gather(*(wait(hasty, name) for name in channels))
        assert second - first >= 0.4
        assert third - second >= 0.4

    async def pubsub():
        layer = RedisPubSubChannelLayer(hosts=[{"address": broker.url(), "socket_timeout": 0.5}])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait(layer, await layer.new_channel()), 1.2)

    asyncio.run(core())
    asyncio.run(pubsub())


@pytest.mark.claim(
    "lesson 14",
    "`channels_redis` 4.3 does not expect that, and today `pip install channels_redis` brings "
    "both.",
    "(In the address it wins over the settings.)",
    "This course has both, `redis<8` in its dependencies, and the line in the settings, which "
    "lifts the limit:",
)
def test_version_8_of_redis_is_not_excluded(broker):
    """What that version does was tried by hand: it cannot be installed beside ours."""
    assert "redis>=4.6" in requires("channels_redis")
    assert "redis<8" in requires("channels-live")

    async def run():
        for address, limit in ((broker.url("/?socket_timeout=3"), 3), (broker.url(), None)):
            hosts = [{"address": address, "socket_timeout": None}]  # as in the settings
            pool = RedisChannelLayer(hosts=hosts).create_pool(0)
            assert pool.connection_kwargs["socket_timeout"] == limit

    asyncio.run(run())


@pytest.mark.claim("lesson 14", "the makers of `channels_redis` call pub/sub beta.")
def test_pubsub_is_called_beta():
    _, _, of_pubsub = str(metadata("channels_redis").get_payload()).partition("RedisPubSub")
    assert "*Beta* status" in of_pubsub


@pytest.mark.claim(
    "solutions 14",
    "`prefix` stands at the beginning of all keys of a layer, and is `asgi` if nobody says "
    "anything else.",
    "`redis://…/1` instead of `redis://…/0`, another of the broker's numbered databases, will do "
    "with core; but pub/sub knows no such numbers, and there the sites would hear each other "
    "again.",
)
@pytest.mark.parametrize("kind", [RedisChannelLayer, RedisPubSubChannelLayer])
def test_what_keeps_two_sites_apart(broker, redis, kind):
    async def heard(sender, receiver, expected=()):
        channel = await receiver.new_channel()
        await receiver.group_add("all", channel)
        await sender.group_send("all", demo(1))
        return await all_in(receiver, channel, expected) == [1]

    async def run():
        site = kind(hosts=[broker.url("/0")])
        assert site.prefix == "asgi"
        assert await heard(site, kind(hosts=[broker.url("/0")]), [1])
        assert not await heard(site, kind(hosts=[broker.url("/0")], prefix="staging"))
        numbered = kind(hosts=[broker.url("/1")])
        anyway = [1] if kind is RedisPubSubChannelLayer else []
        assert await heard(site, numbered, anyway) == bool(anyway)

    asyncio.run(run())


# Servers


@pytest.mark.claim(
    "lesson 14",
    "One daphne is one process with one event loop, and keeps at most about one core of your "
    "computer busy.",
)
def test_daphne_keeps_one_core_busy(run):
    server = run()
    process = psutil.Process(server.pid)
    assert not process.children()

    def talk():
        with visit(server, "/ws/chat/") as websocket:
            for _ in range(400):
                websocket.send('{"message": "hello"}')
                websocket.recv(timeout=10)

    talking = [Thread(target=talk) for _ in range(3)]
    wall, before = time.monotonic(), process.cpu_times()
    for thread in talking:
        thread.start()
    for thread in talking:
        thread.join()
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    assert used < 1.3 * (time.monotonic() - wall)


@pytest.mark.claim(
    "lesson 14",
    "| a server is killed | its clients: 1006; all others: nothing | the same |",
    "| the broker stops | every socket: 1011 (uvicorn: 1006) | who sends: the same; who listens "
    "stays |",
    "| a new client meanwhile | 500 | 500 |",
    "The broker comes back, and it takes up to a second until Ben's server is tuned in again.",
    "Only Anna: for what she said, her consumer needed the broker, and that raised an exception. "
    "Nobody asks the broker for Ben and Cara. The layer listens for them, and tries again and "
    "again.",
)
def test_plugs_with_pubsub(run, finished, tmp_path):
    with Server(BROKER, tmp_path) as own:
        address = {"REDIS_URL": own.url()}
        environment = address | {"CHANNEL_LAYER": PUBSUB}
        server, doomed = run(**environment), run(**environment)
        uvicorn = run(UVICORN, ready="Uvicorn running", **address)
        with (
            visit(server, HALL) as anna,
            visit(server, HALL) as ben,
            visit(doomed, HALL) as cleo,
            visit(uvicorn, HALL) as dora,
        ):
            psutil.Process(doomed.pid).kill()
            assert closed_with(cleo) == 1006
            own.stop()
            assert closed_with(dora) == 1006
            anna.send('{"message": "hello"}')
            assert closed_with(anna) == 1011
            assert "ConnectionError" in server.log()
            with pytest.raises(InvalidStatus, match="500"):
                visit(server, "/ws/chat/empty/")  # where somebody is, their hub is there already
            own.restart()
            back = time.monotonic()
            with Redis.from_url(own.url()) as redis:
                assert eventually(lambda: redis.pubsub_channels())
            assert time.monotonic() - back < 4, "a second, on an idle machine"
            ben.ping().wait(5)
            assert ben.close_code is None


# Tests


@pytest.mark.claim(
    "lesson 14",
    "With it, they would need one that runs, and would talk into other people's rooms.",
)
def test_site_is_tested_without_a_broker(run, finished, broker):
    test = "myapp.test_rooms.RoomTests.test_only_this_room_hears"
    server = run()
    with visit(server, "/ws/chat/kitchen/") as other:
        manage(finished, "test", test, "--noinput", REDIS_URL=broker.url())
        assert json.loads(other.recv(timeout=10)) == {"message": "hello"}
    test = "myapp.test_chat.EchoTests.test_message_comes_back"
    nowhere = "redis://127.0.0.1:1"
    alone = manage(finished, "test", test, "--noinput", check=False, REDIS_URL=nowhere)
    assert "FAILED (errors=1)" in alone
    assert BrokerGone.__name__ in alone


@pytest.mark.claim("lesson 14", '(`--save ""`: keep nothing on disk.')
def test_broker_keeps_nothing_on_disk(tmp_path):
    with Server(BROKER, tmp_path) as own, Redis.from_url(own.url()) as redis:
        redis.set("kept", "no")
        own.restart()
        assert redis.get("kept") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.claim("solutions 14", "so the number is there already, and it goes up.")
def test_numbers_of_messages_go_up(finished):
    code = (
        "from myapp.models import Message\n"
        "for _ in range(3):\n"
        "    message = Message.objects.create(room='x', text='x')\n"
        "    print(message.pk)\n"
        "    message.delete()\n"
    )
    output = manage(finished, "shell", "--verbosity", "0", "-c", code)
    first, second, third = map(int, output.split())
    assert first < second < third, "though the table was empty again"


# Now you


@pytest.mark.claim("lesson 14", "of two people who are both called Anna you see one.")
def test_now_you_shows_each_name_once(tmp_path):
    lay_out(tmp_path, lesson=14)
    visitors = "self.visitors.values()"
    rewrite(tmp_path / "myapp/visitors.py", (visitors, f"set({visitors})"))
    with Server(DAPHNE, tmp_path) as server:
        room = f"{HALL}?name=Anna"
        with visit(server, room) as one, visit(server, room) as two:
            assert read(one) == read(two) == {"here": ["Anna"]}
            assert read(one) == read(two) == {"here": ["Anna"]}


SLOW_HISTORY = """

async def late(self, send_history=RoomConsumer.send_history):
    await asyncio.sleep(0.3)
    await send_history(self)


RoomConsumer.send_history = late
"""


@pytest.mark.claim("solutions 14", "Servers with one name share their rooms, as before.")
def test_check_of_14_3_waits_until_all_have_the_history(tmp_path):
    """What is said before that comes with it, for all sites have one database there."""
    rooms = (SAMPLE / "steps/12/myapp/rooms.py").read_text()
    changes = {"myapp/rooms.py": f"import asyncio\n{rooms}{SLOW_HISTORY}"}
    outcome = another_answer("14.3", tmp_path, changes)
    assert outcome.state == RIGHT, outcome
