"""IPython's shell, which code in a notebook runs in."""

import sys
from typing import Any


def shell() -> Any:
    """Return the shell, or None where there is none: a terminal's command does not import it."""
    ipython: Any = sys.modules.get("IPython")
    return ipython and ipython.get_ipython()
