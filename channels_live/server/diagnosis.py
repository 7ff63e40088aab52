"""What was wrong with a server, from what is known of it. Nothing here reads, waits or prints."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from channels_live.server.log import relative

LAST_LINES = 12  # of the log, shown with an error
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
LONGEST_LINE = 500  # characters of each
IN_USE = "Address already in use"


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
        return _printable(self.message(self.command))

    def message(self, command: str | None, with_log: bool = True) -> str:
        """Return it in words, with a command in place of the one that was run."""
        if command is None:
            return self.reason
        message = f"`{command}` did not start.\n{self.reason}"
        log = self.log.rstrip() if with_log else ""
        # those lines would say the reason again, and nothing else
        only_libraries = log.startswith("Traceback") and '  File "' not in log
        if log and not only_libraries:
            lines = (line[:LONGEST_LINE] for line in log.split("\n")[-LAST_LINES:])
            last = "\n".join(f"    {line}".rstrip() for line in lines)
            message += f"\nThe last lines of its log:\n{last}"
        return message

    def _render_traceback_(self) -> list[str]:
        # In a notebook the message is what helps; our own frames would hide it.
        return [f"ServerError: {self}"]


def _printable(text: str) -> str:
    """Return a text in which nothing controls a terminal, and which can be written anywhere."""
    return _CONTROL.sub("�", text)


def taken(port: int | None, **known: Any) -> ServerError:
    """Return the error of a port that another program has. known: as ServerError takes it."""
    reason = f"Port {port} is taken by another program. Stop that program, or choose another port."
    return ServerError(reason, port_taken=True, **known)


def crashed(event: Mapping[str, Any], folder: Path, port: int | None, **known: Any) -> ServerError:
    """Return the error that a `crash` event tells of.

    folder: the project's; paths below it become relative. port: the typed one.
    """
    if event["port_taken"]:
        return taken(port, **known)
    raised, file, place = event["type"], "", ""
    if event["file"]:
        file = relative(event["file"], folder)
        place = f"{file}, line {event['line']}: "
    said = f"{raised}: {relative(event['message'].removeprefix(f'{raised}: '), folder)}"
    return ServerError(f"{place}{said}", raised=raised, said=said, file=file, **known)


def exited(
    log: str, returncode: int | None, port: int | None, left: int, command: str
) -> ServerError:
    """Return the error of a program that ended before it was ready.

    log: what it had printed. left: how many processes it had left behind.
    """
    lines = log.split("\n")
    if any(IN_USE in line for line in lines):
        return taken(port, command=command, log=log)
    if left and returncode == 0:
        reason = (
            "it ended, and what it left in the background was ended too: here a server stays in "
            "the foreground. Leave out the option, or the &, that puts it there."
        )
        return ServerError(reason, command=command, log=log)
    last = next((line for line in reversed(lines) if line.strip()), "no reason given")
    return ServerError(f"{last} (exit code {returncode})", command=command, log=log)


def never_ready(
    text: str | None, port: int | None, seconds: float, log: str, command: str
) -> ServerError:
    """Return the error of a program that was ended because it did not get ready in so many seconds.

    text: what it was to print, or None where it was to listen.
    """
    what = f"listened on port {port}" if text is None else f"printed '{text}'"
    reason = f"it never {what}, and was ended after {seconds:g} seconds (timeout=)"
    return ServerError(reason, command=command, log=log, timed_out=True)
