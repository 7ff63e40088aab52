"""Says what a cell waits for, where it has waited for long: perhaps it will never come."""

import asyncio
import linecache
import os
from collections.abc import Mapping
from typing import Any

LONG = int(os.environ.get("CHANNELS_LIVE_LONG_WAIT", 20))  # seconds; tests are more patient
TEXT = """This cell has been waiting for {} seconds, in the line
    {}
If what it waits for never comes, it waits for ever, as it may when a cell is run a second time.
■ in the toolbar ends it. Then run again from the cell that starts the server."""


class Waits:
    """Watches the cells of a kernel, while its event loop is free.

    variables: those of the notebook.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._timer: asyncio.TimerHandle | None = None

    def begin_cell(self, *_: Any) -> None:
        """Watch the cell that begins. It runs in the current task, or in none: then it is sync."""
        self.end_cell()
        try:
            task: Any = asyncio.current_task()
        except RuntimeError:
            return
        if task:
            self._look(task, None, 0)

    def end_cell(self, *_: Any) -> None:
        """Watch it no longer."""
        if self._timer:
            self._timer.cancel()

    def _look(self, task: Any, awaited: object, seconds: int) -> None:
        now = getattr(task, "_fut_waiter", None)  # what asyncio itself wakes the task for
        seconds = seconds + 1 if now and now is awaited else 0
        if seconds < LONG:
            loop = task.get_loop()
            self._timer = loop.call_later(1, self._look, task, now, seconds)
        elif line := self._line(task.get_coro()):
            print(TEXT.format(seconds, line))

    def _line(self, coroutine: Any) -> str:
        """Return the line of the cell in which a coroutine, IPython's, waits."""
        while coroutine := getattr(coroutine, "cr_await", None):
            frame = getattr(coroutine, "cr_frame", None)
            if frame and frame.f_globals is self._variables:
                return linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        return ""
