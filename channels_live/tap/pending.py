"""Tells whether something of the project's own may yet act by itself, when all is quiet.

It looks at

- the tasks of the event loop: each by the coroutine that it runs and all that this one awaits;
- the loop's timers and what is to run in its next turn, and the calls that twisted has put off;
- the threads: each by what it is running.

What belongs to the standard library, Django, Channels or a server does not count, as long as it is
known to wait for others: for a client, for the channel layer, for work. All else counts, so the
answer is True also for what is merely unknown, and whenever looking fails. It cannot see what other
processes hold: a channel layer that delays messages in its broker, a program that the project has
started. A message that waits in the channel layer in memory does nothing until somebody receives.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from channels_live.tap.errors import own
from channels_live.tap.state import state

if TYPE_CHECKING:
    import asyncio

SERVERS = {"autobahn", "daphne", "granian", "hypercorn", "twisted", "txaio", "uvicorn"}
LIBRARIES = SERVERS | {"asgiref", "channels", "channels_redis", "django", "redis"}
LIBRARIES |= {"channels_live", "gunicorn", "uvicorn_worker"}  # the tap is in the first
# tasks that wait for a client or, in a worker, for a message: through these the application runs
WAITING = {
    ("channels_live.tap.served", "watched_application"),
    ("channels_live.tap.served", "waiting_receive"),
    ("channels_live.tap.served", "telling_receive"),
    ("channels_live.tap.channels", "consume"),
}
# modules that start tasks of their own
STARTERS = ("asgiref.server", "channels.worker", "channels_redis.", "redis.")
# timers of asyncio's that end the waiting of a task
SLEEP = {"_set_result_unless_cancelled", "_release_waiter"}
TIMEOUT = "Timeout._on_timeout"
# of twisted, whose Deferreds and LoopingCalls anybody may put off
PUT_OFF = ("autobahn.", "daphne.", "txaio.", "twisted.protocols.", "twisted.web.")


def may_act(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Tell whether something may act by itself. To be called on the thread of the event loop.

    loop: the running event loop, or None if there is none.
    """
    try:
        if loop and (_timer_may_act(loop) or _put_off() or _task_may_act(loop)):
            return True
        return _thread_may_act(loop)
    except Exception:
        return True


# --- the event loop


def _timer_may_act(loop: Any) -> bool:
    timers = [handle for handle in loop._scheduled if not handle._cancelled]
    return any(not _known_timer(handle) for handle in timers) or any(
        _foreign_function(handle._callback) for handle in loop._ready if not handle._cancelled
    )


def _known_timer(handle: Any) -> bool:
    function = handle._callback
    module = _module(function)
    if module.startswith("asyncio."):  # the task that it wakes is looked at
        return getattr(function, "__qualname__", None) in SLEEP | {TIMEOUT}
    return _top(module) in SERVERS and not _foreign_function(function)


def _put_off() -> bool:
    """Tell whether a call that daphne's reactor has put off is not daphne's own."""
    reactor = sys.modules.get("twisted.internet.reactor")
    calls = reactor.getDelayedCalls() if reactor else []
    return any(not _module(call.func).startswith(PUT_OFF) for call in calls)


def _task_may_act(loop: Any) -> bool:
    import asyncio

    sleeping, limited = set(), set()
    tasks: set[Any] = asyncio.all_tasks(loop)
    for handle in loop._scheduled:
        if getattr(handle._callback, "__qualname__", None) == TIMEOUT:
            limited.add(handle._callback.__self__._task)
        elif getattr(handle._callback, "__qualname__", None) in SLEEP:
            sleeping.add(handle._args[0])
    return any(
        _counts(list(_frames(task)), task._fut_waiter in sleeping or task in limited)
        for task in tasks
    )


def _frames(task: Any) -> Iterator[tuple[CodeType, str]]:
    """Yield (code, module) of the coroutine that a task runs, and of all that it awaits."""
    awaited = task.get_coro()
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            if code := getattr(awaited, f"{kind}_code", None):
                frame = getattr(awaited, f"{kind}_frame")
                yield code, frame.f_globals.get("__name__", "") if frame else ""
                awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:
            return  # a future, or what hides whom it waits for


def _counts(frames: list[tuple[CodeType, str]], by_time: bool) -> bool:
    """Tell whether a task may act by itself.

    frames: its coroutines, the outermost first. by_time: whether it waits for a time to come.
    """
    if any((module, code.co_name) in WAITING for code, module in frames):
        return by_time
    outermost = frames[0][1] if frames else ""
    receives = [at for at, (code, _) in enumerate(frames) if code in state.receiving]
    if receives and (receives[0] == 0 or outermost.startswith(STARTERS)):
        return by_time and any(_foreign(*frame) for frame in frames)  # a layer that polls
    if any(_foreign(*frame) for frame in frames):
        return True
    if _top(outermost) in SERVERS or outermost.startswith(STARTERS):
        return False
    return by_time or _top(outermost) != "asyncio"


# --- threads


def _thread_may_act(loop: Any) -> bool:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    if None in names:
        return True  # it is just starting
    ours = {threading.get_ident(), getattr(loop, "_thread_id", None)}
    main = threading.main_thread().ident
    return any(
        _running(frame, ident == main)
        for ident, frame in sys._current_frames().items()
        if ident not in ours and not names.get(ident, "").startswith("tap-")
    )


def _running(frame: FrameType | None, main: bool) -> bool:
    """Tell whether a thread may act by itself.

    frame: its innermost. main: whether it is the process's first thread.
    """
    assert frame
    inner, outer = _module_of(frame), ""
    where = frame.f_code.co_name
    while frame:
        module = _module_of(frame)
        if module.startswith("asyncio.") or _foreign(frame.f_code, module) and not _manages(frame):
            return True  # an event loop that is not known, or code of the project's
        if module != "threading":
            outer = module
        frame = frame.f_back
    if outer == "concurrent.futures.thread":
        return (inner, where) != (outer, "_worker")
    if _top(outer) == "twisted":
        return inner not in ("queue", "threading")
    return not main and _top(outer) not in LIBRARIES | {"socketserver"}


def _module_of(frame: FrameType) -> str:
    spec = frame.f_globals.get("__spec__")  # python -m … runs a module under another name
    return spec.name if spec else frame.f_globals.get("__name__", "")


def _manages(frame: FrameType) -> bool:
    return frame.f_code.co_filename.endswith("manage.py") and _module_of(frame) == "__main__"


# --- whose


def _foreign(code: CodeType, module: str) -> bool:
    """Tell whether code is neither a known library's nor Python's own."""
    top = _top(module)
    return own(code.co_filename) or not (top in LIBRARIES or top in sys.stdlib_module_names)


def _foreign_function(function: Any) -> bool:
    """Tell whether a function, or the object that it is bound to, is not a known library's."""
    while isinstance(function, functools.partial):
        function = function.func
    for bound in (function, type(getattr(function, "__self__", None))):
        code = getattr(bound, "__code__", None)
        top = _top(_module(bound))
        if code and own(code.co_filename):
            return True
        if top and not (top in LIBRARIES or top in sys.stdlib_module_names or top == "builtins"):
            return True
    return False


def _module(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__module__", None) or ""


def _top(module: str) -> str:
    return module.partition(".")[0]
