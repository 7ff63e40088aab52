"""Exercise: it lays out, checks, hints, shows, begins again; whatever a learner has written."""

import os
import re
import sys
import threading
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from answers import RIGHT_5_1, WRONG_5_1, everything, work_on
from clients import talk

from channels_live import Exercise, LessonError
from channels_live.cli import main
from channels_live.exercise import exception_first, task, tasks, without_repeats
from channels_live.notebook import BEGIN, END
from channels_live.outcome import Outcome
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT, Progress
from channels_live.workspace import ROOT, project_before

# test_exercises.py proves on a sample that what a check says does not depend on that
pytestmark = pytest.mark.usefixtures("forked_servers")
DAPHNE = "daphne -p 8000 myproject.asgi:application"
ANSWER = "myapp/answer.py"
HEAD = "from channels.generic.websocket import WebsocketConsumer\n\n\n"


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
def exercise(capsys):
    """Return Exercise("5.1"), laid out."""
    made = Exercise("5.1")
    capsys.readouterr()
    yield made
    made.stop()


def html(rich):
    """Return what a notebook gets, parsed."""
    return ET.fromstring(f"<div>{rich._repr_html_()}</div>")


# Lay out


def test_files_of_the_exercise_lie_over_the_project_as_the_lesson_leaves_it(workspace, capsys):
    exercise = Exercise("5.1")
    assert exercise.folder == workspace / "exercises/05/5.1"
    assert Path.cwd() == exercise.folder.parent
    assert capsys.readouterr().out == (
        "Exercise 5.1: your files are in workspace/exercises/05/5.1\n"
    )
    expected = {}
    for layer in project_before(6):
        paths = (path for path in layer.rglob("*") if path.is_file())
        expected |= {path.relative_to(layer).as_posix(): path.read_bytes() for path in paths}
    expected |= {path: text.encode() for path, text in task("5.1").files()}
    laid_out = everything(exercise.folder)
    for path, content in expected.items():
        if "__pycache__" not in path and not path.endswith(".sqlite3"):
            assert laid_out[path][0] == content, path
    assert Progress().states == {"5.1": NOT_ATTEMPTED}


def test_exercise_is_shown_by_its_folder(exercise):
    assert repr(exercise) == "<Exercise in workspace/exercises/05/5.1>"


def test_exercise_again_keeps_the_files_of_the_learner(exercise, capsys):
    (exercise.folder / ANSWER).write_text(RIGHT_5_1)
    (exercise.folder / "notes.txt").write_text("mine")
    (exercise.folder / "manage.py").unlink()
    Progress().set_state("5.1", RIGHT)
    before = everything(exercise.folder)
    assert Exercise("5.1").folder == exercise.folder
    assert everything(exercise.folder) == before
    assert Progress().states == {"5.1": RIGHT}
    assert not (exercise.folder.parents[2] / "kept").exists()


@pytest.mark.parametrize(
    ("number", "lesson"),
    [("5.9", 5), ("5", 5), ("5,1", 5), ("5.1 ", 5), (6, 6)]
    + [(number, None) for number in ("", "../5.1", 51, "99999.1", None, ["5.1"])],
)
def test_unknown_exercise_is_named_with_those_that_there_are(workspace, number, lesson):
    with pytest.raises(LessonError) as caught:
        Exercise(number)
    there_are = f"The exercises are 1.1 to {tasks()[-1].number}."
    if lesson:
        there_are = f"Those of lesson {lesson} are {lesson}.1, {lesson}.2, {lesson}.3."
    said = f"There is no exercise {number!r}. {there_are}"
    assert str(caught.value) == said
    assert caught.value._render_traceback_() == [f"LessonError: {said}"]
    assert not workspace.exists()


def test_workspace_that_is_a_link_in_circles(tmp_path):
    (tmp_path / "workspace").symlink_to(tmp_path / "workspace")
    with pytest.raises(LessonError, match=r"cannot be written: .+ CHANNELS_LIVE_WORKSPACE"):
        Exercise("5.1")


