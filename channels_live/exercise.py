"""`Exercise("5.1")`: lays out a task, checks it, gives hints, shows our solution, starts again."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

from channels_live import class_line, copies, editions, kept, notebook, trouble, work, workspace
from channels_live.checks import NotYet, Site
from channels_live.checks.hints import in_order
from channels_live.kernel import KERNEL, WorkingCopy
from channels_live.notebook import Notebook, TaskCells
from channels_live.outcome import Outcome, Text
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT, Progress
from channels_live.server import ServerError
from channels_live.workspace import LessonError

ENDED_BY_EXCEPTION = re.compile(
    r"HTTP 500\b|close 1011\b|nothing\b|no c(?:all|lose)\b|an exception\b"
)
FILES_ARE_WRITTEN = "a cell writes its file only when you run it, and an editor when you save"


class Task:
    """An exercise, whoever does it.

    page: its cells in solutions/. number, title, minutes: of it. lesson: the number of its lesson.
    """

    def __init__(self, page: TaskCells) -> None:
        self.page = page
        self.number, self.title, self.minutes = page.number, page.title, page.minutes
        self.lesson = int(self.number.partition(".")[0])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)

    @cached_property
    def checks(self) -> ModuleType:
        """The module with its check and its hints."""
        return import_module(f"channels_live.checks.lesson_{self.lesson:02}")

    @property
    def hints(self) -> list[str]:
        """What a learner is told, one text after the other."""
        return self.checks.HINTS[self.number]

    @property
    def name(self) -> str:
        """The variable that its page keeps it in."""
        return f"ex{self.number.partition('.')[2]}"

    @property
    def folder(self) -> Path:
        """The learner's files, a path."""
        return self.folder_in(workspace.workspace_folder())

    def folder_in(self, workspace: Path) -> Path:
        """Return where the files are in a workspace, a path."""
        return editions.exercise_folder(workspace, self.number)

    def files(self, solved: bool = False) -> Iterator[tuple[str, str]]:
        """Yield (path, text) of the files that it begins with, or that our solution leaves.

        Raises ValueError if a cell writes outside its folder.
        """
        cells = (cell for cell in self.page.cells if solved or not cell.is_solution)
        for path, text in notebook.written_files(cells):
            folder, _, inner = path.partition("/")
            if folder != self.number:
                raise ValueError(f"{self.page.path.name}: {path} is not in {self.number}/")
            yield inner, text if solved else notebook.stripped(text)

    def judge(self, folder: Path) -> Outcome:
        """Check somebody's work and return the Outcome. Nothing in the folder is changed.

        folder: the project, a path. Raises LessonError where it cannot be judged, which is not the
        fault of the files: the disk is full, for example.
        """
        if not folder.is_dir():
            return self._outcome(NOT_ATTEMPTED, {"so far": "no files are laid out"})
        try:
            if not (workspace.changed_files(folder) or workspace.missing_files(folder)):
                so_far = {"so far": "the files are as they were laid out"}
                return self._outcome(NOT_ATTEMPTED, so_far)
            with Site(folder) as site:
                return self._outcome(*self._try(site))
        except (OSError, ServerError) as error:
            if cause := trouble.of_the_computer(error):
                raise LessonError(
                    f"Exercise {self.number} was not judged. {trouble.in_words(cause)}\n"
                    f"Your files are as they were, in {folder}."
                ) from error
            if isinstance(error, ServerError):
                raise
            return self._outcome(NOT_YET, {"the files cannot be read": trouble.in_words(error)})

    def _try(self, site: Site) -> tuple[str, Mapping[str, str]]:
        try:
            getattr(self.checks, f"check_{self.number.replace('.', '_')}")(site)
        except NotYet as problem:
            raised = site.trouble()
            return NOT_YET, without_repeats(exception_first(problem.details, raised), raised)
        except Exception as error:
            if trouble.of_the_computer(error):
                raise
            said = f"{type(error).__name__}: {error}"
            return NOT_YET, {"the check met": said} | site.trouble()
        return RIGHT, {}

    def _outcome(self, state: str, details: Mapping[str, str]) -> Outcome:
        name = self.name
        advice = {"stuck?": f"`{name}.hint()` gives a hint; after it, another one"}
        if state == RIGHT:
            advice = {"compare": f"`{name}.solution()` shows how we did it, and what else would do"}
            if following := next_task(self):
                lessons = lessons_until(following, self.lesson)
                steps = [
                    f"[lesson {lesson.number} · {lesson.title}](../notebooks/{lesson.path.name})"
                    for lesson in lessons
                ]
                name = f"{following.number} · {following.title}"
                page = f"../exercises/{notebook.exercises_name(following.page.path)}"
                steps += [f"[{name}]({page}#{name.replace(' ', '-')})"]
                advice["next"] = ", then ".join(steps)
        return Outcome(self.number, state, details, advice)

    def more_hints(self, solution: str | None = None) -> Text:
        """Return the hints so far, one more each time: a Text, first what fits the last check.

        solution: what shows ours, or None for the cell that does.
        """
        hints = in_order(self.hints, kept.last_outcome(self.number))
        most = len(hints)
        forgotten = []
        try:
            given = Progress().add_hint(self.number, most)
        except LessonError as error:
            given = min(Progress().hints.get(self.number, 0) + 1, most)
            forgotten = [f"It is not remembered that you have had it: {error}"]
        class_line.hinted(self.number, given)
        lines = [f"Hint {at} of {most}: {hint}" for at, hint in enumerate(hints[:given], 1)]
        if given == most:
            shows = solution or f"`{self.name}.solution()`"
            lines.append(f"That was the last hint. {shows} shows how we did it.")
        lines += forgotten
        return Text("\n".join(lines), "\n\n".join(lines))

    def solution(self) -> Text:
        """Return our solution: its files, and why. A Text."""
        parts = []
        for cell in self.page.cells:
            if cell.is_solution and cell.kind == "markdown":
                parts.append(cell.source)
            elif cell.is_solution or notebook.BEGIN in cell.source:
                for path, text in notebook.written_files([cell]):
                    lines = text.rstrip().split("\n")
                    code = "\n".join(line for line in lines if not notebook.is_marker(line))
                    parts.append(f"`{path}`:\n\n```{os.path.splitext(path)[1][1:]}\n{code}\n```")
        return Text("\n\n".join(parts))


