"""`make build`: everything that is derived, in the right order, and only what has changed."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from channels_live import notebook
from channels_live.authoring import AuthoringError, build, texts
from channels_live.authoring.course import Course
from channels_live.authoring.seals import Seals
from channels_live.workspace import ROOT


def cell(kind, name, source, **metadata):
    """Return a cell as a file stores it."""
    stored = {"cell_type": kind, "id": name, "metadata": metadata, "source": source}
    return stored | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def write(path, *cells, **metadata):
    path.parent.mkdir(exist_ok=True)
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def edit(path, old, new):
    """Replace what stands in a file once, as an author does."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old} in {path}: {text.count(old)}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def add_lesson(root, number, title, code, minutes=20):
    """Write a lesson and its solutions, with texts that are still to be derived."""
    name = f"{number:02}_{title.lower().replace(' ', '_')}.ipynb"
    write(
        root / "notebooks" / name,
        cell("markdown", "title", f"# {number} · {title}\n\n*0 minutes · Before this: nothing.*"),
        cell("code", "file", f"%%writefile app/file_{number}.py\nnumber = {number}"),
        cell("code", "work", code),
        cell("markdown", "recap", "## Recap\n\nThen the [exercises of this lesson](?) are open."),
        cell("markdown", "next", "## Next\n\n[Go back to the map](?)"),
        minutes=minutes,
        part="All of it",
        afterwards=f"what {number} is",
    )
    write(
        root / "solutions" / name,
        cell("markdown", "solution-1", f"# {number} · Exercises\n\n*0 minutes · Before this: ?*"),
        cell("markdown", "solution-2", f"## {number}.1 · Try\n\n*0 minutes · repair*", minutes=10),
        cell("code", "solution-3", "### BEGIN SOLUTION\nprint('solved')\n### END SOLUTION"),
        cell("code", "solution-4", "print('mine')", tags=["solution"]),
        cell("markdown", "solution-5", "[Back to lesson 0](?)"),
    )
    return root / "notebooks" / name


@pytest.fixture
def course(tmp_path):
    """Return a small Course in which nothing has been built."""
    root = tmp_path / "course"
    (root / "sample_project" / "start").mkdir(parents=True)
    (root / "sample_project" / "start" / "manage.py").write_text("pass\n")
    (root / "channels_live").mkdir()
    (root / "channels_live" / "server.py").write_text("pass\n")
    (root / "requirements.txt").write_text("Django==5.2\n")
    region = "<!-- made by make build -->\n?\n<!-- end -->"
    (root / "README.md").write_text(f"Ours\n\n{region}\n\nYours\n")
    write(
        root / "notebooks" / "00_start_here.ipynb",
        cell("markdown", "title", "# 0 · Start here\n\n*0 minutes · Before this: nothing.*"),
        cell("markdown", "map", f"## The map\n\n{region}\n\nTake your time."),
        cell("markdown", "next", "## Next\n\nOn you go. [Lesson 9: No such title](09_none.ipynb)"),
        cell("code", "work", "print('begun')"),
        minutes=5,
        afterwards="how to begin",
    )
    (root / "notebooks" / "app").mkdir()
    add_lesson(root, 1, "Make a file", "print('one')")
    add_lesson(root, 2, "Make another", "print('two')", minutes=30)
    return Course(root)


@pytest.fixture
def executed(monkeypatch):
    """Return the list of the notebooks that are executed, which takes no kernel here."""
    names = []

    async def execute(path, notebook, on_cell, all_right):
        name = f"{path.parent.name}/{path.name[:2]}"
        names.append(name)
        assert all_right == name.startswith("solutions/")
        for count, code in enumerate(
            (cell for cell in notebook.cells if cell.cell_type == "code"), 1
        ):
            if "1 / 0" in code.source:
                raise AuthoringError(f"{name}, cell [{count}]: ZeroDivisionError")
            code.execution_count = count
            on_cell()
        build.texts.store(notebook, path)

    monkeypatch.setattr(build, "execute", execute)
    return names


ALL = [f"{folder}/{number:02}" for folder in ("notebooks", "solutions", "exercises")
       for number in (0, 1, 2) if number or folder == "notebooks"]  # fmt: skip


def lesson(course, number):
    return next(course.notebooks.glob(f"{number:02}_*"))


def text_of(path):
    return "\n\n".join(cell.source for cell in notebook.read(path).cells)


# The texts


