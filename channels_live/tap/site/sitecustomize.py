"""Python imports this at start-up because `server/run.py` puts its folder on PYTHONPATH.

The Python may be a project's own, in which nothing of the course is installed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

SITE = os.path.dirname(os.path.abspath(__file__))
# Step aside first, so that a sitecustomize of the machine's own still runs.
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != SITE]
this = sys.modules.pop("sitecustomize")
with contextlib.suppress(ImportError):
    import sitecustomize  # noqa: F401
sys.modules.setdefault("sitecustomize", this)


def load() -> Any:
    """Return the tap that lies beside this file, whatever else is installed."""
    course = os.path.dirname(os.path.dirname(SITE))
    if "channels_live" not in sys.modules:
        package = type(sys)("channels_live")  # as good as the real one, which needs newer Pythons
        package.__path__ = [course]
        sys.modules["channels_live"] = package
    from channels_live import tap

    return tap


if "CHANNELS_LIVE_TAP" in os.environ:
    try:
        load().install(os.environ["CHANNELS_LIVE_TAP"])
    except Exception as error:  # the server must run all the same; its log says what is missing
        print(f"channels_live: nothing is recorded here ({error!r})", file=sys.stderr)
