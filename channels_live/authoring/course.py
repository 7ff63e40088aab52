"""`Course`: where its files are, and what its notebooks say."""

from dataclasses import dataclass
from pathlib import Path

from channels_live.authoring import AuthoringError
from channels_live.notebook import Notebook, TaskCells, lesson_paths, read, tasks_of
from channels_live.workspace import ROOT


@dataclass(frozen=True)
class Course:
    """The course whose files are built. root: the folder of the project."""

    root: Path = ROOT

    @property
    def notebooks(self) -> Path:
        """The folder of the lessons."""
        return self.root / "notebooks"

    @property
    def solutions(self) -> Path:
        """The folder of the solutions."""
        return self.root / "solutions"

    @property
    def clinic(self) -> Path:
        """The folder of the clinic: errors that no lesson shows."""
        return self.root / "clinic"

    @property
    def exercises(self) -> Path:
        """The folder of the exercises."""
        return self.root / "exercises"

    @property
    def sample(self) -> Path:
        """The folder of the sample project, as it is before, between and after the lessons."""
        return self.root / "sample_project"

    @property
    def readme(self) -> Path:
        """The file README.md."""
        return self.root / "README.md"

    def shown(self, path: Path) -> str:
        """Return the path of a file as it is told: from the root on."""
        return path.relative_to(self.root).as_posix()

    def lessons(self) -> dict[int, Notebook]:
        """Return {number: lesson}, in their order. Raises AuthoringError as `solved`."""
        return self._read(self.notebooks)

    def clinics(self) -> dict[int, Notebook]:
        """Return {number: page}, of the clinic. Raises AuthoringError as `solved`."""
        return self._read(self.clinic)

    def solved(self) -> dict[int, Notebook]:
        """Return {number: notebook of solutions}, in their order.

        Raises AuthoringError if one cannot be read, or two have one number.
        """
        return self._read(self.solutions)

    def tasks(self) -> list[TaskCells]:
        """Return all exercises, in their order. Raises AuthoringError as `solved`."""
        return [task for page in self.solved().values() for task in tasks_of(page)]

    def _read(self, folder: Path) -> dict[int, Notebook]:
        pages: dict[int, Notebook] = {}
        for path in lesson_paths(folder):
            try:
                page = read(path)
            except (OSError, ValueError) as error:
                raise AuthoringError(f"{self.shown(path)} cannot be read: {error}") from error
            if page.number in pages:
                names = f"{pages[page.number].path.name} and {path.name}"
                raise AuthoringError(f"{names} have the same number.")
            pages[page.number] = page
        return pages
