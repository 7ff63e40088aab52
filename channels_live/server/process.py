"""A program behind its keeper (see `keeper.py`): what its owner knows of it, and how to end it."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from channels_live import keeper

START = "import sys; sys.path.append(sys.argv.pop(1)); import keeper; keeper.main()"
# imported, not run as a script, which would be compiled each time
KEEPER = [sys.executable, "-I", "-S", "-c", START, str(Path(keeper.__file__).parent)]
STOP_LIMIT = 3.0  # seconds that a keeper has to end everything
OPTIONS: dict[str, Any] = (  # so that neither Jupyter's interrupt nor a terminal's end reaches it
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if os.name == "nt"
    else {"start_new_session": True}
)

_processes: "weakref.WeakSet[Process]" = weakref.WeakSet()
_changing = threading.RLock()  # held while descriptors come or go, and during a fork


class Process:
    """A program that runs in the background.

    It ends with its owner, which is the process that makes this, and so does all that came of it.

    argv: the program and its arguments.
    folder: where it runs.
    environment: all of its variables.
    log: the file descriptor that it gets as its stdout and stderr.
    remove: a folder to delete if the owner is gone before the program.
    on_end: called without arguments, in another thread, when nothing is left of the program.

    `pid` is its number. Once nothing is left of it, `returncode` is its exit status, negative if a
    signal has ended it; before that it is None. `left_behind` is then how many processes lived on
    after the program itself had ended, and had to be ended: some, if it went into the background.

    Raises OSError, such as FileNotFoundError, if the program cannot be executed.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: int,
        remove: Path | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self.left_behind = 0
        self._on_end = on_end
        self._error = errno.ECHILD  # unless the keeper tells another
        self._started, self._ended = threading.Event(), threading.Event()
        self._owner = os.getpid()
        removed = str(remove.absolute()) if remove else ""
        with _changing:
            stdin, ask = os.pipe()
            answer, stdout = os.pipe()
            self._pipes = [ask, answer]
            _processes.add(self)
            try:
                self._keeper = subprocess.Popen(
                    [*KEEPER, str(self._owner), removed, *argv],
                    cwd=folder,
                    env=environment,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=log,
                    **OPTIONS,
                )
            except BaseException:
                self._close()
                raise
            finally:
                os.close(stdin)
                os.close(stdout)
        try:
            threading.Thread(target=self._follow, name="process", daemon=True).start()
            self._started.wait()
        except BaseException:  # such as an interrupt of the cell
            self.stop()
            raise
        if not self.pid:
            self._ended.wait()
            raise OSError(self._error, os.strerror(self._error), argv[0])

    @property
    def running(self) -> bool:
        """Whether anything is left of it."""
        return not self._ended.is_set()

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until nothing is left of it, and return `returncode`.

        timeout: how long at most, in seconds. None is returned if it then still runs.
        """
        self._ended.wait(timeout)
        return self.returncode

    def stop(self) -> None:
        """End it and all that came of it, and wait for that, for `STOP_LIMIT` and a little more.

        First it is asked to, as by Control-C in a terminal, and a second later it is killed.
        """
        if os.getpid() != self._owner:
            return  # a fork has no say in it
        with _changing, contextlib.suppress(OSError):
            if self._pipes:
                os.write(self._pipes[0], b"\n")
        if not self._ended.wait(STOP_LIMIT):
            self._kill(self._keeper.pid)
            self._ended.wait(1.0)

    def _follow(self) -> None:
        status: int | None = None
        with open(self._pipes[1], closefd=False) as answer:
            for line in answer:
                match line.split():
                    case ["pid", pid]:
                        self.pid = int(pid)
                    case ["error", number]:
                        self._error = int(number)
                    case ["end", number, left_behind]:
                        status, self.left_behind = int(number), int(left_behind)
                self._started.set()
        self._keeper.wait()
        if self.pid and status is None:  # somebody has killed the keeper
            self._kill(self.pid)
        self.returncode = -9 if status is None else status
        with _changing:
            self._close()
        self._ended.set()
        self._started.set()
        if self._on_end and self.pid:
            self._on_end()

    def _kill(self, head: int) -> None:
        """Kill a process and all below it, and the program's group: what a keeper would do."""
        import psutil

        with contextlib.suppress(psutil.Error):
            process = psutil.Process(head)
            for doomed in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    doomed.kill()
        if self.pid and hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def _close(self) -> None:
        while self._pipes:
            os.close(self._pipes.pop())


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout: float,
    remove: Path | None = None,
) -> tuple[int, str]:
    """Run a program to its end. Return its exit status and what it has printed.

    timeout: how long it may take, in seconds. The other arguments are those of `Process`.

    Raises OSError if it cannot be executed, and TimeoutError, when it has been ended, if it takes
    longer.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = Process(
            argv, folder=folder, environment=environment, log=log.fileno(), remove=remove
        )
        try:
            status = process.wait(timeout)
        finally:
            process.stop()
        if status is None:
            raise TimeoutError(f"{argv[0]} has not ended within {timeout:g} seconds")
        log.seek(0)
        return status, log.read()


def _let_go() -> None:
    """Close in a fork what belongs to its parent: else a keeper could not tell that it is gone."""
    for process in _processes:
        process._close()
    _changing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_let_go
    )
