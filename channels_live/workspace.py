"""Where a learner's files are: laid out, compared with what was laid out, and kept."""

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from channels_live.trouble import in_words

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS, SOLUTIONS, EXERCISES = ROOT / "notebooks", ROOT / "solutions", ROOT / "exercises"
SAMPLE = ROOT / "sample_project"
_MANIFEST = ".channels_live.json"  # what was laid out: path → digest
_MADE_BY_PROGRAMS = {"__pycache__", "db.sqlite3", "db.sqlite3-journal", ".ipynb_checkpoints"}


class LessonError(Exception):
    """A lesson or an exercise is not there, or cannot be laid out."""

    def _render_traceback_(self) -> list[str]:
        # In a notebook the message is what helps; our own frames would hide it.
        return [f"LessonError: {self}"]


def workspace_folder() -> Path:
    """Return the folder of the learner's own files: $CHANNELS_LIVE_WORKSPACE or `workspace`."""
    # not relative to the current folder, which changes with every lesson
    named = os.environ.get("CHANNELS_LIVE_WORKSPACE") or "workspace"
    return Path(ROOT, os.path.expanduser(named)).resolve()


def shown(path: Path) -> str:
    """Return a path in the workspace as the learner sees it."""
    return path.relative_to(workspace_folder().parent).as_posix()


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Raise LessonError where the workspace cannot be written."""
    try:
        yield
    except OSError as error:
        raise LessonError(
            f"The working copy cannot be written: {in_words(error)} "
            "Mend that, or name another folder in CHANNELS_LIVE_WORKSPACE."
        ) from error


@contextlib.contextmanager
def in_our_words() -> Iterator[None]:
    """Raise LessonError where the system refuses something; `writing` tells more of its own."""
    try:
        yield
    except OSError as error:
        raise LessonError(in_words(error)) from error


def copy_project(source: Path, target: Path) -> None:
    """Copy a project's files over what is in the target, without what programs made there.

    Only what can be read to its end: no devices, no pipes, no links that lead back up. The copy can
    be written, also where an installation for many can only be read. Raises OSError.
    """
    _copy(source, target, above=())


def _copy(source: Path, target: Path, above: tuple[Path, ...]) -> None:
    if (real := source.resolve()) in above:
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        if path.name in _MADE_BY_PROGRAMS:
            continue
        if path.is_dir():
            _copy(path, target / path.name, (*above, real))
        elif path.is_file():
            shutil.copyfile(path, target / path.name)
            (target / path.name).chmod(path.stat().st_mode | stat.S_IRUSR | stat.S_IWUSR)


def project_before(lesson: int, sample: Path = SAMPLE) -> list[Path]:
    """Return the folders that, laid over each other, are the project when a lesson begins."""
    steps = [sample / "steps" / f"{step:02}" for step in range(1, lesson)]
    return [sample / "start", *(step for step in steps if step.is_dir())]


def lay_out(folder: Path, layers: Iterable[Path], files: Iterable[tuple[str, str]] = ()) -> None:
    """Make a working copy: layers, folders laid over each other; then files, path and text."""
    for layer in layers:
        copy_project(layer, folder)
    for path, text in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())
    manifest = {path: _digest_of(folder, path) for path in project_files(folder)}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def clear(folder: Path, cells: Iterable[tuple[str, str]]) -> str | None:
    """Make way for a new copy; return where the old one is kept, in words, or None.

    cells: pairs of path and text that stand in a notebook, and so need not be kept.
    """
    if not folder.exists():
        return None
    known = {(path, digest(text.encode())) for path, text in cells}
    changed = [
        path for path in changed_files(folder) if (path, _digest_of(folder, path)) not in known
    ]
    if not changed:
        shutil.rmtree(folder)
        return None
    kept = room_in_kept(folder.name)
    folder.rename(kept)
    return f"You had changed {', '.join(changed)}.\nIt is kept in {shown(kept)}."


def room_in_kept(stem: str, suffix: str = "") -> Path:
    """Return a free path in `workspace/kept`; between stem and suffix of its name is the time."""
    folder = workspace_folder() / "kept"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    names = (f"{stem}-{stamp}" + (f"-{count}" if count > 1 else "") for count in itertools.count(1))
    return next(path for name in names if not (path := folder / (name + suffix)).exists())


def changed_files(folder: Path) -> list[str]:
    """Return the paths of the files in a working copy that are not as they were laid out."""
    manifest = _manifest(folder)
    return [
        path for path in project_files(folder) if manifest.get(path) != _digest_of(folder, path)
    ]


def missing_files(folder: Path) -> list[str]:
    """Return the paths of the files that were laid out and are gone."""
    return sorted(_manifest(folder).keys() - set(project_files(folder)))


def laid_out_digest(file: Path) -> str | None:
    """Return the digest of a file as it was laid out, or None where it was not."""
    for folder in file.parents:
        if (folder / _MANIFEST).is_file():
            return _manifest(folder).get(file.relative_to(folder).as_posix())
    return None


def digest(content: bytes) -> str:
    """Return what tells a file's content from another; ends of lines do not count."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _manifest(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return {}


def project_files(folder: Path) -> Iterator[str]:
    """Yield the paths of a project's files, from its folder on, without what programs made."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not _MADE_BY_PROGRAMS & set(name.parts) and path.name != _MANIFEST:
            yield name.as_posix()


def _digest_of(folder: Path, path: str) -> str:
    return digest((folder / path).read_bytes())
