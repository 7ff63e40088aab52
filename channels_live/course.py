"""`overview()`: the lessons and their exercises, what is done, and what is next."""

import contextlib
import re
from html import escape

import nbformat

from channels_live.exercise import tasks
from channels_live.lesson import NOTEBOOKS
from channels_live.progress import NOT_ATTEMPTED, RIGHT, Progress
from channels_live.working_copy import LessonError, prepare_kernel

_COLUMNS = ("Lesson or exercise", "Minutes", "State", "Hints used")
_TITLE = re.compile(r"^# \d+ · (.+)", re.M)
_BAR = 30  # characters
_LEFT = "text-align: left"
_ALL_RIGHT = "All exercises are right."


def overview():
    """Return an Overview of the workspace. What its file of progress has lost is judged again."""
    progress = Progress()
    lost = [one for one in tasks() if one.number not in progress.states and one.folder.is_dir()]
    if lost:
        numbers = ", ".join(one.number for one in lost)
        print(f"What was known of {numbers} is lost: trying the files again.")
        prepare_kernel()
    if lost or progress.damaged:
        states = {one.number: one.judge(one.folder).state for one in lost}
        progress.states |= states
        with contextlib.suppress(LessonError):  # an overview can do without
            progress.restore(states)
    return Overview(progress)


class Overview:
    """A table of the lessons and exercises.

    next: the Task to do next, the first that is not right; None if all are.
    """

    def __init__(self, progress):
        self._states, self._hints = progress.states, progress.hints
        self._lessons = [_lesson(path) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
        self._tasks = tasks()
        self._right = [one for one in self._tasks if self._state(one) == RIGHT]
        self.next = next((one for one in self._tasks if one not in self._right), None)

    def __str__(self):
        lines = ["{:50}{:>9}  {:15}{}".format(*_COLUMNS)]
        for number, title, minutes, _ in self._lessons:
            belonging = self._of(number)
            state = "" if belonging else "no exercises"
            lines.append(f"{f'{number:2} · {title}':50}{minutes:9}  {state}")
            lines += [
                f"     {_name(one):45}{one.minutes:9}  "
                f"{self._state(one):15}{self._hints.get(one.number, '')}"
                for one in belonging
            ]
        done = len(self._right) * _BAR // max(1, len(self._tasks))
        bar = f"[{'#' * done}{'.' * (_BAR - done)}]  "
        lines += ["", bar + self._done(), self._minutes()]
        lines.append(f"Next: {_name(self.next)}" if self.next else _ALL_RIGHT)
        return "\n".join(map(str.rstrip, lines))

    __repr__ = __str__

    def _repr_html_(self):
        head = "".join(f'<th scope="col" style="{_LEFT}">{name}</th>' for name in _COLUMNS)
        body = ""
        for number, title, minutes, path in self._lessons:
            state = "" if self._of(number) else "no exercises"
            link = _link(f"../notebooks/{path.name}", f"{number} · {title}")
            body += _row(link, minutes, state, "")
            for one in self._of(number):
                hints = self._hints.get(one.number, "")
                body += _row(_exercise(one), one.minutes, self._state(one), hints, indent=True)
        step = f"Next: {_exercise(self.next)}" if self.next else _ALL_RIGHT
        return (
            f"<table><caption>Lessons and exercises</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
            f"<p>{self._done()} {self._minutes()}</p><p>{step}</p>"
        )

    def _of(self, lesson):
        return [one for one in self._tasks if one.lesson == lesson]

    def _state(self, task):
        return self._states.get(task.number, NOT_ATTEMPTED)

    def _done(self):
        return f"{len(self._right)} of {len(self._tasks)} exercises are right."

    def _minutes(self):
        lessons = sum(minutes for _, _, minutes, _ in self._lessons)
        exercises, right = (sum(one.minutes for one in them) for them in (self._tasks, self._right))
        return (
            f"The lessons take {lessons} minutes, the exercises {exercises}: "
            f"{right} of these are behind you."
        )


def _lesson(path):
    """Return number, title, minutes and path of a lesson, also if somebody has edited it."""
    number, _, name = path.stem.partition("_")
    title, minutes = name.replace("_", " ").capitalize(), 0
    with contextlib.suppress(OSError, ValueError):
        notebook = nbformat.read(path, as_version=4)
        minutes = notebook.metadata.get("minutes", 0)
        if found := _TITLE.search("\n\n".join(cell.source for cell in notebook.cells)):
            title = found[1]
    return int(number), title, minutes, path


def _name(task):
    return f"{task.number} · {task.title}"


def _exercise(task):
    return _link(f"../exercises/{task.notebook.name}", _name(task))


def _link(address, text):
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def _row(link, *cells, indent=False):
    style = _LEFT + ("; font-weight: normal; padding-left: 3em" if indent else "")
    cells = "".join(f'<td style="{_LEFT}">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row" style="{style}">{link}</th>{cells}</tr>'
