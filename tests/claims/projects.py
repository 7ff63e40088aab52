"""Projects for claims: as a lesson finds them, as its cells leave them, and other answers."""

import re

from channels_live import notebook
from channels_live.exercise import task
from channels_live.workspace import NOTEBOOKS, lay_out, project_before


def lesson_begins(number, folder):
    """Lay out the project that a lesson finds. Return its folder."""
    lay_out(folder, project_before(number))
    return folder


def written(number, path):
    """Return what the cells of a lesson write into a file, one after the other."""
    (lesson,) = NOTEBOOKS.glob(f"{number:02}_*.ipynb")
    sources = [cell.source for cell in notebook.read(lesson).code]
    first = f"%%writefile {path}\n"
    return [source.removeprefix(first) for source in sources if source.startswith(first)]


def another_answer(number, folder, changes):
    """Judge the solution of an exercise with changes: for a path, a new text or (old, new)."""
    exercise = task(number)
    files = dict(exercise.files(solved=True))
    for path, change in changes.items():
        if not isinstance(change, str):
            old, new = change
            assert re.search(old, files[path]), f"{old} in {path}"
            change = re.sub(old, new, files[path])
        files[path] = change
    lay_out(folder, project_before(exercise.lesson + 1), exercise.files())
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")
    return exercise.judge(folder)
