"""`channels-live`: the exercises from a terminal, for learners and for instructors."""

# Only the standard library in this file, so that `doctor` runs whatever is missing.
import argparse
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from channels_live.trouble import in_words

CLASS = """\
Serve the course to a class in a room, from this computer: learners need a browser only. Each gets a
workspace and a share of the memory; servers start before people come. It prints the address and
the class code, and runs until Control-C. The same command in the same folder goes on with the same
class, whatever has ended it.

Without --address only this computer reaches it. All learners are one user of this computer.
"""
STATUS = """\
exit status:
  0  it was done, and all that was checked is right
  1  an exercise is not right: not yet, or not attempted; or doctor has found something
  2  it could not be done, and the message says why
"""
CHECK = """\
Serve the files of exercises as they are, try them, and say what came of it. The state is
remembered, as in a notebook; with --workspace it is not.
"""
CHECK_MORE = """\
--json prints a list with an object for each exercise:
  number   a text, such as "5.1"
  title    a text
  state    "not attempted", "not yet" or "right"
  details  an object, text to text: what the check tells. For "not yet" there may be "sent",
           "got", "expected" and "look at".

A check runs the code in the files, with all that you may do yourself. Think of that before you
check the work of somebody whom you do not know.

"""
EXPLAIN = """\
Say which lesson shows an error, and what it says of it. Name a message, or hand a log or a
traceback on standard input:

  channels-live explain "No route found for path 'ws/chat/'"
  daphne mysite.asgi:application 2>&1 | channels-live explain

The exit status is 1 where no lesson shows anything like it.
"""
SCHEDULE = """\
Make a timetable for a class: the sections of lessons, each lesson followed by its exercises, with
breaks. Minutes are what somebody needs who reads and tries everything. The exit status is 1 where
something does not fit.

With --took it makes no timetable, but a table of these lessons' exercises: the minutes that are
reckoned, and those that a class took, as its board has exported them. It names nobody.
"""
BOARD = """\
Start the board of a class: a page that shows, live, who is on which exercise and who is stuck. It
prints its address, the code of the class, and two words that let an instructor and helpers in.
Only learners who join are on it: channels-live join ADDRESS CODE. What it knows lies in the folder
board of your workspace, and is there again when it is started again. Control-C ends it.
"""
JOIN = """\
Join a class. Its board is told of your exercises from then on; what exactly, this command prints.
"""
WATCH = """\
Run a server, as typed after --, and tell the conversation with it as it happens: who connects,
each frame, the methods of consumers, exceptions. Nothing in the project changes. It runs in the
environment that is activated, and listens where you say; `uv run` before it works too. The server's
own log goes to stderr, untouched. Control-C ends both, a second one at once. The server's exit
status is handed on.
"""


class Refused(Exception):
    """What was asked for cannot be done."""


