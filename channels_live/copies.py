"""The learner's own copies of the notebooks, without outputs: the originals stay as they came."""

import hashlib
import itertools
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from channels_live import locks
from channels_live.kept import move_to_kept
from channels_live.workspace import (
    CLINIC,
    EXERCISES,
    NOTEBOOKS,
    LessonError,
    shown,
    workspace_folder,
)

# as ipykernel says it: where a notebook has another, JupyterLab changes it as soon as it is opened
_LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": platform.python_version(),
}
ORIGINALS = {"notebooks": NOTEBOOKS, "exercises": EXERCISES, "clinic": CLINIC}
_EDITIONS = ".editions.json"  # of which edition a copy is: name → digest of what was laid out
_NEW = "-new-edition"  # in the name of what stands beside a copy that was changed


def lay_out_copies() -> list[str]:
    """Lay out what is missing or out of date, and return a line for each that is not as expected.

    A new edition takes the place of a copy in which nothing was written, whatever ran in it, and
    stands beside one in which something was.

    Raises LessonError if another program holds it up, OSError if it cannot be written.
    """
    lines = []
    with locks.lock(_lock()):
        for kind, originals in ORIGINALS.items():
            folder = workspace_folder() / kind
            folder.mkdir(exist_ok=True)
            editions = _editions(folder)
            names = [path.name for path in sorted(originals.glob("[0-9][0-9]_*.ipynb"))]
            for name in names:
                if beside := _renew(originals / name, folder, editions):
                    lines.append(
                        f"Of {shown(folder / name)} there is a new edition. You have written in "
                        f"yours, so it stays; the new one is {shown(beside)}."
                    )
            lines += _put_away(folder, editions, set(names))
            _write(folder / _EDITIONS, json.dumps(editions, indent=1))
    return lines


def _renew(original: Path, folder: Path, editions: dict[str, str]) -> Path | None:
    """Lay out a notebook if this edition of it is not there yet; return it if it stands beside."""
    text, edition = _copy_of(original)
    places = list(itertools.takewhile(Path.exists, _places(folder, original.name)))
    if any(editions.get(path.name) == edition for path in places):
        return None
    for path in _places(folder, original.name):
        written = _digest(path) if path.exists() else None
        if written == edition:  # the learner has it from elsewhere, or we were stopped
            editions[path.name] = edition
            return None
        if written is None or written == editions.get(path.name):
            _write(path, text)
            editions[path.name] = edition
            return path if path.name != original.name else None
    raise AssertionError("the names are endless")


def _put_away(folder: Path, editions: dict[str, str], names: set[str]) -> Iterator[str]:
    """Remove copies of notebooks that are no more; what was written goes to `kept`, in words."""
    for name in sorted(editions.keys() - names):
        path = folder / name
        if name.partition(_NEW)[0].removesuffix(".ipynb") + ".ipynb" in names:
            continue
        if path.exists():
            if _digest(path) == editions[name]:
                path.unlink()
            else:
                yield (
                    f"{shown(path)} is no longer a part of the course. You have written in it, "
                    f"so it is kept in {shown(move_to_kept(path))}."
                )
        del editions[name]


def fresh(kind: str, number: int) -> Path:
    """Lay out a notebook afresh, print where the old one is kept, and return its path.

    kind: a key of ORIGINALS. number: of the lesson. Raises LessonError if there is none, or another
    program holds it up; OSError if it cannot be written.
    """
    if (original := _original(kind, number)) is None:
        raise LessonError(
            f"There is no lesson {number}."
            if kind == "notebooks"
            else f"There are no exercises of a lesson {number}."
        )
    with locks.lock(_lock()):
        path = workspace_folder() / kind / original.name
        path.parent.mkdir(exist_ok=True)
        editions = _editions(path.parent)
        text, edition = _copy_of(original)
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
            print(f"Your old one is kept in {shown(move_to_kept(path))}.", flush=True)
        _write(path, text)
        _write(path.parent / _EDITIONS, json.dumps(editions | {path.name: edition}, indent=1))
    return path


def newer(kind: str, number: int) -> str | None:
    """Return the path of a new edition beside the notebook that is open, in words; or None."""
    beside = sorted((workspace_folder() / kind).glob(f"{number:02}_*{_NEW}*.ipynb"))
    return shown(beside[-1]) if beside and open_notebook(kind, number) not in beside else None


def open_notebook(kind: str, number: int) -> Path | None:
    """Return the notebook that this kernel belongs to, as far as that is known; or None.

    kind, number: of the one to take where the kernel does not say: the copy, or the original.
    """
    told = Path(os.environ.get("JPY_SESSION_NAME", ""))
    if told.suffix == ".ipynb" and told.is_file():
        return told
    return learners(kind, number)


def learners(kind: str, number: int) -> Path | None:
    """Return the learner's copy of a notebook, or the original where there is none yet; or None."""
    if original := _original(kind, number):
        copy = workspace_folder() / kind / original.name
        return copy if copy.is_file() else original
    return None


def _original(kind: str, number: int) -> Path | None:
    return next(iter(sorted(ORIGINALS[kind].glob(f"{number:02}_*.ipynb"))), None)


def _lock() -> Path:
    return workspace_folder() / ".locks/copies.lock"


def _places(folder: Path, name: str) -> Iterator[Path]:
    """Yield the paths of a copy, and of those that stand beside it."""
    stem = name.removesuffix(".ipynb")
    ends = itertools.chain(["", _NEW], (f"{_NEW}-{count}" for count in itertools.count(2)))
    return (folder / f"{stem}{end}.ipynb" for end in ends)


def _copy_of(original: Path) -> tuple[str, str]:
    """Return the text of a notebook without outputs, and the digest of what can be written in."""
    content = json.loads(original.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    content["metadata"]["language_info"] = _LANGUAGE
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n", _digest_of(content)


def _digest(path: Path) -> str:
    """Return the digest of what somebody may have written in a notebook; "" if it is none."""
    try:
        return _digest_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _digest_of(content: Any) -> str:
    cells = [
        (cell["cell_type"], "".join(cell["source"]), cell.get("attachments") or {})
        for cell in content["cells"]
    ]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def _editions(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads((folder / _EDITIONS).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return {}


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(text.encode())
    new.replace(path)
