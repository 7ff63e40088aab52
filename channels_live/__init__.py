"""Django Channels, Live: what the notebooks import.

Names are loaded on first use: the tap imports this package inside every server that a lesson
starts, and must not pay there for what only a notebook needs.
"""

from importlib import import_module

_HOMES = {
    "Exercise": "exercise",
    "Lesson": "lesson",
    "LessonError": "lesson",
    "overview": "course",
    "Server": "server",
    "ServerError": "server",
}
__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__():
    return __all__
