"""Lesson 15, Give work to a worker: what no cell shows."""

import asyncio
import os
import re

import psutil
import pytest
from brokers import BROKER, NO_BROKER
from channels_redis.core import RedisChannelLayer
from clients import DAPHNE, eventually, manage
from projects import another_answer
from redis import Redis
from rooms import lay_out, read, rewrite, visit

from channels_live.exercise import task
from channels_live.progress import RIGHT
from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project

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
        assert eventually(lambda so_far=ordered: len(set(done(*workers))) == so_far)
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
            assert eventually(lambda: not redis.zcard("asgijobs"))
        later = run(WORKER, **environment)
        psutil.Process(first.pid).kill()
        assert eventually(lambda: not first.running)
        assert len(done(first)) < 200
        orders(own, "bad", seconds=0.5)
        assert eventually(lambda: done(later) == ["bad"]), "it has got no other"
        orders(own, "behind", "too")
        assert eventually(lambda: "a fault" in later.log())
        orders(own, "after")
        assert eventually(lambda: "after" in done(later))
        assert done(later) == ["bad", "after"]
        own.stop()
        assert eventually(lambda: not later.running)


REPORTS = "python manage.py runworker reports"


@pytest.mark.claim(
    "lesson 15",
    'A worker needs `"channels"` in `INSTALLED_APPS`, which brings the command `runworker`',
)
def test_runworker_comes_with_channels(tmp_path):
    copy_project(SAMPLE / "finished", tmp_path)
    rewrite(tmp_path / "myproject/settings.py", ('    "channels",\n', ""))
    told = manage(tmp_path, "runworker", "reports", check=False)
    assert "Unknown command: 'runworker'" in told


def order(broker, key):
    """Order a report with this key. The answers go where nobody reads them."""

    async def send():
        layer = RedisChannelLayer(hosts=[broker.url()])
        address = await layer.new_channel()
        await layer.send("reports", {"type": "report.make", "key": key, "answer_to": address})

    asyncio.run(send())


def told(worker):
    """Return how many answers a worker has sent, once it is done."""
    return str(worker.timeline()).count("report.progress")


@pytest.mark.claim(
    "lesson 15",
    "So an order is begun once, and if its worker is killed, it is never finished.",
)
def test_killed_worker_does_not_finish(run, finished, broker, redis):
    manage(finished, "loaddata", "noticeboard")
    first = run(REPORTS)
    order(broker, "one")
    assert eventually(lambda: redis.keys("asgispecific*")), "the first answer"
    psutil.Process(first.pid).kill()
    assert eventually(lambda: not first.running)
    second = run(REPORTS)
    order(broker, "one")
    order(broker, "two")
    assert eventually(lambda: told(second) == 3)
    assert str(second.timeline()).count("report.make") == 2


@pytest.mark.claim("lesson 15", "To see it, raise something in `make`, and restart the worker.")
def test_now_you_tells_of_a_failure(tmp_path):
    lay_out(tmp_path)
    rewrite(
        tmp_path / "myapp/report_worker.py",
        (
            'has failed.")\n',
            'has failed.")\n            if "answer_to" in order:\n'
            '                self.tell(order, "failed")\n',
        ),
        ("        topics = list(", '        raise RuntimeError("a fault")\n        topics = list('),
    )
    with Server(BROKER, tmp_path) as own:
        environment = os.environ | {"REDIS_URL": own.url()}
        with (
            Server(DAPHNE, tmp_path, environment=environment) as server,
            Server(REPORTS, tmp_path, environment=environment),
            visit(server, "/ws/report/") as websocket,
        ):
            websocket.send("please")
            assert [read(websocket) for _ in range(2)] == [
                {"status": "ordered"},
                {"status": "failed"},
            ]


@pytest.mark.claim(
    "solutions 15",
    "`except Exception` with a line in the log catches what nobody has thought of",
    "Whoever looks at the text in daphne, before the order is sent, saves the worker the trouble",
)
@pytest.mark.parametrize(
    "change",
    [
        ("except ValueError as", "except Exception as"),
        (
            r'        order = \{"type": "telegram.write"',
            "        if not text.isascii():\n"
            '            await self.send_json({"text": text, "error": "no such letter"})\n'
            "            return\n"
            '        order = {"type": "telegram.write"',
        ),
    ],
    ids=["any exception", "in daphne too"],
)
def test_other_answers_to_15_1(change, tmp_path):
    assert another_answer("15.1", tmp_path, {"myapp/telegrams.py": change}).state == RIGHT


@pytest.mark.claim("solutions 15", "It looks, tries to save, and looks again if that fails.")
def test_what_get_or_create_does(finished):
    code = (
        "from unittest.mock import patch\n"
        "from django.db.models import QuerySet\n"
        "from myapp.models import Report\n"
        "Report.objects.filter(key='contested').delete()\n"
        "steps, get, create = [], QuerySet.get, QuerySet.create\n"
        "def look(self, **key):\n"
        "    steps.append('look')\n"
        "    try:\n"
        "        return get(self, **key)\n"
        "    except Report.DoesNotExist:\n"
        "        Report.objects.bulk_create([Report(**key)])  # the other worker is quicker\n"
        "        raise\n"
        "def save(self, **key):\n"
        "    steps.append('save')\n"
        "    return create(self, **key)\n"
        "with patch.object(QuerySet, 'get', look), patch.object(QuerySet, 'create', save):\n"
        "    _, is_new = Report.objects.get_or_create(key='contested')\n"
        "print(*steps, is_new)\n"
    )
    output = manage(finished, "shell", "--verbosity", "0", "-c", code)
    assert output.split() == ["look", "save", "look", "False"]


@pytest.mark.claim(
    "solutions 15", "`Report.objects.create(key=…)`, with `except IntegrityError` around it."
)
def test_other_answer_to_15_3(tmp_path):
    create = """        try:
            Report.objects.create(key=order["key"])
        except IntegrityError:
            return
        self.make(order)
"""
    path = "myapp/payments.py"
    text = dict(task("15.3").files(solved=True))[path]
    text, count = re.subn(r"        _, is_new = .*\n.*\n.*\n", create, text)
    assert count == 1
    text = text.replace("from .bank", "from django.db import IntegrityError\n\nfrom .bank")
    assert another_answer("15.3", tmp_path, {path: text}).state == RIGHT
