"""What is right in the exercises of lesson 15, Give work to a worker."""

import time
from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any

from channels_live.checks import Client, Fits, NotYet, Site, at_once, number, word
from channels_live.checks.broker import broker
from channels_live.checks.frames import as_json
from channels_live.record import deadline

HINTS = {
    "15.1": [
        Fits(
            "was never awaited",
            "The worker gets the order, and nobody hears of it. What does a sync method have to "
            "do before it calls a layer? (Once you have changed any line, the check says below "
            "its answer what the log says.)",
        ),
        Fits(
            "only the client that has ordered|KeyError: 'answer_to'|the way back",
            "Who reads what is sent to a group? The order can carry a return address, as in the "
            "lesson's `ReportConsumer`.",
        ),
        Fits(
            "the text, and an error|the wire cannot carry",
            "An exception ends the worker's consumer, and takes along what it has fetched. Catch "
            "the `ValueError` where it comes up, and make an answer of it.",
        ),
    ],
    "15.2": [
        "`ReportConsumer` and `ReportWorker` of the lesson do nearly the same. What does your "
        "order need that theirs had not?",
        Fits(
            "KeyError: 'answer_to'|only the client that has ordered|The worker got nothing",
            "The names, and the return address: `self.channel_name`. The type of the order is "
            "the name of a method in `BadgeWorker`, the type of an answer that of one in "
            "`BadgeConsumer`.",
        ),
        Fits(
            "has no letters|the next one is printed",
            "In the loop: `try` to print, `except ValueError as error`, and an answer in both "
            "cases, before the next name.",
        ),
        Fits(
            "was never awaited",
            "The worker is sync: `async_to_sync(self.channel_layer.send)(channel, event)`. The "
            "consumer is async: `await self.channel_layer.send(…)`.",
        ),
        "One order with all names, on the one channel `badges`, and one worker: if two workers "
        "read a channel, an order may reach both, and a badge is printed twice.",
    ],
    "15.3": [
        "What do two workers share, so that one can know what the other has begun? A set in the "
        "consumer they do not.",
        Fits(
            "how often the bank is asked for one order|what becomes of a key that comes again",
            "`Report.objects.get_or_create(key=…)` returns a pair. Its second part says whether "
            "the key is new. When must it be asked: before the bank or after it?",
        ),
        Fits(
            "is no amount|the key, and an error",
            "`except ValueError as error` around `charge`, and an answer in both cases: "
            '`{"type": "payment.answer", "answer": {…}}`, to the channel `order["answer_to"]`.',
        ),
        Fits(
            "UNIQUE constraint failed|database is locked",
            "Between asking for a key and saving it, the other worker may do the same. Save first, "
            "and catch the `IntegrityError`; `get_or_create` does that for you.",
        ),
    ],
}

BAD = "???"  # a name that cannot be printed
PUBSUB = {"CHANNEL_LAYER": "channels_redis.pubsub.RedisPubSubChannelLayer"}
TUNED_IN = 5.0  # seconds that it may take
CROSSED = 0.3  # seconds that a worker waits for the other, which may not look


def check_15_1(site: Site) -> None:
    environment = broker(site)
    worker = _serve_with_worker(site, environment, "telegrams")
    way = "the way back: from the worker, which is sync, to the client that has ordered"
    own = "who reads an answer: only the client that has ordered"
    cannot = "what the client reads if the wire cannot carry its text: the text, and an error"
    others = "what becomes of the telegrams behind one that cannot be sent"

    def order(client: Client, *texts: str) -> list[dict[str, str]]:
        """Hand in texts. Return the answers that must come."""
        for text in texts:
            client.send({"text": text})
        return [
            {"text": text} | ({"wire": text.upper()} if text.isascii() else {"error": "..."})
            for text in texts
        ]

    def read(client: Client, expected: list[dict[str, str]], look: str) -> None:
        while expected:  # in whatever order
            frame = client.receive(look, expected[0])
            got = as_json(frame)
            if isinstance(got, dict) and "error" in got:
                got["error"] = "..."
            if got not in expected:
                raise NotYet(look, sent=client.sent, got=frame, expected=expected[0])
            expected.remove(got)

    with site.client("/ws/telegrams/") as anna, site.client("/ws/telegrams/") as ben:
        read(anna, order(anna, f"{word()} {word()}"), way)
        to_anna, to_ben = order(anna, word(), word()), order(ben, word(), word())
        read(ben, to_ben, own)
        read(anna, to_anna, own)
        read(ben, order(ben, f"{word()} é"), cannot)
        to_anna, to_ben = order(anna, word(), f"é {word()}", word()), order(ben, word())
        read(anna, to_anna, others)
        read(ben, to_ben, others)
        last = word()
        read(anna, order(anna, last), others)
        ben.expect_nothing(own)
    _only_in_the_worker(site, worker, "to_wire", f"wired {last}")


