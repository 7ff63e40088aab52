"""channels_live.authoring: notebooks are executed; steps and the finished site are built."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_client import KernelManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from channels_live.authoring import AuthoringError, finished, notebooks
from channels_live.authoring.kernels import KERNELS, keep_ports_for_kernels
from channels_live.notebook import read, written_files
from channels_live.server.ports import free_port
from channels_live.workspace import NOTEBOOKS, ROOT, SAMPLE, copy_project


def write_notebook(path, *sources):
    """Write a notebook with a code cell for each text, or with the cells given."""
    cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in sources]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    return path


# The outputs of notebooks

MADE_UP = [
    """\
import json, os, sys, threading
from pathlib import Path
from IPython.display import display

go, done = threading.Event(), threading.Event()

def follow():
    go.wait()
    handle.update("after")
    done.set()

handle = display("before", display_id=True)
threading.Thread(target=follow, daemon=True).start()
""",
    "print(1); display('between'); print(2); print('error', file=sys.stderr); print(3)",
    "go.set(); done.wait()",
    "json.loads('{')",
    """\
class Diagram:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "a diagram", "text/vnd.mermaid": "sequenceDiagram"}

Diagram()""",
    "Path('../written.txt').unlink(missing_ok=True)",
    "%%writefile ../written.txt\none\n\ntwo\n",
    """\
