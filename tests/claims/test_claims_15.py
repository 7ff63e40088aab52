"""Lesson 15, Give work to a worker: what no cell shows."""

import asyncio

import psutil
import pytest
from brokers import BROKER, NO_BROKER
from channels_redis.core import RedisChannelLayer
from clients import eventually
from redis import Redis

from channels_live.server import Server

pytestmark = [pytest.mark.live, NO_BROKER]
WORKER = "python manage.py runworker jobs"

# A worker that tells what it does, in its log
ROUTING = """

import time
from channels.consumer import SyncConsumer


class Jobs(SyncConsumer):
    def job_do(self, event):
        print("doing", event["number"], flush=True)
        time.sleep(event["seconds"])
        if event["number"] == "bad":
            raise RuntimeError("a fault")


workers["jobs"] = Jobs.as_asgi()
"""


def orders(broker, *numbers, seconds=0.0):
    """Send orders in one go."""

    async def send():
        layer = RedisChannelLayer(hosts=[broker.url()], capacity=1000)
        event = {"type": "job.do", "seconds": seconds}
        await asyncio.gather(*(layer.send("jobs", {**event, "number": it}) for it in numbers))

    asyncio.run(send())


def done(*workers):
    lines = [line for worker in workers for line in worker.log(contains="doing ").splitlines()]
    return [line.rpartition(" ")[2] for line in lines]


@pytest.mark.claim(
    "lesson 15",
    'Workers share the orders, but in busy moments one may reach *both*: here "at most once" does '
    "not hold.",
    "Two workers may do one order twice.",
)
@pytest.mark.claim("solutions 15", "the two may get the same order, and print a badge twice")
@pytest.mark.claim(
    "hints 15.2",
    "if two workers read a channel, an order may reach both, and a badge is printed twice.",
)
def test_two_workers_do_an_order_twice(run, broker, redis):
    workers = run(WORKER), run(WORKER)
    ordered = 0
    for _ in range(60):
        orders(broker, *range(ordered, ordered + 10))
        ordered += 10
        assert eventually(lambda so_far=ordered: len(set(done(*workers))) == so_far, within=10)
        if len(done(*workers)) > ordered:
            break
    assert len(done(*workers)) > ordered
    assert all(done(worker) for worker in workers), "both have a share"


@pytest.mark.claim(
    "lesson 15",
    "But a worker fetches orders long before it does them, and keeps them in memory",
    "At the broker there is nothing left of it, and nobody is told. The next order gets a new "
    "consumer",
    "What a worker has fetched has no limit, no expiry, and no help from a later worker. Killed, "
    "it loses them all; an exception loses those behind.",
    "And `runworker` ends when the broker does.",
)
@pytest.mark.claim(
    "solutions 15",
    "An exception would end the consumer, with this order and all that the worker has already "
    "fetched, and no client would learn of it",
)
def test_worker_holds_all_orders(run, tmp_path):
    with Server(BROKER, tmp_path) as own:
        environment = {"REDIS_URL": own.url()}
        first = run(WORKER, **environment)
        orders(own, *range(200), seconds=0.1)  # more than a channel holds
        with Redis.from_url(own.url()) as redis:
            assert eventually(lambda: not redis.zcard("asgijobs"), within=10)
        later = run(WORKER, **environment)
        psutil.Process(first.pid).kill()
        assert eventually(lambda: not first.running, within=5)
        assert len(done(first)) < 200
        orders(own, "bad", seconds=0.5)
        assert eventually(lambda: done(later) == ["bad"], within=5), "it has got no other"
        orders(own, "behind", "too")
        assert eventually(lambda: "a fault" in later.log(), within=5)
        orders(own, "after")
        assert eventually(lambda: "after" in done(later), within=5)
        assert done(later) == ["bad", "after"]
        own.stop()
        assert eventually(lambda: not later.running, within=10)
