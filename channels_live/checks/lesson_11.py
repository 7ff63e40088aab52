"""What is right in the exercises of lesson 11, Speak your own protocol."""

import contextlib
import os
import re
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from channels_live.checks import WAIT, Fits, NotYet, Site, number, shown, word

if TYPE_CHECKING:
    import httpx

HINTS = {
    "11.1": [
        Fits(
            "is the first to match",
            "404 comes from Django, so Django was asked. A router takes the first entry that "
            "matches. Compare the order in `myproject/asgi.py` with the lesson's.",
        ),
        Fits(
            "how does send_body learn",
            "`send_body` ends the answer, unless you say that more will come. How does "
            "`CountdownConsumer` say it?",
        ),
        Fits(
            "one of those who wait",
            "Two readers, and only one of them hears of a score. What else has a "
            "`Condition` but `notify`? The lesson's `NewsConsumer` uses it.",
        ),
        "`more_body=True` belongs to both `send_body` of the stream, "
        "and `notify_all()` to the POST.",
    ],
    "11.2": [
        "Begin with `send`, and with `fridge.connect` and `fridge.disconnect` around a loop. "
        "The server of the lesson has all of that.",
        "`float(line)` reads a number, and raises `ValueError` if there is none. Then the server "
        "answers by itself, with `writer.write(…)`: bytes, and `\\n` at the end.",
        "When the cable is pulled out, `async for line in reader` raises `ConnectionResetError`. "
        "What stands below the loop must be done in that case too: `try` around the whole loop.",
    ],
    "11.3": [
        "Three methods, named after the three events. The number is drawn in the first of them: "
        "`self.number = random.randint(1, 1000)`.",
        'In `line_receive` the text is in `event["text"]`. `int()` reads it, and raises '
        "`ValueError` for what is no whole number.",
        'You answer by `await self.send({"type": "line.send", "text": "higher"})`.',
        "Two methods end with `raise StopConsumer`: one when the guess is right, and one when the "
        "player is gone.",
    ],
}


END = "the end of the answer"
GONE = "the end of the connection"
EMPTY = "an empty line"
_FAILED = re.compile(  # an exception that left a task or a server's callback: its frames, its words
    r"(?:client_connected_cb|never retrieved)\n(?:.*\n)*?Traceback.*\n((?:\s.*\n|\n)*)(\S.*)"
)
_PLACE = re.compile(r'File "(.+)", line (\d+)')


def check_11_1(site: Site) -> None:
    site.serve()
    first = "what answers this path: which entry of the router in `asgi.py` is the first to match?"
    kick_off = "what the stream begins with, and whether it is sent at once"
    posted = "what a POST is answered with"
    more = "whether more is to come: how does `send_body` learn that the answer is not finished?"
    everybody = "who is woken by a new score: one of those who wait, or all?"
    later = "what a stream gets that is opened later: only the scores from then on"
    others = "what the router in `asgi.py` does with all other paths"
    early = word()
    try:
        site.page("/scores/", posted, 201, "POST", content=early)
    except NotYet as problem:
        if problem.status == 404:
            problem.look = first
        raise
    site.page("/news/", others, 201, "POST", content=word())
    site.page("/chat/", others)
    site.page(f"/{word()}/", others, 404)
    with _stream(site, first) as anna, _stream(site, first) as ben:
        anna.expect("kick-off", kick_off)
        ben.expect("kick-off", kick_off)
        old = [word(), word(), word()]
        for score in old:
            site.page("/scores/", posted, 201, "POST", content=score)
            anna.expect(score, everybody, (END, more), (f"data: {early}", later))
            ben.expect(score, everybody, (END, more))
        with _stream(site, first) as cleo:
            cleo.expect("kick-off", kick_off)
            score = word()
            site.page("/scores/", posted, 201, "POST", content=score)
            cleo.expect(score, everybody, *((f"data: {before}", later) for before in old))
            anna.expect(score, everybody)


def check_11_2(site: Site) -> None:
    site.serve("python fridge_server.py --port 8001", ready="Listening")
    reads = (
        "how a line becomes `fridge.reading`; if the consumer was given that, how its answer "
        "becomes a line"
    )
    numeral = ("not a number", "what your server takes for a number: this line is one")
    cool = "what is sent for a temperature that is no alarm: nothing"
    one_line = "how many lines your server reads: one after the other, until there are no more"
    lives = "what becomes of the connection after a line that is no number: nothing"
    own = "whose consumer it is: every thermometer has one of its own"
    exactly = "what the consumer is told: all of its own thermometer, in this order, and no more"
    left = "what the consumer is told when its thermometer has gone"
    cut = "what the consumer is told when reading has raised `ConnectionResetError`"
    with _reasons(site), _line(site) as bar:
        hot = number(9, 90) + 0.5
        bar.send(hot)
        bar.expect(f"alarm 1: {hot} degrees", reads, numeral)
        bar.send(-hot)
        bar.expect_nothing(cool, numeral, (GONE, one_line))
        bar.send(word())
        bar.expect("not a number", "what a line is answered with that is no number")
        hot = number(9, 90) + 0.25
        bar.send(hot)
        bar.expect(f"alarm 2: {hot} degrees", lives, (f"alarm 1: {hot} degrees", own))
        with _line(site) as shop:
            shop.send(hot)
            shop.expect(f"alarm 1: {hot} degrees", own)
            four = ["connect", "reading", "reading", "reading"]
            _told(site, 1, four, exactly, "three readings, and nonsense")
            bar.close()
            _sign_of_life(site)
            _told(site, 1, [*four, "disconnect"], left, "the end of the connection")
            shop.cut()
            _sign_of_life(site)
            _told(site, 2, ["connect", "reading", "disconnect"], cut, "a reset of the connection")


