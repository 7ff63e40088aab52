"""What is right in the exercises of lesson 18, Lose nothing."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import pairwise
from typing import Any, ClassVar

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from channels_live.checks import (
    WAIT,
    Client,
    Fits,
    NotYet,
    Site,
    at_once,
    crossing,
    number,
    word,
)
from channels_live.checks.frames import CROSSED, as_json, let_messages_cross, read_until, send

HINTS = {
    "18.1": [
        "Three ways: one is in the query, one in what happens between `group_add` and the query, "
        "one in what becomes of a key.",
        Fits(
            "the last number that was read|it comes by both ways|also what is sent again",
            "`after` names what a board has read. And each board needs to know which number it "
            "was shown last, so that an event with one that is not higher can be left out.",
        ),
        Fits(
            "with the same key|also for a key that is known|IntegrityError",
            "The model has a field `key` since the lesson, and `save` in `myapp/rooms.py` shows "
            "how to find the message that came with it before.",
        ),
        Fits(
            "another station may have used it",
            "`aget_or_create(room=self.station, key=key, defaults={…})`, and `self.last`, which "
            "`show` sets.",
        ),
    ],
    "18.2": [
        "Three methods: `connect`, one for the event `order.taken`, and `receive_json` for `done`. "
        "And an event of your own, so that all kitchens learn what is done.",
        Fits(
            "it comes by both ways|when an order is taken",
            "Join the group first, then read the table: what is ordered in between comes by both "
            "ways, so keep the highest number that you have sent.",
        ),
        Fits(
            "DoesNotExist|nobody reads of it any more|an order, and no other message",
            '`Message.objects.filter(room="orders", pk=content["done"]).adelete()` deletes it, '
            "and minds nothing if it is gone.",
        ),
    ],
    "18.3": [
        Fits(
            "after= and the last number|each message once",
            "One method for one connection, and one with a loop around it. What has to outlive a "
            "connection is `self.last`.",
        ),
        Fits(
            "InvalidStatus|ConnectionClosedError|of its own has ended|to stay away|all but 1008",
            "Find out how a connection can end: look at `ConnectionClosed` and "
            "`InvalidHandshake` of websockets, and at `OSError`. `websocket.close_code` is known "
            "when it has ended.",
        ),
        Fits(
            "how long your program waits|as at the beginning|about twice as long",
            "The wait doubles where nothing new was read, and begins anew where something was.",
        ),
        "`connect` must be called once for each attempt, because the address changes with `after`.",
    ],
}
CLERK = "what the clerk reads: `saved` and the key, each time, also for a key that is known"
MISSED = "what a board reads that comes back: what is newer, of this station, the oldest first"
AGAIN = "what `after` names: the last number that was read. What is read now is higher"
FORM = "what each board reads: the number of the message, and the message"
BETWEEN = "what is said while a board connects: it comes by both ways, and must be shown once"
BEFORE = "what a board has that came with `after`: all up to that number, also what is sent again"
KEY = "what becomes of a message that was sent again, with the same key: boards have it already"


def check_18_1(site: Site) -> None:
    let_messages_cross(site.folder)
    at_once(site.migrate, site.serve)
    path = f"/ws/departures/{word()}/"
    said: list[dict[str, Any]] = []

    def say(clerk: Client, text: str, key: str, *boards: Client) -> None:
        send(clerk, {"message": text, "key": key}, *boards)
        read_until({"saved": key}, CLERK, clerk)

    def shown(board: Client, text: str, look: str = FORM) -> None:
        frame = board.receive(look, f'an id and "{text}"')
        got = as_json(frame)
        if not isinstance(got, dict) or got.keys() != {"id", "message"}:
            raise NotYet(FORM, sent=board.sent, got=frame, expected=f'an id and "{text}"')
        if got["message"] != text:
            raise NotYet(look, sent=board.sent, got=frame, expected=f'an id and "{text}"')
        said.append(got)

    with site.client(path) as clerk, site.client(path) as board:
        for _ in range(4):
            text = word()
            say(clerk, text, word(), board)
            shown(board, text)
        with site.client(f"{path}?after={said[1]['id']}") as back:
            for message in said[2:4]:
                back.expect(message, MISSED, (said[1], AGAIN))
            text = word()
            say(clerk, text, word(), board, back)
            shown(board, text)
            back.expect(said[-1], MISSED)
        _come_while_the_clerk_speaks(site, said[-1]["id"])
        repeated, after_it, again = word(), word(), word()
        say(clerk, repeated, again, board)
        shown(board, repeated)
        say(clerk, repeated, again, board)
        say(clerk, after_it, word(), board)
        shown(board, after_it, KEY)
        there = f"/ws/departures/{word()}/?after={said[-1]['id']}"
        look = "what a key belongs to: another station may have used it for another message"
        with site.client(there) as clerk, site.client(there) as other:
            text = word()
            say(clerk, text, again, other)
            shown(other, text, look)
        here = [message["id"] for message in said[:-1]]
        with site.client(f"{path}?after={here[-1]}") as back, site.client(path) as clerk:
            back.expect_nothing("which messages a board is shown: those of its own station")
            say(clerk, repeated, again, back)
            back.expect_nothing(BEFORE)


@contextlib.contextmanager
def _come_meanwhile(
    site: Site, path: str, say: Callable[[], str], meanwhile: str
) -> Iterator[tuple[Client, list[str]]]:
    """Give a client that comes while somebody speaks, and all that was said meanwhile.

    Something is said before it has joined, and something after. say: says it, and returns it.
    """
    said: list[str] = []
    here = threading.Event()

    def speak() -> None:
        more = 3  # times, when it has been let in: it may join only then
        while more:
            more -= here.wait(0.01)
            said.append(say())

    def come() -> Client:
        try:
            return stack.enter_context(site.client(path, open_timeout=CROSSED + WAIT))
        finally:
            here.set()

    with contextlib.ExitStack() as stack:
        _, client = at_once(speak, come)
        client.sent = f"GET {path}, while {meanwhile}"
        yield client, said


def _come_while_the_clerk_speaks(site: Site, after: int) -> None:
    path = f"/ws/departures/{crossing.BUSY}-{word()}/"

    def say() -> str:
        text, key = word(), word()
        clerk.send({"message": text, "key": key})
        clerk.read_until({"saved": key}, CLERK, CROSSED + WAIT)
        return text

    meanwhile = "another client sends messages"
    with (
        site.client(path) as clerk,
        _come_meanwhile(site, f"{path}?after={after}", say, meanwhile) as (board, texts),
    ):
        for text in texts:
            frame = board.receive(BETWEEN, f'"{text}"')
            got = as_json(frame)
            if not isinstance(got, dict) or got.get("message") != text:
                raise NotYet(BETWEEN, sent=board.sent, got=frame, expected=f'"{text}"')
        board.expect_nothing(BETWEEN)


def check_18_2(site: Site) -> None:
    at_once(site.migrate, site.serve)
    let_in = "whether your `KitchenConsumer` accepts, and joins the group `kitchen`"
    waiting = "what a kitchen reads first: all orders that are not done, the oldest first"
    fresh = "what a kitchen reads when an order is taken: its number, and the order"
    done = "what all kitchens read, whoever has said it: the number that is done"
    gone = "what becomes of an order that is done: nobody reads of it any more"
    taken = "what the waiter reads"
    orders: list[dict[str, Any]] = []
    with site.client("/ws/orders/") as waiter:

        def order(*kitchens: Client) -> None:
            frame = {"order": word(), "key": word()}
            send(waiter, frame, *kitchens)
            read_until({"taken": frame["key"]}, taken, waiter)
            orders.append({"order": frame["order"]})

        def take(kitchen: Client, which: dict[str, Any], look: str) -> None:
            expected = f'a number and "{which["order"]}"' if "number" not in which else which
            frame = kitchen.receive(look, expected)
            got = as_json(frame)
            if isinstance(got, dict) and got.keys() == {"number", "order"}:
                which.setdefault("number", got["number"])
            if got != which:
                raise NotYet(look, sent=kitchen.sent, got=frame, expected=expected)

        for _ in range(3):
            order()
        with site.client("/ws/kitchen/", let_in) as first:
            for which in orders:
                take(first, which, waiting)
            order(first)
            take(first, orders[3], fresh)
            with site.client("/ws/kitchen/", let_in) as second:
                for which in orders:
                    take(second, which, waiting)
                for _ in range(2):  # the second time it is gone already
                    finished = {"done": orders[1]["number"]}
                    send(first, finished, first, second)
                    for kitchen in (first, second):
                        kitchen.expect(finished, done)
                order(first, second)
                for kitchen in (first, second):
                    take(kitchen, orders[4], fresh)
            first.abort()
        del orders[1]
        with site.client("/ws/kitchen/", let_in) as back:
            for which in orders:
                take(back, which, gone)
            back.expect_nothing("how often an order is read on one connection: once")
        with site.client("/ws/chat/kitchen/?after=0") as room:
            chat = "what becomes of the chat"
            room.expect({"reload": True}, chat)
            text = word()
            room.send({"message": text})
            message = as_json(room.receive(chat, text))
        others = "which messages are orders: those of the room `orders`"
        with site.client("/ws/kitchen/", let_in) as kitchen:
            for which in orders:
                take(kitchen, which, others)
            kitchen.expect_nothing(others)
            kitchen.send({"done": message["id"]})
            kitchen.expect({"done": message["id"]}, done)
        with site.client("/ws/chat/kitchen/") as room:
            room.sent = f'{{"done": {message["id"]}}}, by a kitchen: no order has this number'
            room.expect({"message": text}, "what `done` deletes: an order, and no other message")
    let_messages_cross(site.folder, "kitchen")
    site.serve()
    between = "what is ordered while a kitchen connects: it comes by both ways, and is read once"
    with site.client("/ws/orders/") as waiter, site.client("/ws/kitchen/", let_in):

        def say() -> str:
            text, key = word(), word()
            waiter.send({"order": text, "key": key})
            waiter.read_until({"taken": key}, taken, CROSSED + WAIT)
            orders.append({"order": text})
            return text

        waiting_for = _come_meanwhile(site, "/ws/kitchen/", say, "orders are taken")
        with waiting_for as (kitchen, _):
            for which in orders:
                take(kitchen, which, between)
            kitchen.expect_nothing(between)


class Room:
    """A room that goes wrong, for one client: each connection has its part in a script."""

    FINAL = 4400 + number(0, 99)
    REFUSED: ClassVar = {
        3: HTTPStatus.SERVICE_UNAVAILABLE,
        4: HTTPStatus.FORBIDDEN,
        6: HTTPStatus.UNAUTHORIZED,
        8: HTTPStatus.INTERNAL_SERVER_ERROR,
    }

    def __init__(self) -> None:
        self.texts = [word() for _ in range(5)]
        self.asked: list[str] = []  # paths of the handshakes
        self.times: list[float] = []  # when they came
        self.over = threading.Event()

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        """Note a handshake, and refuse some of the third to the eighth, which are in vain."""
        self.asked.append(request.path)
        self.times.append(time.monotonic())
        if status := self.REFUSED.get(len(self.asked)):
            return connection.respond(status, "later\n")
        return None

    def talk(self, connection: ServerConnection) -> None:
        """Do what the script says for this connection."""
        with contextlib.suppress(ConnectionClosed):
            match len(self.asked):
                case 1:
                    connection.send('{"reload": true}')
                    self._say(connection, 1, 2)
                    connection.close(1011)
                case 2:
                    self._say(connection, 2, 3)
                    connection.ping().wait(1)  # it has read them
                    connection.socket.shutdown(socket.SHUT_RDWR)
                case 5 | 7:  # let in, for nothing
                    connection.close(1011)
                case 9:
                    self._say(connection, 4)
                    connection.close(4503)
                case 10:
                    self._say(connection, 5)
                    connection.close(self.FINAL)
                    self.over.set()
                case _:
                    connection.close(self.FINAL)

    def waits(self) -> list[float]:
        """Return how many seconds passed between a handshake and the next."""
        return [later - earlier for earlier, later in pairwise(self.times)]

    def _say(self, connection: ServerConnection, *numbers: int) -> None:
        for at in numbers:
            connection.send(json.dumps({"id": at, "message": self.texts[at - 1]}))

    @contextlib.contextmanager
    def open(self) -> Iterator[str]:
        """Give the address."""
        with serve(self.talk, "127.0.0.1", 0, process_request=self.refuse) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
            server.shutdown()
            thread.join()


AFTER = [0, 2, 3, 3, 3, 3, 3, 3, 3, 4]  # what each connection of the script asks for
FIRST = 0.02  # seconds of the first wait: the sixth is far longer, on any computer
MUCH = 25 * FIRST
IN_VAIN = "six attempts in vain, then a message, and a close"
ANEW = "how long your program waits when it has read something new: as at the beginning"
TWICE = "how long your program waits: about twice as long after each attempt in vain"
FRAMES = (
    "what your program makes of each frame and each end: an exception of its own has ended it. A "
    'frame may have another shape, as `{"reload": true}`; an end may have no close frame'
)
NO_CONNECTION = ("ConnectionRefusedError", "ConnectionResetError", "OSError", "TimeoutError")
ENDED = "which ends make your program come back: all but 1008 and 4400 to 4499"


def doubles(waits: list[float]) -> bool:
    """Tell whether six waits grow as if each were twice the one before, by far more than FIRST."""
    return waits[-1] - waits[0] > 10 * FIRST and sum(waits) >= MUCH


def check_18_3(site: Site) -> None:
    try:
        _come_back(site)
    except NotYet as problem:
        if problem.look not in (ANEW, TWICE):
            raise
        _come_back(site)  # a computer that stands still for a moment looks like that too


def _expect_paths(room: Room, sent: str) -> None:
    """Raise NotYet unless each connection but the first asks for what comes after the last."""
    for path, after in list(zip(room.asked, AFTER, strict=False))[1:]:
        if path != f"/?after={after}":
            look = "what your program asks for on its return: `?after=` and the last number"
            raise NotYet(look, sent=sent, got=path, expected=f"/?after={after}") from None


def _come_back(site: Site) -> None:
    room = Room()
    sent = "a server that closes, drops, repeats, has nothing to say, and closes for good"
    try:
        with room.open() as address:
            status, output = site.python("steady.py", address, str(FIRST), limit=10.0)
    except NotYet as problem:
        if len(room.asked) > len(AFTER):
            look = "when your program ends: the server has told it to stay away"
            got = f"close {room.FINAL}, and your program came back"
            raise NotYet(look, sent=sent, got=got, expected="the end of the program") from None
        problem.sent = sent
        _expect_paths(room, sent)
        if len(room.asked) == len(AFTER) - 1 or room.waits()[-1:] > [MUCH]:
            problem.look, problem.sent = ANEW, IN_VAIN
        raise
    if status and "Traceback" in output:
        raised = output.strip().rpartition("\n")[2]
        own = re.match(r"\w+: ", raised)  # of a library, they have a module's name before theirs
        if place := re.findall(r'steady\.py", (line \d+)', output):
            raised += f", in steady.py, {place[-1]}"
        look = FRAMES if own and not raised.startswith(NO_CONNECTION) else ENDED
        raise NotYet(look, sent=sent, got=raised)
    connections = len(room.asked)
    if connections < len(AFTER):
        got = f"{connections} connection{'s'[: connections != 1]}, and the end of the program"
        if refused := Room.REFUSED.get(connections):
            got += f" after HTTP {refused.value}"
        raise NotYet(ENDED, sent=sent, got=got, expected=f"{len(AFTER)} connections")
    if connections > len(AFTER):
        look = "when your program ends: the server has told it to stay away"
        raise NotYet(look, sent=sent, got=f"{connections} connections")
    _expect_paths(room, sent)
    lines = output.split()
    if lines != room.texts:
        look = "what is printed: each message once, in its order"
        raise NotYet(look, sent=sent, got=" ".join(lines), expected=" ".join(room.texts))
    waits = room.waits()
    in_vain, at_last = waits[2:8], waits[8]
    if not doubles(in_vain):
        told = ", ".join(f"{wait:.2f}" for wait in in_vain)
        sent = "HTTP 503, 403, 401 and 500, and two connections that end before a message comes"
        raise NotYet(TWICE, sent=sent, got=f"waits of {told} seconds")
    if at_last > MUCH:
        raise NotYet(ANEW, sent=IN_VAIN, got=f"a wait of {at_last:.2f} seconds")
