"""What a class needs of this computer, and in words what is missing: before anything is started."""

import contextlib
import errno
import itertools
import os
import random
import socket
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psutil

from channels_live.examination import PIP
from channels_live.server.ports import is_free
from channels_live.workspace import ROOT, LessonError

LEARNER, REST = 0.3, 1.0  # GB: for a learner, measured with a margin; for the hub and the system
EVERYWHERE = "0.0.0.0"
_EXTRA = ("jupyterhub", "segno")
_PORTS = 20_000, 32_000  # the system hands out those from 32,768 on, and macOS from 49,152
_CGROUP = Path("/sys/fs/cgroup")
_INSIDE = ("docker", "br-", "virbr", "vboxnet", "vmnet")  # networks of containers and of machines


def check_extra() -> None:
    """Raise LessonError where a class cannot run here at all, or its packages are missing."""
    if os.name == "nt":
        raise LessonError("JupyterHub runs on Linux and macOS. On Windows, use WSL.")
    if missing := [name for name in _EXTRA if find_spec(name) is None]:
        install = f"{PIP} install -c {ROOT / 'requirements.txt'} -e '{ROOT}[class]'"
        if not (ROOT / "pyproject.toml").exists():
            install = f"{PIP} install 'channels-live[class]'"
        raise LessonError(
            f"A class needs {', '.join(missing)}, which learners do not. Install it:\n  {install}"
        )


def addresses() -> list[str]:
    """Return the IPv4 addresses of this computer at which others may reach it, the best first."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    way_out = _way_out()
    own = [
        (entry.address != way_out, name.startswith(_INSIDE), entry.address)
        for name, entries in psutil.net_if_addrs().items()
        for entry in entries
        if name in up
        and entry.family == socket.AF_INET
        and not entry.address.startswith(("127.", "169.254."))
    ]
    return [address for _, _, address in sorted(own)]


def _way_out() -> str:
    """Return the address that others see of this computer; an empty text where it knows no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent: it tells which address would be used
        return str(probe.getsockname()[0])
    return ""


def hosts(address: str) -> list[str]:
    """Return how learners name what listens on an address, the best first."""
    return (addresses() or ["127.0.0.1"]) if address == EVERYWHERE else [address]


def check_address(address: str, port: int) -> None:
    """Raise LessonError if nothing can listen there, and say why."""
    if not 0 < port < 65536:
        raise LessonError(f"There is no port {port}. Name one from 1024 to 65535, such as 8080.")
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((address, port), family=family).close()
    except OSError as error:
        raise LessonError(_cannot_listen(address, port, error)) from None


def _cannot_listen(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {address} is taken by another program. "
            f"End that, or name another port: --port {port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"Only the system may use port {port}. Name one from 1024 on, such as --port 8080"
    ours = "".join(f"\n  --address {own}" for own in addresses())
    return f"{address} is no address of this computer. It has:{ours}\n  --address all"


def ports(seats: Iterable[str], known: dict[str, int]) -> dict[str, int]:
    """Return a port for each seat's server: the one that is known, or a new one.

    Not from those that the system hands out, where a learner's own server could take it.
    """
    first, end = _PORTS
    begin = random.randrange(first, end)  # or two classes that start at once would take the same
    every = itertools.chain(range(begin, end), range(first, begin))
    free = (port for port in every if port not in known.values() and is_free(port))
    return {seat: known.get(seat) or next(free) for seat in seats}


def memory() -> float:
    """Return the GB that are free here: in a container, those that it may still use."""
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # there is no such limit
        used = int((_CGROUP / "memory.current").read_text())
        cached = dict(line.split() for line in (_CGROUP / "memory.stat").open())["inactive_file"]
        free = min(free, int((_CGROUP / "memory.max").read_text()) - used + int(cached))
    return free / 1e9


def room_for(free: float, learner: float = LEARNER) -> int:
    """Return how many learners fit into this much memory. Both in GB."""
    return max(0, int((free - REST) / learner))


def check_memory(users: int, free: float) -> None:
    """Raise LessonError if this many learners need more than is free, in GB."""
    fit = room_for(free)
    if users > fit:
        raise LessonError(
            f"{users} learners need {users * LEARNER + REST:.1f} GB of memory, "
            f"and {free:.1f} GB are free: {fit} fit. Say --users {fit}, close what you do not "
            "need, or take a larger computer. --anyway tries it all the same."
        )


def names_in(file: Path) -> list[str]:
    """Return the learners' names in a file, one a line. Raises LessonError, OSError."""
    try:
        lines = [" ".join(line.split()) for line in file.read_text("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise LessonError(f"{file} is no text in UTF-8. Save it as such.") from None
    except IsADirectoryError:
        raise LessonError(f"{file} is a folder. Name a file with one name a line.") from None
    names = [line for line in lines if line]
    twice = sorted(
        {name for name in names if [*map(str.casefold, names)].count(name.casefold()) > 1}
    )
    if twice:
        raise LessonError(
            f"{file} has {' and '.join(twice)} twice. Two people cannot share a seat: "
            "write one of them with more of the name."
        )
    if not names:
        raise LessonError(f"{file} has no names. Write one a line.")
    return names


def survey(address: str, port: int, free: float, learner: float) -> Iterator[str]:
    """Yield lines about this computer, for `class --check`. Memory in GB."""
    cores = os.cpu_count() or 1
    yield f"cores      {cores}: {2 * cores} servers start at once, the others wait their turn"
    yield f"memory     {free:.1f} GB are free; {REST:g} GB of it is for the hub and the system"
    yield f"a learner  {learner:.2f} GB, measured here: server, kernel and daphne of lesson 5"
    each = max(LEARNER, learner)
    yield f"room for   {room_for(free, each)} learners, with {each:.2f} GB for each"
    yield f"address    {address}:{port} is free"
    yield f"reached at {', '.join(addresses()) or 'none: this computer is in no network'}"
    yield f"jupyterhub {metadata.version('jupyterhub')}"
