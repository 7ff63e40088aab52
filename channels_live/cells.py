"""What a notebook's cells do to the learner's files: nothing that was written there gets lost."""

import contextlib
import os
import re
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path

from channels_live import copies, kept, notebook, workspace
from channels_live.shell import shell
from channels_live.workspace import LessonError

# What is looked after while a cell runs: a learner's project, not all that may lie in it.
LARGEST, MOST_FILES = 1_000_000, 1_000  # bytes of a file, files of a project
Stamps = dict[str, tuple[int, int]]


class Watch:
    """Watches the cells of a kernel. Where there are none, as in a script, it does nothing."""

    def __init__(self) -> None:
        self._folders: set[Path] = set()
        self._from_cells: dict[Path, str] = {}  # digest of what a cell has written there last
        # While a cell runs: the databases as they were, where no learner has touched them,
        # and what is in files that are not as the course has them.
        self._databases: dict[Path, Stamps] = {}
        self._written: dict[Path, bytes] = {}
        self._owed: list[tuple[Path, bytes]] = []  # what could not be kept yet
        self._safe: dict[Path, tuple[int, int]] = {}  # stamps of files that need no looking after
        if ipython := shell():
            ipython.events.register("pre_run_cell", lambda *_: self._before())
            ipython.events.register("post_run_cell", lambda *_: self._after())
            original = ipython.find_cell_magic("writefile")
            ipython.register_magic_function(self._writefile(original), "cell", "writefile")

    def add(self, folder: Path) -> None:
        """Look after a project from now on. What was in its folder is kept, or as it was."""
        self._folders.add(folder)
        self._written = {
            file: content
            for file, content in self._written.items()
            if not file.is_relative_to(folder)
        }
        self._remember_databases(folder)

    def _writefile(self, original: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def writefile(line: str, cell: str) -> None:
            options = original.parser.parse_argstring(line)  # type: ignore[attr-defined]
            # as the original reads it
            name = re.sub(r"""^(['"])(.*)\1$""", r"\2", options.filename)
            self._must_be_here(name)
            file, new = Path(name).expanduser().resolve(), workspace.digest(cell.encode())
            old = file.read_bytes() if file.is_file() else None
            if old is not None and not options.append and workspace.digest(old) != new:
                self._keep(file, name, old)
            if old is None or options.append or not _overwritten(file, cell):
                original(line, cell)
            else:
                print(f"Overwriting {os.path.expanduser(name)}")  # as the original says it
            if options.append:
                self._from_cells.pop(file, None)
            else:
                self._from_cells[file] = new
            self._written.pop(file, None)

        return writefile

    def _must_be_here(self, name: str) -> None:
        """Raise LessonError, and say why, if there is no folder for a file."""
        within = Path(name).expanduser().parent
        if within.is_dir():
            return
        places = [place for own in sorted(self._folders) for place in (own, own.parent)]
        if place := next((place for place in places if (place / within).is_dir()), None):
            raise LessonError(
                f"There is no folder for {name} here: what was begun last in this "
                f"notebook has a folder of its own. Run `%cd {place}`, and this cell again."
            )
        first = within.parts[0]
        if re.fullmatch(r"\d+\.\d+", first) and not Path(first).is_dir():
            raise LessonError(
                f"There is no folder {first} here. The first cell of that exercise makes it: "
                f'`Exercise("{first}")`. Run that, and this cell again.'
            )
        raise LessonError(f"There is no folder {within} here. Perhaps a cell above makes it.")

    def _keep(self, file: Path, name: str, content: bytes) -> None:
        """Keep what a file holds, before or after something else has taken its place.

        name: of the file, as the learner knows it. Raises LessonError if it cannot be kept.
        """
        if self._is_ours(file, content):
            return
        from_cell = self._from_cells.get(file) == workspace.digest(content)
        try:
            place = kept.keep_text(file, content, "cells" if from_cell else "")
        except OSError as error:
            raise LessonError(
                f"What was in {name} before this cell could not be kept: {error}."
            ) from error
        was_right = workspace.workspace_folder() / "kept/right" in place.parents
        if was_right or not from_cell:  # of each version of a cell, one need not be told
            right = ", which was right," if was_right else ""
            print(f"The {name} that was there before{right} is kept in {workspace.shown(place)}.")

    def _is_ours(self, file: Path, content: bytes) -> bool:
        """Tell whether it is the course that has written something, so that it is there anyway."""
        digest = workspace.digest(content)
        if not content or digest == workspace.laid_out_digest(file):
            return True
        try:
            first = file.relative_to(workspace.workspace_folder()).parts
        except ValueError:
            return False
        number = first[1] if first[0] == "exercises" else first[0]
        return number[:2].isdecimal() and digest in _texts(int(number[:2]))

    def _before(self) -> None:
        self._databases.clear()
        self._written.clear()
        for folder in self._folders:
            self._remember_databases(folder)
            for path in islice(workspace.project_files(folder), MOST_FILES):
                with contextlib.suppress(OSError):
                    self._look_at(folder / path)

    def _remember_databases(self, folder: Path) -> None:
        if not workspace.unsigned_databases(folder):
            self._databases[folder] = workspace.database_stamps(folder)

    def _look_at(self, file: Path) -> None:
        stamp = _stamp(file)
        if self._safe.get(file) == stamp or stamp[0] > LARGEST:
            return
        content = file.read_bytes()
        if self._is_ours(file, content):
            self._safe[file] = stamp
        else:
            self._written[file] = content

    def _after(self) -> None:
        """Keep what a cell has spoilt, and sign the databases that it has written."""
        spoilt = [item for item in self._written.items() if not kept.holds(*item)]
        self._written.clear()
        owed, self._owed = [*self._owed, *spoilt], []
        for file, content in owed:
            try:
                self._keep(file, file.name, content)
            except LessonError as error:
                self._owed.append((file, content))
                print(f"{error}\nIt will be tried after each cell of this notebook.")
        for folder, before in self._databases.items():
            after = workspace.database_stamps(folder)
            if after and after != before:
                with contextlib.suppress(OSError):  # it counts as the learner's, then
                    workspace.sign_databases(folder, after)
        self._databases.clear()


def _overwritten(file: Path, text: str) -> bool:
    """Replace a file as a whole; return False where only the file itself may be written."""
    try:
        workspace.overwrite(file, text)
    except PermissionError:
        return False
    return True


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@cache
def _texts(lesson: int) -> frozenset[str]:
    """Return the digests of all texts that the cells of a lesson and of its exercises write."""
    paths = [
        path for folder in copies.ORIGINALS.values() for path in folder.glob(f"{lesson:02}_*.ipynb")
    ]
    return frozenset(
        workspace.digest(text.encode())
        for path in paths
        for _, text in notebook.written_files(notebook.lesson(path).cells)
    )
