"""channels-live: what it prints, what it writes, and its exit status."""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from answers import RIGHT_5_1, WRONG_5_1, everything, work_on
from clients import eventually, family, gone

from channels_live.cli import main
from channels_live.copies import lay_out_copies
from channels_live.course import overview
from channels_live.exercise import task, tasks
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT, Progress
from channels_live.terminal import plain
from channels_live.workspace import ROOT

SCRIPT = Path(sysconfig.get_path("scripts"), "channels-live")
TASKS = tasks()


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Return a workspace that is not there yet; put environment and folder back afterwards."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    yield tmp_path / "workspace"
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def run(capsys):
    """Return a function that runs the command; it returns exit status, output and complaints."""

    def run(line):
        try:
            status = main(line.split())
        except SystemExit as stop:  # so argparse ends
            status = stop.code
        out, err = capsys.readouterr()
        assert str(ROOT / "channels_live") not in out + err  # no traceback of ours
        return status, out, err

    return run


def real(*words, **options):
    """Run the installed command, in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    return subprocess.Popen([SCRIPT, *words], **pipes | options)


# list, next


def test_installed_command_lists_from_any_folder(tmp_path):
    Progress().set_state("5.1", RIGHT)
    (tmp_path / "elsewhere").mkdir()
    # in a terminal that knows few characters
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    process = real("list", cwd=tmp_path / "elsewhere", env=environment)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert re.search(r"^ +5\.1 \? .+ \d+  right$", out, re.M)
    assert f"Next: {TASKS[0].number} ? " in out


def test_next_says_what_is_asked_and_lays_it_out(run, workspace):
    for exercise in TASKS:
        if exercise.number != "5.2":
            Progress().set_state(exercise.number, RIGHT)
    status, out, err = run("next")
    assert (status, err) == (0, "")
    assert out.startswith("5.2 · Count what is said\n")
    assert "\nGoal. /ws/count/" in out
    assert "Exercise 5.2: your files are in workspace/exercises/05/5.2" in out
    (lesson,) = re.findall(r"^  lesson  (.+)$", out, re.M)
    (change,) = re.findall(r"^  change  (.+)$", out, re.M)
    assert Path(lesson).is_file()
    lay_out_copies()
    assert f"  lesson  {workspace}/notebooks/05_create_consumer.ipynb\n" in run("next")[1]
    assert Path(change) == workspace / "exercises/05/5.2/myapp/counting.py"
    assert "your code here" in Path(change).read_text()
    assert "  then    channels-live check 5.2" in out


def test_next_takes_a_number_and_keeps_what_is_there(run):
    folder = work_on("5.1", {"myapp/answer.py": RIGHT_5_1})
    status, out, _ = run("next 5.1")
    assert status == 0
    assert "Answer at last" in out
    assert (folder / "myapp/answer.py").read_text() == RIGHT_5_1


def test_next_names_the_lessons_in_between(run):
    for number in ("5.1", "5.2", "5.3"):
        Progress().set_state(number, RIGHT)
    for exercise in TASKS:
        if exercise.lesson < 5:
            Progress().set_state(exercise.number, RIGHT)
    _, out, _ = run("next")
    lines = "Next: lesson 6 · Update the URLs\n      then 6.1 · Bring the pages back"
    assert out.startswith(f"{lines}\n\n6.1 · Bring the pages back\n")
    assert run("list")[1].endswith(f"{lines}\n")
    assert "Next: <a href=" in overview()._repr_html_()
    assert '">6 · Update the URLs</a>, then <a href=' in overview()._repr_html_()
    outcome = task("5.3")._outcome(RIGHT, {})
    steps = ["lesson 6 · Update the URLs", "6.1 · Bring the pages back"]
    assert str(outcome).endswith(f"  next     {', then '.join(steps)}")
    files = ["../notebooks/06_update_urls.ipynb", "../exercises/06_exercises.ipynb"]
    places = ["", "#6.1-·-Bring-the-pages-back"]
    links = [
        f'<a href="{file}{place}">{step}</a>'
        for file, place, step in zip(files, places, steps, strict=True)
    ]
    assert ", then ".join(links) in outcome._repr_html_()
    assert all((ROOT / "exercises" / file).exists() for file in files)
    Progress().set_state("6.1", NOT_YET)  # begun: its lesson was read
    assert run("list")[1].endswith("Next: 6.1 · Bring the pages back\n")


def test_schedule_says_when_everything_begins_and_what_does_not_fit(run):
    status, out, _ = run("schedule 1-2 --start 13:00 --until 14:00 --no-exercises")
    assert status == 0
    assert out.startswith("13:00 ") and " 2 · Recap\n" in out and " 1.1 · " not in out
    status, out, _ = run("schedule 5 --until 9:30")
    assert status == 1
    assert "\nNo room in this day for:\n" in out and " 5.1 · Answer at last\n" in out
    for typed, words in (
        ("99", "There is no lesson 99."),
        ("five", "'five' names no lessons. Write 5, or 0-7."),
        ("5-", "'5-' names no lessons. Write 5, or 0-7."),
        ("5-3", "'5-3' ends before it begins. Write 3-5."),
        ("0-99999999999", "There is no lesson 99999999999."),
        ("5 --lunch 13:30-12:30", "--lunch 13:30-12:30 ends before it begins."),
        ("5 --start noon", "'noon' is no time of day. Write it like 9:00 or 13:30."),
        ("5 --lunch 12:30", "--lunch 12:30 says no end. Write it like 12:30-13:30."),
        ("5 --block 0", "argument --block: minutes, from 1 to 1440"),
    ):
        status, _, said = run(f"schedule {typed}")
        assert status == 2 and words in said


def test_markdown_is_plain_in_a_terminal():
    assert plain("## A *b* **c d** `e*f*g` [h](i.md)\n```py\nx = `1`\n```\n2 * 3 * 4") == (
        "A b c d e*f*g h\n    x = `1`\n2 * 3 * 4"
    )


def test_next_where_all_is_right(run, workspace):
    for exercise in TASKS:
        Progress().set_state(exercise.number, RIGHT)
    assert run("next") == (0, "All exercises are right.\n", "")
    assert not (workspace / "exercises").exists()


# check


@pytest.mark.live
def test_check_tells_what_came_of_it_and_remembers_it(run, forked):
    folder = work_on("5.1", {"myapp/answer.py": WRONG_5_1})
    before = everything(folder)
    status, out, _ = run("check 5.1")
    assert status == 1
    assert out.startswith("Exercise 5.1: not yet\n")
    for said in ("sent  ", "got  ", "expected  ", "look at   the capital letters"):
        assert f"  {said}" in out
    assert "channels-live hint 5.1 gives a hint" in out
    assert "hint()" not in out
    assert Progress().states["5.1"] == NOT_YET
    assert everything(folder) == before

    (folder / "myapp/answer.py").write_text(RIGHT_5_1)
    status, out, _ = run("check 5.1")
    assert status == 0
    assert "channels-live solution 5.1 shows how we did it" in out
    assert "  next     5.2 · Count what is said" in out
    assert Progress().states["5.1"] == RIGHT


def test_check_of_untouched_files_fails_too(run):
    work_on("5.1")
    status, out, _ = run("check 5.1")
    assert status == 1
    assert out.startswith("Exercise 5.1: not attempted\n  so far  the files are as they were laid")


def test_check_before_anything_is_laid_out_says_how_and_writes_nothing(run, workspace):
    status, out, _ = run("check 5.1")
    assert status == 1
    assert "channels-live next 5.1 lays them out" in out
    assert not workspace.exists()


@pytest.mark.live
def test_check_of_several_tells_more_only_of_those_that_are_not_yet(run, forked):
    work_on("5.1", {"myapp/answer.py": RIGHT_5_1})
    work_on("5.2", {"myapp/counting.py": "x = ("})
    status, out, err = run("check --all")
    assert status == 1
    assert "Exercise 5.1: right ✓\nExercise 5.2: not yet\n  sent " in out
    assert "SyntaxError: '(' was never closed" in out
    assert "Exercise 5.3: not attempted\nExercise 6" in out
    assert out.endswith(f"\n1 of {len(TASKS)} are right.\n")
    assert err == ""  # a bar is for those who look at a terminal
    assert Progress().states == {"5.1": RIGHT, "5.2": NOT_YET}


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_check_shows_a_bar_in_a_terminal():
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = real("check", "5.1", "5.2", stderr=theirs)
    out, _ = process.communicate()
    os.close(theirs)
    assert "exercise" in os.read(ours, 10_000).decode()
    os.close(ours)
    assert out.endswith("0 of 2 are right.\n")


@pytest.mark.live
def test_json_is_as_documented(run, forked):
    work_on("5.1", {"myapp/answer.py": WRONG_5_1})
    status, out, err = run("check 5.1 5.2 --json")
    assert (status, err) == (1, "")
    first, second = json.loads(out)
    details = first.pop("details")
    assert first == {"number": "5.1", "title": "Answer at last", "state": NOT_YET}
    assert set(details) == {"sent", "got", "expected", "look at"}
    assert all(isinstance(text, str) for text in details.values())
    assert second == {
        "number": "5.2",
        "title": "Count what is said",
        "state": NOT_ATTEMPTED,
        "details": {"so far": "no files are laid out"},
    }
    assert out.isascii()
    _, help_text, _ = run("check --help")
    for key in ("number", "title", "state", "details", *details):
        assert re.search(rf"\b{key}\b", help_text), key


# Somebody else's work


@pytest.fixture
def theirs(tmp_path):
    """Return the workspace of a learner who got one right, one not, and has begun a third."""
    folder = tmp_path / "of anna" / "workspace"
    work_on("5.1", {"myapp/answer.py": RIGHT_5_1}, folder)
    work_on("5.2", {"myapp/counting.py": "x = ("}, folder)
    work_on("5.3", workspace=folder)
    if sys.platform != "win32":  # where not everybody may make links; here an editor's
        (folder / "exercises/05/5.1/myapp/.#answer.py").symlink_to("anna@laptop.4711")
    return folder


@pytest.mark.live
def test_work_of_somebody_is_judged_and_nothing_is_written(
    run, theirs, workspace, monkeypatch, forked
):
    before = everything(theirs)
    monkeypatch.chdir(theirs.parent)
    status, out, _ = run("check 5.3 --workspace workspace")
    assert status == 1
    assert out == "Exercise 5.3: not attempted\n  so far  the files are as they were laid out\n"
    status, out, _ = run("check --all --workspace workspace --json")
    states = {entry["number"]: entry["state"] for entry in json.loads(out)}
    assert {number: state for number, state in states.items() if state != NOT_ATTEMPTED} == {
        "5.1": RIGHT,
        "5.2": NOT_YET,
    }
    assert len(states) == len(TASKS)
    assert everything(theirs) == before
    assert not workspace.exists()


@pytest.mark.parametrize("name", ["progress.txt", ".locks"])
def test_workspace_without_exercises_is_one_too(run, tmp_path, name):
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / name).write_text("")
    status, out, _ = run("check 5.1 --workspace workspace")
    assert (status, out.splitlines()[0]) == (1, "Exercise 5.1: not attempted")


def test_folder_that_is_no_workspace_is_refused(run, theirs, tmp_path, monkeypatch):
    monkeypatch.chdir(theirs)
    (tmp_path / "file").touch()
    for name, said in {
        "nowhere": "There is no folder nowhere.",
        f"{tmp_path}/file": "There is no folder",
        "exercises": "exercises is no workspace. Name the one that `exercises` and",
        "..": "Name ../workspace.",
        str(ROOT): "is no workspace.",
    }.items():
        status, out, err = run(f"check --all --workspace {name}".replace(str(tmp_path), "../.."))
        assert (status, out) == (2, "")
        assert said in err.replace(os.sep, "/")


# hint, solution, reset


def test_hints_say_more_each_time_and_end(run, workspace):
    count = len(task("5.1").hints)
    said = [run("hint 5.1")[1].splitlines() for _ in range(count + 1)]
    assert [len(lines) for lines in said] == [*range(1, count), count + 1, count + 1]
    assert said[0][0] == f"Hint 1 of {count}: {task('5.1').hints[0]}"
    assert said[-1][-1].endswith("channels-live solution 5.1 shows how we did it.")
    assert said[-1] == said[-2]
    assert not (workspace / "exercises").exists()


def test_solution_is_plain_text_and_leaves_files_alone(run, workspace):
    folder = work_on("5.1", {"myapp/answer.py": WRONG_5_1})
    before = everything(workspace)
    status, out, _ = run("solution 5.1")
    assert status == 0
    assert "5.1/myapp/answer.py:\n\n    from channels" in out
    assert "Why so. Channels looks for methods by their name. recieve is only" in out
    assert not {"`", "*"} & set(out.replace("*args", ""))
    assert everything(workspace) == before
    assert folder.is_dir()


def test_reset_begins_again_and_keeps_what_was_there(run, workspace):
    folder = work_on("5.1", {"myapp/answer.py": WRONG_5_1})
    status, out, _ = run("reset 5.1")
    assert status == 0
    assert "You had changed myapp/answer.py." in out
    (kept,) = (workspace / "kept").iterdir()
    assert f"It is kept in workspace/kept/{kept.name}." in out
    assert (kept / "myapp/answer.py").read_text() == WRONG_5_1
    assert (folder / "myapp/answer.py").read_text() == dict(task("5.1").files())["myapp/answer.py"]


@pytest.mark.parametrize("option", ["", " --exercises"])
def test_fresh_lays_out_a_notebook_and_keeps_the_old_one(run, workspace, option):
    name = "exercises/05_exercises.ipynb" if option else "notebooks/05_create_consumer.ipynb"
    assert run(f"fresh 5{option}") == (0, f"A fresh copy is in workspace/{name}\n", "")
    (workspace / name).write_text("mine")
    status, out, _ = run(f"fresh 5{option}")
    (kept,) = (workspace / "kept").iterdir()
    assert (status, kept.read_text()) == (0, "mine")
    assert out.startswith(f"Your old one is kept in workspace/kept/{kept.name}.\n")
    assert run(f"fresh 99{option}")[0] == 2


# What cannot be done


@pytest.mark.parametrize("command", ["check", "hint", "solution", "reset", "next"])
def test_unknown_exercise_is_named_with_those_that_there_are(run, workspace, command):
    status, out, err = run(f"{command} 5.9")
    assert (status, out) == (2, "")
    assert err == "There is no exercise '5.9'. Those of lesson 5 are 5.1, 5.2, 5.3.\n"
    assert not workspace.exists()


@pytest.mark.parametrize(
    "line", ["", "judge 5.1", "check", "check 5.1 --all", "check --workspace .", "hint", "list 5.1"]
)
def test_bad_usage_is_explained(run, workspace, line):
    status, out, err = run(line)
    assert (status, out) == (2, "")
    assert err.startswith("usage: channels-live")
    assert not workspace.exists()


@pytest.mark.parametrize("command", ["next", "reset 5.1", "fresh 5"])
def test_workspace_that_cannot_be_written(run, workspace, command):
    workspace.write_text("a file in the place of a folder")
    status, _, err = run(command)
    assert status == 2
    assert re.search("cannot be written: .+ CHANNELS_LIVE_WORKSPACE", err)
    assert workspace.read_text() == "a file in the place of a folder"


def test_check_tells_also_where_it_cannot_remember(run, workspace):
    work_on("5.1")
    (workspace / ".progress.lock").mkdir()
    status, out, err = run("check 5.1 5.2")
    assert status == 2
    assert "cannot be written" in err
    assert out.startswith("Exercise 5.1: not attempted\nExercise 5.2: not attempted\n")


def test_help_explains_itself(run):
    status, out, _ = run("--help")
    assert status == 0
    commands = ["list", "next", "check", "hint", "solution", "reset", "fresh"]
    commands += ["explain", "schedule", "watch", "board", "join", "leave", "class", "doctor"]
    assert re.findall(r"^    (\w+)  +\w", out, re.M) == commands
    for command in commands:
        status, out, _ = run(f"{command} --help")
        assert status == 0
        assert "exit status:" in out


# Terminals and programs of all sorts


def test_missing_package_is_named_and_the_doctor_recommended(tmp_path):
    (tmp_path / "filelock.py").write_text("raise ImportError('filelock is not installed')")
    process = real("list", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err == "filelock is not installed. `channels-live doctor` says what to do.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes and signals")
def test_reader_that_has_seen_enough():
    with real("list") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 2


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes and signals")
def test_interrupt_ends_it_without_a_traceback(workspace):
    folder = work_on("5.1", {"myapp/answer.py": "while True:\n    pass\n"})
    process = real("check", "5.1", env=os.environ | {"TMPDIR": str(workspace)})
    # a copy of the project is there: the check has begun
    assert eventually(lambda: list(workspace.glob("channels_live_*/site/manage.py")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (2, "", "Interrupted.\n")
    assert not list(workspace.glob("tmp*/site"))
    assert folder.is_dir()


HANGS = """
import os, subprocess, time

child = subprocess.Popen(["sleep", "300"], start_new_session=True)
with open(os.environ["SEEN"], "w") as seen:
    print(os.getpid(), child.pid, file=seen)
time.sleep(300)
"""


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("end", ["SIGHUP", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_of_a_check_whose_terminal_closes(workspace, tmp_path, end):
    work_on("1.2", {"knock.py": HANGS})
    seen, copies = tmp_path / "seen", tmp_path / "copies"
    copies.mkdir()
    own = {"SEEN": str(seen), "TMPDIR": str(copies)}
    with real("check", "1.2", env=os.environ | own) as process:
        assert eventually(lambda: seen.exists() and seen.read_text().endswith("\n"))
        program, child = map(int, seen.read_text().split())
        started = [*family(process.pid), *family(child)]
        assert program in {each.pid for each in started}
        assert list(copies.glob("channels_live_*"))
        process.send_signal(getattr(signal, end))
        process.wait(10)
    assert gone(started, within=4)
    assert eventually(lambda: not list(copies.glob("channels_live_*/site")), within=4)
