"""Editions of the course: where an exercise has got a new number, what was done goes with it."""

import re
from collections.abc import Iterator
from pathlib import Path

from channels_live import locks
from channels_live.workspace import shown

EDITION = 2
# Exercises of edition 1 that have another number now.
NEW_NUMBERS = {"12.3": "13.2", "13.1": "14.1", "13.3": "14.2", "13.2": "15.2"}
_OLD_NUMBERS = {new: old for old, new in NEW_NUMBERS.items()}
_MARK = ".edition"  # in a workspace: of the folders there. Without it, they are of edition 1
_HEAD = re.compile(r"edition (\d+)")  # first line of a file of progress: of the numbers there


def exercise_folder(workspace: Path, number: str) -> Path:
    """Return where an exercise is in a workspace, of whatever edition. Nothing is written.

    number: as it is now, such as "5.1".
    """
    if (carried := workspace / "exercises/.carried" / number).is_dir():
        return carried
    if _is_old(workspace):
        if number in _OLD_NUMBERS:
            return _folder(workspace, _OLD_NUMBERS[number])
        if number in NEW_NUMBERS:
            return workspace / "exercises/none" / number  # there was no such exercise
    return _folder(workspace, number)


def _is_old(workspace: Path) -> bool:
    if (workspace / _MARK).is_file():
        return False
    return any((workspace / "exercises").glob("[0-9][0-9]/*.*"))  # else there is nothing yet


def _folder(workspace: Path, number: str) -> Path:
    return workspace / "exercises" / f"{int(number.partition('.')[0]):02}" / number


def head() -> str:
    """Return the first line of a file of progress of this edition."""
    return f"edition {EDITION}"


def is_head(line: str) -> bool:
    """Tell whether a line says of which edition the numbers are that follow."""
    return _HEAD.fullmatch(line.strip()) is not None


def carry_over(workspace: Path) -> None:
    """Let a workspace's folders have the numbers of this edition, and print what has moved.

    It is done once. Whatever ends it, the next call goes on with it. The file of progress is not
    touched: it says itself of which edition its numbers are.

    Raises LessonError if another program holds it up, OSError if it cannot be written.
    """
    roots = [workspace / "exercises", workspace / "kept/right"]
    mark = workspace / _MARK
    if mark.is_file() and not any((root / ".carried").exists() for root in roots):
        return
    with locks.lock(workspace / ".locks/edition.lock"):
        moved = []
        if not mark.is_file():
            for root in roots:
                _gather(root)
            new = mark.with_name(f"{_MARK}.new")
            new.write_text(f"{EDITION}\n", encoding="utf-8")
            new.replace(mark)  # from now on, a folder 13.1 is the new one
        for root in roots:
            moved += list(_spread(root))
    if moved:
        print(f"Some exercises have a new number in this edition: {', '.join(moved)}.")
        print("Your work has moved with them.")


def _gather(root: Path) -> None:
    """Put what has a new number aside under that number, before any can meet an old one."""
    for old, new in NEW_NUMBERS.items():
        folder, aside = _place(root, old), root / ".carried" / new
        if folder.is_dir() and not aside.exists():
            aside.parent.mkdir(exist_ok=True)
            folder.rename(aside)


def _spread(root: Path) -> Iterator[str]:
    """Put what was put aside where it belongs; yield what has moved, in words."""
    aside = root / ".carried"
    for folder in sorted(aside.iterdir()) if aside.is_dir() else ():
        place = _place(root, folder.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():  # somebody has made that by hand
            place = place.with_name(f"{place.name} of the first edition")
        folder.rename(place)
        if root.name == "exercises":
            yield f"{_OLD_NUMBERS[folder.name]} is {folder.name} now ({shown(place)})"
    if aside.is_dir():
        aside.rmdir()


def _place(root: Path, number: str) -> Path:
    return _folder(root.parent, number) if root.name == "exercises" else root / number
