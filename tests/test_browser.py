"""A learner opens a lesson in JupyterLab, runs all of it, and sees what it is about."""

import html
import re
from urllib.parse import unquote

import nbformat
import pytest
from answers import RIGHT_5_1
from clients import client, talk
from nbformat.v4 import new_code_cell, new_notebook, new_output
from running_lab import KERNEL, OPEN, close_all, run_all, running_lab

from channels_live.notebook import lesson_path, read
from channels_live.workspace import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("forked_servers")]


@pytest.fixture(scope="module")
def window(browser):
    """Return a page, in which JupyterLab stays loaded from one test to the next."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    return page


@pytest.fixture
def page(window):
    """Return that page, in which a test finds nothing open."""
    yield window
    close_all(window)


@pytest.fixture(scope="module")
def lab(tmp_path_factory, zygote):
    """Start JupyterLab."""
    folders = [tmp_path_factory.mktemp(name) for name in ("home", "course")]
    with running_lab(*folders, zygote=zygote) as lab:
        yield lab


DRAWN = """number => {
    const images = [...document.querySelectorAll(".jp-RenderedMermaid img")];
    return images.length === number && images.every(image => image.naturalWidth > 0);
}"""
POP_UPS = ".jp-Dialog, .Toastify__toast, .jp-toast"
NOT_DRAWN = ".jp-RenderedMermaid.jp-mod-warning"


def pictures(page):
    """Return every diagram on a page, as SVG."""
    addresses = page.locator(".jp-RenderedMermaid img").evaluate_all(
        "images => images.map(image => image.src)"
    )
    return [unquote(address.partition(",")[2]) for address in addresses]


def texts(page):
    """Return the words of every diagram on a page."""
    return {
        html.unescape(text)
        for picture in pictures(page)
        for text in re.findall(r'(?:Text"|<tspan)[^>]*>([^<]*)(?=<)', picture)
    }


def test_lesson_runs_from_the_first_cell_to_the_last(page, lab):
    lesson = lesson_path(5)
    notebook = nbformat.read(lesson, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what is stored must not pass for what was run
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, lab.folder / lesson.name)

    lab.open(page, lesson.name)
    assert page.locator(POP_UPS).count() == 0
    outputs = run_all(page)

    assert len(outputs) > 5
    diagrams = [output for output in outputs if "text/vnd.mermaid" in output.get("data", {})]
    assert diagrams
    page.wait_for_function(DRAWN, arg=len(diagrams))
    assert page.locator(NOT_DRAWN).count() == 0
    assert page.locator(POP_UPS).count() == 0
    assert {"ChatConsumer", "connect()", '{"message": "hello"}'} <= texts(page)


SIGNS = [
    "#;<>{}\"'&%",
    "%%{init: {}}%%",
    "<br/><b>bold</b> &lt; &amp;",
    "#35; #quot; $$x^2$$",
    "wrap: x",
    "nowrap: x",
    "end",
    "Note over c1: x",
    "c1->>s: x",
    "a⏎b",
    "é 👋 \\n",
    "**b** [link](http://x) `code`",
]


def test_every_row_is_drawn_and_every_sign_survives(page, lab, daphne):
    talk(daphne, "/ws/chat/", "not json")
    talk(daphne, "/ws/refusing/")
    talk(daphne, "/ws/none/")
    talk(daphne, "/ws/echo/", b"\0\1", *SIGNS, *SIGNS)
    talk(daphne, "/ws/echo/", "x" * 2_000_000)
    talk(daphne, "/ws/room/", "hi")
    talk(daphne, "/ws/closing/", "x")
    with client(daphne, "/ws/echo/") as websocket:
        websocket.send("")
    timelines = [daphne.timeline(client=number, threads=True) for number in range(1, 9)]
    outputs = [
        new_output("display_data", data=timeline._repr_mimebundle_()) for timeline in timelines
    ]
    cell = new_code_cell("timeline()", outputs=outputs)
    notebook = new_notebook(cells=[cell], metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, lab.folder / "rows.ipynb")

    lab.open(page, "rows.ipynb")
    page.wait_for_function(DRAWN, arg=len(timelines))
    assert page.locator(NOT_DRAWN).count() == 0
    for picture in pictures(page):
        height = float(re.search(r'viewBox="\S+ \S+ \S+ (\S+)"', picture)[1])
        ends = [float(end) for end in re.findall(r'y2="(\S+)" class="actor-line', picture)]
        assert min(ends) > height - 250, "the lifelines reach the last row"
    drawn = texts(page)
    assert drawn >= set(SIGNS)
    assert drawn >= {
        "daphne",
        "403 refused",
        "500 server error",
        "close 1011",
        "close 4000",
        "2 bytes (binary)",
        "connection dropped (1006)",
        "raised ValueError: No route",
        "found for path 'ws/none/'.",
        "group room",
        "joins",
        "receive()  on the event loop",
    }


# The learner's own copies


def run_cell(page, text):
    """Run the first cell of the open notebook that begins so; return what it printed."""
    return page.evaluate(
        """async text => {
            const {content, sessionContext} = jupyterapp.shell.currentWidget;
            const cells = [...content.model.cells];
            const at = cells.findIndex(cell => cell.sharedModel.source.startsWith(text));
            content.activeCellIndex = at;
            content.deselectAll();
            await jupyterapp.commands.execute("notebook:run-cell");
            return cells[at].outputs.toJSON().map(output => output.text ??
                output.data?.["text/plain"] ?? output.evalue).flat().join("");
        }""",
        text,
    )


def set_cell(page, text, new):
    """Replace the text of the first cell that begins so. It is not saved."""
    page.evaluate(
        """([text, written]) => {
            const cells = [...jupyterapp.shell.currentWidget.content.model.cells];
            const cell = cells.find(cell => cell.sharedModel.source.startsWith(text));
            cell.sharedModel.source = written;
        }""",
        [text, new],
    )


NAME = "() => window.jupyterapp?.shell?.currentWidget?.context?.path"
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
KINDS = ("notebooks", "exercises")
IS_OPEN = f"name => ({NAME})() === name && ({OPEN})()"


def test_learner_works_in_copies_and_the_originals_stay_as_they_came(page, lab):
    originals = {path: path.read_bytes() for path in ROOT.glob("[en]*s/*.ipynb")}
    lesson, exercises = (
        "workspace/notebooks/05_create_consumer.ipynb",
        "workspace/exercises/05_exercises.ipynb",
    )
    lab.open(page, lesson)
    page.wait_for_function(IS_OPEN, arg=lesson)
    cells = page.evaluate(
        "() => [...jupyterapp.shell.currentWidget.content.model.cells].map("
        "cell => [cell.sharedModel.source, cell.outputs?.length ?? 0])"
    )
    assert [source for source, _ in cells] == [cell.source for cell in read(lesson_path(5)).cells]
    assert not any(outputs for _, outputs in cells)
    page.wait_for_timeout(2000)  # the kernel has said who it is; nothing announces that
    assert not page.evaluate("() => jupyterapp.shell.currentWidget.context.model.dirty")
    assert "your files are in workspace/05" in run_cell(page, "from websockets")

    page.locator(f'{PANEL} a[href*="exercises/05_"]').last.click()  # and back
    page.wait_for_function(IS_OPEN, arg=exercises)
    run_cell(page, "from channels_live")
    assert "workspace/exercises/05/5.1\n" in run_cell(page, "ex1 = Exercise")
    assert "Overwriting 5.1/myapp/answer.py" in run_cell(page, "%%writefile 5.1/myapp/answer.py")
    page.locator(f'{PANEL} a[href*="notebooks/05_"]').first.click()
    page.wait_for_function(IS_OPEN, arg=lesson)
    assert {path: path.read_bytes() for path in originals} == originals


def test_what_was_right_outlives_a_browser_that_was_closed_before_it_saved(page, lab):
    name = "workspace/exercises/05_exercises.ipynb"
    lab.open(page, name)
    page.wait_for_function(IS_OPEN, arg=name)
    run_cell(page, "from channels_live")
    run_cell(page, "ex1 = Exercise")
    file = "%%writefile 5.1/myapp/answer.py"
    set_cell(page, file, f"{file}\n{RIGHT_5_1}")
    run_cell(page, file)
    assert "Exercise 5.1: right" in run_cell(page, "ex1.check()")
    page.goto("about:blank")  # the kernel lives on

    lab.open(page, name)
    page.wait_for_function(IS_OPEN, arg=name)
    said = run_cell(page, "ex1 = Exercise")
    assert "Your file 5.1/myapp/answer.py is another than its cell in the notebook, as last" in said
    said = run_cell(page, file)  # with the text that was saved last
    kept = re.search(r"before, which was right, is kept in (workspace/kept/right/\S+)\.\n", said)
    assert (lab.folder / kept[1]).read_text() == RIGHT_5_1
    assert (lab.folder / "workspace/exercises/05/5.1/myapp/answer.py").read_text() != RIGHT_5_1
    assert "5.1   right" in (lab.folder / "workspace/progress.txt").read_text()
