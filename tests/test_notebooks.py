"""The lessons: their frame, and the proof that their stored outputs are really compared."""

import ast
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
IGNORED = {"nbval-ignore-output", "nbval-skip"}  # tags of cells that nbval does not compare
PORTS = {"6379", "8000", "8001", "8002", "8003"}  # as typed in the lessons
FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.M | re.S)
DETAILS = re.compile(r"<details>.*?</details>", re.S)
NOTES = re.compile(r"<details><summary>For instructors</summary>.*?</details>", re.S)
MAP = re.compile(r"<!-- made by make build -->.*?<!-- end -->", re.S)  # grows with each lesson
FOLD = re.compile(r"<details><summary>(.+?)</summary>\n\n(.+?)\n\n</details>", re.S)
FOR_THE_EYE = "await asyncio.sleep(1)  # so that your eyes can follow"  # waits for nothing
FIRST_LIVE = 5  # from this lesson on, something is shown beside the notebook
WORDS_BEFORE_AN_ANSWER = 40  # between a prediction and the fold with its answer, besides code
OFFICIAL = {
    "asgi.readthedocs.io": "/en/latest/",
    "channels.readthedocs.io": "/en/stable/",
    "coverage.readthedocs.io": "/en/latest/",
    "developer.mozilla.org": "/en-US/docs/",
    "docs.celeryq.dev": "/en/stable/",
    "docs.djangoproject.com": f"/en/{'.'.join(version('django').split('.')[:2])}/",
    "docs.python.org": "/3/",
    "django-htmx.readthedocs.io": "/en/latest/",
    "github.com": "/django/",
    "htmx.org": "/",
    "json-schema.org": "/understanding-json-schema/",
    "msgspec.dev": "/",
    "pytest-django.readthedocs.io": "/en/latest/",
    "valkey.io": "/topics/",
    "websockets.readthedocs.io": "/en/stable/",
    "www.rfc-editor.org": "/rfc/",
}
TO_WRITE = re.compile(r'WRITE: [^\n"\\]+')


class Page:
    """A lesson's notebook, taken apart."""

    def __init__(self, path):
        self.path = path
        self.number = int(path.name[:2])
        self.notebook = nbformat.read(path, as_version=4)
        cells = self.notebook.cells
        self.code = [cell for cell in cells if cell.cell_type == "code"]
        self.typed = [cell for cell in self.code if not cell.source.startswith("%%writefile")]
        self.text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        self.prose = FENCE.sub("", self.text)
        self.notes = NOTES.findall(self.prose)
        headings = re.split(r"^## (.+)$", DETAILS.sub("", self.prose), flags=re.M)[1:]
        self.sections = dict(zip(headings[::2], headings[1::2], strict=True))


PAGES = [Page(path) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
every_lesson = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
every_step = pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.path.stem)


def tags(cell):
    return set(cell.metadata.get("tags", []))


# The frame of a lesson


