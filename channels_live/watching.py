"""`channels-live watch -- daphne …`: the conversation with any project's server, live."""

import argparse
import json
import math
import os
import re
import shlex
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from channels_live.server import ServerError
from channels_live.server.asgi_servers import LISTENS
from channels_live.server.command import parse
from channels_live.server.diagnosis import in_our_words
from channels_live.server.log import Follower, relative
from channels_live.server.run import Run
from channels_live.timeline import Live, Update
from channels_live.timeline.story import shortened
from channels_live.trouble import visible

_SECRET = re.compile(  # in JSON, in JSON within JSON, or as Python shows it; its end may be missing
    r"""(?P<name>(?P<quote>\\{0,7}["'])[\w-]{0,40}"""
    r"(?:(?P<short>passw|pwd|secret|(?<![a-z])(?:otp|pin)(?![a-z]))"
    r"|token|api_?key|credential|session_?(?:id|key)|jwt)[\w-]{0,40}(?P=quote)\s*:\s*)"
    r"(?P<value>(?P=quote)(?:(?!(?P=quote))(?:\\.|.))*(?:(?P=quote)|$)|-?\d[\d.e+-]*)"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",  # a JWT
    re.IGNORECASE | re.DOTALL,
)
_SHORTEST_TOKEN = 12  # characters; a shorter one may be a language model's
LOOK = 0.05  # seconds between two looks
HELD = 0.1  # seconds; one of several processes may send an event later than another its effect
WHOLE = 1_000_000  # characters of a frame that are recorded where all of it is wanted
TEXT_WIDTH = 44  # characters of a frame, before the method it was handed to
UNSEEN = (
    "Nothing can be told of this server: what watches it was not loaded there. Python's options -E "
    "and -I keep it out, and so do containers, and programs that bring a sitecustomize of their "
    "own, such as opentelemetry-instrument."
)
OPEN = "This server listens on {}: other computers may reach it."
_ARROWS = {"in": "──▶", "out": "◀──", "": "   "}
_COLORS = {"in": "32", "out": "36", "": "0"}  # by direction; the arrows tell the same
_RED, _FAINT = "31", "2"
_PAINT = re.compile(r"\x1b\[[\d;]*m")  # of a log that is coloured though nobody wants it


def watch(options: argparse.Namespace) -> int:
    """Run a server and tell what happens. Return its exit status; for a signal, 128 and more.

    options: as `cli` reads them. Raises ServerError if there is no such program.
    """
    words = options.command[1:] if options.command[0] == "--" else options.command
    line = words[0] if len(words) == 1 else shlex.join(words)
    command = parse(line, in_terminal=True)
    variables = dict(os.environ)
    if options.full or options.pretty:
        variables["CHANNELS_LIVE_SHORT"] = str(WHOLE)
    ready = None if command.shows_ready == "tap" else command.shows_ready or LISTENS
    with in_our_words(line, Path.cwd()):
        run = Run(command, Path.cwd(), command.port, ready=ready, variables=variables)
    teller = _Teller(options)
    try:
        _follow(run, teller)
    except KeyboardInterrupt:
        if os.name == "posix":  # elsewhere only its keeper can ask it
            with suppress(KeyboardInterrupt):  # the second one ends it at once
                _interrupt(run)
                _follow(run, teller, ending=True)
    finally:
        run.end()
    teller.tell(run, last=True)
    teller.end()
    status = run.process.returncode or 0
    return status if status >= 0 else 128 - status


def _interrupt(run: Run) -> None:
    """Ask a server to end, as a terminal does: it may take its time."""
    run.record.expect_end()
    with suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGINT)


def _follow(run: Run, teller: "_Teller", ending: bool = False) -> None:
    asking = not ending  # whether it is ready
    while run.running:
        if asking:
            try:
                asking = not run.wait_until_ready(LOOK)
                if run.open_to and not asking:
                    print(OPEN.format(run.open_to[0]), file=sys.stderr)
                if not (asking or run.record.connected or run.record.events):
                    print(UNSEEN, file=sys.stderr)
            except ServerError as error:
                if error.command is None:
                    raise
                asking = False  # runserver lives on, and waits for better files
                teller.tell(run)  # the traceback first
                print(visible(error.reason), file=sys.stderr)
        else:
            with run.record.changed:
                run.record.changed.wait(LOOK)
        teller.tell(run)
        if not asking:
            teller.forget(run)


