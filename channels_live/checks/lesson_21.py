"""What is right in the exercises of lesson 21, Make it fast."""

import time

from channels_live.checks import Client, Fits, NotYet, Site, number, word
from channels_live.checks.frames import as_json, send
from channels_live.record import deadline

HINTS = {
    "21.1": [
        Fits(
            "when the reader who came first has left",
            "Let two readers come, and the first one leave. Who has the task that listens, and "
            "what becomes of it?",
        ),
        "The task belongs to all of them. `TASKS` has room for it: whoever comes and finds it "
        "empty starts it.",
        Fits(
            "one while there are readers, and then none|who comes when all have left",
            "It ends when the last one goes. Where does Python pass whatever ends a consumer? In "
            "a `finally` around `super().__call__(scope, receive, send)`.",
        ),
    ],
    "21.2": [
        Fits(
            "run beside each other",
            "`search` is sync and slow: called as it is, it stops the event loop, and with "
            "`database_sync_to_async(search)` it waits for all other sync code.",
        ),
        "`database_sync_to_async` takes `thread_sensitive=False`, and then an `executor`: the pool "
        "of threads that it may take one from.",
        Fits(
            "three, and never more",
            "`ThreadPoolExecutor(3)` is a pool of three. Where must it stand, so that all "
            "consumers share it?",
        ),
    ],
    "21.3": [
        Fits(
            "changes at once make",
            "`price_changed` may not wait, or the next event waits behind it. Who can wait for it?",
        ),
        Fits(
            "the newest, all the while|after the newest price: nothing",
            "`asyncio.create_task`, if there is no such task yet. What comes while there is one "
            "only replaces the price.",
        ),
        Fits(
            "the newest price",
            "The task sleeps, says that it is done, and sends the price that is the newest "
            "*then*. Which of the last two must come first?",
        ),
    ],
}
SOON = 1.0  # seconds that it may take until the last one's channel is out of the group
CHANNELS = "how many channels are in the group: one while there are readers, and then none"


def check_21_1(site: Site) -> None:
    site.serve()
    hears = "what each reader reads: every goal"
    first = "what the others read when the reader who came first has left: every goal"
    failed = "what the others read after a reader's consumer ended with an exception: every goal"
    again = "what somebody reads who comes when all have left: every goal"

    def in_group() -> int:
        joined, left = (
            len(site.events("layer", op=op, target="goals"))
            for op in ("group_add", "group_discard")
        )
        return joined - left

    def score(goals: Client, look: str, *readers: Client) -> None:
        frame = {"goal": word()}
        site.events()  # when whoever came has joined, and whoever went has left
        send(goals, frame, *readers)
        for reader in readers:
            reader.expect(frame, look)
        if (channels := in_group()) != 1:
            raise NotYet(CHANNELS, sent=f"{len(readers)} readers", got=channels, expected=1)

    def nobody_is_left() -> None:
        left = deadline(SOON)
        while (channels := in_group()) and left():
            time.sleep(0.02)
        if channels:
            raise NotYet(CHANNELS, sent="the last reader has gone", got=channels, expected=0)

    with site.client("/ws/goals/") as goals:
        with site.client("/ws/score/") as anna, site.client("/ws/score/") as ben:
            score(goals, hears, anna, ben)
            with site.client("/ws/score/") as cara:
                score(goals, hears, anna, ben, cara)
                anna.close()
                score(goals, first, ben, cara)
                cara.send("fail")
                cara.expect_close(1011, "what a frame `fail` does: it raises")
                site.forgive()
                score(goals, failed, ben)
        nobody_is_left()
        with site.client("/ws/score/") as anna:
            score(goals, again, anna)
            anna.send("fail")
            anna.expect_close(1011, "what a frame `fail` does: it raises")
            site.forgive()
        nobody_is_left()
        with site.client("/ws/score/") as anna:
            score(goals, again, anna)


