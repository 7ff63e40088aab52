"""What the tests of sockets share."""

import json
from contextlib import asynccontextmanager

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.core.cache import cache
from django.test import Client, TransactionTestCase

from boardsite.asgi import application

PATIENCE = 10  # seconds
KEYS = {name: f"{name}-{'0123456789' * 3}" for name in ("anna", "ben", "carl")}


@asynccontextmanager
async def connected(path, **headers):
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    socket = WebsocketCommunicator(application, path, headers=pairs)
    accepted, code = await socket.connect(PATIENCE)
    socket.refused = None if accepted else code
    try:
        yield socket
    finally:
        if accepted:
            await socket.disconnect(timeout=PATIENCE)


@asynccontextmanager
async def learner(name, **more):
    """Join the class, and wait until the board says so."""
    async with connected("/ws/learner/") as socket:
        await say(socket, do="join", code="code", key=KEYS[name], name=name, **more)
        socket.joined = await next_of(socket, "joined")
        yield socket


@asynccontextmanager
async def screen(word):
    client = Client()
    await sync_to_async(client.post)("/", {"word": word})
    cookie = client.cookies.output(header="", attrs=[]).strip().replace("\r\n", ";")
    async with connected("/ws/screen/", cookie=cookie, origin="http://localhost") as socket:
        yield socket


async def say(socket, **request):
    await socket.send_json_to(request)


async def report(socket, number, exercise="5.1", state="not yet", **more):
    await say(socket, do="report", number=number, exercise=exercise, state=state, **more)
    return (await next_of(socket, "saved"))["number"]


async def next_of(socket, kind, true=lambda answer: True):
    """Return the next answer of this kind of which something is true; what is between is skipped.

    Screens get rows by the frame.
    """
    while True:
        frame = json.loads(await socket.receive_from(PATIENCE))
        for answer in frame["rows"] if frame["is"] == "rows" else [frame]:
            if answer["is"] == kind and true(answer):
                return answer


class SocketTestCase(TransactionTestCase):
    def setUp(self):
        cache.clear()  # of how often somebody has tried a word
        async_to_sync(get_channel_layer().flush)()  # what hubs have left whose test has ended
