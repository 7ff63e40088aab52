"""What is right in the exercises of lesson 10, Handle any event."""

import contextlib
import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from channels_live.checks import Fits, NotYet, Site, number, play, shown, word

_INSIDE = re.compile(r"Exception inside application: (.+)")

HINTS = {
    "10.1": [
        Fits(
            "No handler for message type websocket",
            "Run the check and read what your code raised. Then look at the lesson's table: which "
            "method does an event of the type `websocket.connect` call?",
        ),
        Fits(
            "No handler for message type websocket",
            "All three methods are named after events: `websocket_connect`, `websocket_receive`, "
            "`websocket_disconnect`.",
        ),
        Fits(
            "Which types does daphne take|under which key",
            "What goes to the client is an event too. The lesson names three types that daphne "
            "takes: `websocket.accept`, `websocket.send`, `websocket.close`.",
        ),
        Fits(
            "does it say that the consumer is done|not before its client has left",
            "A consumer says that it is done by `raise StopConsumer`, from `channels.exceptions`. "
            "Which of the three methods is the last one to be called?",
        ),
    ],
    "10.2": [
        "Two methods are missing. Their names are the types of the events, with `_` for `.`",
        "`vote_open` has left `self.counts`, a dictionary. In `vote_cast(self, event)`: is "
        '`event["choice"]` in it? If not, `self.send(…)` an event, which is a dictionary too.',
        "`vote_close` sends an event with `self.counts` in it. The last thing that it does is "
        "`raise StopConsumer`.",
    ],
    "10.3": [
        "Two types, two methods. There are two numbers to remember: the last one that was printed, "
        "and the last one that was called.",
        "A worker keeps one instance for each channel, so `self` belongs to one shop. "
        "`printed = 0` in the class is where each instance begins.",
        "The answer goes out as in `SquareConsumer`: "
        '`async_to_sync(self.channel_layer.send)(event["answer_to"], {…})`.',
        "Nobody waits if the last number called is the last one printed.",
    ],
}


def check_10_1(site: Site) -> None:
    site.serve()
    named = "the method for `websocket.connect`: its name, and whether it sends `websocket.accept`"
    typed = (
        "what your method is called, and what it sends: that is an event too. Which types does "
        "daphne take, and under which key does it look for the text?"
    )
    early = "when your consumer says that it is done: not before its client has left"
    text = 'the text of your answer: the name in it is what came, and that is in `event["text"]`'
    with site.client("/ws/bell/", named) as anna:
        for name, look in ((word(), typed), (word(), early)):
            anna.send(name)
            anna.expect(f"ding dong, {name}", look, (lambda _: True, text))
    bell = {"type": "websocket", "path": "/ws/bell/", "headers": [], "subprotocols": []}
    left = {"type": "websocket.disconnect", "code": 1000}
    with _played(site, "by_hand", "myapp.bell:BellConsumer") as give:
        give(bell, {"type": "websocket.connect"})
        _, state = give(bell, left)
    if state != "has ended":
        look = "the method for this event: does it say that the consumer is done?"
        raise NotYet(look, sent=left, got=f"the consumer {state}", expected="it has ended")


def check_10_2(site: Site) -> None:
    meals, drinks, stray = [word(), word(), word()], [word(), word()], word()
    many = number(2, 9)
    lunch, cup = ({"type": "vote", "name": word()} for _ in range(2))  # each a scope
    first = "what is sent for a choice that is among the choices: nothing"
    other = "what happens to a choice that is not among the choices"
    own = "where the counts are kept: two votes are open now, and each has counts of its own"
    end = "the counts: of every choice, and not of what was refused"
    silent = "your method for `vote.close`: it sends the result, and after that the consumer ends"
    steps: list[tuple[dict[str, str], str, dict[str, Any], dict[str, Any] | None, str]] = [
        # vote, what, with, what must be sent, what to look at
        (lunch, "open", {"choices": meals}, None, "`vote_open`: it was right as it was"),
        (lunch, "cast", {"choice": meals[0]}, None, first),
        (lunch, "cast", {"choice": stray}, {"type": "vote.refused", "choice": stray}, other),
        (cup, "open", {"choices": drinks}, None, "`vote_open`: it was right as it was"),
        *[(lunch, "cast", {"choice": meals[1]}, None, own)] * many,
        (cup, "cast", {"choice": drinks[1]}, None, own),
        (cup, "cast", {"choice": meals[0]}, {"type": "vote.refused", "choice": meals[0]}, own),
        (lunch, "close", {}, _result({meals[0]: 1, meals[1]: many, meals[2]: 0}), end),
        (cup, "cast", {"choice": drinks[1]}, None, "who ends with a vote: only its own consumer"),
        (cup, "close", {}, _result({drinks[0]: 0, drinks[1]: 2}), end),
    ]
    with _played(site, "by_hand", "myapp.votes:VoteConsumer") as give:
        for vote, what, content, expected, look in steps:
            event = {"type": f"vote.{what}", **content}
            sent, state = give(vote, event)
            if state != "waits for an event" and state != "has ended":
                got = f"the consumer {state}"
                raise NotYet(f"your method for `{event['type']}`", sent=event, got=got)
            if sent != ([expected] if expected else []):
                got = ", ".join(map(shown, sent)) or "nothing"
                if any(isinstance(one, str) for one in sent):
                    look = "what your method sends: an event is a dictionary, and this is a text"
                    got = ", ".join(map(repr, sent))
                if what == "close" and not sent:
                    look = silent
                raise NotYet(look, sent=event, got=got, expected=expected or "nothing")
            if (state == "has ended") != (what == "close"):
                goes_on = "has ended" if what == "close" else "waits for an event"
                look = "where the consumer says that it is done: after the result, and only there"
                raise NotYet(look, sent=event, got=f"it {state}", expected=f"it {goes_on}")


