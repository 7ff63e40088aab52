"""Where a project's static files are: what Django's finders know.

A bare daphne serves none, so a page beside the notebook gets them from these folders.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_TIMEOUT = 20.0  # seconds
_ASK = """
import json
from django.conf import settings
from django.contrib.staticfiles import finders
roots = []
for finder in finders.get_finders():
    roots += [(prefix or "", str(root)) for prefix, root in getattr(finder, "locations", ())]
    for storage in getattr(finder, "storages", {}).values():
        pair = (getattr(storage, "prefix", "") or "", str(storage.location))
        if pair not in roots:
            roots.append(pair)
print(json.dumps({"static": settings.STATIC_URL, "roots": roots}))
"""


class StaticFiles:
    """Those of a project, which pages that are shown together ask for once in each run."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._run: object = None
        self._known: dict[str, Any] = {}

    def of(self, folder: Path, run: object) -> dict[str, Any]:
        """Return what static_files_of says. run: what tells this run of the server from others."""
        with self._asking:
            if run is not self._run:
                self._run, self._known = run, static_files_of(folder)
            return self._known


def static_files_of(folder: Path) -> dict[str, Any]:
    """Return the URL of a project's static files, and their folders; nothing if it has none."""
    try:
        answer = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", _ASK],
            cwd=folder,
            env=os.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
        known = json.loads(answer.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
        return {}  # broken settings, or no Django project: its pages will say so
    return known if isinstance(known, dict) else {}
