"""One run of a command: its process, its record and its log, from the start to the end."""

import itertools
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from channels_live.record import Record, deadline
from channels_live.server import diagnosis, ports
from channels_live.server.asgi_servers import LISTENS
from channels_live.server.command import Command, programs
from channels_live.server.log import Follower, LogFile, plain
from channels_live.server.process import Process

_TAP = Path(__file__).parent.parent / "tap" / "site"
LAST_WORDS = 3.0  # seconds that those of a process that has ended may be on their way
LOOK = 0.05  # seconds between two looks at a log, which does not announce itself


class Run:
    """A command that runs in the background, from now on.

    command: what runs. folder: where. port: the one to use instead of the typed one.
    ready: a text in its output that shows it is ready; None: the tap tells.
    variables: those that it gets. remove: a folder to be deleted if this process dies meanwhile.

    Raises OSError if the program cannot be executed.
    """

    def __init__(
        self,
        command: Command,
        folder: Path,
        port: int | None,
        *,
        ready: str | None,
        variables: Mapping[str, str],
        remove: Path | None = None,
    ) -> None:
        self.command, self.folder, self.port, self._ready = command, folder, port, ready
        self.record = Record()
        try:
            self.log = LogFile()
        except BaseException:
            self.record.close()
            raise
        self._ready_text = _Sought(ready, self.log) if ready is not None else None
        self._listens = ready == LISTENS
        self.open_to: list[str] = []  # where other computers reach it, once it is ready
        self._seen = 0  # events that were there when it last got ready
        try:
            self.process = Process(
                command.argv(port),
                folder=folder,
                environment=self._environment(variables),
                log=self.log.descriptor,
                remove=remove,
                on_end=_teller(self.record),
            )
        except BaseException:
            self.record.close()
            raise
        finally:
            self.log.close_descriptor()

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        own_path = self.command.variables.get("PYTHONPATH") or variables.get("PYTHONPATH")
        python_path = [str(_TAP), *filter(None, [own_path])]
        environment = {
            **variables,
            **self.command.variables,
            "CHANNELS_LIVE_TAP": self.record.address,
            "PYTHONPATH": os.pathsep.join(python_path),
            "PYTHONUNBUFFERED": "1",  # or print() in a consumer stays invisible
            "PYTHONIOENCODING": "utf-8",
            "NO_COLOR": "1",
        }
        environment.pop("FORCE_COLOR", None)  # the kernel's, meant for cells
        if not self.command.in_terminal:  # or a file that a cell writes twice in a second is missed
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return environment

    @property
    def running(self) -> bool:
        """Whether the program runs."""
        return self.process.running

    def events(self) -> list[dict[str, Any]]:
        """Return what the tap has told so far."""
        with self.record.changed:
            return list(self.record.events)

    def plain(self, text: str) -> str:
        """Return a log as a learner should read it."""
        # Where any port will do, the log must not differ by it.
        typed = self.command.port if ports.any_will_do() else None
        return plain(text, self.folder, typed, self.port)

    def wait_until_ready(self, seconds: float) -> bool:
        """Return whether it got ready in so many seconds. Raises ServerError with what stopped it.

        Ready again, if it was ready before: runserver has started with other files.
        """
        left = deadline(seconds)
        while left():
            with self.record.changed:
                self.record.changed.wait_for(
                    lambda: self._happened("crash") or self._is_ready() or not self.running,
                    timeout=left() if self._ready_text is None else min(left(), LOOK),
                )
            if not self.running:
                self.record.wait_for_end(LAST_WORDS)
            if crash := self._happened("crash"):
                self._look_from_here()
                # runserver may not have printed this yet: it lives on and waits for a better file
                error = diagnosis.crashed(
                    crash, self.folder, self.command.port, **self._known(crash["trace"])
                )
                if error.raised == "ModuleNotFoundError" and (python := self._other_python()):
                    error.reason += f"\n{diagnosis.OWN_ENVIRONMENT.format(python)}"
                raise error
            if self._is_ready():
                self._make_sure()
                self._look_from_here()
                return True
            if not self.running:
                raise diagnosis.exited(
                    self._last_words(),
                    self.process.returncode,
                    self.command.port,
                    self.process.left_behind,
                    self.command.line,
                )
        return False

    def never_ready(self, seconds: float) -> diagnosis.ServerError:
        """Return the error of a run that was to be ready in so many seconds."""
        return diagnosis.never_ready(
            self._ready, self.command.port, seconds, self._last_words(), self.command.line
        )

    def wait_for_reloader(self, seconds: float) -> None:
        """Wait until runserver has seen all files, or mending one now would not be noticed."""
        with self.record.changed:
            self.record.changed.wait_for(lambda: self._happened("watching"), timeout=seconds)
        self._look_from_here()

    def wait_for_line(self, text: str, seconds: float) -> str | None:
        """Wait for a line of the log that has a text, and return it; None after so many seconds."""
        left, follower = deadline(seconds), Follower(self.log)
        while True:
            running = self.running
            new = self.plain(follower.lines())
            if line := next((line for line in new.splitlines() if text in line), None):
                return line
            if not left() or not (running or follower.more()):
                return None
            if not follower.more():
                with self.record.changed:
                    self.record.changed.wait(min(left(), LOOK))  # a log does not announce itself

    def end(self) -> None:
        """End the program and all that it has started, as Control-C would."""
        self.record.expect_end()
        self.process.stop()
        self.record.wait_for_end(LAST_WORDS)
        self.record.close()

    def _other_python(self) -> Path | None:
        """Return the Python of an environment in the project's folder that does not run here."""
        for file in self.folder.absolute().glob("*/pyvenv.cfg"):
            if not Path(self.command.program[0]).is_relative_to(file.parent):
                return programs(file.parent.relative_to(self.folder.absolute())) / "python"
        return None

    def _known(self, log: str) -> dict[str, Any]:
        return {"command": self.command.line, "log": self.plain(log) or self._last_words()}

    def _last_words(self) -> str:
        return self.plain(self.log.tail(2**16)[0]).rstrip()

    def _happened(self, kind: str) -> dict[str, Any] | None:
        new = itertools.islice(self.record.events, self._seen, None)
        return next((event for event in new if event["kind"] == kind), None)

    def _look_from_here(self) -> None:
        with self.record.changed:
            self._seen = len(self.record.events)

    def _is_ready(self) -> bool:
        if self._listens:
            pid = self.process.pid
            return bool(ports.listened_on(pid) or (self.port is None and ports.unix_sockets(pid)))
        if self._ready_text is not None:
            return self._ready_text.is_there()
        if self.command.reloads and not self._happened("watching"):
            return False  # or a change made right now would not be noticed
        return bool(self._happened("listening") or self._happened("ready"))

    def _make_sure(self) -> None:
        # whatever was typed or told: what counts is where it listens
        addresses = ports.listened_on(self.process.pid)
        if listening := self._happened("listening"):
            host = {"0.0.0.0": ports.LOOPBACK, "::": "::1"}.get(
                listening["host"], listening["host"]
            )
            with socket.create_connection((host, listening["port"]), timeout=5.0):
                pass
            self.port = listening["port"]  # port 0 asks for any
        self.open_to = [host for host, _ in addresses if not ports.is_loopback(host)]
        if self.open_to and not self.command.in_terminal:
            raise diagnosis.ServerError(ports.LISTENS_TO_OTHERS.format(self.open_to[0]))
        if self.port is None and len(addresses) == 1:
            self.port = addresses[0][1]
        self.record.settle()  # answered by the server's own event loop


def _teller(record: Record) -> Callable[[], None]:
    """Return what tells all that wait for a record. Not a method: a run would hold itself open."""

    def tell_end() -> None:
        with record.changed:
            record.changed.notify_all()

    return tell_end


class _Sought:
    """Whether a text stands in a log, of which each part is read once."""

    def __init__(self, text: str, log: LogFile) -> None:
        self._text, self._follower, self._end, self._seen = text, Follower(log), "", False

    def is_there(self) -> bool:
        while not self._seen and (new := self._follower.text()):
            self._seen = self._text in self._end + new
            self._end = (self._end + new)[-len(self._text) :]
        return self._seen