def test_minutes_titles_and_links_are_put_in_their_places(course):
    texts.renew(course)
    first = text_of(lesson(course, 1))
    assert "# 1 · Make a file\n\n*20 minutes · Before this: nothing.*" in first
    assert (
        "Then the [exercises of this lesson](../exercises/01_exercises.ipynb), 10 minutes: "
        "*1.1 Try*" in first
    )
    assert "## Next\n\n[Lesson 2: Make another](02_make_another.ipynb)" in first
    assert "## Next\n\n[Go back to the map](00_start_here.ipynb#The-map)" in text_of(
        lesson(course, 2)
    )
    solved = text_of(course.solutions / "01_make_a_file.ipynb")
    assert "*10 minutes · Before this: ?*" in solved
    assert "*10 minutes · repair*" in solved
    assert solved.endswith(
        "[Back to lesson 1](../notebooks/01_make_a_file.ipynb)"
        " · next: [lesson 2](../notebooks/02_make_another.ipynb)"
    )


def test_the_map_is_the_same_in_the_readme_and_in_lesson_0(course):
    texts.renew(course)
    assert course.readme.read_text(encoding="utf-8") == (
        "Ours\n\n<!-- made by make build -->\n\n"
        "| lesson | minutes | exercises | afterwards you know |\n"
        "| --- | --- | --- | --- |\n"
        "| [0 · Start here](notebooks/00_start_here.ipynb) | 5 |  | how to begin |\n"
        "| **All of it** | | | |\n"
        "| [1 · Make a file](notebooks/01_make_a_file.ipynb) | 20 "
        "| [10 minutes](exercises/01_exercises.ipynb) | what 1 is |\n"
        "| [2 · Make another](notebooks/02_make_another.ipynb) | 30 "
        "| [10 minutes](exercises/02_exercises.ipynb) | what 2 is |\n"
        "| **together** | **55** | **20 minutes** | |\n"
        "\n<!-- end -->\n\nYours\n"
    )
    start = text_of(lesson(course, 0))
    assert "| 0 · Start here | 5 |  | how to begin |" in start
    assert "| [2 · Make another](02_make_another.ipynb) | 30 |" in start
    assert "(../exercises/02_exercises.ipynb)" in start
    assert "<!-- end -->\n\nTake your time.\n\n## Next\n\nOn you go. [Lesson 1: Make a f" in start


