"""What is right in the exercises of lesson 28, Watch a class."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from channels_live.checks import WAIT, Client, Fits, NotYet, Site, at_once, number, word
from channels_live.checks.frames import CROSSED, as_json, let_messages_cross, read_until
from channels_live.checks.not_yet import shown

HINTS = {
    "28.1": [
        "Three methods: one for what comes, one for the end of a connection, and one around it "
        "all, so that the end is told after an exception too.",
        Fits(
            "the last of their connections",
            "`HERE[key] += 1` when somebody has joined, `-= 1` when a connection ends; at 0 the "
            "key is to be deleted.",
        ),
        Fits(
            "which name somebody gets",
            "`name_for`: a key that is in `NAMES` has its name. Otherwise try the name, then the "
            "name and 2, 3, …, until one is not in `NAMES.values()`.",
        ),
        Fits(
            "after an exception",
            "Lesson 16 has `__call__` with `try` and `finally`. The screens are told by the event "
            '`{"type": "class.changed"}`, sent to the group `screens`.',
        ),
    ],
    "28.2": [
        "Lesson 20 describes a message by a type: `Annotated[int, Meta(ge=0)]` is a whole number "
        'from 0, `Literal["a", "b"]` is one of two texts.',
        'A text of a certain shape: `Annotated[str, Meta(pattern=r"^…\\Z")]`; `[0-9]{1,3}` are one '
        "to three digits, and a dot is `\\.` there. `\\Z` is the end; `$` lets a line feed follow.",
        "`aget_or_create(learner=learner, exercise=report.exercise, defaults={…})` returns the "
        "work, and whether it is new.",
        'If it is not new: change `state` only where it is not `"right"`, the rest always; then '
        "`await work.asave()`.",
    ],
    "28.3": [
        "One cause is in `save`, one in `work`, one in `connect`. Two of "
        "them are right lines in the wrong place.",
        "Ask of each line: what is left of it if everything ends here, or if it runs twice?",
        "`saved` goes below what it promises; `group_add` above what it makes up for.",
        "`report.tries` has the number; nothing needs to be counted here.",
    ],
    "28.4": [
        "Four pieces: who is stuck, what a screen's message does, what a learner's consumer does "
        "with the event, and what it reads when somebody comes.",
        "Who is on what: go through all works in the order of their numbers; the last one of each "
        "learner tells.",
        "`Push.objects.acreate(exercise=…, text=…, learners=…)` first, then `group_send` to the "
        "group `learners`, with what `event_of` makes of it.",
        "`catch_up` joins the group `learners`, then goes through "
        "`Push.objects.filter(pk__gt=after)`, and gives each to the method that handles the event.",
    ],
}
CODE = "OTTER-42"
LONG = CROSSED + WAIT  # seconds that an answer may take while somebody joins
JOINED = "what a learner reads who comes with the code: `joined`, and a name"
ONLY = (
    "which codes let somebody in: that of the class, in capital or small letters, with spaces "
    "around it or without"
)
PRESENT = "what all screens read when somebody comes or goes: the names of all who are here"
TWO = "when somebody is gone: when the last of their connections has ended"
HOWEVER = "what runs when a connection ends: after an exception `disconnect` does not"
TAKEN = "which name somebody gets: a free one, so that two learners are two rows"
KNOWN = "who comes back: who has the same key has the same name"


def _join(client: Client, key: str, name: str, gets: str, look: str = JOINED) -> None:
    client.send({"code": CODE, "key": key, "name": name})
    client.expect({"is": "joined", "name": gets}, look)


def _here(screen: Client, *names: str, look: str = PRESENT, after: str | bytes = "") -> None:
    """Let a screen read until it reads these names; then nothing else may come.

    after: what others have done meanwhile.
    """
    screen.sent = after or screen.sent
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
            _here(screen, name, after=anna.sent)
            with site.client("/ws/learner/") as stranger:
                stranger.send({"code": word(), "key": key, "name": name})
                _refused(stranger, ONLY)
                stranger.close()
            screen.sent = "a wrong code, and the end of that connection"
            screen.expect_nothing("who is gone: who came with a wrong code was never here")
            with site.client("/ws/learner/") as second:
                _join(second, key, name, name, KNOWN)
                second.close()
            with site.client("/ws/learner/") as ben:
                _join(ben, word() * 4, other, other)
                _here(screen, name, other, look=TWO, after="the end of one of two connections")
                for at in (2, 3):
                    with site.client("/ws/learner/") as cleo:
                        _join(cleo, word() * 4, name, f"{name} {at}", TAKEN)
                        cleo.close()
                ben.abort()
            _here(screen, name, after="the end of other clients' connections")
            anna.close()
        _here(screen, after="the end of the last connection")
        with site.client("/ws/learner/") as anna:
            _join(anna, key, name, name, KNOWN)
            _here(screen, name, after=anna.sent)
            with site.client("/ws/learner/") as ben:
                _join(ben, word() * 4, other, f"{other} 2", TAKEN)
                _here(screen, name, f"{other} 2", after=ben.sent)
                ben.send("no JSON")
                ben.expect_close(1011, "what a frame that is no JSON does: it raises, as it did")
                site.forgive()
            _here(screen, name, look=HOWEVER, after="no JSON, by another client")


SAVED = "what a learner reads when a report is written down: `saved`, and its number"
ROWS = "what all screens read then: the name, and all works by exercise"
NEWEST = "what a row says of an exercise: what the newest report did"
EARNED = "what becomes of who was right: they stay right on that exercise"
MOST = 1_000_000
TYPES = "what is taken: the types of the fields, all of them, and nothing else"


def _report(
    client: Client, number: int, exercise: str, state: str, tries: int, wait: float | None = None
) -> None:
    client.send(
        {"do": "report", "number": number, "exercise": exercise, "state": state, "tries": tries}
    )
    client.expect({"is": "saved", "number": number}, SAVED, wait=wait)


def _row(look: str, name: str, works: Mapping[str, Any], *screens: Client) -> None:
    told = {
        exercise: {"state": state, "tries": tries} for exercise, (state, tries) in works.items()
    }
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
    with (
        site.client("/ws/screen/") as screen,
        site.client("/ws/screen/") as other_screen,
        site.client("/ws/learner/") as anna,
        site.client("/ws/learner/") as ben,
    ):

        def report(client: Client, *fields: Any) -> None:
            _report(client, *fields)
            screen.sent = other_screen.sent = f"{shown(client.sent)}, by a learner"

        _join(anna, word() * 4, name, name)
        _join(ben, word() * 4, other, other)
        works = {"12.1": ("not attempted", 0)}
        report(anna, 1, "12.1", *works["12.1"])
        _row(ROWS, name, works, screen, other_screen)
        works["12.1"] = ("not yet", 1)
        report(anna, 2, "12.1", *works["12.1"])
        _row(NEWEST, name, works, screen, other_screen)
        works["112.213"] = ("not yet", 7)
        report(anna, 3, "112.213", *works["112.213"])
        _row(ROWS, name, works, screen, other_screen)
        report(ben, 1, "12.1", "not yet", 4)
        _row(ROWS, other, {"12.1": ("not yet", 4)}, screen, other_screen)
        works["12.1"] = ("right", 2)
        report(anna, 4, "12.1", *works["12.1"])
        _row(NEWEST, name, works, screen, other_screen)
        works["12.1"] = ("right", 3)
        report(anna, 5, "12.1", "not yet", 3)
        _row(EARNED, name, works, screen, other_screen)
        works["112.213"] = ("right", 8)
        report(anna, 6, "112.213", "right", 8)
        _row(NEWEST, name, works, screen, other_screen)
        good = {"do": "report", "number": 9, "exercise": "12.2", "state": "right", "tries": 1}
        for change in (
            {"state": word()},
            {"state": "Right"},
            {"exercise": "12"},
            {"exercise": "1234.1"},
            {"exercise": "12x1"},
            {"exercise": "12.1\n"},
            {"exercise": f"12.1 {word()}"},
            {"number": -1},
            {"number": "9"},
            {"number": MOST + 1},
            {"number": 10**30},
            {"tries": -1},
            {"tries": MOST + 1},
            {"tries": 1.5},
            {"do": word()},
            {word(): 1},
        ):
            anna.send({**good, **change})
            _refused(anna, TYPES)
        for field in ("number", "exercise", "state", "tries"):
            anna.send({key: value for key, value in good.items() if key != field})
            _refused(anna, TYPES)
        screen.expect_nothing(TYPES)
        report(anna, 0, "12.3", "not yet", 0)
        works["12.3"] = ("not yet", 0)
        _row(TYPES, name, works, screen, other_screen)
        works["1.1"] = ("right", MOST)
        report(anna, MOST, "1.1", *works["1.1"])
        _row(TYPES, name, works, screen, other_screen)


PROMISE = "when a learner reads `saved`: when the report is written down, and not before"
REPEAT = "what a report does that comes again: it changes nothing, and gets `saved`"
COUNTED = "what `tries` says: what the learner's program has counted"
TABLE = "what a screen reads first: the table, with all works"
CHANGED = "what all screens read of a report: the one work that it changed"
BETWEEN = "what changes while a screen connects: it must be in the table, or come after it"


@contextmanager
def _broken_table(site: Site) -> Iterator[None]:
    """Let the table of works be missing."""
    with closing(sqlite3.connect(site.folder / "db.sqlite3", isolation_level=None)) as database:
        database.execute("ALTER TABLE myapp_work RENAME TO myapp_gone")
        try:
            yield
        finally:
            database.execute("ALTER TABLE myapp_gone RENAME TO myapp_work")


def check_28_3(site: Site) -> None:
    let_messages_cross(site.folder, "screens")
    at_once(site.migrate, site.serve)
    name, key = word(), word() * 4

    def work(exercise: str, state: str, tries: int) -> dict[str, Any]:
        return {"name": name, "exercise": exercise, "state": state, "tries": tries}

    with site.client("/ws/screen/") as screen:
        screen.expect({"is": "table", "works": []}, TABLE)
        with site.client("/ws/learner/") as anna:
            _join(anna, key, name, name)
            once = {"is": "work", **work("12.1", "not yet", 1)}
            _report(anna, 1, "12.1", "not yet", 1)
            screen.sent = f"{shown(anna.sent)}, by a learner"
            screen.expect(once, CHANGED)
            for _ in range(2):  # screens may be told again, or not: nothing has changed
                _report(anna, 1, "12.1", "not yet", 1)
                for told in screen.pending(REPEAT):
                    if as_json(told) != once:
                        sent = f"{shown(anna.sent)}, once more"
                        raise NotYet(REPEAT, sent=sent, got=told, expected=once)
            tries = number(5, 90)
            _report(anna, 6, "12.1", "right", tries)
            screen.sent = f"{shown(anna.sent)}, by a learner"
            now = {"is": "work", **work("12.1", "right", tries)}
            for _ in range(3):  # one that is told again may come late
                if as_json(told := screen.receive(COUNTED, now)) != once:
                    break
            if as_json(told) != now:
                raise NotYet(COUNTED, sent=screen.sent, got=told, expected=now)
            kept = {"do": "report", "number": 7, "exercise": "12.2", "state": "right", "tries": 2}
            with _broken_table(site):
                anna.send(kept)
                saved = {"is": "saved", "number": 7}
                sent = f"{shown(anna.sent)}, while the table cannot be written"
                if (frame := _answer(anna)) is not None:
                    raise NotYet(PROMISE, sent=sent, got=frame, expected="an end, and no answer")
                anna.expect_close(1011, PROMISE)
            site.forgive()
        with site.client("/ws/learner/") as anna:
            _join(anna, key, name, name)
            anna.send(kept)
            anna.expect(saved, PROMISE)
            screen.sent = f"{shown(anna.sent)}, by a learner"
            screen.expect({"is": "work", **work("12.2", "right", 2)}, CHANGED)
            _open_in_a_busy_minute(site, anna)


def _answer(client: Client) -> str | bytes | None:
    """Return the next frame, or None where the connection has ended instead."""
    try:
        return client.receive(PROMISE)
    except NotYet:
        return None


def _open_in_a_busy_minute(site: Site, anna: Client) -> None:
    """Let a second screen connect while reports come, and see whether it lacks one."""
    here = threading.Event()
    said: list[str] = []

    def speak() -> None:
        more = 3  # reports, when it has been let in: it may join only then
        while more:
            more -= here.wait(0.01)
            said.append(f"13.{len(said) + 1}")
            _report(anna, 10 + len(said), said[-1], "not yet", len(said), LONG)

    def come() -> Client:
        try:
            return stack.enter_context(site.client("/ws/screen/", open_timeout=LONG))
        finally:
            here.set()

    with ExitStack() as stack:
        _, screen = at_once(speak, come)
        screen.sent = "GET /ws/screen/, while reports come"
        expected = 'a {"is": "table", "works": […]}'
        first = screen.receive(TABLE, expected, LONG)
        table = as_json(first)
        if not isinstance(table, dict) or table.get("is") != "table":
            raise NotYet(TABLE, sent=screen.sent, got=first, expected=expected)
        changes = [as_json(frame) for frame in screen.pending(BETWEEN)]
        known = {each.get("exercise") for each in [*table.get("works", []), *changes]}
        if lost := [exercise for exercise in ("12.1", "12.2", *said) if exercise not in known]:
            got = f"nothing of {', '.join(lost)}"
            raise NotYet(BETWEEN, sent=screen.sent, got=got, expected="all that was reported")


WHOM = "who reads a hint: who is on that exercise now, and not right on it"
HOW_MANY = "what the screen reads: how many learners are on it now, and not right"
HINT = "what they read: the number of the push, the exercise and the text"
AWAY = "what somebody reads who comes back: the hints after `after` that were for them"
ONCE = "how often a hint comes on one connection: once"
MEANWHILE = "what is pushed while somebody joins: too new for the table, and too old for the group"


def check_28_4(site: Site) -> None:
    at_once(site.migrate, site.serve)
    names = [word() for _ in range(5)]
    keys = [word() * 4 for _ in names]
    hints: list[dict[str, Any]] = []

    def come(at: int, client: Client, **more: int) -> Client:
        client.send({"code": CODE, "key": keys[at], "name": names[at], **more})
        client.expect({"is": "joined", "name": names[at]}, JOINED)
        return client

    def push(screen: Client, exercise: str, learners: int, *readers: Client) -> None:
        text = word()
        screen.send({"do": "push", "exercise": exercise, "text": text})
        screen.expect({"is": "pushed", "learners": learners}, HOW_MANY, wait=LONG)
        hint = {"is": "hint", "number": len(hints) + 1, "exercise": exercise, "text": text}
        hints.append(hint)
        for reader in readers:
            reader.sent = f"{shown(screen.sent)}, by a screen"
            reader.expect(hint, HINT)
            reader.expect_nothing(ONCE)

    with site.client("/ws/screen/") as screen:
        with (
            site.client("/ws/learner/") as stuck,
            site.client("/ws/learner/") as right,
            site.client("/ws/learner/") as gone_on,
            site.client("/ws/learner/") as new,
        ):
            for at, client in enumerate((stuck, right, gone_on, new)):
                come(at, client)
            _report(stuck, 1, "12.1", "not yet", 3)
            _report(right, 1, "12.1", "right", 3)
            _report(gone_on, 1, "12.1", "not yet", 1)
            _report(gone_on, 2, "12.2", "not yet", 1)
            with site.client("/ws/learner/") as away:
                come(4, away)
                _report(away, 1, "12.1", "not attempted", 0)
                _report(away, 2, "12.2", "not yet", 2)
                _report(away, 3, "12.1", "not attempted", 0)
                push(screen, "12.1", 2, stuck, away)
                for client in (right, gone_on, new):
                    client.sent = f"{shown(screen.sent)}, by a screen"
                    client.expect_nothing(WHOM)
                away.close()
            push(screen, "12.1", 2, stuck)
            push(screen, "12.2", 1, gone_on)
            push(screen, "12.1", 2, stuck)
            push(screen, "14.1", 0)
            _report(stuck, 5, "12.1", "right", 4)
            _report(new, 1, "12.1", "not yet", 1)
            push(screen, "12.1", 2, new)
            for client in (stuck, right, gone_on):
                client.expect_nothing(WHOM)
        for after, missed in ((1, (1, 3, 5)), (4, (5,)), (6, ())):
            with site.client("/ws/learner/") as back:
                come(4, back, after=after)
                for at in missed:
                    back.expect(hints[at], AWAY)
                back.expect_nothing(AWAY)
        with site.client("/ws/learner/") as back:
            come(0, back, after=2)
            back.expect(hints[3], AWAY)
            back.expect_nothing(AWAY)
    let_messages_cross(site.folder, "learners")
    busy = site.twin()
    busy.serve()
    known, here = len(hints), threading.Event()
    with ExitStack() as stack:
        screen = stack.enter_context(busy.client("/ws/screen/"))
        other = come(4, stack.enter_context(busy.client("/ws/learner/")), after=known)
        push(screen, "12.1", 2, other)  # so it is in the group
        known += 1

        def speak() -> None:
            more = 3  # hints, when somebody has joined: they may be in the group only then
            while more:
                more -= here.wait(0.01)
                push(screen, "12.1", 2)

        def come_back() -> Client:
            try:
                return come(3, stack.enter_context(busy.client("/ws/learner/")), after=known)
            finally:
                here.set()

        _, back = at_once(speak, come_back)
        back.sent = f"{shown(back.sent)}, while a screen pushes hints"
        for hint in hints[known:]:
            back.expect(hint, MEANWHILE)
        back.expect_nothing(ONCE)
