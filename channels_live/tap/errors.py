"""Exceptions, as they are recorded: by the learner's own file and line."""

from __future__ import annotations

import functools
import os
import sys
import traceback

from channels_live.tap.state import state
from channels_live.tap.wire import flush, record


@functools.lru_cache(1000)
def own(name: str) -> bool:
    """Tell whether a file of this name, as code objects have it, lies in the project.

    An environment that lies in the project's folder is not the project's.
    """
    if name.startswith("<"):
        return False  # as "<frozen runpy>"
    path = os.path.realpath(name)
    prefixes = [os.path.realpath(prefix) + os.sep for prefix in (sys.prefix, sys.base_prefix)]
    return path.startswith(state.folder) and not any(
        prefix.startswith(state.folder) and path.startswith(prefix) for prefix in prefixes
    )


def where(error: BaseException) -> tuple[str | None, int | None]:
    """Return (file, line) of the innermost frame that is the learner's own, or (None, None)."""
    if isinstance(error, SyntaxError):
        return error.filename, error.lineno
    place: tuple[str | None, int | None] = (None, None)
    trace = error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        # compiled modules have names that are no paths
        if own(name) and os.path.basename(name) != "manage.py" and os.path.isfile(name):
            place = (os.path.realpath(name), trace.tb_lineno)
        trace = trace.tb_next
    return place


def message(error: BaseException) -> str:
    """Return what an exception says."""
    try:
        return error.msg or "" if isinstance(error, SyntaxError) else str(error)
    except Exception:  # its __str__ is the learner's
        return ""


def record_error(error: BaseException, call: int | None = None) -> None:
    """Record an exception: once, by the consumer it left, not again by the application around it.

    call: the number of the call that it left.
    """
    from channels.exceptions import StopConsumer

    connection = state.connection.get()
    if isinstance(error, StopConsumer) or connection and connection.error == id(error):
        return
    if connection:
        connection.error = id(error)
    file, line = where(error)
    record(
        "error",
        conn=connection.number if connection else None,
        call=call,
        type=type(error).__name__,
        message=message(error),
        file=file,
        line=line,
    )


def record_crash(error: BaseException, port_taken: bool = False) -> None:
    """Record that the server did not start, or broke down, and tell it at once.

    port_taken: whether the reason is that another program listens on its port.
    """
    # Django may tell of an error in a file of the learner's only as the context of its own
    reason: BaseException | None = error
    while reason and where(reason) == (None, None):
        reason = reason.__cause__ or reason.__context__
    reason = reason or error
    file, line = where(reason)
    record(
        "crash",
        type=type(reason).__name__,
        message=message(reason),
        file=file,
        line=line,
        trace="".join(traceback.format_exception(error)),
        port_taken=port_taken,
    )
    flush()
