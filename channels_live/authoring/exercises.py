"""Builds exercises/ from solutions/: the same notebooks, without what solves them."""

import argparse
import sys

import nbformat

from channels_live.authoring import AuthoringError
from channels_live.authoring.notebooks import execute
from channels_live.notebook import LAID_OUT, SOLUTION, stripped
from channels_live.workspace import EXERCISES, SOLUTIONS


def built(solution):
    """Return the notebook of the exercises that belongs to a notebook of solutions, not executed.

    solution: its path. Raises AuthoringError if a cell has one end of a solution without the other.
    """
    notebook = nbformat.read(solution, as_version=4)
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


def build(solution, folder):
    """Build the exercises of one notebook of solutions in a folder, executed.

    solution: its path. folder: a path. Raises AuthoringError as `built` and `execute` do; what was
    there then stays.
    """
    new = folder / f".building_{solution.name}"
    try:
        nbformat.write(built(solution), new)
        execute(new)
        new.replace(folder / solution.name)
    finally:
        new.unlink(missing_ok=True)


def differences(solutions, folder):
    """Return a sentence for each notebook in a folder of exercises that is not as built.

    Outputs do not count: the tests compare them. Raises AuthoringError as `built`.
    """
    names = {path.name for path in solutions.glob("*.ipynb")}
    found = {path.name for path in folder.glob("*.ipynb")}
    return [
        *(f"{folder.name}/{name} is missing." for name in sorted(names - found)),
        *(f"{folder.name}/{name} is superfluous." for name in sorted(found - names)),
        *(
            f"{folder.name}/{name} is stale."
            for name in sorted(names & found)
            if _content(built(solutions / name))
            != _content(nbformat.read(folder / name, as_version=4))
        ),
    ]


def _content(notebook):
    return [(cell.id, cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]


def main(arguments=None):
    """Run `make exercises`. Return the exit status."""
    parser = argparse.ArgumentParser(prog="make exercises", description=__doc__)
    parser.add_argument("which", nargs="*", help="numbers of lessons; otherwise all")
    parser.add_argument("--check", action="store_true", help="say what is not as built, and fail")
    options = parser.parse_args(arguments)
    paths = sorted(SOLUTIONS.glob("*.ipynb"))
    if options.which:
        paths = [path for path in paths if path.name[:2].lstrip("0") in options.which]
    try:
        if options.check:
            found = differences(SOLUTIONS, EXERCISES)
            print("\n".join([*found, "Run: make exercises"] if found else ["All is as built."]))
            return bool(found)
        for path in paths:
            build(path, EXERCISES)
    except AuthoringError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
