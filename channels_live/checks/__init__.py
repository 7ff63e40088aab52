"""What the checks are written with: a served copy of a learner's project, and clients of it.

A check is a function `check_5_1(site)` in `lesson_05.py`. It returns if the exercise is right, and
raises NotYet if not. `HINTS` there holds the hints, by the number of the exercise; those that
`Fits` ties to what the check says come first where it says that. What a check sends it draws at run
time (`word`, `number`), so that no answer can be written down beforehand.
"""

from channels_live.checks.client import WAIT, Client
from channels_live.checks.hints import Fits
from channels_live.checks.not_yet import NotYet, shown
from channels_live.checks.site import DAPHNE, ORIGIN, RAISED, Site
from channels_live.checks.values import at_once, number, word

__all__ = [
    "DAPHNE",
    "ORIGIN",
    "RAISED",
    "WAIT",
    "Client",
    "Fits",
    "NotYet",
    "Site",
    "at_once",
    "number",
    "shown",
    "word",
]
