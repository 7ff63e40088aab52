"""`channels-live schedule`: a timetable of lessons and exercises, for a class."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from channels_live import notebook
from channels_live.exercise import tasks
from channels_live.notebook import Notebook
from channels_live.progress import RIGHT
from channels_live.workspace import LessonError

DAY = 24 * 60  # minutes
_NO_SECTIONS = {"You will", "Next"}  # headings of what belongs to the section before
_HEADING = re.compile(r"## (.+)")
_TIME = re.compile(r"(\d{1,2})[:.](\d\d)", re.ASCII)


@dataclass(frozen=True)
class Item:
    """What is done in one go: a section of a lesson, or an exercise, and its minutes."""

    name: str
    minutes: int


@dataclass(frozen=True)
class Entry:
    """A line of a timetable. begins: minutes after midnight. item: None is a rest."""

    begins: int
    minutes: int
    item: Item | None
    rest: str = ""  # what it is called


@dataclass(frozen=True)
class Timetable:
    """A day: its entries, what is too long for a block, and what the day has no room for."""

    entries: list[Entry]
    too_long: list[Item]
    left_over: list[Item]

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for entry in self.entries:
            name = entry.item.name if entry.item else f"— {entry.rest} —"
            yield f"{clock(entry.begins)}  {entry.minutes:3} min  {name}"
        if self.entries:
            last = self.entries[-1]
            yield f"{clock(last.begins + last.minutes)}  end"
        for title, items in (
            ("Too long for a block:", self.too_long),
            ("No room in this day for:", self.left_over),
        ):
            if items:
                yield from ("", title)
                yield from (f"       {item.minutes:3} min  {item.name}" for item in items)


def minutes_of(text: str) -> int:
    """Return a time of day, such as "9:00", as minutes after midnight.

    Raises LessonError if it is none.
    """
    match = _TIME.fullmatch(text.strip())
    if match and int(match[1]) < 24 and int(match[2]) < 60:
        return int(match[1]) * 60 + int(match[2])
    raise LessonError(f"{text!r} is no time of day. Write it like 9:00 or 13:30.")


def clock(minutes: int) -> str:
    """Return minutes after midnight as a time of day; a second day is told as such."""
    days, minutes = divmod(minutes, DAY)
    return f"{minutes // 60:2}:{minutes % 60:02}" + f" (+{days})" * bool(days)


def sections(lesson: Notebook) -> list[Item]:
    """Return the sections of a lesson.

    Its minutes stand in its metadata; each section gets a share by what there is to read and to
    run in it, in whole minutes, one at least. Together they take as long as the lesson.
    """
    titles, words = [lesson.title], [0]
    for cell in lesson.cells:
        heading = _HEADING.match(cell.source) if cell.kind == "markdown" else None
        if heading and heading[1] not in _NO_SECTIONS:
            titles.append(heading[1])
            words.append(0)
        words[-1] += len(cell.source.split())
    names = [f"{lesson.number} · {title}" for title in titles]
    return [Item(*item) for item in zip(names, _shares(lesson.minutes, words), strict=True)]


def _shares(minutes: int, weights: list[int]) -> list[int]:
    """Return `minutes` shared out by weights: what was given by then is never off by a minute."""
    total, given, passed, shares = sum(weights) or 1, 0, 0, []
    for at, weight in enumerate(weights, 1):
        passed += weight
        left = len(weights) - at  # those to come need one each
        upto = min(max(round(minutes * passed / total), given + 1), minutes - left)
        shares.append(upto - given)
        given = upto
    return shares


def items_of(numbers: Iterable[int], exercises: bool = True) -> list[Item]:
    """Return what there is to do in these lessons, each followed by its exercises.

    Raises LessonError if there is no such lesson.
    """
    items = []
    for number in numbers:
        path = notebook.lesson_path(number)
        if path is None:
            raise LessonError(f"There is no lesson {number}.")
        items += sections(notebook.lesson(path))
        if exercises:
            its_tasks = (task for task in tasks() if task.lesson == number)
            items += [Item(f"{task.number} · {task.title}", task.minutes) for task in its_tasks]
    return items


def timetable(
    items: Iterable[Item],
    start: int,
    block: int = 45,
    pause: int = 10,
    until: int | None = None,
    lunch: tuple[int, int] | None = None,
) -> Timetable:
    """Return the Timetable of items, in their order.

    start, until: minutes after midnight; until None: as long as it takes. block: minutes after
    which there is a break of `pause` minutes. lunch: from when to when nothing is done.
    """
    entries: list[Entry] = []
    too_long: list[Item] = []
    left_over: list[Item] = []
    now, worked = start, 0

    def rest(end: int, name: str) -> None:
        nonlocal now, worked
        if entries and end > now:
            entries.append(Entry(now, end - now, None, name))
        now, worked = max(now, end), 0

    for item in items:
        if item.minutes > block:
            too_long.append(item)
        if worked and worked + item.minutes > block:
            rest(now + pause, "break")
        if lunch and now < lunch[1] and now + item.minutes > lunch[0]:
            if entries and entries[-1].item is None:  # lunch is break enough
                now = entries.pop().begins
            rest(lunch[1], "lunch")
        if left_over or until is not None and now + item.minutes > until:
            left_over.append(item)
            continue
        entries.append(Entry(now, item.minutes, item))
        now, worked = now + item.minutes, worked + item.minutes
    if entries and entries[-1].item is None:
        entries.pop()
    return Timetable(entries, too_long, left_over)


def took(file: Path) -> dict[str, list[int | None]]:
    """Return what a class took: exercise → minutes of each learner, None where it is not right.

    file: what a board has exported. Raises LessonError if it is none, OSError if it is not there.
    """
    times: dict[str, list[int | None]] = defaultdict(list)
    try:
        with file.open(encoding="utf-8-sig", newline="") as table:
            rows = csv.DictReader(table)
            if "exercise" not in (rows.fieldnames or ()):
                raise KeyError
            for row in rows:
                right = row["state"] == RIGHT
                times[row["exercise"]].append(int(row["minutes"]) if right else None)
    except (KeyError, TypeError, ValueError, csv.Error):
        raise LessonError(
            f"{file} is no export of a board. Its page has one: “Export”, class.csv."
        ) from None
    return times


def compared(times: Mapping[str, list[int | None]], lessons: Iterable[int]) -> str:
    """Return a table: of each exercise the minutes that are reckoned, and those that it took.

    times: as `took` returns them. lessons: their numbers. Nobody is named, and who is not right
    counts in the last column only: it is not known what they will have taken.
    """
    lines = ["reckoned  half had it  three quarters  right"]
    for number in lessons:
        reckoned = 0
        half: float | None = 0.0  # a sum says nothing where a part of it is not known
        for task in tasks():
            if task.lesson != number or task.number not in times:
                continue
            all_times = times[task.number]
            known = [minutes for minutes in all_times if minutes is not None]
            reckoned += task.minutes
            half = half + median(known) if known and half is not None else None
            lines.append(
                _row(task.minutes, *_spread(known))
                + f"  {f'{len(known)} of {len(all_times)}':10}  {task.number} · {task.title}"
            )
        if reckoned:
            lines.append(f"{_row(reckoned, half, None)}  {'':10}  lesson {number}, together")
    if len(lines) == 1:
        return "Nobody of this class has begun an exercise of these lessons."
    return "\n".join(lines)


def _spread(minutes: list[int]) -> tuple[float | None, float | None]:
    """Return in how many minutes half of the learners had it, and three quarters of them."""
    if len(minutes) < 2:
        return (minutes[0], minutes[0]) if minutes else (None, None)
    return median(minutes), quantiles(minutes, n=4, method="inclusive")[2]


def _row(reckoned: int, half: float | None, most: float | None) -> str:
    texts = ("–" if value is None else f"{value:.0f} min" for value in (reckoned, half, most))
    return "{:>8}  {:>11}  {:>14}".format(*texts)
