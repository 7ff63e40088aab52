"""What is right in the exercises of lesson 19, Limit what clients cost."""

from typing import Any

import psutil

from channels_live.checks import Client, Fits, NotYet, Site, at_once, number, word
from channels_live.checks.frames import as_json, send
from channels_live.checks.site import DAPHNE

HINTS = {
    "19.1": [
        "Count what one watcher is sent when two maps are drawn: one and then one, or one and then "
        "two? And what empties the list?",
        Fits(
            "once, and only when it has answered|nothing, until the next map|every new map",
            "`ready` says whether the watcher has seen the last map. Who sets it to `False`? Who "
            "asks?",
        ),
        Fits(
            "the newest that has come meanwhile|the server's memory",
            "In the end there is one value, the newest map that was not sent, or `None`. Both "
            "methods that may send it, `map_drawn` and `receive_json`, do so in the same way.",
        ),
    ],
    "19.2": [
        "`self.unread` holds the numbers that were sent and not acknowledged, the oldest on the "
        "left. When does one come in, when do some go out, and when is it full?",
        Fits(
            "all numbers up to it",
            "An acknowledgement is for all up to its number: `while`, not `if`, and `<=`.",
        ),
        Fits(
            "with StopConsumer|invalid close code|no eleventh",
            "Before sending: if there are `most_unread` already, `await self.close(4503)`, and "
            "then `raise StopConsumer`, which the file imports.",
        ),
    ],
    "19.3": [
        Fits(
            "what becomes of a place",
            "Where does a consumer begin, and where does it end, whatever happens? `__call__` "
            "runs it from its first event to its last.",
        ),
        Fits(
            "how many of its address are open|those of one address, and not of all",
            'The address is the first of the pair in `scope["client"]`. Count up before '
            "`super()`, and down in a `finally`.",
        ),
        "In `connect`: `raise DenyConnection` if there are too many. It passes through the "
        "`finally` too.",
    ],
}
NEWCOMER = "what somebody reads who comes: nothing, until the next map"
MAP = 900_000  # characters
MOST_GROWN = 60.0  # MB that a server's memory may grow by, while 150 maps of 0.9 MB are drawn


