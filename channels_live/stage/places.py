"""Where in a project a consumer's method stands."""

import ast
import contextlib
from functools import lru_cache
from pathlib import Path

_SKIPPED = {"__pycache__", "migrations", "node_modules", "site-packages"}


def place_of(folder: Path, owner: str, handler: str) -> tuple[str, int] | None:
    """Return the file of a method, relative to the folder, and its line; or None.

    owner: the class in which it stands, with its module. Where it does not, that is the line of the
    class.
    """
    module, _, name = owner.rpartition(".")
    path = module.replace(".", "/")
    for file in _files(folder):
        inner = file.relative_to(folder).as_posix()
        # the folder need not be where imports begin
        if f"/{inner}".endswith((f"/{path}.py", f"/{path}/__init__.py")):
            with contextlib.suppress(OSError):
                if lines := _classes(str(file), file.stat().st_mtime_ns).get(name):
                    return inner, lines.get(handler, lines[""])
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
