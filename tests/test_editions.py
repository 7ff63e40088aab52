"""A new edition gives exercises other numbers: what was done goes with them, once and whole."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from channels_live import editions
from channels_live.editions import NEW_NUMBERS, carry_over, exercise_folder
from channels_live.progress import NOT_YET, RIGHT, Progress
from channels_live.workspace import workspace_folder

OLD = ["11.1", "12.1", "12.2", "12.3", "13.1", "13.2", "13.3"]  # of the first edition
PROGRESS = (
    "12.1  right\n12.3  right  hints: 1\n13.1  not yet  hints: 2\n13.2  right\n13.3  hints: 3\n"
)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Return a workspace as the first edition has left it."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    for number in OLD:
        folder = tmp_path / "workspace/exercises" / number[:2] / number
        folder.mkdir(parents=True)
        (folder / "mine.py").write_text(f"of {number}")
        right = tmp_path / "workspace/kept/right" / number / "right-2026-11-28-101010"
        right.mkdir(parents=True)
        (right / "mine.py").write_text(f"right {number}")
    (tmp_path / "workspace/progress.txt").write_text(PROGRESS)
    return tmp_path / "workspace"


def texts(workspace):
    """Return what is in the learner's files: path → text."""
    return {
        path.relative_to(workspace).as_posix(): path.read_text()
        for path in workspace.rglob("mine.py")
    }


CARRIED = {}
for old in OLD:
    new = NEW_NUMBERS.get(old, old)
    CARRIED[f"exercises/{new[:2]}/{new}/mine.py"] = f"of {old}"
    CARRIED[f"kept/right/{new}/right-2026-11-28-101010/mine.py"] = f"right {old}"


def test_the_new_numbers_are_those_of_the_split():
    assert NEW_NUMBERS == {"12.3": "13.2", "13.1": "14.1", "13.3": "14.2", "13.2": "15.2"}


def test_folders_get_their_new_numbers_once_and_it_is_said(workspace, capsys):
    carry_over(workspace)
    assert texts(workspace) == CARRIED
    assert capsys.readouterr().out == (
        "Some exercises have a new number in this edition: "
        "12.3 is 13.2 now (workspace/exercises/13/13.2), "
        "13.1 is 14.1 now (workspace/exercises/14/14.1), "
        "13.3 is 14.2 now (workspace/exercises/14/14.2), "
        "13.2 is 15.2 now (workspace/exercises/15/15.2).\n"
        "Your work has moved with them.\n"
    )
    carry_over(workspace)
    assert texts(workspace) == CARRIED
    assert capsys.readouterr().out == ""


def test_progress_is_read_in_new_numbers_and_then_written_so(workspace):
    states = {"12.1": RIGHT, "13.2": RIGHT, "14.1": NOT_YET, "15.2": RIGHT}
    hints = {"13.2": 1, "14.1": 2, "14.2": 3}
    for _ in range(2):
        progress = Progress()
        assert (progress.states, progress.hints, progress.damaged) == (states, hints, False)
        Progress().set_state("12.1", RIGHT)
    assert (workspace / "progress.txt").read_text() == (
        "edition 2\n12.1  right\n13.2  right  hints: 1\n14.1  not yet  hints: 2\n"
        "14.2    hints: 3\n15.2  right\n"
    )


def test_progress_that_is_lost_does_not_bring_the_old_numbers_back(workspace):
    carry_over(workspace)
    (workspace / "progress.txt").unlink()
    carry_over(workspace)
    assert texts(workspace) == CARRIED


def test_a_new_workspace_is_of_this_edition(tmp_path):
    new = tmp_path / "new"
    (new / "exercises").mkdir(parents=True)  # there are copies of notebooks, say
    assert exercise_folder(new, "13.1") == new / "exercises/13/13.1"
    carry_over(new)
    (new / "exercises/13/13.1").mkdir(parents=True)
    carry_over(new)
    assert (new / "exercises/13/13.1").is_dir()
    assert not (new / "exercises/14").exists()


def test_old_workspace_is_judged_by_its_old_numbers_and_nothing_is_written(workspace):
    before = sorted(workspace.rglob("*"))
    for old in OLD:
        folder = exercise_folder(workspace, NEW_NUMBERS.get(old, old))
        assert (folder / "mine.py").read_text() == f"of {old}"
    assert not exercise_folder(workspace, "13.1").exists()
    assert sorted(workspace.rglob("*")) == before


def test_what_is_in_the_place_already_is_not_overwritten(workspace):
    (workspace / "exercises/14/14.1").mkdir(parents=True)
    (workspace / "exercises/14/14.1/mine.py").write_text("made by hand")
    carry_over(workspace)
    moved = dict(CARRIED)
    del moved["exercises/14/14.1/mine.py"]
    moved["exercises/14/14.1/mine.py"] = "made by hand"
    moved["exercises/14/14.1 of the first edition/mine.py"] = "of 13.1"
    assert texts(workspace) == moved


class Killed(BaseException):
    """What ends a process in the middle."""


def test_wherever_it_is_ended_the_next_call_goes_on(workspace, monkeypatch, tmp_path):
    changes = ("rename", "replace", "mkdir", "rmdir", "write_text")
    originals = {name: getattr(Path, name) for name in changes}
    left = 0

    def ending(name):
        def change(*arguments, **options):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return originals[name](*arguments, **options)

        return change

    ended = 0
    for steps in range(100):
        copy = shutil.copytree(workspace, tmp_path / f"{steps}/workspace")
        monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(copy))
        left = steps
        with monkeypatch.context() as patched:
            for name in changes:
                patched.setattr(Path, name, ending(name))
            try:
                carry_over(copy)
            except Killed:
                ended += 1
            else:
                break
        assert sorted(texts(copy).values()) == sorted(CARRIED.values())
        for old in OLD:  # also found where it is half done, as `check --workspace` looks
            if not (copy / ".edition").exists():
                folder = exercise_folder(copy, NEW_NUMBERS.get(old, old))
                assert (folder / "mine.py").read_text() == f"of {old}"
        carry_over(copy)
        assert texts(copy) == CARRIED
    assert ended > 20


def test_two_processes_at_once(workspace):
    code = (
        "from channels_live.editions import carry_over\n"
        "from channels_live.workspace import workspace_folder\n"
        "input()\ncarry_over(workspace_folder())\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [
        subprocess.Popen([sys.executable, "-c", code], env=os.environ, **pipes) for _ in range(3)
    ]
    said = [process.communicate("\n")[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert texts(workspace_folder()) == CARRIED
    assert "".join(said).count("Your work has moved with them.") == 1


def test_every_edition_has_its_own_head():
    assert editions.is_head(editions.head())
    assert not editions.is_head("5.1   right")
