"""For maintainers: executes the notebooks, and builds what is derived from them."""

from channels_live.no_grammar import leave_out_grammar

leave_out_grammar()  # before anything here imports nbformat


class AuthoringError(Exception):
    """A notebook is not as it must be. The message says which, where and why."""
