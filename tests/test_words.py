"""What the system refuses, and what makes no sense, is told in words: what, where, what to do."""

import errno
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile

import pytest
from answers import RIGHT_5_1, WRONG_5_1, everything, work_on
from clients import DAPHNE, HELLO, talk

from channels_live import Exercise, Lesson, LessonError, ServerError, overview, workspace
from channels_live.exercise import task
from channels_live.server import ports
from channels_live.server.command import parse
from channels_live.server.watch import NO_NOTEBOOK
from channels_live.trouble import in_words, of_the_computer, visible

ANSWER = "myapp/answer.py"
NAN = math.nan


@pytest.fixture(autouse=True)
def own_workspace(tmp_path, monkeypatch):
    """Give each test a workspace of its own; put environment and folder back afterwards."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(environment)


# The system


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EACCES, errno.ENOENT, 9999])
def test_every_error_is_a_sentence_without_brackets(number):
    for file in (None, "/somewhere/file"):
        words = in_words(OSError(number, os.strerror(number), file))
        assert "Errno" not in words
        assert words[0].isupper() or words.startswith("/")


def test_file_is_named_as_it_is():
    """Also at the beginning of a sentence."""
    words = in_words(FileNotFoundError(errno.ENOENT, "No such file or directory", "models.py"))
    assert words == "models.py is not there: it was deleted, moved or renamed."


def test_what_a_copy_was_to_become_is_named():
    words = in_words(OSError(errno.ENOSPC, "No space left on device", "/from", None, "/to"))
    assert words.startswith("There is no room left on the disk: /to cannot be written.")


@pytest.mark.live
def test_folder_that_went_away_while_its_server_runs(start, site):
    server = start()
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    site.rename(site.with_name("renamed"))
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert "client 1" in str(server.timeline())
    assert "Listening" in server.log()
    with pytest.raises(ServerError) as caught:
        server.restart()
    assert f"Its folder, {site}, was deleted, moved or renamed, with your files." in str(
        caught.value
    )
    assert "No such file" not in str(caught.value)


@pytest.fixture
def no_temporary(tmp_path, monkeypatch):
    """Let the folder for temporary files be gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))


@pytest.mark.live
def test_folder_for_temporary_files_is_gone(start, no_temporary):
    with pytest.raises(ServerError, match=r"The folder for temporary files, .*/gone, is gone"):
        start()
    folder = work_on("5.1", {ANSWER: RIGHT_5_1})
    before = everything(folder)
    with pytest.raises(LessonError, match=r"^Exercise 5\.1 was not judged\. The folder for temp"):
        Exercise("5.1").check()
    assert everything(folder) == before


@pytest.fixture
def few_files():
    """Return a function that leaves so many files to be opened, until the test is over."""
    _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []

    def leave(count):
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        try:
            while True:
                opened.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            for _ in range(count):
                os.close(opened.pop())

    yield leave
    for descriptor in opened:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.live
@pytest.mark.parametrize("left", range(0, 9))
def test_too_many_open_files(start, few_files, left):
    tempfile.gettempdir()
    few_files(left)
    with pytest.raises(ServerError, match="has as many files and connections open as it may"):
        start()
    for function in (lambda: Lesson(5), lambda: Exercise("5.1"), overview):
        few_files(0)  # what is left of the server may have given some back meanwhile
        with pytest.raises(LessonError, match="has as many files and connections open"):
            function()


@pytest.mark.live
def test_check_that_cannot_be_made_is_no_verdict(few_files):
    exercise = Exercise("5.1")
    (exercise.folder / ANSWER).write_text(RIGHT_5_1)
    few_files(5)
    with pytest.raises(LessonError, match=r"^Exercise 5\.1 was not judged\. .*\nYour files are as"):
        task("5.1").judge(exercise.folder)


NO_MORE_FILES = """\
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
"""
OPENS_ONE = """\
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        open("manage.py")
"""


@pytest.mark.live
@pytest.mark.parametrize("code", [NO_MORE_FILES + RIGHT_5_1, RIGHT_5_1 + OPENS_ONE])
def test_server_that_may_open_no_more_files_is_no_verdict(code):
    exercise = Exercise("5.1")
    (exercise.folder / ANSWER).write_text(code)
    with pytest.raises(LessonError, match=r"^Exercise 5\.1 was not judged\. .*as many files"):
        task("5.1").judge(exercise.folder)


