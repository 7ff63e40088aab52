"""A network that a lesson breaks: what passes, what is lost, who is told, and that it ends."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time

import pytest
from clients import HELLO, client, eventually
from websockets import ConnectionClosedError, WebSocketException
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect

from channels_live.kernel import WorkingCopy
from channels_live.sends import SENDS
from channels_live.server import ServerError
from channels_live.server.network import Network, _Pipe

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("forked_servers")]
ECHO = "/ws/echo/"


@pytest.fixture
def network(daphne):
    network = Network(daphne)
    yield network
    network.end()


@pytest.fixture
def visit(network):
    """Return a function that connects through the network, and close all after the test."""
    options = {"proxy": None, "close_timeout": 0.1, "ping_interval": None}
    with contextlib.ExitStack() as stack:
        stack.callback(network.end)
        yield lambda path=ECHO: stack.enter_context(connect(network.ws(path), **options))
        network.end()  # or each would wait for an answer to its close


def nothing_comes(websocket, within=0.2):
    try:
        websocket.recv(timeout=within)
    except TimeoutError:
        return True
    return False


def test_everything_passes_and_keeps_its_order(visit):
    anna, ben = visit(), visit()
    texts = [str(number) * (number + 1) for number in range(300)]
    for text in texts:
        anna.send(text)
    ben.send(b"\0\1")
    assert [anna.recv(timeout=30) for _ in texts] == texts
    assert ben.recv(timeout=30) == b"\0\1"
    anna.send("x" * 900_000)
    assert len(anna.recv(timeout=30)) == 900_000


def test_a_close_passes(daphne, visit):
    visit().close(4321)
    closing = visit("/ws/closing/")
    closing.send("x")
    with pytest.raises(ConnectionClosedError, match="4000"):
        closing.recv(timeout=30)
    assert "close 4321" in str(daphne.timeline())


def test_cut_ends_both_ends_without_a_close_frame(daphne, network, visit, capsys):
    anna, ben = visit(), visit()
    network.cut(anna)
    assert "gone without a close frame (1006)" in str(daphne.timeline(client=-2)), "at once"
    with pytest.raises(ConnectionClosedError, match="no close frame"):
        anna.recv(timeout=30)
    ben.send("still there")
    assert ben.recv(timeout=30) == "still there"
    network.cut()
    with pytest.raises(ConnectionClosedError):
        ben.recv(timeout=30)
    assert visit().ping().wait(5), "who comes back is let in"
    network.cut()
    network.cut()
    assert capsys.readouterr().out.splitlines() == ["Cut: 1 connection"] * 3 + [
        "Cut: 0 connections"
    ]


def test_held_is_what_neither_end_is_told(daphne, network, visit, capsys):
    anna, ben = visit(), visit()
    network.hold(anna)
    anna.send("lost?")
    assert nothing_comes(anna)
    ben.send("not held")
    assert ben.recv(timeout=30) == "not held"
    assert "lost?" not in str(daphne.timeline())
    network.mend()
    assert anna.recv(timeout=30) == "lost?", "held, and not thrown away"
    assert capsys.readouterr().out.splitlines() == [
        "Held: everything, both ways",
        "Mended: everything passes",
    ]


def test_held_is_also_the_end_of_a_connection(daphne, network, visit):
    anna = visit("/ws/room/")
    network.hold()
    anna.socket.shutdown(2)
    assert "gone" not in str(daphne.timeline(client=-1))
    network.cut()
    assert "gone without a close frame" in str(daphne.timeline(client=-1))


def test_answers_alone_can_be_held(network, visit, daphne):
    anna = visit("/ws/room/")
    with client(daphne, "/ws/room/") as ben:
        network.hold(answers=True)
        anna.send("said")
        assert ben.recv(timeout=30) == "said"
        assert nothing_comes(anna)
        network.mend()
        assert anna.recv(timeout=30) == "said"


def test_who_comes_to_a_held_network_waits(network):
    network.hold()
    with pytest.raises(TimeoutError), connect(network.ws(ECHO), proxy=None, open_timeout=0.2):
        pass


def test_cut_counts_only_those_who_still_have_a_server(start, capsys):
    server = start()
    network = Network(server)
    with connect(network.ws(ECHO), proxy=None, close_timeout=0.1):
        network.hold()  # so that this client does not hear of the end
        (way,) = network._ways
        server.restart()
        assert eventually(lambda: way.server_has_ended)
        capsys.readouterr()
        network.cut()
        assert capsys.readouterr().out == "Cut: 0 connections\n"
    network.end()


def test_who_asks_a_held_network_for_its_address_is_told(network, capsys):
    for hold in (network.hold, lambda: network.hold(answers=True)):
        hold()
        capsys.readouterr()
        network.ws()
        assert capsys.readouterr().out == "Still held: nobody gets through before network.mend()\n"
        network.mend()
    capsys.readouterr()
    network.ws()
    assert capsys.readouterr().out == ""


def test_delay_is_for_each_way_and_keeps_the_order(network, visit, capsys):
    anna = visit()
    network.delay(0.2)
    begun = time.monotonic()
    for text in "abc":
        anna.send(text)
    assert anna.recv(timeout=30) == "a"
    assert 0.4 <= time.monotonic() - begun < 1
    network.mend()
    anna.send("d")
    assert [anna.recv(timeout=30) for _ in range(3)] == ["b", "c", "d"]
    assert "Delayed: everything, by 0.2 seconds each way" in capsys.readouterr().out


def test_who_does_not_read_holds_up_the_server_and_not_the_network(network, visit):
    """What a slow client is not given lies at the server, as without a network."""
    anna = visit()
    network.hold(answers=True)
    for _ in range(40):
        anna.send("x" * 1_000_000)
    (way,) = network._ways
    assert way._pipes[1]._under_way.full() or eventually(way._pipes[1]._under_way.full)


def test_client_of_another_way_is_refused(daphne, network):
    with client(daphne, ECHO) as direct, pytest.raises(ServerError, match="does not go through"):
        network.cut(direct)


def test_timeline_knows_clients_behind_a_network(daphne, network, monkeypatch):
    SENDS.listen()

    async def talk():
        anna = await connect_async(network.ws("/ws/chat/"), proxy=None)
        ben = await connect_async(daphne.ws("/ws/chat/"), proxy=None)
        monkeypatch.setattr(SENDS, "variables", {"anna": anna, "ben": ben})
        SENDS.give_names()
        for websocket in (anna, ben, anna):
            await websocket.send(HELLO)
            assert json.loads(await websocket.recv()) == {"message": "hello"}
        await anna.close()
        await ben.close()

    asyncio.run(talk())
    story = str(daphne.timeline(client=["anna", "ben"]))
    said = [line.split()[0] for line in story.splitlines() if f"──▶  {HELLO}" in line]
    assert said == ["anna", "ben", "anna"]


def test_it_outlives_a_server_that_starts_again(start):
    server = start()
    network = Network(server)
    server.restart()
    with connect(network.ws(ECHO), proxy=None) as anna:
        anna.send("back")
        assert anna.recv(timeout=30) == "back"
    server.stop()
    with pytest.raises((OSError, WebSocketException)), connect(network.ws(ECHO), proxy=None):
        pass
    network.end()


def test_working_copy_makes_and_ends_it(site, capsys):
    copy = WorkingCopy(site)
    server = copy.start("daphne -p 8000 myproject.asgi:application")
    network = copy.network(server)
    again = copy.network(server)
    with pytest.raises(ServerError, match="has been stopped"):
        network.ws("/")
    with connect(again.ws(ECHO), proxy=None) as anna:
        copy.stop()
        with pytest.raises(ConnectionClosedError):
            anna.recv(timeout=30)
    assert not again.running
    assert "A network leads to: daphne -p 8000" in capsys.readouterr().out


def test_nothing_is_pending_once_it_has_ended(network, visit, monkeypatch):
    """Python said so in the next cell, now and then: "Task was destroyed but it is pending!"."""
    carry = _Pipe.carry

    async def carry_and_linger(pipe):
        try:
            await carry(pipe)
        finally:
            await asyncio.sleep(0.2)  # as on a busy machine

    monkeypatch.setattr(_Pipe, "carry", carry_and_linger)
    visit().send("hello")
    visit()
    network.hold()
    network.end()
    assert not asyncio.all_tasks(network._loop)


def test_it_ends_with_its_process_and_leaves_no_thread(daphne):
    before = set(threading.enumerate())
    network = Network(daphne)
    (new,) = {thread for thread in threading.enumerate() if thread.name == "network"} - before
    network.end()
    assert eventually(lambda: not new.is_alive())
    code = (
        "from pathlib import Path; from channels_live.kernel import WorkingCopy\n"
        f"copy = WorkingCopy(Path({str(daphne.folder)!r}))\n"
        "network = copy.network(copy.start('daphne -p 0 myproject.asgi:application'))\n"
        "from websockets.sync.client import connect\n"
        f"with connect(network.ws('{ECHO}'), proxy=None, close_timeout=0): network.hold()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
