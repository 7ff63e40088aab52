"""A server's log as a learner should read it: the same words at every run, on every machine."""

import codecs
import contextlib
import os
import re
import sysconfig
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_READ = 4 * 2**20  # bytes of a log that are looked at, from its end
MOST_LINES = 2000  # that are shown
_AT_ONCE = 2**18  # bytes

_VOLATILE = [
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} +", re.M), ""),  # daphne's log
    (re.compile(r"^[A-Z][a-z]+ \d\d, \d{4} - \d\d:\d\d:\d\d\n", re.M), ""),  # runserver's banner
    (re.compile(r"^\d+:\w \d\d \w+ \d{4} \d\d:\d\d:\d\d\.\d{3} ", re.M), ""),  # a broker's log
    # daphne's access log, and nginx's
    (re.compile(r"( - \S+) \[\d\d/\w+/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?\]"), r"\1"),
    (re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (\[\w+\]) \d+#\d+: (?:\*\d+ )?", re.M), r"\1 "),
    (re.compile(r"(?<=/)\.(?=nginx\.conf:\d+$)", re.M), ""),  # its file, with another port
    (re.compile(r"^\[\d\d/\w+/\d{4} \d\d:\d\d:\d\d\] ", re.M), ""),  # runserver's, WSGI
    (re.compile(r" \[(?:\d+\.\d\d, )?127\.0\.0\.1:\d+\]$", re.M), ""),  # runserver's, ASGI
    (re.compile(r"\b127\.0\.0\.1:(?=[3-6]\d{4}\b)\d+(?= - )"), "127.0.0.1"),  # a client's port
    # hypercorn's, gunicorn's and granian's
    (re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] (?:\[\d+\] )?", re.M), ""),
    # a number of a process, in any of their words
    (re.compile(r"(\b(?:process \[|[Pp][Ii][Dd]: ?|http://\S+ \())\d+"), r"\1…"),
    (re.compile(r"\bat 0x[0-9a-f]+\b"), "at 0x…"),
    (re.compile(r"^ *[~^]+ *\n", re.M), ""),  # differs between Pythons
]
_HTTP_2 = "HTTP/2 support enabled"
_NO_HTTP_2 = "HTTP/2 support not enabled (install the http2 and tls Twisted extras)"
# The path of a frame, and its first lines; where code has more of them, Pythons show it differently
_FRAME = re.compile(r'^(?=  File "([^"]+)")(  File .*\n(?:    .*\n)?)(?:    .*\n)*', re.M)


class Log(str):
    """Text that a notebook shows as it is, without quotation marks and escapes."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self or "(nothing printed)")


class LogFile:
    """What a program prints, in a file that goes with it.

    descriptor: for the program to write to, until `close_descriptor` is called.
    """

    def __init__(self) -> None:
        self.descriptor, name = tempfile.mkstemp(prefix="channels_live_", suffix=".log")
        try:
            self._file = open(name, "rb")
        except OSError:
            os.close(self.descriptor)
            os.unlink(name)
            raise
        weakref.finalize(self, self._file.close)
        with contextlib.suppress(OSError):  # Windows keeps a file that is open
            os.unlink(name)

    def close_descriptor(self) -> None:
        """Leave writing to the program."""
        os.close(self.descriptor)

    @property
    def size(self) -> int:
        """How long it is, in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def read(self, start: int, end: int) -> bytes:
        """Return what stands between two places, in bytes from the beginning."""
        if hasattr(os, "pread"):  # several threads may read at once
            return os.pread(self._file.fileno(), end - start, start)
        self._file.seek(start)
        return self._file.read(end - start)

    def tail(self, most: int = MOST_READ) -> tuple[str, int]:
        """Return the last `most` bytes, from the beginning of a line, and how many come before."""
        end = self.size
        start = max(0, end - most)
        content = self.read(start, end)
        if start:
            cut, _, content = content.partition(b"\n")
            start += len(cut) + 1
        return content.decode(errors="replace").replace("\r\n", "\n"), start


class Follower:
    """Reads what is new in a log, from MOST_READ bytes before its end on."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._position = max(0, file.size - MOST_READ)
        self._rest = ""  # of a line that has not ended
        # a character may be cut in two
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode

    def text(self) -> str:
        """Return what is new, a part of a long text."""
        end = min(self._file.size, self._position + _AT_ONCE)
        start, self._position = self._position, end
        return self._decode(self._file.read(start, end)).replace("\r\n", "\n")

    def more(self) -> bool:
        """Tell whether there is more to be read at once."""
        return self._file.size > self._position

    def lines(self) -> str:
        """Return what is new in whole lines, and the beginning of one that is being written."""
        text = self._rest + self.text()
        self._rest = text.rpartition("\n")[2]
        return text


def shown(
    file: LogFile, plain: Callable[[str], str], contains: str | None, last: int | None
) -> Log:
    """Return the lines of a log, or of a very long one its end, and how much is left out.

    plain: makes of the text what is to be shown. contains: only lines with this text. last: only
    so many lines from the end.
    """
    lines, before = [], 0
    for most in (_AT_ONCE, MOST_READ):
        text, before = file.tail(most)
        lines = [line for line in plain(text).splitlines() if contains is None or contains in line]
        if not before or (last and len(lines) >= last):
            break
    note = []
    if before and not last:
        note = [f"… the first {before / 2**20:.0f} MB of this log are not looked at"]
    elif len(lines) > MOST_LINES and not last:
        note = [f"… {len(lines) - MOST_LINES:,} earlier lines: log(last={len(lines)}) shows them"]
    return Log("\n".join([*note, *lines[-(last or MOST_LINES) :]]))


def plain(text: str, folder: Path, port: int | None = None, real_port: int | None = None) -> str:
    """Return a log without what differs from run to run.

    text: the log as the server wrote it.
    folder: the project's folder; paths below it become relative.
    port, real_port: where another port had to be taken, the typed one is shown in its place.

    Times, client ports and addresses in memory go. In a traceback only the project's own frames
    stay.
    """
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    if port is not None and real_port and port != real_port:
        text = re.sub(rf"(?<!\d){real_port}(?!\d)", str(port), text)
        text = text.replace(_HTTP_2, _NO_HTTP_2)  # nor by what else is installed
    return relative(_own_frames(text, folder), folder)


def relative(text: str, folder: Path) -> str:
    """Return the text with paths below the folder made relative, and other Python paths short."""
    # the longer first: the other may be a part of it
    for root in sorted({os.path.realpath(folder), str(folder)}, key=len, reverse=True):
        text = text.replace(root + os.sep, "").replace(root, ".")
    for name in ("purelib", "stdlib"):
        text = text.replace(sysconfig.get_path(name) + os.sep, "…" + os.sep)
    return text


def _own_frames(text: str, folder: Path) -> str:
    own = tuple(root + os.sep for root in {os.path.realpath(folder), str(folder)})
    hidden = "  … frames in libraries\n"  # how many differs between Pythons
    text = _FRAME.sub(lambda frame: frame[2] if frame[1].startswith(own) else hidden, text)
    return re.sub(f"(?:{hidden})+", hidden, text)