def check_11_3(site: Site) -> None:
    site.serve("python guess_server.py --port 8001", ready="Listening")
    with _reasons(site), contextlib.ExitStack() as stack:
        games = [Game(stack.enter_context(_line(site)))]
        while not games[0].over:
            games[0].guess()
        games += [Game(stack.enter_context(_line(site))) for _ in range(6)]
        while not all(game.over for game in games):
            for game in games:
                game.guess()
        numbers = [game.low for game in games]
        if len(set(numbers)) == 1:
            look = "when the number is drawn: anew for each player who connects"
            raise NotYet(look, got=f"seven games, all with {numbers[0]}", expected="other numbers")
        if max(numbers) <= 100:
            look = "from which numbers yours is drawn: 1 to 1000"
            got = f"seven games, with {', '.join(map(str, numbers))}"
            raise NotYet(look, got=got, expected="also numbers above 100")
        over = _ended(site)
        with _line(site) as early:
            Game(early).guess()
        with _line(site) as late:
            Game(late)  # once it is greeted, the server has seen the other one leave
            if _ended(site) == over:
                look = "what your consumer does with `line.disconnect`: it must end"
                failed = site.events("error")
                got = "the consumer failed" if failed else "the consumer waits for an event"
                left = "a guess, and then the player leaves"
                raise OfOneConsumer(look, sent=left, got=got, expected="it has ended")


class OfOneConsumer(NotYet):
    """What went wrong with one consumer: what others were told last says nothing of it."""


class Game:
    """A player of 11.3, who halves what is left."""

    def __init__(self, line: "Line") -> None:
        self._line = line
        self.low, self._high, self._guesses, self.over = 1, 1000, 0, False
        line.read("the greeting: one line, as soon as a player connects", "a greeting")
        line.expect_nothing("the greeting: it is one line, no more")
        for text in (word(), f"{number()}.5"):
            line.send(text)
            look = "what a line is answered with that is not a whole number"
            line.expect("a number, please", look)

    def guess(self) -> None:
        """Guess once, unless the game is over."""
        if self.over:
            return
        middle = (self.low + self._high) // 2
        self._guesses += 1
        self._line.send(middle)
        expected = "higher, lower, or right after so many guesses"
        answer = self._line.read("whether the game goes on: each line is answered", expected)
        if answer == "higher":
            self.low = middle + 1
        elif answer == "lower":
            self._high = middle - 1
        elif answer == f"right after {self._guesses} guesses":
            self.low, self.over = middle, True
            self._line.expect_end("how a consumer says that it is done: the game is over")
        elif answer.startswith("right after"):
            look = "which lines are counted: those of this player with a whole number"
            expected = f"right after {self._guesses} guesses"
            raise NotYet(look, sent=str(middle), got=answer, expected=expected)
        else:
            raise NotYet("the words of the answer", sent=str(middle), got=answer, expected=expected)
        if self.low > self._high and not self.over:
            look = (
                "the number, from 1 to 1000 and the same for a whole game, and what is compared: "
                "`higher` says that it is above the guess"
            )
            raise NotYet(look, sent=str(middle), got=f"{answer}, which leaves no number")


class Stream:
    """Server-sent events, as a browser gets them."""

    def __init__(self, response: "httpx.Response") -> None:
        self._lines = response.iter_lines()

    def expect(self, data: str, look: str, *mistakes: tuple[str, str]) -> None:
        """Read an event and compare it. mistakes: pairs of what is got and what to look at then."""
        got = self._event()
        if got != f"data: {data}":
            look = dict(mistakes).get(got, look)
            if got.startswith(f"data: {data}, then "):
                look = "how an event ends: with an empty line, so with two line feeds"
            sent = "GET /scores/" if data == "kick-off" else f"POST /scores/ with {data}"
            raise NotYet(look, sent=sent, got=got, expected=f"data: {data}, then an empty line")

    def _event(self) -> str:
        import httpx

        lines: list[str] = []
        try:
            for line in self._lines:
                if not line:
                    return "\n".join(lines)
                lines.append(line)
            end = END
        except httpx.TimeoutException:
            end = f"nothing within {WAIT:g} seconds"
        except httpx.HTTPError as error:
            end = str(error)
        return ", then ".join([*lines, end])


