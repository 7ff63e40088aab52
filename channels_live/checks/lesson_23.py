"""What is right in the exercises of lesson 23, Withstand attacks."""

from urllib.parse import quote

from channels_live.checks import NotYet, Site, number, word

HINTS = {
    "23.1": [
        "Which parts of a line come from outside? Which of them can hold an end of a line, and "
        "which one should not be there at all?",
        "There are ten characters or so that end a line. Do not remove them one by one: let "
        "Python write the text as it would write it in a program.",
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
    all_said = "what stands in the log: the place, and the text that was lost"
    answers = "the answer to `lost`: the same text as before"
    said, places = [], []
    for end in ENDS:
        forged = f"{watchman} {number(100, 999)}"
        place, lost = word(), word()
        path = f"/ws/lost/{quote(f'{place}{end}{forged}')}/?token={token}"
        with site.client(path) as anna:
            places.append(place)
            said.append(lost)
            text = f"{lost}{end}{forged}"
            anna.send({"lost": text})
            anna.expect({"noted": text}, answers)
    lines = [line.strip() for line in site.server.log(full=True).splitlines()]
    log = "\n".join(lines)
    if token in log:
        raise NotYet(hidden, sent="?token=…", got=_line(lines, token), expected="no token")
    if forged_line := next((line for line in lines if line.startswith(watchman)), None):
        raise NotYet(one_line, sent=f"…\\n{forged_line}", got=forged_line, expected="no such line")
    for text in [*places, *said]:
        if text not in log:
            raise NotYet(all_said, sent=text, got="no line that holds it")


def _line(lines: list[str], text: str) -> str:
    return next(line for line in lines if text in line)


def check_23_2(site: Site) -> None:
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
            (second, "d" * 1000),
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


def check_23_3(site: Site) -> None:
    secret = word()
    site.serve(environment={"VAULT_WORD": secret})
    right: dict[str, object] = {"open": True}
    wrong: dict[str, object] = {"open": False}
    wait: dict[str, object] = {"error": "please wait"}
    tells = "the answer to a guess: whether it is the word"
    counts = "what is counted: wrong guesses of somebody, on all of their sockets"
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
    with site.client("/ws/vault/") as again_anna:
        again_anna.send({"guess": secret})
        again_anna.expect(wait, counts)
