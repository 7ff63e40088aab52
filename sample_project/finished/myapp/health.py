"""What a supervisor, a load balancer and whoever counts may ask, from inside."""

import json
import os

from channels.generic.http import AsyncHttpConsumer
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.urls import path, re_path
from prometheus_client import make_asgi_app

from .models import Topic

VERSION = os.environ.get("SITE_VERSION", "unknown")


class Alive(AsyncHttpConsumer):
    """Asks nobody: it answers if the process does."""

    async def handle(self, body):
        await self.send_response(200, VERSION.encode())


class Ready(AsyncHttpConsumer):
    async def handle(self, body):
        nothing = get_channel_layer().group_send("nobody", {"type": "nothing"})
        answer = {"database": await works(Topic.objects.aexists()), "layer": await works(nothing)}
        status = 200 if all(answer.values()) else 503
        await self.send_response(status, json.dumps(answer).encode())


async def works(asked):
    try:
        await asked
    except Exception:  # whatever it is, it does not work
        return False
    return True


inside_urlpatterns = [
    path("inside/alive/", Alive.as_asgi()),
    path("inside/ready/", Ready.as_asgi()),
    path("inside/metrics/", make_asgi_app()),
]


def only_inside(pages):
    """Add the pages for programs to others, for who comes by the Unix socket, past the proxy."""
    inside = URLRouter([*inside_urlpatterns, re_path(r"", pages)])

    async def choose(scope, receive, send):
        await (pages if scope.get("client") else inside)(scope, receive, send)

    return choose
