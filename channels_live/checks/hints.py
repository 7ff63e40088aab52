"""Hints of an exercise, and which of them come first."""

import re
from collections.abc import Sequence


class Fits(str):
    """A hint for those who are told something in particular.

    pattern: a regular expression, of what the check then says, without backticks. hint: the text.
    """

    def __new__(cls, pattern: str, hint: str) -> "Fits":
        made = super().__new__(cls, hint)
        made.pattern = re.compile(pattern)
        return made

    pattern: re.Pattern[str]


def in_order(hints: Sequence[str], outcome: str) -> list[str]:
    """Return the hints, first those that fit the outcome of a check, then the others.

    outcome: as a text, or "": then they stay in their order.
    """

    def is_general(hint: str) -> bool:
        return not (isinstance(hint, Fits) and hint.pattern.search(outcome))

    return sorted(hints, key=is_general)
