"""What the commands of `channels-live` do."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from channels_live import class_line, copies, explain, joining, notebook, schedule, work, workspace
from channels_live.course import overview
from channels_live.exercise import Exercise, Task, task, tasks
from channels_live.kernel import KERNEL
from channels_live.outcome import Outcome
from channels_live.progress import NOT_YET, RIGHT
from channels_live.workspace import LessonError

_CODE = re.compile("`+([^`]+)`+")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_BOLD, _ITALIC = re.compile(r"\*\*(\S[^*]*)\*\*"), re.compile(r"\*(\S[^*]*)\*")


def run(name: str, options: argparse.Namespace) -> int:
    """Run a command with the options that the command line gave it. Return its exit status.

    Raises LessonError where it cannot be done.
    """
    KERNEL.prepare()
    try:
        return _COMMANDS[name](options)
    finally:
        class_line.finish()


def _list(options: argparse.Namespace) -> int:
    print(overview())
    return 0


def _next(options: argparse.Namespace) -> int:
    outlook = None if options.number else overview()
    following = outlook.next if outlook else task(options.number)
    if following is None:
        print("All exercises are right.")
        return 0
    if outlook and outlook.next_lessons:
        print(outlook.step(), end="\n\n")
    cells = [cell for cell in following.page.cells if cell.is_for_learners]
    print(plain(cells[0].source), end="\n\n")
    Exercise(following.number)
    print(f"  lesson  {copies.learners('notebooks', following.lesson)}")
    for path, _ in notebook.written_files(cells):
        print(f"  change  {following.folder.parent / path}")
    print(f"  then    channels-live check {following.number}")
    return 0


def _check(options: argparse.Namespace) -> int:
    if bool(options.numbers) == options.all:
        options.parser.error("name exercises, such as 5.1, or --all")
    chosen = tasks() if options.all else [task(number) for number in options.numbers]
    theirs = _workspace(options.workspace) if options.workspace else None
    hidden = None if len(chosen) > 1 else True  # None: where nobody looks at a terminal
    outcomes, forgotten = [], ""
    for exercise in tqdm(chosen, unit="exercise", leave=False, disable=hidden):
        folder = exercise.folder_in(theirs) if theirs else exercise.folder
        outcome = exercise.judge(folder) if theirs else work.check(exercise)
        forgotten = outcome.advice.pop(work.FORGOTTEN, forgotten)
        if not options.json:
            outcome.advice = {} if theirs else _advice(outcome, folder)
            short = len(chosen) > 1 and outcome.state != NOT_YET
            tqdm.write(str(outcome).partition("\n")[0] if short else str(outcome))
        outcomes.append(outcome)
    right = sum(outcome.state == RIGHT for outcome in outcomes)
    if options.json:
        print(json.dumps([*map(_as_json, chosen, outcomes)], indent=2))
    elif len(chosen) > 1:
        print(f"{right} of {len(chosen)} are right.")
    if forgotten:
        raise LessonError(forgotten)
    return 0 if right == len(chosen) else 1


def _workspace(folder: Path) -> Path:
    """Return the folder, a path. Raises LessonError if it is no workspace."""
    if not folder.is_dir():
        raise LessonError(f"There is no folder {folder}.")
    if not any(
        any(folder.glob(name)) for name in ("exercises/[0-9][0-9]", "progress.txt", ".locks")
    ):
        within = folder / "workspace"
        better = within if within.is_dir() else "the one that `exercises` and `progress.txt` lie in"
        raise LessonError(f"{folder} is no workspace. Name {better}.")
    return folder


def _advice(outcome: Outcome, folder: Path) -> dict[str, str]:
    """Return what may come next, in the words of a terminal."""
    number = outcome.number
    if not folder.is_dir():
        return {"begin": f"channels-live next {number} lays them out"}
    if outcome.state != RIGHT:
        stuck = {"stuck?": f"channels-live hint {number} gives a hint; after it, another one"}
        return outcome.advice | stuck
    compare = {"compare": f"channels-live solution {number} shows how we did it"}
    return outcome.advice | compare


def _as_json(task: Task, outcome: Outcome) -> dict[str, Any]:
    return {
        "number": task.number,
        "title": task.title,
        "state": outcome.state,
        "details": outcome.details,
    }


def _hint(options: argparse.Namespace) -> int:
    hints = task(options.number).more_hints(f"`channels-live solution {options.number}`")
    print(plain(str(hints)))
    return 0


def _solution(options: argparse.Namespace) -> int:
    print(plain(str(task(options.number).solution())))
    return 0


def _reset(options: argparse.Namespace) -> int:
    Exercise(options.number).reset()
    return 0


def _fresh(options: argparse.Namespace) -> int:
    kind = "exercises" if options.exercises else "notebooks"
    with workspace.writing():
        path = copies.fresh(kind, options.number)
    print(f"A fresh copy is in {workspace.shown(path)}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    if not options.message and sys.stdin.isatty():
        options.parser.error("name a message, or hand a log on standard input")
    known = explain.explain(" ".join(options.message) or sys.stdin.read())
    for explanation in known:
        shown = explanation.shown
        like = f"Shown in {shown.place}:"
        if not explanation.sure:
            like = f"Not shown in the lessons. It looks like this one of {shown.place}:"
        parts = [explanation.line, f"{like}\n\n    {shown.line}", plain(shown.text)]
        print(*parts, sep="\n\n", end="\n" if explanation is known[-1] else "\n\n")
    if not known:
        print("No lesson shows an error like that.")
    return 0 if known else 1


def _schedule(options: argparse.Namespace) -> int:
    if options.took:
        print(schedule.compared(schedule.took(options.took), _lessons(options.lessons)))
        return 0
    for name, minutes in (("--block", options.block), ("--break", options.pause)):
        if not 1 <= minutes <= schedule.DAY:
            options.parser.error(f"argument {name}: minutes, from 1 to {schedule.DAY}")
    until, lunch = options.until and schedule.minutes_of(options.until), None
    if options.lunch:
        begin, dash, end = options.lunch.partition("-")
        if not dash:
            raise LessonError(f"--lunch {options.lunch} says no end. Write it like 12:30-13:30.")
        lunch = schedule.minutes_of(begin), schedule.minutes_of(end)
        if lunch[0] >= lunch[1]:
            raise LessonError(f"--lunch {options.lunch} ends before it begins.")
    items = schedule.items_of(_lessons(options.lessons), not options.no_exercises)
    start = schedule.minutes_of(options.start)
    table = schedule.timetable(items, start, options.block, options.pause, until, lunch)
    print(table)
    return 1 if table.too_long or table.left_over else 0


def _lessons(words: list[str]) -> list[int]:
    """Return the numbers of lessons as they are typed: 5, or 0-7; of all where there are none."""
    known = [int(path.name[:2]) for path in notebook.lesson_paths()]
    numbers: list[int] = []
    for word in words:
        first, dash, last = word.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise LessonError(f"{word!r} names no lessons. Write 5, or 0-7.")
        begin, end = int(first), int(last or first)
        if begin > end:
            raise LessonError(f"{word!r} ends before it begins. Write {end}-{begin}.")
        if missing := {begin, end} - {*known}:
            raise LessonError(f"There is no lesson {max(missing)}.")
        numbers += range(begin, end + 1)
    return numbers or known


def _join(options: argparse.Namespace) -> int:
    print(plain(str(joining.join_class(options.address, options.code, options.name))))
    return 0


def _leave(options: argparse.Namespace) -> int:
    print(joining.leave_class())
    return 0


def plain(markdown: str) -> str:
    """Return a text as a terminal shows it: without signs, and with code set in."""
    lines, in_code = [], False
    for line in markdown.splitlines():
        if line.startswith("```"):
            in_code = not in_code
        elif in_code:
            lines.append(f"    {line}".rstrip())
        else:
            parts = _CODE.split(re.sub("^#+ ", "", line))  # every second one is code
            parts[::2] = [
                _ITALIC.sub(r"\1", _BOLD.sub(r"\1", _LINK.sub(r"\1", part))) for part in parts[::2]
            ]
            lines.append("".join(parts))
    return "\n".join(lines)


_COMMANDS = {
    "list": _list,
    "next": _next,
    "check": _check,
    "hint": _hint,
    "solution": _solution,
    "reset": _reset,
    "fresh": _fresh,
    "explain": _explain,
    "schedule": _schedule,
    "join": _join,
    "leave": _leave,
}
