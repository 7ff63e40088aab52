"""Measures how fast messages reach everybody in a room, and prints tables: `make bench`.

One client speaks, or ten at once; they speak again when the last client has all that was said
before. Beside the room of the finished site stand

- a server of `websockets` alone,
- the consumer of a textbook's chat: no history, no checks, no presence, nothing stored; and the
  three steps by which the lesson *Make it fast* makes it faster,
- the site's room as it was before that lesson.

CPU is the time that the servers used, for each delivery, which is the way of a message to one
client. Whatever is compared takes turns, and a ratio is the median of the ratios of the turns. p95
is of the last delivery to each client.

Two servers share the cores with the clients and the broker. What they would take with a core each
is told by the CPU time of the busier one, for each message. Where ten speak, each of the two saves
and hears half as many messages at a time as one server does; where a hundred do, both are as full
as they get, which is when somebody needs the second.
"""

import contextlib
import itertools
import json
import multiprocessing
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import psutil
from bench import ANSWER, APPLICATION, FRAME, HANDSHAKE, PROGRAMS, connect

from channels_live.server import Server
from channels_live.server.ports import free_port
from channels_live.workspace import SAMPLE, copy_project, project_before

CLIENTS = (100, 500)
SPEAKERS, SPEAKERS_ACROSS = (1, 10), (10, 100)
SECONDS, QUICK = 2.0, 1.0
TURNS, QUICK_TURNS = 5, 2
VISITORS = 200
ROOMS = count(1)
CONSUMERS = """
from .visitors import VisitorConsumer


class Room(VisitorConsumer):
    rate = rate_of_all = 1_000_000
"""
ROUTES = """
from . import bench

websocket_urlpatterns += [
    path("ws/bench/<str:room_name>/", bench.Room.as_asgi()),
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
ALONE, TEXTBOOK, ROOM, BEFORE = (
    "websockets alone",
    "a textbook's chat",
    "the site's room",
    "the room before",
)
CHATS = {
    TEXTBOOK: "ws/crowd/textbook",
    "... encoded once": "ws/crowd/encoded",
    "... without thread": "ws/crowd/threadless",
    "... with a hub": "ws/crowd/hub",
    ROOM: "ws/bench",
}
LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pub/sub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


# --- servers


def make_site(folder, layers):
    for layer in layers:
        copy_project(layer, folder)
    (folder / "myapp/bench.py").write_text(CONSUMERS)
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(ROUTES)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=folder, check=True)
    return folder


def before_hubs():
    """Return the layers of the site before the lesson that gives a room its hub."""
    (hubs,) = SAMPLE.glob("steps/*/myapp/hubs.py")
    return project_before(int(hubs.parents[1].name))


@contextlib.contextmanager
def serving(command, site, listening, **environment):
    """Run a server, and return its port and the number of its process."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *command, str(port)],
        cwd=site,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # as in a terminal of its own, or Linux would prefer it
    )
    try:
        if not any(listening in line for line in process.stdout):
            raise RuntimeError(f"{command} did not start: exit code {process.wait()}")
        # what it says later has nowhere to go, and must not fill a pipe
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def broadcast_server(site):
    return serving(["-c", BROADCAST], site, "Listening")


@contextlib.contextmanager
def servers(program, site, layer, broker, number):
    environment = {"REDIS_URL": broker.url(), "CHANNEL_LAYER": LAYERS[layer]} if layer else {}
    option, listening = PROGRAMS[program]
    command = ["-m", program, APPLICATION, option]
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(serving(command, site, listening, **environment))
            for _ in range(number)
        ]


# --- clients


def fan_out(servers, path, clients, seconds, speakers=1):
    """Send to a room of so many clients for so long. speakers: how many of them send at once.

    Return messages a second, the CPU time of all servers a delivery, p95, and the CPU time of the
    busiest server a message, all three in seconds.
    """
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        wires = [
            stack.enter_context(connect(servers[number % len(servers)][0], path))
            for number in range(clients)
        ]
        for wire in wires:
            selector.register(wire, selectors.EVENT_READ)
        for _ in range(3):  # not counted
            say(wires, selector, speakers)
        deliveries, messages, before = [], 0, cpu_times(servers)
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            deliveries += say(wires, selector, speakers)
            messages += speakers
        rate = messages / (time.perf_counter() - begin)
        used = [
            after - at_first for after, at_first in zip(cpu_times(servers), before, strict=True)
        ]
        a_delivery, of_busiest = sum(used) / (messages * clients), max(used) / messages
        return rate, a_delivery, quantiles(deliveries, n=20)[-1], of_busiest


def cpu_times(servers):
    return [sum(psutil.Process(pid).cpu_times()[:2]) for _, pid in servers]


def say(wires, selector, speakers):
    """Let the first clients send a message each, and wait until all have all.

    Return when each client had the last, in seconds.
    """
    missing, took = dict.fromkeys(wires, ANSWER * speakers), []
    start = time.perf_counter()
    for wire in wires[:speakers]:
        wire.sendall(FRAME)
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


def gather(servers, visitors):
    """Let named visitors join a room, one after the other. Return when the last has seen all.

    Returns seconds, and the number of frames with which the last one has been told.
    """
    name = "visitor-{:03}"
    expected = [name.format(number) for number in range(visitors)]
    begin = time.perf_counter()
    with contextlib.ExitStack() as stack:
        for number in range(visitors):
            port, _ = servers[number % len(servers)]
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            path = f"ws/chat/gathering/?name={name.format(number)}"
            request = HANDSHAKE.replace("{path}/", "{path}").format(path=path, port=port)
            wire.sendall(request.encode())
            read_until(wire, b"\r\n\r\n")
        frames = 1
        while json.loads(read_until(wire, b"}").partition(b"{")[2].join([b"{", b""])) != {
            "here": expected
        }:
            frames += 1
        return time.perf_counter() - begin, frames


