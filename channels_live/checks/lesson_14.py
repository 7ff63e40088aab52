"""What is right in the exercises of lesson 14, Run many servers."""

import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from channels_live.checks import Client, Fits, NotYet, Site, at_once, number, word
from channels_live.checks.broker import broker, serve_all
from channels_live.checks.frames import as_json, send

HINTS = {
    "14.1": [
        Fits(
            "when the settings have been read to their end",
            "No error, and silence on the other server: the lesson begins with this. Read the "
            "settings to their end. Which layer is it?",
        ),
        Fits(
            "can not serialize",
            "Once there is a real layer, run the check again and read what your code raised. Which "
            "value in the event is not plain data? Make a text of it before it leaves.",
        ),
        Fits(
            "unhashable type",
            "The same once more, at the other end: what was a tuple when it left is a list when it "
            "arrives. What may be in a set, and what not?",
        ),
        '`timezone.now().isoformat()` where the event is made, `event["at"]` where it arrives, and '
        "`(row, number) in self.mine`.",
    ],
    "14.2": [
        "`RoomConsumer` does most of it: it saves, sends, joins, and calls `send_history`. Which "
        "two of its methods decide what a client reads?",
        "Override `send_history` and `chat_message`. The event has the number already, in "
        '`event["id"]`.',
        'After the question mark: `parse_qs(self.scope["query_string"].decode())` is a dictionary '
        "of lists, as in `VisitorConsumer`.",
        "`Message.objects.filter(room=self.room, pk__gt=…)`, with `async for`. `send_history` must "
        "set `self.shown` in any case, because `chat_message` asks it.",
    ],
    "14.3": [
        "What do two layers have in common that have the same broker? The names of the keys. One "
        "of the layer's options stands at the beginning of all of them.",
        "The option is called `prefix`. It goes into `CONFIG`, beside `hosts`.",
        '`os.environ.get("SITE_NAME", "asgi")` is the name, or the default where there is none.',
    ],
}

PREPARE = """
import json
from django.core.management import call_command
from myapp.models import Message

call_command("migrate", "myapp", verbosity=0)
Message.objects.bulk_create(Message(room=room, text=text) for room, text in {messages!r})
print(json.dumps(list(Message.objects.values_list("pk", flat=True))))
"""


def check_14_1(site: Site) -> None:
    environment = broker(site)
    other = site.twin()
    serve_all(environment, site, other)
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
            send(buyer, seat, *others)
            for client in (buyer, *others):
                expected = seat | {"yours": client is buyer, "at": "..."}
                frame = client.receive(settings if client is cleo else event, expected)
                got = as_json(frame)
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


def check_14_2(site: Site) -> None:
    environment = broker(site)
    other = site.twin()
    room, old = word(), [word() for _ in range(number(55, 65))]
    messages = [message for text in old for message in ((room, text), ("x", text))]
    ids, _ = at_once(
        lambda: _prepare(site, messages),
        lambda: serve_all(environment, site, other),
    )
    said = [{"id": pk, "message": text} for pk, text in zip(ids[::2], old, strict=True)]
    path = f"/ws/steady/{room}/"
    form = "what each client reads: the number of the message, and the message"
    fresh = "what somebody reads who comes without `after`: nothing of what was said before"
    missed = "what somebody reads who comes back: what is newer, of this room, the oldest first"
    twice = "how often a message is sent to a client: once, also if it comes by both ways"

    def say(client: Client, *readers: Client) -> None:
        message = word()
        send(client, {"message": message}, *readers)
        frame = client.receive(form)
        got = as_json(frame)
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
            said += [as_json(dora.receive(form)) for _ in range(count)]
            read(eva, said[-count:], missed)
            say(dora, eva)


def check_14_3(site: Site) -> None:
    environment = broker(site)
    real = environment | {"SITE_NAME": f"real{number()}"}
    staging = environment | {"SITE_NAME": f"staging{number()}"}
    second, tried, nameless, nameless_too = (site.twin() for _ in range(4))
    at_once(
        site.migrate,
        lambda: serve_all(real, site, second),
        lambda: serve_all(staging, tried),
        lambda: serve_all(environment, nameless, nameless_too),
    )
    path = f"/ws/chat/{word()}/"
    let_in = "your settings: the client is not let in"
    together = "which servers share their rooms: those with the same name, or all without one"
    apart = "which servers hear nothing: those with another name, or with none"
    with contextlib.ExitStack() as stack:
        servers = (site, second, tried, nameless, nameless_too)
        clients = [stack.enter_context(server.client(path, let_in)) for server in servers]
        for server in servers:
            server.events()  # until it has sent the history: all read from one database
        for speaker, listeners in ((0, (0, 1)), (2, (2,)), (4, (4, 3)), (1, (1, 0))):
            message = {"message": word()}
            send(clients[speaker], message, *(clients[at] for at in listeners))
            for at in listeners:
                # whoever reads something else has heard another site before
                foreign = (lambda got: isinstance(got, dict) and "message" in got, apart)
                clients[at].expect(message, together, foreign)
        for client in clients:
            client.expect_nothing(apart)


def _prepare(site: Site, messages: Sequence[tuple[str, str]]) -> list[int]:
    """Make the tables, and keep messages, pairs of room and text. Return their numbers."""
    code = PREPARE.format(messages=messages)
    output = site.manage("shell", "--verbosity", "0", "-c", code)
    return json.loads(output.strip().rpartition("\n")[2])


def _is_now(text: Any) -> bool:
    """Tell whether this is a time in ISO form, not long ago in whatever zone."""
    with contextlib.suppress(TypeError, ValueError):
        then = datetime.fromisoformat(text)
        return abs(datetime.now(UTC) - then.replace(tzinfo=then.tzinfo or UTC)) < timedelta(days=1)
    return False
