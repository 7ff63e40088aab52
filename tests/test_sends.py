"""The kernel knows in which order its own clients sent, and which did not wait for each other."""

import asyncio
import logging
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.sync.client import connect as connect_sync

from channels_live import sends


@pytest.fixture
def told(monkeypatch):
    """Return a function that says what the events of its clients got, in the order of arrival."""
    logger = logging.getLogger("websockets.client")
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "level", logger.level)
    ours = sends.Sends()
    ours.listen()
    events = []

    async def echo(websocket):
        conn = websocket.remote_address[1]
        events.append({"kind": "open", "conn": conn, "process": 1, "peer": conn})
        async for text in websocket:
            events.append({"kind": "in", "conn": conn, "process": 1, "text": text})
            await websocket.send(text)
        code = websocket.close_code
        if text != "close me":
            events.append(
                {"kind": "close", "conn": conn, "process": 1, "by": "client", "code": code}
            )

    def run(talk):
        async def main():
            async with serve(echo, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                await talk(f"ws://127.0.0.1:{port}/")

        asyncio.run(main())
        return list(ours.annotated(events))

    run.ours = ours
    return run


async def say(websocket, *texts):
    for text in texts:
        await websocket.send(text)
        assert await websocket.recv() == text


def test_one_after_the_other(told):
    async def talk(url):
        async with connect(url, proxy=None) as anna, connect(url, proxy=None) as ben:
            await say(anna, "a")
            await say(ben, "b", "c")

    events = told(talk)
    assert [event["order"][2] for event in events] == list(range(len(events)))
    assert not any("burst" in event for event in events)


def test_what_one_task_sends_without_waiting_has_its_order(told):
    async def talk(url):
        async with connect(url, proxy=None) as anna, connect(url, proxy=None) as ben:
            await ben.send("first")
            await anna.send("second")

    events = told(talk)
    order = {event["text"]: event["order"] for event in events if event["kind"] == "in"}
    assert order["first"] < order["second"]
    assert not any("burst" in event for event in events)


def test_tasks_at_once_are_a_burst_and_each_has_its_branch(told):
    async def visit(url, name):
        async with connect(url, proxy=None) as websocket:
            await say(websocket, f"{name} 1", f"{name} 2")

    async def talk(url):
        await visit(url, "before")
        await asyncio.gather(*(visit(url, name) for name in ("anna", "ben", "cleo")))
        await visit(url, "after")

    events = {event["text"]: event for event in told(talk) if event["kind"] == "in"}
    in_order = sorted(events, key=lambda text: events[text]["order"])
    assert in_order == [
        f"{name} {number}"
        for name in ("before", "anna", "ben", "cleo", "after")
        for number in (1, 2)
    ]
    bursts = {text: event.get("burst") for text, event in events.items()}
    assert bursts["before 2"] is None is bursts["after 1"]
    assert len({bursts[f"{name} 1"] for name in ("anna", "ben", "cleo")}) == 1
    branches = {
        events[f"{name} {number}"]["branch"] for name in ("anna", "ben") for number in (1, 2)
    }
    assert len(branches) == 2


@pytest.mark.parametrize("seed", range(20))
def test_burst_is_the_same_whoever_is_faster(told, seed):
    rng = random.Random(seed)

    async def visit(url, name):
        async with connect(url, proxy=None) as websocket:
            for number in range(3):
                await asyncio.sleep(rng.random() / 100)
                await say(websocket, f"{name} {number}")
            await asyncio.sleep(rng.random() / 100)

    async def talk(url):
        await visit(url, "before")
        await asyncio.gather(visit(url, "anna"), visit(url, "ben"))
        await visit(url, "after")

    events = sorted(told(talk), key=lambda event: event["order"])
    kinds = [event["kind"] for event in events]
    assert kinds == ["open", "in", "in", "in", "close"] * 4
    assert ["burst" in event for event in events] == [False] * 5 + [True] * 10 + [False] * 5


def test_threads_at_once_are_a_burst(told):
    both = threading.Barrier(2)

    def visit(url, name):
        with connect_sync(url, proxy=None) as websocket:
            both.wait()
            websocket.send(name)
            assert websocket.recv() == name

    async def talk(url):
        def at_once():
            with ThreadPoolExecutor() as pool:
                list(pool.map(visit, [url] * 2, ["anna", "ben"]))

        await asyncio.to_thread(at_once)
        async with connect(url, proxy=None) as websocket:
            await say(websocket, "after")

    events = {event["text"]: event for event in told(talk) if event["kind"] == "in"}
    assert events["anna"]["burst"] == events["ben"]["burst"]
    assert events["anna"]["branch"] != events["ben"]["branch"]
    assert "burst" not in events["after"]


def test_client_has_the_name_of_its_variable(told):
    async def talk(url):
        async with connect(url, proxy=None) as anna, connect(url, proxy=None) as websocket:
            told.ours.variables = {"_": anna, "anna": anna, "websocket": websocket, "x": 5}
            await say(anna, "a")
            await say(websocket, "b")

    events = told(talk)
    assert [event["name"] for event in events if event["kind"] == "open"] == ["anna", None]
    told.ours.variables = {}
    assert events[0]["name"] == "anna", "it keeps its name"


def test_what_others_log_stays_as_it_was(told, caplog):
    logging.getLogger("websockets.client").addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):

            async def talk(url):
                async with connect(url, proxy=None) as websocket:
                    await say(websocket, "a")

            assert told(talk)
            assert not [record for record in caplog.records if record.name == "websockets.client"]
        with caplog.at_level(logging.DEBUG):
            told(talk)
            assert [record for record in caplog.records if record.name == "websockets.client"]
    finally:
        logging.getLogger("websockets.client").removeHandler(caplog.handler)


def test_log_of_another_version_is_no_error(told):
    logger = logging.getLogger("websockets.client")
    logger.debug("> %s", object())
    logger.debug("> GET %s HTTP/1.1", "/")
    logger.debug("something else")
    assert list(told.ours.annotated([])) == []
