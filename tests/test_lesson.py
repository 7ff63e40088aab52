"""A lesson lays out a working copy, and nothing that a learner wrote is ever lost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from clients import DAPHNE, HELLO, gone, talk
from jupyter_client.manager import start_new_kernel

from channels_live import Lesson, LessonError, ServerError
from channels_live.kernel import KERNEL
from channels_live.notebook import lesson_path, lesson_paths, read, written_files
from channels_live.server.ports import free_port
from channels_live.workspace import CLINIC, NOTEBOOKS, ROOT, SAMPLE, copy_project, workspace_folder

MANIFEST = ".channels_live.json"


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Return an empty workspace, in a kernel that has made no lesson yet."""
    folder = tmp_path / "workspace"
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(folder))
    monkeypatch.setattr(KERNEL, "_locks", [])
    monkeypatch.setattr(KERNEL, "_claimed", {})
    monkeypatch.setattr(KERNEL, "lessons", {})
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    yield folder
    for lesson in KERNEL.lessons.values():
        lesson.stop()
    os.environ.clear()
    os.environ.update(environment)


def files(folder):
    """Return the content of each file in a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != MANIFEST
    }


def kept(workspace):
    """Return the content of each file that was kept, by its path, for every time it was."""
    folder = workspace / "kept"
    return [files(copy) for copy in sorted(folder.iterdir())] if folder.exists() else []


# The working copy


def test_first_lesson_begins_with_the_plain_site(workspace, capsys):
    made = Lesson(1)
    assert made.folder == workspace / "01" == Path.cwd()
    assert files(made.folder) == files(SAMPLE / "start")
    assert capsys.readouterr().out == "Lesson 1: your files are in workspace/01\n"


def test_lesson_begins_where_the_one_before_ended():
    expected = files(SAMPLE / "start")
    for step in ("01", "02", "03", "04"):
        if (SAMPLE / "steps" / step).exists():
            expected |= files(SAMPLE / "steps" / step)
    assert expected != files(SAMPLE / "start")
    assert files(Lesson(5).folder) == expected


def test_lesson_zero_is_the_finished_site():
    assert files(Lesson(0).folder) == files(SAMPLE / "finished")


@pytest.mark.parametrize("number", ["5", 5.0, True, None, [5]])
def test_lesson_is_a_number(workspace, number):
    with pytest.raises(LessonError) as caught:
        Lesson(number)
    assert str(caught.value) == f"A lesson is a number, as in Lesson(5), and not {number!r}."
    assert not workspace.exists()


@pytest.mark.parametrize("number", [99, -1])
def test_unknown_lesson_is_named_with_those_that_there_are(workspace, number):
    last = max(int(path.name[:2]) for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    with pytest.raises(LessonError) as caught:
        Lesson(number)
    said = f"There is no lesson {number!r}. The lessons are 0 to {last}."
    assert str(caught.value) == said
    assert caught.value._render_traceback_() == [f"LessonError: {said}"]
    assert not workspace.exists()


def test_workspace_does_not_move_with_the_current_folder(monkeypatch):
    monkeypatch.delenv("CHANNELS_LIVE_WORKSPACE")
    assert workspace_folder() == ROOT / "workspace"
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", "elsewhere/workspace")
    assert workspace_folder() == ROOT / "elsewhere/workspace"


def test_current_folder_may_have_been_deleted(workspace, tmp_path):
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Lesson(1).folder == workspace / "01" == Path.cwd()


@pytest.mark.parametrize("place", ["workspace", "workspace/01", "workspace/.locks"])
def test_workspace_that_cannot_be_written(tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("a file in the place of a folder")
    with pytest.raises(LessonError, match=r"cannot be written: .+ CHANNELS_LIVE_WORKSPACE"):
        Lesson(1)
    assert (tmp_path / place).read_text() == "a file in the place of a folder"


# What a learner wrote


def test_lesson_again_makes_it_afresh(workspace, capsys):
    folder = Lesson(1).folder
    for name in (
        "myapp/__pycache__/views.pyc",
        ".ipynb_checkpoints/views.py",
        ".pytest_cache/nodeids",
        ".coverage",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("made by a program")
    (folder / "myapp/urls.py").unlink()
    capsys.readouterr()
    assert files(Lesson(1).folder) == files(SAMPLE / "start")
    assert capsys.readouterr().out == "Lesson 1: your files are in workspace/01\n"
    assert not kept(workspace)


def test_changed_and_new_files_are_kept_and_named(workspace, capsys):
    folder = Lesson(1).folder
    (folder / "myapp/views.py").write_text("changed")
    (folder / "myapp/consumers.py").write_text("new")
    (folder / "notes").mkdir()
    (folder / "notes/ideas.txt").write_bytes(b"\xff\0")
    before = files(folder)
    capsys.readouterr()
    Lesson(1)
    assert files(folder) == files(SAMPLE / "start")
    assert kept(workspace) == [before]
    (place,) = (workspace / "kept").iterdir()
    assert capsys.readouterr().out == (
        "You had changed myapp/consumers.py, myapp/views.py, notes/ideas.txt.\n"
        f"It is kept in workspace/kept/{place.name}.\n"
        "Lesson 1: your files are in workspace/01\n"
    )


def test_nothing_kept_is_overwritten(workspace):
    for number in range(3):
        (Lesson(1).folder / "mine.txt").write_text(str(number))
    Lesson(1)
    assert sorted(copy["mine.txt"] for copy in kept(workspace)) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_file_from_a_cell_of_the_notebook_is_no_change(workspace, line_end):
    folder = Lesson(5).folder
    path, text = next(written_files(read(lesson_path(5)).cells))
    (folder / path).write_text(text, newline=line_end)
    Lesson(5)
    assert not kept(workspace)
    (folder / path).write_text(text + "# mine\n")
    Lesson(5)
    assert [copy[path] for copy in kept(workspace)] == [f"{text}# mine\n".encode()]


def test_copy_of_the_board_is_no_change(workspace):
    board = Lesson(28).folder / "board"
    copy_project(SAMPLE / "board", board)
    Lesson(28)
    assert not kept(workspace)
    copy_project(SAMPLE / "board", board)
    (board / "README.md").write_text("mine")
    Lesson(28)
    assert [copy["board/README.md"] for copy in kept(workspace)] == [b"mine"]


def test_what_a_page_of_the_clinic_writes_is_no_change(workspace):
    folder = Lesson(5).folder
    for page in lesson_paths(CLINIC):
        for path, text in written_files(read(page).cells):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        Lesson(5)
    assert not kept(workspace)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"3", b"\xff", b'{"manage.py": 3}'])
def test_nothing_is_lost_where_it_is_not_known_what_was_laid_out(workspace, content):
    folder = Lesson(1).folder
    (folder / "mine.txt").write_text("mine")
    before = files(folder)
    if content is None:
        (folder / MANIFEST).unlink()
    else:
        (folder / MANIFEST).write_bytes(content)
    Lesson(1)
    assert kept(workspace) == [before]
    assert files(folder) == files(SAMPLE / "start")


def test_folder_of_somebody_else_is_kept(workspace):
    (workspace / "01").mkdir(parents=True)
    (workspace / "01/thesis.txt").write_text("years of work")
    assert files(Lesson(1).folder) == files(SAMPLE / "start")
    assert kept(workspace) == [{"thesis.txt": b"years of work"}]


# Two kernels


@pytest.fixture
def another_kernel():
    """Return a function that makes a lesson in another process, and returns that and its output."""
    running = []

    def another_kernel(number, more=""):
        code = f"from channels_live import Lesson\nlesson = Lesson({number})\n{more}"
        code += "\nprint('-', flush=True)\ninput()"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen([sys.executable, "-c", code], **pipes))
        return running[-1], "".join(iter(running[-1].stdout.readline, "-\n"))

    yield another_kernel
    for process in running:
        process.kill()
        process.communicate()


def test_second_kernel_gets_a_folder_of_its_own(workspace, capsys, another_kernel):
    folder = Lesson(1).folder
    (folder / "mine.txt").write_text("first")
    _, said = another_kernel(1)
    assert said == (
        "Another notebook is at work in lesson 1, so this one uses workspace/01-2.\n"
        "Lesson 1: your files are in workspace/01-2\n"
    )
    (workspace / "01-2/mine.txt").write_text("second")
    Lesson(1)
    assert [copy["mine.txt"] for copy in kept(workspace)] == [b"first"]
    assert (workspace / "01-2/mine.txt").read_text() == "second"
    _, said = another_kernel(1)
    assert "workspace/01-3" in said
    _, said = another_kernel(2)
    assert said == "Lesson 2: your files are in workspace/02\n"


def test_folder_of_a_killed_kernel_is_free_again(workspace, another_kernel):
    process, said = another_kernel(1)
    assert said == "Lesson 1: your files are in workspace/01\n"
    (workspace / "01/mine.txt").write_text("mine")
    process.kill()
    process.wait()
    assert Lesson(1).folder == workspace / "01"
    assert [copy["mine.txt"] for copy in kept(workspace)] == [b"mine"]


# The environment


def test_clients_do_not_go_through_a_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "example.com,localhost")
    monkeypatch.delenv("NO_PROXY", raising=False)
    Lesson(1)
    Lesson(1)
    assert os.environ["no_proxy"] == "example.com,localhost,127.0.0.1"
    assert os.environ["NO_PROXY"] == "127.0.0.1,localhost"


def test_commands_run_in_the_environment_of_the_kernel(monkeypatch):
    monkeypatch.setenv("PATH", f"/usr/bin{os.pathsep}/bin")
    Lesson(1)
    Lesson(1)
    own = os.path.dirname(sys.executable)
    assert os.environ["PATH"] == os.pathsep.join([own, "/usr/bin", "/bin"])
    assert os.path.dirname(shutil.which("daphne")) == own


@pytest.mark.live
def test_settings_of_another_project_are_not_used(forked, monkeypatch, workspace):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "another_project.settings")
    monkeypatch.setenv("FORCE_COLOR", "1")
    server = Lesson(1).start(DAPHNE)
    assert server.http("/accounts/login/").status_code == 200
    assert "FORCE_COLOR" not in os.environ


@pytest.mark.live
def test_interrupt_ends_a_cell_that_awaits():
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive("from channels_live import Lesson; Lesson(1)", timeout=30)
        client.execute("import asyncio; print('here'); await asyncio.sleep(60)")
        while client.get_iopub_msg(timeout=10)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        assert client.get_shell_msg(timeout=10)["content"]["status"] == "error"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


SKIPPED = """\
Not run since the first cell of this lesson, and this one may need it \
(Run → Run All Above Selected Cell runs them all):
    !python manage.py migrate --verbosity 0
    !python manage.py loaddata noticeboard
    %%writefile myproject/urls.py
