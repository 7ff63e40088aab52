"""The answers to *Now you* do what they say, and print what stands below them."""

import asyncio
import re

import prefork
import pytest
from clients import manage
from nbformat.v4 import new_code_cell, new_notebook
from shown_changes import FENCES, applied

from channels_live.authoring.notebooks import execute
from channels_live.notebook import lesson_paths, read
from channels_live.workspace import lay_out, project_before, project_files

ANSWER = re.compile(r"<details><summary>Answer</summary>\n\n(.*?)\n\n</details>", re.S)
# Cells of a lesson that its answer says to run, besides those with which the lesson begins
NEEDED = {
    10: ("lesson-10-11", "lesson-10-19"),
    16: ("lesson-16-07", "lesson-16-08", "lesson-16-10", "lesson-16-19", "lesson-16-76"),
    17: ("lesson-17-11", "lesson-17-40"),
    18: ("lesson-18-24",),
    22: ("lesson-22-11",),
    23: ("lesson-23-26", "lesson-23-27", "lesson-23-28"),
    27: ("lesson-27-18", "lesson-27-19"),
    28: ("lesson-28-14",),
}
# Cells after which an answer must still work: this one goes to another folder, and back
BEFORE = {28: ("lesson-28-49",)}
# What fills a database, in the first cells of nearly every lesson: nbval runs them as they are
FILL = "!python manage.py migrate --verbosity 0\n!python manage.py loaddata noticeboard"
WRITE = """\
for _path, _text in {!r}.items():
    Path(_path).parent.mkdir(parents=True, exist_ok=True)
    _ = Path(_path).write_text(_text)
"""
LESSONS = [read(path) for path in lesson_paths()[1:]]


def fences(lesson):
    """Return (kind, text) of each fence in the answer to *Now you*."""
    (now_you,) = (cell.source for cell in lesson.cells if "**Now you.**" in cell.source)
    (answer,) = ANSWER.findall(now_you.partition("**Now you.**")[2])
    return FENCES.findall(answer)


def first_cells(lesson):
    """Return the code cells that stand together at the beginning: they lay the lesson out."""
    start = next(at for at, cell in enumerate(lesson.cells) if cell.kind == "code")
    end = next(at for at, cell in enumerate(lesson.cells) if at > start and cell.kind == "markdown")
    return [cell.source for cell in lesson.cells[start:end]]


@pytest.fixture(scope="session")
def database(tmp_path_factory, zygote):
    """Return a function that fills a database as a lesson does, once for each that is alike."""
    made = {}

    def database(lesson):
        folder = tmp_path_factory.mktemp("filled") / "project"
        lay_out(folder, project_before(lesson.number))
        files = [*folder.glob("*/migrations/*.py"), *folder.glob("*/fixtures/*")]
        alike = tuple(sorted((file.name, file.read_bytes()) for file in files))
        if alike not in made:
            with prefork.forking(zygote):
                manage(folder, "migrate", "--verbosity", "0")
                manage(folder, "loaddata", "noticeboard")
            made[alike] = folder / "db.sqlite3"
        return made[alike]

    return database


def cells_of(lesson, filled):
    """Yield (source, what it prints or None) of the cells that try the answer out.

    filled: a database, the path of which takes the place of what fills one.
    """
    layers = project_before(lesson.number + 1)
    files = {path: layer / path for layer in layers for path in project_files(layer)}
    texts = {
        path: file.read_text(encoding="utf-8")
        for path, file in files.items()
        if file.suffix in (".py", ".html", ".conf")
    }
    if prefork.shared():
        yield prefork.IN_KERNEL, None
    copied = f"import shutil; _ = shutil.copy({str(filled)!r}, 'db.sqlite3')"
    for source in first_cells(lesson):
        yield source.replace(FILL, copied), None
    yield "from pathlib import Path", None
    yield WRITE.format(texts), None
    for cell in lesson.cells:
        if cell.id in BEFORE.get(lesson.number, ()):
            yield cell.source, None
    needed = [cell.source for cell in lesson.cells if cell.id in NEEDED.get(lesson.number, ())]
    shown = fences(lesson)
    for at, (kind, text) in enumerate(shown):
        if kind == "diff":
            path, texts[path] = applied(text, texts)
            yield f"_ = Path({path!r}).write_text({texts[path]!r})", None
        elif kind == "python":
            for source in needed:
                yield source, None
            needed = []
            follows = shown[at + 1] if at + 1 < len(shown) else ("", "")
            yield text, follows[1] if follows[0] == "text" else None
    yield "lesson.stop()", None


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)
def test_question_says_that_a_server_is_to_be_started(lesson):
    """It follows `server.stop()`."""
    (text,) = (cell.source for cell in lesson.cells if "**Now you.**" in cell.source)
    question = text.partition("**Now you.**")[2].partition("<details>")[0]
    assert re.search(r"\b(Start|Restart|restart\(\))", question), question


@pytest.mark.live
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)
def test_answers_work_and_print_what_they_say(lesson, database, tmp_path):
    cells = list(cells_of(lesson, database(lesson)))
    page = new_notebook(
        cells=[new_code_cell(source, id=f"cell-{at}") for at, (source, _) in enumerate(cells)]
    )
    with prefork.forking_kernels():
        asyncio.run(execute(tmp_path / "answer.ipynb", page))
    for cell, (source, expected) in zip(page.cells, cells, strict=True):
        if expected is not None:
            printed = "".join(output.get("text", "") for output in cell.outputs)
            lines = [
                line
                for line in printed.splitlines()
                if not line.startswith(("Running", "Stopped", "Already ended"))
            ]
            assert "\n".join(lines).strip("\n") == expected.strip("\n"), source
