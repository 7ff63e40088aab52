"""The file of progress: it is a text, it survives damage, and no update is lost."""

import os
import subprocess
import sys

import pytest

from channels_live import LessonError
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT, Progress
from channels_live.workspace import workspace_folder


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """Return the path of the file of progress, in a workspace that is not there yet."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace" / "progress.txt"


def write(file, content):
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)


def kept():
    return [path.read_bytes() for path in sorted((workspace_folder() / "kept").glob("*"))]


def test_it_is_a_text_with_a_line_for_each_exercise(file):
    Progress().set_state("10.1", NOT_YET)
    Progress().set_state("9.2", RIGHT)
    Progress().set_state("5.1", NOT_ATTEMPTED)
    assert [Progress().add_hint("9.2", 3) for _ in range(2)] == [1, 2]
    assert file.read_text() == (
        "edition 2\n5.1   not attempted\n9.2   right  hints: 2\n10.1  not yet\n"
    )
    progress = Progress()
    assert progress.states == {"5.1": NOT_ATTEMPTED, "9.2": RIGHT, "10.1": NOT_YET}
    assert progress.hints == {"9.2": 2}
    assert not progress.damaged


def test_reading_writes_nothing(file):
    progress = Progress()
    assert (progress.states, progress.hints, progress.damaged) == ({}, {}, False)
    assert not file.parent.exists()


def test_no_more_hints_are_counted_than_there_are():
    assert [Progress().add_hint("5.1", 2) for _ in range(3)] == [1, 2, 2]


def test_hint_gives_no_state(file):
    Progress().add_hint("5.1", 3)
    assert Progress().states == {}
    assert Progress().hints == {"5.1": 1}
    assert not Progress().damaged


def test_it_may_be_edited_by_hand(file):
    write(file, b"\r\n  5.2 right\r\n5.1    not yet   hints: 2\r\n\r\n")
    progress = Progress()
    assert progress.states == {"5.1": NOT_YET, "5.2": RIGHT}
    assert progress.hints == {"5.1": 2}
    assert not progress.damaged


WHOLE = b"5.1   right  hints: 2\n"


@pytest.mark.parametrize(
    "rest",
    [
        b"\xff\xfe\0\0\x80garbage\n",
        b"5.2   not y",
        b"5.2   rig\n",
        b"5.2   right  hin",
        b"5.2   right  hints: many\n",
        b"{}\n",
        b"5.2\0\0\0\0\0\0\0\0",
    ],
)
def test_of_a_damaged_file_all_that_can_be_read_stays(file, rest):
    write(file, WHOLE + rest)
    progress = Progress()
    assert progress.damaged
    assert progress.states == {"5.1": RIGHT}
    assert progress.hints == {"5.1": 2}
    progress.set_state("5.3", NOT_YET)
    assert kept() == [WHOLE + rest]
    assert file.read_bytes() == b"edition 2\n" + WHOLE + b"5.3   not yet\n"
    assert not Progress().damaged
    Progress().set_state("5.3", RIGHT)
    assert len(kept()) == 1


def test_line_that_was_cut_off_where_a_line_may_end_is_noticed(file):
    write(file, b"5.1   right  hints: 1")  # of 12, who knows
    assert Progress().damaged
    assert Progress().states == {"5.1": RIGHT}


def test_folder_in_place_of_the_file_is_kept(file):
    file.mkdir(parents=True)
    assert Progress().damaged
    Progress().set_state("5.1", RIGHT)
    assert file.read_text() == "edition 2\n5.1   right\n"
    (folder,) = (workspace_folder() / "kept").iterdir()
    assert folder.is_dir()


def test_restored_states_do_not_replace_others(file):
    write(file, b"5.1   right\n5.2   hints: 1\n")
    Progress().restore({"5.1": NOT_YET, "5.2": NOT_YET, "5.3": RIGHT})
    assert file.read_text() == "edition 2\n5.1   right\n5.2   not yet  hints: 1\n5.3   right\n"


@pytest.mark.parametrize("place", ["workspace", "workspace/.progress.lock/x", "workspace/kept"])
def test_workspace_that_cannot_be_written(tmp_path, file, place):
    in_the_way = tmp_path / place
    in_the_way.parent.mkdir(exist_ok=True, parents=True)
    if place.endswith("kept"):
        write(file, b"damaged")
    in_the_way.write_text("in the way")
    with pytest.raises(LessonError, match=r"cannot be written: .+ CHANNELS_LIVE_WORKSPACE"):
        Progress().set_state("5.1", RIGHT)
    assert in_the_way.read_text() == "in the way"
    if place.endswith("kept"):
        assert file.read_bytes() == b"damaged"


def test_two_processes_at_once_lose_nothing(file):
    code = (
        "import sys; from channels_live.progress import Progress\n"
        "print(flush=True); input()\n"
        "for number in range(1, 21):\n"
        "    Progress().set_state(f'{sys.argv[1]}.{number}', 'right')\n"
        "    Progress().add_hint('3.1', 100)\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [
        subprocess.Popen([sys.executable, "-c", code, lesson], env=os.environ, **pipes)
        for lesson in "12"
    ]
    for process in running:
        process.stdout.readline()
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    seen = 0
    while any(process.poll() is None for process in running):
        progress = Progress()  # never sees half a file
        assert not progress.damaged
        assert len(progress.states) >= seen
        seen = len(progress.states)
    for process in running:
        process.communicate()
    assert [process.returncode for process in running] == [0, 0]
    progress = Progress()
    both = {f"{lesson}.{number}" for lesson in "12" for number in range(1, 21)}
    assert progress.states == dict.fromkeys(both, RIGHT)
    assert progress.hints == {"3.1": 40}
