"""A learner's Jupyter server in a class, held to its share of the memory.

JupyterHub starts it. No root and no cgroup is needed for its limit: what a cell asks for at one go
raises a MemoryError there; what grows bit by bit is ended, the largest process first.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import psutil

from channels_live.no_grammar import leave_out_grammar

EVERY = 2.0  # seconds between two looks
_AT_ONCE = 2  # times the limit: what one process may ask for. Threads' stacks count, and add up


def main() -> None:
    """Run the server with the arguments of the command line."""
    limit = int(os.environ["MEM_LIMIT"])
    hold_back(limit)
    threading.Thread(target=_watch, args=(limit,), daemon=True).start()
    leave_out_grammar()
    from jupyterhub.singleuser import main as serve

    serve()


def hold_back(limit: int) -> None:
    """Let neither this process nor its children get much more than this at one go, in bytes."""
    import resource  # there is none on Windows

    most = _AT_ONCE * limit
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _watch(limit: int) -> None:
    while True:
        time.sleep(EVERY)
        if largest := too_large(psutil.Process(), limit):
            print(
                f"More than {limit >> 20} MB: process {largest.pid} ({largest.name()}) is ended.",
                file=sys.stderr,
            )
            largest.send_signal(signal.SIGKILL)


def too_large(server: psutil.Process, limit: int) -> psutil.Process | None:
    """Return what is to be ended: the largest process that a server has started, itself or not.

    limit: in bytes, for all together. None: they keep to it.
    """
    with_it = [server, *server.children(recursive=True)]
    # what is shared counts in each of these, so a sum below the limit needs no second look
    if sum(_memory(process, lambda p: p.memory_info().rss) for process in with_it) <= limit:
        return None
    sizes = {process: _memory(process, own_memory) for process in with_it}
    if sum(sizes.values()) <= limit:
        return None
    del sizes[server]
    return max(sizes, key=lambda process: sizes[process], default=None)


def own_memory(process: psutil.Process) -> int:
    """Return the bytes that a process needs; of what it shares, its part."""
    memory = process.memory_full_info()
    return getattr(memory, "pss", None) or memory.uss


def _memory(process: psutil.Process, of: Callable[[psutil.Process], int]) -> int:
    try:
        return of(process)
    except psutil.Error:  # it has ended, or is not ours
        return 0


if __name__ == "__main__":
    main()
