"""What is right in the exercises of lesson 22, Deploy it."""

import json
import re
import shutil
import time
from typing import Any

import httpx

from channels_live.checks import Fits, NotYet, Site, number, word
from channels_live.checks.broker import BROKER

HINTS = {
    "22.1": [
        "Three complaints, three lines. Which line tells daphne that a socket is to be opened, and "
        "what else must it be told? Which one has a time, and which one an address?",
        Fits(
            "two headers, not one",
            "`Upgrade` needs a second header beside it: `Connection`, with the word `upgrade`.",
        ),
        Fits(
            "who may write X-Forwarded|the client really comes from|which pings every 20 seconds",
            "Only what the proxy itself knows is true: `$remote_addr` is the address from which "
            "somebody has come to it. And 500 milliseconds are shorter than daphne's 20 seconds.",
        ),
    ],
    "22.2": [
        Fits(
            "reaches daphne|with this path",
            "Begin with what the other `location` has: without `proxy_pass` nothing reaches "
            "daphne.",
        ),
        Fits(
            "it gathers, or hands it on",
            "nginx gathers what comes from the server in buffers. It has a directive for that, "
            "with `proxy_` in front, that takes `on` or `off`.",
        ),
        "`proxy_buffering off;`",
    ],
    "22.3": [
        Fits(
            "It answers whatever else is broken",
            "`alive` asks nobody. Write it first: one line.",
        ),
        "`with connection.cursor() as cursor: cursor.execute(…)` asks the database, and "
        "`async_to_sync(get_channel_layer().group_send)(…)` the layer. What do they do when it "
        "is away?",
        "A function `works` that calls another, returns `False` after any exception, and else "
        "`True`. Then `JsonResponse(answer, status=…)`.",
    ],
}
NGINX = "nginx -p run -c ../nginx.conf"
DAPHNE = "daphne -u run/one.sock --proxy-headers myproject.asgi:application"
NO_BROKER = "the broker: without one nothing can be tried here. Your files are not at fault"
SILENCE = 0.8  # seconds: longer than the time after which the proxy of 22.1 hangs up
PING = 20.0  # seconds between two pings of daphne
UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0}  # of nginx, in seconds
PIECE = 1.5  # seconds in which a piece of news passes a proxy


def _serve_behind_nginx(site: Site) -> None:
    (site.folder / "run").mkdir(exist_ok=True)
    site.twin().serve(DAPHNE)
    site.serve(NGINX)


def _impatience(site: Site) -> float:
    """Return the longest time in nginx.conf that is shorter than 20 seconds, in seconds.

    Whether it is one that counts, only a silence shows that is longer. 0: there is none.
    """
    conf = (site.folder / "nginx.conf").read_text("utf-8", "replace")
    times = re.findall(r"^[^#\n]*\bproxy_read_timeout\s+(\d+)(ms|s|m|)\s*;", conf, re.M)
    seconds = [int(time) * UNITS[unit] for time, unit in times]
    return max((each for each in seconds if each < PING), default=0.0)


def _pages_are_there(site: Site) -> None:
    try:
        site.page("/chat/", "whether pages are there as before: the `Host` that nginx hands on")
    except NotYet as problem:
        if problem.status in (502, 504):  # nginx's own words
            problem.look = "whether nginx reaches daphne: `proxy_pass`, and how long it waits"
        raise


def check_22_1(site: Site) -> None:
    _serve_behind_nginx(site)
    _pages_are_there(site)
    path, here = "/ws/whoami/", {"address": "127.0.0.1"}
    opens = "what nginx tells daphne of a socket: two headers, not one"
    truth = "the address that nginx hands on: where the client really comes from"
    believes = "who may write `X-Forwarded-For`: nginx, in place of what a client has written"
    silent = "how long nginx waits for a word from daphne, which pings every 20 seconds"
    with site.client(path, opens) as anna:
        anna.expect(here, truth)
        said = f"192.0.2.{number(1, 254)}"
        headers = {"X-Forwarded-For": said}
        with site.client(path, opens, additional_headers=headers) as eve:
            eve.sent = f"GET {path}, X-Forwarded-For: {said}"
            eve.expect(here, believes)
        time.sleep(_impatience(site) + SILENCE)
        anna.send({})
        anna.expect(here, silent)


def check_22_2(site: Site) -> None:
    _serve_behind_nginx(site)
    _pages_are_there(site)
    name = word()
    path = f"/tea/?name={name}"
    first, last = f"data: {name}, the kettle is on\n\n", "data: tea!\n\n"
    reaches = "whether `/tea/` reaches daphne, with this path, as the other pages do"
    silent = "how long nginx waits for the next piece: the kettle may take 20 seconds"
    gathers = "what nginx does with a piece of an answer: it gathers, or hands it on"
    sent = f"GET {path}"
    options: dict[str, Any] = {"timeout": PIECE, "trust_env": False}
    try:
        with httpx.stream("GET", site.server.url(path), **options) as answer:
            if answer.status_code != 200:
                raise NotYet(reaches, sent=sent, got=f"HTTP {answer.status_code}", expected=first)
            pieces = answer.iter_text()
            got = next(pieces, "")
            if got != first:
                raise NotYet(gathers, sent=sent, got=got, expected=first)
            if impatience := _impatience(site):
                time.sleep(impatience + SILENCE)
            site.page("/whistle/", "whether pages are there as before")
            try:
                got = "".join(pieces)
            except httpx.RemoteProtocolError:  # hung up on, in the middle of the answer
                raise NotYet(silent, sent="GET /whistle/", got="an end", expected=last) from None
    except httpx.TimeoutException:
        nothing = f"nothing within {PIECE:g} seconds"
        raise NotYet(gathers, sent=sent, got=nothing, expected=first) from None
    if got != last:
        raise NotYet(reaches, sent="GET /whistle/", got=got, expected=last)


def check_22_3(site: Site) -> None:
    broker = site.twin()
    site.serve(environment={"REDIS_URL": broker.serve(BROKER, NO_BROKER).url()})
    database = site.folder / "db.sqlite3"
    lives = "what `/alive/` asks: nobody. It answers whatever else is broken"
    tells = "what `/ready/` says, and with which status: 200 if both work, else 503"

    def ask(**expected: bool) -> None:
        site.page("/alive/", lives)
        status = 200 if all(expected.values()) else 503
        answer = site.page("/ready/", tells, status)
        try:
            got = answer.json()
        except json.JSONDecodeError:
            got = None
        if got != expected:
            said = json.dumps(expected)
            raise NotYet(tells, sent="GET /ready/", got=answer.text, expected=said)

    ask(database=True, layer=True)
    database.unlink(missing_ok=True)
    database.mkdir()  # so that it cannot be opened
    ask(database=False, layer=True)
    shutil.rmtree(database)
    ask(database=True, layer=True)
    broker.server.end()
    ask(database=True, layer=False)
    database.unlink(missing_ok=True)
    database.mkdir()
    ask(database=False, layer=False)