def test_names_are_numbers_and_a_verb_phrase():
    names = [path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    for number, name in enumerate(names):
        assert re.fullmatch(rf"{number:02}(_[a-z]+){{2,}}\.ipynb", name)


@every_lesson
def test_title_has_the_number_of_the_file(page):
    (title,) = re.findall(r"^# (.+)$", page.prose, re.M)
    assert re.fullmatch(rf"{page.number} · [A-Z][a-z]+ .+", title)


@every_lesson
def test_prerequisites_stand_below_the_title(page):
    """With the minutes, which `make build` puts there."""
    assert "Before this:" in re.search(r"^# .+\n+(.+)$", page.prose, re.M)[1]


@every_step
def test_nothing_is_left_to_write(page):
    """What `make new` has cut says where there is still something to write, and what."""
    files = {f"notebooks/{page.path.name}": json.dumps(page.notebook, ensure_ascii=False)}
    for name in (
        f"solutions/{page.path.name}",
        f"channels_live/checks/lesson_{page.number:02}.py",
        f"tests/wrong_answers/lesson_{page.number:02}.py",
    ):
        files[name] = (ROOT / name).read_text(encoding="utf-8")
    left = [f"{name}: {what}" for name, text in files.items() for what in TO_WRITE.findall(text)]
    assert not left, "\n".join(left)


@every_step
def test_sections_are_those_of_every_lesson(page):
    headings = list(page.sections)
    assert headings[0] == "You will"
    assert headings[-2:] == ["Recap", "Next"]
    assert "Watch it fail" in headings
    assert 2 <= len(set(headings) - {"You will", "Watch it fail", "Recap", "Next"}) <= 5
    for heading, bullets in {"You will": range(1, 4), "Recap": [3]}.items():
        assert len(re.findall("^- ", page.sections[heading], re.M)) in bullets, heading


@every_step
def test_half_of_the_sections_ask_to_predict(page):
    asking = [
        "**Predict.**" in text
        for heading, text in page.sections.items()
        if heading not in ("You will", "Watch it fail", "Recap", "Next")
    ]
    assert sum(asking) >= len(asking) / 2


@every_lesson
def test_number_at_the_beginning_of_a_line_is_a_lists(page):
    """Markdown would make a list of one, whose number stands in the margin."""
    numbers = [int(number) for number in re.findall(r"^ *(\d+)[.)] ", page.prose, re.M)]
    for before, number in zip([0, *numbers], numbers, strict=False):
        assert number in (1, before + 1), f"a paragraph begins with {number}."


@every_lesson
def test_prose_is_long_enough_and_not_too_long(page):
    prose = MAP.sub("", NOTES.sub("", page.prose))
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)|<[^>]*>|https?://\S+", " ", prose)
    count = len(re.findall(r"[^\W\d_][\w’'-]*", prose))
    assert 400 <= count <= 1800, f"write 400 to 1800 words; there are {count}"


@every_step
def test_a_lesson_fits_into_a_block_of_a_workshop(page):
    assert page.notebook.metadata["minutes"] <= 45


@every_step
def test_answers_to_predictions_are_folded_away(page):
    """Whoever reads on before running a cell does not read what it will do."""
    text = "\n\n".join(
        "CODE" if cell.cell_type == "code" else FENCE.sub("", cell.source)
        for cell in page.notebook.cells
    )
    asked = text.split("**Predict.**")[1:]
    for question in asked:
        assert "CODE" in question, f"nothing to run:\n{question[:200]}"
        after = question.partition("CODE")[2].replace("CODE", "")
        before, fold, answer = after.partition("<details><summary>What happened</summary>\n\n")
        assert fold, f"no answer to:{question[:200]}"
        assert not re.search("^## ", before, re.M), f"answered in another section:{question[:200]}"
        assert len(before.split()) <= WORDS_BEFORE_AN_ANSWER, before
        answer, end, _ = answer.partition("\n\n</details>")
        assert end and not re.search(r"^#|<details>", answer, re.M), answer
    assert text.count("What happened</summary>") == len(asked)


@every_step
def test_now_you_is_answered_in_a_fold(page):
    """With what can be run: test_now_you.py does."""
    (recap,) = (cell.source for cell in page.notebook.cells if "**Now you.**" in cell.source)
    (answer,) = [text for name, text in FOLD.findall(recap) if name == "Answer"]
    assert recap.index("**Now you.**") < recap.index(answer)
    assert re.search(r"^```(python|diff)$", answer, re.M)


@every_step
def test_further_reading_is_linked(page):
    (line,) = re.findall("^Further reading: (.+)$", page.prose, re.M)
    links = re.findall(r"\]\(([^)\s]+)\)", line)
    assert links
    for link in links:
        parts = urlsplit(link)
        assert parts.scheme == "https" and not parts.query, link
        assert parts.path.startswith(OFFICIAL[parts.hostname]), link


@every_lesson
def test_notes_for_instructors_are_folded_away(page):
    assert page.notes
    for notes in page.notes:
        bullets = re.findall("^- .*", notes, re.M)
        assert bullets
        assert all(re.match(r"- \*(Note|Ask|Demo):\* ", bullet) for bullet in bullets), bullets


