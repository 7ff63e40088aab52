"""What is right in the exercises of lesson 13, Run many servers."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from channels_live.checks import Client, NotYet, Site, at_once, number, shown, word
from channels_live.kernel import KERNEL

HINTS = {
    "13.1": [
        "No error, and silence on the other server: the lesson begins with this. Read the settings "
        "to their end. Which layer is it?",
        "Once there is a real layer, run the check again and read what your code raised. Which "
        "value in the event is not plain data? Make a text of it before it leaves.",
        "The same once more, at the other end: what was a tuple when it left is a list when it "
        "arrives. What may be in a set, and what not?",
        '`timezone.now().isoformat()` where the event is made, `event["at"]` where it arrives, and '
        "`(row, number) in self.mine`.",
    ],
    "13.2": [
        "`ReportConsumer` and `ReportWorker` of the lesson do nearly the same. What does your "
        "order need that theirs had not?",
        "The names, and the return address: `self.channel_name`. The type of the order is the name "
        "of a method in `BadgeWorker`, the type of an answer that of one in `BadgeConsumer`.",
        "In the loop: `try` to print, `except ValueError as error`, and an answer in both cases, "
        "before the next name.",
        "The worker is sync: `async_to_sync(self.channel_layer.send)(channel, event)`. The "
        "consumer is async: `await self.channel_layer.send(…)`.",
        "One order with all names, on the one channel `badges`, and one worker: if two workers "
        "read a channel, an order may reach both, and a badge is printed twice.",
    ],
    "13.3": [
        "`RoomConsumer` does most of it: it saves, sends, joins, and calls `send_history`. Which "
        "two of its methods decide what a client reads?",
        "Override `send_history` and `chat_message`. The event has the number already, in "
        '`event["id"]`.',
        'After the question mark: `parse_qs(self.scope["query_string"].decode())` is a dictionary '
        "of lists, as in `VisitorConsumer`.",
        "`Message.objects.filter(room=self.room, pk__gt=…)`, with `async for`. `send_history` must "
        "set `self.shown` in any case, because `chat_message` asks it.",
    ],
}

BAD = "???"  # a name that cannot be printed
BROKER = 'valkey-server --port 6379 --save ""'
PREPARE = """
import json
from django.core.management import call_command
from myapp.models import Message

