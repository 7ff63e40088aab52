"""Shows what is new where a lesson writes a file again: by marks in it, or by the change above it.

A new line ends with a mark. Where a long file changes little, the Markdown cell above shows the
change, and the source of the file's cell is folded. Where most is new, nothing is marked. The
sample project is built without marks.
"""

import difflib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nbformat import NotebookNode

from channels_live.authoring import AuthoringError
from channels_live.authoring.course import Course
from channels_live.authoring.notebooks import load, store_all
from channels_live.notebook import written_file
from channels_live.workspace import project_files

# By the end of a file's name. What Django leaves out of a template may stand anywhere in it, in a
# script too. A change in a file of another kind is shown.
MARKS = {".py": "# new", ".conf": "# new", ".html": "{# new #}"}
MOSTLY_NEW = 0.6  # of the lines that are not blank: from this on, marks are noise
# Of a file with more lines than this, with at most this share of new ones, the change is shown.
LONG, LITTLE = 40, 1 / 6
_CONTEXT = 2  # lines around a change
_HUNK = re.compile(r"\n?^@@.*@@\n", re.M)


def unmarked(path: str, text: str) -> str:
    """Return the text of a file without marks. path: its path in the project."""
    mark = MARKS.get(PurePosixPath(path).suffix)
    return re.sub(rf"  {re.escape(mark)}$", "", text, flags=re.M) if mark else text


def marked(path: str, before: str | None, after: str) -> str | None:
    """Return the text of a file with a mark on each new line; None where the change is shown.

    path: its path in the project. before, after: its text, without marks; None: there was no file.
    """
    new = _new_lines(before, after) if before is not None else set()
    lines = after.split("\n")
    written = sum(bool(line.strip()) for line in lines)
    if not new or len(new) >= MOSTLY_NEW * written:
        return after
    mark = MARKS.get(PurePosixPath(path).suffix)
    if mark is None or (len(lines) > LONG and len(new) <= LITTLE * written):
        return None
    if path.endswith(".py") and new & _lines_without_end(after):
        return None
    return "\n".join(
        f"{line}  {mark}" if number in new else line for number, line in enumerate(lines, 1)
    )


def change(path: str, before: str, after: str) -> str:
    """Return what has changed in a file, as a fence for Markdown that begins with its path."""
    old, new = before.splitlines(), after.splitlines()
    text = "\n".join(list(difflib.unified_diff(old, new, n=_CONTEXT, lineterm=""))[2:])
    # blank lines around a change say nothing
    parts = [re.sub(r"^( \n)+|(\n )+$", "", part) for part in _HUNK.split(text)[1:]]
    body = "\n…\n".join(parts)
    return f"```diff\n# {path}\n{body}\n```"


def stale(course: Course) -> list[Path]:
    """Return the lessons in which marks, changes or folds are not as they must be.

    Raises AuthoringError if a lesson cannot be read, or a change has no place.
    """
    return [path for path, _ in _changed(course)]


def renew(course: Course) -> list[Path]:
    """Mark, show and fold in all lessons, and return those that this has changed.

    Raises AuthoringError as `stale`; then nothing is changed.
    """
    return store_all(_changed(course))


def _changed(course: Course) -> Iterator[tuple[Path, NotebookNode]]:
    start = course.sample / "start"
    project = {path: (start / path).read_bytes() for path in project_files(start)}
    for number, lesson in course.lessons().items():
        if not number or not any(written_file(cell.source) for cell in lesson.code):
            continue
        notebook = load(lesson.path)
        before, above = _contents(notebook), None
        for cell in notebook.cells:
            written = written_file(cell.source) if cell.cell_type == "code" else None
            if written:
                path, text = written[0], unmarked(*written)
                old = project[path].decode() if path in project else None
                project[path] = text.encode()
                name = f"{course.shown(lesson.path)}, cell {cell.id!r}"
                _put(cell, above, path, old, text, name)
            above = cell
        if before != _contents(notebook):
            yield lesson.path, notebook


def _contents(notebook: NotebookNode) -> list[tuple[str, str]]:
    return [(cell.source, str(cell.metadata)) for cell in notebook.cells]


def _put(
    cell: NotebookNode,
    above: NotebookNode | None,
    path: str,
    before: str | None,
    after: str,
    name: str,
) -> None:
    """Mark what is new in a file's cell, or fold it and show its change in the cell above."""
    text = marked(path, before, after)
    is_shown, was_shown = text is None, cell.metadata.get("jupyter", {}).get("source_hidden")
    source = f"%%writefile {path}\n{text or after}"
    cell.source = source if cell.source.endswith("\n") else source.removesuffix("\n")
    if not (is_shown or was_shown):
        return
    if above is None or above.cell_type != "markdown":
        raise AuthoringError(f"{name}: its change is shown in the Markdown cell above; write one.")
    place = re.compile(rf"\n*^```diff\n# {re.escape(path)}\n.*?^```$", re.M | re.S)
    if not is_shown:
        above.source = place.sub("", above.source)
        del cell.metadata["jupyter"]
        return
    cell.metadata["jupyter"] = {"source_hidden": True}
    fence = change(path, before or "", after)
    if place.search(above.source):
        above.source = place.sub(lambda match: f"\n\n{fence}", above.source).lstrip("\n")
    else:
        above.source += f"\n\n{fence}"


def _new_lines(before: str, after: str) -> set[int]:
    """Return the numbers of the lines that are new or changed, or stood elsewhere; blank: none."""
    old, new = before.split("\n"), after.split("\n")
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return {
        number
        for tag, _, _, begin, end in codes
        if tag != "equal"
        for number in range(begin + 1, end + 1)
        if new[number - 1].strip()
    }


def _lines_without_end(text: str) -> set[int]:
    """Return the numbers of a Python file's lines at whose end no comment can stand."""
    lines = {number for number, line in enumerate(text.split("\n"), 1) if line.endswith("\\")}
    strings: list[int] = []  # where those begin that have not ended
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            name = tokenize.tok_name[token.type]
            if name == "FSTRING_START":
                strings.append(token.start[0])
            elif name == "FSTRING_END":
                lines |= set(range(strings.pop(), token.end[0]))
            elif name == "STRING":
                lines |= set(range(token.start[0], token.end[0]))
    except (tokenize.TokenError, SyntaxError):  # broken on purpose
        return set(range(1, text.count("\n") + 2))
    return lines
