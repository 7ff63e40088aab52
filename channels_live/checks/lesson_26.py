"""What is right in the exercises of lesson 26, Send while it happens."""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

from channels_live.checks import WAIT, Client, Fits, NotYet, Site, at_once, number, word

HINTS = {
    "26.1": [
        Fits(
            "no empty line that ends the event|one, whatever stands in it",
            "Read the stream yourself: `curl -N`, or `httpx.stream`, as in the lesson. What ends "
            "a line, and what ends an event? What may stand in a text?",
        ),
        Fits(
            "what has a higher number, only",
            "An event that can be asked for again has an `id:` line. And `last` is handed over "
            "to `events`: who asks for it?",
        ),
        Fits(
            "and the text as JSON|what is left of a reader that has gone",
            "`json.dumps` makes one line of any text. And what a reader takes in at its "
            "beginning, it gives back in a `finally`.",
        ),
    ],
    "26.2": [
        Fits(
            "it stays, for who comes back|those of the film in the path",
            "`FILMS` outlives a connection, `self` does not. `FILMS.setdefault(name, "
            "bytearray())` is what is there of a film, or a new one.",
        ),
        Fits(
            "how many bytes there are now|it is not taken|100,000 bytes",
            "`self.film += piece` adds at the end, and changes what lies in `FILMS`. Look at the "
            "length before, not after.",
        ),
        Fits(
            "it is thrown away, and begins anew",
            "`hashlib.sha256(self.film).hexdigest()` is the hash of what is there, "
            "`self.film.clear()` throws it away.",
        ),
    ],
    "26.3": [
        "Three methods: `connect`, `receive_json`, and one for the event that tells all clients. "
        "And something that runs later, and belongs to no consumer.",
        Fits(
            "what becomes of a machine that says nothing|what the end of a connection means",
            "`asyncio.create_task(forget(name))` runs beside all else; `forget` sleeps for "
            "`LIFE`, takes the name out of `RUNNING`, and tells.",
        ),
        Fits(
            "its half second begins anew|and was: nothing",
            "Whoever says `alive` in time puts it off: `RUNNING[name].cancel()`, and a new task. "
            "Tell only if the name was not there.",
        ),
    ],
}
EVENT = "what each reader is sent: an event with the number as its `id`, and the text as JSON"


class Reader:
    """One who reads `/ticker/`, and takes events apart as a browser does."""

    def __init__(self, lines: Iterator[str], sent: str) -> None:
        self._lines, self.sent = lines, sent

    def expect(self, at: int, text: str, look: str) -> None:
        """Read an event and compare it."""
        import httpx

        expected = f"id {at}, data {json.dumps(text)}"
        event: dict[str, str] = {}
        is_whole, got = False, "the end of the stream"
        try:
            for line in self._lines:
                field, _, value = line.partition(":")
                if field:
                    event[field] = value.removeprefix(" ")
                elif "data" in event:
                    is_whole = True
                    break
        except httpx.HTTPError:
            got = f"nothing within {WAIT:g} seconds"
        if event:
            got = ", ".join(f"{field} {value}" for field, value in sorted(event.items()))
            got += "" if is_whole else ", and no empty line that ends the event"
        with contextlib.suppress(KeyError, ValueError):
            if is_whole and (event["id"], json.loads(event["data"])) == (str(at), text):
                return
        raise NotYet(look, sent=self.sent, got=got, expected=expected)


@contextlib.contextmanager
def _read(site: Site, last: int | None = None) -> Iterator[Reader]:
    import httpx

    headers = {} if last is None else {"Last-Event-ID": str(last)}
    sent = "GET /ticker/" + (f", Last-Event-ID: {last}" if headers else "")
    options: dict[str, Any] = {"headers": headers, "timeout": WAIT, "trust_env": False}
    with contextlib.ExitStack() as stack:
        try:
            url = site.server.url("/ticker/")
            answer = stack.enter_context(httpx.stream("GET", url, **options))
        except httpx.HTTPError:
            look = "whether the stream begins at once, with what has been said already"
            raise NotYet(look, sent=sent, got=f"nothing within {WAIT:g} seconds") from None
        if answer.status_code != 200:
            look = "what a GET is answered with"
            raise NotYet(look, sent=sent, got=f"HTTP {answer.status_code}", expected="HTTP 200")
        yield Reader(answer.iter_lines(), sent)