def check_10_3(site: Site) -> None:
    baker, butcher, grocer, anna, ben = word(), word(), word(), word(), word()
    many = number(3, 6)
    printed, called, nobody = "ticket.printed", "ticket.called", "nobody.waits"
    on = "where the numbers are kept: they go on from event to event, whoever asks"
    own = "whose numbers these are: every shop counts for itself"
    low = "which number is called: the lowest that was printed and not yet called"
    none = "when nobody waits: all numbers that were printed have been called"
    steps = [
        # shop, event, whose channel the answer goes to, its type, its number, what to look at
        (baker, "ticket.please", anna, printed, 1, "the answer to the first ticket of a shop"),
        (baker, "ticket.please", ben, printed, 2, on),
        (baker, "next.please", ben, called, 1, low),
        (butcher, "ticket.please", ben, printed, 1, own),
        (butcher, "next.please", anna, called, 1, own),
        (butcher, "next.please", anna, nobody, None, none),
        *((baker, "ticket.please", anna, printed, at, on) for at in range(3, many + 1)),
        *((baker, "next.please", ben, called, at, low) for at in range(2, many + 1)),
        (baker, "next.please", ben, nobody, None, none),
        (
            baker,
            "ticket.please",
            ben,
            printed,
            many + 1,
            "the numbers after a time when nobody waited",
        ),
        (baker, "next.please", anna, called, many + 1, low),
        (grocer, "next.please", anna, nobody, None, none),
    ]
    served = set()
    with _played(site, "worker", "myapp.tickets:TicketConsumer") as give:
        for shop, kind, who, answer, count, look in steps:
            event = {"type": kind, "answer_to": who}
            expected = {"type": answer, "number": count} if count else {"type": answer}
            got, elsewhere = give(shop, event)
            if got is None:
                look = f"your method for `{kind}`, and which channel it sends the answer to"
                got = f"nothing in the channel {who} within {play.WAIT:g} seconds"
                if elsewhere:
                    got += f", but something in {', '.join(elsewhere)}"
                elif shop in served and not site.events("error"):
                    look += "; or has the consumer ended, after an event before?"
            elif got != expected and expected.items() <= got.items():
                look = "what your answer has in it: no more than the table says"
            served.add(shop)
            if got != expected:
                problem = NotYet(look, sent=event, got=got, expected=expected)
                # what comes before the first method, an `__init__`, is in the log only
                if not site.events("error") and (said := _INSIDE.findall(site.server.log())):
                    problem.more["the log says"] = shown(said[-1])
                raise problem


def _result(counts: Mapping[str, int]) -> dict[str, Any]:
    return {"type": "vote.result", "counts": counts}


@contextlib.contextmanager
def _played(site: Site, how: str, consumer: str) -> Iterator[Callable[[Any, Any], Any]]:
    """Run a consumer as the lesson does. Give a function that hands it events (see `play`)."""
    shutil.copy(play.__file__, site.folder / "play.py")
    module, _, name = consumer.partition(":")
    try:
        server = site.serve(f"python play.py {how} {consumer} --port 8001", ready=play.READY)
    except NotYet as problem:
        imported, error = f"from {module} import {name}", problem.error
        # a place in `play.py` says nothing to them
        got = error and (error.said if error.file == "play.py" else error.reason)
        raise NotYet(f"your file: `{imported}` failed", sent=imported, got=got) from None

    def give(to: Any, event: Any) -> Any:
        print(json.dumps([to, event]), file=stream, flush=True)
        try:
            return json.loads(stream.readline())
        except (OSError, ValueError):
            look = "whether your code ends the whole program, or never comes back"
            raise NotYet(look, sent=event, got="no answer") from None

    limit = 2 * play.WAIT  # longer than the other side waits
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=limit) as connection,
        connection.makefile("rw", encoding="utf-8") as stream,
    ):
        yield give
