"""Who has a port: a server that the course has started, for which lesson, and in which kernel."""

import contextlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import psutil

from channels_live.server import ports
from channels_live.server.command import Command
from channels_live.server.process import START, STOP_LIMIT
from channels_live.workspace import workspace_folder


class Holder(NamedTuple):
    """A server of the course that has a port.

    keeper: its keeper, a process. owner: the number of the process that has started it, such as a
    kernel. folder: where it runs.
    """

    keeper: psutil.Process
    owner: int
    folder: Path

    @property
    def name(self) -> str:
        """What it belongs to, in words."""
        with contextlib.suppress(ValueError):
            inner = self.folder.relative_to(workspace_folder()).as_posix()
            if lesson := re.fullmatch(r"(\d\d)(?:-\d+)?", inner):
                return f"lesson {int(lesson[1])}"
            if exercise := re.fullmatch(r"exercises/\d\d/([\d.]+)", inner):
                return f"exercise {exercise[1]}"
        return f"the project in {self.folder}"

    @property
    def may_end(self) -> bool:
        """Whether it is another notebook's, of the same learner."""
        return self.owner != os.getpid() and self.folder.is_relative_to(workspace_folder())

    def end(self) -> None:
        """Ask its keeper to end it, and wait until that is gone."""
        with contextlib.suppress(psutil.Error):
            self.keeper.terminate()
            self.keeper.wait(STOP_LIMIT)


def holder_of(port: int) -> Holder | None:
    """Return who has a port; None: nobody, or a program that the course has not started.

    What counts is which processes there are now, so nothing that was written down can be stale.
    """
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ValueError, IndexError):  # others', or just ended
            words = process.cmdline()
            owner = int(words[words.index(START) + 2])
            if port in [listened for _, listened in ports.listened_on(process.pid)]:
                return Holder(process, owner, Path(process.cwd()))
    return None


def who_has(port: int) -> str:
    """Return in words who has a port that is taken."""
    holder = holder_of(port)
    if holder is None:
        return "another program"
    return holder.name if holder.owner == os.getpid() else f"{holder.name}, in another notebook"


def free_port_for(command: Command, wanted: int, taken: bool = False) -> int:
    """Return the port that a server gets, and say so where it is not the one that it wants.

    A server of another notebook of this learner that has it is ended. taken: it is known to be.
    """
    if not taken and (ports.any_will_do() or ports.is_free(wanted, command.host)):
        return wanted
    holder = holder_of(wanted)
    if not taken and holder and holder.may_end:
        holder.end()
        print(f"Port {wanted} was taken by {holder.name}, in another notebook: that is ended now.")
        if ports.is_free(wanted, command.host):
            return wanted
    return ports.another(wanted, command.host, command.scheme, who_has(wanted))
