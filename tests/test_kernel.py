"""What a kernel holds: an editor and a notebook share files, and nothing written is lost."""

import os

import pytest
from jupyter_client.manager import start_new_kernel


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
    run(f"{head}\ncell\n")
    (new,) = kept(workspace).keys() - before
    assert kept(workspace)[new].read_text() == evening
    assert answer.read_text() == "cell\n"


def test_cell_without_a_path_gets_the_words_of_its_magic(kernel):
    _, run = kernel
    with pytest.raises(AssertionError, match="the following arguments are required: filename"):
        run("%%writefile\none\n")
