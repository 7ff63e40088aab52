"""The overview: what there is, what is done, what is next; and what was lost comes back."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import jedi
import pytest
from answers import RIGHT_5_1, WRONG_5_1, work_on

import channels_live
from channels_live import course, overview
from channels_live.exercise import tasks
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT, Progress
from channels_live.workspace import NOTEBOOKS

TASKS = tasks()


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Return a workspace that is not there yet, and put the environment back afterwards."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    environment = dict(os.environ)
    yield tmp_path / "workspace"
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def done(workspace):
    """Return a function that writes the file of progress."""

    def done(states):
        workspace.mkdir(exist_ok=True)
        lines = [f"{number}   {state}\n" for number, state in states.items()]
        (workspace / "progress.txt").write_text("".join(["edition 2\n", *lines]))

    return done


def rows():
    """Return the table that a notebook shows, row by row: texts, and the address of the link."""
    table = ET.fromstring(f"<div>{overview()._repr_html_()}</div>").find("table")
    cells = []
    for row in table.find("tbody"):
        link = row.find("th/a")
        cells.append(
            (link.text, *(cell.text or "" for cell in row.findall("td")), link.get("href"))
        )
    return cells


# What it shows


def test_new_workspace_has_nothing_done_and_stays_unwritten(workspace, capsys):
    text = str(overview())
    for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"):
        assert re.search(rf"^ ?{int(path.name[:2])} · [A-Z].+ \d+(  no exercises)?$", text, re.M)
    for task in TASKS:
        line = rf"^ +{re.escape(f'{task.number} · {task.title}')} +{task.minutes}  not attempted$"
        assert re.search(line, text, re.M)
    assert f"0 of {len(TASKS)} exercises are right." in text
    assert f"the exercises {sum(task.minutes for task in TASKS)}: 0 of" in text
    assert "Next: lesson 0 · Start here\n      then lesson 1 · " in text
    assert f"      then {TASKS[0].number} · {TASKS[0].title}" in text
    assert text.count("Next:") == 1
    assert not workspace.exists()
    assert capsys.readouterr().out == ""


def test_states_hints_and_one_next_step(done):
    done({TASKS[0].number: RIGHT, TASKS[1].number: f"{NOT_YET}  hints: 2", TASKS[3].number: RIGHT})
    text = str(overview())
    assert re.search(rf"^ +{TASKS[0].number} · .+ {TASKS[0].minutes}  right$", text, re.M)
    assert re.search(rf"^ +{TASKS[1].number} · .+ {TASKS[1].minutes}  not yet +2$", text, re.M)
    assert f"2 of {len(TASKS)} exercises are right." in text
    assert f": {TASKS[0].minutes + TASKS[3].minutes} of these are behind you." in text
    assert text.endswith(f"Next: {TASKS[1].number} · {TASKS[1].title}")
    assert overview().next == TASKS[1]


def test_what_was_right_counts_also_where_its_files_are_something_else_now(done):
    done({TASKS[0].number: f"{RIGHT}  now: {NOT_YET}  hints: 1"})
    text = str(overview())
    assert re.search(
        rf"^ +{TASKS[0].number} · .+ {TASKS[0].minutes}  right, changed +1$", text, re.M
    )
    assert f"1 of {len(TASKS)} exercises are right." in text
    assert overview().next == TASKS[1]


def test_nothing_is_next_where_all_is_right(done):
    done({task.number: RIGHT for task in TASKS})
    assert overview().next is None
    for shown in (str(overview()), overview()._repr_html_()):
        assert "All exercises are right." in shown
        assert "Next" not in shown
    assert "[##############################]" in str(overview())


def test_plain_lines_fit_a_terminal():
    assert max(map(len, str(overview()).splitlines())) <= 90


def test_notebook_gets_a_table_in_words(done):
    done({TASKS[1].number: f"{NOT_YET}  hints: 2"})
    html = overview()._repr_html_()
    root = ET.fromstring(f"<div>{html}</div>")
    assert root.find("table/caption").text == "Lessons and exercises"
    heads = root.findall("table/thead/tr/th")
    assert [head.text for head in heads] == ["Lesson or exercise", "Minutes", "State", "Hints used"]
    assert {head.get("scope") for head in heads} == {"col"}
    assert {head.get("scope") for head in root.findall("table/tbody/tr/th")} == {"row"}
    assert not re.search(r"<script|<img|color|onclick|javascript", html)
    shown = {name: (minutes, state, hints) for name, minutes, state, hints, _ in rows()}
    for task in TASKS:
        state = (NOT_YET, "2") if task == TASKS[1] else (NOT_ATTEMPTED, "")
        assert shown[f"{task.number} · {task.title}"] == (str(task.minutes), *state)
    assert shown["0 · Start here"] == ("15", "no exercises", "")
    first = f"{TASKS[0].number} · {TASKS[0].title}"
    assert root.findall("p")[-1].find("a").text == first


def test_links_lead_from_lesson_0_to_notebooks(workspace):
    addresses = {name: address for name, *_, address in rows()}
    assert len(addresses) == len(TASKS) + len(list(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")))
    for name, address in addresses.items():
        assert address.startswith("../exercises/" if "." in name.split()[0] else "../notebooks/")
        assert (NOTEBOOKS / address).is_file(), address


def test_lesson_that_somebody_has_edited_is_listed_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "03_go_on.ipynb").write_text("{")
    (tmp_path / "04_end_it.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    monkeypatch.setattr(course.notebook, "NOTEBOOKS", tmp_path)
    assert re.search(r"^ 3 · Go on +0\b", str(overview()), re.M)
    assert re.search(r"^ 4 · End it +0\b", str(overview()), re.M)
    assert "<a href" in overview()._repr_html_()


# What was lost


def test_ordinary_case_starts_no_server(done):
    work_on("5.1", {"myapp/answer.py": WRONG_5_1})  # a server would tell
    done({"5.1": RIGHT})
    assert re.search(r"5\.1 · .+  right", str(overview()))


@pytest.mark.live
@pytest.mark.parametrize("damage", [None, "", "5.2   right\n?\n"])
def test_what_is_lost_is_judged_again_and_remembered(workspace, capsys, damage):
    work_on("5.1", {"myapp/answer.py": RIGHT_5_1})
    work_on("5.2")
    if damage is not None:
        (workspace / "progress.txt").write_text(damage)
    states = {"5.1": RIGHT, "5.2": RIGHT if damage else NOT_ATTEMPTED}
    text = str(overview())
    assert re.search(r"5\.1 · .+  right", text)
    assert re.search(rf"5\.2 · .+  {states['5.2']}", text)
    assert "is lost: trying the files again" in capsys.readouterr().out
    assert Progress().states == states
    assert not Progress().damaged
    kept = [path.read_text() for path in (workspace / "kept").glob("*")]
    assert kept == ([damage] if damage else [])
    overview()
    assert capsys.readouterr().out == ""


def test_what_can_be_read_is_not_judged_again(workspace):
    work_on("5.1", {"myapp/answer.py": WRONG_5_1})
    (workspace / "progress.txt").write_text("5.1   right  hints: 3\n\0\0\0")
    assert re.search(r"5\.1 · .+  right +3", str(overview()))
    assert (workspace / "progress.txt").read_text() == "edition 2\n5.1   right  hints: 3\n"


@pytest.mark.live
def test_progress_that_is_lost_between_two_exercises_comes_back(workspace):
    work_on("5.1", {"myapp/answer.py": RIGHT_5_1})
    Progress().add_hint("5.1", 3)
    Progress().set_state("5.2", NOT_YET)
    text = str(overview())
    assert re.search(r"5\.1 · .+  right +1", text)
    assert re.search(r"5\.2 · .+  not yet", text)


def test_workspace_that_cannot_be_written_is_shown(workspace):
    workspace.write_text("a file in the place of a folder")
    assert overview().next == TASKS[0]


# Where it comes from


def test_names_of_the_package_are_not_hidden_by_its_modules():
    for module in pkgutil.walk_packages(channels_live.__path__, "channels_live."):
        # they belong into servers and into JupyterHub, or are a program
        if not module.name.endswith(("__main__", "workshop.hub")) and ".tap" not in module.name:
            importlib.import_module(module.name)
    for name in channels_live.__all__:
        assert callable(getattr(channels_live, name)), name


@pytest.mark.parametrize(
    ("source", "offered"),
    [
        ("from channels_live import ", set(channels_live.__all__)),
        ("import channels_live\nchannels_live.Lesson(5).", {"start", "stop", "folder"}),
        ("from channels_live import Lesson\nLesson(5).start('x').", {"timeline", "ws", "restart"}),
        ("from channels_live import Exercise\nExercise('5.1').check().", {"state", "details"}),
    ],
)
def test_editors_complete_it(source, offered):
    """JupyterLab asks jedi, which reads the types that are there for editors only."""
    assert offered <= {completion.name for completion in jedi.Script(source).complete()}


def test_it_can_be_imported_after_its_modules(tmp_path):
    code = "import channels_live.course, channels_live.cli\n"
    code += "from channels_live import overview\nprint(overview())"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert "Next: " in printed.stdout, printed.stderr
