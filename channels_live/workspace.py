"""Where a learner's files are: laid out, and compared with what was laid out."""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from channels_live.trouble import in_words

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS, SOLUTIONS, EXERCISES = ROOT / "notebooks", ROOT / "solutions", ROOT / "exercises"
CLINIC = ROOT / "clinic"  # errors that no lesson shows
SAMPLE = ROOT / "sample_project"
_OURS = ".channels_live."  # the names of our own files begin so
_MANIFEST = f"{_OURS}json"  # what was laid out: path → digest
_SIGNATURE = f"{_OURS}db"  # of the databases, as a notebook's cells have left them
_DATABASES = tuple(f"db.sqlite3{end}" for end in ("", "-journal", "-wal", "-shm"))
_CACHES = ("__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".coverage")
_MADE_BY_PROGRAMS = {*_CACHES, ".nginx.conf", *_DATABASES}
# below a project's own `run`, and nothing else there: it might be a learner's
_LEFT_IN_RUN = re.compile(r"run/(?:static|logs|\w+_temp)/.*|run/[\w.-]+\.(?:pem|pid|log)", re.S)


class LessonError(Exception):
    """A lesson or an exercise is not there, or cannot be laid out."""

    def _render_traceback_(self) -> list[str]:
        # In a notebook the message is what helps; our own frames would hide it.
        return [f"LessonError: {self}"]


def workspace_folder() -> Path:
    """Return the folder of the learner's own files: $CHANNELS_LIVE_WORKSPACE or `workspace`."""
    # not relative to the current folder, which changes with every lesson
    named = os.environ.get("CHANNELS_LIVE_WORKSPACE") or "workspace"
    return Path(os.path.realpath(Path(ROOT, os.path.expanduser(named))))  # a link may go in circles


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

    Raises OSError if a file cannot be read or written.
    """
    target.mkdir(parents=True, exist_ok=True)
    seen = set()  # a link may lead back to where it is
    for name, folders, files in os.walk(source, onerror=_fail, followlinks=True):
        folder, real = Path(name), os.path.realpath(name)
        folders[:] = [inner for inner in folders if inner not in _MADE_BY_PROGRAMS]
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        within = target / folder.relative_to(source)
        within.mkdir(exist_ok=True)
        for file in files:
            # no devices, no pipes, no editor's mark that a file is open
            made = _is_made_by_programs((folder / file).relative_to(source))
            if not made and (folder / file).is_file():
                _copy(folder / file, within / file)


def _fail(error: OSError) -> None:
    raise error


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    # what may run still may; what may not be written, as in an installation for all, may here
    target.chmod(source.stat().st_mode & 0o777 | 0o200)


def project_before(lesson: int, sample: Path = SAMPLE) -> list[Path]:
    """Return the folders that, laid over each other, are the project when a lesson begins."""
    steps = [sample / "steps" / f"{step:02}" for step in range(1, lesson)]
    return [sample / "start", *(step for step in steps if step.is_dir())]


def lay_out(folder: Path, layers: Iterable[Path], files: Iterable[tuple[str, str]] = ()) -> None:
    """Make a working copy where none is, all of it or nothing.

    layers: folders laid over each other. files: pairs of path and text, laid over them.

    Raises OSError if that cannot be written, or something is there.
    """
    new = laid_out_beside(folder, layers, files)
    new.rename(folder)


def laid_out_beside(
    folder: Path, layers: Iterable[Path], files: Iterable[tuple[str, str]] = ()
) -> Path:
    """Return a new working copy that only needs to be renamed. Arguments and errors: of lay_out.

    What an earlier call has left half done is removed, so no two may work at once.
    """
    new = folder.with_name(f".{folder.name}.new")
    try:
        if new.exists():
            shutil.rmtree(new)
        new.mkdir(parents=True)
        for layer in layers:
            copy_project(layer, new)
        for path, text in files:
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_bytes(text.encode())
        _write_manifest(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return new


def overwrite(file: Path, text: str, *, private: bool = False) -> None:
    """Put a text in the place of what a file holds, all of it or nothing.

    private: nobody else may ever read it, and there need be no such file yet. Raises OSError if it
    cannot be written.
    """
    new = file.with_name(f"{_OURS}{file.name}.new")
    try:
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(text, encoding="utf-8")
        if not private:
            shutil.copymode(file, new)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def complete(
    folder: Path, layers: Iterable[Path], files: Iterable[tuple[str, str]] = ()
) -> list[str]:
    """Mend a working copy that was laid out by half: nothing is known of what was laid out there.

    What is missing, or breaks off, is laid out; what else is there stays. Return the paths of the
    files that were mended. Arguments and errors: of lay_out.
    """
    whole = laid_out_beside(folder, layers, files)
    mended = []
    for path in project_files(whole):
        old, new = folder / path, (whole / path).read_bytes()
        there = old.read_bytes() if old.is_file() else None
        if there is None or (there != new and new.startswith(there)):
            old.parent.mkdir(parents=True, exist_ok=True)
            (whole / path).replace(old)
            mended.append(path)
    (whole / _MANIFEST).replace(folder / _MANIFEST)  # last: until then, it is half done
    shutil.rmtree(whole, ignore_errors=True)
    return mended


def is_laid_out(folder: Path) -> bool:
    """Tell whether it is known what was laid out in a folder."""
    return bool(_manifest(folder))


def changed_files(folder: Path) -> list[str]:
    """Return the paths of the files in a working copy that are not as they were laid out."""
    manifest = _manifest(folder)
    return [
        path for path in project_files(folder) if manifest.get(path) != digest_of(folder / path)
    ]


def missing_files(folder: Path) -> list[str]:
    """Return the paths of the files that were laid out and are gone."""
    return sorted(_manifest(folder).keys() - set(project_files(folder)))


def unsigned_databases(folder: Path) -> list[str]:
    """Return the paths of a folder's databases, unless it was its cells that wrote them last."""
    if not (stamps := database_stamps(folder)):
        return []
    try:
        signed = (folder / _SIGNATURE).read_text(encoding="utf-8") == str(stamps)
    except (OSError, ValueError):
        signed = False
    return [] if signed else list(stamps)


def database_stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what tells whether a folder's databases were written: path → size, time of change."""
    stamps = {}
    for name in _DATABASES:
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            stamps[name] = (status.st_size, status.st_mtime_ns)
    return stamps


def sign_databases(folder: Path, stamps: dict[str, tuple[int, int]]) -> None:
    """Remember that a folder's databases are as its cells have left them.

    stamps: as of database_stamps. Raises OSError if that cannot be written.
    """
    (folder / _SIGNATURE).write_text(str(stamps), encoding="utf-8")


def laid_out_digest(file: Path) -> str | None:
    """Return the digest of a file as it was laid out, or None where it was not."""
    for folder in file.parents:
        if (folder / _MANIFEST).is_file():
            return _manifest(folder).get(file.relative_to(folder).as_posix())
    return None


def digest(content: bytes) -> str:
    """Return what tells a file's content from another; ends of lines do not count."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _write_manifest(folder: Path) -> None:
    manifest = {path: digest_of(folder / path) for path in project_files(folder)}
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _manifest(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return {}


def project_files(folder: Path) -> Iterator[str]:
    """Yield the paths of a project's files, from its folder on, without what programs made."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        ours = _is_made_by_programs(name) or path.name.startswith(_OURS)
        if path.is_file() and not ours:
            yield name.as_posix()


def _is_made_by_programs(path: Path) -> bool:
    """Tell whether a file is a program's, which nobody misses. path: within the project."""
    return bool(_MADE_BY_PROGRAMS & set(path.parts) or _LEFT_IN_RUN.fullmatch(path.as_posix()))


def digest_of(file: Path) -> str:
    """Return the digest of what a file holds. Raises OSError if it cannot be read."""
    return digest(file.read_bytes())