@every_lesson
def test_diagrams_look_the_same_in_either_theme(page):
    for diagram in re.findall(r"```mermaid\n(.*?)```", page.text, re.S):
        assert diagram.startswith("%%{init: {") and '"theme": "neutral"' in diagram
        assert "flowchart LR" not in diagram, "it would be cut in a narrow window: TB"


@every_lesson
def test_links_lead_to_files(page):
    for link in re.findall(r"\]\(([^)\s]+)", page.prose):
        if not re.match(r"[a-z]+:", link):
            assert (page.path.parent / unquote(link.partition("#")[0])).exists(), link


@every_lesson
def test_first_code_makes_the_lesson_and_last_stops_the_server(page):
    assert f"Lesson({page.number})" in page.code[0].source
    assert page.code[-1].source == "server.stop()"


@every_lesson
def test_something_is_shown_live(page):
    shown = any(re.search(r"\.(watch|page|stage)\(", cell.source) for cell in page.typed)
    assert shown or page.number < FIRST_LIVE


@every_lesson
def test_cell_that_runs_twice_starts_no_second_server(page):
    """Two workers of lesson 15 became three: a report was made three times, and said to be two."""
    for cell in page.code:
        assert "fallback=False" not in cell.source or "except ServerError" in cell.source


@every_lesson
def test_code_cells_are_short_and_wait_for_events(page):
    counts = [sum(map(bool, map(str.strip, cell.source.split("\n")))) for cell in page.typed]
    assert statistics.median(counts) <= 4, sorted(counts)
    for cell in page.typed:
        for line in cell.source.splitlines():
            waits = "sleep(" in line.replace("asyncio.sleep(0)", "")  # which only gives way
            assert not waits or line.endswith(FOR_THE_EYE), cell.source


# What is stored


@every_lesson
def test_outputs_are_the_same_on_every_machine(page):
    outputs = json.dumps([cell.outputs for cell in page.code], ensure_ascii=False)
    here = [os.path.realpath(path) for path in (ROOT, sys.prefix, Path.home())]
    for path in [*here, tempfile.gettempdir(), "site-packages", "/home/", "/Users/", ":\\\\"]:
        assert path == os.sep or path not in outputs
    ports = re.findall(r"(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)|\bport (\d+)", outputs)
    assert {port for pair in ports for port in pair if port} <= PORTS
    assert not re.search(r"\b0x[0-9a-f]{6,}", outputs)
    assert "HTTP/2" not in outputs, "daphne says something else where h2 is installed"


@every_step
def test_clients_are_called_in_the_text_as_in_an_output(page):
    shown = str([cell.outputs for cell in page.code])
    for name in re.findall(r"`([a-z]+ [0-9]+)`", page.prose):
        assert re.search(rf"\b{name}\b", shown), name


@every_lesson
def test_errors_are_announced_and_happen(page):
    for cell in page.code:
        raised = any(output.output_type == "error" for output in cell.outputs)
        assert raised == ("raises-exception" in tags(cell)), cell.source


@every_lesson
def test_every_cell_is_compared_or_says_why_not(page):
    compared = 0
    for cell in page.code:
        assert cell.execution_count, f"never run, so never compared:\n{cell.source}"
        assert "NBVAL" not in cell.source, "use tags"
        if cell.outputs and not tags(cell) & IGNORED:
            compared += 1
        elif tags(cell) & IGNORED or not is_silent(cell.source):
            assert cell.metadata.get("reason"), f"compares nothing, without reason:\n{cell.source}"
    assert compared