@contextlib.contextmanager
def _stream(site: Site, look: str) -> Iterator[Stream]:
    import httpx

    sent, expected = "GET /scores/", "HTTP 200, at once"
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(httpx.Client(trust_env=False, timeout=WAIT))
        try:
            response = stack.enter_context(web.stream("GET", site.server.url("/scores/")))
        except httpx.HTTPError:
            late = "when the stream begins: it is to be sent before there is a score"
            got = f"nothing within {WAIT:g} seconds"
            raise NotYet(late, sent=sent, got=got, expected=expected) from None
        if response.status_code != 200:
            if response.status_code != 404:
                look = "what a GET is answered with"
            got = f"HTTP {response.status_code}"
            raise NotYet(look, sent=sent, got=got, expected=expected)
        yield Stream(response)


class Line:
    """A TCP connection over which lines are sent and read."""

    def __init__(self, connection: socket.socket, site: Site) -> None:
        self._connection, self._site = connection, site
        self._sent, self._rest = "a connection", b""

    def send(self, line: object) -> None:
        self._sent = str(line)
        with contextlib.suppress(OSError):  # the next answer that is missing will tell
            self._connection.sendall(f"{line}\n".encode())

    def read(self, look: str, expected: Any = None) -> str:
        """Return the next line."""
        end = self._fill()
        line, newline, rest = self._rest.partition(b"\n")
        if not newline:
            text = line.decode(errors="replace")
            got = f"{text} without the end of a line, then {end}" if text else end
            raise NotYet(look, sent=self._sent, got=got, expected=expected)
        self._rest = rest
        return line.decode(errors="replace").removesuffix("\r")

    def expect(self, expected: str, look: str, *mistakes: tuple[str, str]) -> None:
        """Read a line and compare it. mistakes: pairs of a line and what to look at then."""
        line = self.read(look, expected)
        if line != expected:
            look = dict(mistakes).get(line, look)
            raise NotYet(look, sent=self._sent, got=line, expected=expected)

    def expect_nothing(self, look: str, *mistakes: tuple[str, str]) -> None:
        """Make sure that nothing is on its way. mistakes: as in `expect`."""
        self._site.events()
        end = self._fill(0.0)
        if self._rest or end == GONE:
            got = self._rest.decode(errors="replace").rstrip() or (EMPTY if self._rest else GONE)
            look = dict(mistakes).get(got, look)
            raise NotYet(look, sent=self._sent, got=got, expected="nothing")

    def expect_end(self, look: str) -> None:
        """Make sure that the server closes the connection, and sends nothing more."""
        end = self._fill()
        if self._rest or end != GONE:
            got = self._rest.decode(errors="replace") or end
            raise NotYet(look, sent=self._sent, got=got, expected=GONE)

    def cut(self) -> None:
        """Pull out the cable: the server's next read raises ConnectionResetError."""
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()

    def close(self) -> None:
        self._connection.close()

    def _fill(self, wait: float = WAIT) -> str:
        """Read until there is a whole line. Return what came instead, in words."""
        self._connection.settimeout(wait)
        try:
            while b"\n" not in self._rest:
                more = self._connection.recv(4096)
                if not more:
                    return GONE
                self._rest += more
        except (TimeoutError, BlockingIOError):
            return f"nothing within {wait:g} seconds"
        except OSError:
            return GONE
        return ""


@contextlib.contextmanager
def _line(site: Site) -> Iterator[Line]:
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=WAIT) as connection:
        yield Line(connection, site)


def _sign_of_life(site: Site) -> None:
    """Make sure that 11.2 serves others as before, and has dealt with what came before."""
    with _line(site) as line:
        hot = number(9, 90) + 0.5
        line.send(hot)
        line.expect(
            f"alarm 1: {hot} degrees",
            "whether others are served once a thermometer has gone: does its loop end?",
        )


def _told(site: Site, which: int, types: Sequence[str], look: str, sent: str) -> None:
    """Compare the types of the events that the consumer with this number has got."""
    expected = [f"fridge.{name}" for name in types]
    types = [event["type"] for event in site.events("call", conn=which)]
    if types != expected:
        got = f"the consumer was told: {', '.join(types) or 'nothing'}"
        raise OfOneConsumer(look, sent=sent, got=got, expected=", ".join(expected))


def _ended(site: Site) -> int:
    """Return how many consumers of 11.3 have ended, as its server says."""
    return len(site.server.log(contains="A consumer has ended.").splitlines())


@contextlib.contextmanager
def _reasons(site: Site) -> Iterator[None]:
    """Add to a NotYet what the learner's server did: the events it gave, and where it failed."""
    try:
        yield
    except NotYet as problem:
        site.server.end()
        if not isinstance(problem, OfOneConsumer):
            given = ", ".join(event["type"] for event in site.events("call")[-4:])
            problem.more["last events"] = given or "none: no consumer was told of anything"
        if not site.events("error") and (failed := _FAILED.search(site.server.log())):
            frames, words = failed.groups()
            places = _PLACE.findall(frames)
            place = f", in {places[-1][0]}, line {places[-1][1]}" if places else ""
            problem.more["your server raised"] = shown(words + place)
        raise
