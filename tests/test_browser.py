"""A learner opens a lesson in JupyterLab, runs all of it, and sees what it is about."""

import html
import re
from urllib.parse import unquote

import nbformat
import pytest
from clients import client, talk
from nbformat.v4 import new_code_cell, new_notebook, new_output
from running_lab import KERNEL, OPEN, run_all, running_lab

from channels_live.notebook import lesson_path

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser):
    """Return a page of the browser."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    return page


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Start JupyterLab. Return its folder, and a function from a path to its address."""
    with running_lab(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("course")) as lab:
        yield lab.folder, lab.address


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
    folder, address = lab
    lesson = lesson_path(5)
    notebook = nbformat.read(lesson, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what is stored must not pass for what was run
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / lesson.name)

    page.goto(address(lesson.name))
    page.wait_for_function(OPEN)
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
    "**bold** [link](http://x) `code`",
]


def test_every_row_is_drawn_and_every_sign_survives(page, lab, daphne):
    folder, address = lab
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
    nbformat.write(notebook, folder / "rows.ipynb")

    page.goto(address("rows.ipynb"))
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
        "raised ValueError: No route found for path 'ws/none/'.",
        "joins group room",
        "receive()  on the event loop",
    }
