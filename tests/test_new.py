"""`make new`: a lesson is cut from the frame, and it works before anything is written in it."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import SimpleNamespace

import pytest

from channels_live import notebook
from channels_live.authoring import AuthoringError, new
from channels_live.authoring.course import Course
from channels_live.workspace import ROOT

COPIED = ("channels_live", "exercises", "notebooks", "sample_project", "solutions", "tests")
PAGES = ("README.md", "CONTRIBUTING.md", "pyproject.toml", "requirements.txt", "conftest.py")


def copy_of_this_project(folder):
    """Copy this project, and return the copy's Course."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PAGES:
        shutil.copy(ROOT / name, folder)
    return Course(folder)


def free_number(course):
    return max(course.lessons()) + 1


def run(course, *arguments):
    """Run a module of Python in a course, and return what it printed and its status."""
    result = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=course.root,
        env=os.environ | {"PYTHONPATH": str(course.root)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return result.stderr + result.stdout, result.returncode  # what it says last, at the end


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Cut a lesson in a copy of this project. Return the course, its number and its files."""
    course = copy_of_this_project(tmp_path_factory.mktemp("new") / "course")
    number = free_number(course)
    told, status = run(
        course, "channels_live.authoring.new", str(number), "Try what the frame says"
    )
    assert status == 0, told
    files = [course.root / line for line in told.splitlines() if line.endswith((".ipynb", ".py"))]
    return SimpleNamespace(course=course, number=number, files=files, told=told)


def test_four_files_are_cut(cut):
    name = f"{cut.number:02}_try_what_frame_says.ipynb"
    assert [cut.course.shown(path) for path in cut.files] == [
        f"notebooks/{name}",
        f"solutions/{name}",
        f"channels_live/checks/lesson_{cut.number:02}.py",
        f"tests/wrong_answers/lesson_{cut.number:02}.py",
    ]
    assert cut.told.endswith("Write what they ask for (WRITE: …), then: make build\n")


def test_they_hold_the_frame(cut):
    lesson, solved = (notebook.read(path) for path in cut.files[:2])
    assert (lesson.title, lesson.minutes) == ("Try what the frame says", 45)
    ids = [cell.id for cell in (*lesson.cells, *solved.cells)]
    assert len(set(ids)) == len(ids)
    assert ids[0] == f"lesson-{cut.number:02}-01"
    tasks = notebook.tasks_of(solved)
    assert [(task.number, task.kind, task.minutes) for task in tasks] == [
        (f"{cut.number}.1", "repair", 10),
        (f"{cut.number}.2", "build", 10),
    ]
    left = "\n".join(path.read_text(encoding="utf-8") for path in cut.files)
    assert "$" not in left


def test_wrong_answers_fit_the_solutions(cut, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    name = f"wrong_answers.lesson_{cut.number:02}"
    spec = spec_from_file_location(name, cut.files[3])
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for task in notebook.tasks_of(notebook.read(cut.files[1])):
        solved = dict(notebook.written_files(task.cells))
        assert len(module.WRONG[task.number]) == 3
        for wrong in module.WRONG[task.number]:
            assert solved[f"{task.number}/{wrong.path}"].count(wrong.old) == 1


def test_they_are_clean(cut):
    files = [str(path) for path in cut.files]
    for command in (["check"], ["format", "--check"]):
        told, status = run(cut.course, "ruff", *command, "--no-cache", *files)
        assert status == 0, told
    told, status = run(cut.course, "codespell_lib", *files)
    assert status == 0, told


@pytest.mark.live
def test_it_is_built_and_then_only_words_are_missing(cut):
    told, status = run(cut.course, "channels_live.authoring.build", str(cut.number))
    assert status == 0, told
    assert told.endswith("All is as built.\n")
    solved = notebook.read(cut.files[1])
    shown = "".join(str(output) for cell in solved.code for output in cell.outputs)
    for at in (1, 2):
        assert f"Exercise {cut.number}.{at}: right" in shown
    last = cut.course.lessons()[cut.number - 1]
    assert f"[Lesson {cut.number}: Try what the frame says]" in last.cells[-1].source
    told, _ = run(
        cut.course,
        *("pytest", "-q", "-p", "no:cacheprovider"),
        *("tests/test_notebooks.py", "tests/test_now_you.py", "tests/test_exercises.py"),
        *("-k", f"({cut.number} or every_lesson or verb_phrase) and not TestLesson"),
    )
    name = cut.files[0].stem
    assert re.findall(r"^FAILED (\S+)", told, re.M) == [
        f"tests/test_notebooks.py::test_nothing_is_left_to_write[{name}]",
        f"tests/test_notebooks.py::test_prose_is_long_enough_and_not_too_long[{name}]",
    ], told
    assert f"solutions/{name}.ipynb: WRITE: all that the check tries." in told
    assert "write 400 to 1800 words; there are" in told


# What is refused


@pytest.fixture
def course(tmp_path):
    """Return a Course with the lessons of this project, and nothing else."""
    for name in ("notebooks", "solutions"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "channels_live" / "checks").mkdir(parents=True)
    (tmp_path / "tests" / "wrong_answers").mkdir(parents=True)
    return Course(tmp_path)


@pytest.mark.parametrize(
    ("number", "title", "message"),
    [
        (0, "Run it again", "N is 0, but a lesson's number is one from 1 to 99."),
        (100, "Run it again", "N is 100, but"),
        (5, "Run it again", "The number 5 is taken by notebooks/05_create_consumer.ipynb. The"),
        (98, "Create a consumer", "notebooks/05_create_consumer.ipynb has this title already."),
        *(
            (98, title, f"TITLE is {title!r}, but a title is a verb and its object")
            for title in ("Run", "run it", "Run a", "3 more", "Run `it`", 'Run "it"', "Run it!")
        ),
    ],
)
def test_what_is_no_new_lesson_is_refused(course, number, title, message):
    before = sorted(course.root.rglob("*"))
    with pytest.raises(AuthoringError) as caught:
        new.cut(course, number, title)
    assert str(caught.value).startswith(message)
    assert sorted(course.root.rglob("*")) == before


def test_nothing_is_overwritten(course):
    number = free_number(course)
    file = course.root / "channels_live" / "checks" / f"lesson_{number:02}.py"
    file.write_text("mine")
    before = sorted(course.root.rglob("*"))
    with pytest.raises(AuthoringError, match=rf"^channels_live/checks/lesson_{number:02}\.py is"):
        new.cut(course, number, "Run it again")
    assert sorted(course.root.rglob("*")) == before
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["", ""], "N is missing"),
        (["x", "Run it again"], "N is 'x', but must be a number"),
        (["-1", "Run it again"], "N is '-1', but must be a number"),
        (["98", " "], "TITLE is missing"),
    ],
)
def test_the_command_says_how_it_is_called(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        new.main(arguments)
    told = capsys.readouterr().err
    assert message in told
    assert 'make new N=14 TITLE="Run many servers"' in told


def test_the_command_tells_what_is_wrong(course, monkeypatch, capsys):
    monkeypatch.setattr(new, "Course", lambda: course)
    assert new.main(["5", "Run it again"]) == 1
    assert "is taken by" in capsys.readouterr().err
