"""What is right in the exercises of lesson 28, Watch a class."""

from collections.abc import Mapping
from typing import Any

from channels_live.checks import Client, NotYet, Site, at_once, word
from channels_live.checks.frames import as_json, read_until

HINTS = {
    "28.1": [
        "Three methods: one for what comes, one for the end of a connection, and one around it "
        "all, so that the end is told after an exception too.",
        "`HERE[key] += 1` when somebody has joined, `-= 1` when a connection ends; at 0 the key is "
        "to be deleted.",
        "`name_for`: a key that is in `NAMES` has its name. Otherwise try the name, then the name "
        "and 2, 3, …, until one is not in `NAMES.values()`.",
        "Lesson 16 has `__call__` with `try` and `finally`. The screens are told by the event "
        '`{"type": "class.changed"}`, sent to the group `screens`.',
    ],
    "28.2": [
        "Lesson 20 describes a message by a type: `Annotated[int, Meta(ge=0)]` is a whole number "
        'from 0, `Literal["a", "b"]` is one of two texts.',
        'A text of a certain shape: `Annotated[str, Meta(pattern=r"^…$")]`; `[0-9]{1,3}` are one '
        "to three digits, and a dot is `\\.` there.",
        "`aget_or_create(learner=learner, exercise=report.exercise, defaults={…})` returns the "
        "work, and whether it is new.",
        'If it is not new: change `state` only where it is not `"right"`, the rest always; then '
        "`await work.asave()`.",
    ],
}
CODE = "OTTER-42"
JOINED = "what a learner reads who comes with the code: `joined`, and a name"
ONLY = "which codes let somebody in: that of the class, in capital or small letters"
PRESENT = "what all screens read when somebody comes or goes: the names of all who are here"
TWO = "when somebody is gone: when the last of their connections has ended"
HOWEVER = "what runs when a connection ends: after an exception `disconnect` does not"
TAKEN = "which name somebody gets: a free one, so that two learners are two rows"
KNOWN = "who comes back: who has the same key has the same name"


def _join(client: Client, key: str, name: str, gets: str, look: str = JOINED) -> None:
    client.send({"code": CODE, "key": key, "name": name})
    client.expect({"is": "joined", "name": gets}, look)


def _here(screen: Client, *names: str, look: str = PRESENT) -> None:
    """Let a screen read until it reads these names; then nothing else may come."""
    read_until({"is": "here", "names": sorted(names)}, look, screen)
    for frame in screen.pending(look):
        if as_json(frame) != {"is": "here", "names": sorted(names)}:
            raise NotYet(look, sent=screen.sent, got=frame, expected=sorted(names))


def _refused(client: Client, look: str) -> None:
    expected = 'an {"is": "error", "reason": …}'
    answer = client.receive(look, expected)
    content = as_json(answer)
    right = isinstance(content, dict) and content.get("is") == "error" and content.get("reason")
    if not right:
        raise NotYet(look, sent=client.sent, got=answer, expected=expected)


def check_28_1(site: Site) -> None:
    site.serve()
    name, other, key = word(), word(), word() * 4
    with site.client("/ws/screen/") as screen:
        _here(screen)
        with site.client("/ws/learner/") as anna:
            for code in (word(), "", CODE[:-1], CODE + "1", "Ötter-42"):
                anna.send({"code": code, "key": key, "name": name})
                _refused(anna, ONLY)
            screen.expect_nothing("who is here: who came with a wrong code has not joined")
            anna.send({"code": f" {CODE.lower()} ", "key": key, "name": name})
            anna.expect({"is": "joined", "name": name}, ONLY)
            _here(screen, name)
            with site.client("/ws/learner/") as second:
                _join(second, key, name, name, KNOWN)
                second.close()
            with site.client("/ws/learner/") as ben:
                _join(ben, word() * 4, other, other)
                _here(screen, name, other, look=TWO)
                for number in (2, 3):
                    with site.client("/ws/learner/") as cleo:
                        _join(cleo, word() * 4, name, f"{name} {number}", TAKEN)
                        cleo.close()
                ben.abort()
            _here(screen, name)
            anna.close()
        _here(screen)
        with site.client("/ws/learner/") as anna:
            _join(anna, key, name, name, KNOWN)
            _here(screen, name)
            with site.client("/ws/learner/") as ben:
                _join(ben, word() * 4, other, f"{other} 2", TAKEN)
                _here(screen, name, f"{other} 2")
                ben.send("no JSON")
                ben.expect_close(1011, "what a frame that is no JSON does: it raises, as it did")
                site.forgive()
            _here(screen, name, look=HOWEVER)


