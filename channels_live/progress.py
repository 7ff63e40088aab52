"""What is done: a small text file in the workspace, one line an exercise."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from channels_live import editions, locks
from channels_live.kept import move_to_kept
from channels_live.workspace import workspace_folder, writing

NOT_ATTEMPTED, NOT_YET, RIGHT = "not attempted", "not yet", "right"
_LINE = re.compile(
    rf"(\d+\.\d+)(?: +({NOT_ATTEMPTED}|{NOT_YET}|{RIGHT}))?"
    rf"(?: +now: ({NOT_ATTEMPTED}|{NOT_YET}))?(?: +hints: (\d+))?"
)


class Progress:
    """The states of a workspace's exercises, as last checked.

    `states`, `now` and `hints` are dicts by the number of an exercise. Every exercise that was ever
    laid out has a state, unless the file was lost. One that was right once stays so: `now` has what
    its files are if that is no longer right. `damaged` tells whether there is a file that could not
    be read in full; what could be read is there all the same.
    """

    def __init__(self) -> None:
        self._path = workspace_folder() / "progress.txt"
        self.states: dict[str, str] = {}
        self.now: dict[str, str] = {}
        self.hints: dict[str, int] = {}
        self.damaged = False
        self._read()

    def set_state(self, number: str, state: str) -> None:
        """Remember the state of an exercise; where it was right, it was, and `now` is told apart.

        Raises LessonError if that cannot be written, or another program holds the file too long.
        """

        def change() -> None:
            self.now.pop(number, None)
            if state != RIGHT and self.states.get(number) == RIGHT:
                self.now[number] = state
            else:
                self.states[number] = state

        self._change(change)

    def add_hint(self, number: str, most: int) -> int:
        """Count one more hint, up to `most`. Return the count. Raises LessonError as set_state."""
        self._change(lambda: self.hints.update({number: min(self.hints.get(number, 0) + 1, most)}))
        return self.hints[number]

    def restore(self, states: Mapping[str, str]) -> None:
        """Take these states for exercises that have none. Raises LessonError as set_state."""
        self._change(lambda: self.states.update({**states, **self.states}))

    def _change(self, change: Callable[[], None]) -> None:
        with writing():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with locks.lock(self._path.with_name(".progress.lock")):
                self._read()
                change()
                if self.damaged:
                    move_to_kept(self._path)
                new = self._path.with_suffix(".new")
                lines = [f"{editions.head()}\n", *map(self._line, self._numbers())]
                new.write_text("".join(lines), encoding="utf-8")
                _put(new, self._path)
                self.damaged = False

    def _read(self) -> None:
        try:
            text = self._path.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            text = ""
        except OSError:
            text = "?"  # it is there, and says nothing
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        new_numbers = editions.NEW_NUMBERS
        if lines and editions.is_head(lines[0]):
            new_numbers, lines = {}, lines[1:]
        matches = [_LINE.fullmatch(line) for line in lines]
        self.damaged = None in matches or (text != "" and not text.endswith("\n"))
        for number, state, now, hints in (match.groups() for match in matches if match):
            number = new_numbers.get(number, number)
            if state:
                self.states[number] = state
            if now:
                self.now[number] = now
            if hints:
                self.hints[number] = int(hints)

    def _numbers(self) -> list[str]:
        numbers = self.states.keys() | self.hints.keys()
        return sorted(numbers, key=lambda number: [int(part) for part in number.split(".")])

    def _line(self, number: str) -> str:
        line = f"{number:6}{self.states.get(number, '')}"
        if now := self.now.get(number):
            line += f"  now: {now}"
        if hints := self.hints.get(number):
            line += f"  hints: {hints}"
        return f"{line}\n"


def _put(new: Path, path: Path) -> None:
    for _ in range(20):
        try:
            new.replace(path)
            return
        except PermissionError:  # on Windows, while somebody reads it
            time.sleep(0.05)
    new.replace(path)