own = Path(os.environ["CHANNELS_LIVE_WORKSPACE"])
told = {
    "python": sys.executable,
    "folder": os.getcwd(),
    "workspace": str(own),
    "fresh": not own.exists(),
    "any port": os.environ["CHANNELS_LIVE_ANY_PORT"],
}
_ = Path("../told.json").write_text(json.dumps(told))""",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Execute a made-up notebook twice. Return its path, both contents and what its kernel told."""
    folder = tmp_path_factory.mktemp("authoring")
    path = write_notebook(folder / "notebooks" / "01_try_it.ipynb", *MADE_UP)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.update(minutes=15, kernelspec={"name": "python3", "display_name": "other"})
    notebook.cells.insert(0, new_markdown_cell("# 1 · Try it", id="title"))
    watched, _, _, wrong, diagram, *_ = notebook.cells[1:]
    watched.metadata.tags = ["nbval-ignore-output"]
    watched.metadata.execution = {"iopub.status.idle": "2026-11-01T00:00:00Z"}
    wrong.metadata.tags = ["raises-exception"]
    diagram.execution_count = 77
    data = {"text/vnd.mermaid": "old", "image/svg+xml": "<svg/>"}
    diagram.outputs = [new_output("display_data", data)]
    nbformat.write(notebook, path)
    # A kernel of that name that the user has installed, and that does not work
    spec = folder / "data" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text('{"argv": ["false"], "display_name": "mine", "language": "python"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "data"))
        contents = []
        for _ in range(2):
            asyncio.run(notebooks.execute(path))
            contents.append(path.read_bytes())
    told = json.loads((folder / "told.json").read_text())
    return SimpleNamespace(path=path, contents=contents, told=told)


@pytest.fixture(scope="module")
def code(executed):
    """Return the code cells of the executed notebook."""
    return [cell for cell in nbformat.read(executed.path, 4).cells if cell.cell_type == "code"]


def test_executing_again_changes_no_byte(executed):
    first, second = executed.contents
    assert first == second
    assert first.endswith(b"}\n")
    assert b"\r" not in first


def test_only_what_an_author_wrote_is_in_the_metadata(executed, code):
    assert nbformat.read(executed.path, 4).metadata == {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
        "minutes": 15,
    }
    assert [cell.id for cell in code] == [f"cell-{number}" for number in range(len(MADE_UP))]
    assert [dict(cell.metadata) for cell in code if cell.metadata] == [
        {"tags": ["nbval-ignore-output"]},
        {"tags": ["raises-exception"]},
    ]


def test_outputs_are_stored_as_nbval_compares_them(code):
    assert [cell.execution_count for cell in code] == list(range(1, len(MADE_UP) + 1))
    streams = [output.text for output in code[1].outputs if output.output_type == "stream"]
    assert streams == ["1\n2\n3\n", "error\n"]
    assert code[0].outputs[0].data == {"text/plain": "'after'"}
    assert code[4].outputs[0].execution_count == 5
    assert code[4].outputs[0].data == {
        "text/plain": "a diagram",
        "text/vnd.mermaid": "sequenceDiagram",
    }


def test_tracebacks_do_not_name_this_machine(code):
    (error,) = code[3].outputs
    assert error.ename == "JSONDecodeError"
    assert "\x1b" not in "".join(error.traceback)
    assert [part.split("\n")[0] for part in error.traceback[2:-1]] == [
        "Cell In[4], line 1",
        "… frames in files",
    ]
    assert error.traceback[-1].startswith("JSONDecodeError: Expecting")


def test_a_kernel_runs_in_this_python_and_in_a_workspace_of_its_own(executed):
    assert executed.told["python"] == sys.executable
    assert executed.told["folder"] == os.path.realpath(executed.path.parent)
    assert executed.told["fresh"]
    assert executed.told["any port"]
    workspace = Path(executed.told["workspace"])
    assert workspace.name == "workspace"
    assert workspace != Path(os.environ["CHANNELS_LIVE_WORKSPACE"])
    assert not workspace.parent.exists()


def test_nbval_agrees_with_what_is_stored(executed, tmp_path):
    """Neither a display that later cells update nor a drawing stored by JupyterLab disturbs it."""
    notebook = nbformat.read(executed.path, as_version=4)
    drawings = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text/vnd.mermaid" in output.get("data", {}):
                output.data["image/svg+xml"] = "<svg/>"
                drawings += 1
    assert drawings
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(notebook, folder / "saved.ipynb")
    shutil.copy(ROOT / "conftest.py", folder)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    assert f"{len(MADE_UP)} passed" in result.stdout


@pytest.mark.live
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "Kernel died"),
        ("while True: pass", "timed out while it was being executed, after 1 seconds"),
    ],
)
def test_a_failing_cell_leaves_the_file_as_it_was(tmp_path, monkeypatch, source, reason):
    monkeypatch.setattr(notebooks, "CELL_TIMEOUT", 1)
    path = write_notebook(
        tmp_path / "lessons" / "02_fail.ipynb", new_markdown_cell("Text"), "'fine'", source
    )
    before = path.read_bytes()
    with pytest.raises(AuthoringError) as caught:
        asyncio.run(notebooks.execute(path))
    assert str(caught.value).startswith("lessons/02_fail.ipynb, cell [2]: ")
    assert reason in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["one", None, None], "lessons/02_bad.ipynb: 2 of its cells have no id."),
        (["one", "two", "one"], "lessons/02_bad.ipynb: several cells have the id one."),
    ],
)
def test_ids_must_be_there_and_differ(tmp_path, ids, message):
    path = write_notebook(tmp_path / "lessons" / "02_bad.ipynb", "1", "2", "3")
    content = json.loads(path.read_text())
    for cell, name in zip(content["cells"], ids, strict=True):
        del cell["id"]
        cell |= {"id": name} if name else {}
    path.write_text(json.dumps(content))
    with pytest.raises(AuthoringError) as caught:
        asyncio.run(notebooks.execute(path))
    assert str(caught.value) == message


@pytest.mark.parametrize("content", [None, "", "{}"])
def test_a_file_that_is_no_notebook_is_named(tmp_path, content):
    path = tmp_path / "02_none.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AuthoringError, match=r"/02_none\.ipynb cannot be read: "):
        asyncio.run(notebooks.execute(path))


