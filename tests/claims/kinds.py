"""A site for the claims about the four kinds of consumer, and a client that breaks the rules."""

import base64
import os
import shutil
import socket
import struct
from contextlib import contextmanager

SECONDS = 0.1  # that a token takes
CONSUMERS = '''
import asyncio
import json
import threading
import time
from pathlib import Path

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from channels.consumer import SyncConsumer
from channels.db import database_sync_to_async
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import (
    AsyncWebsocketConsumer, JsonWebsocketConsumer, WebsocketConsumer
)

SECONDS = 0.1


def where(scope):
    return f"{scope['path']}?{scope['query_string'].decode()}."


class Scope(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        here = threading.current_thread() is threading.main_thread()
        known = {"keys": sorted(self.scope), "client": self.scope["client"], "main": here}
        await self.send(json.dumps(known | {"loop": id(asyncio.get_running_loop())}))


class Codes(AsyncWebsocketConsumer):
    """Closes with 4000 when asked to, and tells the code with which it ends."""

    async def connect(self):
        if b"refuse" in self.scope["query_string"]:
            await self.close(4401)
        else:
            await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        await self.close(4000)

    async def disconnect(self, close_code):
        print("left with", close_code)


class Sync(WebsocketConsumer):
    """Does what takes time, in the way that it is told."""

    def receive(self, text_data=None, bytes_data=None):
        time.sleep(float(text_data))
        self.send(threading.current_thread().name)

    def disconnect(self, close_code):
        print("sync consumer left")


async def sync_of_its_own(scope, receive, send):
    async with ThreadSensitiveContext():
        await Sync.as_asgi()(scope, receive, send)


def work(seconds):
    time.sleep(seconds)
    return threading.current_thread().name


WAYS = {
    "database": database_sync_to_async(work),
    "sync": sync_to_async(work),
    "free": database_sync_to_async(work, thread_sensitive=False),
    "to_thread": lambda seconds: asyncio.to_thread(work, seconds),
}


class Handing(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        way, seconds = text_data.split()
        await self.send(await WAYS[way](float(seconds)))


class Asleep(AsyncWebsocketConsumer):
    """Blocks, and shows that by a file."""

    async def receive(self, text_data=None, bytes_data=None):
        seconds, path = text_data.split()
        Path(path).touch()
        time.sleep(float(seconds))
        await self.send("awake")


class Json(JsonWebsocketConsumer):
    @classmethod
    def decode_json(cls, text_data):
        try:
            return super().decode_json(text_data)
        except ValueError:
            return {"error": "no JSON"}

    def receive_json(self, content):
        self.send_json(content if "error" in content else {"sum": sum(content["numbers"])})


class Picky(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.close(4406)


class Tokens(AsyncWebsocketConsumer):
    """Sends what a generator makes that takes its time, in the way that it is told."""

    async def receive(self, text_data=None, bytes_data=None):
        tokens = self.tokens()
        if text_data == "blocking":
            for token in tokens:
                await self.send(token)
        else:
            while (token := await asyncio.to_thread(next, tokens, None)) is not None:
                await self.send(token)

    def tokens(self):
        for token in "abcd":
            time.sleep(SECONDS)
            yield token


class Tidy(AsyncWebsocketConsumer):
    """Ends in many ways, and tells what runs then."""

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            print("finally of", where(self.scope))

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "raise":
            raise ValueError("meant")
        if text_data == "wait":
            await self.send("waiting")
            await asyncio.Event().wait()

    async def disconnect(self, close_code):
        print("disconnect of", where(self.scope))


class SyncTidy(WebsocketConsumer):
    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            print("finally of", where(self.scope))

    def receive(self, text_data=None, bytes_data=None):
        raise ValueError("meant")

    def disconnect(self, close_code):
        print("disconnect of", where(self.scope))


class Forgetful(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        self.send("one")
        await self.send("two")


class Never(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        while True:
            await asyncio.sleep(0.01)

    async def receive(self, text_data=None, bytes_data=None):
        await self.send("received")


class Failing(AsyncWebsocketConsumer):
    """Has a task that raises, and one that nobody cancels."""

    async def connect(self):
        await self.accept()
        self.failing = asyncio.create_task(self.fail())
        self.ticking = asyncio.create_task(self.tick())

    async def fail(self):
        raise ValueError("in a task")

    async def tick(self):
        while True:
            await self.send("tick")
            print("tick of", self.scope["query_string"].decode())
            await asyncio.sleep(0.01)


class Raw(SyncConsumer):
    def websocket_connect(self, event):
        self.send({"type": "websocket.accept"})

    def websocket_receive(self, event):
        self.send({"type": "websocket.receive", "text": "the wrong way"})
        self.send({"type": "websocket.send", "text": "passed over"})


class Left(AsyncHttpConsumer):
    """Joins a group, sends a piece, and returns; or waits for an event, in one of two ways."""

    channel_layer_alias = "letters"

    async def handle(self, body):
        how, layer = self.scope["query_string"].decode(), self.channel_layer
        own = await layer.new_channel()
        await layer.group_add("news", own if how == "own" else self.channel_name)
        await self.send_headers()
        await self.send_body(b"first", more_body=True)
        if how != "return":
            receive = layer.receive(own) if how == "own" else self.channel_receive()
            await self.send_body((await receive)["text"].encode())

    async def news_item(self, event):
        print("an event came")

    async def disconnect(self):
        print("disconnect of", where(self.scope))


class Wake(AsyncHttpConsumer):
    channel_layer_alias = "letters"

    async def handle(self, body):
        await self.channel_layer.group_send("news", {"type": "news.item", "text": "second"})
        await self.send_response(200, b"")


class Slow(AsyncHttpConsumer):
    """Waits for ever."""

    async def handle(self, body):
        if self.scope["query_string"] != b"silent":
            await self.send_headers()
            await self.send_body(b"first", more_body=True)
        try:
            print("handle waits")
            await asyncio.Event().wait()
        finally:
            print("handle ends")


class Over(AsyncHttpConsumer):
    """Sends something after what it calls its last piece."""

    async def handle(self, body):
        await self.send_headers()
        await self.send_body(b"all")
        await self.send_body(b"more")
        print("sent more, without an error")


class Countdown(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_headers(headers=[(b"Content-Type", b"text/event-stream")])
        await self.send_body(b"data: 3\\n\\n", more_body=True)
        await asyncio.Event().wait()


class Threads(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_response(200, str(threading.active_count()).encode())


class Who(AsyncHttpConsumer):
    async def handle(self, body):
        who = f"{self.scope.get('user')} {'session' in self.scope}"
        await self.send_response(200, who.encode())
'''
ASGI = """
import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
django = get_asgi_application()

from myapp import kinds

sockets = ["Codes", "Sync", "Handing", "Asleep", "Json", "Picky", "Tokens", "Tidy", "SyncTidy"]
sockets += ["Never", "Failing", "Raw", "Forgetful"]
pages = ["Left", "Wake", "Slow", "Over", "Countdown", "Threads", "Who"]


def routes(names):
    return [path(f"{name.lower()}/", getattr(kinds, name).as_asgi()) for name in names]


sockets = URLRouter(
    [
        path("scope/", AuthMiddlewareStack(kinds.Scope.as_asgi())),
        path("plain-scope/", kinds.Scope.as_asgi()),
        path("own/", kinds.sync_of_its_own),
        *routes(sockets),
    ]
)


async def unless_unrouted(scope, receive, send):
    unrouted = scope["path"] == "/unrouted-scope/"
    await (kinds.Scope.as_asgi() if unrouted else sockets)(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": URLRouter(
            [
                path("signed/who/", AuthMiddlewareStack(kinds.Who.as_asgi())),
                *routes(pages),
                re_path("", django),
            ]
        ),
        "websocket": unless_unrouted,
    }
)
"""
LAYER = """
CHANNEL_LAYERS["letters"] = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
"""
URLS = """
import threading

from django.http import HttpResponse, StreamingHttpResponse


async def pieces():
    yield "first "
    yield "second"


async def stream(request):
    return StreamingHttpResponse(pieces())


urlpatterns += [
    path("stream/", stream),
    path("thread/", lambda request: HttpResponse(threading.current_thread().name)),
]
"""
UVICORN = "uvicorn --port 8000 myproject.asgi:application"


def lay_out(project, folder):
    """Copy the tests' site into a folder, with the consumers above. Return the folder."""
    if project != folder:
        shutil.copytree(project, folder, dirs_exist_ok=True)
    (folder / "myapp/kinds.py").write_text(CONSUMERS)
    (folder / "myproject/asgi.py").write_text(ASGI)
    with (folder / "myproject/settings.py").open("a") as settings:
        settings.write(LAYER)
    with (folder / "myproject/urls.py").open("a") as urls:
        urls.write(URLS)
    return folder


@contextmanager
def raw(server, path):
    """Give a socket on which a WebSocket is open, for a client that breaks the rules."""
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: Upgrade"]
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.recv(1)
        assert b" 101 " in answer.splitlines()[0], answer
        yield connection


def frame(opcode, payload=b""):
    """Return a frame as a client sends it, with a mask of zeros."""
    return struct.pack("!BB4x", 0x80 | opcode, 0x80 | len(payload)) + payload


def read(connection):
    """Return the next frame of a server: its opcode and its payload."""
    opcode, size = connection.recv(2, socket.MSG_WAITALL)
    return opcode & 0xF, connection.recv(size, socket.MSG_WAITALL) if size else b""
