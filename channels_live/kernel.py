"""This kernel: its servers, its lessons and their locks, and what goes on behind its cells."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from filelock import BaseFileLock

from channels_live import workspace
from channels_live.cells import Watch
from channels_live.locks import try_lock
from channels_live.notebook import Notebook
from channels_live.sends import SENDS
from channels_live.server import Server, command
from channels_live.server.broker import OwnBroker
from channels_live.server.network import Network
from channels_live.shell import shell
from channels_live.skipped import Skipped
from channels_live.stopped import say_stopped
from channels_live.timeline import Event, Timeline, Which
from channels_live.waits import Waits
from channels_live.workspace import LessonError

PATIENCE = 15.0  # seconds in which a server tells what it still has in hand
# of pytest in `!` cells: a site's tests need neither, and to import them takes longer than those
NO_PLUGINS = "-p no:nbval -p no:valkey"
MOST_COPIES = 100  # of a lesson, for notebooks that are at work in it at once


class Kernel:
    """What this process holds for as long as it lives. There is one, KERNEL.

    lessons: number → the working copy of a lesson that was made last.
    own_broker: the address in REDIS_URL, as it was before a lesson has set it; or None.
    """

    def __init__(self) -> None:
        self.lessons: dict[int, WorkingCopy] = {}
        self.own_broker = os.environ.get("REDIS_URL")
        self._servers: list[Server] = []  # of all working copies, which share the ports
        self._networks: list[Network] = []  # of all working copies
        self._claimed: dict[int, str] = {}  # number of a lesson → the name of its folder
        self._locks: list[BaseFileLock] = []  # on these folders, held until the kernel ends
        self._prepared = False
        self._cells: Watch | None = None
        self._skipped: Skipped | None = None

    def prepare(self, own_project: bool = False) -> None:
        """Let clients, and commands in `!` cells, behave the same for everybody.

        own_project: leave the variables that a project of the learner's own may read.
        """
        for name in ("no_proxy", "NO_PROXY"):
            hosts = [*filter(None, os.environ.get(name, "").split(",")), "127.0.0.1", "localhost"]
            os.environ[name] = ",".join(dict.fromkeys(hosts))
        folder = os.path.dirname(sys.executable)  # not resolved: a venv's Python is a link
        path = os.environ.get("PATH", "").split(os.pathsep)
        os.environ["PATH"] = os.pathsep.join(dict.fromkeys([folder, *path]))
        os.environ.update(
            PYTHONUNBUFFERED="1",
            PYTHONDONTWRITEBYTECODE="1",
            NO_COLOR="1",
            DJANGO_COLORS="nocolor",
            COLUMNS="80",
        )
        os.environ.pop("FORCE_COLOR", None)
        # of another project; or until a lesson sets them
        for name in ("DJANGO_SETTINGS_MODULE", "REDIS_URL", "CHANNEL_LAYER", "DJANGO_DEBUG"):
            if not own_project:
                os.environ.pop(name, None)
        options = os.environ.get("PYTEST_ADDOPTS", "")
        if not own_project and NO_PLUGINS not in options and shell():
            os.environ["PYTEST_ADDOPTS"] = f"{options} {NO_PLUGINS}".lstrip()
        if not self._prepared:
            self._prepared = True
            _listen_for_interrupts()
            _listen_to_clients()
            _say_what_waits()
            if ipython := shell():
                say_stopped(ipython, self._stopped_broker)
                self._skipped = Skipped(ipython)
            self._cells = Watch()

    def watch(self, folder: Path) -> None:
        """Let cells not spoil what a learner has written in a folder."""
        if self._cells:
            self._cells.add(folder)

    def begin(self, page: Notebook) -> None:
        """Say from now on where a cell of a lesson skips others that it needs."""
        if self._skipped:
            self._skipped.begin(page.code)

    def claim(self, number: int) -> Path:
        """Return the folder for a lesson that no other kernel uses, and hold it.

        Raises LessonError if there is none, OSError if the workspace cannot be written.
        """
        folder = workspace.workspace_folder()
        locks = folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        if number in self._claimed:
            claimed = folder / self._claimed[number]
            self._servers = [server for server in self._servers if server.folder != claimed]
            return claimed
        for copy in range(1, MOST_COPIES + 1):
            name = f"{number:02}" if copy == 1 else f"{number:02}-{copy}"
            if lock := try_lock(locks / f"{name}.lock"):
                self._claimed[number] = name
                self._locks.append(lock)
                return folder / name
        raise LessonError(f"A hundred notebooks are at work in lesson {number}. Close some.")

    def start(
        self, line: str, folder: Path, *, ready: str | None, fallback: bool, timeout: float
    ) -> Server:
        """Start a command in a folder. The arguments and errors are those of WorkingCopy.start."""
        if self.own_broker and command.starts_broker(line):
            return OwnBroker(line, folder, self.own_broker)
        port = None
        wanted = command.parse(line, folder).port
        # those that have ended are still part of the lesson's picture, until they are started again
        self._servers = [
            server
            for server in self._servers
            if server.running or (server.folder == folder and server.command != line)
        ]
        for server in filter(lambda server: server.running, self._servers):
            same = server.command == line and server.folder == folder
            if same or (wanted is not None and server.typed_port == wanted):
                if fallback:
                    server.stop()
                else:
                    port = server.port
        options: dict[str, Any] = {"ready": ready, "timeout": timeout, "port": port}
        server = Server(line, folder, fallback=fallback, **options)
        self._servers.append(server)
        print(f"Running: {line}")
        return server

    def network(self, server: Server) -> Network:
        """Make a network before a server, in place of the one that was there. Say so."""
        for network in self._networks:
            if network.server is server:
                network.end()
        network = Network(server)
        self._networks = [*(other for other in self._networks if other.running), network]
        print(f"A network leads to: {server.command}")
        return network

    def timeline(self, folder: Path, **options: Any) -> Timeline:
        """Return what happened on the servers of a folder. The options are those of Timeline."""
        servers = [server for server in self._servers if server.folder == folder]
        names = [command.parse(server.command, folder).name for server in servers]
        events: list[Event] = []
        for number, (server, name) in enumerate(zip(servers, names, strict=True), 1):
            if names.count(name) > 1:
                name += f" {names[:number].count(name)}"
            for event in server.events(PATIENCE):
                process = f"{number}.{event['process']}"
                events.append({**event, "process": process, "server": name})
        return Timeline(SENDS.annotated(events), **options)

    def _stopped_broker(self) -> str | None:
        """Return the command of a broker that has been stopped, unless one runs; or None."""
        brokers = [server for server in self._servers if command.starts_broker(server.command)]
        if not brokers or any(broker.running for broker in brokers):
            return None
        return brokers[-1].command

    def stop(self, folder: Path) -> None:
        """Stop every server that was started in a folder and still runs, and the networks there."""
        for network in self._networks:
            if network.server.folder == folder:
                network.end()
        for server in self._servers:
            if server.running and server.folder == folder:
                server.stop()


class WorkingCopy:
    """A project folder in which servers are started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:  # shown where a cell ends with it
        return f"<{type(self).__name__} in {workspace.shown(self.folder)}>"

    def start(
        self,
        command: str,
        *,
        ready: str | None = None,
        fallback: bool = True,
        timeout: float = 30.0,
    ) -> Server:
        """Start what one would type in a terminal, in the background. Return its Server.

        command: the line as typed, for example "daphne -p 8000 myproject.asgi:application".
        ready: a text in its output that shows it is ready. None, for daphne, runserver, runworker
            and a broker: it is known.
        fallback: whether to take the port from a server of this notebook that has it (which is
            stopped), or a free one where another program has it. False: fail, as a terminal would.
        timeout: how long it may take, in seconds.

        Where REDIS_URL was set when the notebook began, a command that starts a broker is not run,
        and that broker is used instead.

        Raises ServerError with the reason and the last lines of the log if the command does not
        get ready.
        """
        return KERNEL.start(command, self.folder, ready=ready, fallback=fallback, timeout=timeout)

    def network(self, server: Server) -> Network:
        """Put a network before a server, which can be broken on purpose. Return it.

        Clients that connect to its `ws(path)`, in place of the server's, go through it.
        """
        return KERNEL.network(server)

    def timeline(
        self, client: Which = None, consumer: str | None = None, threads: bool = False
    ) -> Timeline:
        """Return what happened on all servers that run here, in one picture.

        The arguments are those of `Server.timeline`.
        """
        return KERNEL.timeline(self.folder, client=client, consumer=consumer, threads=threads)

    def stop(self) -> None:
        """Stop every server that was started here and still runs."""
        KERNEL.stop(self.folder)


def _listen_for_interrupts() -> None:
    """Let the notebook's interrupt button end a cell that awaits, at once.

    The kernel sees an interrupt only when its event loop wakes up, so wake it twice a second.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # not in a notebook

    def tick() -> None:
        loop.call_later(0.5, tick)

    tick()


def _listen_to_clients() -> None:
    """Note in which order clients send, and in which variables they are."""
    SENDS.listen()
    if ipython := shell():
        SENDS.variables = ipython.user_ns
        ipython.events.register("pre_run_cell", SENDS.begin_cell)
        ipython.events.register("post_run_cell", SENDS.give_names)


def _say_what_waits() -> None:
    """Say it in the output of a cell that waits for long."""
    if ipython := shell():
        waits = Waits(ipython.user_global_ns)
        ipython.events.register("pre_run_cell", waits.begin_cell)
        ipython.events.register("post_run_cell", waits.end_cell)


KERNEL = Kernel()
