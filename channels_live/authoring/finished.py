"""Builds sample_project/steps/ and sample_project/finished/ from the lessons."""

import argparse
import re
import sys
import tempfile
from pathlib import Path, PurePosixPath

from channels_live.authoring import AuthoringError
from channels_live.notebook import read, written_files
from channels_live.workspace import NOTEBOOKS, SAMPLE, copy_project

BUILT = ("steps", "finished")
_FILE_CELL = re.compile(r"\s*%%(write)?file\b")
# No options, quotes, ~ or $: what IPython would make of them is not what is read here.
_HEAD = re.compile(r"%%writefile ([\w.][\w./-]*)\s*", re.ASCII)


def build(notebooks, start, target):
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


def lesson_files(notebook):
    """Return {path: text} of the files as a lesson leaves them.

    notebook: its path. Raises AuthoringError if a cell names anything but a file below the project.
    """
    cells = read(notebook).cells
    for cell in cells:
        if cell.kind == "code" and _FILE_CELL.match(cell.source):
            head = cell.source.partition("\n")[0]
            match = _HEAD.fullmatch(head)
            path = PurePosixPath(match[1] if match else "/")
            if path.is_absolute() or ".." in path.parts or str(path) != match[1]:
                raise AuthoringError(
                    f"{notebook.name}: a cell begins with {head!r}. "
                    "Only `%%writefile folder/file.py`, below the project, can be built."
                )
    return dict(written_files(cells))  # the last of several cells wins


def rebuild(notebooks, sample):
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


def differences(notebooks, sample):
    """Return a sentence for each file in `steps` and `finished` that is not as built.

    The arguments and errors are those of `rebuild`.
    """
    with tempfile.TemporaryDirectory() as folder:
        new, old = Path(folder, "new"), Path(folder, "old")
        build(notebooks, sample / "start", new)
        for name in BUILT:
            if (sample / name).exists():
                copy_project(sample / name, old / name)  # without what running it has left there
        wanted, found = _contents(new), _contents(old)
    return [
        f"{sample.name}/{path} is {'missing' if path not in found else 'stale'}."
        if path in wanted
        else f"{sample.name}/{path} is superfluous."
        for path in sorted(wanted.keys() | found.keys())
        if wanted.get(path) != found.get(path)
    ]


def _lessons(notebooks):
    found = {}
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        number = int(path.name[:2])
        if number in found:
            raise AuthoringError(f"{found[number].name} and {path.name} have the same number.")
        found[number] = path
    return [(number, path) for number, path in found.items() if number]


def _contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def main(arguments=None):
    """Run `make finished`. Return the exit status."""
    parser = argparse.ArgumentParser(prog="make finished", description=__doc__)
    parser.add_argument("--check", action="store_true", help="say what is not as built, and fail")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            found = differences(NOTEBOOKS, SAMPLE)
            print("\n".join([*found, "Run: make finished"] if found else ["All is as built."]))
            return bool(found)
        rebuild(NOTEBOOKS, SAMPLE)
    except AuthoringError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Built: {', '.join(f'{SAMPLE.name}/{name}' for name in BUILT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
