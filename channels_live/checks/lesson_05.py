"""What is right in the exercises of lesson 5, Create a consumer."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from channels_live.checks import Fits, NotYet, Site, number, word

HINTS = {
    "5.1": [
        "The check says how far it came. Channels finds a method by its name, and calls it with "
        "what belongs to it: compare both with the lesson, letter by letter.",
        Fits("letter by letter", "Nothing comes back? `receive` is spelt with `ei`."),
        Fits(
            "what disconnect is called with",
            "An exception when somebody leaves? What does Channels hand to `disconnect`?",
        ),
        "`disconnect(self, close_code)`: the close code is handed over even if you do not use it.",
    ],
    "5.2": [
        "Where can a consumer keep something from one `receive()` to the next?",
        "Each client has an instance of its own: set `self.number` in `connect()`, "
        "and add to it in `receive()`.",
        "Answer with `self.send(text_data=json.dumps({…}))`.",
    ],
    "5.3": [
        "Begin with the good case: a total in `self`, set in `connect()`. "
        "Do not forget `self.accept()`.",
        "For a binary frame `text_data` is None. `json.loads` raises ValueError or TypeError, "
        "a missing key KeyError, an index into a number TypeError.",
        "After reading, look at the price itself: `type(price) is int and price >= 1`.",
        "Change the total only after all that, and send an error otherwise, without closing.",
    ],
}


def check_5_1(site: Site) -> None:
    site.serve()
    with site.client("/ws/answer/") as anna:
        for text in (word(), f"{word().title()} {word()}"):
            anna.send(text)
            with exceptions_first(site):
                anna.expect(
                    text.upper(),
                    "the method that is called for each frame: its name, letter by letter, "
                    "and whether it sends",
                    (text, "the capital letters: the text came back as it was"),
                    (lambda got: isinstance(got, bytes), "how it is sent: as `text_data`"),
                    (is_text, "what comes back: the same text, all of it in capital letters"),
                )
        anna.close()
    if errors := site.events("error"):
        given = not errors[-1]["file"]  # none of the learner's lines was reached
        look = f"what `disconnect` {'is called with' if given else 'does'}"
        raise NotYet(look, sent="close 1000", got="an exception")


def check_5_2(site: Site) -> None:
    site.serve()
    shared = "where the number is kept: it must belong to one client, so to `self`, not to all"
    with site.client("/ws/count/") as anna, site.client("/ws/count/") as ben:
        for count in (1, 2, 3):
            message = word() if count < 3 else f'"{word()}"'
            again = {"message": message, "number": 1} if count > 1 else None
            anna.send({"message": message})
            with exceptions_first(site):
                anna.expect(
                    {"message": message, "number": count},
                    "what `receive` sends back, and when the number changes",
                    (again, "whether the number grows, and is kept between two frames"),
                    ({"message": message, "number": count - 1}, "the first number: it is 1"),
                    ({"message": message, "number": str(count)}, 'the type: 1 is not "1"'),
                    (
                        is_text,
                        "how the answer is written: this is not JSON. `json.dumps` writes it",
                    ),
                )
        message = word()
        ben.send({"message": message})
        ben.expect({"message": message, "number": 1}, shared)


def check_5_3(site: Site) -> None:
    site.serve()
    total = 0
    wrong = ["not json", "[]", "{}", "7", b"\x00\xff", {"price": 0}, {"price": -number()}]
    wrong += [{"price": str(number())}, {"price": 1.5}, {"price": True}, {"price": None}]
    wrong += [json.dumps({"price": number()}).encode()]
    with site.client("/ws/till/") as anna, site.client("/ws/till/") as ben:
        for frame in [None, *wrong]:
            if frame is not None:
                anna.send(frame)
                answer = anna.receive("what your code does with this frame", 'an {"error": …}')
                if not is_error(answer):
                    look = 'how an error is written: as JSON, `{"error": "a text of yours"}`'
                    if '"total"' in str(answer):
                        look = "what a price may be: a whole number, 1 or more"
                        if frame == {"price": True}:
                            look += ". `true` is none, though Python counts it as 1"
                        if isinstance(frame, bytes):
                            look = "binary frames: they get an error, whatever is in them"
                    raise NotYet(look, sent=frame, got=answer, expected='an {"error": …}')
            price = number()
            total += price
            anna.send({"price": price})
            anna.expect(
                {"total": total},
                "whether what is wrong leaves the connection open, and the total as it is"
                if frame is not None
                else "what `receive` sends back for a good price",
                ({"total": price}, "where the total is kept between two frames"),
                ({"total": str(total)}, "the type of the total: a number"),
            )
        anna.send({"price": 1})
        anna.expect({"total": total + 1}, "what a price may be: 1 is one, the smallest")
        price = number()
        ben.send({"price": price})
        ben.expect({"total": price}, "whose total it is: every client has one of its own")


@contextlib.contextmanager
def exceptions_first(site: Site) -> Iterator[None]:
    """Point to an exception of the learner's code, where there is one."""
    try:
        yield
    except NotYet as problem:
        if site.events("error"):
            problem.look = "the exception below: it ended the connection"
        raise


def is_text(got: Any) -> bool:
    return isinstance(got, str)


def is_error(answer: str | bytes) -> bool:
    """Tell whether a frame is JSON with an error, in words."""
    try:
        error = json.loads(answer)["error"]
    except (KeyError, TypeError, ValueError):
        return False
    return isinstance(answer, str) and isinstance(error, str)
