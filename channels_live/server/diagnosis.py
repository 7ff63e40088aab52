"""What was wrong with a server, from what is known of it. Nothing here reads, waits or prints."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from channels_live.server.log import relative
from channels_live.trouble import in_words, short, visible

LAST_LINES = 12  # of the log, shown with an error
# The shorter: musl's, such as our nginx's. In small letters: asyncio's, such as uvicorn's
IN_USE = re.compile("address (?:already )?in use", re.IGNORECASE)
_RAISED = re.compile(r"[A-Za-z][\w.]*(?:Error|Exception): ")
_USAGE = re.compile(r"(.+): (error: .*)")  # argparse's words
_MEANT = [  # a part of a traceback, and what Python does not say of it
    (
        re.compile(r"; '(\w+)' is not a package$", re.M),
        r"Is there a file \1.py in your project? It is taken for the library: rename it.",
    ),
    (
        re.compile(r"^ *(%%writefile)\b", re.M),
        r"\1 belongs into a notebook's cell: in the file itself, leave that line out.",
    ),
]
TOO_LOW = (
    "Port {} is for the system's own programs, as all below 1024 are. "
    "Choose one above them, such as 8000."
)
OWN_ENVIRONMENT = (
    "The project has an environment of its own: its programs, such as {}, run with what is "
    "installed there."
)
TAKEN = "Port {} is taken by {}. Stop that, or choose another port."


class ServerError(Exception):
    """A server did not start, or is asked for something while it is not running.

    reason: what is wrong, in words. command: the one that did not start, as typed, or None.
    raised, said, file: the exception that ended it: its type, type and message, and the learner's
    file that raised it, a path below the project. All are "" where it was none, or is not known.
    log: what it had printed. timed_out: it was ended because it took too long.
    port_taken: another program has its port, and no other was to be taken.
    """

    def __init__(
        self,
        reason: str,
        *,
        command: str | None = None,
        log: str = "",
        timed_out: bool = False,
        port_taken: bool = False,
        raised: str = "",
        said: str = "",
        file: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason, self.command, self.log = reason, command, log
        self.raised, self.said, self.file = raised, said, file
        self.timed_out, self.port_taken = timed_out, port_taken

    def __str__(self) -> str:
        return visible(self.message(self.command))

    def message(self, command: str | None, with_log: bool = True) -> str:
        """Return it in words, with a command in place of the one that was run."""
        if command is None:
            return self.reason
        message = f"`{short(command)}` did not start.\n{self.reason}"
        log = self.log.rstrip() if with_log else ""
        # those lines would say the reason again, and nothing else
        only_libraries = log.startswith("Traceback") and '  File "' not in log
        if log and not only_libraries:
            lines = map(short, log.split("\n")[-LAST_LINES:])
            last = "\n".join(f"    {line}".rstrip() for line in lines)
            message += f"\nThe last lines of its log:\n{last}"
        return message

    def _render_traceback_(self) -> list[str]:
        # In a notebook the message is what helps; our own frames would hide it.
        return [f"ServerError: {self}"]


def taken(port: int | None, **known: Any) -> ServerError:
    """Return the error of a port that another program has. known: as ServerError takes it."""
    return ServerError(TAKEN.format(port, "another program"), port_taken=True, **known)


def crashed(event: Mapping[str, Any], folder: Path, port: int | None, **known: Any) -> ServerError:
    """Return the error that a `crash` event tells of.

    folder: the project's; paths below it become relative. port: the typed one.
    """
    # with no file of the project's on the way, it is the server that wanted to listen
    if event["port_taken"] or (port and not event["file"] and IN_USE.search(event["message"])):
        return taken(port, **known)
    raised, file, place = event["type"], "", ""
    if event["file"]:
        file = relative(event["file"], folder)
        place = f"{file}, line {event['line']}: "
    said = f"{raised}: {relative(event['message'].removeprefix(f'{raised}: '), folder)}"
    said = said.removesuffix(": ")  # an exception without a word
    meant = "".join(
        f"\n{match.expand(words)}"
        for pattern, words in _MEANT
        if (match := pattern.search(event["trace"]))
    )
    return ServerError(f"{place}{said}{meant}", raised=raised, said=said, file=file, **known)


@contextlib.contextmanager
def in_our_words(command: str, folder: Path) -> Iterator[None]:
    """Raise ServerError where the system does not run a command in a folder."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:  # no thread left, no such character
        raise _not_run(error, command, folder) from error


def _not_run(error: Exception, command: str, folder: Path) -> ServerError:
    if isinstance(error, FileNotFoundError) and not folder.is_dir():
        reason = (
            f"Its folder, {folder}, was deleted, moved or renamed, with your files. "
            "Run the first cell again: it lays the folder out."
        )
    elif isinstance(error, FileNotFoundError) and "/" in command.partition(" ")[0]:
        reason = (
            f"{in_words(error)} Or its first line, after #!, names a program that is not there."
        )
    else:
        reason = in_words(error)
    return ServerError(reason, command=command)


def exited(
    log: str, returncode: int | None, port: int | None, left: int, command: str
) -> ServerError:
    """Return the error of a program that ended before it was ready.

    log: what it had printed. left: how many processes it had left behind.
    """
    lines = log.split("\n")
    if port and IN_USE.search(log):
        return taken(port, command=command, log=log)
    if left and returncode == 0:
        reason = (
            "it ended, and what it left in the background was ended too: here a server stays in "
            "the foreground. Leave out the option, or the &, that puts it there."
        )
        return ServerError(reason, command=command, log=log)
    said = [line for line in lines if _RAISED.match(line)] or [
        line for line in lines if line.strip()
    ]
    last = short(said[-1] if said else "no reason given")
    if log.startswith("usage: ") and (usage := _USAGE.fullmatch(last)):
        words = command.split()
        typed = " ".join(words[: 3 if "-m" in words[1:2] else 1])
        program = typed if usage[1] == "__main__.py" else usage[1]
        reason = f"{program}: {usage[2]}\nIn a terminal, `--help` lists what it takes."
        return ServerError(reason, command=command)  # its log is a part of that list
    return ServerError(f"{last} (exit code {returncode})", command=command, log=log)


def never_ready(
    text: str | None, port: int | None, seconds: float, log: str, command: str
) -> ServerError:
    """Return the error of a program that was ended because it did not get ready in so many seconds.

    text: what it was to print, or None where it was to listen.
    """
    what = f"listened on port {port}" if text is None else f"printed '{short(text)}'"
    reason = f"it never {what}, and was ended after {seconds:g} seconds (timeout=)"
    return ServerError(reason, command=command, log=log, timed_out=True)