def read_until(wire, end):
    got = b""
    while not got.endswith(end):
        if not (part := wire.recv(1)):
            raise RuntimeError(f"the server hung up: {got[-100:]}")
        got += part
    return got


# --- the tables


def a_room(path):
    """Return the path of a room without a history."""
    return f"{path}/{next(ROOMS)}" if path == CHATS[ROOM] else path


def take_turns(measures, turns):
    """Call functions in turn, so many times. Return for each of them a list of what it found."""
    found = {what: [] for what in measures}
    for _ in range(turns):
        for what, measure in measures.items():
            found[what].append(measure())
    return found


def compare(client, site, before, seconds, turns):
    """Compare with the textbook and with websockets alone: one server, in memory."""
    widths = (-9, -20, 9, 9, 13, 11, 11, 14, 14, 14)
    against = ("of textbook", "of before", "of websockets")
    print(line(widths, "", "", "clients", "speak", "messages/s", "p95", "CPU", *against))
    for program in PROGRAMS:
        with (
            broadcast_server(site) as alone,
            servers(program, site, None, None, 1) as site_servers,
            servers(program, before, None, None, 1) as servers_before,
        ):
            for number, speakers in itertools.product(CLIENTS, SPEAKERS):

                def measure(servers, path, number=number, speakers=speakers):
                    arguments = (servers, a_room(path), number, seconds, speakers)
                    return client.apply(fan_out, arguments)

                measures = {ALONE: lambda: measure([alone], "")}
                for what, path in CHATS.items():
                    measures[what] = lambda path=path: measure(site_servers, path)
                measures[BEFORE] = lambda: measure(servers_before, CHATS[ROOM])
                found = take_turns(measures, turns)
                for what, turns_of_it in found.items():
                    rate, cpu, p95, _ = (
                        median(column) for column in zip(*turns_of_it, strict=True)
                    )
                    cells = [f"{rate:.0f}", f"{p95 * 1e3:.1f} ms", f"{cpu * 1e6:.1f} µs"]
                    cells += [
                        f"{ratio_of(found[other], turns_of_it):.2f} ×"
                        for other in (TEXTBOOK, BEFORE, ALONE)
                    ]
                    print(line(widths, program, what, number, speakers, *cells), flush=True)


def ratio_of(others, turns):
    """Return how much less CPU time one takes than another: 4 is four times as fast."""
    return median(other[1] / cpu for other, (_, cpu, *_) in zip(others, turns, strict=True))


def across(client, site, broker, seconds, turns):
    """Compare one server with two, over a broker."""
    widths = (-9, -20, -9, 9, 9, 13, 13, 10, 14)
    heads = ("layer", "clients", "speak", "one: m./s", "two: m./s", "ratio", "a core each")
    print(line(widths, "", "", *heads))
    for program in PROGRAMS:
        for layer in LAYERS:
            with (
                servers(program, site, layer, broker, 1) as one,
                servers(program, site, layer, broker, 2) as two,
            ):
                cases = itertools.product(CLIENTS, SPEAKERS_ACROSS, (TEXTBOOK, ROOM))
                for number, speakers, what in cases:

                    def measure(servers, number=number, speakers=speakers, path=CHATS[what]):
                        arguments = (servers, a_room(path), number, seconds, speakers)
                        return client.apply(fan_out, arguments)

                    found = take_turns(
                        {"one": lambda: measure(one), "two": lambda: measure(two)}, turns
                    )
                    turns_of_both = list(zip(*found.values(), strict=True))
                    ratio = median(b[0] / a[0] for a, b in turns_of_both)
                    with_a_core_each = median(a[3] / b[3] for a, b in turns_of_both)
                    rates = [f"{median(turn[0] for turn in each):.0f}" for each in found.values()]
                    ratios = (f"{ratio:.2f} ×", f"{with_a_core_each:.2f} ×")
                    cells = (program, what, layer, number, speakers, *rates, *ratios)
                    print(line(widths, *cells), flush=True)


def presence(client, site, turns):
    """Tell how long it takes until many visitors who come at once know of each other."""
    widths = (-9, -30, 9, 9)
    print(line(widths, "", f"{VISITORS} visitors with names", "seconds", "frames"))
    for program in PROGRAMS:
        took = []
        for _ in range(turns):
            with servers(program, site, None, None, 1) as site_servers:
                took.append(client.apply(gather, (site_servers, VISITORS)))
        seconds, frames = (median(column) for column in zip(*took, strict=True))
        print(line(widths, program, "", f"{seconds:.2f}", f"{frames:.0f}"), flush=True)


def line(widths, *cells):
    return "".join(
        f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
        for cell, width in zip(map(str, cells), widths, strict=True)
    ).rstrip()


def table(quick=False):
    """Measure, and print the tables."""
    seconds, turns = (QUICK, QUICK_TURNS) if quick else (SECONDS, TURNS)
    print(f"Messages to everybody in a room; {seconds:g} s each, {turns} turns\n")
    with (
        tempfile.TemporaryDirectory(prefix="channels_live_") as folder,
        multiprocessing.get_context("spawn").Pool(1) as client,
    ):
        site = make_site(Path(folder) / "site", [SAMPLE / "finished"])
        before = make_site(Path(folder) / "before", before_hubs())
        compare(client, site, before, seconds, turns)
        print()
        presence(client, site, turns)
        print()
        broker = Server(f'valkey-server --port {free_port()} --save ""', site)
        try:
            across(client, site, broker, seconds, turns)
        finally:
            with contextlib.redirect_stdout(None):
                broker.stop()
