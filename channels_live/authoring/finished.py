"""Builds sample_project/steps/ and sample_project/finished/ from the lessons."""

import re
import tempfile
from pathlib import Path, PurePosixPath

from channels_live.authoring import AuthoringError
from channels_live.authoring.marks import unmarked
from channels_live.notebook import lesson_paths, read, written_files
from channels_live.workspace import copy_project

BUILT = ("steps", "finished")
_FILE_CELL = re.compile(r"\s*%%(write)?file\b")
# No options, quotes, ~ or $: what IPython would make of them is not what is read here.
_HEAD = re.compile(r"%%writefile ([\w.][\w./-]*)\s*", re.ASCII)


def build(notebooks: Path, start: Path, target: Path) -> None:
    """Build `steps` and `finished` in a folder.

    notebooks: the folder of the lessons, NN_*.ipynb; 00 changes nothing. A path.
    start: the project before lesson 1, a path.
    target: where to build, the path of an empty folder.

    Raises AuthoringError if two lessons have one number, or a `%%writefile` cell names anything
    but a file below the project.
    """
    finished, steps = target / "finished", target / "steps"
    copy_project(start, finished)
    steps.mkdir()
    for number, notebook in _lessons(notebooks):
        for path, text in lesson_files(notebook).items():
            content = text.encode()
            file = finished / path
            if file.is_file() and file.read_bytes() == content:
                continue
            for copy in (file, steps / f"{number:02}" / path):
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)


def lesson_files(notebook: Path) -> dict[str, str]:
    """Return {path: text} of the files as a lesson leaves them, without the marks of what is new.

    notebook: its path. Raises AuthoringError if a cell names anything but a file below the project.
    """
    cells = read(notebook).cells
    for cell in cells:
        if cell.kind == "code" and _FILE_CELL.match(cell.source):
            head = cell.source.partition("\n")[0]
            match = _HEAD.fullmatch(head)
            name = match[1] if match else "/"
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or str(path) != name:
                raise AuthoringError(
                    f"{notebook.name}: a cell begins with {head!r}. "
                    "Only `%%writefile folder/file.py`, below the project, can be built."
                )
    # the last of several cells wins
    return {path: unmarked(path, text) for path, text in written_files(cells)}


def rebuild(notebooks: Path, sample: Path) -> None:
    """Replace `steps` and `finished` in the folder `sample`; on an error they stay as they are.

    The arguments and errors are those of `build`; `sample` also holds `start`.
    """
    with tempfile.TemporaryDirectory(dir=sample, prefix=".building_") as folder:
        new, old = Path(folder, "new"), Path(folder, "old")
        old.mkdir()
        build(notebooks, sample / "start", new)
        for name in BUILT:
            if (sample / name).exists():
                (sample / name).rename(old / name)
            (new / name).rename(sample / name)


def differences(notebooks: Path, sample: Path) -> list[str]:
    """Return a sentence for each file in `steps` and `finished` that is not as built.

    The arguments and errors are those of `rebuild`.
    """
    with tempfile.TemporaryDirectory() as folder:
        new, old = Path(folder, "new"), Path(folder, "old")
        build(notebooks, sample / "start", new)
        for name in BUILT:
            if (sample / name).exists():
                copy_project(sample / name, old / name)  # without what running it has left there
        wanted, there = _contents(new), _contents(old)
    return [
        f"{sample.name}/{path} is {'missing' if path not in there else 'stale'}."
        if path in wanted
        else f"{sample.name}/{path} is superfluous."
        for path in sorted(wanted.keys() | there.keys())
        if wanted.get(path) != there.get(path)
    ]


def _lessons(notebooks: Path) -> list[tuple[int, Path]]:
    paths: dict[int, Path] = {}
    for path in lesson_paths(notebooks):
        number = int(path.name[:2])
        if number in paths:
            raise AuthoringError(f"{paths[number].name} and {path.name} have the same number.")
        paths[number] = path
    return [(number, path) for number, path in paths.items() if number]


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
