"""Ports of this computer: which are free, and which one a server gets."""

import errno
import os
import socket

LOOPBACK = "127.0.0.1"
ANY_PORT = "CHANNELS_LIVE_ANY_PORT"  # set in tests: take a free port and say nothing of it


def any_will_do() -> bool:
    """Tell whether servers take free ports without a word, because notebooks are tested at once."""
    return ANY_PORT in os.environ


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return listener.getsockname()[1]


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether nothing listens on this port."""
    if port > 65535:
        return True  # that there is no such port, the program itself will say
    try:
        socket.create_server((host.strip("[]"), port)).close()
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True