def check_21_2(site: Site) -> None:
    site.serve()
    found = "what a search finds: what `search` returns, as it is"
    most = "how many searches run at a time: three, and never more"
    beside = "whether searches run beside each other: three of different clients do"
    others = "whether somebody else must wait while others search"
    order = "in which order a client reads its answers: that of its questions"
    path = "/ws/archive/"

    def ask(client: Client) -> str:
        text = word()
        client.send({"find": text})
        return text

    def answer(client: Client, text: str, look: str) -> int:
        frame = client.receive(look, expected := {"found": text.upper(), "at_once": "…"})
        content = as_json(frame)
        if not isinstance(content, dict) or content.get("found") != text.upper():
            raise NotYet(look, sent=client.sent, got=frame, expected=expected)
        at_a_time = content.get("at_once")
        if not isinstance(at_a_time, int):
            raise NotYet(found, sent=client.sent, got=frame, expected=expected)
        return at_a_time

    with (
        site.client(path) as a,
        site.client(path) as b,
        site.client(path) as c,
        site.client(path) as d,
        site.client(path) as e,
        site.client("/ws/chat/") as chat,
    ):
        clients = [a, b, c, d, e]
        answer(a, ask(a), found)
        asked = [(client, ask(client)) for client in clients]
        begin = time.monotonic()
        chat.send({"message": "hello"})
        chat.expect({"message": "hello"}, others)
        waited = time.monotonic() - begin
        at_a_time = [answer(client, text, found) for client, text in asked]
        searched = time.monotonic() - begin
        sent = "five searches, of five clients, at the same time"
        if max(at_a_time) > 3:
            raise NotYet(most, sent=sent, got=f"{max(at_a_time)} at a time", expected=3)
        if max(at_a_time) < 3:
            raise NotYet(beside, sent=sent, got=f"{max(at_a_time)} at a time", expected=3)
        if waited > searched * 0.9:
            got = "an answer when all searches were done"
            raise NotYet(others, sent="a message to /ws/chat/, meanwhile", got=got)
        texts = [ask(a) for _ in range(3)]
        for text in texts:
            answer(a, text, order)


def check_21_3(site: Site) -> None:
    site.serve()
    site.alone = False  # a price may come after a pause in which the server does nothing
    tells = "what a watcher reads: the price, when 0.2 seconds have passed"
    few = "how many frames 40 changes at once make: a few"
    last = "what is told last: the newest price"
    going = "what a watcher reads while prices go on changing: the newest, all the while"

    def read_to(price: int, watcher: Client) -> int:
        """Read until this price has come. Return the number of frames."""
        frames, began = 1, time.monotonic()
        while read(watcher, last) != price:
            frames += 1
            if time.monotonic() - began > 3:  # they come one after the other
                are_few(frames, watcher)
        return frames

    def are_few(frames: int, watcher: Client) -> None:
        if frames > 20:
            raise NotYet(few, sent=watcher.sent, got="more than 20 frames", expected="a few")

    def change(market: Client, *watchers: Client, to: int) -> None:
        send(market, {"price": to}, *watchers)

    def read(watcher: Client, look: str) -> int:
        got = as_json(frame := watcher.receive(look, expected := {"price": "…"}))
        if not isinstance(got, dict) or not isinstance(got.get("price"), int):
            raise NotYet(look, sent=watcher.sent, got=frame, expected=expected)
        price: int = got["price"]
        return price

    with (
        site.client("/ws/market/") as market,
        site.client("/ws/prices/") as anna,
        site.client("/ws/prices/") as ben,
    ):
        base = number(100, 900)
        change(market, anna, ben, to=base)
        for watcher in (anna, ben):
            watcher.expect({"price": base}, tells)
        for step in range(1, 41):
            change(market, anna, ben, to=base + step)
        for watcher in (anna, ben):
            frames = read_to(base + 40, watcher)
            watcher.expect_nothing("what comes after the newest price: nothing")
            are_few(frames, watcher)
        base -= 50  # prices fall too
        for step in range(16):  # for longer than the pause
            change(market, anna, ben, to=base + step)
            time.sleep(0.05)  # much less than the pause, also where the computer is busy
        for watcher in (anna, ben):
            frames = read_to(base + 15, watcher)
            are_few(frames, watcher)
            if frames < 2:
                raise NotYet(going, sent="16 prices, one each 0.05 seconds", got="one frame")
