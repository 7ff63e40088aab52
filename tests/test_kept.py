"""Whatever ends what we do, a working copy is whole or not there, and nothing written is gone."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from answers import RIGHT_5_1, WRONG_5_1, everything, work_on

from channels_live import Exercise, Lesson, LessonError, kept, locks, work, workspace
from channels_live.exercise import task
from channels_live.kernel import KERNEL
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT, Progress
from channels_live.workspace import SAMPLE, changed_files, is_laid_out, missing_files

# what a check remembers does not depend on how its server starts
pytestmark = pytest.mark.usefixtures("forked_servers")
ANSWER = "myapp/answer.py"
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals and limits")


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """Return an empty workspace, in a kernel that has made no lesson yet."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(KERNEL, "_locks", [])
    monkeypatch.setattr(KERNEL, "_claimed", {})
    monkeypatch.setattr(KERNEL, "lessons", {})
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    yield tmp_path / "workspace"
    os.environ.clear()
    os.environ.update(environment)


def python(code, **options):
    """Start Python with this code, and everything of ours that it needs."""
    head = "from channels_live import *; from channels_live.progress import *; import os, sys\n"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", head + code], text=True, **pipes | options)


def holding(own, text):
    """Return the files anywhere in the workspace that hold just this text."""
    return [
        path for path in own.rglob("*") if path.is_file() and path.read_bytes() == text.encode()
    ]


# What was right


@pytest.mark.live
def test_what_was_right_is_kept_and_stays_right(own):
    exercise = Exercise("5.1")
    answer = exercise.folder / ANSWER
    answer.write_text(RIGHT_5_1)
    for _ in range(2):
        assert exercise.check().state == RIGHT
    (version,) = (own / "kept/right/5.1").iterdir()
    assert everything(version).keys() == {"myapp", ANSWER}
    assert (version / ANSWER).read_text() == RIGHT_5_1

    answer.write_text(WRONG_5_1)
    outcome = exercise.check()
    assert outcome.state == NOT_YET
    where = f"workspace/kept/right/5.1/{version.name}"
    assert outcome.advice["before"] == f"it was right; that is kept in {where}"
    progress = Progress()
    assert (progress.states, progress.now) == ({"5.1": RIGHT}, {"5.1": NOT_YET})
    assert "5.1   right  now: not yet\n" in (own / "progress.txt").read_text()

    exercise.reset()
    assert (Progress().states, Progress().now) == ({"5.1": RIGHT}, {"5.1": NOT_ATTEMPTED})
    answer.write_text(RIGHT_5_1 + "# better\n")
    assert exercise.check().state == RIGHT
    assert (Progress().states, Progress().now) == ({"5.1": RIGHT}, {})
    assert len(list((own / "kept/right/5.1").iterdir())) == 2


# Databases


def enter(folder, what="mine"):
    """Write into the database of a site."""
    with sqlite3.connect(folder / "db.sqlite3") as database:
        database.execute("CREATE TABLE IF NOT EXISTS entered (what)")
        database.execute("INSERT INTO entered VALUES (?)", [what])
    database.close()


def entered(folder):
    with sqlite3.connect(folder / "db.sqlite3") as database:
        return [row[0] for row in database.execute("SELECT what FROM entered")]


def test_what_was_entered_on_the_site_is_kept_when_a_lesson_is_laid_out_again(own, capsys):
    folder = Lesson(1).folder
    enter(folder)
    capsys.readouterr()
    Lesson(1)
    (place,) = (own / "kept").iterdir()
    assert entered(place) == ["mine"]
    assert capsys.readouterr().out.startswith(
        "Your site had stored something in db.sqlite3.\n"
        f"It is kept in workspace/kept/{place.name}.\n"
    )


@pytest.mark.parametrize("name", ["db.sqlite3", "db.sqlite3-wal", "db.sqlite3-journal"])
def test_folder_that_holds_nothing_but_a_database_is_kept(own, name):
    (own / "01").mkdir(parents=True)
    (own / "01" / name).write_text("what is not yet in the database")
    Lesson(1)
    (place,) = (own / "kept").iterdir()
    assert everything(place).keys() == {name}


