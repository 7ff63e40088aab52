"""Says that a broker has been stopped, in place of a hundred lines from the libraries."""

import os
import re
from collections.abc import Callable
from types import TracebackType
from typing import Any

TEXT = """{}: {}
The broker has been stopped: {}
Its method `restart()` starts it again. Then run again from the cell that connects."""
_FAILED = re.compile("HTTP 500|received 1011")  # websockets' words for a server that has


def say_stopped(ipython: Any, stopped: Callable[[], str | None]) -> None:
    """Show the exceptions of cells as IPython does, but those of a broker that is not there short.

    ipython: the shell. stopped: returns the command of a broker that has been stopped, or None.
    """

    def show(
        ipython: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
        tb_offset: int | None = None,
    ) -> None:
        command = stopped()
        if command and _may_come_of_it(error):
            lines = [TEXT.format(kind.__name__, error, command)]
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        ipython.showtraceback((kind, error, trace), tb_offset, running_compiled_code=True)

    ipython.set_custom_exc((Exception,), show)


def _may_come_of_it(error: BaseException) -> bool:
    """Tell whether a cell asked the broker, or a server that asks one has failed."""
    library = type(error).__module__.partition(".")[0]
    has_failed = library == "websockets" and _FAILED.search(str(error))
    return library == "redis" or bool(has_failed and "REDIS_URL" in os.environ)
