"""The notebooks as the site to read shows them."""

import json
import re
import shutil
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from channels_live import explain, notebook, schedule
from channels_live.notebook import Notebook
from channels_live.workspace import CLINIC, EXERCISES, NOTEBOOKS, ROOT, SOLUTIONS

BINDER = "https://mybinder.org/v2/gh/{}/HEAD?urlpath=lab/tree/workspace/{}"
_FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)
_NOTES = "<details><summary>For instructors</summary>"
_HEADING = re.compile(r"## (.+)")
_LEXERS = {".py": "python", ".html": "html+django", ".js": "javascript", ".css": "css"}
# the page has its own
_COLOURS = re.compile(r'%%\{init: \{"theme": "\w+"\}\}%%\n|"theme": "\w+", "themeCSS": "[^"]*", ')
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s]+)")  # within the course
_FILES = "files"  # folder of the notebooks as they are, to download
_DIAGRAM, _PANELS = "text/vnd.mermaid", "application/vnd.channels-live+json"

Cell = dict[str, Any]


def write(source: Path, repository: str = "") -> None:
    """Write the notebooks' pages, and the lists of them, into a folder that Sphinx reads.

    repository: "owner/name" on GitHub, for links to Binder; "": there are none.
    """
    for folder in (NOTEBOOKS, EXERCISES, SOLUTIONS, CLINIC):
        for path in notebook.lesson_paths(folder):
            _write_page(path, source, repository)
    lessons = [notebook.lesson(path) for path in notebook.lesson_paths()]
    index = source / "index.md"
    index.write_text(index.read_text("utf-8").replace("LESSONS", _toctrees(lessons)), "utf-8")
    for page in source.glob("*.md"):
        text = page.read_text("utf-8")
        page.write_text(_FENCE.sub(lambda fence: _drawing(fence[1]), text), "utf-8")
    errors = source / "errors.md"
    errors.write_text(errors.read_text("utf-8") + "".join(_errors()), "utf-8")
    for folder in (EXERCISES, SOLUTIONS, CLINIC):
        names = [path.stem for path in notebook.lesson_paths(folder)]
        title = folder.name.capitalize()
        text = f"# {title}\n\n{_toctree('', names)}"
        (source / folder.name / "index.md").write_text(text, "utf-8")


def _toctrees(lessons: list[Notebook]) -> str:
    parts = groupby(lessons, lambda lesson: lesson.metadata.get("part", "Begin"))
    return "\n".join(
        _toctree(part, [f"notebooks/{lesson.path.stem}" for lesson in those])
        for part, those in parts
    )


def _toctree(caption: str, names: list[str]) -> str:
    head = f":caption: {caption}\n" if caption else ""
    return f"```{{toctree}}\n{head}:maxdepth: 1\n\n" + "\n".join(names) + "\n```\n"


def _errors() -> Iterator[str]:
    """Yield what lessons and clinic say of each error, as `channels-live explain` knows it."""
    anchors: set[str] = set()
    for page, those in groupby(explain.errors(), lambda shown: shown.page):
        errors = list(those)
        yield f"\n## {page.capitalize()} · {errors[0].lesson.title}\n"
        for shown in errors:
            path = shown.lesson.path.relative_to(ROOT).as_posix()
            text = _LINK.sub(lambda link: f"]({_from_root(link[1])}", shown.text)
            ticks = "`" * (1 + max(map(len, re.findall("`+", shown.line)), default=0))
            space = " " * (len(ticks) > 1)
            label = f"\n({shown.anchor})=" if shown.anchor not in anchors else ""
            anchors.add(shown.anchor)
            yield (
                f"{label}\n### {ticks}{space}{shown.line}{space}{ticks}\n\n{text}\n\n"
                f"Shown in [{page}, “{shown.section}”](<{path}#{slug(shown.section)}>).\n"
            )


def _from_root(link: str) -> str:
    return link.removeprefix("../") if link.startswith("../") else f"notebooks/{link}"


def _write_page(path: Path, source: Path, repository: str) -> None:
    place = path.relative_to(ROOT)
    content = json.loads(path.read_text("utf-8"))
    page = notebook.read(path)
    minutes = _minutes(page) if path.parent == NOTEBOOKS else {}
    content["cells"] = [
        shown for cell in content["cells"] for shown in _shown(cell, minutes)
    ]  # fmt: skip
    links = f"{{download}}`Download this notebook <../{_FILES}/{place.as_posix()}>`"
    if repository and path.parent != SOLUTIONS:
        links += f" · [Run it on Binder]({BINDER.format(repository, place.as_posix())})"
    content["cells"].insert(1, _markdown("its-links", links))
    content["metadata"]["language_info"]["pygments_lexer"] = "ipython3"
    original, target = source / _FILES / place, source / place
    for folder in (original.parent, target.parent):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, original)
    target.write_text(json.dumps(content), "utf-8")


def _minutes(lesson: Notebook) -> dict[str, int]:
    """Return the minutes of a lesson's sections, by heading."""
    start = len(f"{lesson.number} · ")
    return {item.name[start:]: item.minutes for item in schedule.sections(lesson)}


def _markdown(name: str, text: str) -> Cell:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def _shown(cell: Cell, minutes: dict[str, int]) -> Iterator[Cell]:
    """Yield what a page shows of a cell. minutes: of each section, for its instructor's view."""
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        text = text.replace(_NOTES, _NOTES.replace("<details", '<details class="instructor"'))
        text = _FENCE.sub(lambda fence: _drawing(fence[1]), text)
        if (heading := _HEADING.match(text)) and heading[1] in minutes:
            note = f'<p class="instructor">About {minutes[heading[1]]} minutes</p>'
            text = text.replace(heading[0], f"{heading[0]}\n\n{note}", 1)
        yield cell | {"source": text}
    elif not text.strip():
        return
    elif written := notebook.written_file(text):
        yield _markdown(cell["id"], _file(*written))
    else:
        for output in cell["outputs"]:
            output.get("data", {}).pop(_PANELS, None)
            if diagram := output.get("data", {}).get(_DIAGRAM):
                said = escape("".join(output["data"]["text/plain"]))
                fold = f"<details><summary>As text</summary><pre>{said}</pre></details>"
                output["data"]["text/html"] = _drawing("".join(diagram)) + fold
                del output["data"][_DIAGRAM]
        yield cell | {"source": text}


def _drawing(source: str) -> str:
    source = _COLOURS.sub("", source)
    # a blank line would end it in Markdown
    lines = "\n".join(line for line in source.splitlines() if line.strip())
    return f'<pre class="mermaid">\n{escape(lines)}\n</pre>'


def _file(name: str, text: str) -> str:
    """Return a file as Markdown, with its name above it."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", text))])
    lexer = _LEXERS.get(Path(name).suffix, "text")
    return f"{fence}{{code-block}} {lexer}\n:caption: {name}\n\n{text}{fence}"


def slug(heading: str) -> str:
    """Return the anchor of a heading, as JupyterLab makes it."""
    return heading.replace(" ", "-")
