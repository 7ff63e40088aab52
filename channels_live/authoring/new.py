"""Cuts a lesson from the frame: its notebook, its solutions, its checks and its wrong answers.

What has to be written in them is marked with WRITE, and says what. A test fails until none is left.
"""

import argparse
import re
import sys
from pathlib import Path
from string import Template
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from channels_live.authoring import AuthoringError
from channels_live.authoring.course import Course
from channels_live.authoring.notebooks import KERNELSPEC, store
from channels_live.notebook import exercises_name

FRAME = Path(__file__).with_name("frame")
_USAGE = 'make new N=14 TITLE="Run many servers"'
_HEAD = re.compile(r"^=== (markdown|code) (\d\d)(?: ([\w-]+))?\n", re.M)
_SMALL = {"a", "an", "and", "the", "with", "your"}


def cut(course: Course, number: int, title: str) -> list[Path]:
    """Write the four files of a lesson, and return their paths.

    number: that of the lesson, 1 to 99. title: a verb phrase, such as "Run many servers".

    Raises AuthoringError, and writes nothing, if the number is taken or out of range, if the title
    is none or taken, or if one of the files is there.
    """
    _check(course, number, title)
    name = f"{number:02}_{_words(title)}.ipynb"
    lessons = course.lessons()
    before = max((other for other in lessons if other < number), default=0)
    values = {"number": str(number), "title": title, "name": name, "before": str(before)}
    values["exercises"] = exercises_name(Path(name))
    metadata = {
        "minutes": 45,
        "part": lessons[before].metadata["part"] if before else "WRITE: the part of the course",
        "afterwards": "WRITE: how to …, and what …",
    }
    notebooks = {
        course.notebooks / name: _notebook("lesson", values, metadata),
        course.solutions / name: _notebook("solutions", values, {}),
    }
    texts = {
        course.root / f"channels_live/checks/lesson_{number:02}.py": _filled("checks.txt", values),
        course.root / f"tests/wrong_answers/lesson_{number:02}.py": _filled(
            "wrong_answers.txt", values
        ),
    }
    for path in (*notebooks, *texts):
        if path.exists():
            raise AuthoringError(f"{course.shown(path)} is there already. Nothing was written.")
    for path, notebook in notebooks.items():
        store(notebook, path)
    for path, text in texts.items():
        path.write_bytes(text.encode())
    return [*notebooks, *texts]


def _check(course: Course, number: int, title: str) -> None:
    if not 1 <= number <= 99:
        raise AuthoringError(f"N is {number}, but a lesson's number is one from 1 to 99.")
    lessons = course.lessons()
    taken = lessons.get(number) or course.solved().get(number)
    if taken:
        free = max(lessons) + 1
        raise AuthoringError(
            f"The number {number} is taken by {course.shown(taken.path)}. The next one is {free}."
        )
    if not re.fullmatch(r"[A-Z][a-z]+ [\w ’',:-]*\w", title) or "_" not in _words(title):
        raise AuthoringError(
            f"TITLE is {title!r}, but a title is a verb and its object, in words, beginning with a "
            'capital letter, such as "Run many servers".'
        )
    for lesson in lessons.values():
        if lesson.path.name[3:] == f"{_words(title)}.ipynb":
            raise AuthoringError(f"{course.shown(lesson.path)} has this title already.")


def _words(title: str) -> str:
    """Return the words of a title as they stand in a file's name."""
    words = re.findall("[a-z]+", title.lower())
    return "_".join(word for word in words if word not in _SMALL)


def _notebook(kind: str, values: dict[str, str], metadata: dict[str, Any]) -> NotebookNode:
    """Return a notebook made of the cells in a file of the frame.

    A cell begins with `=== kind id`, and with its tag, or its minutes where that is a number.
    """
    prefix = f"{'solution' if kind == 'solutions' else kind}-{int(values['number']):02}"
    parts = _HEAD.split(_filled(f"{kind}.md", values))[1:]
    cells = []
    for cell_kind, place, extra, source in zip(*(parts[at::4] for at in range(4)), strict=True):
        new_cell = new_code_cell if cell_kind == "code" else new_markdown_cell
        cell = new_cell(source.rstrip("\n"), id=f"{prefix}-{place}")
        if extra:
            cell.metadata |= {"minutes": int(extra)} if extra.isdecimal() else {"tags": [extra]}
        cells.append(cell)
    own = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=own | metadata)


def _filled(name: str, values: dict[str, str]) -> str:
    return Template((FRAME / name).read_text(encoding="utf-8")).substitute(values)


def main(arguments: list[str] | None = None) -> int:
    """Run `make new`. Return the exit status."""
    parser = argparse.ArgumentParser(prog="make new", usage=_USAGE, description=__doc__)
    parser.add_argument("number", help="the number of the lesson")
    parser.add_argument("title", help="its title, a verb phrase")
    options = parser.parse_args(arguments)
    number, title = options.number.strip(), " ".join(options.title.split())
    if not re.fullmatch("[0-9]+", number):
        parser.error(f"N is {number!r}, but must be a number" if number else "N is missing")
    if not title:
        parser.error("TITLE is missing")
    course = Course()
    try:
        paths = cut(course, int(number), title)
    except AuthoringError as error:
        print(error, file=sys.stderr)
        return 1
    print(*map(course.shown, paths), sep="\n")
    print("Write what they ask for (WRITE: …), then: make build")
    return 0


if __name__ == "__main__":
    sys.exit(main())
