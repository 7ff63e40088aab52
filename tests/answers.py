"""Somebody's work on exercises, for the tests."""

from channels_live.editions import carry_over
from channels_live.exercise import task
from channels_live.workspace import lay_out, project_before, workspace_folder

RIGHT_5_1 = """\
from channels.generic.websocket import WebsocketConsumer


class AnswerConsumer(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data.upper())
"""
WRONG_5_1 = RIGHT_5_1.replace(".upper()", "")


def work_on(number, files=(), workspace=None):
    """Lay an exercise out, write files over it (path → text), and return its folder.

    workspace: a folder; otherwise that of the test.
    """
    exercise = task(number)
    carry_over(workspace or workspace_folder())
    folder = exercise.folder_in(workspace) if workspace else exercise.folder
    lay_out(folder, project_before(exercise.lesson + 1), exercise.files())
    for path, text in dict(files).items():
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def everything(folder):
    """Return all that is in a folder: path → content and time of change; None for a folder."""
    return {
        path.relative_to(folder).as_posix(): (
            (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else None
        )
        for path in sorted(folder.rglob("*"))
    }
