"""IPython's shell, which code in a notebook runs in, and its event loop."""

import os
import socket
import stat
import sys
from typing import Any


def shell() -> Any:
    """Return the shell, or None where there is none: a terminal's command does not import it."""
    ipython: Any = sys.modules.get("IPython")
    return ipython and ipython.get_ipython()


def ports_of_loop() -> set[int]:
    """Return the ports of the sockets that the event loop of this thread reads from.

    A notebook's cells run in one, and while a cell waits here nothing reads from them.
    """
    import asyncio

    ports = set()
    try:
        selector = getattr(asyncio.get_running_loop(), "_selector", None)
        for descriptor in list(selector.get_map()) if selector else ():
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue  # as a pipe to a program
            with socket.socket(fileno=os.dup(descriptor)) as copy:
                if copy.family in (socket.AF_INET, socket.AF_INET6):
                    ports.add(copy.getsockname()[1])
    except (OSError, RuntimeError, ValueError):
        pass  # there is no loop
    return ports