def test_database_that_cells_have_written_last_need_not_be_kept(own):
    folder = Lesson(1).folder
    enter(folder, "by a cell")
    workspace.sign_databases(folder, workspace.database_stamps(folder))
    Lesson(1)
    assert not (own / "kept").exists()
    enter(folder, "by a cell")
    workspace.sign_databases(folder, workspace.database_stamps(folder))
    enter(folder)
    Lesson(1)
    (place,) = (own / "kept").iterdir()
    assert entered(place) == ["by a cell", "mine"]


def test_folder_without_our_manifest_is_never_removed(own):
    for name in ("empty", ".hidden"):
        (own / "01" / name).mkdir(parents=True)
    Lesson(1)
    (place,) = (own / "kept").iterdir()
    assert everything(place).keys() == {"empty", ".hidden"}


@posix
def test_link_in_place_of_a_working_copy_is_kept(own, tmp_path):
    shutil.copytree(Lesson(1).folder, tmp_path / "elsewhere")
    shutil.rmtree(own / "01")
    (own / "01").symlink_to(tmp_path / "elsewhere")
    Lesson(1)
    (place,) = (own / "kept").iterdir()
    assert place.is_symlink()
    assert (tmp_path / "elsewhere/manage.py").is_file()


# All or nothing


def is_whole(folder):
    return is_laid_out(folder) and not missing_files(folder)


