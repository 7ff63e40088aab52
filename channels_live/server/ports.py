"""Ports of this computer: which are free, and which one a server gets."""

import contextlib
import errno
import ipaddress
import itertools
import os
import socket
from collections.abc import Iterator
from typing import Any

import psutil

LOOPBACK = "127.0.0.1"
ONLY_HERE = "In this course servers listen on 127.0.0.1 only"
OPEN_TO_OTHERS = (
    f"'{{}}' would open this server to other computers. {ONLY_HERE}: leave the address out."
)
LISTENS_TO_OTHERS = (  # by itself, perhaps
    "This server listens on '{}', where other computers would reach it, so it was ended. "
    f"{ONLY_HERE}: give it that address. "
    "Many programs have an option for it, such as --bind 127.0.0.1 or --host 127.0.0.1."
)
SERVERS = range(20_000, 32_000)  # below those that systems hand out to whoever asks
APART = 0.618  # of these, from one process to the next: the golden section, so neighbours are far
_asked = itertools.count()
ANY_PORT = "CHANNELS_LIVE_ANY_PORT"  # set in tests: take a free port and say nothing of it


def any_will_do() -> bool:
    """Tell whether servers take free ports without a word, because notebooks are tested at once."""
    return ANY_PORT in os.environ


def free_port(among: range = SERVERS) -> int:
    """Return a port of 127.0.0.1 that nothing listens on, and nothing has for a while.

    Pages and clients call a server that has ended once more: they must not reach the next one.
    So a process takes one port after the other, and begins far from where others do.

    among: where it is looked for.
    Raises OSError if no port can be tried.
    """
    stride = int(APART * len(among)) | 1  # odd, so that every port is somebody's first
    begin = stride * os.getpid()
    while True:
        port = among[(begin + next(_asked)) % len(among)]
        try:
            socket.create_server((LOOPBACK, port)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE and not isinstance(error, PermissionError):
                raise  # Windows permits some ports to nobody
        else:
            return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether nothing listens on this port."""
    if port > 65535:
        return True  # that there is no such port, the program itself will say
    address = (host.strip("[]"), port)
    try:
        socket.create_server(address, family=_family(host)).close()
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True


def is_for_the_system(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether only the system's own programs may listen on this port."""
    if 0 < port < 1024:
        try:
            socket.create_server((host.strip("[]"), port), family=_family(host)).close()
        except PermissionError:
            return True
        except OSError:
            pass
    return False


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_loopback(host: str) -> bool:
    """Tell whether only this computer reaches a host: a name, or an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listened_on(pid: int) -> list[tuple[str, int]]:
    """Return the addresses on which a process, and all that it has started, listen."""
    listening = (c for c in _connections(pid, "tcp") if c.status == psutil.CONN_LISTEN)
    return sorted({(connection.laddr.ip, connection.laddr.port) for connection in listening})


def unix_sockets(pid: int) -> list[str]:
    """Return the paths of the Unix sockets of a process, and of all that it has started."""
    return sorted({connection.laddr for connection in _connections(pid, "unix")} - {""})


def _connections(pid: int, kind: str) -> Iterator[Any]:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                yield from member.net_connections(kind)


def another(wanted: int | None, host: str, scheme: str, by: str) -> int:
    """Return a free port in place of a taken one, and say so.

    wanted: the taken one. host, scheme: of the address. by: who has it, in words.
    """
    port = free_port()
    # notebooks that are tested at once must not fight for a port, nor tell of it
    if not any_will_do():
        print(
            f"Port {wanted} is taken by {by}: "
            f"this server gets port {port}, {scheme}://{host}:{port}/"
        )
    return port
