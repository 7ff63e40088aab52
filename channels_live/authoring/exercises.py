"""Builds exercises/ from solutions/: the same notebooks, without what solves them."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from channels_live.authoring import AuthoringError
from channels_live.authoring.notebooks import load
from channels_live.notebook import LAID_OUT, SOLUTION, exercises_name, stripped


def built(solution: Path) -> NotebookNode:
    """Return the notebook of the exercises that belongs to a notebook of solutions, not executed.

    solution: its path. Raises AuthoringError if it cannot be loaded, or a cell has one end of a
    solution without the other.
    """
    notebook = load(solution)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if not {SOLUTION, LAID_OUT} & set(cell.metadata.get("tags", []))
    ]
    for cell in notebook.cells:
        cell.id = cell.id.replace("solution", "exercise")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        try:
            cell.source = stripped(cell.source)
        except ValueError as error:
            raise AuthoringError(f"{solution.name}: {error}") from error
    return notebook


def superfluous(solutions: Path, folder: Path) -> list[Path]:
    """Return the notebooks in a folder of exercises that belong to none of the solutions."""
    names = {exercises_name(path) for path in solutions.glob("*.ipynb")}
    return [path for path in sorted(folder.glob("*.ipynb")) if path.name not in names]


def is_stale(solution: Path, exercises: Path) -> bool:
    """Tell whether a notebook of exercises has other cells than are built from its solutions.

    Outputs do not count: the tests compare them. Raises AuthoringError as `built`.
    """
    return _content(built(solution)) != _content(nbformat.read(exercises, as_version=4))


def differences(solutions: Path, folder: Path) -> list[str]:
    """Return a sentence for each notebook in a folder of exercises that is not as built.

    Outputs do not count: the tests compare them. Raises AuthoringError as `built`.
    """
    sentences = [
        f"{folder.name}/{path.name} is superfluous." for path in superfluous(solutions, folder)
    ]
    for solution in sorted(solutions.glob("*.ipynb")):
        path = folder / exercises_name(solution)
        if not path.exists():
            sentences.append(f"{folder.name}/{path.name} is missing.")
        elif is_stale(solution, path):
            sentences.append(f"{folder.name}/{path.name} is stale.")
    return sentences


def _content(notebook: NotebookNode) -> list[tuple]:
    return [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]
