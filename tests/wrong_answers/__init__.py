"""Plausible wrong answers to the exercises, and the message that each must get.

A module a lesson, `lesson_NN.py`, with WRONG: the number of the exercise → a list of Wrong.
"""

from typing import NamedTuple


class Wrong(NamedTuple):
    """A wrong answer, told by what makes it differ from our solution."""

    title: str  # what the learner did
    message: str  # a part of what the check must say to that
    path: str  # of the file that is changed
    old: str  # stands in our solution exactly once; "" is the whole file
    new: str
    more: tuple = ()  # further changes: (path, old, new)
