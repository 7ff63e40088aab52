"""Measures what a deployed site loses: `make bench ARGS="--only soak"`.

The finished site, as lesson 27 deploys it: two daphnes behind nginx, with a broker. First it holds
as many sockets as the system's limit of open files allows. Then people talk, as the page does, with
keys and with the number of the last message that they have, while both servers are rolled over, one
is killed, and the broker is restarted. Counts are told, and asserted nowhere.
"""

import asyncio
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar

import psutil
from deployed import NGINX, certificate, production
from websockets import ConnectionClosed, InvalidHandshake, InvalidStatus, connect

from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project

sys.path.append(str(SAMPLE / "finished"))
from experiments.visitor import Visitor

SOCKETS, OF_AN_ADDRESS = 5_000, 50
SECONDS = 60.0  # that they are held
PEOPLE, PAUSE = 100, 10.0  # seconds between two messages of somebody, on average
PATIENCE = 120.0  # seconds, for all to have heard all
DAPHNE = "daphne -u run/{}.sock --proxy-headers -v 0 myproject.asgi:application"


class Deployed:
    """The site behind its proxy, with its two servers and its broker."""

    def __init__(self, folder, stack):
        copy_project(SAMPLE / "finished", folder)
        conf = folder / "nginx.conf"  # each socket needs two of them
        connections = f"events {{ worker_connections {2 * SOCKETS + 1_000}; }}"
        conf.write_text(conf.read_text().replace("events {}", connections))
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=folder, check=True)
        self.trusted = certificate(folder)

        def start(command, **options):
            server = Server(command, folder, **options)
            stack.callback(server.end)
            return server

        self.broker = start('valkey-server --port 6379 --save ""')
        self.proxy = start(NGINX)
        environment = production(self.proxy, self.broker)
        self.one, self.two = (
            start(DAPHNE.format(name), environment=environment) for name in ("one", "two")
        )
        self.visits = itertools.count()

    def join(self, path):
        """Connect as a page does, fifty from each address of this computer."""
        rest, last = divmod(next(self.visits) // OF_AN_ADDRESS, 250)
        return Visit(
            self.proxy.ws(path),
            ssl=self.trusted,
            origin=self.proxy.url(""),
            local_addr=(f"127.0.{rest % 250}.{last + 2}", 0),
            proxy=None,
            open_timeout=PATIENCE,
            ping_interval=None,  # daphne pings
        )

    def memory(self):
        """Return what the two servers need for themselves, in KiB."""
        return (
            sum(
                psutil.Process(server.pid).memory_full_info().uss for server in (self.one, self.two)
            )
            / 2**10
        )


async def hold(site, number):
    """Hold sockets for a while. Return how many were opened, how many dropped, KiB of each."""
    at_once, before = asyncio.Semaphore(50), site.memory()

    async def open_one():
        async with at_once:
            with suppress(InvalidHandshake, OSError, TimeoutError):
                return await site.join("/ws/chat/")

    tried = await asyncio.gather(*(open_one() for _ in range(number)))
    opened = [socket for socket in tried if socket]
    ended = [asyncio.create_task(socket.wait_closed()) for socket in opened]
    await asyncio.wait(ended, timeout=SECONDS)
    dropped = sum(task.done() for task in ended)
    memory = (site.memory() - before) / max(1, len(opened))
    await asyncio.gather(*(socket.close() for socket in opened))
    return len(opened), dropped, memory


class Visit(connect):
    """A connection that notes why it was refused."""

    refusals: ClassVar = Counter()  # of all

    async def __aenter__(self):
        try:
            return await super().__aenter__()
        except InvalidStatus as error:
            self.refusals[error.response.status_code] += 1
            raise
        except (InvalidHandshake, OSError) as error:
            self.refusals[type(error).__name__] += 1
            raise


class Talker(Visitor):
    """Says what it has read, as the page does, and talks less often: a laptop bears a hundred."""

    reloads = 0  # pages that have missed more than a room's history

    async def talk(self, socket):
        with suppress(ConnectionClosed):
            while self.talks:
                await asyncio.sleep(random.uniform(0, 2 * PAUSE))
                self.said += 1
                key = f"{self.name}-{self.said}"
                self.outbox[key] = f"{self.name} says {self.said}"
                await self.send(socket, self.outbox[key], key)

    async def listen(self, socket):
        while True:
            frame = json.loads(await socket.recv())
            self.outbox.pop(frame.get("saved"), None)
            self.reloads += bool(frame.get("reload") and self.last)
            if "id" in frame:
                self.last = frame["id"]
                self.heard.append(frame["message"])
                if not self.last % 10:
                    await socket.send(json.dumps({"read": self.last}))


async def talk_while(site, happens):
    """Let people talk while something happens. Return what was said, lost, twice, and how ended."""
    Visit.refusals.clear()
    people = [Talker(site.join, f"{happens.__name__}-{number}") for number in range(PEOPLE)]
    talks = [asyncio.create_task(person.stay()) for person in people]
    await asyncio.gather(*(person.has_said(1) for person in people))
    await asyncio.to_thread(happens, site)
    await asyncio.gather(*(person.has_said(person.said + 1) for person in people))
    for person in people:
        person.talks = False
    said = {f"{person.name} says {n + 1}" for person in people for n in range(person.said)}
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(
        person.outbox or said - set(person.heard) for person in people
    ):
        await asyncio.sleep(0.5)
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    return {
        "said": len(said),
        "lost": sum(len(said - set(person.heard)) for person in people),
        "twice": sum(len(person.heard) - len(set(person.heard)) for person in people),
        "not confirmed": len(set.union(*(set(person.outbox) for person in people))),
        "refused": dict(Visit.refusals),
        "reloads": sum(person.reloads for person in people),
        "codes": sorted(set.union(*(person.codes for person in people))),
    }


def roll(site):
    for server in (site.one, site.two):
        process = psutil.Process(server.pid)
        process.terminate()
        process.wait()
        server.restart()


def kill(site):
    process = psutil.Process(site.one.pid)
    process.kill()
    process.wait()
    time.sleep(2.0)  # so that everybody has tried to come back
    site.one.restart()


def restart_broker(site):
    site.broker.stop()
    site.broker.restart()


def table(quick=False):
    """Measure, and print the counts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    number = min(500 if quick else SOCKETS, (most - 1_000) // 2)
    with tempfile.TemporaryDirectory(prefix="channels_live_") as folder, ExitStack() as stack:
        site = Deployed(Path(folder), stack)
        begin = time.monotonic()
        opened, dropped, memory = asyncio.run(hold(site, number))
        print(
            f"{opened} of {number} sockets open, {dropped} dropped in {SECONDS:g} s, "
            f"{memory:.0f} KiB each; {time.monotonic() - begin:.0f} s in all",
            flush=True,
        )
        for happens in (roll, kill, restart_broker):
            found = asyncio.run(talk_while(site, happens))
            load = psutil.getloadavg()[0]
            print(f"{happens.__name__}, {PEOPLE} people: {json.dumps(found)}; load {load:.1f}")
            sys.stdout.flush()
