"""The system's errors in words: what has happened, and what to do."""

import errno
import os
import re
import tempfile
from pathlib import Path

LONGEST = 300  # characters of a text that is repeated in a message
_MORE_FILES = (
    "Close connections and stop servers that you do not need. If that does not help, restart the "
    "kernel, or the terminal."
)
_DISK = "Delete there what you do not need, then do it again."
_RIGHTS = "Change its permissions, or those of its folder, then do it again."
_BUSY = "Close programs that you do not need, then do it again."
_WORDS = {  # {}: the file, or what stands in its place
    errno.ENOSPC: ("There is no room left on the disk: {} cannot be written.", _DISK),
    errno.EDQUOT: ("Your share of the disk is used up: {} cannot be written.", _DISK),
    errno.EFBIG: ("{} has grown larger than is allowed here.", _DISK),
    errno.EMFILE: ("This process has as many files and connections open as it may.", _MORE_FILES),
    errno.ENFILE: ("This computer has as many files open as it may.", _BUSY),
    errno.ENOMEM: ("This computer has no memory left.", _BUSY),
    errno.EAGAIN: ("This computer starts no more processes for you.", _BUSY),
    errno.EADDRINUSE: ("This computer has no free port left.", _BUSY),
    errno.EADDRNOTAVAIL: ("This computer has no free port left.", _BUSY),
    errno.EROFS: ("{} lies on a disk that can only be read.", "Choose a folder elsewhere."),
    errno.EACCES: ("You may not read {}, or not write it.", _RIGHTS),
    errno.EPERM: ("You may not read {}, or not write it.", _RIGHTS),
    errno.ENOENT: ("{} is not there: it was deleted, moved or renamed.", ""),
    errno.EEXIST: ("{} is there already.", "Delete it or rename it."),
    errno.ENOTDIR: ("{} leads through a file where a folder is needed.", "Rename that file."),
    errno.EISDIR: ("{} is a folder where a file is needed.", "Rename that folder."),
    errno.ENAMETOOLONG: ("The name {} is too long.", "Choose a shorter one."),
    errno.ELOOP: ("{} is a link that leads back to itself.", "Delete that link."),
    errno.ENOEXEC: ("{} is no program that this computer can run.", ""),
    errno.E2BIG: ("The command is longer than this computer allows.", "Write a shorter one."),
    errno.EIO: ("The disk does not answer as it should: {}.", "Try it again."),
}
# what the learner's own files and code have no part in
_LACKS = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_OF_THE_COMPUTER = {
    *_LACKS,
    *(errno.EAGAIN, errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EROFS, errno.EIO),
}


def in_words(error: BaseException) -> str:
    """Return what an error of the system means, and what to do: one or two sentences."""
    if _is_temporary(error):
        folder = tempfile.tempdir or "named in TMPDIR"
        return (
            f"The folder for temporary files, {folder}, is gone, or cannot be written. "
            "Make it again, or restart the kernel or the terminal."
        )
    if not isinstance(error, OSError):
        return visible(f"{type(error).__name__}: {error}")
    known = _WORDS.get(error.errno or 0)
    named = getattr(error, "filename2", None) or error.filename  # what a copy was to become
    if known is None or named is None and "{}" in known[0] and known[1] is not _DISK:
        return visible(
            str(error.strerror or error) + (f": {error.filename}" * bool(error.filename))
        )
    happened, remedy = known
    file = ("A file" if happened[0] == "{" else "a file") if named is None else named
    return visible(f"{happened.format(file)} {remedy}".rstrip())


def of_the_computer(error: BaseException) -> BaseException | None:
    """Return the error, or its cause, that comes from the computer and not from a learner's code.

    None: there is none.
    """
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and (cause.errno in _OF_THE_COMPUTER or _is_temporary(cause)):
        return cause
    return None


def lack_in(message: str) -> OSError | None:
    """Return the error of a computer that lacks something, if it is the one whose message this is.

    What code can bring about by itself, such as a port that is taken, is none of these.
    """
    match = re.search(r"\[Errno (\d+)\]", message)
    number = int(match[1]) if match else 0
    return OSError(number, os.strerror(number)) if number in _LACKS else None


def visible(text: str) -> str:
    """Return a text whose control characters, and halves of characters, are shown as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def short(text: str) -> str:
    """Return a text, or its beginning and an ellipsis."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _is_temporary(error: BaseException) -> bool:
    if not isinstance(error, FileNotFoundError):
        return False
    if error.filename is None:
        return "temporary directory" in str(error.strerror)
    folder = tempfile.tempdir
    return (
        folder is not None
        and not Path(folder).is_dir()
        and (Path(str(error.filename)).is_relative_to(folder))
    )
