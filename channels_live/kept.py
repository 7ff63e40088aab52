"""What a learner wrote, before something else takes its place: all that goes to `kept`."""

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Iterable
from datetime import datetime
from glob import escape
from pathlib import Path

from channels_live.workspace import (
    changed_files,
    digest,
    digest_of,
    is_laid_out,
    laid_out_beside,
    shown,
    unsigned_databases,
    workspace_folder,
)

MOST_NAMES = 10  # of files, in a message
Known = set[tuple[str, str]]  # path and digest of what need not be kept


def lay_out_again(
    folder: Path,
    layers: Iterable[Path],
    files: Iterable[tuple[str, str]] = (),
    cells: Iterable[tuple[str, str]] = (),
) -> None:
    """Make a working copy, all of it or nothing; keep what is there, and print where.

    layers, files: as of workspace.lay_out. cells: as of clear. Raises OSError if it cannot be
    written: then all is as before, or what was there is where this has printed.
    """
    new = laid_out_beside(folder, layers, files)
    if kept := clear(folder, cells):
        print(kept, flush=True)  # before anything else can fail
    new.rename(folder)


def clear(folder: Path, cells: Iterable[tuple[str, str]]) -> str | None:
    """Make way for a new copy; return where the old one is kept, in words, or None.

    cells: pairs of path and text that stand in a notebook, and so need not be kept.
    """
    aside, gone = (folder.with_name(f".{folder.name}.{end}") for end in ("old", "gone"))
    known = {(path, digest(text.encode())) for path, text in cells}
    said: list[str] = []
    _remove(aside, gone, folder.name, known, said)  # of a call that was ended there
    if os.path.lexists(folder):
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        if _is_empty(folder):
            folder.rmdir()
        elif why := _why_keep(folder, known):
            said.append(f"{why}\nIt is kept in {shown(move_to_kept(folder))}.")
        else:
            folder.rename(aside)  # at once: a half would look like somebody's work
            _remove(aside, gone, folder.name, known, said)
    return "\n".join(said) or None


def _remove(aside: Path, gone: Path, name: str, known: Known, said: list[str]) -> None:
    """Remove what was put aside, unless an editor has been quicker."""
    if gone.exists():
        shutil.rmtree(gone)
    if os.path.lexists(aside):
        if why := _why_keep(aside, known):
            said.append(f"{why}\nIt is kept in {shown(move_to_kept(aside, name))}.")
        else:
            aside.rename(gone)  # of which nothing is looked at again, however little is left
            shutil.rmtree(gone)


def _is_empty(folder: Path) -> bool:
    return not folder.is_symlink() and not any(folder.iterdir())


def _why_keep(folder: Path, known: Known) -> str:
    """Say what in a folder nobody else could bring back; nothing if there is nothing."""
    if folder.is_symlink() or not is_laid_out(folder):
        return f"What was in {folder.name} is not known to be the course's."
    changed = [
        path for path in changed_files(folder) if (path, digest_of(folder / path)) not in known
    ]
    more = f" and {len(changed) - MOST_NAMES} more" if len(changed) > MOST_NAMES else ""
    said = [f"You had changed {', '.join(changed[:MOST_NAMES])}{more}."] if changed else []
    if databases := unsigned_databases(folder):
        said.append(f"Your site had stored something in {', '.join(databases)}.")
    return " ".join(said)


def move_to_kept(path: Path, name: str | None = None) -> Path:
    """Move a file or a folder to `workspace/kept`, and return where it is. Raises OSError.

    name: what its name there begins with, if not its own.
    """
    while True:
        is_file = path.is_file()
        kept = room_in_kept(*((path.stem, path.suffix) if is_file else (name or path.name,)))
        try:
            path.rename(kept)
            return kept
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # somebody else has taken it
                raise


def room_in_kept(stem: str, suffix: str = "", within: str = "") -> Path:
    """Return a free path in `workspace/kept`; between stem and suffix of its name is the time.

    within: a folder in `kept`.
    """
    folder = workspace_folder() / "kept" / within
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    names = (f"{stem}-{stamp}" + (f"-{count}" if count > 1 else "") for count in itertools.count(1))
    return next(path for name in names if not (path := folder / (name + suffix)).exists())


def keep_text(file: Path, content: bytes, within: str = "") -> Path:
    """Keep what a file holds, or held, unless it is kept already. Return where it is.

    within: a folder in `kept`. Raises OSError if it cannot be written.
    """
    name = f"{escape(file.stem)}-20*{escape(file.suffix)}"
    for pattern in (f"right/*/*/**/{escape(file.name)}", name, f"*/{name}"):
        for path in (workspace_folder() / "kept").glob(pattern):
            if path.is_file() and path.read_bytes() == content:
                return path
    while True:
        kept = room_in_kept(file.stem, file.suffix, within)
        with contextlib.suppress(FileExistsError):  # somebody else has taken it
            _write(kept, content)
            return kept


def keep_right(number: str, files: dict[str, bytes]) -> Path:
    """Keep the files of an exercise that was judged right, unless they are. Return their folder.

    number: of the exercise. files: path → content. Raises OSError if they cannot be written.
    """
    for earlier in right_versions(number):
        if all(holds(earlier / path, content) for path, content in files.items()):
            return earlier
    kept = room_in_kept("right", within=f"right/{number}")
    new = kept.with_name(f".{kept.name}.new")
    try:
        for path, content in files.items():
            _write(new / path, content)
        new.rename(kept)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return kept


def right_versions(number: str) -> list[Path]:
    """Return the folders with what was judged right of an exercise, the newest first."""
    return sorted((workspace_folder() / "kept/right" / number).glob("right-*"), reverse=True)


def keep_outcome(number: str, outcome: str) -> None:
    """Keep what the last check of an exercise said, a text. Raises OSError if it cannot be written.

    A hint may come from another process: after the kernel was restarted, or in a terminal.
    """
    file = _outcome_file(number)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(outcome, encoding="utf-8")


def last_outcome(number: str) -> str:
    """Return what the last check of an exercise said, or "" if that is not known."""
    try:
        return _outcome_file(number).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _outcome_file(number: str) -> Path:
    return workspace_folder() / ".found" / f"{number}.txt"


def holds(file: Path, content: bytes) -> bool:
    """Tell whether a file is there and holds just this."""
    try:
        return file.is_file() and file.read_bytes() == content
    except OSError:
        return False


def _write(file: Path, content: bytes) -> None:
    """Write a new file, or none: half of it would pass for the whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as new:
        try:
            new.write(content)
            new.flush()
        except BaseException:
            file.unlink(missing_ok=True)
            raise
