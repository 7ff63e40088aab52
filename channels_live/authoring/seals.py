"""Tells which notebooks have the outputs of what they depend on now, so that only the rest is run.

A seal is a digest of a notebook's outputs and of all that they depend on: the code in its cells,
the project that it begins with, what it imports of this package, the checks and the titles that it
shows, and requirements.txt. A notebook is built where its seal is known: because it was executed
here (`.build/seals.json`, which is not in git), or because it is committed like this. So nothing is
executed in a fresh clone, and nothing after `git pull` or `git checkout`. Text between the cells
does not count: no output depends on it.
"""

import io
import json
import subprocess
import tempfile
import zipfile
from functools import cached_property
from pathlib import Path

from channels_live.authoring import AuthoringError
from channels_live.authoring.course import Course
from channels_live.notebook import Notebook, read
from channels_live.workspace import digest, project_before, project_files

# Parts of channels_live/ that no notebook runs.
_OTHERS = (
    *("authoring/", "workshop/", "checks/lesson_"),
    *("cli.py", "doctor", "explain.py", "terminal.py"),
)
CLINIC_BEGINS = 5  # the lesson whose project all pages of the clinic begin with


class Seals:
    """The seals of a course's notebooks. Raises AuthoringError if a notebook cannot be read."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._file = course.root / ".build" / "seals.json"

    def is_built(self, path: Path) -> bool:
        """Tell whether a notebook has been executed, and nothing has changed since."""
        if not path.exists() or not _page(path).is_executed:
            return False
        name, seal = self._course.shown(path), self._seal(path, self.inputs(path))
        if seal == self._known.get(name):
            return True
        if self._committed is None:  # without git what others have executed is taken for built
            return name not in self._known
        return seal == self._committed.get(name)

    def inputs(self, path: Path) -> str:
        """Return the digest of all that a notebook's outputs depend on."""
        lesson, folder = int(path.name[:2]), path.parent.name
        parts = [self._package, self._requirements]
        if folder == self._course.notebooks.name:
            parts.append(_code(_page(path)))
            sample = self._course.sample
            layers = project_before(lesson, sample) if lesson else [sample / "finished"]
            if lesson == 0:  # it shows the overview of all
                lessons = self._course.lessons().values()
                parts.append(repr([(page.title, page.minutes) for page in lessons]))
                tasks = self._course.tasks()
                parts.append(repr([(task.number, task.title, task.minutes) for task in tasks]))
        elif folder == self._course.clinic.name:
            parts.append(_code(_page(path)))
            layers = project_before(CLINIC_BEGINS, self._course.sample)
        else:
            layers = project_before(lesson + 1, self._course.sample)
            # exercises are made of these cells, and lay out files of them
            parts.append(_code(self._course.solved()[lesson]))
            parts.append(
                _content(self._course.root / f"channels_live/checks/lesson_{lesson:02}.py")
            )
            tasks = self._course.tasks()  # what is right names the next one
            parts += [task.title for task in tasks if task.number.startswith(f"{lesson}.")]
            parts += [task.title for task in tasks if task.number == f"{lesson + 1}.1"]
        project = {name: layer / name for layer in layers for name in project_files(layer)}
        parts += [f"{name} {_content(file)}" for name, file in sorted(project.items())]
        return digest("\0".join(parts).encode())

    def keep(self, path: Path, inputs: str) -> None:
        """Remember a notebook that has just been executed. inputs: their digest when it began."""
        self._known[self._course.shown(path)] = self._seal(path, inputs)
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(self._known, indent=1, sort_keys=True), encoding="utf-8")

    def _seal(self, path: Path, inputs: str) -> str:
        outputs = [(cell.execution_count, cell.outputs) for cell in _page(path).code]
        return digest(f"{inputs} {json.dumps(outputs, sort_keys=True)}".encode())

    @cached_property
    def _known(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError):
            return {}

    @cached_property
    def _committed(self) -> dict[str, str] | None:
        """The seals of the notebooks as they are in the last commit; None where there is no git."""
        command = ["git", "archive", "--format=zip", "HEAD"]
        try:
            archive = subprocess.run(
                command, cwd=self._course.root, capture_output=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            return None
        with tempfile.TemporaryDirectory() as folder:
            zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
            course = Course(Path(folder))
            seals = Seals(course)
            known = {}
            for pages in (course.notebooks, course.solutions, course.exercises, course.clinic):
                for path in sorted(pages.glob("[0-9][0-9]_*.ipynb")):
                    try:
                        known[course.shown(path)] = seals._seal(path, seals.inputs(path))
                    except AuthoringError:
                        continue  # that commit had broken notebooks
            return known

    @cached_property
    def _package(self) -> str:
        """What notebooks run of channels_live/."""
        package = self._course.root / "channels_live"
        names = [name for name in project_files(package) if not name.startswith(_OTHERS)]
        return "\0".join(f"{name} {_content(package / name)}" for name in names)

    @cached_property
    def _requirements(self) -> str:
        return _content(self._course.root / "requirements.txt")


def _page(path: Path) -> Notebook:
    try:
        return read(path)
    except (OSError, ValueError) as error:
        name = f"{path.parent.name}/{path.name}"
        raise AuthoringError(f"{name} cannot be read: {error}") from error


def _code(page: Notebook) -> str:
    return json.dumps([(cell.source, cell.tags) for cell in page.code])


def _content(file: Path) -> str:
    return digest(file.read_bytes()) if file.is_file() else ""
