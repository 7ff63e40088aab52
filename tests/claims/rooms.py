"""The finished site, with rooms that have faults, for claims about rooms and pages."""

import json

import pytest
from clients import client, manage
from websockets.exceptions import ConnectionClosed

from channels_live.workspace import SAMPLE, copy_project, project_before

ORIGIN = "http://localhost"
UVICORN = "uvicorn --port 8000 myproject.asgi:application"

# Rooms with a fault, as a learner may build one
FAULTY = '''
import asyncio

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .rooms import RoomConsumer, group_of
from .visitors import VisitorConsumer


class FaultyVisitor(VisitorConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "busy":
            await asyncio.sleep(60)
        raise RuntimeError("a fault")

    async def disconnect(self, close_code):
        print("disconnect ran")

    async def leave(self):
        print("leave ran")
        await super().leave()


class Whoami(RoomConsumer):
    """Tells whom it serves, at every frame."""

    async def receive(self, text_data=None, bytes_data=None):
        await self.send_json({"you": self.scope["user"].username})


class FirstRoom(AsyncJsonWebsocketConsumer):
    """As in *Watch it fail*: the client chooses the type."""

    async def connect(self):
        self.group = group_of(self.scope["url_route"]["kwargs"]["room_name"])
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        event = {"type": "chat.message", **json.loads(text_data)}
        await self.channel_layer.group_send(self.group, event)

    async def chat_message(self, event):
        await self.send_json({"message": event["message"]})


websocket_urlpatterns += [
    path("ws/faulty/<str:room_name>/", FaultyVisitor.as_asgi()),
    path("ws/first/<str:room_name>/", FirstRoom.as_asgi()),
    path("ws/whoami/<str:room_name>/", Whoami.as_asgi()),
]
'''


def lay_out(folder, lesson=None):
    """Lay out the finished site, with a noticeboard and rooms that have faults.

    lesson: instead the site as this lesson leaves it, without these rooms.
    """
    if lesson:
        for layer in project_before(lesson + 1):
            copy_project(layer, folder)
    else:
        copy_project(SAMPLE / "finished", folder)
        routing = folder / "myapp/routing.py"
        routing.write_text(f"import json\n{routing.read_text()}\n{FAULTY}")
    for command in ("migrate", "loaddata noticeboard"):
        manage(folder, *command.split(), "--verbosity", "0")
    return folder


def shell(folder, code):
    """Run code with the site's apps loaded. Return the values that it prints as JSON."""
    return json.loads(manage(folder, "shell", "--verbosity", "0", "-c", code).splitlines()[-1])


def visit(server, path):
    return client(server, path, origin=ORIGIN)


def read(websocket):
    return json.loads(websocket.recv(timeout=10))


def closed_with(websocket):
    with pytest.raises(ConnectionClosed) as closed:
        websocket.recv(timeout=10)
    return closed.value.rcvd.code if closed.value.rcvd else 1006


def rewrite(path, *changes):
    """Change a file: pairs of a text that stands there once, and what takes its place."""
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{old} in {path}"
        text = text.replace(old, new)
    path.write_text(text)
