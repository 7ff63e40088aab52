"""What is right in the exercises of lesson 27, Roll out a new version."""

import json
import re
import time
from contextlib import ExitStack
from itertools import pairwise
from statistics import median
from typing import Any

import psutil

from channels_live.checks import RAISED, Client, Fits, NotYet, Site, number, shown, word

HINTS = {
    "27.1": [
        "Let a guest halve a word, and look at the page of numbers. Which of the methods has not "
        "run? Lesson 13 says which ones do not run after an exception.",
        Fits(
            "what an exception of ours leaves",
            "What `async def __call__(self, scope, receive, send)` does around `await "
            "super().__call__(scope, receive, send)`, with `try` and `finally`, happens however "
            "a socket ends.",
        ),
        Fits(
            "counted together|each stands as it is",
            "`disconnect` only keeps the code, in `self.code`; before, it is 1011. "
            '`ENDS.labels("client" if self.code >= 3000 else self.code).inc()` stands in '
            "`finally`.",
        ),
    ],
    "27.2": [
        "`self.serving` has a task and a `send` for each client. What has to happen for one of "
        "them, and how can all of them wait at the same time?",
        Fits(
            "what a client is told",
            "`await asyncio.wait([task], timeout=0.5)` waits for a while, and does not cancel. "
            '`await send({"type": "websocket.close", "code": SERVICE_RESTART})` says goodbye.',
        ),
        Fits(
            "time to hear of the end|within two seconds: all|what was being made",
            "A coroutine for one client, and `asyncio.gather` for all. After the goodbye the "
            "task needs another while for its `disconnect()`; then `task.cancel()`.",
        ),
    ],
    "27.3": [
        "A formatter has a method `format(self, record)`, which returns the line. "
        "`record.levelname` and `record.getMessage()` are the first two fields.",
        Fits(
            "what a line holds|what becomes of an exception",
            'What `extra={"place": …}` brings is an attribute of the record: `hasattr(record, '
            '"place")`. `self.formatException(record.exc_info)` is the text of an exception.',
        ),
        Fits(
            "in messages, with all arguments|they stand in messages|in tracebacks",
            '`re.sub(r"token=[^&\\s]*", "token=…", text)` hides a token. Which two texts need it?',
        ),
    ],
}
STOPPED = 15.0  # seconds: far more than two, on a busy machine


def check_27_1(site: Site) -> None:
    site.serve()
    path, counts = "/ws/guests/", "what `guests_open` is while guests are there"

    def see(look: str, guests: int, ends: dict[str, int]) -> None:
        text = site.page("/guests/", "whether the page of numbers is there").text
        counts = re.findall(r'^guests_ends_total\{code="(.*)"\} (\S+)$', text, re.M)
        opened = re.search(r"^guests_open (\S+)$", text, re.M)
        got: dict[str, Any] = {"open": float(opened[1]) if opened else None}
        got |= {code: float(times) for code, times in counts}
        expected = {"open": float(guests)} | {code: float(times) for code, times in ends.items()}
        if got != expected:
            shown = [json.dumps(numbers, sort_keys=True) for numbers in (got, expected)]
            raise NotYet(look, sent="GET /guests/", got=shown[0], expected=shown[1])

    with (
        site.client(path) as anna,
        site.client(path) as ben,
        site.client(path) as cleo,
        site.client(path) as dan,
        site.client(path) as eda,
    ):
        value = number(1, 99)
        anna.send({"number": value})
        anna.expect({"half": value / 2}, "what a guest is told: that is not asked")
        see(counts, 5, {})
        cleo.send({"number": word()})
        cleo.expect_close(1011, "what is no number: half of it is an exception, as before")
        site.forgive()
        exception = (
            "what an exception of ours leaves: one guest fewer, and one end more with code 1011. "
            "`disconnect()` does not run then"
        )
        see(exception, 4, {"1011": 1})
        dan.close(1001)
        eda.abort()
        others = "the codes below 3000: each stands as it is"
        see(others, 2, {"1001": 1, "1006": 1, "1011": 1})
        anna.close(number(3000, 3999))
        ben.close(number(4000, 4999))
        chosen = "the codes that clients choose: they are counted together, as `client`"
        see(chosen, 0, {"1001": 1, "1006": 1, "1011": 1, "client": 2})


def check_27_2(site: Site) -> None:
    site.serve()
    site.alone = False  # the server has something in hand that no client has sent
    try:
        with ExitStack() as stack:
            _stop_the_kitchen(site, *(stack.enter_context(site.client(PATH)) for _ in range(8)))
    except NotYet as problem:
        _, _, said = str(site.server.log(full=True)).partition("CRITICAL Unhandled Error\n")
        if raised := RAISED.findall(said):  # by `end_all`: its connections tell nothing of it
            lines = re.findall(r'myapp/kitchen\.py", line (\d+)', said)
            place = f", in myapp/kitchen.py, line {lines[-1]}" if lines else ""
            what = raised[0].removeprefix("builtins.").rstrip(" :")
            problem.more["your code raised"] = shown(f"{what}{place}")
            problem.look = f"first the exception below; then {problem.look}"
        raise