@pytest.mark.parametrize("place", ["workspace", "workspace/exercises", "workspace/exercises/05"])
def test_workspace_that_cannot_be_written(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("a file in the place of a folder")
    with pytest.raises(LessonError, match=r"cannot be written: .+ CHANNELS_LIVE_WORKSPACE"):
        Exercise("5.1")
    assert (tmp_path / place).read_text() == "a file in the place of a folder"


# Hint, solution, reset


def test_hints_say_more_each_time_and_end(exercise):
    hints = task("5.1").hints
    said = [str(exercise.hint()).split("\n") for _ in range(len(hints) + 2)]
    for at, lines in enumerate(said[: len(hints)], 1):
        expected = [f"Hint {n} of {len(hints)}: {hints[n - 1]}" for n in range(1, at + 1)]
        assert lines[:at] == expected
        assert len(lines) == at + (at == len(hints))
    assert said[-1][-1] == "That was the last hint. `ex1.solution()` shows how we did it."
    assert said[-1] == said[-2] == said[-3]
    assert Progress().hints == {"5.1": len(hints)}
    assert repr(exercise.hint()) == str(exercise.hint())
    assert exercise.hint()._repr_markdown_() == "\n\n".join(said[-1])


@pytest.mark.live
def test_hints_begin_with_what_fits_what_was_found(exercise, capsys):
    said = str(task("5.1").more_hints())
    assert said.startswith("Hint 1 of 4: The check says how far it came.")
    (exercise.folder / ANSWER).write_text(WRONG_5_1)
    for name, hint in (("recieve", "`receive` is spelt"), ("receive", "hand to `disconnect`?")):
        text = dict(task("5.1").files())[ANSWER].replace("recieve", name)
        (exercise.folder / ANSWER).write_text(f"{text}        # changed\n")
        exercise.check()
        lines = str(exercise.hint()).split("\n")
        assert hint in lines[0]
    assert len(set(lines[:3])) == 3  # all that were given; none is lost, and none twice
    assert Progress().hints == {"5.1": 3}
    # in a kernel that was started since, and in a terminal
    assert str(Exercise("5.1").hint()).startswith(lines[0])
    capsys.readouterr()
    assert main(["hint", "5.1"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == lines[0].replace("`", "")


@pytest.mark.parametrize("task", tasks(), ids=lambda task: task.number)
def test_solution_shows_code_and_why_and_no_marks(task):
    said = str(task.solution())
    assert BEGIN not in said
    assert END not in said
    assert "your code here" not in said
    assert "**Why so.**" in said
    begun = dict(task.files())
    changed = {path: text for path, text in task.files(solved=True) if begun.get(path) != text}
    for path, text in changed.items():
        code = [line for line in text.rstrip().split("\n") if BEGIN not in line and END not in line]
        assert f"`{task.number}/{path}`:\n\n```" in said
        assert "\n".join(code) + "\n```" in said


def test_solution_leaves_the_files_alone(exercise, workspace):
    (exercise.folder / ANSWER).write_text(WRONG_5_1)
    before = everything(workspace)
    said = exercise.solution()
    assert said._repr_markdown_() == str(said) == repr(said)
    assert "def receive(self" in str(said)
    assert everything(workspace) == before


def test_reset_begins_again_and_says_where_the_old_files_are(exercise, workspace, capsys):
    (exercise.folder / ANSWER).write_text(WRONG_5_1)
    (exercise.folder / "notes.txt").write_text("mine")
    Progress().set_state("5.1", NOT_YET)
    Progress().add_hint("5.1", 3)
    exercise.reset()
    (kept,) = (workspace / "kept").iterdir()
    assert capsys.readouterr().out == (
        f"You had changed {ANSWER}, notes.txt.\n"
        f"It is kept in workspace/kept/{kept.name}.\n"
        "Exercise 5.1 is as at its beginning.\n"
    )
    assert (kept / ANSWER).read_text() == WRONG_5_1
    assert (kept / "notes.txt").read_text() == "mine"
    assert (exercise.folder / ANSWER).read_text() == dict(task("5.1").files())[ANSWER]
    assert not (exercise.folder / "notes.txt").exists()
    assert exercise.check().state == NOT_ATTEMPTED
    assert Progress().states == {"5.1": NOT_ATTEMPTED}
    assert Progress().hints == {"5.1": 1}  # it was used


def test_reset_of_what_is_unchanged_keeps_nothing(exercise, workspace, capsys):
    (exercise.folder / "manage.py").unlink()
    exercise.reset()
    assert capsys.readouterr().out == "Exercise 5.1 is as at its beginning.\n"
    assert (exercise.folder / "manage.py").exists()
    assert not (workspace / "kept").exists()


# Check


@pytest.mark.live
def test_check_remembers_what_it_has_found(exercise):
    assert exercise.check().state == NOT_ATTEMPTED
    (exercise.folder / ANSWER).write_text(WRONG_5_1)
    outcome = exercise.check()
    assert outcome.state == NOT_YET
    assert set(outcome.details) == {"sent", "got", "expected", "look at"}
    assert Progress().states == {"5.1": NOT_YET}
    (exercise.folder / ANSWER).write_text(RIGHT_5_1)
    outcome = exercise.check()
    assert (outcome.state, outcome.details) == (RIGHT, {})
    assert str(outcome).endswith("  next     5.2 · Count what is said")
    assert Progress().states == {"5.1": RIGHT}


def test_who_changed_a_cell_and_did_not_run_it_is_told(exercise):
    assert "changed it?" not in exercise.check().details
    assert "only when you run it" in exercise.check().details["changed it?"]


def test_exception_that_ended_it_is_what_to_look_at_first():
    raised = {"your code raised": "TypeError: no, in myapp/stops.py, line 9"}
    told = {"sent": "GET /", "look at": "the text, letter by letter"}
    raising = ("HTTP 500", "close 1011", "nothing within 3 seconds", "no call", "an exception")
    for got in (*raising, "no close, and the server"):
        (look,) = (
            exception_first(told | {"got": got}, raised).items() - (told | {"got": got}).items()
        )
        assert look == ("look at", "first the exception below; then the text, letter by letter")
        assert exception_first(told | {"got": got}, {}) == told | {"got": got}
    for other in ({"got": "HTTP 404"}, {"got": "close 4000"}, {"got": "stop 1"}, {}):
        assert exception_first(told | other, raised) == told | other
    own = {"got": "HTTP 500", "look at": "the exception below: it ended the connection"}
    assert exception_first(own, raised) == own


def test_exception_is_told_once():
    raised = {"your code raised": "TypeError: no, in myproject/urls.py, line 12"}
    assert without_repeats({"look at": "this", "the log says": "TypeError: no"}, raised) == {
        "look at": "this",
        **raised,
    }
    others = {"the log says": "KeyError: 'other'"}
    assert without_repeats(others, raised) == others | raised
    assert without_repeats(others, {}) == others


def test_check_without_a_folder_says_so(exercise):
    os.chdir(ROOT)
    exercise.folder.rename(exercise.folder.with_name("elsewhere"))
    outcome = exercise.check()
    assert outcome.state == NOT_ATTEMPTED
    assert outcome.details == {"so far": "no files are laid out"}
    assert outcome.advice == {"begin": "the exercise's first cell lays them out"}


@pytest.mark.live
def test_removed_file_is_an_attempt(exercise):
    (exercise.folder / ANSWER).unlink()
    outcome = exercise.check()
    assert outcome.state == NOT_YET
    assert "ImportError" in str(outcome)


ENDLESS = "        while True:\n            pass\n"
BROKEN = {
    "syntax error": (
        "class AnswerConsumer(:\n",
        f"{ANSWER}, line 4: SyntaxError: invalid syntax",
    ),
    "exception at import": (
        "1 / 0\n",
        f"{ANSWER}, line 4: ZeroDivisionError: division by zero",
    ),
    "endless loop at import": (
        "while True:\n    pass\n",
        "whether something in your files goes on for ever",
    ),
    "exception in a handler": (
        "class AnswerConsumer(WebsocketConsumer):\n"
        "    def receive(self, text_data=None, bytes_data=None):\n"
        "        self.send(1 / 0)\n",
        f"your code raised  ZeroDivisionError: division by zero, in {ANSWER}, line 6",
    ),
    "endless loop in a handler": (
        "class AnswerConsumer(WebsocketConsumer):\n"
        f"    def receive(self, text_data=None, bytes_data=None):\n{ENDLESS}",
        "nothing within 3 seconds",
    ),
    "endless loop in an async handler": (
        "from channels.generic.websocket import AsyncWebsocketConsumer\n\n\n"
        "class AnswerConsumer(AsyncWebsocketConsumer):\n"
        f"    async def receive(self, text_data=None, bytes_data=None):\n{ENDLESS}",
        "nothing within 3 seconds",
    ),
    "events that are printed, and nothing sent": (
        "class AnswerConsumer(WebsocketConsumer):\n"
        "    def receive(self, text_data=None, bytes_data=None):\n"
        """        out = '{"kind": "out", "at": 0.5, "conn": 1, "call": null, "text": "%s"}'\n"""
        "        print(f'[{out % text_data.upper()}]', flush=True)\n",
        "nothing, and the server is done with what was sent",
    ),
    "socket that is never accepted": (
        "class AnswerConsumer(WebsocketConsumer):\n    def connect(self):\n        pass\n",
        "no answer to the handshake within 3 seconds",
    ),
    "server that ends itself": (
        "class AnswerConsumer(WebsocketConsumer):\n"
        "    def receive(self, text_data=None, bytes_data=None):\n"
        "        import os\n\n        os._exit(3)\n",
        "the connection was dropped",
    ),
}


@pytest.mark.live
@pytest.mark.parametrize("what", BROKEN)
def test_whatever_is_wrong_is_not_yet_with_its_reason(what, monkeypatch):
    if what == "endless loop at import":  # this never starts, however long one waits
        monkeypatch.setattr("channels_live.checks.site.START_LIMIT", 1.0)
    code, said = BROKEN[what]
    folder = work_on("5.1", {ANSWER: HEAD + code})
    before = everything(folder)
    begin = time.monotonic()
    outcome = task("5.1").judge(folder)
    assert time.monotonic() - begin < 15
    assert outcome.state == NOT_YET
    assert said in re.sub(r"\s*\n\s*", " ", str(outcome)), outcome
    assert outcome.details["look at"]
    assert "the check met" not in outcome.details
    assert str(ROOT / "channels_live") not in str(outcome)
    assert everything(folder) == before


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="there not everybody may make links")
def test_what_is_no_file_and_what_leads_back_is_left_out_of_the_copy():
    folder = work_on("5.1", {ANSWER: RIGHT_5_1})
    (folder / ".#answer.py").symlink_to("anna@laptop.4711")  # an editor's: not a file at all
    (folder / "loop").symlink_to(folder)
    (folder / "myapp/up").symlink_to("..")
    (folder / "endless").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    assert task("5.1").judge(folder).state == RIGHT


@pytest.mark.live
def test_check_leaves_files_and_running_server_alone(exercise, monkeypatch):
    (exercise.folder / ANSWER).write_text(WRONG_5_1)
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")  # on port 8000, unless it is taken anyway
    server = exercise.start(DAPHNE)
    (exercise.folder / ANSWER).write_text(RIGHT_5_1)
    before = everything(exercise.folder)
    assert exercise.check().state == RIGHT
    assert everything(exercise.folder) == before
    assert server.running
    heard = talk(server, "/ws/answer/", "hello", origin="http://localhost")
    assert heard == ["hello"]  # it still has the files that it was started with


@pytest.mark.live
def test_two_checks_at_once_do_not_disturb_each_other(exercise):
    (exercise.folder / ANSWER).write_text(RIGHT_5_1)
    other = work_on("5.2", {"myapp/counting.py": "x = ("})
    together = threading.Barrier(3)

    def judge(task, folder):
        together.wait()
        return task.judge(folder).state

    with ThreadPoolExecutor() as pool, redirect_stdout(sys.stderr):
        results = pool.map(
            judge,
            [task("5.1"), task("5.1"), task("5.2")],
            [exercise.folder, exercise.folder, other],
        )
        assert list(results) == [RIGHT, RIGHT, NOT_YET]


# Outcome


def test_outcome_is_plain_in_a_terminal_and_a_table_in_a_notebook():
    details = {"sent": "a\nb", "got": "`x` & <y>", "look at": "`receive()`, and <why>"}
    outcome = Outcome("5.1", NOT_YET, details, {"stuck?": "`hint()` helps"})
    assert (
        str(outcome)
        == repr(outcome)
        == (
            "Exercise 5.1: not yet\n"
            "  sent     a\n"
            "           b\n"
            "  got      `x` & <y>\n"
            "  look at  receive(), and <why>\n"
            "  stuck?   hint() helps"
        )
    )
    root = html(outcome)
    assert root.find("strong").text == "Exercise 5.1: not yet"
    rows = {row.find("th").text: row.find("td") for row in root.iter("tr")}
    assert {row.get("scope") for row in root.iter("th")} == {"row"}
    assert rows["sent"].text == "a\nb"
    assert rows["got"].text == "`x` & <y>"
    assert [code.text for code in rows["look at"].findall("code")] == ["receive()"]
    assert "".join(rows["look at"].itertext()) == "receive(), and <why>"


@pytest.mark.live
def test_what_a_server_sends_does_not_become_markup():
    nasty = "<script>alert(1)</script> <b>`x`</b> \x1b[2J\x07 &lt; "
    code = WRONG_5_1.replace("text_data)", f"{nasty!r} + text_data)")
    folder = work_on("5.1", {ANSWER: code})
    outcome = task("5.1").judge(folder)
    assert outcome.state == NOT_YET
    shown = "<script>alert(1)</script> <b>`x`</b> \\x1b[2J\\x07 &lt; "
    assert f"  got       {shown}" in str(outcome)
    assert outcome.details["got"].startswith(nasty)  # for programs, word for word
    root = html(outcome)
    cells = {row.find("th").text: row.find("td") for row in root.iter("tr")}
    assert cells["got"].text.startswith(shown)
    assert len(cells["got"]) == 0
    assert {element.tag for element in root.iter()} <= {
        *("div", "strong", "table", "tbody", "tr", "th", "td", "code")
    }
