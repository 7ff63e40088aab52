"""`Lesson(5)`: lays out the learner's working copy and makes it the current folder."""

import os

import nbformat
from filelock import FileLock, Timeout

from channels_live.working_copy import (
    ROOT,
    LessonError,
    WorkingCopy,
    clear,
    lay_out,
    prepare_kernel,
    workspace_folder,
    writing,
    written_text,
)

SAMPLE = ROOT / "sample_project"
NOTEBOOKS = ROOT / "notebooks"
_locks = {}  # number → the lock on its folder that this kernel holds
_lessons = {}  # number → the lesson of this kernel


class Lesson(WorkingCopy):
    """A working copy of the sample project, as it is when a lesson begins.

    number: the number of the lesson; 0 is the finished site.

    The copy lies in `workspace/NN` and becomes the current folder. Making the lesson again makes
    it afresh. What was changed there by hand is first moved to `workspace/kept`; where another
    kernel is at work in the folder, a second one is made beside it.

    Raises LessonError if there is no such lesson or the workspace cannot be written.
    """

    def __init__(self, number):
        layers = _layers(number)
        workspace = workspace_folder()
        if number in _lessons:
            _lessons[number].stop()
        prepare_kernel()
        with writing():
            folder = _claim(workspace, number)
            os.chdir(workspace)  # some systems cannot replace the current folder
            kept = clear(folder, written_files(notebook_of(number)))
            lay_out(folder, layers)
        super().__init__(folder)
        os.chdir(folder)
        self.number = number
        _lessons[number] = self
        shown = self.folder.relative_to(workspace.parent).as_posix()
        if self.folder.name != f"{number:02}":
            print(f"Another notebook is at work in lesson {number}, so this one uses {shown}.")
        if kept:
            print(kept)
        print(f"Lesson {number}: your files are in {shown}")


def notebook_of(number):
    """Return the path of a lesson's notebook, or None."""
    return next(iter(sorted(NOTEBOOKS.glob(f"{number:02}_*.ipynb"))), None)


def written_files(notebook):
    """Yield (path, text) for each `%%writefile` cell of a notebook, in their order."""
    return written_files_of(nbformat.read(notebook, as_version=4).cells)


def written_files_of(cells):
    """Yield (path, text) for each `%%writefile` cell among these."""
    for cell in cells:
        if cell.cell_type == "code":
            yield from written_text(cell.source)


def _layers(number):
    numbers = sorted(int(path.name[:2]) for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if type(number) is not int or number not in numbers:  # 5.0 would make another folder
        raise LessonError(
            f"There is no lesson {number!r}. The lessons are {numbers[0]} to {numbers[-1]}."
        )
    return project_before(number) if number else [SAMPLE / "finished"]


def project_before(number):
    """Return the folders that, laid over each other, are the project when a lesson begins."""
    steps = [SAMPLE / "steps" / f"{step:02}" for step in range(1, number)]
    return [SAMPLE / "start", *(step for step in steps if step.is_dir())]


def _claim(workspace, number):
    """Return the folder for this lesson that no other kernel uses, and hold it."""
    locks = workspace / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    if number in _locks:
        return workspace / _locks[number]
    for copy in range(1, 100):
        name = f"{number:02}" if copy == 1 else f"{number:02}-{copy}"
        lock = FileLock(locks / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _locks[number], _locks[name] = name, lock  # held until the kernel ends
        return workspace / name
    raise LessonError(f"A hundred notebooks are at work in lesson {number}. Close some of them.")
