"""Measures how fast one message reaches everybody in a room, and prints a table: `make bench`.

The next message is sent when the last client has the one before. A delivery is the way of a message
to one client. Beside the room of the finished site stand the consumer of a textbook's chat, which
has no history, no checks and no presence, and a server of `websockets` alone.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import psutil
from bench import ANSWER, APPLICATION, FRAME, bare, connect

from channels_live.lesson import SAMPLE
from channels_live.server import Server, free_port
from channels_live.working_copy import copy_project

CLIENTS = (100, 500)
SECONDS, QUICK = 3.0, 1.0
CONSUMERS = '''
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


class Room(VisitorConsumer):
    rate = 1_000_000
'''
ROUTES = """
from . import bench

websocket_urlpatterns += [
    path("textbook/<str:room_name>/", bench.Textbook.as_asgi()),
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
LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pub/sub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


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
    process.port = port
    try:
        process.stdout.readline()
        yield process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def fan_out(ports, path, clients, seconds):
    """Send to a room of so many clients for so long. Return messages a second, and deliveries."""
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        wires = [
            stack.enter_context(connect(ports[number % len(ports)], path))
            for number in range(clients)
        ]
        for wire in wires:
            selector.register(wire, selectors.EVENT_READ)
        deliveries = []
        begin = time.perf_counter()
        messages = -3  # the first ones are not counted
        while time.perf_counter() - begin < seconds:
            if messages == 0:
                deliveries.clear()
                begin = time.perf_counter()
            messages += 1
            missing = dict.fromkeys(wires, ANSWER)
            start = time.perf_counter()
            wires[0].sendall(FRAME)
            while missing:
                if not (ready := selector.select(timeout=10)):
                    raise RuntimeError(f"{len(missing)} of {clients} clients heard nothing")
                for wire in (key.fileobj for key, _ in ready):
                    part = wire.recv(missing.get(wire, 100))
                    if not part or wire not in missing:
                        raise RuntimeError(f"the server hung up, or sent too much: {part}")
                    missing[wire] -= len(part)
                    if not missing[wire]:
                        del missing[wire]
                        deliveries.append(time.perf_counter() - start)
        return messages / (time.perf_counter() - begin), deliveries


@contextlib.contextmanager
def daphnes(site, layer, broker, count):
    """Run so many daphnes on a layer. Yield their ports."""
    environment = {"REDIS_URL": broker.url(), "CHANNEL_LAYER": LAYERS[layer]} if layer else {}
    os.environ.update(environment)
    try:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(bare(site)).port for _ in range(count)]
    finally:
        for name in environment:
            del os.environ[name]


def rows(site, broker, client, seconds):
    """Yield what is measured, and for each number of clients what `fan_out` has found."""

    def measure(ports, path):
        for number in CLIENTS:
            yield client.apply(fan_out, (ports, f"{path}{number}", number, seconds))

    with broadcast_server() as server:
        yield ("websockets alone", "", 1), measure([server.port], "")
    for layer, count in ((None, 1), ("core", 1), ("core", 2), ("pub/sub", 1), ("pub/sub", 2)):
        with daphnes(site, layer, broker, count) as ports:
            for what, path in (("a textbook's chat", "textbook"), ("the site's room", "room")):
                room = f"{path}/{layer or ''}{count}".replace("pub/", "pub")
                yield (what, layer or "in memory", count), measure(ports, room)


def line(*cells):
    widths = (-18, -10, 8, 12, 9, 12, 9)
    return "".join(
        f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
        for cell, width in zip(map(str, cells), widths, strict=True)
    ).rstrip()


def table(quick=False):
    """Measure, and print the table."""
    seconds = QUICK if quick else SECONDS
    print(f"One message to everybody in a room; {seconds:g} s each\n")
    print(line("", "", "", *(f"{number} clients" if odd else "" for number in CLIENTS for odd in (1, 0))))
    print(line("what", "layer", "daphnes", *["messages/s", "p95"] * len(CLIENTS)))
    with (
        tempfile.TemporaryDirectory(prefix="channels_live_") as folder,
        contextlib.redirect_stderr(None),
        multiprocessing.get_context("spawn").Pool(1) as client,
    ):
        site = Path(folder)
        make_site(site)
        broker = Server('valkey-server --port 6379 --save ""', site)
        try:
            for what, found in rows(site, broker, client, seconds):
                cells = []
                for rate, deliveries in found:
                    p95 = quantiles(deliveries, n=20)[-1] * 1e3
                    cells += [f"{rate:.0f}", f"{p95:.1f} ms"]
                print(line(*what, *cells), flush=True)
        finally:
            with contextlib.redirect_stdout(None):
                broker.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:g} s each, not {SECONDS:g}")
    print(
        f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores; "
        f"load {psutil.getloadavg()[0]:.1f} at the beginning\n"
    )
    table(parser.parse_args().quick)


if __name__ == "__main__":
    main()
