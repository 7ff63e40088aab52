"""Jupyter's libraries, imported in half the time."""

import sys


def leave_out_grammar() -> None:
    """Let what imports jsonschema from now on not wait for a grammar of addresses.

    jsonschema imports a library that builds one at once, for more than a second. Jupyter never asks
    for it, and jsonschema does without where there is no such library (python-jsonschema#1521).
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