def main(arguments: list[str] | None = None) -> int:
    """Run `channels-live` with these arguments, or those of the command line. Return its status."""
    # None where it was closed before the start, as in `channels-live list >&-`
    sys.stdout = sys.stdout or open(os.devnull, "w")
    sys.stderr = sys.stderr or open(os.devnull, "w")
    sys.stdin = sys.stdin or open(os.devnull)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # not every terminal knows every character
    options = _parser().parse_args(arguments)
    for name in ("SIGTERM", "SIGHUP"):  # the terminal closes: what was begun is tidied up first
        if number := getattr(signal, name, None):
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `channels-live list | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except ImportError as error:
        return _refuse(f"{error}. `channels-live doctor` says what to do.")
    except Refused as error:
        return _refuse(error)
    except OSError as error:
        return _refuse(in_words(error))
    except KeyboardInterrupt:
        return _refuse("Interrupted.")


def _refuse(why: object) -> int:
    print(why, file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="channels-live",
        description="The exercises of Django Channels, Live, from a terminal.",
        epilog=STATUS,
        formatter_class=plain,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, help: str, description: str | None = None, more: str = ""
    ) -> argparse.ArgumentParser:
        description = description or f"{help[0].upper()}{help[1:]}."
        parser = commands.add_parser(
            name, help=help, description=description, epilog=more + STATUS, formatter_class=plain
        )
        parser.set_defaults(run=_in_terminal(name), parser=parser)
        return parser

    command("list", "show the lessons and exercises, and what is done")
    following = command("next", "say what to do next, and lay out its files")
    following.add_argument(
        "number", nargs="?", metavar="NUMBER", help="this exercise, not the first that is not right"
    )
    check = command("check", "check exercises", CHECK, CHECK_MORE)
    check.add_argument("numbers", nargs="*", metavar="NUMBER", help="an exercise, such as 5.1")
    check.add_argument("--all", action="store_true", help="all exercises")
    check.add_argument(
        "--workspace",
        metavar="DIR",
        type=Path,
        help="judge what is in another workspace, and write nothing there",
    )
    check.add_argument("--json", action="store_true", help="print it for programs, see below")
    for name, help in (
        ("hint", "give a hint, and one more each time"),
        ("solution", "show our solution, and why it is so; your files stay as they are"),
        ("reset", "begin an exercise again; what you had changed is kept"),
    ):
        command(name, help).add_argument(
            "number", metavar="NUMBER", help="an exercise, such as 5.1"
        )
    fresh = command("fresh", "lay out a lesson's notebook afresh; your old one is kept")
    fresh.add_argument("number", type=int, metavar="LESSON", help="a lesson, such as 5")
    fresh.add_argument(
        "--exercises", action="store_true", help="the notebook of its exercises instead"
    )
    explain = command("explain", "say what a lesson says of an error", EXPLAIN)
    explain.add_argument("message", nargs="*", metavar="MESSAGE", help="an error's message")
    schedule = command("schedule", "make a timetable of lessons for a class", SCHEDULE)
    schedule.add_argument(
        "lessons", nargs="*", metavar="LESSON", help="such as 5, or 0-7; otherwise all"
    )
    for option, default, help in (
        ("--start", "9:00", "when the day begins"),
        ("--until", None, "when it ends; otherwise it is as long as it takes"),
        ("--lunch", None, "when nothing is done, such as 12:30-13:30"),
    ):
        schedule.add_argument(option, default=default, metavar="TIME", help=help)
    schedule.add_argument(
        "--block", type=int, default=45, metavar="MIN", help="minutes between two breaks: 45"
    )
    schedule.add_argument(
        "--break", dest="pause", type=int, default=10, metavar="MIN", help="minutes of a break: 10"
    )
    schedule.add_argument("--no-exercises", action="store_true", help="only the lessons")
    schedule.add_argument("--took", metavar="FILE", type=Path, help="compare with a board's export")
    watch = command("watch", "run a server, and tell the conversation with it, live", WATCH)
    watch.usage = "channels-live watch [options] -- COMMAND ..."
    for option, help in (
        ("--times", "with the time of day"),
        ("--full", "whole frames, not only their beginnings"),
        ("--pretty", "JSON laid out; implies --full"),
        ("--secrets", "also what is called password, token or the like in JSON"),
        ("--errors", "only what went wrong: exceptions, refusals, broken connections"),
        ("--json", "print an object a line: client, path, direction, text, call, notes, time"),
    ):
        watch.add_argument(option, action="store_true", help=help)
    watch.add_argument("--client", metavar="N", help='only this one, such as 2 or "request 1"')
    watch.add_argument("--path", metavar="TEXT", help="only paths with this text")
    watch.add_argument("--grep", metavar="TEXT", help="only what holds this text")
    watch.add_argument(
        "--last", type=int, metavar="N", help="only the last N, when the server has ended"
    )
    watch.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    watch.set_defaults(run=_watch)
    board = command("board", "start the board of a class, for its instructor", BOARD)
    board.add_argument(
        *("--address", "--host"),  # the second is what it was called at first
        default="127.0.0.1",
        metavar="ADDRESS",
        help="this computer's, as learners reach it; or all",
    )
    board.add_argument("--port", type=int, default=8400, help="8400")
    board.add_argument(
        "--new", action="store_true", help="a new class; what was there of another is kept"
    )
    board.set_defaults(run=_board)
    join = command("join", "join a class, for a learner", JOIN)
    join.add_argument("address", metavar="ADDRESS", help="of the board")
    join.add_argument("code", metavar="CODE", help="of the class")
    join.add_argument("--name", default="", help="on the board; it need not be yours")
    command("leave", "leave the class; its board forgets you")
    class_ = command("class", "serve the course to a class, in one command", CLASS)
    class_.add_argument("--users", type=int, metavar="N", help="how many learners; names are free")
    class_.add_argument("--names", type=Path, metavar="FILE", help="who may come: one name a line")
    class_.add_argument(
        "--address", default="127.0.0.1", help="this computer's, as learners reach it; or all"
    )
    class_.add_argument("--port", type=int, default=8080, help="8080")
    class_.add_argument(
        "--folder", type=Path, default=Path("class"), metavar="DIR", help="of its files: class"
    )
    class_.add_argument(
        "--memory", type=int, default=768, metavar="MB", help="a learner's share: 768"
    )
    class_.add_argument(
        "--offline", action="store_true", help="there is no internet: pip in a cell says so at once"
    )
    class_.add_argument("--tls", action="store_true", help="encrypted, by a certificate of its own")
    for option, help in (
        ("--cert", "encrypted, with this certificate, in PEM"),
        ("--key", "its key"),
    ):
        class_.add_argument(option, type=Path, metavar="FILE", help=help)
    class_.add_argument(
        "--check", action="store_true", help="start nothing; measure how many this computer holds"
    )
    class_.add_argument("--anyway", action="store_true", help="start though memory may not do")
    class_.set_defaults(run=_class)
    doctor = command("doctor", "try whether all works that the course needs, and say what to mend")
    doctor.set_defaults(run=_doctor)
    return parser


def _in_terminal(name: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        terminal: Any = import_module("channels_live.terminal")
        try:
            return terminal.run(name, options)
        except terminal.LessonError as error:
            raise Refused(error) from None

    return run


def _watch(options: argparse.Namespace) -> int:
    watching: Any = import_module("channels_live.watching")
    if not options.command:
        options.parser.error("say after -- what runs, as you would type it")
    if options.last is not None and options.last < 1:
        options.parser.error("argument --last: a number of lines, 1 or more")
    try:
        return watching.watch(options)
    except watching.ServerError as error:
        raise Refused(error) from None


def _board(options: argparse.Namespace) -> int:
    board: Any = import_module("channels_live.board")
    try:
        return board.run(options.address, options.port, options.new)
    except board.LessonError as error:
        raise Refused(error) from None


def _class(options: argparse.Namespace) -> int:
    for name, value, least in (("--users", options.users, 1), ("--memory", options.memory, 256)):
        if value is not None and value < least:
            options.parser.error(f"argument {name}: {least} or more")
    if bool(options.cert) != bool(options.key):
        options.parser.error("--cert and --key go together")
    workshop: Any = import_module("channels_live.workshop.command")
    try:
        return workshop.run(options)
    except workshop.LessonError as error:
        raise Refused(error) from None


def _doctor(options: argparse.Namespace) -> int:
    return import_module("channels_live.doctor").main()
