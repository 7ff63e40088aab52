"""`overview()`: the lessons and their exercises, what is done, and what is next."""

import contextlib
from html import escape

from channels_live import notebook
from channels_live.exercise import Task, lessons_until, tasks
from channels_live.kernel import KERNEL
from channels_live.notebook import Notebook
from channels_live.progress import NOT_ATTEMPTED, RIGHT, Progress
from channels_live.workspace import LessonError, in_our_words

_COLUMNS = ("Lesson or exercise", "Minutes", "State", "Hints used")
_BAR = 30  # characters
_LEFT = "text-align: left"
_ALL_RIGHT = "All exercises are right."


@in_our_words()
def overview() -> "Overview":
    """Return an Overview of the workspace. What its file of progress has lost is judged again."""
    progress = Progress()
    lost = [task for task in tasks() if task.number not in progress.states and task.folder.is_dir()]
    if lost:
        numbers = ", ".join(task.number for task in lost)
        print(f"What was known of {numbers} is lost: trying the files again.")
        KERNEL.prepare()
    if lost or progress.damaged:
        states = {task.number: task.judge(task.folder).state for task in lost}
        progress.states |= states
        with contextlib.suppress(LessonError):  # an overview can do without
            progress.restore(states)
    return Overview(progress)


class Overview:
    """A table of the lessons and exercises.

    next: the Task to do next, the first that is not right; None if all are. next_lessons: those to
    read before it, after the last lesson of which an exercise was tried.
    """

    def __init__(self, progress: Progress) -> None:
        self._states, self._hints, self._now = progress.states, progress.hints, progress.now
        self._lessons = [notebook.lesson(path) for path in notebook.lesson_paths()]
        self._tasks = tasks()
        self._right = [task for task in self._tasks if self._state(task) == RIGHT]
        self.next = next((task for task in self._tasks if task not in self._right), None)
        begun = [task.lesson for task in self._tasks if self._state(task) != NOT_ATTEMPTED]
        self.next_lessons = lessons_until(self.next, max(begun, default=-1)) if self.next else []

    def __str__(self) -> str:
        lines = ["{:50}{:>9}  {:15}{}".format(*_COLUMNS)]
        for lesson in self._lessons:
            its_tasks = self._of(lesson)
            state = "" if its_tasks else "no exercises"
            name = f"{lesson.number:2} · {lesson.title}"
            lines.append(f"{name:50}{lesson.minutes:9}  {state}")
            lines += [
                f"     {_name(task):45}{task.minutes:9}  "
                f"{self._shown(task):15}{self._hints.get(task.number, '')}"
                for task in its_tasks
            ]
        done = len(self._right) * _BAR // max(1, len(self._tasks))
        bar = f"[{'#' * done}{'.' * (_BAR - done)}]  "
        lines += ["", bar + self._done(), self._minutes()]
        lines.append(self.step())
        return "\n".join(map(str.rstrip, lines))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="{_LEFT}">{name}</th>' for name in _COLUMNS)
        body = ""
        for lesson in self._lessons:
            its_tasks = self._of(lesson)
            state = "" if its_tasks else "no exercises"
            body += _row(_lesson(lesson), lesson.minutes, state, "")
            for task in its_tasks:
                hints = self._hints.get(task.number, "")
                cells = (task.minutes, self._shown(task), hints)
                body += _row(_exercise(task), *cells, indent=True)
        step = _ALL_RIGHT
        if self.next:
            steps = [_lesson(lesson) for lesson in self.next_lessons] + [_exercise(self.next)]
            step = f"Next: {', then '.join(steps)}"
        return (
            f"<table><caption>Lessons and exercises</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
            f"<p>{self._done()} {self._minutes()}</p><p>{step}</p>"
        )

    def step(self) -> str:
        """Return what to do next, in words: lessons first, then an exercise."""
        if not self.next:
            return _ALL_RIGHT
        lessons = [f"lesson {lesson.number} · {lesson.title}" for lesson in self.next_lessons]
        return "Next: " + "\n      then ".join([*lessons, _name(self.next)])

    def _of(self, lesson: Notebook) -> list[Task]:
        return [task for task in self._tasks if task.lesson == lesson.number]

    def _state(self, task: Task) -> str:
        return self._states.get(task.number, NOT_ATTEMPTED)

    def _shown(self, task: Task) -> str:
        # its files are something else by now
        return f"{RIGHT}, changed" if task.number in self._now else self._state(task)

    def _done(self) -> str:
        return f"{len(self._right)} of {len(self._tasks)} exercises are right."

    def _minutes(self) -> str:
        lessons = sum(lesson.minutes for lesson in self._lessons)
        exercises, right = (
            sum(task.minutes for task in some) for some in (self._tasks, self._right)
        )
        return (
            f"The lessons take {lessons} minutes, the exercises {exercises}: "
            f"{right} of these are behind you."
        )


def _name(task: Task) -> str:
    return f"{task.number} · {task.title}"


def _lesson(lesson: Notebook) -> str:
    return _link(f"../notebooks/{lesson.path.name}", f"{lesson.number} · {lesson.title}")


def _exercise(task: Task) -> str:
    return _link(f"../exercises/{notebook.exercises_name(task.page.path)}", _name(task))


def _link(address: str, text: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def _row(link: str, *cells: str | int, indent: bool = False) -> str:
    style = _LEFT + ("; font-weight: normal; padding-left: 3em" if indent else "")
    body = "".join(f'<td style="{_LEFT}">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row" style="{style}">{link}</th>{body}</tr>'
