"""Django Channels, Live: what the notebooks import.

Names are loaded on first use: the tap imports this package inside every server that a lesson
starts, and must not pay there for what only a notebook needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors
    from channels_live.course import overview
    from channels_live.exercise import Exercise
    from channels_live.joining import join_class, leave_class, lower_hand, raise_hand
    from channels_live.lesson import Lesson
    from channels_live.project import Project
    from channels_live.server import Server, ServerError
    from channels_live.workspace import LessonError

_HOMES = {
    "Exercise": "exercise",
    "Lesson": "lesson",
    "LessonError": "workspace",
    "join_class": "joining",
    "leave_class": "joining",
    "lower_hand": "joining",
    "overview": "course",
    "Project": "project",
    "raise_hand": "joining",
    "Server": "server",
    "ServerError": "server",
}
__all__ = [
    "Exercise",
    "Lesson",
    "LessonError",
    "Project",
    "Server",
    "ServerError",
    "join_class",
    "leave_class",
    "lower_hand",
    "overview",
    "raise_hand",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