class Exercise(WorkingCopy):
    """An exercise, with the learner's own files in `workspace/exercises`.

    number: such as "5.1".

    The first time, the project is laid out; after that, the files stay as the learner has left
    them. The folder of the lesson's exercises becomes the current one.

    Raises LessonError if there is no such exercise or the workspace cannot be written.
    """

    @workspace.in_our_words()
    def __init__(self, number: str) -> None:
        self._task = task(number)
        self._found: Outcome | None = None  # by the last check
        with workspace.writing():
            editions.carry_over(workspace.workspace_folder())
        super().__init__(self._task.folder)
        KERNEL.prepare()
        with workspace.writing():
            work.lay_out(self._task)
            os.chdir(self.folder.parent)
        KERNEL.watch(self.folder)
        print(f"Exercise {number}: your files are in {workspace.shown(self.folder)}")
        if newer := copies.newer("exercises", self._task.lesson):
            print(f"Of these exercises there is a new edition: {newer}")
        for line in work.differences(self._task):
            print(line)
        progress = Progress()
        state = progress.states.get(number, NOT_ATTEMPTED)
        class_line.opened(number, state, progress.hints.get(number, 0))

    @workspace.in_our_words()
    def check(self) -> Outcome:
        """Serve the files as they are now, try them, and return the Outcome.

        What is right is kept, whatever becomes of the files, and stays right.
        """
        outcome = work.check(self._task)
        if not self.folder.is_dir():
            outcome.advice = {"begin": "the exercise's first cell lays them out"}
        elif self._found and self._found.state == outcome.state == NOT_ATTEMPTED:
            outcome.details["changed it?"] = FILES_ARE_WRITTEN
        self._found = outcome
        return outcome

    @workspace.in_our_words()
    def hint(self) -> Text:
        """Return the hints so far, and one more each time: first what fits the last check."""
        return self._task.more_hints()

    @workspace.in_our_words()
    def solution(self) -> Text:
        """Return our solution: its files, and why. The learner's files stay as they are."""
        return self._task.solution()

    @workspace.in_our_words()
    def reset(self) -> None:
        """Lay the project out again. What the learner had changed is kept, and it says where."""
        self.stop()
        with workspace.writing():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            os.chdir(self.folder.parent)
            work.lay_out_again(self._task)
        KERNEL.watch(self.folder)


def exception_first(details: Mapping[str, str], trouble: Mapping[str, str]) -> dict[str, str]:
    """Return the details of a check, with an exception that has ended it as the first to look at.

    Else they would send to what is right: a text "letter by letter", where none could be sent. It
    is the first also where nothing has come, as from a worker or a task that has raised.
    """
    look = details.get("look at", "")
    ended = "your code raised" in trouble and ENDED_BY_EXCEPTION.match(details.get("got", ""))
    if not ended or re.search("below|exception|raise", look):
        return dict(details)
    return {**details, "look at": f"first the exception below; then {look}"}


def without_repeats(details: Mapping[str, str], trouble: Mapping[str, str]) -> dict[str, str]:
    """Return both, without words of the log that the exception says again, and its place."""
    raised = trouble.get("your code raised", "")
    said = {
        label: text
        for label, text in details.items()
        if label != "the log says" or not raised.startswith(text)
    }
    return said | dict(trouble)


def tasks() -> list[Task]:
    """Return every Task, in order."""
    paths = notebook.lesson_paths(workspace.SOLUTIONS)
    return [Task(page) for path in paths for page in notebook.task_cells(path)]


def task(number: str) -> Task:
    """Return the Task with this number, such as "5.1". Raises LessonError if there is none."""
    lesson = re.match(r"\d{1,4}(?!\d)", str(number), re.ASCII)
    path = notebook.solution_path(int(lesson[0])) if lesson else None
    of_lesson = [Task(page) for page in notebook.task_cells(path)] if path else []
    for task in of_lesson:
        if task.number == str(number):
            return task
    known = of_lesson or tasks()
    there_are = f"The exercises are {known[0].number} to {known[-1].number}."
    if lesson and of_lesson:
        numbers = ", ".join(task.number for task in of_lesson)
        there_are = f"Those of lesson {lesson[0]} are {numbers}."
    raise LessonError(f"There is no exercise {number!r}. {there_are}")


def lessons_until(task: Task, known: int) -> list[Notebook]:
    """Return the lessons that come before a task, after the lesson with the number `known`."""
    lessons = [notebook.lesson(path) for path in notebook.lesson_paths()]
    return [lesson for lesson in lessons if known < lesson.number <= task.lesson]


def next_task(task: Task) -> Task | None:
    """Return the Task after this one, or None."""
    following = tasks()
    return next(iter(following[following.index(task) + 1 :]), None)
