"""A server's log as a learner should read it: the same words at every run, on every machine."""

import os
import re
import sysconfig

_VOLATILE = [
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} +", re.M), ""),  # daphne's log
    (re.compile(r"^[A-Z][a-z]+ \d\d, \d{4} - \d\d:\d\d:\d\d\n", re.M), ""),  # runserver's banner
    (re.compile(r"^\d+:\w \d\d \w+ \d{4} \d\d:\d\d:\d\d\.\d{3} ", re.M), ""),  # a broker's log
    (re.compile(r" - - \[\d\d/\w+/\d{4}:\d\d:\d\d:\d\d\]"), " - -"),  # daphne's access log
    (re.compile(r"^\[\d\d/\w+/\d{4} \d\d:\d\d:\d\d\] ", re.M), ""),  # runserver's, WSGI
    (re.compile(r" \[(?:\d+\.\d\d, )?127\.0\.0\.1:\d+\]$", re.M), ""),  # runserver's, ASGI
    (re.compile(r"\b127\.0\.0\.1:(?=[3-6]\d{4}\b)\d+(?= - -)"), "127.0.0.1"),  # a client's port
    (re.compile(r"\bat 0x[0-9a-f]+\b"), "at 0x…"),
    (re.compile(r"^ *[~^]+ *\n", re.M), ""),  # differs between Pythons
]
# The path of a frame, and its first lines; where code has more of them, Pythons show it differently
_FRAME = re.compile(r'^(?=  File "([^"]+)")(  File .*\n(?:    .*\n)?)(?:    .*\n)*', re.M)


class Log(str):
    """Text that a notebook shows as it is, without quotation marks and escapes."""

    def _repr_pretty_(self, printer, cycle):
        printer.text(self or "(nothing printed)")


def plain(text, folder, port=None, real_port=None):
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
    return relative(_own_frames(text, folder), folder)


def relative(text, folder):
    """Return the text with paths below the folder made relative, and other Python paths short."""
    # the longer first: the other may be a part of it
    for root in sorted({os.path.realpath(folder), str(folder)}, key=len, reverse=True):
        text = text.replace(root + os.sep, "").replace(root, ".")
    for name in ("purelib", "stdlib"):
        text = text.replace(sysconfig.get_path(name) + os.sep, "…" + os.sep)
    return text


def _own_frames(text, folder):
    own = tuple(root + os.sep for root in {os.path.realpath(folder), str(folder)})
    hidden = "  … frames in libraries\n"  # how many differs between Pythons
    text = _FRAME.sub(lambda frame: frame[2] if frame[1].startswith(own) else hidden, text)
    return re.sub(f"(?:{hidden})+", hidden, text)