def is_silent(source):
    """Tell whether a cell only imports, assigns and defines, so that it has nothing to show."""
    silent = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign)
    silent += (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    body = ast.parse(TransformerManager().transform_cell(source)).body
    return all(isinstance(statement, silent) for statement in body)


# What notices a change


PLUGINS = ["-ra", "-p", "no:valkey", "-p", "channels_live.authoring"]  # as in pyproject.toml


def run_pytest(folder, *arguments, **environment):
    """Run pytest in a folder as in this project, and return what it printed and its status."""
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, "--nbval", "--nbval-current-env", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    return result.stdout, result.returncode


@pytest.mark.live
def test_changed_outputs_fail_and_nothing_else_does(tmp_path):
    page = Page(PAGES[0].path)
    streams, diagrams = {}, {}
    for number, cell in enumerate(page.code):
        for output in cell.outputs if not tags(cell) & IGNORED else []:
            if output.output_type == "stream":
                streams[number] = output
            elif "text/vnd.mermaid" in output.data:
                diagrams[number] = output.data
    stream, diagram = max(streams), max(diagrams)
    streams[stream].text += "changed"
    diagrams[diagram]["text/vnd.mermaid"] += "\n  %% changed"
    nbformat.write(page.notebook, tmp_path / page.path.name)
    printed, status = run_pytest(tmp_path)
    assert status == 1, printed
    failed = {int(number) for number in re.findall(r"^FAILED .*::Cell (\d+)", printed, re.M)}
    assert failed == {stream, diagram}, printed
    assert f"{len(page.code) - 2} passed" in printed


@pytest.mark.live
def test_skipped_tests_fail_where_nothing_may_be_skipped(tmp_path):
    (tmp_path / "test_one.py").write_text(
        "import pytest\n"
        "def test_that_runs(): pass\n"
        "@pytest.mark.skip(reason='no time')\n"
        "def test_that_does_not(): pass\n"
    )
    (tmp_path / "test_two.py").write_text(
        "import pytest\npytest.skip('no place', allow_module_level=True)\n"
    )
    printed, status = run_pytest(tmp_path, "-n1", CHANNELS_LIVE_NO_SKIPS="1")
    assert status == 1, printed
    assert "test_one.py::test_that_does_not: Skipped: no time" in printed
    assert "test_two.py: Skipped: no place" in printed


def test_tests_have_a_workspace_of_their_own():
    workspace = Path(os.environ["CHANNELS_LIVE_WORKSPACE"])
    assert workspace.name == "workspace"
    assert not workspace.is_relative_to(ROOT)
    assert os.environ["CHANNELS_LIVE_ANY_PORT"]


# What a learner does in one lesson does not reach the next


@pytest.mark.live
def test_an_edited_lesson_leaves_the_next_unharmed(tmp_path):
    """Lesson 4 is laid out alike from this project and from one whose lesson 3 was scribbled in."""
    edited = tmp_path / "edited"
    for name in ("channels_live", "notebooks", "sample_project"):
        shutil.copytree(ROOT / name, edited / name, ignore=shutil.ignore_patterns("__pycache__"))
    (path,) = edited.glob("notebooks/03_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    written = 0
    for cell in notebook.cells:
        if cell.source.startswith("%%writefile"):
            cell.source = cell.source.partition("\n")[0] + "\nscribble ((\n"
            written += 1
    assert written
    nbformat.write(notebook, path)

    def lay_out(root):
        workspace = tmp_path / f"of_{root.name}" / "workspace"
        script = (
            "from pathlib import Path; from channels_live.lesson import Lesson;"
            "from channels_live.workspace import NOTEBOOKS;"
            "Lesson(3); Path('manage.py').write_text('scribble (('); Lesson(4); print(NOTEBOOKS)"
        )
        own = {"PYTHONPATH": str(root), "CHANNELS_LIVE_WORKSPACE": str(workspace)}
        printed = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=os.environ | own,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert str(root / "notebooks") in printed
        files = [path for path in (workspace / "04").rglob("*") if path.is_file()]
        return {path.relative_to(workspace): path.read_bytes() for path in files}

    assert lay_out(edited) == lay_out(ROOT)


UNSET = re.compile(r'^del (os\.environ\["\w+"\])', re.M)


@pytest.mark.parametrize("folder", ["notebooks", "clinic", "solutions"])
def test_what_a_cell_unsets_it_has_set(folder):
    """Or it raises KeyError for whoever runs it twice, or alone."""
    for path in sorted((ROOT / folder).glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for found in UNSET.finditer(cell.source):
                set_before = f"{found[1]} = " in cell.source[: found.start()]
                assert set_before, f"{path.name}, {cell.id}: {found[0]}"
