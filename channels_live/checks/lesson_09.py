"""What is right in the exercises of lesson 9, Go async with AsyncWebsocketConsumer."""

import builtins
import contextlib
import socket
import sqlite3
import time

from channels_live.checks import WAIT, Client, Fits, NotYet, Site, number, word
from channels_live.server.server import Events

MEANWHILE = 2.0  # seconds in which others must be served while one waits
BUSY = 5  # looks at the server while the database lets somebody wait
PATIENCE = 40  # readings before the answer to a command
NO_READINGS = (
    "the readings: do they begin with `connect`, and go on? What a task raises is not shown: does "
    "it send texts?"
)
AFTER_EXCEPTION = (
    "who ends the task after an exception: `disconnect` does not run then, and the sensor is still "
    "read"
)
LIBRARY = """
import socket


def price(parcel):
    try:
        with socket.create_connection(("127.0.0.1", {port})) as carrier:
            carrier.sendall(parcel.encode())
            return carrier.recv(1000).decode()
    except OSError:
        return "the check is over"
"""
SENSOR = """
import itertools

_numbers = itertools.count({start})


def read():
    return next(_numbers)
"""

HINTS = {
    "9.1": [
        "The lesson's section *Watch it fail* shows four mistakes and what each looks like. "
        "All four are here.",
        Fits(
            "was never awaited|used in 'await' expression",
            "What of Channels must be awaited? `accept`, `send`, `close`. Which methods must be "
            "`async def`? All that Channels calls.",
        ),
        Fits(
            "SynchronousOnlyOperation|it runs on the event loop",
            "`filter` only describes a query. It runs in the line that goes through the topics: "
            "`[topic.title async for topic in topics]`.",
        ),
    ],
    "9.2": [
        "Which line of `prices.py` takes the three seconds, and where does it run: on the event "
        "loop, in the one thread of all sync consumers, or in a thread of its own?",
        "The lesson names three ways out of the event loop. `database_sync_to_async` and "
        "`sync_to_async` lead to *the* thread. For long work without the database there is a "
        "third.",
        "`await asyncio.to_thread(function, argument)`: hand over the function, without brackets.",
    ],
    "9.3": [
        "Begin with the `TickerConsumer` of the lesson: a task, created in `connect`, cancelled "
        "in the `finally` of `__call__`, because `disconnect` does not run after an exception. A "
        "reading is `self.send(text_data=str(sensor.read()))`, awaited.",
        "`pause` cancels the task and answers. `resume` creates a new one; keep it in the same "
        "place, so that `finally` finds it. Any other text: `raise ValueError(…)`.",
        "Two `resume` in a row must not leave two tasks. Cancel what is there before you create "
        "another: to cancel a task twice does no harm.",
    ],
}


def check_9_1(site: Site) -> None:
    site.migrate()
    site.serve()
    shared, lonely = word(), word()
    titles = [f"Two {shared}", f"Again {shared}", f"No {shared.upper()}", f"One {lonely}"]
    handshake = "whether `accept()` runs: to call a coroutine only makes it, `await` runs it"
    with (
        contextlib.closing(sqlite3.connect(site.folder / "db.sqlite3")) as database,
        site.client("/ws/search/", handshake) as anna,
        site.client("/ws/search/") as ben,
        contextlib.closing(database),  # lets go of a search that waits for it, before they leave
    ):
        rows = [(title, word()) for title in titles]
        with database:
            database.executemany("INSERT INTO myapp_topic (title, slug) VALUES (?, ?)", rows)
        for client, text in [(anna, shared), (ben, lonely.upper()), (anna, word()), (ben, shared)]:
            database.execute("BEGIN EXCLUSIVE")  # whoever asks the database now, waits
            client.send(text)
            for _ in range(BUSY):
                still_served(
                    ben if client is anna else anna,
                    "the query: it runs on the event loop, and blocks it",
                    "the database takes its time for another client",
                )
                time.sleep(0.01)
            database.rollback()
            found = sorted(title for title in titles if text.lower() in title.lower())
            client.expect(
                found,
                "what `receive` does with a text, step by step",
                (found[::-1], "the order of the titles: from A to Z"),
                (lambda got: isinstance(got, str), "the answer: a list of titles, as JSON"),
            )


def check_9_2(site: Site) -> None:
    guitar, piano, greeting = word(), word(), {"message": word()}
    with contextlib.closing(Carrier(site)) as carrier:
        site.serve()
        with (
            site.client("/ws/price/") as anna,
            site.client("/ws/price/") as ben,
            site.client("/ws/echo/") as carla,
            site.client("/ws/async-echo/") as dora,
            contextlib.closing(carrier),  # lets go of whoever waits for it, before they leave
        ):
            anna.send(guitar)
            first = carrier.asked(guitar, "whether `carrier.price` is called with the text")
            still_served(
                ben,
                "the line that waits for the carrier: it runs on the event loop, and blocks it",
                "another client waits for the carrier",
            )
            for client, path in [(carla, "/ws/echo/"), (dora, "/ws/async-echo/")]:
                client.send(greeting)
                client.expect(
                    greeting,
                    f"why `{path}` has to wait for the carrier, too: all sync consumers, "
                    "`sync_to_async` and `database_sync_to_async` share one thread, unless told "
                    "otherwise",
                    wait=MEANWHILE,
                )
            ben.send(piano)
            second = carrier.asked(piano, "whether two clients can wait for the carrier at once")
            for client, call in [(ben, second), (anna, first)]:
                price = word()
                call.sendall(price.encode())
                client.expect(price, "what becomes of the text that `carrier.price` returns")
            anna.expect_nothing("what else is sent to a client that has its price")


