"""For maintainers: executes the notebooks, and builds what is derived from them."""


class AuthoringError(Exception):
    """A notebook is not as it must be. The message says which, where and why."""