@pytest.mark.live
def test_kernels_get_ports_that_no_other_program_takes():
    """A port that others may have is taken once in some thousand starts, before the kernel has it.

    Then the kernel ends, or hangs without a word. The system hands out ports from 32,768 on, or
    from 49,152 on; servers of this course have others again.
    """
    keep_ports_for_kernels()
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(extra_arguments=["--log-level=ERROR"])
    try:
        info = manager.get_connection_info()
        ports = {info[f"{name}_port"] for name in ("shell", "iopub", "stdin", "control", "hb")}
        assert len(ports) == 5
        assert ports <= {*KERNELS}
        assert free_port() not in KERNELS
    finally:
        manager.shutdown_kernel(now=True)


def test_a_kernel_that_does_not_start_is_told(tmp_path, monkeypatch):
    path = write_notebook(tmp_path / "lessons" / "02_begin.ipynb", "1")

    async def start(client, **options):
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(notebooks.NotebookClient, "async_execute", start)
    with pytest.raises(AuthoringError, match=r"^lessons/02_begin\.ipynb: its kernel did not start"):
        asyncio.run(notebooks.execute(path))


@pytest.mark.live
def test_what_an_author_saves_meanwhile_is_not_overwritten(tmp_path):
    source = "from pathlib import Path; _ = Path('02_edit.ipynb').write_text('mine')"
    path = write_notebook(tmp_path / "lessons" / "02_edit.ipynb", source)
    with pytest.raises(AuthoringError, match=r"^lessons/02_edit\.ipynb was changed while"):
        asyncio.run(notebooks.execute(path))
    assert path.read_text() == "mine"


@pytest.mark.live
@pytest.mark.parametrize("verdict", ["right", "right ✓", "not yet", "not attempted"])
def test_solutions_are_stored_only_if_they_are_right(tmp_path, verdict):
    source = f"class V:\n    def __repr__(self): return 'Exercise 5.1: {verdict}'\nV()"
    path = write_notebook(tmp_path / "solutions" / "05_solve.ipynb", source)
    before = path.read_bytes()
    if verdict.startswith("right"):
        asyncio.run(notebooks.execute(path, all_right=True))
    else:
        with pytest.raises(AuthoringError) as caught:
            asyncio.run(notebooks.execute(path, all_right=True))
        assert str(caught.value) == (
            f"solutions/05_solve.ipynb: a solution is not right.\nExercise 5.1: {verdict}"
        )
        assert path.read_bytes() == before
        asyncio.run(notebooks.execute(path))


# The project after each lesson


@pytest.fixture
def course(tmp_path):
    """Return a folder with three lessons and a sample project to build from them."""
    write_notebook(tmp_path / "notebooks" / "00_start_here.ipynb", "%%writefile zero.py\n0")
    write_notebook(
        tmp_path / "notebooks" / "01_write_files.ipynb",
        "%%writefile app/a.py\nbroken = ",
        "%%writefile app/sub/b.py\nb = 1",
        "%%writefile app/a.py\na = 'ü'\n",
        "print('no file')",
    )
    write_notebook(tmp_path / "notebooks" / "02_write_nothing.ipynb", "%%writefile keep.py\nk = 0")
    write_notebook(
        tmp_path / "notebooks" / "03_change_one.ipynb",
        "%%writefile keep.py\nk = 0\n",
        "%%writefile app/a.py\na = 3",
    )
    (tmp_path / "sample" / "start" / "__pycache__").mkdir(parents=True)
    (tmp_path / "sample" / "start" / "__pycache__" / "keep.pyc").write_bytes(b"")
    (tmp_path / "sample" / "start" / "db.sqlite3").write_bytes(b"")
    (tmp_path / "sample" / "start" / "keep.py").write_bytes(b"k = 0\n")
    return tmp_path