def still_served(client: Client, look: str, meanwhile: str) -> None:
    """Raise NotYet if the event loop is blocked, so that this client's ping is not answered."""
    if not client.websocket.ping().wait(MEANWHILE):
        raise NotYet(
            look,
            sent=f"a ping, which daphne answers by itself, while {meanwhile}",
            got=f"nothing within {MEANWHILE:g} seconds",
            expected="an answer at once",
        )


class Carrier:
    """The other end of the carrier's library. Who asks there waits until we answer."""

    def __init__(self, site: Site) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(WAIT)
        self._sockets = [self._listener]
        library = LIBRARY.format(port=self._listener.getsockname()[1])
        (site.folder / "myapp/carrier.py").write_text(library, encoding="utf-8")

    def asked(self, parcel: str, look: str) -> socket.socket:
        """Return the socket of a call with this parcel. Raises NotYet if there is none."""
        try:
            call, _ = self._listener.accept()
            self._sockets.append(call)
            got = call.recv(1000).decode()
        except TimeoutError:
            got = f"no call within {WAIT:g} seconds"
        if got != parcel:
            expected = f'a call of carrier.price("{parcel}")'
            raise NotYet(look, sent=parcel, got=got, expected=expected)
        return call

    def close(self) -> None:
        for opened in self._sockets:
            opened.close()


def check_9_3(site: Site) -> None:
    sensor = SENSOR.format(start=number(1000, 9000))
    (site.folder / "myapp/sensor.py").write_text(sensor, encoding="utf-8")
    site.serve()
    blocked = "whether `accept()` is awaited, and whether anything blocks the event loop"
    with site.client("/ws/oven/", blocked) as anna:
        readings(anna, 2)
        command(anna, "pause", "paused")
        anna.expect_nothing("whether readings go on after `paused`")
        alone(site, "what `pause` ends: the sensor is still read for a client that has paused")
        alone(site, "who ends the task: the sensor is still read for a client that has left")
        with site.client("/ws/oven/") as ben:
            readings(ben, 2)
            ben.abort()
        alone(site, "who ends the task where a connection is cut, so with code 1006")
        for text in ("resume", "resume"):
            command(anna, text, "resumed")
        readings(anna, 2)
        with site.client("/ws/oven/") as ben:
            readings(ben, 1)
            command(anna, "pause", "paused")
            skip_what_has_come(ben)
            readings(ben, 2, "whose task the `pause` of another client cancels: each has its own")
            anna.expect_nothing("how many tasks there are after a second `resume`")
            ben.close()
        alone(site, "how many tasks there are after a second `resume`")
        anna.close()
    if site.events("error"):
        raise NotYet("what is done at the end for a client that has paused", got="an exception")
    with site.client("/ws/oven/") as dora:
        readings(dora, 2)
        dora.send(word())
        problem = None
        try:  # before daphne closes: a task that sends while it does is ended by an exception
            alone(site, AFTER_EXCEPTION)
        except NotYet as still_read:
            problem = still_read
        if not any(value_errors(site.server.events(wait)) for wait in (0.0, WAIT)):
            look = "what `receive` does with any other text: it raises"
            raised = [event["type"] for event in site.errors()]
            got = f"{raised[-1]}, another exception" if raised else "no exception"
            problem = NotYet(look, sent=dora.sent, got=got, expected="a ValueError")
        if problem:
            raise problem


def value_errors(events: Events) -> Events:
    """Return the ValueErrors that have left a consumer. One of the learner's own may be one."""
    return [
        event
        for event in events
        if event["kind"] == "error"
        and event["type"] != "Disconnected"  # what a send raises after a close
        and issubclass(getattr(builtins, event["type"], ValueError), ValueError)
    ]


def readings(client: Client, count: int, look: str = NO_READINGS) -> list[int]:
    """Read so many readings, and return them as numbers."""
    frames = []
    for frame in [client.receive(look, "a reading") for _ in range(count)]:
        if not isinstance(frame, str) or not frame.isdigit():
            look = "what is sent without a command: readings and nothing else, each as text"
            raise NotYet(look, got=frame, expected="182")
        frames.append(frame)
    if len(set(frames)) < count:
        look = "whether each reading is a fresh `sensor.read()`"
        raise NotYet(look, got=", ".join(frames), expected="another value each time")
    return [int(frame) for frame in frames]


def skip_what_has_come(client: Client) -> None:
    """Pass over what is on its way to this client."""
    client.websocket.ping().wait(WAIT)  # frames keep their order: what was sent is here now
    with contextlib.suppress(TimeoutError):
        while True:
            client.websocket.recv(timeout=0)


def command(client: Client, text: str, answer: str) -> None:
    """Send a command and read up to its answer."""
    client.send(text)
    look = f"what `receive` does with `{text}` while readings go on beside it"
    for _ in range(PATIENCE):
        if not (frame := client.receive(look, answer)).isdigit():
            break
    if frame != answer:
        got = "only readings" if frame.isdigit() else frame
        raise NotYet(look, sent=text, got=got, expected=answer)


def alone(site: Site, look: str) -> None:
    """Raise NotYet if the sensor is read for anybody but one client, who comes and leaves."""
    with site.client("/ws/oven/") as carla:
        numbers = readings(carla, 3)
        carla.close()
    if numbers != list(range(numbers[0], numbers[0] + 3)):
        got = f"readings {', '.join(map(str, numbers))}"
        expected = "a sensor that nobody else reads: 1 more each time"
        raise NotYet(look, sent="GET /ws/oven/, by a new client", got=got, expected=expected)
