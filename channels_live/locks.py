"""Locks between processes, also in folders whose file system knows none."""

import errno
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from channels_live.workspace import LessonError, shown

PATIENCE = 10.0  # seconds that another program may hold what it needs only for a moment
_UNKNOWN = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


def try_lock(file: Path, timeout: float = 0.0) -> BaseFileLock | None:
    """Return a lock that is held until it is released or this process ends; None if it is taken.

    file: in a folder that is there. timeout: in seconds. Raises OSError if it cannot be written.
    """
    lock: BaseFileLock = FileLock(file, fallback_to_soft=False)
    try:
        try:
            return lock.acquire(timeout=timeout).lock
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
        # Its own name: an empty file that a real lock has left would hold for ever.
        lock = SoftFileLock(file.with_name(f"{file.name}.pid"))
        try:
            return lock.acquire(timeout=timeout).lock
        except Timeout:  # that may have removed what a killed process has left
            return lock.acquire(timeout=0).lock
    except Timeout:
        return None


def lock(file: Path, timeout: float | None = None) -> BaseFileLock:
    """Return a lock that is held, for a `with` block.

    file: its folder is made if need be. timeout: in seconds; None: PATIENCE.

    Raises LessonError if another program holds it too long, OSError if it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    timeout = PATIENCE if timeout is None else timeout
    if held := try_lock(file, timeout):
        return held
    raise LessonError(
        f"Another program holds {shown(file)}, and has not let go of it for {timeout:g} seconds. "
        "Shut down the notebooks and commands of this course that no longer answer, "
        "then try this again."
    )