class _Teller:
    """Prints what happens. options: of the command line."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._live = Live(self._frame)
        self._seen = 0  # events
        self._held: list[dict[str, Any]] = []  # that are not told yet
        self._processes: set[int] = set()  # that have told something
        self._log: Follower | None = None
        self._rest = ""  # of a line of the log that has not ended
        self._last: deque[str] | None = deque(maxlen=options.last) if options.last else None
        self._began = time.time() - time.monotonic()
        dumb = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        self._colored = {
            stream: stream.isatty() and not dumb for stream in (sys.stdout, sys.stderr)
        }

    def tell(self, run: Run, last: bool = False) -> None:
        """Print what is new. last: nothing will come after it."""
        self._tell_log(run)
        with run.record.changed:
            new = run.record.events[self._seen :]
        self._seen += len(new)
        for event in self._in_order(new, last):
            if event.get("file"):
                event["file"] = relative(event["file"], run.folder)
            if event["kind"] == "error" and not self._options.secrets:
                event["message"] = without_secrets(event["message"])
            self._print_wanted(self._live.tell(event))
        self._print_wanted(self._live.overdue(now=time.monotonic()))
        sys.stdout.flush()

    def _in_order(self, new: list[dict[str, Any]], last: bool) -> Iterator[dict[str, Any]]:
        """Yield copies of events as they happened, and keep those before which others may come."""
        self._processes.update(event["process"] for event in new)
        self._held = sorted([*self._held, *map(dict, new)], key=itemgetter("at"))
        alone = last or len(self._processes) == 1
        until = math.inf if alone else time.monotonic() - HELD
        while self._held and self._held[0]["at"] <= until:
            yield self._held.pop(0)

    def forget(self, run: Run) -> None:
        """Let a record forget what is told: it holds so many events only, a watch may be long."""
        with run.record.changed:
            del run.record.events[: self._seen]
        self._seen = 0

    def end(self) -> None:
        """Print what was to be told last."""
        self._print_wanted(self._live.overdue(now=math.inf))
        self._print_wanted(self._live.ended(now=time.monotonic()))
        if self._rest:
            self._write(sys.stderr, visible(self._rest), _FAINT)
        for line in self._last or ():
            print(line)

    def _tell_log(self, run: Run) -> None:
        self._log = self._log or Follower(run.log)
        while text := self._log.text():
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._write(sys.stderr, visible(_PAINT.sub("", line)), _FAINT)
            if len(self._rest) > WHOLE:  # a line without an end
                self._write(sys.stderr, visible(self._rest), _FAINT)
                self._rest = ""
            if not self._log.more():
                break

    def _frame(self, text: str) -> str:
        text = text if self._options.secrets else without_secrets(text)
        if self._options.pretty:
            try:
                return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
            except ValueError:
                pass
        whole = self._options.full or self._options.pretty
        return text if whole else shortened(text)

    def _is_wanted(self, update: Update) -> bool:
        options, row = self._options, update.row
        wanted = options.client
        if wanted and update.client not in (wanted, f"client {wanted}"):
            return False
        if options.path and options.path not in update.path:
            return False
        if options.errors and not _is_error(update):
            return False
        held = "\n".join([row.text, row.call, *row.notes])
        return not options.grep or options.grep in held

    def _print_wanted(self, news: Iterator[Update]) -> None:
        for update in filter(self._is_wanted, news):
            self._print(update)

    def _print(self, update: Update) -> None:
        at = datetime.fromtimestamp(self._began + update.event["at"])
        row = update.row
        if self._options.json:
            line = json.dumps(
                {
                    "client": update.client,
                    "path": update.path,
                    "direction": row.direction,
                    "text": row.text,
                    "call": row.call,
                    "notes": row.notes,
                    "time": at.astimezone().isoformat(timespec="milliseconds"),
                }
            )
            return self._put(line)
        begin = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}  " if self._options.times else ""
        for line in _lines(update, begin):
            self._put(self._painted(sys.stdout, line, _RED if _is_error(update) else ""))

    def _put(self, line: str) -> None:
        if self._last is None:
            print(line)
        else:
            self._last.append(line)

    def _write(self, stream: Any, line: str, color: str) -> None:
        print(self._painted(stream, line, color), file=stream, flush=True)

    def _painted(self, stream: Any, line: str, color: str) -> str:
        if not self._colored[stream]:
            return line
        for direction, arrow in _ARROWS.items():
            if direction and not color and arrow in line:
                color = _COLORS[direction]
        return f"\x1b[{color}m{line}\x1b[0m" if color else line


def without_secrets(text: str) -> str:
    """Return a text with "…" in place of passwords and tokens, as far as their names tell."""
    return _SECRET.sub(_hidden, text)


def _hidden(match: re.Match[str]) -> str:
    if match["name"] is None:
        return "…"
    quote = match["quote"]
    value = match["value"].strip(quote)
    if not match["short"] and (len(value) < _SHORTEST_TOKEN or " " in value):
        return match[0]
    return f"{match['name']}{quote}…{quote}"


def _lines(update: Update, begin: str) -> Iterator[str]:
    row = update.row
    head = f"{begin}{update.client:11} {_ARROWS[row.direction]}  "
    first, *more = visible(row.text).split("\n")
    if row.text or row.call:
        yield f"{head}{first:{TEXT_WIDTH}} {visible(row.call)}".rstrip()
    for line in [*more, *map(visible, row.notes)]:
        yield f"{head if not row.text and not row.call else ' ' * len(head)}{line}"


def _is_error(update: Update) -> bool:
    row, status = update.row, update.event.get("status") or 0
    broken = row.direction == "out" and row.text.startswith(("close 1011", "connection dropped"))
    return bool(row.notes) or broken or (update.event["kind"] == "answer" and status >= 400)