SAVED = "what a learner reads when a report is written down: `saved`, and its number"
ROWS = "what all screens read then: the name, and all works by exercise"
NEWEST = "what a row says of an exercise: what the newest report did"
EARNED = "what becomes of who was right: they stay right on that exercise"
TYPES = "what is taken: the types of the fields, all of them, and nothing else"


def _report(client: Client, number: int, exercise: str, state: str, tries: int) -> None:
    client.send(
        {"do": "report", "number": number, "exercise": exercise, "state": state, "tries": tries}
    )
    client.expect({"is": "saved", "number": number}, SAVED)


def _row(look: str, name: str, works: Mapping[str, Any], *screens: Client) -> None:
    told = {exercise: {"state": state, "tries": tries} for exercise, (state, tries) in works.items()}
    for screen in screens:
        while True:
            frame = screen.receive(look, {"is": "row", "name": name, "works": told})
            got = as_json(frame)
            if isinstance(got, dict) and got.get("is") == "here":
                continue
            if got != {"is": "row", "name": name, "works": told}:
                expected = {"is": "row", "name": name, "works": told}
                raise NotYet(look, sent=screen.sent, got=frame, expected=expected)
            break


def check_28_2(site: Site) -> None:
    at_once(site.migrate, site.serve)
    name, other = word(), word()
    with site.client("/ws/screen/") as one, site.client("/ws/screen/") as two:
        with site.client("/ws/learner/") as anna, site.client("/ws/learner/") as ben:
            _join(anna, word() * 4, name, name)
            _join(ben, word() * 4, other, other)
            works = {"12.1": ("not attempted", 0)}
            _report(anna, 1, "12.1", *works["12.1"])
            _row(ROWS, name, works, one, two)
            works["12.1"] = ("not yet", 1)
            _report(anna, 2, "12.1", *works["12.1"])
            _row(NEWEST, name, works, one, two)
            works["112.213"] = ("not yet", 7)
            _report(anna, 3, "112.213", *works["112.213"])
            _row(ROWS, name, works, one, two)
            _report(ben, 1, "12.1", "not yet", 4)
            _row(ROWS, other, {"12.1": ("not yet", 4)}, one, two)
            works["12.1"] = ("right", 2)
            _report(anna, 4, "12.1", *works["12.1"])
            _row(NEWEST, name, works, one, two)
            works["12.1"] = ("right", 3)
            _report(anna, 5, "12.1", "not yet", 3)
            _row(EARNED, name, works, one, two)
            works["112.213"] = ("right", 8)
            _report(anna, 6, "112.213", "right", 8)
            _row(NEWEST, name, works, one, two)
            good = {"do": "report", "number": 9, "exercise": "12.2", "state": "right", "tries": 1}
            for change in (
                {"state": word()},
                {"state": "Right"},
                {"exercise": "12"},
                {"exercise": "1234.1"},
                {"exercise": "12x1"},
                {"exercise": f"12.1 {word()}"},
                {"number": -1},
                {"number": "9"},
                {"number": 10**30},
                {"tries": -1},
                {"tries": 1.5},
                {"do": word()},
                {word(): 1},
            ):
                anna.send({**good, **change})
                _refused(anna, TYPES)
            for field in good:
                anna.send({key: value for key, value in good.items() if key != field})
                _refused(anna, TYPES)
            one.expect_nothing(TYPES)
            _report(anna, 0, "12.3", "not yet", 0)
            _row(TYPES, name, {**works, "12.3": ("not yet", 0)}, one, two)
