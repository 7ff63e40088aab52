"""Notebooks are taken apart in one place, whatever somebody has made of them."""

import json
import subprocess
import sys

import pytest

from channels_live import notebook
from channels_live.notebook import Cell, stripped, written_file, written_files
from channels_live.workspace import SOLUTIONS


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("%%writefile app/views.py\none\ntwo", ("app/views.py", "one\ntwo\n")),
        ("%%writefile  manage.py \none\n", ("manage.py", "one\n")),
        ("%%writefile manage.py\n", ("manage.py", "\n")),
        ("%%writefile -a manage.py\none\n", None),
        ("%%writefile\none\n", None),
        ("%%bash\none\n", None),
        ("open('manage.py')", None),
        ("", None),
    ],
)
def test_file_that_a_cell_writes_is_known(source, written):
    assert written_file(source) == written


def test_only_code_writes_files_and_in_its_order():
    cells = [Cell("code", "%%writefile a\n1"), Cell("markdown", "%%writefile b\n2")]
    cells.append(Cell("code", "%%writefile a\n3"))
    assert list(written_files(cells)) == [("a", "1\n"), ("a", "3\n")]


@pytest.fixture
def lesson(tmp_path):
    """Return a function that writes a lesson of these cells, pairs of kind and source."""

    def lesson(*cells, **metadata):
        content = {
            "cells": [{"cell_type": kind, "source": source} for kind, source in cells],
            "metadata": metadata,
        }
        path = tmp_path / "07_run_server.ipynb"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return lesson


def test_text_may_be_stored_as_lines_and_the_rest_may_be_missing(lesson):
    (cell,) = notebook.read(lesson(("code", ["a\n", "b"]))).cells
    assert cell == Cell("code", "a\nb")
    assert (cell.tags, cell.outputs, cell.execution_count) == ([], [], None)


def test_title_and_minutes_of_a_lesson(lesson):
    page = notebook.lesson(lesson(("markdown", "# 7 · Run the server\n\nText."), minutes=25))
    assert (page.number, page.title, page.minutes) == (7, "Run the server", 25)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 5}', '{"cells": [{}]}', "\xff"])
def test_spoilt_lesson_has_the_title_of_its_file(lesson, content):
    path = lesson()
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError):
        notebook.read(path)
    page = notebook.lesson(path)
    assert (page.number, page.title, page.minutes, page.cells) == (7, "Run server", 0, [])


def test_exercises_begin_with_their_headings():
    for path in notebook.lesson_paths(SOLUTIONS):
        tasks = notebook.task_cells(path)
        assert [task.number for task in tasks] == [
            f"{int(path.name[:2])}.{at}" for at in range(1, len(tasks) + 1)
        ]
        for task in tasks:
            assert task.cells[0].source.startswith(f"## {task.number} · {task.title}")
            assert not any(cell.source.startswith("## ") for cell in task.cells[1:-1])


@pytest.mark.parametrize(
    "text", ["### BEGIN SOLUTION\nx", "x\n### END SOLUTION", "### BEGIN SOLUTION\n" * 2]
)
def test_half_a_solution_is_an_error(text):
    with pytest.raises(ValueError, match="without its counterpart"):
        stripped(text)


def test_solution_becomes_a_place_to_write_in():
    text = "a\n    ### BEGIN SOLUTION\n    b\n    ### END SOLUTION\nc"
    assert stripped(text) == "a\n    ...  # your code here\nc"


def test_what_a_learner_imports_does_without_the_library_for_notebooks():
    code = (
        "import sys, channels_live.terminal, channels_live.lesson\n"
        "print({'nbformat', 'jsonschema', 'httpx', 'nbclient'} & set(sys.modules))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed == "set()\n"
