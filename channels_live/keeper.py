"""Runs one program, and ends all that came of it when its owner is gone or says so.

    python -I -S -c START FOLDER OWNER REMOVE PROGRAM ARGUMENT…   (START: see process.py)

OWNER: the pid of the process that starts this one. REMOVE: a folder to delete if the owner is gone
at the end, or an empty word. stdin: any byte asks to end, and so does its end. stdout: two lines,
`pid PID` (or `error ERRNO`: the program cannot be executed) and, once nothing is left of it,
`end RETURNCODE LEFT_BEHIND`. stderr: the log, which the program gets as its stdout and stderr.

A process of its own, because the owner may be killed, and the program may hang, be stopped, or be
no Python at all. It imports nothing of ours and little else: every start waits for it.
"""

# without the enums of `signal`, which take a third of the start
import _signal as signal  # type: ignore[import-not-found]
import os
import select
import sys
import time

GRACE = 1.0  # seconds between a polite end and a hard one
LINGER = 0.1  # seconds in which what a program leaves behind may still end by itself
TICK = 0.05  # seconds between two looks at what does not announce itself
SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36  # of Linux's prctl


def main() -> None:
    """Keep the program that the command line names, and end when nothing is left of it."""
    owner, folder, *command = sys.argv[1:]
    keep = keep_on_windows if os.name == "nt" else Keeper(int(owner)).keep
    owner_is_gone = keep(command)
    if folder and owner_is_gone:
        import shutil

        os.chdir(os.sep)  # Windows does not delete where somebody is
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # there is nothing to tidy up, and somebody waits


def tell(line: str) -> None:
    """Say a line to the owner, if there is one."""
    try:
        os.write(1, f"{line}\n".encode())
    except OSError:
        pass  # the owner is gone