"""


@pytest.mark.live
def test_cell_that_skips_what_it_needs_says_so():
    manager, client = start_new_kernel(kernel_name="python3")

    def run(cell, source):
        """Run a cell as JupyterLab does, which names it. Return what is printed."""
        content = {"code": source, "silent": False, "allow_stdin": False}
        message = client.session.msg("execute_request", content, metadata={"cellId": cell.id})
        client.shell_channel.send(message)
        printed = []
        while True:
            told = client.get_iopub_msg(timeout=60)
            if told["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                printed.append(told["content"].get("text", ""))
                if told["content"].get("execution_state") == "idle":
                    return "".join(printed)

    first, tables, urls, start, *_, last = read(lesson_path(6)).code
    try:
        for cell in (first, tables, urls):
            assert "Not run" not in run(cell, cell.source)
        assert run(start, "pass") == ""
        run(first, first.source)
        assert run(start, "pass") == SKIPPED
        assert run(last, "pass") == "", "once is enough"
        run(first, first.source)
        run(urls, urls.source.replace("path", "path "))
        assert run(start, "pass") == SKIPPED.replace("    %%writefile myproject/urls.py\n", "")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


WAITING = """\
This cell has been waiting for 2 seconds, in the line
    await helper()
If what it waits for never comes, it waits for ever, as it may when a cell is run a second time.
■ in the toolbar ends it. Then run again from the cell that starts the server.
"""


@pytest.mark.live
def test_cell_that_waits_for_long_says_where():
    manager, client = start_new_kernel(kernel_name="python3")

    def run(cell):
        printed = []

        def on_output(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
                if printed[-1] == WAITING:
                    manager.interrupt_kernel()

        client.execute_interactive(cell, timeout=30, output_hook=on_output)
        return "".join(printed)

    try:
        run("import asyncio; from channels_live import Lesson, waits; Lesson(1); waits.LONG = 2")
        run("async def helper(): await asyncio.Event().wait()")
        assert run("print('here')\nawait helper()\nprint('there')") == "here\n" + WAITING
        assert run("for _ in range(6): await asyncio.sleep(0.6)") == "", "it goes on"
        assert run("import time; time.sleep(3); await asyncio.sleep(0)") == "", "it is sync"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# Servers


@pytest.fixture
def made(project, capsys):
    """Return a lesson whose folder holds the site of the tests."""
    made = Lesson(1)
    shutil.copytree(project, made.folder, dirs_exist_ok=True)
    capsys.readouterr()
    return made


def test_start_says_what_runs(forked, made, capsys):
    server = made.start(DAPHNE)
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert capsys.readouterr().out == f"Running: {DAPHNE}\n"


def test_lesson_again_stops_its_servers(forked, made, capsys):
    server = made.start(DAPHNE)
    Lesson(1)
    assert not server.running
    assert f"Stopped: {DAPHNE}\n" in capsys.readouterr().out


def test_start_again_takes_the_place_of_the_first(forked, made, capsys, monkeypatch):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    port = free_port()
    command = f"daphne -p {port} myproject.asgi:application"
    first = made.start(command)
    second = made.start(f"python manage.py runserver {port} --noreload")
    assert not first.running
    assert second.port == port
    assert talk(second, "/ws/chat/", HELLO) == [HELLO]
    assert "is taken" not in capsys.readouterr().out


def test_start_again_fails_as_in_a_terminal_where_told_to(made, monkeypatch):
    monkeypatch.delenv("CHANNELS_LIVE_ANY_PORT")
    port = free_port()
    command = f"daphne -p {port} myproject.asgi:application"
    first = made.start(command)
    with pytest.raises(ServerError, match=f"Port {port} is taken by lesson 1"):
        made.start(command, fallback=False)
    assert talk(first, "/ws/chat/", HELLO) == [HELLO]


def test_servers_on_other_ports_and_workers_go_on(forked, made):
    servers = [
        made.start(command)
        for command in (
            DAPHNE,
            "daphne -p 8001 myproject.asgi:application",
            "python manage.py runworker jobs",
            "python manage.py runworker others",
        )
    ]
    assert all(server.running for server in servers)
    made.stop()
    assert not any(server.running for server in servers)


def test_servers_are_gone_with_a_killed_kernel(workspace, another_kernel):
    process, said = another_kernel(1, f"lesson.start({DAPHNE!r})")
    assert f"Running: {DAPHNE}" in said
    servers = psutil.Process(process.pid).children(recursive=True)
    assert servers
    process.kill()
    process.wait()
    assert gone(servers)
    assert Lesson(1).folder == workspace / "01"