call_command("migrate", "myapp", verbosity=0)
Message.objects.bulk_create(Message(room=room, text=text) for room, text in {messages!r})
print(json.dumps(list(Message.objects.values_list("pk", flat=True))))
"""


def check_13_1(site: Site) -> None:
    environment = _broker(site)
    other = site.twin()
    _serve(environment, site, other)
    settings = "which layer is left when the settings have been read to their end"
    event = "what becomes of the event on its way: between servers, a layer carries only plain data"
    let_in = "your settings, and `connect`: the client is not let in"
    path = f"/ws/seats/{word()}/"
    with (
        site.client(path, let_in) as anna,
        site.client(path, let_in) as ben,
        other.client(path, let_in) as cleo,
        other.client(f"/ws/seats/{word()}/", let_in) as dora,
    ):

        def sell(buyer: Client, *others: Client) -> None:
            seat = {"row": word(), "number": number()}
            _send(buyer, seat, *others)
            for client in (buyer, *others):
                expected = seat | {"yours": client is buyer, "at": "..."}
                frame = client.receive(settings if client is cleo else event, expected)
                got = _json(frame)
                if isinstance(got, dict) and _is_now(got.get("at")):
                    got["at"] = "..."
                if got == expected:
                    continue
                look = "what each client reads: four keys, and what stands in them"
                if isinstance(got, dict) and any(got.get(key) != seat[key] for key in seat):
                    look = "which sale it is: what was sent, and only sales of this show"
                elif isinstance(got, dict) and got.get("yours") is not expected["yours"]:
                    look = "what `yours` says: true only for the client that has bought the seat"
                elif isinstance(got, dict) and got.get("at") != "...":
                    look = "`at`: the time of the sale, in the form of `isoformat()`"
                raise NotYet(look, sent=client.sent, got=frame, expected=expected)

        sell(anna, ben, cleo)
        sell(cleo, anna, ben)
        sell(dora)  # this is the first that she reads
        sell(ben, cleo, anna)


def check_13_2(site: Site) -> None:
    environment = _broker(site)
    worker = site.twin()
    at_once(
        lambda: site.serve(environment=environment),
        lambda: worker.serve("python manage.py runworker badges", environment=environment),
    )
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

    def read(client: Client, expected: list[dict[str, Any]], look: str | None = None) -> None:
        for answer in expected:
            try:
                frame = client.receive("", answer)
            except NotYet as problem:
                problem.look = look or way()
                raise
            got = _json(frame)
            if isinstance(got, dict) and "error" in got:
                got["error"] = "..."
            if got == answer:
                continue
            instead = "what each client reads: the file or an error, and how many are left"
            if isinstance(got, dict) and "badge" in got and got["badge"] != answer.get("badge"):
                instead = look or badge
            elif isinstance(got, dict) and got.keys() == answer.keys():
                instead = "what `left` says: how many badges of this order are still to come"
            raise NotYet(instead, sent=client.sent, got=frame, expected=answer)

    with site.client("/ws/badges/") as anna, site.client("/ws/badges/") as ben:
        read(anna, order(anna, *(word() for _ in range(5))))
        calls = [event["at"] for event in worker.events("call")]
        times = [event["at"] for event in worker.events("layer", op="send")]
        # a loaded machine stretches all of it alike
        if calls and times and times[-1] - times[0] < times[0] - calls[0]:
            got = "the answers at once, after a while"
            raise NotYet(each, sent=anna.sent, got=got, expected="one after the other")
        to_anna, to_ben = order(anna, word(), word(), word()), order(ben, word(), word())
        read(anna, to_anna, own)
        read(ben, to_ben, own)
        read(ben, order(ben, word(), BAD, word()), going_on)
        with site.client("/ws/badges/") as cleo:
            order(cleo, word(), word())
            cleo.abort()
        last = word()
        read(anna, order(anna, last), "whether all goes on as before when somebody has left")
    for server, wanted, got in (
        (site.server, False, "daphne has printed it"),
        (worker.server, True, "the worker has not printed it"),
    ):
        if bool(server.log(contains=f"printed {last}.pdf")) != wanted:
            raise NotYet("who calls `print_badge`: only the worker", got=got)


def check_13_3(site: Site) -> None:
    environment = _broker(site)
    other = site.twin()
    room, old = word(), [word() for _ in range(number(55, 65))]
    messages = [message for text in old for message in ((room, text), ("x", text))]
    ids, _ = at_once(
        lambda: _prepare(site, messages),
        lambda: _serve(environment, site, other),
    )
    said = [{"id": pk, "message": text} for pk, text in zip(ids[::2], old, strict=True)]
    path = f"/ws/steady/{room}/"
    form = "what each client reads: the number of the message, and the message"
    fresh = "what somebody reads who comes without `after`: nothing of what was said before"
    missed = "what somebody reads who comes back: what is newer, of this room, the oldest first"
    twice = "how often a message is sent to a client: once, also if it comes by both ways"

    def say(client: Client, *readers: Client) -> None:
        message = word()
        _send(client, {"message": message}, *readers)
        frame = client.receive(form)
        got = _json(frame)
        if not isinstance(got, dict) or got.keys() != {"id", "message"}:
            raise NotYet(form, sent=client.sent, got=frame, expected=f'id and "{message}"')
        if got["message"] != message:
            look = fresh if got["id"] in ids else twice
            raise NotYet(look, sent=client.sent, got=frame, expected=f'id and "{message}"')
        if said and not (type(got["id"]) is int and got["id"] > said[-1]["id"]):
            look = "which number it is: the primary key of the saved message"
            raise NotYet(look, sent=client.sent, got=frame, expected="a higher number")
        said.append(got)
        for reader in readers:
            reader.expect(got, "what reaches the other server")

    def read(client: Client, expected: list[dict[str, Any]], look: str) -> None:
        again = "what `after` names: the last number that was read. What is read now is higher"
        for message in expected:
            before = said[: said.index(message)]
            client.expect(message, look, (before.__contains__, again))
            again = twice

    with site.client(path) as anna:
        with other.client(path) as ben:
            say(anna, ben)
            say(ben, anna)
            ben.abort()
        last = said[-1]["id"]
        with other.client(f"/ws/steady/{word()}/") as elsewhere:
            elsewhere.send({"message": word()})
            elsewhere.receive(form)
        for _ in range(3):
            say(anna)
        with site.client(f"{path}?after={last}") as ben:
            read(ben, said[-3:], missed)
            say(anna, ben)
        with other.client(f"{path}?after={said[1]['id']}") as cleo:
            read(cleo, said[2:], missed)
            say(cleo, anna)

    count, last = 15, said[-1]["id"]
    with other.client(path) as dora:
        for _ in range(count):
            dora.send({"message": word()})
        with site.client(f"{path}?after={last}") as eva:  # in the midst of it
            said += [_json(dora.receive(form)) for _ in range(count)]
            read(eva, said[-count:], missed)
            say(dora, eva)


def _serve(environment: Mapping[str, str], *sites: Site) -> None:
    """Start a server on each of these sites, all at the same time."""
    at_once(*(partial(site.serve, environment=environment) for site in sites))


def _broker(site: Site) -> dict[str, str]:
    """Start a broker, or take the learner's own if there is none. Return its `REDIS_URL`."""
    look = "the broker: without one nothing can be tried here. Your files are not at fault"
    try:
        address = site.twin().serve(BROKER, look).url()
    except NotYet:
        if not KERNEL.own_broker:
            raise
        address = KERNEL.own_broker
    return {"REDIS_URL": address}


def _prepare(site: Site, messages: Sequence[tuple[str, str]]) -> list[int]:
    """Make the tables, and keep messages, pairs of room and text. Return their numbers."""
    code = PREPARE.format(messages=messages)
    status, output = site.python("manage.py", "shell", "--verbosity", "0", "-c", code)
    if status:
        look = "whether `manage.py` still works with your files"
        raise NotYet(look, sent="python manage.py migrate", got=shown(output[-200:]))
    return json.loads(output.strip().rpartition("\n")[2])


def _send(sender: Client, frame: Mapping[str, Any], *readers: Client) -> None:
    """Send a frame. If one of these errs over it, that NotYet will have what was sent."""
    sender.send(frame)
    for reader in readers:
        whose = "another client" if reader.site is sender.site else "a client of the other server"
        reader.sent = f"{shown(sender.sent)}, by {whose}"


def _json(frame: str | bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(frame)


def _is_now(text: Any) -> bool:
    """Tell whether this is a time in ISO form, not long ago in whatever zone."""
    with contextlib.suppress(TypeError, ValueError):
        then = datetime.fromisoformat(text)
        return abs(datetime.now(UTC) - then.replace(tzinfo=then.tzinfo or UTC)) < timedelta(days=1)
    return False
