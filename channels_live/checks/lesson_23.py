"""What is right in the exercises of lesson 23, Withstand attacks."""

import time
from urllib.parse import quote

from channels_live.checks import Fits, NotYet, Site, at_once, word
from channels_live.checks.sessions import member, new_sessions

HINTS = {
    "23.1": [
        "Which parts of a line come from outside? Which of them can hold an end of a line, and "
        "which one should not be there at all?",
        "There are ten characters or so that end a line. Do not remove them one by one: let "
        "Python write the text as it would write it in a program.",
        Fits("no token", "`token` stands in the query: who logs no query, logs no token."),
        "`%r` in place of `%s`, and no query.",
    ],
    "23.2": [
        "Take `is_too_much` of the lesson's gate. What does it add, and what must be added here?",
        'A frame is `event.get("text")` or, if that is nothing, `event.get("bytes")`.',
        "Add `len(frame)` to `self.weights[client]`, whether it is too much or not, and compare.",
    ],
    "23.3": [
        "Where must wrong guesses be counted, so that another socket does not begin anew? And "
        "what comes first: the guess, or the question whether they may guess?",
        "`cache.get(key, 0)` says how many wrong ones there were; `who(self.scope)` makes a key "
        "for each visitor.",
        Fits(
            "and no longer",
            "`aincr` of Django's own caches writes the number anew, with five minutes, whatever "
            "you said before (lesson 19). `incr` keeps the time.",
        ),
        "After a wrong guess: `cache.add(key, 0, timeout=MINUTE)`, then `cache.incr(key)`. The "
        "cache is sync: put it into a method, and call that with `sync_to_async`.",
    ],
}
ENDS = ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028"]  # of lines, for Python


def check_23_1(site: Site) -> None:
    site.serve()
    token, watchman = word(), f"{word()} {word()}"
    hidden = "what stands in the log of whoever comes: no token"
    one_line = "the ends of lines in what visitors say: none may end a line of the log"
    all_said = "what stands in the log: the place, and the text that was lost, all of it"
    answers = "the answer to `lost`: the same text as before"
    parts = []  # what has to stand in a line together: before an end, and after it
    for end in ENDS:
        place, lost = ((word(), word()) for _ in range(2))
        parts += [place, lost]
        at, text = (f"{head}{end}{watchman} {tail}" for head, tail in (place, lost))
        path = f"/ws/lost/{quote(at)}/?token={token}"
        with site.client(path) as anna:
            anna.send({"lost": text})
            anna.expect({"noted": text}, answers)
    lines = [line.strip() for line in site.server.log(full=True).splitlines()]
    log = "\n".join(lines)
    if token in log:
        raise NotYet(hidden, sent="?token=…", got=_line(lines, token), expected="no token")
    if forged_line := next((line for line in lines if line.startswith(watchman)), None):
        raise NotYet(one_line, sent=f"…\\n{forged_line}", got=forged_line, expected="no such line")
    for head, tail in parts:
        if not any(head in line and tail in line for line in lines):
            got = next((line for line in lines if head in line), "no line that holds it")
            raise NotYet(all_said, sent=f"{head}\\n{watchman} {tail}", got=got)


def _line(lines: list[str], text: str) -> str:
    return next(line for line in lines if text in line)


MORE_SCALES = """
for name, seconds in (("light", 10.0), ("brief", 0.5)):
    weighed = scales.Scales(scales.EchoConsumer.as_asgi(), 100, seconds)
    websocket_urlpatterns.append(path(f"ws/{name}/", weighed))
"""


def check_23_2(site: Site) -> None:
    with (site.folder / "myapp/routing.py").open("a", encoding="utf-8") as routing:
        routing.write(MORE_SCALES)
    site.serve()
    path, code = "/ws/heavy/", 4413
    back = "what is sent back: each frame, up to 10,000 characters in 10 seconds"
    heavy = "what is weighed: all frames of a client, on all of its sockets, together"
    stays = "what comes after the frame that was too much: it is too much as well"
    with site.client(path) as first, site.client(path) as second:
        for client, frame in (
            (first, "a" * 4000),
            (second, b"b" * 3000),
            (first, word()[0] * 2000),
            (second, "é" * 1000),
        ):
            client.send(frame)
            client.expect(frame, back)
        first.send("e")
        first.expect_close(code, heavy)
        second.send("f")
        second.expect_close(code, stays)
    with site.client(path) as third:
        third.send(b"g")
        third.expect_close(code, stays)
    with site.client("/ws/light/") as first:  # 100 characters
        first.send("a" * 90)
        first.expect("a" * 90, back)
        first.send("b" * 11)
        first.expect_close(code, heavy)
    with site.client("/ws/light/") as second:
        second.send("c")
        second.expect_close(code, stays)
    for _ in range(2):
        with site.client("/ws/brief/") as client:  # 100 characters in half a second
            client.send("d" * 100)
            client.expect("d" * 100, "when it begins anew: after `self.seconds` nothing weighs")
        time.sleep(0.6)


LATER = """

import time
from functools import partial

from django.http import HttpResponse


def later(request):
    for name in ("time", "monotonic"):  # the clocks of caches, and of whoever counts by hand
        setattr(time, name, partial(lambda clock: clock() + 31, getattr(time, name)))
    return HttpResponse()


urlpatterns.append(path("half-a-minute-later/", later))
"""


def check_23_3(site: Site) -> None:
    secret = word()
    with (site.folder / "myproject/urls.py").open("a", encoding="utf-8") as urls:
        urls.write(LATER)
    (session,), _ = at_once(
        lambda: new_sessions(site, word()),
        lambda: site.serve(environment={"VAULT_WORD": secret}),
    )
    right: dict[str, object] = {"open": True}
    wrong: dict[str, object] = {"open": False}
    wait: dict[str, object] = {"error": "please wait"}
    tells = "the answer to a guess: whether it is the word"
    counts = (
        "what is counted: wrong guesses of somebody, on all of their sockets. A right one changes "
        "nothing"
    )
    first = "what comes first: after three wrong guesses the right word does not help either"
    with site.client("/ws/vault/") as anna:
        for guess, expected, look in (
            (secret, right, tells),
            (word(), wrong, tells),
            (secret, right, counts),
        ):
            anna.send({"guess": guess})
            anna.expect(expected, look)
    with site.client("/ws/vault/") as also_anna:
        for guess, expected, look in (
            (secret, right, counts),
            (word(), wrong, counts),
            (word(), wrong, counts),
            (word(), wait, counts),
            (secret, wait, first),
        ):
            also_anna.send({"guess": guess})
            also_anna.expect(expected, look)
    with member(site, "/ws/vault/", session) as ben:
        ben.send({"guess": secret})
        ben.expect(right, "whose guesses are counted: `who` tells one from another")
    for expected, look, passed in (
        (wait, counts, ""),
        (wait, "how long nobody's guess is heard: a minute", "after half a minute: "),
        (right, "how long nobody's guess is heard: a minute, and no longer", "after a minute: "),
    ):
        if passed:
            site.page("/half-a-minute-later/", "whether pages are there as before")
        with site.client("/ws/vault/") as again_anna:
            again_anna.send({"guess": secret})
            again_anna.sent = f"{passed}{again_anna.sent!s}"
            again_anna.expect(expected, look)
