"""Says it where a cell of a lesson is run before others that lay out what it needs."""

from collections.abc import Sequence
from typing import Any

from channels_live.notebook import Cell

TEXT = (
    "Not run since the first cell of this lesson, and this one may need it "
    "(Run → Run All Above Selected Cell runs them all):"
)
LAYS_OUT = ("%%writefile ", "!")  # how a cell begins that makes files, or tables


class Skipped:
    """Watches which cells of a lesson are run since its project was laid out.

    A cell is known by the id that an editor tells. ipython: the shell.
    """

    def __init__(self, ipython: Any) -> None:
        self._cells: Sequence[Cell] = ()
        self._run: set[str] = set()
        ipython.events.register("pre_run_cell", self._before)

    def begin(self, cells: Sequence[Cell]) -> None:
        """Watch these cells, of which the first has just laid the project out."""
        self._cells, self._run = cells[1:], set()

    def _before(self, info: Any) -> None:
        """Say, once, what was skipped above the cell that begins, unless that lays out too."""
        ids = [cell.id for cell in self._cells]
        if info.cell_id not in ids:
            return
        self._run.add(info.cell_id)
        at = ids.index(info.cell_id)
        skipped = [
            cell.source
            for cell in self._cells[:at]
            if cell.source.startswith(LAYS_OUT) and cell.id not in self._run
        ]
        if skipped and not self._cells[at].source.startswith(LAYS_OUT):
            self._cells = ()
            print(TEXT)
            for source in skipped:
                for line in source.splitlines()[: 1 if source[0] == "%" else None]:
                    print(f"    {line}")
