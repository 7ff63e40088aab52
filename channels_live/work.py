"""The learner's own work on an exercise: laid out, checked, kept, compared with the notebook."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from filelock import BaseFileLock

from channels_live import class_line, copies, kept, locks, notebook, workspace
from channels_live.outcome import Outcome
from channels_live.progress import NOT_ATTEMPTED, RIGHT, Progress
from channels_live.workspace import LessonError

if TYPE_CHECKING:
    from channels_live.exercise import Task

FORGOTTEN = "not remembered"  # label of what a check says of what could not be written
LARGEST = 10_000_000  # bytes of a file that is kept because it was right


def lay_out(task: "Task") -> None:
    """Lay out an exercise if it is not, and mend what was laid out by half.

    Raises LessonError if another program holds it up, OSError if it cannot be written.
    """
    folder = task.folder
    if workspace.is_laid_out(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(task):
        if not folder.exists():
            workspace.lay_out(folder, workspace.project_before(task.lesson + 1), task.files())
            if task.number not in Progress().states and (said := _remember(task, NOT_ATTEMPTED)):
                print(said)
        elif not workspace.is_laid_out(folder):
            layers = workspace.project_before(task.lesson + 1)
            if mended := workspace.complete(folder, layers, task.files()):
                print(f"Some files of {task.number} were missing: {', '.join(mended)}.")


def lay_out_again(task: "Task") -> None:
    """Lay out an exercise as at its beginning; keep what was there, and print where.

    Raises LessonError if another program holds it up, OSError if it cannot be written.
    """
    with _only_one(task):
        kept.lay_out_again(task.folder, workspace.project_before(task.lesson + 1), task.files())
    print(f"Exercise {task.number} is as at its beginning.")
    if forgotten := _remember(task, NOT_ATTEMPTED):
        print(forgotten)


def check(task: "Task") -> Outcome:
    """Judge the learner's own work, remember the state, and keep what is right.

    Whatever of that cannot be written, the Outcome is returned, and says so.
    """
    if task.folder.is_dir():  # what was laid out by half is not the learner's fault
        with contextlib.suppress(OSError, LessonError):
            lay_out(task)
    files = _changed(task)
    class_line.begin_check()
    outcome = task.judge(task.folder)
    if not task.folder.is_dir():
        return outcome
    trouble = []
    try:
        if outcome.state == RIGHT:
            kept.keep_right(task.number, files)
    except OSError as error:
        trouble.append(f"This version could not be kept: {error}")
    if forgotten := _remember(task, outcome.state):
        trouble.append(forgotten)
    if outcome.state != RIGHT and (versions := kept.right_versions(task.number)):
        outcome.advice["before"] = f"it was right; that is kept in {workspace.shown(versions[0])}"
    if trouble:
        outcome.advice[FORGOTTEN] = "\n".join(trouble)
    with contextlib.suppress(OSError):  # then hints begin with what is general
        kept.keep_outcome(task.number, str(outcome))
    class_line.checked(outcome, Progress().hints.get(task.number, 0))
    return outcome


def _remember(task: "Task", state: str) -> str | None:
    """Remember a state; return why it could not be, or None."""
    try:
        Progress().set_state(task.number, state)
    except LessonError as error:
        return f"Its state could not be remembered. {error}"
    return None


def _changed(task: "Task") -> dict[str, bytes]:
    """Return the files that are the learner's: path → content. None that is huge or unreadable."""
    folder, files = task.folder, {}
    with contextlib.suppress(OSError):
        for path in workspace.changed_files(folder):
            if (folder / path).stat().st_size <= LARGEST:
                files[path] = (folder / path).read_bytes()
    return files


def differences(task: "Task") -> Iterator[str]:
    """Yield a line for each of the learner's files that is not as the notebook's cell has it."""
    page = copies.open_notebook("exercises", task.lesson)
    if page is None or not (files := _changed(task)):
        return
    cells: dict[str, set[str]] = {}
    for path, text in notebook.written_files(notebook.lesson(page).cells):
        number, _, inner = path.partition("/")
        if number == task.number:
            cells.setdefault(inner, set()).add(workspace.digest(text.encode()))
    versions = kept.right_versions(task.number)
    for path, content in files.items():
        if path in cells and workspace.digest(content) not in cells[path]:
            right = any(kept.holds(version / path, content) for version in versions)
            yield (
                f"Your file {task.number}/{path} is another than its cell in the notebook, as last "
                f"saved{', and it was right' if right else ''}. "
                "To go on with the file, do not run that cell. Should you, the file is kept first."
            )


def _only_one(task: "Task") -> BaseFileLock:
    folder = workspace.workspace_folder()
    return locks.lock(folder / ".locks" / f"exercise-{task.number}.lock")
