"""The folder of a class: what it needs to go on, and all that its learners have written."""

import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from channels_live.workspace import overwrite

INSTRUCTOR = "instructor"
FOLDER = "CHANNELS_LIVE_CLASS"  # the environment variable that tells the hub its room
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another


class Room:
    """A class, as its folder remembers it.

    folder: where that is. `facts` are what the hub needs to know: `code` and `instructor_code`, to
    log in with; `hub_port`, `token`; `ports`, seat → port of its server; and what the command line
    has said.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = _read(folder / "class.json")
        self._seats = folder / "seats.json"

    def remember(self, **facts: Any) -> None:
        """Add to the facts, and write them. Raises OSError if that cannot be done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # it holds codes
        self.facts |= facts
        _write(self.folder / "class.json", self.facts)

    @property
    def names(self) -> dict[str, str]:
        """Return who sits where: a learner's name, as it was typed → the seat's."""
        return {name: seat for seat, name in _read(self._seats).items() if name}

    @property
    def seats(self) -> list[str]:
        """Return the seats: names of users of the hub, and of folders below `learners`."""
        return list(_read(self._seats))

    def furnish(self, learners: Iterable[str] = (), users: int = 0) -> None:
        """Add the seats that are missing: one for each of these names, then up to `users`.

        Not while the hub runs, which writes them too. Raises OSError.
        """
        seats = _read(self._seats)
        for name in learners:
            if not _seat_of(name, seats):
                seats[_new_seat(_slug(name), seats)] = name
        while len(seats) < users:
            seats[_new_seat("", seats)] = ""
        _write(self._seats, seats)

    def seat(self, name: str) -> str | None:
        """Return the seat of somebody who comes in; a free one, where they come first.

        name: as they type it. None if there is no seat for them.
        """
        name = " ".join(name.split())
        if not _key(name):
            return None
        seats = _read(self._seats)
        seat = _seat_of(name, seats) or next((free for free, by in seats.items() if not by), None)
        if seat and not seats[seat]:
            seats[seat] = name
            _write(self._seats, seats)
        return seat

    def port(self, user: str) -> int:
        """Return the port of a user's server. Raises KeyError if there is no such seat."""
        return self.facts["ports"][user]

    def role(self, name: str, code: str) -> str | None:
        """Return the user of the hub that a name and a code stand for, or None."""
        instructor = _key(name) == INSTRUCTOR
        right = self.facts["instructor_code" if instructor else "code"]
        if not hmac.compare_digest(_letters(code), _letters(right)):
            return None
        return INSTRUCTOR if instructor else self.seat(name)

    def workspace(self, seat: str) -> Path:
        """Return the folder of a learner's own files."""
        return self.folder / "learners" / seat / "workspace"


def new_code() -> str:
    """Return a code that is easily read aloud and typed."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _letters(code: str) -> bytes:
    return re.sub(r"[\s-]", "", code).casefold().encode()


def _key(name: str) -> str:
    """Return what tells one learner's name from another: no case, no spaces around."""
    return unicodedata.normalize("NFKC", " ".join(name.split())).casefold()


def _seat_of(name: str, seats: dict[str, str]) -> str | None:
    return next((seat for seat, taken in seats.items() if _key(taken) == _key(name)), None)


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40]


def _new_seat(wanted: str, seats: dict[str, str]) -> str:
    if wanted and wanted not in seats and wanted != INSTRUCTOR:
        return wanted
    stem = wanted or "learner"
    numbers = range(2 if wanted else 1, len(seats) + 3)
    return next(s for n in numbers if (s := f"{stem}-{n:02}") not in seats)


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return {}


def _write(file: Path, content: dict[str, Any]) -> None:
    overwrite(file, json.dumps(content, indent=1, ensure_ascii=False), private=True)
