"""Keeps the files that a lesson shows to be copied as the lesson leaves them.

In a Markdown cell whose metadata have `recipe`, a fence that begins with a comment with a file's
path holds that file; a ```diff fence, what has changed in it since before lesson 1.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from channels_live.authoring import AuthoringError
from channels_live.authoring.course import Course
from channels_live.authoring.finished import lesson_files
from channels_live.authoring.marks import change
from channels_live.authoring.notebooks import load, store_all

_FENCE = re.compile(r"^```(diff|python|html)\n((?:# |\{# )(\S+)(?: #\})?)\n.*?^```$", re.M | re.S)


def stale(course: Course) -> list[Path]:
    """Return the lessons in which a file to be copied is not as it must be.

    Raises AuthoringError if a lesson cannot be read, or a path is that of no file.
    """
    return [path for path, _ in _changed(course)]


def renew(course: Course) -> list[Path]:
    """Renew the files to be copied, and return the lessons that this has changed.

    Raises AuthoringError as `stale`; then nothing is changed.
    """
    return store_all(_changed(course))


def _changed(course: Course) -> Iterator[tuple[Path, NotebookNode]]:
    files: dict[str, str] = {}
    for number, lesson in course.lessons().items():
        if number:
            files |= lesson_files(lesson.path)
        if not any("recipe" in cell.metadata for cell in lesson.cells):
            continue
        notebook = load(lesson.path)
        is_changed = False
        for cell in notebook.cells:
            if "recipe" in cell.metadata:
                source = _renewed(cell, files, course.sample / "start", course.shown(lesson.path))
                is_changed |= source != cell.source
                cell.source = source
        if is_changed:
            yield lesson.path, notebook


def _renewed(cell: NotebookNode, files: dict[str, str], start: Path, name: str) -> str:
    # what belongs to the sample site, and not to the reader's
    without = cell.metadata["recipe"].get("without")

    def fence(match: re.Match[str]) -> str:
        kind, first, path = match.groups()
        if path not in files:
            raise AuthoringError(f"{name}, cell {cell.id!r}: no lesson before writes {path}.")
        if kind == "diff":
            return change(path, (start / path).read_bytes().decode(), files[path])
        text = _without(files[path], without) if without else files[path]
        return f"```{kind}\n{first}\n{text}```"

    return _FENCE.sub(fence, cell.source)


def _without(text: str, word: str) -> str:
    """Return the text of a file without the classes and the lines that name something."""
    parts = [part for part in text.split("\n\n\n") if not part.startswith(f"class {word}")]
    parts = [re.sub(rf".*\b{word}.*\n?", "", f"{part.rstrip()}\n").strip("\n") for part in parts]
    return "\n\n\n".join(parts) + "\n"
