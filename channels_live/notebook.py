"""Notebooks, taken apart: lessons, exercises, and the files that their cells write.

They are read as JSON. The library for notebooks takes a second to import, and checks what only
authors need to have checked.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from channels_live.workspace import NOTEBOOKS, SOLUTIONS

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
SOLUTION = "solution"  # tag of a cell that only those see who look at the solution
LAID_OUT = "laid-out"  # tag of a file's cell: the learner finds the file, but no cell with it
_NUMBERED = re.compile(r"[0-9]{2}_.*\.ipynb", re.S)
_LESSON_TITLE = re.compile(r"^# \d+ · (.+)", re.M)
_TASK_TITLE = re.compile(r"## (\d+\.\d+) · (.+)")
# The beginning of the line below a title; the number is derived from the metadata by `make build`.
MINUTES = re.compile(r"^\*\d+(?= minutes · )", re.M)
_KIND = re.compile(MINUTES.pattern + r" minutes · (\w+)\*$", re.M)
_WRITEFILE = re.compile(r"%%writefile\s+(?!-a\b)(\S+)\s*")


@dataclass
class Cell:
    """A cell: its kind ("code", "markdown" or "raw"), its text, and what else a notebook stores.

    id, metadata, outputs and execution_count are as in the file.
    """

    kind: str
    source: str
    id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    execution_count: int | None = None

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return self.metadata.get("tags", [])

    @property
    def is_solution(self) -> bool:
        """Whether it is only for those who look at the solution."""
        return SOLUTION in self.tags

    @property
    def is_for_learners(self) -> bool:
        """Whether it stands in exercises/ too."""
        return not self.is_solution and LAID_OUT not in self.tags


@dataclass
class Notebook:
    """A notebook's file, its cells and its metadata."""

    path: Path
    cells: list[Cell]
    metadata: dict[str, Any]

    @property
    def number(self) -> int:
        """The number of its lesson, which its name begins with."""
        return int(self.path.name[:2])

    @property
    def title(self) -> str:
        """The title of a lesson, without its number; made of the file's name where it has none."""
        match = _LESSON_TITLE.search("\n\n".join(cell.source for cell in self.cells))
        return match[1] if match else self.path.stem[3:].replace("_", " ").capitalize()

    @property
    def minutes(self) -> int:
        """How long a lesson takes; 0 where that is not known."""
        return self.metadata.get("minutes", 0)

    @property
    def code(self) -> list[Cell]:
        """Its code cells."""
        return [cell for cell in self.cells if cell.kind == "code"]

    @property
    def is_executed(self) -> bool:
        """Whether each of its code cells with something in it has been executed."""
        return all(cell.execution_count for cell in self.code if cell.source.strip())


@dataclass
class TaskCells:
    """An exercise as its notebook in solutions/ has it: a heading, and all cells up to the next."""

    number: str
    title: str
    cells: list[Cell]
    path: Path

    @property
    def minutes(self) -> int:
        """How long it takes."""
        return self.cells[0].metadata.get("minutes", 0)

    @property
    def kind(self) -> str:
        """What is to be done: "repair", "complete" or "build"; the line below its title says so."""
        match = _KIND.search(self.cells[0].source)
        return match[1] if match else ""


def read(path: Path) -> Notebook:
    """Return a notebook. Raises OSError or ValueError if it cannot be read, or is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = [_cell(cell) for cell in content["cells"]]
        return Notebook(path, cells, dict(content.get("metadata", {})))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is no notebook: {error!r}") from error


def _cell(stored: dict[str, Any]) -> Cell:
    return Cell(
        stored["cell_type"],
        "".join(stored["source"]),  # a text, or a list of lines
        stored.get("id", ""),
        dict(stored.get("metadata", {})),
        stored.get("outputs", []),
        stored.get("execution_count"),
    )


def lesson_paths(folder: Path | None = None) -> list[Path]:
    """Return the paths of a folder's numbered notebooks, in their order. None: of the lessons.

    Raises OSError if the folder is there and cannot be read, where `glob` finds nothing from Python
    3.13 on.
    """
    folder = folder or NOTEBOOKS
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir())
    return [folder / name for name in sorted(names) if _NUMBERED.fullmatch(name)]


def exercises_name(page: Path) -> str:
    """Return the name of a lesson's notebook of exercises. page: the lesson, or its solutions."""
    return f"{page.name[:2]}_exercises.ipynb"


def lesson_path(number: int) -> Path | None:
    """Return the path of a lesson's notebook, or None."""
    return next((path for path in lesson_paths() if path.name.startswith(f"{number:02}_")), None)


def lesson(path: Path) -> Notebook:
    """Return a lesson; one without cells where somebody has spoilt its file."""
    try:
        return read(path)
    except (OSError, ValueError):
        return Notebook(path, [], {})


@cache
def task_cells(path: Path) -> tuple[TaskCells, ...]:
    """Return the exercises of a notebook in solutions/. Raises OSError or ValueError as `read`."""
    return tasks_of(read(path))


def tasks_of(solutions: Notebook) -> tuple[TaskCells, ...]:
    """Return the exercises of a notebook of solutions/ that has been read."""
    cells = solutions.cells
    starts = [at for at, cell in enumerate(cells) if _TASK_TITLE.match(cell.source)]
    ends = [*starts[1:], len(cells)]
    return tuple(
        TaskCells(*_title(cells[start]), cells[start:end], solutions.path)
        for start, end in zip(starts, ends, strict=True)
    )


def _title(heading: Cell) -> tuple[str, str]:
    number, title = re.match(_TASK_TITLE, heading.source).groups()  # type: ignore[union-attr]
    return number, title


def solution_path(lesson_number: int) -> Path | None:
    """Return the path of the notebook with the solutions of a lesson, or None."""
    start = f"{lesson_number:02}_"
    return next((path for path in lesson_paths(SOLUTIONS) if path.name.startswith(start)), None)


def written_files(cells: Iterable[Cell]) -> Iterator[tuple[str, str]]:
    """Yield (path, text) for each `%%writefile` cell among these, in their order."""
    for cell in cells:
        if cell.kind == "code" and (written := written_file(cell.source)):
            yield written


def written_file(source: str) -> tuple[str, str] | None:
    """Return (path, text) of a `%%writefile` cell; None for another one."""
    head, _, text = source.partition("\n")
    match = _WRITEFILE.fullmatch(head)
    return (match[1], text if text.endswith("\n") else f"{text}\n") if match else None


def stripped(text: str) -> str:
    """Return a text with a place to write in for each solution in it.

    Raises ValueError if a BEGIN or an END is missing.
    """
    lines, inside = [], False
    for line in text.split("\n"):
        if is_marker(line):
            if inside == (BEGIN in line):
                raise ValueError(f"without its counterpart: {line.strip()}")
            inside = not inside
            if inside:
                lines.append(line.replace(BEGIN, "...  # your code here"))
        elif not inside:
            lines.append(line)
    if inside:
        raise ValueError(f"without its counterpart: {BEGIN}")
    return "\n".join(lines)


def is_marker(line: str) -> bool:
    """Tell whether a line begins or ends a solution."""
    return BEGIN in line or END in line
