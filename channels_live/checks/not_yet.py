"""`NotYet`: what a check raises."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from channels_live.server import ServerError

LONGEST = 300  # characters of what is shown


class NotYet(Exception):
    """The exercise is not right yet.

    look: what to look at, a sentence. sent, got, expected: what the check did and saw.
    status: the HTTP status that came, where it was not the right one.
    error: the ServerError of a server that did not start.

    They can be changed by a check that knows better. `more` is told besides: label → text.
    """

    def __init__(
        self,
        look: str,
        *,
        sent: Any = None,
        got: Any = None,
        expected: Any = None,
        status: int | None = None,
        error: "ServerError | None" = None,
    ) -> None:
        super().__init__(look)
        self.look, self.sent, self.got, self.expected = look, sent, got, expected
        self.status, self.error = status, error
        self.more: dict[str, str] = {}

    @property
    def details(self) -> dict[str, str]:
        """What is told: label → text."""
        seen = {"sent": self.sent, "got": self.got, "expected": self.expected}
        details = {label: shown(what) for label, what in seen.items() if what is not None}
        return details | {"look at": self.look} | self.more


def shown(what: Any) -> str:
    """Return a frame, or what a check tells, as a text to be shown."""
    text = what if isinstance(what, str) else repr(what)
    if not isinstance(what, str | bytes):
        text = json.dumps(what)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
