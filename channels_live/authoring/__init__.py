"""For maintainers: executes the notebooks, and builds what is derived from them."""

import sys

# The library for notebooks would build a grammar of addresses, which takes a second and which
# nothing here asks it for. It does without where there is none (python-jsonschema#1521).
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


class AuthoringError(Exception):
    """A notebook is not as it must be. The message says which, where and why."""
