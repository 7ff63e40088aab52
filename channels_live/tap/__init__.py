"""Runs inside the server's process and tells the kernel that started it what happens there.

`wire` is the connection to that kernel, `events` says what goes up it and `batches` how, `settle`
and `pending` answer when the kernel asks. What is told comes from hooks in the libraries, see
`hooks`: `daphne`, `servers` (the others), `channels` (and `calls` of its consumers), `layers` and
`django`. `asgi` holds what any server needs, `served` the applications as servers call them, `ends`
how connections end there; `outside` tells what happens beside all connections. `state` is all that
they know.

A hook never raises, never changes what happens, and never holds an object of the project alive.
Nothing here imports anything of the course or beyond the standard library: a project may bring
its own Python. And little else, because a server pays for it at its start.
"""

import atexit
import os
import sys

HELD = "CHANNELS_LIVE_HELD"  # set by checks: at the end, tell also what tasks hold; takes 20 ms
SETTLE_LIMIT = 10.0  # seconds a process may take to have nothing in hand; known to both ends


def install(address: str) -> None:
    """Connect to the kernel and start to record.

    address: "PORT TOKEN" of the kernel that started this process. Where that is gone, nothing is
    recorded, and the process is left to its keeper.
    """
    stays_uncompiled = sys.dont_write_bytecode
    sys.dont_write_bytecode = False  # these files do not change while they are served
    from channels_live.tap import channels, daphne, django, outside, servers, wire

    sys.dont_write_bytecode = stays_uncompiled
    if not wire.connect(address):
        return
    for library in (daphne, channels, django, outside, servers):
        library.install()
    wire.start()
    if HELD in os.environ:
        atexit.register(outside.tell_tasks)  # before `wire` says goodbye