PATIENT = """

_print_badge, _waits_for = print_badge, {name!r}


def print_badge(name):
    import time
    from pathlib import Path

    while name == _waits_for and not Path({go!r}).exists():
        time.sleep(0.005)
    return _print_badge(name)
"""


def check_15_2(site: Site) -> None:
    first, second = word(), word()
    go = site.folder / "go"
    with (site.folder / "myapp/printer.py").open("a", encoding="utf-8") as file:
        file.write(PATIENT.format(name=second, go=str(go)))  # until the first has been told
    environment = broker(site)
    worker = _serve_with_worker(site, environment, "badges")
    own = "who reads the answers: only the client that has ordered"
    badge = "which badge it is: the file that `print_badge` returns, in the order of the names"
    each = "when the worker tells: after each badge, not when all are printed"
    going_on = "what happens after a name that cannot be printed: the next one is printed"

    def way() -> str:
        if not worker.events("call"):
            return "the way of the order: which channel, and which type? The worker got nothing"
        return "the way back: the worker sends to the channel of the client that has ordered"

    def order(client: Client, *names: str) -> list[dict[str, Any]]:
        """Send an order. Return what must come of it."""
        client.send({"names": names})
        return [
            {"badge": f"{name}.pdf", "left": len(names) - at}
            if name != BAD
            else {"error": "...", "left": len(names) - at}
            for at, name in enumerate(names, 1)
        ]

    def read(
        client: Client,
        expected: list[dict[str, Any]],
        look: str | None = None,
        another: str | None = None,
    ) -> None:
        """Read answers. another: what to look at if a badge comes that is none of these."""
        for answer in expected:
            try:
                frame = client.receive("", answer)
            except NotYet as problem:
                problem.look = look or way()
                raise
            got = as_json(frame)
            if isinstance(got, dict) and "error" in got:
                got["error"] = "..."
            if got == answer:
                continue
            instead = "what each client reads: the file or an error, and how many are left"
            if isinstance(got, dict) and "badge" in got and got["badge"] != answer.get("badge"):
                instead = another or look or badge
            elif isinstance(got, dict) and got.keys() == answer.keys():
                instead = "what `left` says: how many badges of this order are still to come"
            raise NotYet(instead, sent=client.sent, got=frame, expected=answer)

    with site.client("/ws/badges/") as anna, site.client("/ws/badges/") as ben:
        one, other = order(anna, first, second)
        try:
            read(anna, [one])
        except NotYet as problem:
            go.touch()
            if str(problem.got).startswith("nothing"):
                read(anna, [one], problem.look, badge)  # or it never comes
                _only_in_the_worker(site, worker, "print_badge", f"printed {first}.pdf")
                got = "nothing, until all were printed"
                raise NotYet(each, sent=anna.sent, got=got, expected=one) from None
            raise
        go.touch()
        read(anna, [other])
        to_anna, to_ben = order(anna, word(), word(), word()), order(ben, word(), word())
        read(anna, to_anna, own)
        read(ben, to_ben, own)
        read(ben, order(ben, word(), BAD, word()), going_on)
        with site.client("/ws/badges/") as cleo:
            order(cleo, word(), word())
            cleo.abort()
        last = word()
        read(anna, order(anna, last), "whether all goes on as before when somebody has left")
    _only_in_the_worker(site, worker, "print_badge", f"printed {last}.pdf")


