"""`Project("~/sites/mysite")`: one's own Django project, served and watched as a lesson is."""

import os
from pathlib import Path

from channels_live import workspace
from channels_live.kernel import KERNEL, WorkingCopy
from channels_live.server import Server, ServerError
from channels_live.server.ports import ONLY_HERE
from channels_live.trouble import short
from channels_live.workspace import LessonError

_FROM_HERE = "What a notebook starts listens on 127.0.0.1 only"
_IN_TERMINAL = "\nIn a terminal, `channels-live watch -- …` runs a server as it is typed."
_NOT_FOUND = ("ModuleNotFoundError", "ImportError", "AttributeError", "ValueError")


class Project(WorkingCopy):
    """One's own Django project. Nothing in it is changed.

    folder: where its manage.py lies, a path; `~` is the home folder. Commands run there.

    A program of the project's own virtual environment runs with what is installed in it:
    `start("venv/bin/daphne mysite.asgi:application")`.

    Raises LessonError if there is no such folder, or no Django project in it.
    """

    @workspace.in_our_words()
    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__(_project(folder))
        KERNEL.prepare(own_project=True)

    def start(
        self,
        command: str,
        *,
        ready: str | None = None,
        fallback: bool = True,
        timeout: float = 30.0,
    ) -> Server:
        """Start what one would type in a terminal, in the background. Return its Server.

        The arguments and errors are those of a lesson's `start`. Where it does not find the ASGI
        application, the message names those that there are.
        """
        try:
            return super().start(command, ready=ready, fallback=fallback, timeout=timeout)
        except ServerError as error:
            if error.raised in _NOT_FOUND and not error.file:
                error.reason += f"\n{self._hint()}"
            if ONLY_HERE in error.reason:
                error.reason = f"{error.reason.replace(ONLY_HERE, _FROM_HERE)}{_IN_TERMINAL}"
            raise

    def _hint(self) -> str:
        modules = sorted(
            ".".join(path.relative_to(self.folder).with_suffix("").parts)
            for path in self.folder.glob("*/asgi.py")
            if path.parent.name.isidentifier()
        )
        if not modules:
            return f"There is no asgi.py one folder below {self.folder}: is that the project?"
        return f"This project has {' and '.join(f'{module}:application' for module in modules)}."


def _project(named: str | os.PathLike[str]) -> Path:
    """Return the folder of a project. Raises LessonError if it is none."""
    if not isinstance(named, str | os.PathLike) or not os.fspath(named):
        raise LessonError(f"A project is named by its folder, a text, not {short(repr(named))}.")
    if "\0" in str(named):
        raise LessonError("No folder's name holds the character \\0. Type it anew.")
    folder = Path(os.path.abspath(os.path.expanduser(named)))
    if not folder.exists():
        raise LessonError(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise LessonError(f"{folder} is a file. Name the folder that it lies in.")
    if (folder / "manage.py").is_file() or any(folder.glob("*/asgi.py")):
        return folder
    near = [*folder.glob("*/manage.py"), *folder.parent.glob("manage.py")]
    more = f" Do you mean {near[0].parent}?" if near else " Name the one in which manage.py lies."
    raise LessonError(f"{folder} is no Django project: there is no manage.py in it.{more}")
