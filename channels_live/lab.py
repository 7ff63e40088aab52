"""For a Jupyter server: the learner's copies of the lessons, and our command in its terminals.

`lab/jupyter_server.json` names this module, so that it does so wherever the course is installed.
`python -m channels_live.lab` is JupyterLab, as `python -m jupyterlab` is, and starts sooner.
"""

import os
import sys
import sysconfig
from typing import Any

from channels_live import workspace
from channels_live.copies import lay_out_copies
from channels_live.no_grammar import leave_out_grammar


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    _know_our_commands_in_terminals(server)
    try:
        with workspace.writing():
            for line in lay_out_copies():
                server.log.warning(line)
    except (workspace.LessonError, ValueError) as error:  # the originals can be opened all the same
        server.log.error(f"Your copies of the lessons could not be laid out. {error}")


def _know_our_commands_in_terminals(server: Any) -> None:
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", "").split(os.pathsep)
    if scripts not in path:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])
    if os.name != "nt":
        # by itself it opens login shells where it has no terminal, and those forget the PATH
        shell = [os.environ.get("SHELL") or "sh"]
        server.terminado_settings = {"shell_command": shell, **server.terminado_settings}


def main() -> None:
    """Run JupyterLab with the arguments of the command line."""
    leave_out_grammar()
    from jupyterlab.labapp import main as serve

    sys.exit(serve())


if __name__ == "__main__":
    main()