def check_15_3(site: Site) -> None:
    environment = broker(site) | PUBSUB
    _let_workers_cross(site)
    workers = [site.twin(), site.twin()]
    command = "python manage.py runworker payments"
    serving = [partial(worker.serve, command, environment=environment) for worker in workers]
    at_once(site.migrate, partial(site.serve, environment=environment), *serving)
    _wait_for_both(environment, "payments")
    way = "the way of a payment: from `payment_make` to the bank, and back to the client"
    once = "how often the bank is asked for one order: both workers get it, and one must do it"
    again = "what becomes of a key that comes again: nothing is charged, and nobody is told"
    refused = "what the client reads if the bank refuses: the key, and an error"
    known = "what a worker says that was not the first with a key: nothing"
    harm = "what one order does to others: an exception ends the consumer of a worker"

    def pay(client: Client, *amounts: int) -> list[dict[str, Any]]:
        """Send an order for each amount. Return the answers that must come."""
        answers = []
        for amount in amounts:
            order = {"key": word(), "amount": amount}
            client.send(order)
            result = {"charged": amount} if amount > 0 else {"error": "..."}
            answers.append({"key": order["key"], **result})
        return answers

    def read(client: Client, expected: list[dict[str, Any]], look: str) -> None:
        left = list(expected)
        while left:  # in whatever order
            frame = client.receive(look, left[0])
            got = as_json(frame)
            if isinstance(got, dict) and "error" in got:
                got["error"] = "..."
            if got not in left:
                if got in expected:
                    look = once
                elif isinstance(got, dict) and "error" in got and "charged" in left[0]:
                    look = known
                raise NotYet(look, sent=client.sent, got=frame, expected=left[0])
            left.remove(got)
        for answer in expected:
            charged(client, answer.get("charged"), 1, once)

    def charged(client: Client, amount: int | None, times: int, look: str) -> None:
        for worker in workers:
            if worker.errors():
                raise NotYet(harm, sent=client.sent, got="an exception")
        lines = [line for worker in workers for line in worker.server.log().splitlines()]
        found = lines.count(f"charged {amount}")
        if amount and found != times:
            got, expected = (_times(many) for many in (found, times))
            raise NotYet(look, sent=client.sent, got=got, expected=expected)

    def amounts(many: int) -> list[int]:
        """Return amounts that nobody has charged yet."""
        return [next(fresh) for _ in range(many)]

    fresh = count(number())
    with site.client("/ws/payments/") as anna, site.client("/ws/payments/") as ben:
        (first,) = pay(anna, *amounts(1))
        read(anna, [first], way)
        read(anna, pay(anna, *amounts(5)), once)
        (more,) = amounts(1)
        ben.send({"key": first["key"], "amount": more})
        read(ben, pay(ben, *amounts(1)), again)
        charged(ben, more, 0, again)
        (declined,) = pay(ben, -number())
        read(ben, [declined], refused)
        (more,) = amounts(1)
        anna.send({"key": declined["key"], "amount": more})
        read(anna, pay(anna, *amounts(1)), again)
        charged(anna, more, 0, again)
        to_anna, to_ben = pay(anna, *amounts(2), -number(), *amounts(1)), pay(ben, *amounts(2))
        read(anna, to_anna, harm)
        read(ben, to_ben, harm)
        anna.expect_nothing(once)
        ben.expect_nothing(once)


def _times(number: int) -> str:
    """Return how often an amount was charged, in words."""
    return {0: "not charged", 1: "charged once"}.get(number, f"charged {number} times")


CROSSING = """

def _cross(seen, wait):
    import hashlib
    import os
    import time
    from pathlib import Path

    from django.db.backends.signals import connection_created

    def look(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if sql.startswith("SELECT") and "myapp_report" in sql:
            what = hashlib.sha256(str(params).encode()).hexdigest()
            (Path(seen) / f"{{what}}.{{os.getpid()}}").touch()
            end = time.monotonic() + wait
            while len(list(Path(seen).glob(f"{{what}}.*"))) < 2 and time.monotonic() < end:
                time.sleep(0.005)
        return found

    connection_created.connect(
        lambda connection, **_: connection.execute_wrappers.append(look), weak=False
    )


_cross({seen!r}, {wait})
"""


def _let_workers_cross(site: Site) -> None:
    """Let who looks for a key of a Report wait until the other worker has looked too.

    It happens by chance as well, now and then: both find nothing, and both go on.
    """
    seen = site.folder.parent / "seen"
    seen.mkdir()
    with (site.folder / "myproject/settings.py").open("a", encoding="utf-8") as settings:
        code = CROSSING.format(seen=str(seen), wait=CROSSED)
        # of no file, so that an exception is in one of the learner's
        settings.write(f"\nexec(compile({code!r}, '<check>', 'exec'), {{}})\n")


def _wait_for_both(environment: Mapping[str, str], channel: str) -> None:
    """Wait until two workers are tuned in to a channel."""
    from redis import Redis  # costs a tenth of a second, and few checks need it

    left = deadline(TUNED_IN)
    with Redis.from_url(environment["REDIS_URL"]) as redis:
        while redis.pubsub_numsub(channel)[0][1] < 2 and left():
            time.sleep(0.01)


def _serve_with_worker(site: Site, environment: Mapping[str, str], channel: str) -> Site:
    """Start daphne, and a worker for a channel at the same time. Return the worker's site."""
    worker = site.twin()
    command = f"python manage.py runworker {channel}"
    at_once(
        lambda: site.serve(environment=environment),
        lambda: worker.serve(command, environment=environment),
    )
    return worker


def _only_in_the_worker(site: Site, worker: Site, function: str, printed: str) -> None:
    """Raise NotYet unless the worker, and not daphne, has printed this."""
    for server, wanted, got in (
        (site.server, False, "daphne has done it"),
        (worker.server, True, "the worker has not done it"),
    ):
        if bool(server.log(contains=printed)) != wanted:
            raise NotYet(f"who calls `{function}`: only the worker", got=got)