def test_installation_that_can_only_be_read(tmp_path, monkeypatch):
    """It is laid out so that it can be written: the modes stay behind."""
    sample = shutil.copytree(workspace.SAMPLE / "start", tmp_path / "sample")
    for path in [sample, *sample.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    copy = tmp_path / "copy"
    for _ in range(2):  # a second layer comes over the first
        workspace.copy_project(sample, copy)
    assert everything(copy).keys() == everything(sample).keys()
    assert all(path.stat().st_mode & 0o200 for path in [copy, *copy.rglob("*")])
    for path in [sample, *sample.rglob("*")]:
        path.chmod(0o755)


def test_programs_stay_executable(tmp_path):
    (tmp_path / "from").mkdir()
    (tmp_path / "from/run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "from/run.sh").chmod(0o755)
    workspace.copy_project(tmp_path / "from", tmp_path / "to")
    assert os.access(tmp_path / "to/run.sh", os.X_OK)


def test_error_of_a_learners_server_is_not_the_computers():
    assert not of_the_computer(ConnectionResetError(errno.ECONNRESET, "reset"))
    assert not of_the_computer(PermissionError(errno.EACCES, "no", "myapp/answer.py"))
    assert of_the_computer(OSError(errno.ENOSPC, "full"))


@pytest.mark.live
def test_bytes_that_are_no_text():
    folder = work_on("5.1", {ANSWER: WRONG_5_1})
    for content in (b"\xff\xfe", b"# -*- coding: nonsense -*-\n"):
        (folder / ANSWER).write_bytes(content)
        outcome = task("5.1").judge(folder)
        assert outcome.state == "not yet"
        assert "myapp/answer.py" in outcome.details["got"]
        assert str(workspace.ROOT / "channels_live") not in str(outcome)


def test_workspace_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", "~/course")
    assert workspace.workspace_folder() == tmp_path.resolve() / "course"


def test_port_for_the_system(start, monkeypatch):
    monkeypatch.setattr(
        "socket.create_server",
        lambda *_, **__: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied")),
    )
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT", raising=False)
    assert ports.is_for_the_system(80)
    with pytest.raises(ServerError, match=r"Port 80 is for the system's own programs, .* 8000"):
        start("daphne -p 80 myproject.asgi:application")


# Commands


@pytest.mark.parametrize("command", [["daphne"], b"daphne", None, 5, {}])
def test_command_that_is_no_text(start, command):
    with pytest.raises(ServerError, match="A command is a text, as typed in a terminal, not"):
        start(command)


def test_command_with_a_character_that_none_may_have(start):
    with pytest.raises(ServerError, match=r"A command cannot hold the character \\0"):
        start("daphne \0 myproject.asgi:application")


@pytest.mark.parametrize("port", ["²", "-1", "1.5", "9" * 5000])
def test_port_that_is_none_is_left_to_the_program(port):
    assert parse(f"daphne -p {port} myproject.asgi:application").port is None


@pytest.mark.live
def test_command_of_a_megabyte(start):
    with pytest.raises(ServerError) as caught:
        start("daphne " + "x" * 1_000_000)
    assert "The command is longer than this computer allows." in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("program", b"\x7fELF garbage", "is no program that this computer can run"),
        ("script", b"#!/nonexistent\n", "its first line, after #!, names a program that is not"),
    ],
)
def test_file_that_is_no_program(start, site, monkeypatch, name, content, words):
    (site / name).write_bytes(content)
    (site / name).chmod(0o755)
    monkeypatch.chdir(site)
    with pytest.raises(ServerError, match=words):
        start(f"./{name}", ready="x", timeout=5)


def test_folder_is_no_program(start, site, monkeypatch):
    monkeypatch.chdir(site)
    with pytest.raises(ServerError, match=r"There is no program called '\./myapp'"):
        start("./myapp")


@pytest.mark.live
def test_output_without_an_end(start, site):
    (site / "p.py").write_text("import sys\n\nwhile True:\n    sys.stdout.write('x' * 100)\n")
    with pytest.raises(ServerError) as caught:
        start("python p.py", ready="never", timeout=0.5)
    assert "it never printed 'never'" in str(caught.value)
    assert len(str(caught.value)) < 1000


# Arguments