def check_26_1(site: Site) -> None:
    site.serve()
    whole = "how many events a text becomes: one, whatever stands in it"
    new = "what is sent to who is there: each new text, at once"
    back = "what is sent to who comes with `Last-Event-ID`: what has a higher number, only"
    texts: list[str] = []

    def say(text: str, *readers: Reader) -> None:
        site.page("/ticker/", "what a POST is answered with", 201, "POST", content=text)
        texts.append(text)
        for reader in readers:
            reader.sent = f"POST /ticker/ with {json.dumps(text)}"

    def left(count: int) -> None:
        look = "what is left of a reader that has gone: nothing, in `READERS`"
        end = time.monotonic() + WAIT
        while (there := site.page("/ticker/readers/", look).text) != str(count):
            if time.monotonic() > end:
                sent = "the end of a reader's connection"
                raise NotYet(look, sent=sent, got=f"{there} readers", expected=f"{count} readers")

    say(word())
    with _read(site) as anna:
        anna.expect(1, texts[0], EVENT)
        say(f"{word()}\n\ndata: {word()}\n\n", anna)
        anna.expect(2, texts[1], whole)
        say(word(), anna)
        anna.expect(3, texts[2], whole)
        last = number(1, 2)
        with _read(site, last) as ben:
            for at in range(last + 1, 4):
                ben.expect(at, texts[at - 1], back)
            for nasty in ("\r", "\n", '"', ":"):
                say(f"{word()}{nasty}{word()}", anna, ben)
                for reader in (anna, ben):
                    reader.expect(len(texts), texts[-1], whole if nasty != ":" else new)
        left(1)
        come, text = len(texts), word()

        def read_what_is_new() -> None:
            with _read(site, come) as cleo:  # daphne sends no headers before there is an event
                cleo.expect(come + 1, text, back)

        def speak() -> None:
            left(2)
            say(text, anna)

        at_once(read_what_is_new, speak)
    left(0)


def check_26_2(site: Site) -> None:
    site.serve()
    let_in = "what who connects reads: how many bytes the server has of this film"
    adds = "what is said after each piece: how many bytes there are now"
    goes_on = "what becomes of a film when its connection ends: it stays, for who comes back"
    other = "whose pieces are counted: those of the film in the path, and of no other"
    whole = "what is compared: the hash of all that has come, in its order, on all connections"
    ends = "what follows on `whole`: the server closes with 1000"
    broken = "what becomes of a film that is not whole: it is thrown away, and begins anew"
    too_large = "what becomes of a piece that is too much: close 4413, and it is not taken"
    pieces = [word().encode() * number(200, 400) for _ in range(4)]
    path = f"/ws/film/{word()}/"

    def give(client: Client, have: int, piece: bytes, look: str = adds) -> int:
        client.send(piece)
        client.sent = f"{len(piece)} bytes"
        client.expect({"have": have + len(piece)}, look)
        return have + len(piece)

    def compare(client: Client, content: bytes, answer: bool, look: str) -> None:
        client.send({"sha256": hashlib.sha256(content).hexdigest()})
        client.expect({"whole": answer}, look)

    with site.client(path) as train:
        train.expect({"have": 0}, let_in)
        have = give(train, give(train, 0, pieces[0]), pieces[1])
        with site.client(f"/ws/film/{word()}/") as someone:
            someone.expect({"have": 0}, other)
            give(someone, 0, pieces[3], other)
        train.abort()
    with site.client(path) as train:
        train.expect({"have": have}, goes_on)
        have = give(train, have, pieces[2], goes_on)
        compare(train, b"".join(pieces[:3]), True, whole)
        train.expect_close(1000, ends)
    path = f"/ws/film/{word()}/"
    with site.client(path) as train:
        train.expect({"have": 0}, let_in)
        give(train, 0, pieces[0])
        compare(train, pieces[1], False, whole)
        have = give(train, 0, pieces[1], broken)
        train.abort()
    with site.client(path) as train:
        train.expect({"have": have}, broken)
        compare(train, pieces[1], True, broken)
        train.expect_close(1000, ends)
    path = f"/ws/film/{word()}/"
    with site.client(path) as train:
        train.expect({"have": 0}, let_in)
        have = give(train, 0, rest := pieces[0][: number(500, 900)])
        train.send(b"." * (100_001 - have))
        train.sent = f"{100_001 - have} bytes, which makes 100,001"
        train.expect_close(4413, too_large)
    with site.client(path) as train:
        train.expect({"have": have}, too_large)
        have = give(train, have, b"," * (100_000 - have), "how large a film may be: 100,000 bytes")
        compare(train, rest + b"," * (100_000 - len(rest)), True, whole)


