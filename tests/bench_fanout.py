"""Measures how fast one message reaches everybody in a room, and prints a table: `make bench`.

The next message is sent when the last client has the one before. p95 is of deliveries, the way of
a message to one client. Beside the room of the finished site stand

- a server of `websockets` alone,
- the consumer of a textbook's chat: no history, no checks, no presence,
- the same without the thread. Before each event, and so for each delivery, Channels closes old
  database connections, and goes to a thread for that. This consumer leaves it out.
"""

import contextlib
import multiprocessing
import os
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from bench import ANSWER, FRAME, bare, connect

from channels_live.server import Server
from channels_live.server.ports import free_port
from channels_live.workspace import SAMPLE, copy_project

CLIENTS = (100, 500)
SECONDS, QUICK = 2.5, 1.0
CONSUMERS = """
import json

from channels.generic.websocket import AsyncWebsocketConsumer

from .visitors import VisitorConsumer


class Textbook(AsyncWebsocketConsumer):
    async def connect(self):
        self.room_group_name = f"chat_{self.scope['url_route']['kwargs']['room_name']}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data):
        message = json.loads(text_data)["message"]
        event = {"type": "chat.message", "message": message}
        await self.channel_layer.group_send(self.room_group_name, event)

    async def chat_message(self, event):
        await self.send(text_data=json.dumps({"message": event["message"]}))


class Threadless(Textbook):
    async def dispatch(self, message):
        if message["type"] == "chat.message":
            await self.chat_message(message)
        else:
            await super().dispatch(message)


class Room(VisitorConsumer):
    rate = rate_of_all = 1_000_000
"""
ROUTES = """
from . import bench

websocket_urlpatterns += [
    path("textbook/<str:room_name>/", bench.Textbook.as_asgi()),
    path("threadless/<str:room_name>/", bench.Threadless.as_asgi()),
    path("room/<str:room_name>/", bench.Room.as_asgi()),
]
"""
BROADCAST = """
import asyncio, sys
from websockets.asyncio.server import broadcast, serve

clients = set()

async def chat(websocket):
    clients.add(websocket)
    async for message in websocket:
        broadcast(clients, message)

async def main():
    async with serve(chat, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
        print("Listening", flush=True)
        await server.serve_forever()

asyncio.run(main())
"""
CHATS = {
    "the site's room": "room",
    "a textbook's chat": "textbook",
    "... without thread": "threadless",
}
LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pub/sub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


# --- servers


def make_site(folder):
    copy_project(SAMPLE / "finished", folder)
    (folder / "myapp/bench.py").write_text(CONSUMERS)
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(ROUTES)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=folder, check=True)


@contextlib.contextmanager
def broadcast_server():
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", BROADCAST, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it tells of every client that hangs up
        text=True,
        start_new_session=True,
    )
    try:
        process.stdout.readline()
        yield port
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def daphnes(site, layer, broker, count):
    environment = {"REDIS_URL": broker.url(), "CHANNEL_LAYER": LAYERS[layer]} if layer else {}
    os.environ.update(environment)
    try:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(bare(site)).port for _ in range(count)]
    finally:
        for name in environment:
            del os.environ[name]


# --- clients


def fan_out(ports, path, clients, seconds):
    """Send to a room of so many clients for so long. Return messages a second, and deliveries."""
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        wires = [
            stack.enter_context(connect(ports[number % len(ports)], path))
            for number in range(clients)
        ]
        for wire in wires:
            selector.register(wire, selectors.EVENT_READ)
        for _ in range(3):  # not counted
            say(wires, selector)
        deliveries, messages, begin = [], 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            deliveries += say(wires, selector)
            messages += 1
        return messages / (time.perf_counter() - begin), deliveries


def say(wires, selector):
    """Send a message, and wait until all have it. Return when each of them had it, in seconds."""
    missing, took = dict.fromkeys(wires, ANSWER), []
    start = time.perf_counter()
    wires[0].sendall(FRAME)
    while missing:
        if not (ready := selector.select(timeout=10)):
            raise RuntimeError(f"{len(missing)} clients have heard nothing")
        for wire in (key.fileobj for key, _ in ready):
            part = wire.recv(missing.get(wire, 100))
            if not part or wire not in missing:
                raise RuntimeError(f"the server hung up, or sent too much: {part}")
            missing[wire] -= len(part)
            if not missing[wire]:
                del missing[wire]
                took.append(time.perf_counter() - start)
    return took


# --- the table


def rows(site, broker, client, seconds):
    """Yield what is measured, and for each number of clients what `fan_out` has found."""

    def measure(ports, path):
        for number in CLIENTS:
            yield client.apply(fan_out, (ports, f"{path}{number}", number, seconds))

    with broadcast_server() as port:
        yield ("websockets alone", "", 1), measure([port], "")
    for layer, count in ((None, 1), ("core", 1), ("core", 2), ("pub/sub", 1), ("pub/sub", 2)):
        with daphnes(site, layer, broker, count) as ports:
            for what, path in CHATS.items():
                room = f"{path}/{'' if layer is None else layer.replace('/', '')}{count}"
                yield (what, layer or "in memory", count), measure(ports, room)


def line(*cells):
    widths = (-20, -10, 8, 12, 10, 12, 10)
    return "".join(
        f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
        for cell, width in zip(map(str, cells), widths, strict=True)
    ).rstrip()


def table(quick=False):
    """Measure, and print the table."""
    seconds = QUICK if quick else SECONDS
    print(f"One message to everybody in a room; {seconds:g} s each\n")
    print(line("", "", "", *(cell for number in CLIENTS for cell in (f"{number} clients", ""))))
    print(line("what", "layer", "daphnes", *["messages/s", "p95"] * len(CLIENTS)))
    with (
        tempfile.TemporaryDirectory(prefix="channels_live_") as folder,
        multiprocessing.get_context("spawn").Pool(1) as client,
    ):
        site = Path(folder)
        make_site(site)
        broker = Server(f'valkey-server --port {free_port()} --save ""', site)
        try:
            for what, rates in rows(site, broker, client, seconds):
                cells = []
                for rate, deliveries in rates:
                    p95 = quantiles(deliveries, n=20)[-1] * 1e3
                    cells += [f"{rate:.0f}", f"{p95:.1f} ms"]
                print(line(*what, *cells), flush=True)
        finally:
            with contextlib.redirect_stdout(None):
                broker.stop()