@pytest.mark.parametrize("timeout", [None, "5", NAN, -1, [], True, b"x"])
def test_time_that_is_none(start, timeout):
    with pytest.raises(ServerError, match=r"timeout= is a number of seconds, such as 15, not"):
        start(timeout=timeout)


@pytest.mark.live
@pytest.mark.parametrize("timeout", [math.inf, 1e300, 10**400])
def test_long_time(forked, start, timeout):
    server = start(timeout=timeout)
    assert "Listening" in server.wait_for_log("Listening", timeout)


@pytest.mark.parametrize("ready", [5, "", b"x", [], True])
def test_text_that_is_none(start, ready):
    with pytest.raises(ServerError, match="ready= is a text, not"):
        start(ready=ready)


BAD_CALLS = {
    'path= is a text that begins with a slash, such as "/ws/chat/", not': [
        ("ws", [5]),
        ("ws", ["ws/chat/"]),
        ("url", [None]),
        ("http", [b"/x"]),
    ],
    "which no address may hold": [("url", ["/\n"]), ("ws", ["/\udc80"])],
    "cannot be requested: URL too long": [("http", ["/" + "x" * 100_000])],
    "contains= is a text": [("log", [5]), ("log", [b"x"])],
    "last= is a number of lines, 1 or more": [
        ("log", [None, last]) for last in ("5", NAN, 0, -1, 1.5, True)
    ],
    "text= is a text": [("wait_for_log", [None]), ("wait_for_log", [""])],
    "timeout= is a number of seconds": [("wait_for_log", ["x", None]), ("wait_for_reload", [NAN])],
    "handler= is a text": [("overlaps", [None])],
    "consumer= is a text": [("timeline", [None, 5]), ("overlaps", ["receive", dict])],
    "client= is the number or the name of a client": [
        ("timeline", [client]) for client in (NAN, [b"a"], True, {})
    ]
    + [("watch", [b"x"])],
    "It does not look for changed files": [("wait_for_reload", [])],
}


@pytest.mark.live
@pytest.mark.parametrize("words", BAD_CALLS)
def test_argument_that_makes_no_sense(daphne, words):
    for method, arguments in BAD_CALLS[words]:
        with pytest.raises(ServerError) as caught:
            getattr(daphne, method)(*arguments)
        assert words in str(caught.value), (method, arguments)


@pytest.mark.parametrize("number", [None, "5", 5.0, NAN, True, [], 10**400])
def test_lesson_that_is_none(number):
    said = "There is no lesson" if type(number) is int else "A lesson is a number"
    with pytest.raises(LessonError, match=said):
        Lesson(number)


@pytest.mark.parametrize("number", [None, "", "²", "５.1", "9" * 5000 + ".1", "../5.1", {}])
def test_exercise_that_is_none(number):
    with pytest.raises(LessonError, match="There is no exercise"):
        Exercise(number)


@pytest.mark.live
def test_ended_server_is_not_waited_for(forked, start):
    server = start()
    server.stop()
    with pytest.raises(ServerError, match="This server has been stopped"):
        server.wait_for_reload(1)


@pytest.mark.live
def test_watch_in_a_plain_script(site):
    script = (
        "import sys; from pathlib import Path; from channels_live import Server\n"
        f"with Server({DAPHNE!r}, Path(sys.argv[1])) as server:\n    server.watch()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, site], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing has happened yet.\n\nThis is no notebook")


@pytest.mark.live
def test_lesson_shows_text_in_a_plain_script(tmp_path):
    script = (
        "from channels_live import Lesson\nlesson = Lesson(8)\n"
        "server = lesson.start('daphne -p 8000 myproject.asgi:application')\n"
        "server.watch()\nserver.page('/chat/')\nlesson.stage(server, '/', Anna='/chat/')\n"
        "print(server.url('/'), server.url('/chat/'))"
    )
    environment = os.environ | {"CHANNELS_LIVE_WORKSPACE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    site, chat = lines[-1].split()
    nothing = ["Nothing has happened yet.", "", NO_NOTEBOOK]
    assert lines[2:-1] == [*nothing, chat, site, chat, *nothing]


def test_nothing_that_steers_a_terminal_is_shown():
    assert visible("a\x1b[31m\tb\n\udc80\x07") == "a\\x1b[31m\tb\n\\udc80\\x07"
    error = ServerError("x\x1b]0;title\x07", command="d", log="\x1b[2J")
    assert "\x1b" not in str(error)
