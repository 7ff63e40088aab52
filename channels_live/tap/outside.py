"""Tells of exceptions beside all connections: in threads, tasks, and other processes."""

from __future__ import annotations

import threading
from typing import Any

from channels_live.tap import hooks
from channels_live.tap.errors import record_error
from channels_live.tap.hooks import Hooks, before


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