def contents(folder):
    """Return {path: content} of all files in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rebuild(course):
    """Rebuild the made-up project and return what was built."""
    finished.rebuild(course / "notebooks", course / "sample")
    return {name: contents(course / "sample" / name) for name in finished.BUILT}


def test_steps_hold_what_their_lessons_change(course):
    assert rebuild(course)["steps"] == {
        "01/app/a.py": "a = 'ü'\n".encode(),
        "01/app/sub/b.py": b"b = 1\n",
        "03/app/a.py": b"a = 3\n",
    }


def test_finished_is_start_with_every_step_over_it(course):
    assert rebuild(course)["finished"] == {
        "app/a.py": b"a = 3\n",
        "app/sub/b.py": b"b = 1\n",
        "keep.py": b"k = 0\n",
    }


def test_building_again_changes_nothing_and_removes_what_is_stale(course):
    first = rebuild(course)
    (course / "sample" / "steps" / "09").mkdir()
    (course / "sample" / "steps" / "09" / "old.py").write_text("")
    (course / "sample" / "finished" / "old.py").write_text("")
    assert rebuild(course) == first
    assert {path.name for path in (course / "sample").iterdir()} == {"start", *finished.BUILT}
    assert not (course / "sample" / "steps" / "09").exists()


def test_differences_are_named_file_by_file(course):
    notebooks_folder, sample = course / "notebooks", course / "sample"
    assert finished.differences(notebooks_folder, sample)
    rebuild(course)
    (sample / "finished" / "db.sqlite3").write_bytes(b"made by running it")
    assert finished.differences(notebooks_folder, sample) == []
    (sample / "steps" / "01" / "app" / "a.py").write_bytes(b"a = 1\r\n")
    (sample / "steps" / "02").mkdir()
    (sample / "steps" / "02" / "more.py").write_text("")
    (sample / "finished" / "keep.py").unlink()
    assert finished.differences(notebooks_folder, sample) == [
        "sample/finished/keep.py is missing.",
        "sample/steps/01/app/a.py is stale.",
        "sample/steps/02/more.py is superfluous.",
    ]


@pytest.mark.parametrize(
    "head",
    [
        "%%writefile /tmp/a.py",
        "%%writefile ../a.py",
        "%%writefile app/../../a.py",
        "%%writefile ..",
        "%%writefile ./a.py",
        "%%writefile ~/a.py",
        "%%writefile $HOME/a.py",
        "%%writefile {name}.py",
        "%%writefile C:\\a.py",
        "%%writefile C:/a.py",
        "%%writefile 'a.py'",
        "%%writefile -a a.py",
        "%%writefile a.py b.py",
        "%%writefile  a.py",
        "%%writefile",
        "%%file a.py",
        "\n%%writefile a.py",
    ],
)
def test_what_is_no_file_below_the_project_is_refused(course, head):
    built = rebuild(course)
    write_notebook(course / "notebooks" / "04_leave.ipynb", "%%writefile b.py\nb", f"{head}\na")
    with pytest.raises(AuthoringError, match=r"^04_leave\.ipynb: a cell begins with "):
        rebuild(course)
    assert {name: contents(course / "sample" / name) for name in finished.BUILT} == built
    assert {path.name for path in (course / "sample").iterdir()} == {"start", *finished.BUILT}


def test_two_lessons_with_one_number_are_refused(course):
    write_notebook(course / "notebooks" / "03_again.ipynb", "1")
    with pytest.raises(AuthoringError, match=r"^03_again.* and 03_change_one.* the same number\.$"):
        rebuild(course)


def test_a_cell_is_built_as_the_kernel_writes_it(executed):
    ((name, text),) = written_files(read(executed.path).cells)
    assert (executed.path.parent / name).read_bytes() == text.encode()


# What is built in this project


def test_steps_and_finished_are_as_built():
    assert finished.differences(NOTEBOOKS, SAMPLE) == []


@pytest.mark.live
def test_the_tests_of_the_finished_site_pass(tmp_path):
    copy_project(SAMPLE / "finished", tmp_path)
    result = subprocess.run(
        [sys.executable, "-W", "error", "manage.py", "test"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("DJANGO")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "OK" in result.stderr
    assert "Ran 0 tests" not in result.stderr
