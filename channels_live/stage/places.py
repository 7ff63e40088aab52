"""Where in a project a consumer's method stands."""

import ast
import contextlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_SKIPPED = {"__pycache__", "migrations", "node_modules", "site-packages"}


def place_of(
    folder: Path, consumer: str, handler: str, module: str = ""
) -> tuple[str, int] | None:
    """Return the file of a method, relative to the folder, and its line; or None.

    Where the class inherits the method, it is that of the base; where no base is in the project, it
    is the line of the class. module: of the class, where several modules have one of that name.
    """
    classes: dict[str, tuple[Path, _Class]] = {}
    for file in _files(folder):
        with contextlib.suppress(OSError):
            for name, known in _classes(str(file), file.stat().st_mtime_ns).items():
                classes.setdefault(name, (file, known))
    if consumer not in classes:
        return None
    own = folder.joinpath(*module.split("."))
    for file in (own.with_suffix(".py"), own / "__init__.py") if module else ():
        with contextlib.suppress(OSError, KeyError):
            classes[consumer] = file, _classes(str(file), file.stat().st_mtime_ns)[consumer]
    file, known = classes[consumer]
    line, waiting, seen = known.line, [consumer], set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in classes and name not in seen:
            seen.add(name)
            owner, its = classes[name]
            if handler in its.methods:
                file, line = owner, its.methods[handler]
                break
            waiting[:0] = its.bases
    return file.relative_to(folder).as_posix(), line


class _Class(NamedTuple):
    """A class: its line, its methods and their lines, the names of its bases."""

    line: int
    methods: dict[str, int]
    bases: list[str]


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
def _classes(file: str, changed: int) -> dict[str, _Class]:
    """Return the classes of a file by name."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (SyntaxError, ValueError):
        return {}
    return {
        node.name: _Class(
            node.lineno,
            {
                part.name: part.lineno
                for part in node.body
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
            },
            [ast.unparse(base).rpartition(".")[2] for base in node.bases],
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
