"""`Lesson(5)`: lays out the learner's working copy and makes it the current folder."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from channels_live import copies, editions, notebook, workspace
from channels_live.kept import lay_out_again
from channels_live.kernel import KERNEL, WorkingCopy
from channels_live.server import Server
from channels_live.stage.stage import STAGE
from channels_live.workspace import LessonError


class Lesson(WorkingCopy):
    """A working copy of the sample project, as it is when a lesson begins.

    number: the number of the lesson; 0 is the finished site.

    The copy lies in `workspace/NN` and becomes the current folder. Making the lesson again makes
    it afresh. What was changed there by hand is first moved to `workspace/kept`, and so is a
    database with what came in through the site; where another kernel is at work in the folder, a
    second one is made beside it.

    Raises LessonError if there is no such lesson or the workspace cannot be written.
    """

    @workspace.in_our_words()
    def __init__(self, number: int) -> None:
        layers = _layers(number)
        if number in KERNEL.lessons:
            KERNEL.lessons[number].stop()
        KERNEL.prepare()
        with workspace.writing():
            editions.carry_over(workspace.workspace_folder())
            folder = KERNEL.claim(number)
            os.chdir(folder.parent)  # some systems cannot replace the current folder
            lay_out_again(folder, layers, cells=_cells(number))
            KERNEL.watch(folder)
        super().__init__(folder)
        os.chdir(folder)
        self.number = number
        KERNEL.lessons[number] = self
        if path := notebook.lesson_path(number):
            KERNEL.begin(notebook.lesson(path))
        shown = workspace.shown(folder)
        if folder.name != f"{number:02}":
            print(f"Another notebook is at work in lesson {number}, so this one uses {shown}.")
        print(f"Lesson {number}: your files are in {shown}")
        if newer := copies.newer("notebooks", number):
            print(f"Of this lesson there is a new edition: {newer}")

    def stage(self, server: Server, *paths: str, **named: str) -> None:
        """Show pages of a server, and below them the conversation with it, beside the notebook.

        paths: of the pages, as in "/chat/". named: what a panel is called → its path, as in
        Anna="/chat/lobby/". Each is a visitor of its own.
        """
        pages = {path if n == 1 else f"{path} {n}": path for n, path in _numbered(paths)} | named
        STAGE.show(server, pages)


def _numbered(paths: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield each path, and how many of the same there have been."""
    for at, path in enumerate(paths, 1):
        yield paths[:at].count(path), path


def _cells(number: int) -> list[tuple[str, str]]:
    """Return the files that cells of a lesson, or of the clinic, write: they need not be kept."""
    paths = [notebook.lesson_path(number), *notebook.lesson_paths(workspace.CLINIC)]
    pages = [notebook.lesson(path) for path in paths if path]
    board = workspace.SAMPLE / "board"  # lesson 28 has a copy of it
    copied = [
        (f"board/{path}", (board / path).read_text(encoding="utf-8"))
        for path in workspace.project_files(board)
    ]
    return [*copied, *(file for page in pages for file in notebook.written_files(page.cells))]


def _layers(number: int) -> list[Path]:
    numbers = [int(path.name[:2]) for path in notebook.lesson_paths()]
    if type(number) is not int:  # 5.0 would make another folder
        raise LessonError(f"A lesson is a number, as in Lesson(5), and not {number!r}.")
    if number not in numbers:
        raise LessonError(
            f"There is no lesson {number!r}. The lessons are {numbers[0]} to {numbers[-1]}."
        )
    return workspace.project_before(number) if number else [workspace.SAMPLE / "finished"]