def can_mount():
    """Tell whether we may mount a file system, in a name space of our own."""
    unshare = shutil.which("unshare")  # of Linux
    command = [unshare, "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(unshare) and subprocess.run(command, capture_output=True).returncode == 0


# Written by a process whose disk gets full, or whose files may not get long.
SMALL = """
import errno
for size in range(0, 400, 13):
    filler = os.path.join(os.environ["CHANNELS_LIVE_WORKSPACE"], "filler")
    fill(filler, size)
    for act in ("Lesson(1)", "Exercise('5.1')", "Exercise('5.1').reset()"):
        try:
            eval(act)
        except LessonError as error:
            print("FAILED", act, error)
    os.path.exists(filler) and os.remove(filler)
"""
FILL = {
    "disk": """
def fill(filler, left):
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
        file.truncate(max(0, file.tell() - left * 1024))
""",
    "limit": """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def fill(filler, left):
    resource.setrlimit(resource.RLIMIT_FSIZE, (left * 32, resource.RLIM_INFINITY))
""",
}
LOOK = """
from channels_live.workspace import *
from pathlib import Path
own = workspace_folder()
for folder in (own / "01", own / "exercises/05/5.1"):
    print("WHOLE", not folder.exists() or is_laid_out(folder) and not missing_files(folder))
answers = [path.read_bytes() for path in own.rglob("answer.py") if path.is_file()]
print("THERE", b"an evening of work" in answers)
print("UNDER ITS NAME", sorted(path.name for path in own.iterdir()))
"""


@pytest.mark.live
@posix
@pytest.mark.parametrize("what", ["limit", *(["disk"] if can_mount() else [])])
def test_full_disk_leaves_all_or_nothing(own, what):
    own.mkdir()
    code = "Exercise('5.1'); open('5.1/myapp/answer.py', 'w').write('an evening of work')\n"
    code += FILL[what] + SMALL
    # Its limit holds for the looking too, which writes nothing.
    command = [sys.executable, "-c", f"from channels_live import *; import os\n{code}{LOOK}"]
    if what == "disk":
        mount = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
        command = ["unshare", "-rm", "sh", "-c", mount, str(own), *command]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("FAILED") > 10
    assert run.stdout.count("FAILED") < 90
    assert "WHOLE False" not in run.stdout
    assert "THERE True" in run.stdout
    said = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    assert all("cannot be written" in line for line in said)


LOOPS = """
for _ in sys.stdin:  # a fork for each line: it has imported everything
    if child := os.fork():
        os.waitpid(child, 0)
        print("gone", flush=True)
        continue
    print(os.getpid(), flush=True)
    while True:
        lesson = Lesson(1)
        print("at", flush=True)
        exercise = Exercise("5.1")
        exercise.reset()
"""


@pytest.mark.live
@posix
def test_kill_at_any_moment_leaves_all_or_nothing(own):
    chance = random.Random(11)
    written = []
    process = python(LOOPS, stderr=None, bufsize=1)
    for count in range(25):
        process.stdin.write("\n")
        child = int(process.stdout.readline())
        process.stdout.readline()
        for place in (own / "01", own / "exercises/05/5.1"):
            text = f"written {count} in {place.name}"
            try:
                (place / f"notes {count}.txt").write_text(text)
            except OSError:
                continue  # it is just being made
            written.append(text)
        time.sleep(chance.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert any(line.endswith("gone\n") for line in process.stdout)
        for folder in (own / "01", own / "exercises/05/5.1"):
            assert not folder.exists() or is_laid_out(folder)
    process.communicate()
    gone = [text for text in written if not holding(own, text)]
    assert len(written) > 20
    assert not gone
    lesson, exercise = Lesson(1), Exercise("5.1")
    exercise.reset()
    assert is_whole(lesson.folder)
    assert exercise.check().state == NOT_ATTEMPTED
    assert not [path for path in own.rglob(".*.new") if path.is_dir()]


@pytest.mark.live
def test_interrupt_at_any_step_leaves_all_or_nothing(own, monkeypatch):
    """An interrupt comes between any two calls that change something."""
    changes = [(Path, "rename"), (Path, "mkdir"), (Path, "write_text"), (Path, "chmod")]
    changes += [(shutil, "copyfile"), (shutil, "rmtree"), (Path, "write_bytes")]
    originals = {(place, name): getattr(place, name) for place, name in changes}
    left = 0

    def interrupted(key):
        def change(*arguments, **options):
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
            return originals[key](*arguments, **options)

        return change

    exercise = Exercise("5.1")
    for steps in [*range(1, 40), *range(40, 300, 7)]:
        for act in (exercise.reset, lambda: Lesson(1)):
            for folder in (exercise.folder, own / "01"):
                if (folder / "myapp").is_dir():
                    (folder / "myapp/views.py").write_text(f"evening {steps}")
            left = steps
            with monkeypatch.context() as patched:
                for place, name in changes:
                    patched.setattr(place, name, interrupted((place, name)))
                try:
                    act()
                except KeyboardInterrupt:
                    pass
            for folder in (exercise.folder, own / "01"):
                assert not folder.exists() or is_whole(folder)
            assert holding(own, f"evening {steps}")
    exercise.reset()
    assert exercise.check().state == NOT_ATTEMPTED


def test_half_a_project_of_an_older_edition_is_mended_and_nobody_is_blamed(own, capsys):
    folder = work_on("5.1")
    (folder / ".channels_live.json").unlink()
    (folder / "manage.py").unlink()
    half = (folder / "myapp/views.py").read_bytes()[:100]
    (folder / "myapp/views.py").write_bytes(half)
    exercise = Exercise("5.1")
    assert "Some files of 5.1 were missing: manage.py, myapp/views.py." in capsys.readouterr().out
    assert exercise.check().state == NOT_ATTEMPTED


def test_what_a_learner_wrote_in_half_a_project_stays(own):
    folder = work_on("5.1", {ANSWER: RIGHT_5_1, "notes.txt": "mine"})
    (folder / ".channels_live.json").unlink()
    (folder / "manage.py").unlink()
    Exercise("5.1")
    assert changed_files(folder) == [ANSWER, "notes.txt"]
    assert (folder / "manage.py").is_file()


def test_check_mends_half_a_project_too(own):
    folder = work_on("5.1")
    (folder / ".channels_live.json").unlink()
    (folder / "manage.py").unlink()
    assert work.check(task("5.1")).state == NOT_ATTEMPTED


def test_where_work_was_moved_is_said_before_anything_fails(own, monkeypatch, capsys):
    folder = Lesson(1).folder
    (folder / "mine.txt").write_text("mine")
    rename = Path.rename
    monkeypatch.setattr(
        Path, "rename", lambda path, to: rename(path, to) if to != folder else 1 / 0
    )
    capsys.readouterr()
    with pytest.raises(ZeroDivisionError):
        Lesson(1)
    (place,) = (own / "kept").iterdir()
    assert f"It is kept in workspace/kept/{place.name}." in capsys.readouterr().out


@posix
def test_installation_that_nobody_may_write_to_is_laid_out_so_that_one_may(own, tmp_path):
    sample = tmp_path / "installed"
    shutil.copytree(SAMPLE / "start", sample)
    for path in [sample, *sample.rglob("*")]:
        path.chmod(path.stat().st_mode & 0o555)
    workspace.lay_out(own / "01", [sample, SAMPLE / "steps/02"], [("myapp/new.py", "")])
    for path in [own / "01", *(own / "01").rglob("*")]:
        assert path.stat().st_mode & 0o200, path
    runs = os.stat(SAMPLE / "start/manage.py").st_mode & 0o111
    assert (own / "01/manage.py").stat().st_mode & 0o111 == runs


# Locks, and a file of progress that cannot be written


@pytest.fixture
def holder(own):
    """Return a process that holds the lock on the file of progress, and does not answer."""
    own.mkdir()
    process = python(
        "from channels_live import locks, workspace\n"
        "with locks.lock(workspace.workspace_folder() / '.progress.lock'):\n"
        "    print('held', flush=True); input()\n"
    )
    process.stdout.readline()
    if sys.platform != "win32":
        process.send_signal(signal.SIGSTOP)
    yield process
    process.kill()
    process.communicate()


def test_lock_that_somebody_holds_ends_no_check(own, holder, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.3)
    exercise = Exercise("5.1")
    begin = time.monotonic()
    outcome = exercise.check()
    assert time.monotonic() - begin < 5
    assert outcome.state == NOT_ATTEMPTED
    said = outcome.advice["not remembered"]
    assert "Another program holds workspace/.progress.lock" in said
    assert "Shut down the notebooks and commands of this course that no longer answer" in said
    assert "Hint 1 of" in str(exercise.hint())


@pytest.mark.live
def test_progress_that_cannot_be_written_costs_no_verdict(own, capsys):
    exercise = Exercise("5.1")
    (exercise.folder / ANSWER).write_text(RIGHT_5_1)
    (own / ".progress.lock").unlink()
    (own / ".progress.lock").mkdir()
    outcome = exercise.check()
    assert outcome.state == RIGHT
    assert "could not be remembered" in outcome.advice["not remembered"]
    assert "not remembered" in str(outcome)
    assert "not remembered" in outcome._repr_html_()
    hint = str(exercise.hint())
    assert hint.startswith("Hint 1 of")
    assert "It is not remembered that you have had it" in hint
    capsys.readouterr()
    exercise.reset()
    assert "Exercise 5.1 is as at its beginning.\nIts state could" in capsys.readouterr().out


NO_LOCKS = """
import fcntl, errno, warnings
warnings.simplefilter("error")
def flock(*_):
    raise OSError(errno.{error}, "no locks here")
fcntl.flock = flock
print(Lesson(1).folder.name, flush=True)
Progress().set_state("5.1", "right")
print("remembered", flush=True)
input()
"""


@posix
@pytest.mark.parametrize("error", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
@pytest.mark.live
def test_file_system_without_locks(own, error):
    (own / ".locks").mkdir(parents=True)
    (own / ".locks/01.lock").touch()  # from when the folder was elsewhere
    code = NO_LOCKS.replace("{error}", error)
    said = []
    first = python(code)
    said.append([first.stdout.readline() for _ in range(3)])
    second = python(code)
    said.append([second.stdout.readline() for _ in range(3)])
    assert said[0][1:] == ["01\n", "remembered\n"]
    assert said[1][2] == "01-2\n"
    first.kill()
    first.communicate()
    third = python(code)
    assert [third.stdout.readline() for _ in range(3)][1] == "01\n"
    for running in (second, third):
        running.kill()
        running.communicate()


def test_two_that_keep_at_once_overwrite_nothing(own, monkeypatch, tmp_path):
    taken = own / "kept/answer-x.py"
    taken.parent.mkdir(parents=True)
    taken.write_text("of another kernel")
    rooms = iter([taken, own / "kept/answer-y.py"])
    monkeypatch.setattr(kept, "room_in_kept", lambda *_: next(rooms))
    place = kept.keep_text(tmp_path / "answer.py", b"mine")
    assert place.name == "answer-y.py"
    assert taken.read_text() == "of another kernel"


def test_lesson_error_is_what_a_learner_sees(own):
    (own / "exercises/05").mkdir(parents=True)
    (own / "exercises/05/5.1").write_text("a file in its place")
    with pytest.raises(LessonError, match="cannot be written"):
        Exercise("5.1")
