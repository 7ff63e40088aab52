"""Right answers that are not like ours, and that a check has refused once, or might.

A module a lesson, `lesson_NN.py`, with RIGHT: the number of the exercise → a list of Right.
"""

from typing import NamedTuple


class Right(NamedTuple):
    """A right answer in another style."""

    title: str  # what is different
    files: dict[str, str]  # path → the whole text, in place of ours
