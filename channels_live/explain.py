"""`channels-live explain`: which lesson shows an error, and what it says of it.

Everything comes out of the lessons: the errors out of their stored outputs, the explanations out of
the texts below. So it knows what they show, and cannot say anything else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from channels_live import notebook
from channels_live.notebook import Cell, Notebook

_NAMES_MATTER = {"AttributeError", "KeyError", "NameError"}  # without them, they say nothing
LIKE = 0.8  # from this similarity on, 0 to 1, an error looks like another one
ALMOST = 0.95  # ... where names matter
MOST = 5  # errors of one log that are explained
_NAME = (
    r"(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Warning|Timeout|Full)|ImproperlyConfigured)"
)
_ERROR = re.compile(rf"(?P<name>{_NAME}): (?P<message>\S.*)")
_CHECK = re.compile(r"\((?P<name>\w+\.[EW]\d{3})\) (?P<message>\S.*)")  # of Django's system
_LOGGED = re.compile(  # the last of these in a line
    r".*(?:Exception inside application|raised|CRITICAL|ERROR):? +(?P<message>\S.*)"
)
_HEADING, _ANY_HEADING = re.compile(r"## (.+)"), re.compile("#+ ")
_FOLD = re.compile(r"</?details>|<summary>.*?</summary>|^```mermaid$.*?^```$", re.S | re.M)
_FEWEST = 20  # words of a text that explains something
_OWN = re.compile(  # what differs from project to project
    r"'[^']*'|\"[^\"]*\"|\b\w*(?:Consumer|Middleware|Application)\b|(?:[\w.-]*/)+[\w.-]*|\d+"
)


@dataclass(frozen=True)
class Shown:
    """An error that a lesson shows. name: of its class, or of a check. text: what explains it."""

    name: str
    message: str
    lesson: Notebook
    section: str
    text: str

    @property
    def line(self) -> str:
        """As the last line of a traceback has it, or Django's system of checks."""
        name = f"({self.name})" if "." in self.name else f"{self.name}:"
        return f"{name} {self.message}"

    @property
    def place(self) -> str:
        """Where it is shown, in words."""
        return f"lesson {self.lesson.number} · {self.lesson.title}, “{self.section}”"


@dataclass(frozen=True)
class Found:
    """What is known of a line: the error that is most like it.

    sure: it is the same, but for names of the project's own.
    """

    line: str
    shown: Shown
    sure: bool


@cache
def errors() -> tuple[Shown, ...]:
    """Return all errors that the lessons show, each once: where one is explained at first."""
    first: dict[str, Shown] = {}
    for path in notebook.lesson_paths():
        for shown in _errors_of(notebook.lesson(path)):
            first.setdefault(shown.line, shown)
    return tuple(first.values())


def _errors_of(lesson: Notebook) -> Iterator[Shown]:
    section = lesson.title
    for at, cell in enumerate(lesson.cells):
        if cell.kind == "markdown":
            if heading := _HEADING.match(cell.source):
                section = heading[1]
            continue
        text = _text_below(lesson.cells[at + 1 :])
        for line in _printed(cell).splitlines():
            if len(text.split()) >= _FEWEST and (
                match := _ERROR.search(line) or _CHECK.search(line)
            ):
                name = match["name"].rpartition(".")[2] if match.re is _ERROR else match["name"]
                yield Shown(name, match["message"].strip(), lesson, section, text)


def _printed(cell: Cell) -> str:
    said = []
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        said.append("".join(text))
    return "\n".join(said)


def _text_below(cells: list[Cell]) -> str:
    """Return the texts between a cell and what begins next, without a fold's marks."""
    texts = []
    for cell in cells:
        if cell.kind != "markdown" or _ANY_HEADING.match(cell.source):
            break
        texts.append(_FOLD.sub("", cell.source).strip())
    return "\n\n".join(filter(None, texts))


def explain(said: str) -> list[Found]:
    """Return what the lessons say of the errors in a text: a message, a traceback, or a log.

    said: a text of any length. The last errors come last, at most MOST; each is told once. A
    message without the name of its class will do.
    """
    found: dict[str, Found] = {}
    lines = [line for line in said.splitlines() if line.strip()]
    for line in lines:
        if match := _ERROR.search(line) or _CHECK.search(line) or _LOGGED.search(line):
            named = match.groupdict().get("name", "")
            answer = _most_like(named.rpartition(".")[2], match["message"])
        elif len(lines) == 1:
            answer = _most_like("", line.strip())
        else:
            answer = None
        if answer:
            found.pop(answer.shown.line, None)  # the last time counts
            found[answer.shown.line] = answer
    return list(found.values())[-MOST:]


@cache
def _most_like(name: str, message: str) -> Found | None:
    best, likeness = None, 0.0
    for shown in errors():
        if name and name.rpartition(".")[2] != shown.name.rpartition(".")[2]:
            continue  # another class: another error, whatever it says
        named = shown.name in _NAMES_MATTER
        alike = 1.0 if named else _alike(_plain(message), _plain(shown.message))
        exact = _alike(message, shown.message)
        if named and exact < ALMOST:
            continue
        # of those that differ in names only, the one with the same names
        if alike >= LIKE and alike + exact > likeness:
            best, likeness = shown, alike + exact
    if best is None:
        return None
    line = f"{name}: {message}" if name else message
    same = message.strip() == best.message or (
        best.name not in _NAMES_MATTER and _plain(message) == _plain(best.message)
    )
    return Found(line, best, sure=same)


def _alike(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= 0.5 else 0.0  # the quick one is never less


def _plain(message: str) -> str:
    """Return a message without what differs from project to project."""
    return _OWN.sub("…", message).rstrip(" .")
