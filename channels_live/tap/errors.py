"""Exceptions, as they are recorded: by the learner's own file and line."""

from __future__ import annotations

import functools
import os
import sys
import traceback

from channels_live.tap.state import state
from channels_live.tap.texts import cut, limited, name_of, plain, said
from channels_live.tap.wire import flush, harmless, record

LONGEST_TRACE = 20_000  # characters
MOST_FILES = 2_000  # that are searched for a byte that no Python file may have
LIBRARIES = {"site-packages", "dist-packages", "node_modules"}  # folders of others' files
# what a process ends by, or a server ends a task by, is not an error
NO_ERRORS = ("CancelledError", "GeneratorExit", "KeyboardInterrupt")


@functools.lru_cache(1000)
def own(name: str) -> bool:
    """Tell whether a file of this name, as code objects have it, lies in the project.

    An environment that lies in the project's folder is not the project's.
    """
    if name.startswith("<"):
        return False  # as "<frozen runpy>"
    path = os.path.realpath(name)
    if not path.startswith(state.folder):
        return False
    *folders, _ = path[len(state.folder) :].split(os.sep)
    if LIBRARIES.intersection(folders):
        return False
    prefixes = [os.path.realpath(prefix) + os.sep for prefix in (sys.prefix, sys.base_prefix)]
    if any(prefix.startswith(state.folder) and path.startswith(prefix) for prefix in prefixes):
        return False
    within = [os.path.join(state.folder, *folders[:at]) for at in range(1, len(folders) + 1)]
    return not any(os.path.exists(os.path.join(folder, "pyvenv.cfg")) for folder in within)


def where(error: BaseException) -> tuple[str | None, int | None]:
    """Return (file, line) of the innermost frame that is the learner's own, or (None, None)."""
    if isinstance(error, SyntaxError) and (file := plain(error.filename)):
        return limited(file), error.lineno if type(error.lineno) is int else None
    place: tuple[str | None, int | None] = (None, None)
    trace = error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        # compiled modules have names that are no paths
        if own(name) and os.path.basename(name) != "manage.py" and os.path.isfile(name):
            place = (os.path.realpath(name), trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, (SyntaxError, ValueError)) and "null byte" in said(error):
        return _with_null_byte() or place
    return place


def _with_null_byte() -> tuple[str, int] | None:
    """Find the file that Python does not name: one that holds a byte 0."""
    searched = 0
    for folder, folders, files in os.walk(state.folder):
        folders[:] = sorted(name for name in folders if own(os.path.join(folder, name, "x.py")))
        for file in sorted(file for file in files if file.endswith(".py")):
            searched += 1
            if searched > MOST_FILES:
                return None
            path = os.path.join(folder, file)
            try:
                with open(path, "rb") as lines:
                    for number, line in enumerate(lines, 1):
                        if b"\0" in line:
                            return path, number
            except OSError:
                pass
    return None


def message(error: BaseException) -> str:
    """Return what an exception says, and what those say of which it is a group."""
    text = plain(error.msg) or "" if isinstance(error, SyntaxError) else said(error)
    inner = getattr(error, "exceptions", None) if _is_group(error) else None
    if isinstance(inner, tuple):
        parts = [f"{name_of(type(member))}: {message(member)}" for member in inner[:5]]
        text = limited(f"{text}: {'; '.join(parts)}")
    connection = state.connection.get()
    return cut(limited(text), connection.secrets if connection else ())


def _is_group(error: BaseException) -> bool:
    return any(kind.__name__ == "BaseExceptionGroup" for kind in type(error).__mro__)


@harmless
def record_error(error: BaseException, call: int | None = None) -> None:
    """Record an exception: once, by the consumer it left, not again by the application around it.

    call: the number of the call that it left.
    """
    kind = name_of(type(error))
    connection = state.connection.get()
    stops = getattr(sys.modules.get("channels.exceptions"), "StopConsumer", ())
    if kind in NO_ERRORS or isinstance(error, stops):
        return
    if connection:
        if connection.error == id(error):
            return
        connection.error = id(error)
    file, line = where(error)
    record(
        "error",
        conn=connection.number if connection else None,
        call=call,
        type=kind,
        message=message(error),
        file=file,
        line=line,
    )
    if not isinstance(error, Exception):
        flush()  # it may end the process


@harmless
def record_held(error: BaseException) -> None:
    """Record an exception that a task of the project's holds."""
    file, line = where(error)
    if file and name_of(type(error)) not in NO_ERRORS:
        record("held", type=name_of(type(error)), message=message(error), file=file, line=line)


@harmless
def record_crash(error: BaseException, port_taken: bool = False) -> None:
    """Record that the server did not start, or broke down, and tell it at once.

    port_taken: whether the reason is that another program listens on its port.
    """
    # Django may tell of an error in a file of the learner's only as the context of its own
    reason: BaseException | None = error
    seen: list[int] = []  # a chain may be a ring
    while reason and id(reason) not in seen and where(reason) == (None, None):
        seen.append(id(reason))
        reason = reason.__cause__ or reason.__context__
    if reason is None or id(reason) in seen:
        reason = error
    file, line = where(reason)
    record(
        "crash",
        type=name_of(type(reason)),
        message=message(reason),
        file=file,
        line=line,
        trace=_trace(error),
        port_taken=port_taken,
    )
    flush()


def _trace(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:  # what it is made of may be the learner's
        text = f"{name_of(type(error))}: {message(error)}"
    return text if len(text) <= LONGEST_TRACE else f"…\n{text[-LONGEST_TRACE:]}"
