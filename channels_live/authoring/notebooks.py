"""Loads, executes and stores notebooks, so that nothing differs where nothing has changed."""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from channels_live.authoring import AuthoringError
from channels_live.authoring.kernels import keep_ports_for_kernels

CELL_TIMEOUT = 120  # seconds
# As JupyterLab writes it, so that opening and saving there changes nothing either.
KERNELSPEC = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": NATIVE_KERNEL_NAME,
}
_RIGHT = re.compile(r"Exercise \d+\.\d+: right\b")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def load(path: Path) -> NotebookNode:
    """Return a notebook, to be changed.

    Raises AuthoringError if it cannot be read, or its cells have no ids or the same ones.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
        ids = Counter(cell.get("id") for cell in json.loads(text)["cells"])
    except (OSError, ValueError, KeyError) as error:
        raise AuthoringError(f"{name} cannot be read: {error!r}") from error
    # nbformat would invent what is missing, and differently at every run
    if None in ids:
        raise AuthoringError(f"{name}: {ids[None]} of its cells have no id.")
    if twice := [cell for cell, count in ids.items() if count > 1]:
        raise AuthoringError(f"{name}: several cells have the id {', '.join(twice)}.")
    return nbformat.reads(text, as_version=4)


def store(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook to its file: with LF, on Windows too."""
    path.write_bytes(f"{nbformat.writes(notebook)}\n".encode())


def store_all(notebooks: Iterable[tuple[Path, NotebookNode]]) -> list[Path]:
    """Write notebooks to their files, all or, if one cannot be had, none. Return the paths."""
    changed = list(notebooks)
    for path, notebook in changed:
        store(notebook, path)
    return [path for path, _ in changed]


async def execute(
    path: Path,
    notebook: NotebookNode | None = None,
    on_cell: Callable[[], object] = lambda: None,
    all_right: bool = False,
) -> None:
    """Execute a notebook in a kernel and a workspace of its own, and store it with its outputs.

    path: its file, whose folder is the current one for its kernel.
    notebook: what is executed, and then stored in the file; None: what is in the file.
    on_cell: called after each code cell.
    all_right: whether each check in it must come out right.

    Raises AuthoringError, and leaves the file as it was, if that changes meanwhile, if its cells
    have no ids or the same ones, or if a cell raises an exception that its tags do not announce
    (`raises-exception`), takes longer than CELL_TIMEOUT, or ends the kernel, if that does not
    start, or if a check that must be right is not.
    """
    name = f"{path.parent.name}/{path.name}"
    before = path.read_bytes() if path.exists() else None
    notebook = notebook or load(path)
    keep_ports_for_kernels()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
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
            on_cell_executed=lambda **_: on_cell(),
        )
        own = {
            "CHANNELS_LIVE_WORKSPACE": str(Path(folder, "workspace")),
            "CHANNELS_LIVE_ANY_PORT": "1",
        }
        inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        try:
            await client.async_execute(env=inherited | own, cleanup_kc=True)
        except (CellControlSignal, RuntimeError) as error:
            if not isinstance(error, CellControlSignal | DeadKernelError):
                raise AuthoringError(f"{name}: its kernel did not start: {error}") from error
            number = client.code_cells_executed  # as JupyterLab shows it beside the cell
            place = f"{name}, cell [{number}]"
            if not isinstance(error, CellExecutionError):
                raise AuthoringError(f"{place}: {error}") from error
            trace = _COLOUR.sub("", error.traceback)
            message = f"{place}: {error.ename}: {error.evalue}\n{trace}"
            raise AuthoringError(message) from error
    if before != (path.read_bytes() if path.exists() else None):
        raise AuthoringError(f"{name} was changed while it was executed. Build it again.")
    _normalise(notebook)
    if all_right:
        _expect_right(notebook, name)
    store(notebook, path)


def _normalise(notebook: NotebookNode) -> None:
    """Take out what differs from run to run and from machine to machine."""
    notebook.metadata["kernelspec"] = KERNELSPEC
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.traceback = _own_frames(output.traceback)


def _expect_right(notebook: NotebookNode, name: str) -> None:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            verdict = output.get("data", {}).get("text/plain", "")
            if verdict.startswith("Exercise ") and not _RIGHT.match(verdict):
                raise AuthoringError(f"{name}: a solution is not right.\n{verdict}")


def _own_frames(traceback: list[str]) -> list[str]:
    """Keep the frames that are in cells: the others tell where this machine has its libraries."""
    parts = [_COLOUR.sub("", part) for part in traceback]
    shown = ["… frames in files" if part.startswith("File ") else part for part in parts]
    return [part for part, _ in groupby(shown)]
