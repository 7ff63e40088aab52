"""A learner's copy of a project: laid out, changed by hand, kept; servers run in it."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path

from IPython import get_ipython

from channels_live import broker
from channels_live.server import Command, Server

ROOT = Path(__file__).resolve().parent.parent
_MANIFEST = ".channels_live.json"  # what was laid out: path → digest
_MADE_BY_PROGRAMS = {"__pycache__", "db.sqlite3", "db.sqlite3-journal", ".ipynb_checkpoints"}
_prepared = False
_servers = []  # of all working copies of this kernel, which share the ports


class LessonError(Exception):
    """A lesson cannot be laid out."""

    def _render_traceback_(self):
        return [f"LessonError: {self}"]


class WorkingCopy:
    """A project folder in which servers are started."""

    def __init__(self, folder):
        self.folder = folder

    def start(self, command, *, ready=None, fallback=True, timeout=30.0):
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
        if broker.own_address and broker.starts_broker(command):
            return broker.OwnBroker(command)
        port = None
        wanted = Command(command).port
        for server in _servers:
            same = server.command == command and server.folder == self.folder
            same_port = wanted is not None and server.typed_port == wanted
            if server.running and (same or same_port):
                if fallback:
                    server.stop()
                else:
                    port = server.port
        server = Server(
            command, self.folder, ready=ready, fallback=fallback, timeout=timeout, port=port
        )
        _servers.append(server)
        print(f"Running: {command}")
        return server

    def stop(self):
        """Stop every server that was started here and still runs."""
        for server in _servers:
            if server.running and server.folder == self.folder:
                server.stop()


def workspace_folder():
    """Return the folder of the learner's own files: $CHANNELS_LIVE_WORKSPACE or `workspace`."""
    # not relative to the current folder, which changes with every lesson
    return Path(ROOT, os.environ.get("CHANNELS_LIVE_WORKSPACE") or "workspace").resolve()


def copy_project(source, target):
    """Copy a project's files over what is in the target, without what programs made there."""
    shutil.copytree(
        source,
        target,
        ignore=shutil.ignore_patterns(*_MADE_BY_PROGRAMS),
        ignore_dangling_symlinks=True,  # an editor's marks that a file is open
        dirs_exist_ok=True,
    )


@contextlib.contextmanager
def writing():
    """Raise LessonError where the workspace cannot be written."""
    try:
        yield
    except OSError as error:
        raise LessonError(
            f"The working copy cannot be written: {error}. "
            "Mend that, or name another folder in CHANNELS_LIVE_WORKSPACE."
        ) from error


def prepare_kernel():
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
    global _prepared
    if not _prepared:
        _prepared = True
        _listen_for_interrupts()
        _watch_written_files()


def _listen_for_interrupts():
    """Let the notebook's interrupt button end a cell that awaits, at once.

    The kernel sees an interrupt only when its event loop wakes up, so wake it twice a second.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # not in a notebook

    def tick():
        loop.call_later(0.5, tick)

    tick()


def _watch_written_files():
    """Keep what a learner has written in an editor, when a `%%writefile` cell would replace it."""
    shell = get_ipython()
    if shell is None:
        return
    from_cells = {}

    def keep(info):
        for path, text in written_text(info.raw_cell):
            file = Path(path).resolve()
            old = _digest(file.read_bytes()) if file.is_file() else None
            if old not in (None, from_cells.get(file), _digest(text.encode()), _laid_out(file)):
                kept = room_in_kept(file.stem, file.suffix)
                shutil.copy(file, kept)
                print(f"The {path} that was there before is kept in {_shown(kept)}.")
            from_cells[file] = _digest(text.encode())

    shell.events.register("pre_run_cell", keep)


def written_text(source):
    """Yield (path, text) of a `%%writefile` cell; nothing for another cell."""
    head, _, text = source.partition("\n")
    if match := re.fullmatch(r"%%writefile\s+(?!-a\b)(\S+)\s*", head):
        yield match[1], text if text.endswith("\n") else f"{text}\n"


def _laid_out(file):
    """Return the digest of a file as it was laid out, or None."""
    for folder in file.parents:
        if (folder / _MANIFEST).is_file():
            return _manifest(folder).get(file.relative_to(folder).as_posix())
    return None


def clear(folder, cells):
    """Make way for a new copy; return where the old one is kept, in words, or None.

    cells: pairs of path and text that stand in a notebook, and so need not be kept.
    """
    if not folder.exists():
        return None
    known = {(path, _digest(text.encode())) for path, text in cells}
    changed = [path for path in changed_files(folder) if (path, _of(folder, path)) not in known]
    if not changed:
        shutil.rmtree(folder)
        return None
    kept = room_in_kept(folder.name)
    folder.rename(kept)
    return f"You had changed {', '.join(changed)}.\nIt is kept in {_shown(kept)}."


def room_in_kept(stem, suffix=""):
    """Return a free path in `workspace/kept`; between stem and suffix of its name is the time."""
    folder = workspace_folder() / "kept"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    for count in itertools.count(1):
        path = folder / (f"{stem}-{stamp}" + (f"-{count}" if count > 1 else "") + suffix)
        if not path.exists():
            return path


def _shown(path):
    """Return a path in the workspace as the learner sees it."""
    return path.relative_to(workspace_folder().parent).as_posix()


def changed_files(folder):
    """Return the paths of the files in a working copy that are not as they were laid out."""
    known = _manifest(folder)
    return [path for path in _files(folder) if known.get(path) != _of(folder, path)]


def missing_files(folder):
    """Return the paths of the files that were laid out and are gone."""
    return sorted(_manifest(folder).keys() - set(_files(folder)))


def _manifest(folder):
    try:
        return dict(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return {}


def _files(folder):
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not _MADE_BY_PROGRAMS & set(name.parts) and path.name != _MANIFEST:
            yield name.as_posix()


def lay_out(folder, layers, files=()):
    """Make a working copy: layers, folders laid over each other; then files, path and text."""
    for layer in layers:
        copy_project(layer, folder)
    for path, text in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())
    manifest = {path: _of(folder, path) for path in _files(folder)}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _of(folder, path):
    return _digest((folder / path).read_bytes())


def _digest(content):
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
