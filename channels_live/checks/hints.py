"""Hints of an exercise, and which of them come first."""

import re
from collections.abc import Sequence


class Fits(str):
    """A hint for those who are told something in particular.

    found: a regular expression, of what the check then says, without backticks. hint: the text.
    """

    def __new__(cls, found: str, hint: str) -> "Fits":
        made = super().__new__(cls, hint)
        made.found = re.compile(found)
        return made

    found: re.Pattern[str]


def in_order(hints: Sequence[str], found: str) -> list[str]:
    """Return the hints, first those that fit what a check has found, then the others.

    found: the outcome as a text, or "": then they stay in their order.
    """

    def is_general(hint: str) -> bool:
        return not (isinstance(hint, Fits) and hint.found.search(found))

    return sorted(hints, key=is_general)
