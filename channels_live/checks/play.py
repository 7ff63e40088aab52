"""Plays the server for a consumer, in the copy of a learner's project.

python play.py HOW CLASS --port PORT, where HOW is `by_hand` or `worker`, and CLASS is such as
`experiments.jobs:SquareConsumer`. Takes lines of JSON over TCP, each a pair of where an event goes
to and the event, and answers each with what came of it. A check copies this file into the project,
so it imports nothing of ours.
"""

import asyncio
import contextlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import django
from django.conf import settings

READY = "Listening"
WAIT = 3.0  # seconds that an event may take
Application = Callable[..., Any]  # ASGI's
LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


class ByHand:
    """Hands events to instances of a consumer, one for each scope."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._instances: dict[str, Instance] = {}

    async def give(self, scope: Any, event: Any) -> Any:
        """Return what came of it (see `Instance`)."""
        name = json.dumps(scope)
        if name not in self._instances:
            self._instances[name] = Instance(self._application, scope)
        return await self._instances[name].give(event)


class Instance:
    """A consumer, called as a server calls it."""

    def __init__(self, application: Application, scope: Any) -> None:
        self._sent: list[Any] = []
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._asked = asyncio.Event()
        self._task = asyncio.ensure_future(application(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        self._asked.set()
        return await self._events.get()

    async def _send(self, event: Any) -> None:
        self._sent.append(event)

    async def give(self, event: Any) -> tuple[list[Any], str]:
        """Return what it sent until it was ready for another event, and what it does now."""
        await self._ready()
        self._sent = []
        self._asked.clear()
        self._events.put_nowait(event)
        await self._ready()
        return self._sent, self._state()

    async def _ready(self) -> None:
        asked = asyncio.ensure_future(self._asked.wait())
        first = asyncio.FIRST_COMPLETED
        await asyncio.wait([asked, self._task], timeout=WAIT, return_when=first)
        asked.cancel()

    def _state(self) -> str:
        if not self._task.done():
            return "waits for an event" if self._asked.is_set() else "is busy"
        error = self._task.exception()
        return f"raised {type(error).__name__}: {error}" if error else "has ended"


class Worker:
    """Sends events to a worker's channels, and reads the channel that each names for the answer."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._workers: dict[str, asyncio.Future[None]] = {}

    async def give(self, channel: str, event: Any) -> tuple[Any, list[str]]:
        """Return (the answer or None, channels where something lies that nobody has read)."""
        from channels.layers import get_channel_layer
        from channels.worker import Worker

        layer = get_channel_layer()
        if channel not in self._workers:
            worker = Worker(self._application, [channel], layer)
            self._workers[channel] = asyncio.ensure_future(worker.arun())
        await layer.send(channel, event)
        answer = None
        with contextlib.suppress(TimeoutError):
            answer = await asyncio.wait_for(layer.receive(event["answer_to"]), WAIT)
        return answer, [name for name, queue in layer.channels.items() if not queue.empty()]


async def main(how: Callable[[Application], Any], path: str, _: str, port: str) -> None:
    """Play until this process is ended. how: ByHand or Worker. path: CLASS, see above."""
    module, _, name = path.partition(":")
    player = how(getattr(import_module(module), name).as_asgi())

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            came_of_it = await player.give(*json.loads(line))
            writer.write(json.dumps(came_of_it, default=repr).encode() + b"\n")

    server = await asyncio.start_server(play, "127.0.0.1", int(port))
    print(READY, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="async_to_sync was passed")  # Channels' own
    how: Callable[[Application], Any] = {"by_hand": ByHand, "worker": Worker}[sys.argv[1]]
    os.environ["DJANGO_SETTINGS_MODULE"] = "myproject.settings"
    settings.CHANNEL_LAYERS = LAYERS if how is Worker else {}
    django.setup()
    asyncio.run(main(how, *sys.argv[2:]))
