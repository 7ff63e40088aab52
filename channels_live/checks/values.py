"""Values that nobody can have foreseen, and calls at the same time."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_random = random.SystemRandom()


def word() -> str:
    """Return a word that nobody can have foreseen."""
    return "".join(_random.choices("bcdfghklmnprstvwz", k=5)) + str(number())


def number(low: int = 100, high: int = 999) -> int:
    """Return a number that nobody can have foreseen."""
    return _random.randint(low, high)


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Call functions at the same time. Return what they return, or raise what one raises."""
    with ThreadPoolExecutor() as pool:
        return [call.result() for call in [pool.submit(function) for function in functions]]
