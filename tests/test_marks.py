"""What is new in files that a lesson writes again: marks, changes that are shown, and folds."""

import ast
import re

import pytest
from shown_changes import applied
from test_build import cell, write

from channels_live import notebook
from channels_live.authoring import AuthoringError, finished, marks
from channels_live.authoring.course import Course
from channels_live.workspace import ROOT

BEFORE = "import os\n\n\ndef one():\n    return 1\n"
LONG = "".join(f"line_{number} = {number}\n" for number in range(60))


@pytest.mark.parametrize(
    "path, before, after, expected",
    [
        ("a.py", None, BEFORE, BEFORE),
        ("a.py", BEFORE, BEFORE, BEFORE),
        ("a.py", BEFORE, BEFORE.replace("1\n", "2\n"), BEFORE.replace("1\n", "2  # new\n")),
        # a blank line has no mark; a line that has moved has one
        ("a.py", "a\nb\nc\nd\n", "a\n\nc\nd\nb\n", "a\n\nc\nd\nb  # new\n"),
        ("a.py", "a  # why\nb\n", "a  # because\nb\n", "a  # because  # new\nb\n"),
        ("a.py", "a\nb\nc\n", "a\nc\n", "a\nc\n"),
        # three fifths are noise, less are not
        ("a.py", "a\nb\nc\nd\ne\n", "a\nb\n1\n2\n3\n", "a\nb\n1\n2\n3\n"),
        ("a.py", "a\nb\nc\nd\ne\n", "a\nb\nc\n2\n3\n", "a\nb\nc\n2  # new\n3  # new\n"),
        ("a.html", "<p>\n<b>\n</p>\n", "<p>\n<i>\n</p>\n", "<p>\n<i>  {# new #}\n</p>\n"),
        # where no comment can stand, and where it would be lost in a long file: shown
        ("a.py", 'a = """\nb\n"""\nc\n', 'a = """\nd\n"""\nc\n', None),
        ("a.py", 'a = f"""\n{b}\n"""\nc\n', 'a = f"""\n{d}\n"""\nc\n', None),
        ("a.py", "a = \\\n1\nb\nc\n", "a += \\\n1\nb\nc\n", None),
        ("a.py", "a\nb\nc\nd\n", "a\nb\nc\n((\n", None),
        ("a.css", "a\nb\nc\n", "a\nb\nd\n", None),
        ("a.py", LONG, LONG.replace("= 7\n", "= 8\n"), None),
    ],
)
def test_new_lines_are_marked(path, before, after, expected):
    assert marks.marked(path, before, after) == expected
    if expected is not None:
        assert marks.unmarked(path, expected) == after


def test_a_last_line_of_a_text_in_quotes_can_be_marked():
    after = 'a = """\nb\n""" + 1\nc\n'
    assert marks.marked("a.py", 'a = """\nb\n"""\nc\n', after) == after.replace("1", "1  # new")


def test_what_only_looks_like_a_mark_stays():
    for text in ("a # new\n", "a  # new: first\n", "# new\n", 'a = "  # new"\n'):
        assert marks.unmarked("a.py", text) == text
    assert marks.unmarked("a.txt", "a  # new\n") == "a  # new\n"


@pytest.mark.parametrize(
    "after",
    [
        LONG.replace("= 7\n", "= 8\n"),
        LONG.replace("line_7 = 7\n", "\n\n"),
        LONG.replace("line_7 = 7\n", "").replace("= 40\n", "= 41\nmore = 1\n"),
        "first = 1\n" + LONG + "last = 1\n",
    ],
)
def test_a_change_makes_of_the_file_before_the_file_after(after):
    fence = marks.change("a.py", LONG, after)
    assert fence.startswith("```diff\n# a.py\n") and fence.endswith("\n```")
    content = fence.removeprefix("```diff\n").removesuffix("```")
    assert applied(content, {"a.py": LONG}) == ("a.py", after)


