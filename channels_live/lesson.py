"""`Lesson(5)`: lays out the learner's working copy and makes it the current folder."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path

import nbformat
from filelock import FileLock, Timeout

from channels_live import broker
from channels_live.server import Command, Server

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample_project"
NOTEBOOKS = ROOT / "notebooks"
_MANIFEST = ".channels_live.json"  # what Lesson laid out: path → digest
_MADE_BY_PROGRAMS = {"__pycache__", "db.sqlite3", "db.sqlite3-journal", ".ipynb_checkpoints"}
_locks = {}  # number → the lock on its folder that this kernel holds
_ticking = False
_lessons = {}  # number → the lesson of this kernel


class LessonError(Exception):
    """A lesson cannot be laid out."""

    def _render_traceback_(self):
        return [f"LessonError: {self}"]


class Lesson:
    """A working copy of the sample project, as it is when a lesson begins.

    number: the number of the lesson; 0 is the finished site.

    The copy lies in `workspace/NN` and becomes the current folder. Making the lesson again makes
    it afresh. What was changed there by hand is first moved to `workspace/kept`; where another
    kernel is at work in the folder, a second one is made beside it.

    Raises LessonError if there is no such lesson or the workspace cannot be written.
    """

    def __init__(self, number):
        layers = _layers(number)
        workspace = workspace_folder()
        if number in _lessons:
            _lessons[number].stop()
        _prepare_environment()
        try:
            self.folder = _claim(workspace, number)
            os.chdir(workspace)  # some systems cannot replace the current folder
            kept = _clear(self.folder, workspace, number)
            _lay_out(self.folder, layers)
        except OSError as error:
            raise LessonError(
                f"The working copy cannot be written: {error}. "
                "Mend that, or name another folder in CHANNELS_LIVE_WORKSPACE."
            ) from error
        os.chdir(self.folder)
        _listen_for_interrupts()
        self.number = number
        self._servers = []
        _lessons[number] = self
        shown = self.folder.relative_to(workspace.parent).as_posix()
        if self.folder.name != f"{number:02}":
            print(f"Another notebook is at work in lesson {number}, so this one uses {shown}.")
        if kept:
            folder, files = kept
            print(f"You had changed {', '.join(files)}.")
            print(f"It is kept in {folder.relative_to(workspace.parent).as_posix()}.")
        print(f"Lesson {number}: your files are in {shown}")

    def start(self, command, *, ready=None, fallback=True, timeout=30.0):
        """Start what one would type in a terminal, in the background. Return its Server.

        command: the line as typed, for example "daphne -p 8000 myproject.asgi:application".
        ready: a text in its output that shows it is ready. None, for daphne, runserver, runworker
            and a broker: it is known.
        fallback: whether to take the port from a server of this lesson that has it (which is
            stopped), or a free one where another program has it. False: fail, as a terminal would.
        timeout: how long it may take, in seconds.

        Where REDIS_URL was set when the notebook began, a command that starts a broker is not run,
        and that broker is used instead.

        Raises ServerError with the reason and the last lines of the log if the command does not
        get ready.
        """
        if broker.own_address and broker.starts_broker(command):
            return broker.OwnBroker(command)
        port = None
        wanted = Command(command).port
        for server in self._servers:
            same_port = wanted is not None and server.typed_port == wanted
            if server.running and (server.command == command or same_port):
                if fallback:
                    server.stop()
                else:
                    port = server.port
        server = Server(
            command, self.folder, ready=ready, fallback=fallback, timeout=timeout, port=port
        )
        self._servers.append(server)
        print(f"Running: {command}")
        return server

    def stop(self):
        """Stop every server of this lesson that still runs."""
        for server in self._servers:
            if server.running:
                server.stop()


def workspace_folder():
    """Return the folder of the learner's own files: $CHANNELS_LIVE_WORKSPACE or `workspace`."""
    # not relative to the current folder, which changes with every lesson
    return Path(ROOT, os.environ.get("CHANNELS_LIVE_WORKSPACE") or "workspace").resolve()


