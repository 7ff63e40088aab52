"""What is right in the exercises of lesson 12, Talk to each other with groups."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from channels_live.checks import RAISED, Client, NotYet, Site, at_once, shown, word

HINTS = {
    "12.1": [
        "Which call gives a coroutine that nobody awaits? Compare `connect` with the lesson's. "
        "(Once you have changed any line, the check says below its answer what the log says.)",
        "The type of an event names a method, with `_` for `.`. Compare the two, word by word.",
        'What becomes of `"type": "item.wanted"` if the client sends a `type` too? '
        'Take only what you need: `json.loads(text_data)["item"]`.',
        "Whoever joins must also leave: `await "
        "self.channel_layer.group_discard(self.group, self.channel_name)`. `disconnect` runs when "
        "a client leaves, but not after an exception.",
        "What runs in any case is a `finally` around `await super().__call__(scope, receive, "
        "send)`, as in `RoomConsumer` and `TopicConsumer`.",
    ],
    "12.2": [
        "`self.visitors` is a dictionary, kept by `VisitorConsumer`: the name of a channel → the "
        "name of the visitor. Which channels belong to `to`?",
        "`self.channel_layer.send(channel, event)` puts an event into one channel. Its type is "
        "the name of a method again, and that method sends the frame.",
        "`message_in(text_data)` returns the message, or raises a ValueError with words for the "
        "client. Raise one of your own if nobody is called `to`, and you need only one `except`.",
        'Build the event yourself: `{"type": "whisper.heard", "from": self.name, "text": …}`, and '
        "write `async def whisper_heard(self, event)`.",
    ],
    "12.3": [
        "The consumer is like the lesson's `TopicConsumer`, with one group for everybody.",
        "The signal is like the one above it. `instance` is the topic: it has a `title` and "
        "`get_absolute_url()`.",
        "`created` is false for a topic that was there before. And `transaction.on_commit(…)` "
        "takes a function that it calls later, or never.",
    ],
}

LEFT = "what your consumer does when somebody leaves: their channel must be taken out of the group"
ENDED = "what runs when an exception ends your consumer: `disconnect` does not, a `finally` does"


def check_12_1(site: Site) -> None:
    site.serve()
    flat, other = f"flat-{word()}", f"flat-{word()}"
    way = "the way of an item: `group_add`, `group_send`, and the method that the type names"
    only = "what goes on to the others: the item, and nothing else of the frame"
    chosen = "who chooses the type of the event: here the client did, because it sent one"
    with (
        _shopper(site, flat) as anna,
        _shopper(site, flat) as ben,
        _shopper(site, other) as cleo,
    ):

        def wanted(sender: Client, look: str, **more: Any) -> None:
            item = word()
            _send(sender, {"item": item, **more}, anna, ben)
            for reader in (anna, ben):
                reader.expect({"item": item}, look)

        wanted(anna, way)
        wanted(ben, way)
        cleo.expect_nothing("which clients are in one group: those of the same flat")
        wanted(anna, only, shop=word())
        for kind in (word(), "send", "item.needed", "websocket.disconnect"):
            wanted(anna, chosen, type=kind)
        wanted(anna, chosen)  # who was told of a disconnect is deaf
        ben.close()
        _has_left(site)
        with _shopper(site, flat) as dora:
            dora.abort()
            _has_left(site)
        with _shopper(site, flat) as eva:
            eva.send("not json")  # may be answered, or end the consumer
            site.forgive()
            eva.close()
            _has_left(site, "a frame that is not JSON, and the end of the connection", ENDED)
        item = word()
        anna.send({"item": item})
        anna.expect({"item": item}, "whether others go on as before when somebody has left")


def check_12_2(site: Site) -> None:
    at_once(site.migrate, site.serve)
    room = word()
    anna, ben, cleo, dora, eva = (word() for _ in range(5))
    way = "the way of a whisper: which channels belong to this name, `send`, and your method"
    aloud = "who hears a whisper: it must not be said to the whole room"
    same = "who hears it if two have this name: both"
    extra = "what goes into the event: build it key by key, the type above all"
    nobody = "what the sender reads if there is nobody of this name in the room"
    wrong = "what the sender reads if the room would not take the message: `message_in` judges it"
    with (
        _visitor(site, room, anna) as in_anna,
        _visitor(site, room, ben) as in_ben,
        _visitor(site, room, ben) as in_ben_too,
        _visitor(site, room, cleo) as in_cleo,
        _visitor(site, word(), dora) as elsewhere,
    ):
        inside = (in_anna, in_ben, in_ben_too, in_cleo)
        _all_see([anna, ben, ben, cleo], *inside)
        _all_see([dora], elsewhere)

        said = word()
        _send(in_cleo, {"message": said}, *inside)
        for reader in inside:
            reader.expect({"message": said}, "what becomes of a frame without `to`: as before")

        for more in ({}, {"type": "websocket.disconnect"}):
            text = word()
            _send(in_anna, {"to": ben, "message": text, **more}, *inside)
            whisper, loud = {"from": anna, "whisper": text}, ({"message": text}, aloud)
            in_ben.expect(whisper, extra if more else way, loud)
            in_ben_too.expect(whisper, same, loud)
            in_cleo.expect_nothing(aloud)
            in_anna.expect_nothing("what the sender of a whisper reads: nothing")
        text = word()
        _send(in_cleo, {"to": anna, "message": text}, in_anna)
        in_anna.expect({"from": cleo, "whisper": text}, "whom a whisper is from")

        for name in (word(), dora):
            _send(in_anna, {"to": name, "message": word()}, *inside, elsewhere)
            _error(in_anna, nobody)
        elsewhere.expect_nothing("who can be whispered to: only those in the same room")
        for message in (" ", "x" * 501, 7):
            _send(in_anna, {"to": ben, "message": message}, *inside)
            _error(in_anna, wrong)
        for reader in (in_ben, in_ben_too, in_cleo):
            reader.expect_nothing("who hears of an error: nobody but the one who sent the frame")

        in_cleo.abort()
        _all_see([anna, ben, ben], in_anna, in_ben, in_ben_too)
        in_anna.send({"to": cleo, "message": word()})
        _error(
            in_anna, "what the sender reads if somebody of this name has been here, but has left"
        )

        with _visitor(site, room, eva) as new:
            kept = "what is in the history: no whisper, so none may be kept in the database"
            new.expect({"message": said}, kept)
            new.expect({"here": [eva]}, kept)
            _all_see([anna, ben, ben, eva], in_anna, in_ben, in_ben_too, new)
            text = word()
            _send(in_anna, {"to": eva, "message": text}, new)
            new.expect({"from": anna, "whisper": text}, "whether newcomers can be whispered to")


def check_12_3(site: Site) -> None:
    at_once(site.migrate, site.serve)
    posted = "what this view calls: your signal is a part of it"
    way = "the way from the signal to the client: `group_send`, its group, the type, the method"
    all_of_it = "what is told of a topic: its title and its address"
    order = "which topics of a list are told: all of them, in the order of the list"
    early = "when it is told: here the topics were taken back, and you had told of them already"
    again = "which topics are told: only new ones. What does `created` say?"
    with _reasons(site), _reader(site) as anna, _reader(site) as ben:

        def post(*titles: str, status: int = 201) -> None:
            path = "/new-topic/" if len(titles) == 1 else "/new-topics/"
            site.page(path, posted, status, "POST", content="\n".join(titles))
            anna.sent = ben.sent = f"POST {path}: {', '.join(titles)}"

        def told(title: str, look: str, *readers: Client) -> None:
            event = {"title": title, "url": f"/topics/{title.lower().replace(' ', '-')}/"}
            for reader in readers:
                reader.expect(event, look, (lambda got: title in str(got), all_of_it))

        def not_told(look: str) -> None:
            for reader in (anna, ben):
                reader.expect_nothing(look)

        first, second, third, fourth = (f"{word().title()} {word()}" for _ in range(4))
        post(first)
        told(first, way, anna, ben)
        post(second, third)
        told(second, order, anna, ben)
        told(third, order, anna, ben)
        post(fourth, "???", status=400)
        not_told(early)
        post(first.upper())
        not_told(again)
        ben.abort()
        _has_left(site)
        post(second.upper(), fourth)
        told(fourth, "whether all goes on as before when somebody has left", anna)


def _shopper(site: Site, flat: str) -> AbstractContextManager[Client]:
    return site.client(f"/ws/shopping/{flat}/")


def _visitor(site: Site, room: str, name: str) -> AbstractContextManager[Client]:
    return site.client(f"/ws/whisper/{room}/?name={name}")


def _reader(site: Site) -> AbstractContextManager[Client]:
    return site.client("/ws/new-topics/")


def _send(sender: Client, frame: Mapping[str, Any], *readers: Client) -> None:
    """Send a frame. If one of these errs over it, that NotYet will have what was sent."""
    sender.send(frame)
    for reader in readers:
        if reader is not sender:
            reader.sent = f"{shown(sender.sent)}, by another client"


def _all_see(names: list[str], *clients: Client) -> None:
    """Let each client read until it sees that these are here."""
    look = "what your consumer leaves of `VisitorConsumer`: all of it must still work"
    here = {"here": sorted(names)}
    for client in clients:
        while _json(client.receive(look, here)) != here:
            pass


def _error(client: Client, look: str) -> None:
    expected = 'an {"error": …}'
    answer = client.receive(look, expected)
    content = _json(answer)
    if not (isinstance(content, dict) and "error" in content):
        raise NotYet(look, sent=client.sent, got=answer, expected=expected)


def _json(frame: str | bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(frame)


def _has_left(site: Site, sent: str = "the end of a connection", look: str = LEFT) -> None:
    """Raise NotYet if somebody who has left is still in a group."""
    gone = {event["conn"] for event in site.events("close")}

    def groups(op: str) -> set[tuple[int, str]]:
        return {(event["conn"], event["target"]) for event in site.events("layer", op=op)}

    for conn, group in groups("group_add") - groups("group_discard"):
        if conn in gone:
            got = f"their channel is still in the group {group}"
            raise NotYet(look, sent=sent, got=got)
    if site.errors():
        raise NotYet(look, sent=sent, got="an exception")


@contextlib.contextmanager
def _reasons(site: Site) -> Iterator[None]:
    """Add to a NotYet what was raised in `on_commit(…, robust=True)`: only the log has it.

    Django asks for the function's `__qualname__` then, and raises once more for a `partial`.
    """
    try:
        yield
    except NotYet as problem:
        raised = [] if site.events("error") else RAISED.findall(site.server.log())
        if own := [words for words in raised if "__qualname__" not in words]:
            problem.more["the log says"] = shown(own[-1])
        raise
