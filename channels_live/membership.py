"""What a learner has agreed to send to a class's board, and what of it is sent: a small file.

It is `class.json` in the workspace. Where it is not, nothing is sent to anybody.
"""

import json
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from channels_live import locks
from channels_live.workspace import LessonError, overwrite, workspace_folder

LONGEST = 600  # characters of a message, as the board takes it
PATIENCE = 1.0  # seconds that another program may hold the file: no check waits longer
MOST_PUSHES = 100  # that are remembered
_UNSAFE = re.compile(r"[^\w. -]+")

# address, code, key, name, after, last, works, pushes; before: the same of classes that wait
State = dict[str, Any]


def path() -> Path:
    """Return where it is written down, a path."""
    return workspace_folder() / "class.json"


def read() -> State | None:
    """Return what is written down; None where nobody has joined, or it cannot be read."""
    try:
        state = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and "key" in state else None


def join(address: str, code: str, name: str) -> None:
    """Write down that this learner joins. Who joins the same class again stays who they were.

    A class that they are in already waits meanwhile: `leave` goes back to it.

    address: of its board, as http://host:port or ws://host:port. code: of the class. name: for the
    board, or an empty text.

    Raises LessonError if that is no address, OSError if it cannot be written.
    """
    match = re.fullmatch(r"(?:(http|ws)(s?)://)?([\w.\-\[\]:]+?)/?", address.strip())
    if not match:
        raise LessonError(
            f"{address!r} is no address of a board. Its terminal shows one, like "
            "http://192.168.1.5:8400"
        )
    address = f"ws{match[2] or ''}://{match[3]}"

    def change(state: State) -> None:
        known = [*state.pop("before", []), *filter(None, [dict(state)])]
        joined = which({"address": address, "code": code})
        same = [each for each in known if which(each) == joined]
        state.clear()
        state.update(*same, before=[each for each in known if each not in same])
        state.setdefault("key", secrets.token_hex(20))
        state.update(address=address, code=code, name=name)
        for field, value in (("after", 0), ("last", 0), ("works", {}), ("pushes", [])):
            state.setdefault(field, value)

    _change(change, new=True)


def which(state: State) -> tuple[Any, Any]:
    """Return which class it is: its address and its code, which may be typed in any case."""
    return state.get("address"), str(state.get("code")).upper()


def leave() -> None:
    """Forget the class, and go back to the one before. Raises OSError if it cannot be written."""
    with _lock():
        *others, last = (read() or {}).get("before") or [None]
        _write(last and {**last, "before": others})


def put_back(state: State | None) -> None:
    """Write down what was there before. None: nothing. Raises OSError if it cannot be written."""
    with _lock():
        _write(state)


def note(exercise: str, *, tried: bool = False, **fields: Any) -> None:
    """Note what the board is to know of an exercise. Nothing is noted where nobody has joined.

    tried: whether it was checked once more. fields: `state`, `hints`, `message`.
    """

    def change(state: State) -> None:
        fresh = {"state": "not attempted", "tries": 0, "hints": 0, "message": ""}
        work = state["works"].setdefault(exercise, {**fresh, "begun": time.time()})
        work.update(fields)
        work["message"] = work["message"][:LONGEST]
        work["tries"] += tried
        state["last"] += 1
        work.update(number=state["last"], saved=False)

    _change(change)


def saved(number: int, key: str) -> None:
    """Note that the board of the class with this key has written down a report."""

    def change(state: State) -> None:
        for work in state["works"].values():
            if work["number"] == number and state["key"] == key:
                work["saved"] = True

    _change(change)


def reports(state: State) -> list[dict[str, Any]]:
    """Return what the board has not acknowledged, the oldest first, as it is sent."""
    waiting = [(name, work) for name, work in state["works"].items() if not work["saved"]]
    waiting.sort(key=lambda item: item[1]["number"])
    return [
        {
            "do": "report",
            "number": work["number"],
            "exercise": name,
            "state": work["state"],
            "tries": work["tries"],
            "hints": work["hints"],
            "seconds": max(0, int(time.time() - work["begun"])),
            "message": work["message"],
        }
        for name, work in waiting
    ]


def take(push: dict[str, Any], key: str) -> str | None:
    """Keep what an instructor has sent. Return it in words, or None where it was known.

    key: of the class from which it comes; what comes from one that waits is not kept.

    A file is put into `from_instructor/` in the workspace. Nothing that is there is overwritten.
    """
    words: list[str] = []

    def change(state: State) -> None:
        if state["key"] != key:
            return
        known = {number for number, *_ in state["pushes"]}
        if push["number"] not in known:
            words.append(push["text"])
            if push["name"]:
                words.append(_put(push["name"], push["content"]))
            text = "\n".join(filter(None, words))
            pushes = [*state["pushes"], [push["number"], push["exercise"], text]]
            state["pushes"] = pushes[-MOST_PUSHES:]
        state["after"] = max(state["after"], push["number"])

    _change(change)
    return "\n".join(filter(None, words)) or None


def sent_for(exercise: str) -> str:
    """Return what the instructor has sent to this learner for an exercise, or an empty text."""
    pushes = (read() or {}).get("pushes", [])
    return "\n".join(text for _, its_exercise, text in pushes if its_exercise == exercise)


def _put(name: str, content: str) -> str:
    folder = workspace_folder() / "from_instructor"
    folder.mkdir(parents=True, exist_ok=True)
    safe = _UNSAFE.sub("_", re.split(r"[/\\]", name)[-1]).lstrip(". ")[:80] or "file"
    stem, end = os.path.splitext(safe)
    for number in range(1, 1000):
        target = folder / (safe if number == 1 else f"{stem}-{number}{end}")
        try:
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(content)
        except FileExistsError:
            continue
        return f"A file: from_instructor/{target.name} in your workspace"
    return f"A file, {safe}, which could not be kept: from_instructor is full"


def _change(change: Callable[[State], None], new: bool = False) -> None:
    file = path()
    if not new and not file.exists():
        return
    with _lock():
        state = read()
        if state is None and not new:
            return
        state = state or {}
        change(state)
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(state)


def _lock() -> AbstractContextManager[Any]:
    return locks.lock(path().with_name(".class.lock"), PATIENCE)


def _write(state: State | None) -> None:
    if state:
        overwrite(path(), json.dumps(state, indent=1), private=True)  # the key is in it
    else:
        path().unlink(missing_ok=True)
