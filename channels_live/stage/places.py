"""Where in a project a consumer's method stands."""

import ast
from functools import lru_cache
from pathlib import Path

_SKIPPED = {"__pycache__", "migrations", "node_modules", "site-packages"}


def place_of(folder: Path, consumer: str, handler: str) -> tuple[str, int] | None:
    """Return the file of a method, relative to the folder, and its line; or None.

    Where the class only inherits the method, that is the line of the class.
    """
    for file in _files(folder):
        try:
            lines = _classes(str(file), file.stat().st_mtime_ns).get(consumer)
        except OSError:
            continue
        if lines:
            return file.relative_to(folder).as_posix(), lines.get(handler, lines[""])
    return None


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.py"))
    return [
        file
        for file in files
        if not any(
            part in _SKIPPED or part.startswith(".") for part in file.relative_to(folder).parts
        )
    ]


@lru_cache(maxsize=1000)
def _classes(file: str, changed: int) -> dict[str, dict[str, int]]:
    """Return for each class of a file: method → its line, and "" → that of the class."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (SyntaxError, ValueError):
        return {}
    return {
        node.name: {"": node.lineno}
        | {
            part.name: part.lineno
            for part in node.body
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