def notebook_of(number):
    """Return the path of a lesson's notebook, or None."""
    return next(iter(sorted(NOTEBOOKS.glob(f"{number:02}_*.ipynb"))), None)


def written_files(notebook):
    """Yield (path, text) for each `%%writefile` cell of a notebook, in their order."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        head, _, text = cell.source.partition("\n")
        if match := re.fullmatch(r"%%writefile\s+(?!-a\b)(\S+)\s*", head):
            yield match[1], text if text.endswith("\n") else f"{text}\n"


def copy_project(source, target):
    """Copy a project's files over what is in the target, without what programs made there."""
    ignore = shutil.ignore_patterns(*_MADE_BY_PROGRAMS)
    shutil.copytree(source, target, ignore=ignore, dirs_exist_ok=True)


def _layers(number):
    numbers = sorted(int(path.name[:2]) for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if type(number) is not int or number not in numbers:  # 5.0 would make another folder
        raise LessonError(
            f"There is no lesson {number!r}. The lessons are {numbers[0]} to {numbers[-1]}."
        )
    if number == 0:
        return [SAMPLE / "finished"]
    steps = [SAMPLE / "steps" / f"{step:02}" for step in range(1, number)]
    return [SAMPLE / "start", *(step for step in steps if step.is_dir())]


def _prepare_environment():
    """Let clients, and commands in `!` cells, behave the same for everybody."""
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
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)  # of another project
    for name in ("REDIS_URL", "CHANNEL_LAYER"):  # until a lesson sets them, layers are in memory
        os.environ.pop(name, None)


def _listen_for_interrupts():
    """Let the notebook's interrupt button end a cell that awaits, at once.

    The kernel sees an interrupt only when its event loop wakes up, so wake it twice a second.
    """
    global _ticking
    if _ticking:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # not in a notebook
    _ticking = True

    def tick():
        loop.call_later(0.5, tick)

    tick()


def _claim(workspace, number):
    """Return the folder for this lesson that no other kernel uses, and hold it."""
    locks = workspace / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    if number in _locks:
        return workspace / _locks[number]
    for copy in range(1, 100):
        name = f"{number:02}" if copy == 1 else f"{number:02}-{copy}"
        lock = FileLock(locks / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _locks[number], _locks[name] = name, lock  # held until the kernel ends
        return workspace / name
    raise LessonError(f"A hundred notebooks are at work in lesson {number}. Close some of them.")


def _clear(folder, workspace, number):
    """Make way for a new copy. Return (where the old one is kept, what was changed) or None."""
    if not folder.exists():
        return None
    changed = _changed_files(folder, number)
    if not changed:
        shutil.rmtree(folder)
        return None
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    for count in range(1, 1000):
        kept = workspace / "kept" / (f"{folder.name}-{stamp}" + (f"-{count}" if count > 1 else ""))
        if not kept.exists():
            break
    kept.parent.mkdir(exist_ok=True)
    folder.rename(kept)
    return kept, changed


def _changed_files(folder, number):
    """Return the files whose content stands nowhere else: not laid out, not in the notebook."""
    try:
        known = dict(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        known = {}
    notebook = notebook_of(number)
    cells = {(path, _digest(text.encode())) for path, text in written_files(notebook)}
    changed = []
    for path in _files(folder):
        digest = _digest((folder / path).read_bytes())
        if known.get(path) != digest and (path, digest) not in cells:
            changed.append(path)
    return changed


def _files(folder):
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not _MADE_BY_PROGRAMS & set(name.parts) and path.name != _MANIFEST:
            yield name.as_posix()


def _lay_out(folder, layers):
    for layer in layers:
        copy_project(layer, folder)
    manifest = {path: _digest((folder / path).read_bytes()) for path in _files(folder)}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _digest(content):
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
