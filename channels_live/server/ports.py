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


def choose(wanted: int | None, host: str, scheme: str) -> int | None:
    """Return the port that a server gets: the one it wants if that is free, else another.

    wanted: None for a server that listens nowhere. host, scheme: of its address.
    """
    if wanted is None or (not any_will_do() and is_free(wanted, host)):
        return wanted
    return another(wanted, host, scheme)


def another(wanted: int | None, host: str, scheme: str) -> int:
    """Return a free port in place of a taken one, and say so. The arguments are those of choose."""
    port = free_port()
    # notebooks that are tested at once must not fight for a port, nor tell of it
    if not any_will_do():
        print(
            f"Port {wanted} is taken by another program: "
            f"this server gets port {port}, {scheme}://{host}:{port}/"
        )
    return port
