"""Derives the texts that say what is known elsewhere: minutes, titles, what is next, the map.

Minutes live once, in the metadata: a lesson's in its notebook's, an exercise's in its heading
cell's. A lesson's metadata also say what its reader knows `afterwards`, and of which `part` of the
course it is. All else that tells of them is put in its place here.
"""

import os
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from channels_live.authoring import AuthoringError
from channels_live.authoring.course import Course
from channels_live.authoring.notebooks import load, store
from channels_live.notebook import MINUTES, Notebook, TaskCells, exercises_name, tasks_of

_EXERCISES = re.compile(r"^Then the \[exercises of this lesson\]\(.*$", re.M)
_NEXT = re.compile(r"\[(?:Lesson \d+: [^\]]*|Go back to the map)\]\([^)\s]*\)")
_BACK = re.compile(r"^\[Back to lesson \d+\]\(.*$", re.M)
_BEGIN, _END = "<!-- made by make build -->", "<!-- end -->"
_REGION = re.compile(f"{_BEGIN}.*?{_END}", re.S)


def stale(course: Course) -> list[Path]:
    """Return the files, notebooks and README.md, in which a derived text is not as derived.

    Raises AuthoringError if metadata or the place of a text is missing; it says where, and what
    must be there.
    """
    return [path for path, _ in _changes(course)]


def renew(course: Course) -> list[Path]:
    """Put every derived text in its place, and return the files that this has changed.

    Raises AuthoringError as `stale`; then nothing is changed.
    """
    changes = list(_changes(course))
    for path, sources in changes:
        if path == course.readme:
            path.write_bytes(sources[0].encode())
            continue
        notebook = load(path)
        for cell, source in zip(notebook.cells, sources, strict=True):
            cell.source = source
        store(notebook, path)
    return [path for path, _ in changes]


def _changes(course: Course) -> Iterator[tuple[Path, list[str]]]:
    """Yield (path, sources of its cells) of each notebook that changes; README.md is one cell."""
    lessons, solved = course.lessons(), course.solved()
    tasks = {number: tasks_of(page) for number, page in solved.items()}
    for number, lesson in lessons.items():
        following = lessons.get(min((other for other in lessons if other > number), default=-1))
        text = _Texts(course, lesson)
        text.put(MINUTES, f"*{_minutes(lesson)}", "*30 minutes · Before this: lesson 4.*", cell=0)
        text.put(_NEXT, _link_on(following), "[Lesson 6: Its title](06_its_name.ipynb)")
        if number == 0:
            text.put(_REGION, _map(lessons, tasks, lesson.path), f"{_BEGIN}\n{_END}")
        else:
            text.put(
                _EXERCISES,
                _line_of_exercises(lesson, tasks.get(number, ())),
                "Then the [exercises of this lesson](../exercises/05_exercises.ipynb)",
            )
        yield from text.changed()
        if page := solved.get(number):
            text = _Texts(course, page)
            total = sum(_task_minutes(course, task) for task in tasks[number])
            text.put(MINUTES, f"*{total}", "*35 minutes · Before this: lesson 5.*", cell=0)
            for task in tasks[number]:
                at = next(at for at, cell in enumerate(page.cells) if cell is task.cells[0])
                text.put(MINUTES, f"*{task.minutes}", "*10 minutes · repair*", cell=at)
            text.put(
                _BACK, _links_back_and_on(lesson, following), "[Back to lesson 5](../notebooks/…)"
            )
            yield from text.changed()
    yield from _readme(course, lessons, tasks)


class _Texts:
    """The texts of a notebook's cells, to be changed."""

    def __init__(self, course: Course, page: Notebook) -> None:
        self._name = course.shown(page.path)
        self._page = page
        self._before = [cell.source for cell in page.cells]
        self._sources = list(self._before)

    def put(self, place: re.Pattern[str], text: str, example: str, cell: int | None = None) -> None:
        """Replace what a pattern matches, in one cell, or in the only markdown cell where it does.

        example: such a place, for the message of the AuthoringError where there is not just one.
        """
        cells = [
            at
            for at, written in enumerate(self._page.cells)
            if written.kind == "markdown" and cell in (None, at)
        ]
        count = sum(len(place.findall(self._sources[at])) for at in cells)
        if count != 1:
            where = (
                self._name if cell is None else f"{self._name}, cell {self._page.cells[cell].id!r}"
            )
            raise AuthoringError(
                f"{where}: just one place must look like {example!r}, and {count} do. "
                "`make build` puts minutes, titles and links there."
            )
        for at in cells:
            self._sources[at] = place.sub(lambda _: text, self._sources[at])

    def changed(self) -> Iterator[tuple[Path, list[str]]]:
        """Yield its path and the sources of its cells, if they have changed."""
        if self._sources != self._before:
            yield self._page.path, self._sources