PATH = "/ws/kitchen/"
ONE_BY_ONE = 0.2  # seconds between two goodbyes, if one client waits for the other


def _stop_the_kitchen(site: Site, anna: Client, *guests: Client) -> None:
    tea = word()
    anna.send({"order": word()})
    anna.receive("whether tea is made, as before")
    so_far = site.server.events_of_run()
    anna.send({"order": tea})
    until = time.monotonic() + STOPPED
    while _calls(so_far(), "receive") < 2 and time.monotonic() < until:
        time.sleep(0.01)  # it is being made as soon as the server tells of it
    server = psutil.Process(site.server.pid)
    server.terminate()
    anna.sent = f'{{"order": "{tea}"}}, and then the server was asked to stop'
    anna.expect({"ready": tea}, "what was being made when the server was asked to stop")
    goodbye = "what a client is told when the call is cancelled"
    anna.expect_close(4012, goodbye)
    for guest in guests:
        guest.sent = "nothing, and then the server was asked to stop"
        guest.expect_close(4012, goodbye + ", also if it has ordered nothing")
    server.wait(STOPPED)
    events = site.server.events(0)
    clients = len(guests) + 1
    if (ran := _calls(events, "disconnect")) != clients:
        raise NotYet(
            "whether the consumer has time to hear of the end, after the goodbye",
            sent=f"{clients} clients, and then the server was asked to stop",
            got=f"`disconnect()` ran {ran} times",
            expected=f"{clients} times",
        )
    told = sorted(event["at"] for event in events if event["kind"] == "close")
    waits = [later - earlier for earlier, later in pairwise(told)]
    if median(waits) > ONE_BY_ONE:  # a busy machine is late for all of them at once
        raise NotYet(
            "how many are told within two seconds: all, if nobody waits for another's goodbye",
            sent=f"{clients} clients, and then the server was asked to stop",
            got=f"{told[-1] - told[0]:.1f} seconds from the first goodbye to the last",
            expected="all at the same time",
        )


def _calls(events: list[dict[str, Any]], handler: str) -> int:
    return sum(event["kind"] == "call" and event["handler"] == handler for event in events)


FIELDS = ["level", "message", "place"]  # and `traceback`; a formatter may add others


def check_27_3(site: Site) -> None:
    site.serve()
    secrets = [f"{word()}-{word()}=" for _ in range(4)]
    place, said = word(), f"{word()}\n{word()}"
    path = f"/ws/door/?token={secrets[0]}&from={place}"
    with site.client(path) as anna:
        for frame in (
            {"say": f"{said} token={secrets[1]} me", "place": place},
            {"say": said, "place": f"{place}\n{place}"},
            {"open": f"token={secrets[2]}&x token={secrets[3]}"},
        ):
            anna.send(frame)
            anna.expect({"noted": True}, "whether `format` raises: the door is as it was")
    log = str(site.server.log(full=True))
    if error := re.search(r"--- Logging error ---[\s\S]*?Call stack:", log):
        raised = re.sub(r"^.{24}ERROR {4}", "", error[0], flags=re.M).splitlines()[-2]
        at = re.findall(r'myapp/lines\.py", line (\d+)', error[0])
        place = f", in myapp/lines.py, line {at[-1]}" if at else ""
        raise NotYet("whether `format` raises", sent="records", got=f"{raised}{place}")
    for part in "".join(secrets).replace("=", "-").split("-")[:-1]:
        if part in log:
            (line,) = [line for line in log.splitlines() if part in line][:1]
            where = "tokens: they stand in messages, with all arguments, and in tracebacks"
            raise NotYet(where, sent=path, got=line[:200], expected="token=…")
    lines = [_object(line) for line in log.splitlines()]
    got = [line for line in lines if line and "message" in line]
    expected = [
        {"level": "INFO", "message": f"somebody at /ws/door/?token=…&from={place}"},
        {"level": "WARNING", "message": f"{said} token=… me", "place": place},
        {"level": "WARNING", "message": said, "place": f"{place}\n{place}"},
        {"level": "ERROR", "message": "closed"},
    ]
    traceback = got[-1].pop("traceback", "") if got else ""
    for record, wanted in zip([*got, *[{}] * 4], expected, strict=False):
        if {name: record[name] for name in FIELDS if name in record} != wanted:
            look = "what a line holds: one object, with the fields that are asked for"
            no_json = [line for line in log.splitlines() if "level" in line and not _object(line)]
            told, asked = (json.dumps(each, ensure_ascii=False) for each in (record, wanted))
            if not record:
                told = f"no object: {no_json[-1]}" if no_json else "no line"
            raise NotYet(look, sent="records", got=told, expected=asked)
    if not str(traceback).rstrip().endswith("ValueError: no key for token=…&x token=…"):
        look = "what becomes of an exception: `traceback`, in the same line"
        raise NotYet(look, sent="an exception", got=str(traceback)[-200:], expected="a traceback")


def _object(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