LIFE = 0.5  # seconds


def check_26_3(site: Site) -> None:
    site.serve()
    path = "/ws/machines/"
    first = "what who connects reads first: which machines are running, also if there are none"
    comes = "what all clients read when a machine begins to run: the names, in their order"
    again = "what is told when a machine says that it is alive, and was: nothing"
    silent = "what becomes of a machine that says nothing for half a second: it is gone, for all"
    renewed = "what an `alive` does for a machine that runs: its half second begins anew"
    closed = "what the end of a connection means: nothing. Its machine has half a second, as ever"
    drill, lathe = sorted(word() for _ in range(2))

    def alive(client: Client, name: str, *readers: Client) -> None:
        client.send({"alive": name})
        for reader in readers:
            reader.sent = client.sent

    def read(look: str, names: list[str], *readers: Client) -> None:
        for reader in readers:
            reader.expect({"running": names}, look)

    with site.client(path) as at_drill, site.client(path) as at_lathe:
        read(first, [], at_drill, at_lathe)
        for attempt in range(4):
            alive(at_lathe, lathe, at_drill)
            read(comes, [lathe], at_drill, at_lathe)
            alive(at_drill, drill, at_lathe)
            read(comes, [drill, lathe], at_drill, at_lathe)
            begun = time.monotonic()
            alive(at_drill, drill, at_lathe)
            if not attempt and time.monotonic() < begun + LIFE / 2:
                for client in (at_drill, at_lathe):
                    _nothing_yet(client, again)
            if _stays(at_drill, drill, at_lathe, (again, silent, renewed), [drill, lathe]):
                break
            for client in (at_drill, at_lathe):  # the machine was too busy: anew, when all is over
                while _running(client, silent) != []:
                    pass
        else:
            return  # a machine that is so busy shows nothing
        for client in (at_drill, at_lathe):
            while _running(client, silent) != []:
                client.sent = "nothing more"
        with site.client(path) as guest:
            read(first, [], guest)
            begun = time.monotonic()
            alive(guest, drill, at_drill, at_lathe)
            read(comes, [drill], at_drill, at_lathe)
            guest.close()
            if time.monotonic() < begun + LIFE / 2:
                _nothing_yet(at_drill, closed)
        at_drill.sent = at_lathe.sent = "the end of a machine's connection, and half a second"
        read(silent, [], at_drill, at_lathe)
        with site.client(path) as late:
            read(first, [], late)


def _stays(
    speaker: Client, name: str, reader: Client, looks: tuple[str, str, str], both: list[str]
) -> bool:
    """Let a machine speak for twice its life, and another not. Return whether it was in time.

    looks: for what is told again, told of who is silent, told of who speaks. both: their names.
    """
    again, silent, renewed = looks
    last, end, in_time = time.monotonic(), time.monotonic() + 2.5 * LIFE, True
    while time.monotonic() < end:
        speaker.send({"alive": name})
        in_time &= time.monotonic() < last + LIFE / 2
        last = time.monotonic()
        time.sleep(0.05)
    if not in_time:
        return False
    reader.sent = f'{{"alive": "{name}"}}, twenty times a second, and no other'
    running = _running(reader, silent)
    if running == both:
        raise NotYet(again, sent=reader.sent, got={"running": running}, expected="nothing")
    if running != [name]:
        look = silent if name in running else renewed
        raise NotYet(look, sent=reader.sent, got={"running": running}, expected=[name])
    _nothing_yet(reader, renewed)
    return True


def _running(client: Client, look: str) -> list[str]:
    frame = client.receive(look, 'a {"running": …}', wait=WAIT)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return list(json.loads(frame)["running"])
    raise NotYet(look, sent=client.sent, got=frame, expected='a {"running": …}')


def _nothing_yet(client: Client, look: str) -> None:
    """Make sure that nothing is on its way to this client, without waiting for later tasks."""
    if (frame := client._arrived()) is not None:
        raise NotYet(look, sent=client.sent, got=frame, expected="nothing")
