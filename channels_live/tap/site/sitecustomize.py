"""Python imports this at start-up because `server/run.py` puts its folder on PYTHONPATH."""

import contextlib
import os
import sys

# Step aside first, so that a sitecustomize of the machine's own still runs.
sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(__file__)]
this = sys.modules.pop("sitecustomize")
with contextlib.suppress(ImportError):
    import sitecustomize  # noqa: F401
sys.modules.setdefault("sitecustomize", this)

if "CHANNELS_LIVE_TAP" in os.environ:
    from channels_live import tap

    tap.install(os.environ["CHANNELS_LIVE_TAP"])