def check_19_1(site: Site) -> None:
    site.serve()
    watches = "what each watcher is sent: every new map, when it has seen the last one"
    once = "how often a map is sent to a watcher: once, and only when it has answered"
    newest = "which map is sent after the answer: the newest that has come meanwhile"
    seen = {"seen": True}
    with (
        site.client("/ws/station/") as station,
        site.client("/ws/weather/") as quick,
        site.client("/ws/weather/") as slow,
    ):

        def draw(size: int = 1) -> str:
            weather_map = word() * size
            station.send({"map": weather_map})
            quick.sent = slow.sent = "a new map, by the station"
            return weather_map

        def read(client: Client, weather_map: str, look: str) -> None:
            missing = watches if look == once else look
            got = as_json(frame := client.receive(missing, {"map": weather_map[:20]}))
            if got != {"map": weather_map}:
                expected = {"map": weather_map[:20]}
                raise NotYet(look, sent=client.sent, got=frame, expected=expected)

        first = draw()
        for client in (quick, slow):
            read(client, first, watches)
        quick.send(seen)
        for _ in range(4):
            last = draw()
            read(quick, last, once)
            quick.send(seen)
        slow.expect_nothing(once)
        slow.send(seen)
        read(slow, last, newest)
        last = draw()
        read(quick, last, once)
        quick.send(seen)
        slow.expect_nothing(once)
        slow.send(seen)
        read(slow, last, newest)
        slow.send(seen)
        slow.expect_nothing("what is sent after the answer where there is no new map: nothing")
        with site.client("/ws/weather/") as late:
            late.expect_nothing(NEWCOMER)
        read_by_all = draw()
        for client in (quick, slow):
            read(client, read_by_all, watches)
        quick.send(seen)

        def draw_many(times: int) -> tuple[str, int]:
            """Draw ten large maps, so many times. Return the last, and the memory in use."""
            for _ in range(times):
                last = [draw(MAP // 8) for _ in range(10)][-1]
                site.events()  # when all is done
            return last, psutil.Process(site.server.pid).memory_info().rss

        _, before = draw_many(2)
        last, after = draw_many(15)
        if (grown := (after - before) / 1_000_000) > MOST_GROWN:
            look = "the server's memory: what it keeps for somebody who does not read"
            got = f"the memory has grown by {grown:.0f} MB"
            raise NotYet(look, sent="150 maps of 0.9 MB, which nobody reads", got=got)
        slow.send(seen)
        read(slow, last, newest)


def check_19_2(site: Site) -> None:
    at_once(site.migrate, site.serve)
    tells = "what each client reads: the number of a booking, and the booking"
    hangs_up = "what becomes of who has 10 that are not acknowledged: no eleventh, and close 4503"
    acknowledged = "what an acknowledgement takes out: all numbers up to it, and no others"
    comes_back = "what is counted for who comes back: what it has missed as well"
    others = "what the others notice when one is hung up on: nothing"
    booked: list[dict[str, Any]] = []
    with site.client("/ws/bank/") as bank, site.client("/ws/account/?after=0") as good:

        def book(*clients: Client) -> None:
            frame = {"booking": word()}
            send(bank, frame, good, *clients)
            expected = f'a number and "{frame["booking"]}"'
            got = as_json(read := good.receive(tells if len(booked) < 10 else others, expected))
            if not isinstance(got, dict) or got.get("booking") != frame["booking"]:
                raise NotYet(tells, sent=good.sent, got=read, expected=expected)
            good.send({"read": got["number"]})
            booked.append(got)

        book()
        with site.client(f"/ws/account/?after={booked[0]['number']}") as slow:
            for _ in range(7):
                book(slow)
                slow.expect(booked[-1], tells)
            slow.send({"read": booked[3]["number"]})  # 4 are left
            for _ in range(6):
                book(slow)
                slow.expect(booked[-1], acknowledged)
            book(slow)
            slow.expect_close(4503, hangs_up)
        book()
        with site.client(f"/ws/account/?after={booked[-5]['number']}") as back:
            for booking in booked[-4:]:
                back.expect(booking, tells)
            for _ in range(6):
                book(back)
                back.expect(booked[-1], tells)
            book(back)
            back.expect_close(4503, comes_back)
        with site.client("/ws/account/?after=0") as late:
            for booking in booked[:10]:
                late.expect(booking, comes_back)
            late.expect_close(4503, comes_back)
        for _ in range(11):
            book()
    if site.errors():
        look = "how a consumer ends that has hung up: with `StopConsumer`, and without an error"
        raise NotYet(look, sent="11 bookings, to somebody who does not acknowledge")


def check_19_3(site: Site) -> None:
    site.serve(BELIEVING)
    path, most = "/ws/counter/", 3
    counts = "what a client reads: how many of its address are open, this one among them"
    others = "whose connections are counted: those of one address, and not of all"
    room = "what becomes of a place: whoever ends, however that is, gives it back, and once"
    too_many = "how many are let in at a time: three"
    ends = {
        "closed": lambda client: client.close(),
        "cut": lambda client: client.abort(),
        "failed": lambda client: _fail(client, site),
    }

    def enter(stack: list[Any], number: int, look: str) -> Client:
        context = site.client(path, look)
        client = context.__enter__()
        stack.append(context)
        client.expect({"open": number}, look)
        return client

    stack: list[Any] = []
    try:
        clients = [enter(stack, number, counts) for number in range(1, most + 1)]
        site.refused(path, 403, too_many)
        site.refused(path, 403, room)
        elsewhere = {"X-Forwarded-For": f"192.0.2.{number(1, 250)}"}
        with site.client(path, others, additional_headers=elsewhere) as other:
            other.expect({"open": 1}, others)
        for way, end in ends.items():
            leaving = clients.pop(number(0, most - 1))
            end(leaving)
            clients.append(enter(stack, most, f"{room} ({way})"))
            site.refused(path, 403, room)
        clients.pop().close()
        clients.pop().close()
        enter(stack, most - 1, room)
    finally:
        for context in reversed(stack):
            context.__exit__(None, None, None)


# what a header says is where a client comes from: so that there are two addresses
BELIEVING = DAPHNE + " --proxy-headers"


def _fail(client: Client, site: Site) -> None:
    client.send("fail")
    client.expect_close(1011, "what a frame `fail` does: it raises, in the method that is there")
    site.forgive()
