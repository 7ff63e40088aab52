"""What a check has found, and other texts: rich in a notebook, plain in a terminal."""

import re
from collections.abc import Mapping
from html import escape

from channels_live.progress import RIGHT
from channels_live.trouble import visible

_THEIRS = {"got", "your code raised", "the check met", "the log says"}  # word for word
_RIGHT_STYLE = ' style="border: 2px solid; border-radius: 4px; padding: 2px 8px"'
_MARKED = re.compile("`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^()\s]+)\)")  # from a notebook in exercises/ or notebooks/


class Outcome:
    """What a check has found, and what to do next.

    number: of the exercise. state: one of three. details, advice: label → text; what the check
    tells, and what may come next. An advice may hold links, as in Markdown.
    """

    def __init__(
        self, number: str, state: str, details: Mapping[str, str], advice: Mapping[str, str]
    ) -> None:
        self.number, self.state = number, state
        self.details, self.advice = dict(details), dict(advice)

    @property
    def _said(self) -> str:
        """The state, in a line; what is right can be seen at a glance, and without colours."""
        return f"Exercise {self.number}: {self.state}" + " ✓" * (self.state == RIGHT)

    def __str__(self) -> str:
        rows = self.details | self.advice
        width = max(map(len, rows), default=0)
        indented = "\n" + " " * (width + 4)
        texts = self.details | {at: _LINK.sub(r"\1", text) for at, text in self.advice.items()}
        lines = [f"  {label:{width}}  {_plain(label, text)}" for label, text in texts.items()]
        lines = [line.replace("\n", indented) for line in lines]
        return "\n".join([self._said, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cells = {label: _html(label, text) for label, text in self.details.items()}
        for label, text in self.advice.items():
            cells[label] = _LINK.sub(r'<a href="\2">\1</a>', _html(label, text))
        rows = "".join(
            f'<tr><th scope="row" style="text-align: left">{escape(label)}</th>'
            f'<td style="text-align: left; white-space: pre-wrap">{cell}</td></tr>'
            for label, cell in cells.items()
        )
        return (
            f"<strong{_RIGHT_STYLE * (self.state == RIGHT)}>{self._said}</strong>"
            f"<table><tbody>{rows}</tbody></table>"
        )


class Text:
    """A text that a notebook shows as Markdown, and a terminal as it stands.

    markdown: what the notebook shows instead of the text; None: the same.
    """

    def __init__(self, text: str, markdown: str | None = None) -> None:
        self._text, self._markdown = text, markdown or text

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self._markdown


def _plain(label: str, text: str) -> str:
    return visible(text if label in _THEIRS else _MARKED.sub(r"\1", text))


def _html(label: str, text: str) -> str:
    text = escape(visible(text))
    return text if label in _THEIRS else _MARKED.sub(r"<code>\1</code>", text)