def _readme(
    course: Course, lessons: dict[int, Notebook], tasks: dict[int, tuple[TaskCells, ...]]
) -> Iterator[tuple[Path, list[str]]]:
    before = course.readme.read_text(encoding="utf-8")
    if len(_REGION.findall(before)) != 1:
        raise AuthoringError(f"README.md: the map stands once between {_BEGIN} and {_END}.")
    text = _REGION.sub(lambda _: _map(lessons, tasks, course.readme), before)
    if text != before:
        yield course.readme, [text]


def _map(lessons: dict[int, Notebook], tasks: dict[int, tuple[TaskCells, ...]], page: Path) -> str:
    """Return the table of all lessons, with links that lead on from a page."""
    lines = ["| lesson | minutes | exercises | afterwards you know |", "| --- | --- | --- | --- |"]
    total = 0
    for part, its_lessons in groupby(lessons.values(), lambda lesson: _said(lesson, "part")):
        if part:
            lines.append(f"| **{part}** | | | |")
        for lesson in its_lessons:
            name = f"{lesson.number} · {lesson.title}"
            if lesson.path != page:
                name = f"[{name}]({_address(lesson.path, page)})"
            minutes = sum(task.minutes for task in tasks.get(lesson.number, ()))
            total += minutes
            exercises = lesson.path.parent.parent / "exercises" / exercises_name(lesson.path)
            link = f"[{minutes} minutes]({_address(exercises, page)})" if minutes else ""
            lines.append(
                f"| {name} | {_minutes(lesson)} | {link} | {_said(lesson, 'afterwards')} |"
            )
    together = sum(lesson.minutes for lesson in lessons.values())
    lines.append(f"| **together** | **{together}** | **{total} minutes** | |")
    return "\n".join([_BEGIN, "", *lines, "", _END])


def _address(path: Path, page: Path) -> str:
    return Path(os.path.relpath(path, page.parent)).as_posix()


def _line_of_exercises(lesson: Notebook, tasks: tuple[TaskCells, ...]) -> str:
    titles = " · ".join(f"*{task.number} {task.title}*" for task in tasks)
    link = f"[exercises of this lesson](../exercises/{exercises_name(lesson.path)})"
    return f"Then the {link}, {sum(task.minutes for task in tasks)} minutes: {titles}"


def _link_on(following: Notebook | None) -> str:
    if following is None:
        return "[Go back to the map](00_start_here.ipynb#The-map)"
    return f"[Lesson {following.number}: {following.title}]({following.path.name})"


def _links_back_and_on(lesson: Notebook, following: Notebook | None) -> str:
    back = f"[Back to lesson {lesson.number}](../notebooks/{lesson.path.name})"
    if following is None:
        return f"{back} · [the map](../notebooks/00_start_here.ipynb)"
    return f"{back} · next: [lesson {following.number}](../notebooks/{following.path.name})"


def _minutes(lesson: Notebook) -> int:
    if type(lesson.minutes) is not int or lesson.minutes <= 0:
        raise AuthoringError(f'{lesson.path.name}: its metadata need "minutes", a whole number.')
    return lesson.minutes


def _task_minutes(course: Course, task: TaskCells) -> int:
    if type(task.minutes) is not int or task.minutes <= 0:
        raise AuthoringError(
            f"{course.shown(task.path)}: the metadata of the heading {task.number} "
            'need "minutes", a whole number.'
        )
    return task.minutes


def _said(lesson: Notebook, name: str) -> str:
    """Return what a lesson's metadata say for the map; lesson 0 stands before all parts."""
    text = lesson.metadata.get(name, "")
    if not text and (name != "part" or lesson.number):
        raise AuthoringError(f'{lesson.path.name}: its metadata need "{name}", for the map.')
    return text