@pytest.fixture
def course(tmp_path):
    """Return a Course whose second lesson writes three files again: one is marked, one is shown."""
    root = tmp_path / "course"
    (root / "sample_project/start").mkdir(parents=True)
    (root / "sample_project/start/a.py").write_text(BEFORE)
    (root / "sample_project/start/c.py").write_bytes(b"\xff")
    write(root / "notebooks/00_start_here.ipynb", cell("code", "zero", "%%writefile a.py\n1"))
    write(root / "notebooks/01_one_more.ipynb", cell("code", "long", f"%%writefile b.py\n{LONG}"))
    write(
        root / "notebooks/02_and_two.ipynb",
        cell("code", "mark", "%%writefile a.py\n" + BEFORE.replace("1\n", "2\n")),
        cell("markdown", "above", "Look.\n\n**Predict.** What now?"),
        cell("code", "show", "%%writefile b.py\n" + LONG.replace("= 7\n", "= 8\n").rstrip()),
        cell("code", "last", "print(1)"),
    )
    (root / "README.md").write_text("")
    return Course(root)


def cells_of(course):
    return {cell.id: cell for cell in course.lessons()[2].cells}


def test_a_lesson_is_marked_and_its_long_file_folded(course):
    (path,) = marks.stale(course)
    assert marks.renew(course) == [path] and path.name == "02_and_two.ipynb"
    cells = cells_of(course)
    assert cells["mark"].source.endswith("return 2  # new\n")
    assert cells["show"].source.endswith("= 59") and "# new" not in cells["show"].source
    assert cells["show"].metadata == {"jupyter": {"source_hidden": True}}
    assert cells["above"].source.startswith("Look.\n\n**Predict.** What now?\n\n```diff\n# b.py\n")
    assert "-line_7 = 7\n+line_7 = 8\n" in cells["above"].source
    before = path.read_bytes()
    assert marks.stale(course) == marks.renew(course) == []
    assert path.read_bytes() == before


def test_marks_and_changes_follow_what_an_author_writes(course):
    (path,) = marks.renew(course)
    text = path.read_text()
    assert text.count("return 2  # new") == 1 and text.count("line_7 = 8") == 2
    path.write_text(
        text.replace("import os", "import sys").replace("return 2  # new", "return 1  # new")
    )
    assert marks.renew(course) == [path]
    assert cells_of(course)["mark"].source.count("  # new") == 1
    assert "import sys  # new\n" in cells_of(course)["mark"].source
    # a change keeps the place that an author has given to it
    cells = cells_of(course)
    fence = re.search(r"```diff.*```", cells["above"].source, re.S)[0]
    write_above(path, f"Look:\n\n{fence.replace('= 8', '= 9')}\n\n**Predict.** What now?")
    assert marks.renew(course) == [path]
    assert cells_of(course)["above"].source == f"Look:\n\n{fence}\n\n**Predict.** What now?"


def test_what_is_no_longer_shown_is_unfolded(course):
    (path,) = marks.renew(course)
    text = path.read_text()
    path.write_text(text.replace("line_7 = 8\\n", "line_7 = 7\\n", 2))
    marks.renew(course)
    cells = cells_of(course)
    assert cells["show"].metadata == {}
    assert cells["above"].source == "Look.\n\n**Predict.** What now?"


def test_a_change_needs_a_place(course):
    path = course.lessons()[2].path
    path.write_text(path.read_text().replace('"markdown"', '"raw"'))
    with pytest.raises(
        AuthoringError, match=r"cell 'show': its change is shown in the Markdown cell"
    ):
        marks.renew(course)


def write_above(path, source):
    page = notebook.read(path)
    stored = [
        cell(part.kind, part.id, source if part.id == "above" else part.source, **part.metadata)
        for part in page.cells
    ]
    write(path, *stored, **page.metadata)


# This project


def test_marks_change_nothing_but_comments():
    for path in notebook.lesson_paths():
        for name, text in notebook.written_files(notebook.read(path).cells):
            bare = marks.unmarked(name, text)
            if name.endswith(".py"):
                try:
                    tree = ast.dump(ast.parse(bare))
                except SyntaxError:
                    continue
                assert ast.dump(ast.parse(text)) == tree, f"{path.name}: {name}"


def test_the_sample_project_has_no_marks():
    for name in finished.BUILT:
        for file in (ROOT / "sample_project" / name).rglob("*"):
            if file.suffix in marks.MARKS:
                text = file.read_text(encoding="utf-8")
                assert not re.search(r"(#|\{#|//|/\*) *new\b", text), file
