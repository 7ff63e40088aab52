"""What is right in the exercises of lesson 17, Let apps in."""

import contextlib
import time
from urllib.parse import quote

from channels_live.checks import Fits, NotYet, Site, at_once, word
from channels_live.checks.frames import as_json, has_left, read_until
from channels_live.checks.sessions import member, new_sessions

HINTS = {
    "17.1": [
        Fits(
            "a handshake without a query|a token may end in =|%3D|'list' object has no attribute",
            'What does `query.split("&")` give for an empty query, and `split("=")` for '
            "`token=ab==`? `urllib.parse.parse_qs` reads a query.",
        ),
        Fits(
            "You cannot call this from an async context",
            "A query to the database in an async method: `afirst`, and `await`.",
        ),
        Fits(
            "'NoneType' object has no attribute",
            "For nobody, Django has `AnonymousUser()`. It stands in `django.contrib.auth.models`.",
        ),
        Fits(
            "the cookie has said who it is",
            "Who shows no token has a user already. Then hand on the scope as it came.",
        ),
    ],
    "17.2": [
        Fits(
            "what is said afterwards",
            "`self.user = None` before somebody has shown a token: by that `receive_json` knows "
            "which message it reads.",
        ),
        Fits(
            "closed with 4401, after LIMIT seconds|a close, at once",
            "`asyncio.create_task(self.close_in_time())` begins to wait, and returns at once. In "
            "it: `await asyncio.sleep(LIMIT)`, and then close.",
        ),
        Fits(
            "only those who have shown no token",
            "`task.cancel()` ends the task. Who has shown a token needs none, nor who has left, "
            "however that happened: a `finally` in `__call__`.",
        ),
    ],
    "17.3": [
        'In `beat`, for ever: sleep, `await self.tell_visitors("visitor.here")`, forget who has '
        "been silent.",
        Fits(
            "never somebody who is there",
            "When does a card come? `visitor_here` hears of each. Note `time.monotonic()` there, "
            "in `self.heard`.",
        ),
        Fits(
            "forget them after PATIENCE",
            'Who has been silent for too long has left: `await self.visitor_left({"channel": '
            "…})` does the rest. Take it out of `self.heard`, too.",
        ),
        Fits(
            "the task must end",
            "`leave` runs at the end of each consumer. `self.heart.cancel()` ends the task.",
        ),
    ],
}

BEAT, PATIENCE = 0.1, 0.5  # seconds
SLOWER = 3  # times, at the second attempt
LIVES = "who is forgotten: never somebody who is there. Does each of them send a sign of life?"


def check_17_1(site: Site) -> None:
    anna, ben = word(), word()
    plain, padded = word(), f"{word()}=="
    (_, of_ben), _ = at_once(
        lambda: new_sessions(site, anna, ben, tokens=[plain, padded]), site.serve
    )
    path = "/ws/turnstile/"
    shown = "who shows a token: its user"
    read = (
        "how the query is read: a token may end in `=`, which may be written as `%3D`, and other "
        "things may stand beside it"
    )
    empty = "what becomes of a handshake without a query"
    cookie = "who shows no token: the cookie has said who it is"
    nobody = "who shows neither token nor cookie: nobody, and for that Django has a user too"
    wrong = "who shows a wrong token: nobody, whatever the cookie says"

    def is_let_in(query: str, name: str | None, look: str, session: str | None = None) -> None:
        address = path + query
        opened = member(site, address, session) if session else site.client(address, look)
        with opened as client:
            client.expect({"you": name}, look)

    is_let_in(f"?token={plain}", anna, shown)
    is_let_in("", None, f"{empty}; and {nobody}")
    for token in (padded, quote(padded)):
        is_let_in(f"?token={token}", anna, read)
    is_let_in(f"?{word()}={word()}&token={plain}&{word()}", anna, read)
    is_let_in("", ben, cookie, of_ben)
    is_let_in(f"?token={plain}", anna, shown, of_ben)
    for session in (None, of_ben):
        is_let_in(f"?token={word()}", None, wrong, session)


def check_17_2(site: Site) -> None:
    anna, token = word(), word()
    at_once(lambda: new_sessions(site, anna, tokens=[token]), site.serve)
    path = "/ws/gate/"
    opens = "what a right token is answered with, and what is said afterwards"
    closes = "what a first message gets that has no right token: a close, at once"
    silence = "what becomes of a client that sends nothing: closed with 4401, after LIMIT seconds"
    stays = "who is closed after LIMIT seconds: only those who have shown no token"

    for first in ({"token": word()}, {"token": 7}, {"say": word()}, [token], {}):
        with site.client(path) as client:
            client.send(first)
            client.expect_close(4401, closes)
    site.serve(environment={"GATE_LIMIT": "1"})
    site.alone = False  # something comes although nobody has sent anything
    with site.client(path) as in_anna, site.client(path) as mute:

        def speaks(look: str) -> None:
            text = word()
            in_anna.send({"say": text})
            in_anna.expect({anna: text}, look)

        in_anna.send({"token": token})
        in_anna.expect({"you": anna}, opens)
        speaks(opens)
        mute.expect_close(4401, silence)
        speaks(stays)
        in_anna.sent = "LIMIT seconds of silence"
        with site.client(path) as gone:
            gone.abort()
        time.sleep(1.2)
        speaks(stays)
    has_left(
        site, "the end of a connection before LIMIT seconds", "what raises when somebody leaves"
    )


def check_17_3(site: Site) -> None:
    try:
        _meet(site, BEAT, PATIENCE)
    except NotYet as problem:
        if problem.look != LIVES:
            raise
        # a computer that stands still for a moment looks like that too
        _meet(site, SLOWER * BEAT, SLOWER * PATIENCE)


def _meet(site: Site, beat: float, patience: float) -> None:
    environment = {"BEAT": str(beat), "PATIENCE": str(patience)}
    at_once(site.migrate, lambda: site.serve(environment=environment))
    site.alone = False  # something comes although nobody has sent anything
    anna, ben, room, *ghosts = (word() for _ in range(5))
    path = f"/ws/hall/{room}/?name="
    lists = "what is shown when somebody comes or goes: as in lesson 13"
    laid = "how long somebody is shown who gives no sign of life: forget them after PATIENCE"
    ended = "what goes on when a visitor has left: the task must end"

    def beats() -> int:
        return len(site.events("layer", op="group_send"))

    with site.client(path + anna) as in_anna, site.client(path + ben) as in_ben:
        both = {"here": sorted([anna, ben])}
        read_until(both, lists, in_anna, in_ben)
        end = time.monotonic() + 2 * patience
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                frame = in_anna.websocket.recv(timeout=left)
                if as_json(frame) != both:
                    raise NotYet(LIVES, sent="nothing for a while", got=frame, expected=both)
        for ghost in ghosts:
            site.page("/ghost/", "whether myapp/ghosts.py is as it was", 204, "POST",
                      content=f"{room} {ghost}")  # fmt: skip
        in_anna.sent = in_ben.sent = f"the hello of {' and '.join(ghosts)}, who then are silent"
        read_until({"here": sorted([anna, ben, *ghosts])}, lists, in_anna, in_ben)
        read_until(both, laid, in_anna, in_ben)
        in_ben.abort()
        in_anna.sent = "the end of another client's connection"
        read_until({"here": [anna]}, lists, in_anna)
        in_anna.abort()
    has_left(site)
    before = beats()
    time.sleep(4 * beat)
    if beats() > before:
        raise NotYet(ended, sent="the end of all connections", got="signs of life")
