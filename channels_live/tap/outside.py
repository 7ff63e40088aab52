"""Tells of exceptions beside all connections: in threads, tasks, and other processes."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

from channels_live.tap import hooks
from channels_live.tap.errors import record_error, record_held
from channels_live.tap.hooks import Hooks, before
from channels_live.tap.wire import harmless


def _loop_error(loop: Any, context: Any) -> None:
    error = context.get("exception")
    if isinstance(error, BaseException):
        record_error(error)


def _run(method: Any) -> Any:
    # of a process that multiprocessing has started
    def run(process: Any) -> Any:
        try:
            return method(process)
        except Exception as error:
            record_error(error)
            raise

    return run


HOOKS: Hooks = {
    "asyncio.base_events": {"BaseEventLoop.call_exception_handler": before(_loop_error)},
    "multiprocessing.process": {"BaseProcess.run": _run},
}


def install() -> None:
    """Have them tell; asyncio and multiprocessing as soon as they are imported."""
    hooks.install(HOOKS)
    show = threading.excepthook

    def excepthook(arguments: Any) -> Any:
        if isinstance(arguments.exc_value, Exception):
            record_error(arguments.exc_value)
        return show(arguments)

    threading.excepthook = excepthook


@harmless
def tell_tasks() -> None:
    """Tell, as the process ends, what the tasks hold that have raised in the project's own files.

    asyncio is silent about a task that somebody holds, and for ever once it was to be cancelled.
    """
    if asyncio := sys.modules.get("asyncio"):
        tasks = [thing for thing in gc.get_objects() if issubclass(type(thing), asyncio.Task)]
        for task in tasks:
            # `exception()` would be to ask for it, and asyncio would not tell of it any more
            if task.done() and isinstance(error := task._exception, BaseException):
                record_held(error)
