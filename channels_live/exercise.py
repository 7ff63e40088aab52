"""`Exercise("5.1")`: lays out a task, checks it, gives hints, shows our solution, starts again."""

import os
import re
from functools import cache
from importlib import import_module

import nbformat

from channels_live.checks import NotYet, Site, shown
from channels_live.lesson import project_before, written_files_of
from channels_live.outcome import Outcome, Text
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT, Progress
from channels_live.working_copy import (
    ROOT,
    LessonError,
    WorkingCopy,
    changed_files,
    clear,
    lay_out,
    missing_files,
    prepare_kernel,
    workspace_folder,
    writing,
)

SOLUTIONS = ROOT / "solutions"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LAID_OUT = "laid-out"  # tag of a file's cell: the learner finds the file, but no cell with it
_HEADING = re.compile(r"## (\d+\.\d+) · (.+)")


class Task:
    """An exercise as its notebook in solutions/ has it.

    heading: the cell that begins it. cells: that one, and all up to the next.
    """

    def __init__(self, heading, cells, notebook):
        self.number, self.title = _HEADING.match(heading.source).groups()
        self.lesson = int(self.number.partition(".")[0])
        self.minutes = heading.metadata.get("minutes")
        self.cells = cells
        self.notebook = notebook

    @property
    def checks(self):
        """The module with its check and its hints."""
        return import_module(f"channels_live.checks.lesson_{self.lesson:02}")

    @property
    def hints(self):
        """What a learner is told, one text after the other."""
        return self.checks.HINTS[self.number]

    @property
    def folder(self):
        """The learner's files, a path."""
        return self.folder_in(workspace_folder())

    def folder_in(self, workspace):
        """Return where the files are in a workspace, a path."""
        return workspace / "exercises" / f"{self.lesson:02}" / self.number

    def files(self, solved=False):
        """Yield (path, text) of the files that it begins with, or that our solution leaves."""
        for path, text in written_files_of(
            cell for cell in self.cells if solved or not is_solution(cell)
        ):
            folder, _, inner = path.partition("/")
            if folder != self.number:
                raise ValueError(f"{self.notebook.name}: {path} is not in {self.number}/")
            yield inner, text if solved else stripped(text)

    def judge(self, folder):
        """Check somebody's work and return the Outcome. Nothing in the folder is changed.

        folder: the project, a path.
        """
        if not folder.is_dir():
            return self._outcome(NOT_ATTEMPTED, {"so far": "no files are laid out"})
        try:
            if not (changed_files(folder) or missing_files(folder)):
                so_far = {"so far": "the files are as they were laid out"}
                return self._outcome(NOT_ATTEMPTED, so_far)
            with Site(folder) as site:
                return self._outcome(*self._try(site))
        except OSError as error:
            return self._outcome(NOT_YET, {"the files cannot be read": shown(str(error))})

    def _try(self, site):
        try:
            getattr(self.checks, f"check_{self.number.replace('.', '_')}")(site)
        except NotYet as problem:
            return NOT_YET, problem.details | site.trouble()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            return NOT_YET, {"the check met": said} | site.trouble()
        return RIGHT, {}

    def _outcome(self, state, details):
        advice = {"stuck?": "`hint()` gives a hint; after it, another one"}
        if state == RIGHT:
            advice = {"compare": "`solution()` shows how we did it, and what else would do"}
            if following := next_task(self):
                advice["next"] = f"{following.number} · {following.title}"
        return Outcome(self.number, state, details, advice)

    def more_hints(self, solution="solution()"):
        """Return the hints so far, one more each time: a Text. solution: what shows that."""
        most = len(self.hints)
        shown = Progress().add_hint(self.number, most)
        lines = [f"Hint {at} of {most}: {hint}" for at, hint in enumerate(self.hints[:shown], 1)]
        if shown == most:
            lines.append(f"That was the last hint. {solution} shows how we did it.")
        return Text("\n".join(lines), "\n\n".join(lines))

    def solution(self):
        """Return our solution: its files, and why. A Text."""
        parts = []
        for cell in self.cells:
            if is_solution(cell) and cell.cell_type == "markdown":
                parts.append(cell.source)
            elif is_solution(cell) or BEGIN in cell.source:
                for path, text in written_files_of([cell]):
                    lines = [line for line in text.rstrip().split("\n") if not _is_marker(line)]
                    code = "\n".join(lines)
                    parts.append(f"`{path}`:\n\n```{os.path.splitext(path)[1][1:]}\n{code}\n```")
        return Text("\n\n".join(parts))


class Exercise(WorkingCopy):
    """An exercise, with the learner's own files in `workspace/exercises`.

    number: such as "5.1".

    The first time, the project is laid out; after that, the files stay as the learner has left
    them. The folder of the lesson's exercises becomes the current one.

    Raises LessonError if there is no such exercise or the workspace cannot be written.
    """

    def __init__(self, number):
        self._task = task(number)
        super().__init__(self._task.folder)
        prepare_kernel()
        with writing():
            if not self.folder.exists():
                self._lay_out()
            os.chdir(self.folder.parent)
        shown = self.folder.relative_to(workspace_folder().parent).as_posix()
        print(f"Exercise {number}: your files are in {shown}")

    def check(self):
        """Serve the files as they are now, try them, and return the Outcome."""
        outcome = self._task.judge(self.folder)
        Progress().set_state(self._task.number, outcome.state)
        return outcome

    def hint(self):
        """Return the hints so far, and one more each time."""
        return self._task.more_hints()

    def solution(self):
        """Return our solution: its files, and why. The learner's files stay as they are."""
        return self._task.solution()

    def reset(self):
        """Lay the project out again. What the learner had changed is kept, and it says where."""
        self.stop()
        with writing():
            kept = clear(self.folder, self._task.files())
            self._lay_out()
        print(
            *filter(None, [kept, f"Exercise {self._task.number} is as at its beginning."]), sep="\n"
        )

    def _lay_out(self):
        lay_out(self.folder, project_before(self._task.lesson + 1), self._task.files())
        Progress().set_state(self._task.number, NOT_ATTEMPTED)


def tasks():
    """Return every Task, in order."""
    return list(_tasks().values())


def task(number):
    """Return the Task with this number, such as "5.1". Raises LessonError if there is none."""
    try:
        return _tasks()[str(number)]
    except KeyError:
        raise LessonError(
            f"There is no exercise {number!r}. The exercises are {', '.join(_tasks())}."
        ) from None


def next_task(task):
    """Return the Task after this one, or None."""
    following = tasks()
    return next(iter(following[following.index(task) + 1 :]), None)


def is_solution(cell):
    """Tell whether a cell is only for those who look at the solution."""
    return "solution" in tags(cell)


def tags(cell):
    """Return the tags of a cell, a list."""
    return cell.metadata.get("tags", [])


def stripped(text):
    """Return a text with a place to write in for each solution in it.

    Raises ValueError if a BEGIN or an END is missing.
    """
    lines, inside = [], False
    for line in text.split("\n"):
        if _is_marker(line):
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


def _is_marker(line):
    return BEGIN in line or END in line


@cache
def _tasks():
    found = {}
    for path in sorted(SOLUTIONS.glob("[0-9][0-9]_*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        starts = [at for at, cell in enumerate(cells) if _HEADING.match(cell.source)]
        for start, end in zip(starts, [*starts[1:], len(cells)], strict=True):
            one = Task(cells[start], cells[start:end], path)
            found[one.number] = one
    return found
