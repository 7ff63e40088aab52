"""For a Jupyter server: when it starts, it lays out the learner's copies of the notebooks.

`lab/jupyter_server.json` names this module, so that it does so wherever the course is installed.
"""

from typing import Any

from channels_live import workspace
from channels_live.copies import lay_out_copies


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    try:
        with workspace.writing():
            for line in lay_out_copies():
                server.log.warning(line)
    except (workspace.LessonError, ValueError) as error:  # the originals can be opened all the same
        server.log.error(f"Your copies of the lessons could not be laid out. {error}")