def test_one_number_changes_everywhere(course):
    texts.renew(course)
    assert texts.stale(course) == []
    edit(lesson(course, 1), '"minutes": 20', '"minutes": 40')
    names = [course.shown(path) for path in texts.stale(course)]
    assert names == ["notebooks/00_start_here.ipynb", "notebooks/01_make_a_file.ipynb", "README.md"]
    texts.renew(course)
    assert "| **together** | **75** |" in text_of(lesson(course, 0))
    edit(course.solutions / "02_make_another.ipynb", '"minutes": 10', '"minutes": 15')
    texts.renew(course)
    assert "*15 minutes · Before this" in text_of(course.solutions / "02_make_another.ipynb")
    assert ", 15 minutes: *2.1 Try*" in text_of(lesson(course, 2))
    assert "**25 minutes**" in course.readme.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("notebooks/01", "*0 minutes", "Some minutes", "cell 'title': just one place must look"),
        ("notebooks/01", "Then the [", "Now the [", "'Then the [exercises of this lesson]"),
        ("notebooks/01", "[Go back", "Go back", "'[Lesson 6: Its title](06_its_name.ipynb)'"),
        ("notebooks/01", '"minutes": 20', '"minutes": "20"', 'need "minutes", a whole number'),
        ("notebooks/01", '"part"', '"parts"', 'its metadata need "part"'),
        ("notebooks/01", '"afterwards"', '"later"', 'its metadata need "afterwards"'),
        ("notebooks/00", "<!-- end -->", "", "'<!-- made by make build -->"),
        ("solutions/01", '"minutes": 10', '"minutes": 0', "of the heading 1.1 need"),
        ("solutions/01", "*0 minutes · repair*", "short", "cell 'solution-2': just one place"),
        ("solutions/01", "[Back to", "[To", "'[Back to lesson 5]"),
        ("README.md", "<!-- end -->", "", "README.md: the map stands once between"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_changed(course, file, old, new, message):
    (path,) = course.root.glob(f"{file}*")
    edit(path, old, new)
    before = {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()}
    with pytest.raises(AuthoringError) as caught:
        texts.renew(course)
    assert message in str(caught.value)
    assert {path: path.read_bytes() for path in before} == before


# Only what has changed


def test_all_is_built_in_order_and_then_nothing(course, executed):
    assert build.differences(course)
    assert build.build(course) == []
    assert executed == ALL
    assert build.differences(course) == []
    assert (course.sample / "finished" / "app" / "file_2.py").read_text() == "number = 2\n"
    (exercise,) = notebook.read(course.exercises / "01_exercises.ipynb").code
    assert exercise.source == "...  # your code here"
    executed.clear()
    assert build.build(course) == []
    assert executed == []


@pytest.fixture
def change(course, executed):
    """Return a function that changes a file of a built course, and tells what is executed then."""
    build.build(course)

    def change(file, old, new):
        executed.clear()
        (path,) = course.root.glob(file)
        edit(path, old, new)
        assert build.build(course) == []
        return executed

    return change


def test_what_a_notebook_does_is_executed_again(change):
    assert change("notebooks/01*", "'one'", "'uno'") == ["notebooks/01"]


def test_prose_and_minutes_execute_only_the_overview(change):
    assert change("notebooks/01*", "nothing.", "lesson 0.") == []
    assert change("notebooks/01*", '"minutes": 20', '"minutes": 25') == ["notebooks/00"]


def test_solutions_execute_the_exercises_too(change):
    assert change("solutions/02*", "'solved'", "'mended'") == ["solutions/02", "exercises/02"]


def test_a_file_executes_all_who_begin_with_it(change):
    assert change("notebooks/01*", "number = 1", "number = 7") == ALL  # 00 begins with the finished


def test_the_last_file_executes_only_what_comes_after(change):
    assert change("notebooks/02*", "number = 2", "number = 7") == [
        "notebooks/00",
        "notebooks/02",
        "solutions/02",
        "exercises/02",
    ]


@pytest.mark.parametrize("file", ["channels_live/server.py", "requirements.txt"])
def test_what_all_depend_on_executes_all(change, course, file):
    old = (course.root / file).read_text()
    assert change(file, old, f"{old}# more\n") == ALL


def test_what_no_notebook_runs_executes_nothing(course, executed):
    build.build(course)
    executed.clear()
    (course.root / "channels_live" / "authoring").mkdir()
    (course.root / "channels_live" / "authoring" / "build.py").write_text("pass\n")
    (course.root / "channels_live" / "checks").mkdir()
    (course.root / "channels_live" / "checks" / "lesson_01.py").write_text("pass\n")
    assert build.build(course) == []
    assert executed == ["solutions/01", "exercises/01"]


def test_outputs_saved_elsewhere_or_cleared_are_made_again(change):
    stored = '"execution_count": 2'
    assert change("notebooks/02*", stored, '"execution_count": 5') == ["notebooks/02"]
    assert change("notebooks/02*", stored, '"execution_count": null') == ["notebooks/02"]


def test_some_lessons_or_all_can_be_asked_for(course, executed):
    assert build.build(course, [2]) == []
    assert executed == ["notebooks/02", "solutions/02", "exercises/02"]
    executed.clear()
    assert build.build(course, [2], everything=True) == []
    assert executed == ["notebooks/02", "solutions/02", "exercises/02"]
    executed.clear()
    assert build.build(course, everything=True) == []
    assert executed == ALL


def test_exercises_without_solutions_go(course, executed):
    build.build(course)
    (course.exercises / "09_old_one.ipynb").write_text("{}")
    assert build.differences(course) == ["exercises/09_old_one.ipynb is superfluous."]
    build.build(course)
    assert build.differences(course) == []


def test_a_failure_is_told_and_the_others_go_on(course, executed):
    edit(lesson(course, 1), "print('one')", "1 / 0")
    (failure,) = build.build(course)
    assert failure == (
        "notebooks/01, cell [2]: ZeroDivisionError\n"
        "notebooks/01_make_a_file.ipynb is left as it was."
    )
    assert executed == ALL
    assert not notebook.read(lesson(course, 1)).is_executed
    executed.clear()
    assert len(build.build(course)) == 1
    assert executed == ["notebooks/01"]


def test_solutions_that_cannot_be_stripped_fail_alone(course, executed):
    build.build(course)
    executed.clear()
    edit(course.solutions / "01_make_a_file.ipynb", "### END SOLUTION", "# END")
    edit(course.solutions / "02_make_another.ipynb", "'solved'", "'mended'")
    with pytest.raises(AuthoringError, match="without its counterpart"):
        build.differences(course)
    (failure,) = build.build(course)
    assert "01_make_a_file.ipynb: without its counterpart" in failure
    assert executed == ["solutions/01", "solutions/02", "exercises/02"]


def git(course, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=course.root,
        check=True,
        capture_output=True,
    )


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_what_is_committed_counts_as_built(course, executed, tmp_path):
    build.build(course)
    (course.root / ".gitignore").write_text(".build/\n")
    for arguments in (["init"], ["add", "."], ["commit", "-m", "All"]):
        git(course, *arguments)
    executed.clear()
    git(course, "clone", ".", str(tmp_path / "clone"))
    clone = Course(tmp_path / "clone")
    assert not (clone.root / ".build").exists()
    assert build.build(clone) == []
    assert executed == []
    edit(lesson(clone, 2), "'two'", "'due'")
    assert build.build(clone) == []
    assert executed == ["notebooks/02"]
    git(clone, "checkout", "notebooks")
    assert build.build(clone) == []
    assert executed == ["notebooks/02"]


def test_without_git_what_is_executed_counts_as_built(course, executed):
    build.build(course)
    shutil.rmtree(course.root / ".build")
    executed.clear()
    assert build.build(course) == []
    assert executed == []


# The command


@pytest.mark.live
def test_notebooks_are_really_executed(course, capsys):
    assert build.build(course, [0, 1]) == []
    outputs = [cell.outputs for cell in notebook.read(lesson(course, 1)).code]
    assert outputs[1] == [{"name": "stdout", "output_type": "stream", "text": ["one\n"]}]
    assert Seals(course).is_built(lesson(course, 1))
    assert not Seals(course).is_built(lesson(course, 2))
    told = capsys.readouterr().out
    assert "notebooks/01_make_a_file.ipynb: its outputs\n" in told
    assert "exercises/01_exercises.ipynb: its outputs\n" in told


def test_the_command_checks_builds_and_fails(course, executed, monkeypatch, capsys):
    monkeypatch.setattr(build, "Course", lambda: course)
    assert build.main(["--check"]) == 1
    told = capsys.readouterr().out
    assert "README.md is stale.\n" in told
    assert "sample_project/steps/01/app/file_1.py is missing.\n" in told
    assert "exercises/02_exercises.ipynb is missing.\n" in told
    assert "notebooks/02_make_another.ipynb: its outputs are older" in told
    assert told.endswith("Run: make build\n")
    assert executed == []
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
    assert capsys.readouterr().out.endswith("All is as built.\nAll is as built.\n")
    edit(lesson(course, 1), "print('one')", "1 / 0")
    assert build.main(["1"]) == 1
    told = capsys.readouterr().err
    assert "notebooks/01, cell [2]: ZeroDivisionError\n" in told
    assert "1 of the notebooks failed" in told
    edit(lesson(course, 1), "%%writefile app", "%%writefile ../app")
    assert build.main([]) == 1
    assert "a cell begins with '%%writefile ../app" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        build.main(["98"])
    assert "there is no lesson 98" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent there")
@pytest.mark.live
def test_an_interruption_ends_the_kernels_and_leaves_the_files(course, tmp_path):
    path = lesson(course, 1)
    here, there = tmp_path / "begun", tmp_path / "ended"
    edit(path, "print('one')", f"open({str(here)!r}, 'w').close(); import time; time.sleep(60)")
    script = (
        "import sys; from pathlib import Path; from channels_live.authoring import build;"
        "from channels_live.authoring.course import Course;"
        f"build.Course = lambda: Course(Path({str(course.root)!r})); sys.exit(build.main(['1']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, cwd=there.parent
    )
    while not here.exists():
        assert process.poll() is None
    before = path.read_bytes()
    process.send_signal(2)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "Ending the kernels." in told
    assert path.read_bytes() == before


# This project


def test_every_derived_file_of_this_project_is_as_built():
    assert build.differences(Course()) == [], "Run: make build"


def test_derived_files_are_marked_for_reviewers():
    lines = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    marked = [line.split()[0] for line in lines if line.endswith(" linguist-generated")]
    assert marked == [*build.DERIVED, "requirements.txt"]  # the last is made by `make lock`
    for pattern in marked:
        assert any(ROOT.glob(pattern)), pattern


def test_the_makefile_and_contributing_name_the_command():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pages = [makefile, *(path.read_text(encoding="utf-8") for path in ROOT.glob("*.md"))]
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    for page in pages:
        assert set(re.findall(r"`make ([a-z]+)", page)) <= targets