class Keeper:
    """The keeper where there are process groups."""

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.family: set[int] = set()  # pids of what came of the program and has not ended
        self.status: int | None = None  # how the program itself ended
        self.signals, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # what counts is the byte in the pipe
        try:  # stdin may stay open: a fork of the owner has it too
            self.owner_ends = [os.pidfd_open(owner)]
        except (AttributeError, OSError):
            self.owner_ends = []
        try:
            from ctypes import CDLL

            self.prctl = CDLL(None).prctl
        except (ImportError, AttributeError):  # not Linux
            self.prctl = lambda *_: -1  # type: ignore[assignment]
        self.adopts = self.prctl(SET_CHILD_SUBREAPER, 1) == 0  # what loses its parent

    def keep(self, command: list[str]) -> bool:
        """Run the program until nothing is left of it. Return whether the owner is gone."""
        try:
            self.program = self.start(command)
        except OSError as error:
            tell(f"error {error.errno}")
            return False
        tell(f"pid {self.program}")
        asked = gone = False
        while self.status is None and not asked and not gone:
            asked, gone = self.listen()
            self.reap()
        left_behind = 0
        if asked or gone:  # Control-C in a terminal; what is stopped hears it when it goes on
            self.send(signal.SIGINT, signal.SIGCONT)
        elif self.remains(LINGER):
            self.send(signal.SIGTERM, signal.SIGCONT)
            left_behind = len(self.family)
        self.remains(GRACE)
        while self.remains(0) and self.send(signal.SIGKILL):
            self.remains(TICK)  # and what it has started meanwhile
        status = -signal.SIGKILL if self.status is None else self.status
        tell(f"end {status} {left_behind}")
        return gone or os.getppid() != self.owner

    def start(self, command: list[str]) -> int:
        """Execute the program in a session of its own and return its pid, or raise OSError."""
        keeper = os.getpid()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                for number in range(1, signal.NSIG):  # Python ignores some, a shell others
                    if signal.getsignal(number) == signal.SIG_IGN:
                        signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, [])
                self.prctl(SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == keeper:
                    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                    os.dup2(2, 1)
                    os.execvp(command[0], command)
            except OSError as error:
                os.write(write, str(error.errno).encode())
            finally:
                os._exit(127)
        os.close(write)
        refused = os.read(read, 16)  # nothing, as soon as the program has taken over
        os.close(read)
        if refused:
            raise OSError(int(refused), "")
        return pid

    def listen(self) -> tuple[bool, bool]:
        """Wait until something happens. Return whether to end, and whether the owner is gone."""
        wait = None if self.owner_ends else 5 * TICK
        ready, *_ = select.select([0, self.signals, *self.owner_ends], [], [], wait)
        asked = self.signals in ready and {*os.read(self.signals, 512)} != {signal.SIGCHLD}
        gone = os.getppid() != self.owner
        if 0 in ready:
            word = os.read(0, 512)
            asked, gone = asked or bool(word), gone or not word
        return asked, gone

    def remains(self, seconds: float) -> bool:
        """Return whether something of the family is left after so many seconds, at the most."""
        end = time.monotonic() + seconds
        while alive := self.is_alive():
            left = end - time.monotonic()
            if left <= 0:
                break
            wait = left if self.adopts else min(left, TICK)  # only children announce their end
            if select.select([self.signals], [], [], wait)[0]:
                os.read(self.signals, 512)
        return alive

    def is_alive(self) -> bool:
        """Return whether something of the family is left."""
        children = self.reap()
        return children if self.adopts else any(map(exists, [-self.program, *self.family]))

    def reap(self) -> bool:
        """Take in how children have ended. Return whether others are left."""
        try:
            while (dead := os.waitpid(-1, os.WNOHANG))[0]:
                if dead[0] == self.program:
                    self.status = os.waitstatus_to_exitcode(dead[1])
        except ChildProcessError:
            return False
        return True

    def send(self, *signals: int) -> bool:
        """Send signals to the family. Return whether they were allowed, if only in part."""
        known = self.look()
        # a group at once, so that nobody is missed who is just being forked
        groups = {pid: known[pid][1] for pid in self.family}
        targets = {-self.program if groups[pid] == self.program else pid for pid in groups}
        refused = set()
        for number in signals:
            for target in targets:
                try:
                    os.kill(target, number)
                except PermissionError:
                    refused.add(target)  # it runs as another user, as below sudo
                except ProcessLookupError:
                    pass  # it has just ended
        return not targets or refused != targets

    def look(self) -> dict[int, tuple[int, int]]:
        """Find the family among all processes, and return these."""
        known, me = processes(), os.getpid()
        # who loses its parent becomes a child of this process; elsewhere it may be in the group
        self.family = set() if self.adopts else self.family & known.keys()
        more = {
            pid
            for pid, (parent, group) in known.items()
            if parent == me or (group == self.program and not self.adopts)
        }
        while more - self.family:
            self.family |= more
            more = {pid for pid, (parent, _) in known.items() if parent in more}
        return known


def exists(target: int) -> bool:
    """Return whether there is such a process, or such a group."""
    try:
        os.kill(target, 0)
    except OSError:
        return False
    return True


def processes() -> dict[int, tuple[int, int]]:
    """Return the parent and the group of every process, by its pid."""
    if sys.platform != "linux":
        import subprocess

        command = ["ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid="]
        ps = subprocess.Popen(command, stdout=subprocess.PIPE)
        rows = [tuple(map(int, line.split())) for line in ps.communicate()[0].splitlines()]
        return {pid: (parent, group) for pid, parent, group in rows if pid != ps.pid}
    known = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                # a name may have blanks and parentheses: PID (NAME) STATE PARENT GROUP …
                words = file.read().rpartition(b")")[2].split()
        except OSError:
            continue  # it has just ended
        known[int(pid)] = int(words[1]), int(words[2])
    return known


def keep_on_windows(command: list[str]) -> bool:
    """Do what Keeper.keep does, where there are no process groups."""
    import subprocess
    import threading

    try:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=2,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        tell(f"error {error.errno}")
        return False
    tell(f"pid {program.pid}")
    words = []

    def obey() -> None:
        words.append(os.read(0, 512))
        program.send_signal(signal.CTRL_BREAK_EVENT)
        try:
            program.wait(GRACE)
        except subprocess.TimeoutExpired:
            kill = ["taskkill", "/T", "/F", "/PID", str(program.pid)]
            subprocess.run(kill, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    threading.Thread(target=obey, daemon=True).start()
    tell(f"end {program.wait()} 0")
    return words == [b""]
