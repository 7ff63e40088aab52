"""Executes notebooks in place, so that nothing differs where nothing has changed."""

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from itertools import groupby
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from tqdm import tqdm

from channels_live.authoring import AuthoringError
from channels_live.notebook import lesson_path
from channels_live.workspace import NOTEBOOKS

CELL_TIMEOUT = 120  # seconds
# As JupyterLab writes it, so that opening and saving there changes nothing either.
KERNELSPEC = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": NATIVE_KERNEL_NAME,
}
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def execute(path):
    """Execute a notebook in a kernel and a workspace of its own; store its outputs in its file.

    path: the notebook's file, a path. Its folder is the current one for its kernel.

    Raises AuthoringError, and leaves the file as it was, if its cells have no ids or the same ones,
    if a cell raises an exception that its tags do not announce (`raises-exception`), takes longer
    than CELL_TIMEOUT, or ends the kernel.
    """
    notebook = _read(path)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tqdm(total=total, desc=path.name, unit="cell") as bar,
    ):
        client = NotebookClient(
            notebook,
            # This very Python, whatever the user has installed under the name of python3
            km=AsyncKernelManager(
                kernel_name=NATIVE_KERNEL_NAME,
                kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            ),
            resources={"metadata": {"path": str(path.parent)}},
            timeout=CELL_TIMEOUT,
            extra_arguments=["--log-level=ERROR"],
            coalesce_streams=True,
            on_cell_executed=lambda **_: bar.update(),
        )
        own = {
            "CHANNELS_LIVE_WORKSPACE": str(Path(folder, "workspace")),
            "CHANNELS_LIVE_ANY_PORT": "1",
        }
        environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        try:
            client.execute(env=environment | own, cleanup_kc=True)
        except (CellControlSignal, DeadKernelError) as error:
            number = client.code_cells_executed  # as JupyterLab shows it beside the cell
            place = f"{path.name}, cell [{number}]"
            if not isinstance(error, CellExecutionError):
                raise AuthoringError(f"{place}: {error}") from error
            trace = _COLOUR.sub("", error.traceback)
            message = f"{place}: {error.ename}: {error.evalue}\n{trace}"
            raise AuthoringError(message) from error
    _normalise(notebook)
    path.write_bytes(f"{nbformat.writes(notebook)}\n".encode())  # LF, on Windows too


def _read(path):
    try:
        text = path.read_text(encoding="utf-8")
        ids = Counter(cell.get("id") for cell in json.loads(text)["cells"])
    except (OSError, ValueError, KeyError) as error:
        raise AuthoringError(f"{path.name} cannot be read: {error!r}") from error
    # nbformat would invent what is missing, and differently at every run
    if None in ids:
        raise AuthoringError(f"{path.name}: {ids[None]} of its cells have no id.")
    if twice := [name for name, count in ids.items() if count > 1]:
        raise AuthoringError(f"{path.name}: several cells have the id {', '.join(twice)}.")
    return nbformat.reads(text, as_version=4)


def _normalise(notebook):
    """Take out what differs from run to run and from machine to machine."""
    notebook.metadata["kernelspec"] = KERNELSPEC
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.traceback = _own_frames(output.traceback)


def _own_frames(traceback):
    """Keep the frames that are in cells: the others tell where this machine has its libraries."""
    parts = [_COLOUR.sub("", part) for part in traceback]
    shown = ["… frames in files" if part.startswith("File ") else part for part in parts]
    return [part for part, _ in groupby(shown)]


def main(arguments=None):
    """Run `make notebooks`. Return the exit status."""
    parser = argparse.ArgumentParser(prog="make notebooks", description=__doc__)
    parser.add_argument("which", nargs="*", help="numbers or paths; otherwise every lesson")
    which = parser.parse_args(arguments).which
    paths = [] if which else sorted(NOTEBOOKS.glob("*.ipynb"))
    for word in which:
        if not word.isdigit():
            paths.append(Path(word))
        elif path := lesson_path(int(word)):
            paths.append(path)
        else:
            parser.error(f"there is no lesson {word}")
    failed = 0
    for path in paths:
        try:
            execute(path)
        except AuthoringError as error:
            failed += 1
            print(f"{error}\n{path.name} is left as it was.\n", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
