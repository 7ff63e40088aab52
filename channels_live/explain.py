"""`channels-live explain`: which lesson shows an error, and what it says of it.

Everything comes out of the lessons, and out of the clinic, which shows what no lesson does: the
errors out of their stored outputs, the explanations out of the texts below. So it knows what they
show, and cannot say anything else. (What only a browser shows, the clinic quotes.)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import takewhile

from channels_live import notebook
from channels_live.notebook import Cell, Notebook
from channels_live.workspace import CLINIC

_NAMES_MATTER = {"AttributeError", "KeyError", "NameError"}  # without them, they say nothing
LIKE = 0.8  # from this similarity on, 0 to 1, an error looks like another one
ALMOST = 0.95  # ... where names matter
MOST = 5  # errors of one log that are explained
LONGEST = 1000  # characters of a line that are looked at
_NAME = (
    r"(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Warning|Timeout|Full)"
    r"|ImproperlyConfigured|SynchronousOnlyOperation|AppRegistryNotReady|Disconnected)"
)
_ERROR = re.compile(rf"(?P<name>{_NAME})(?:'>)?: (?P<message>\S.*)")
_CHECK = re.compile(r"\((?P<name>\w+\.[EW]\d{3})\) (?P<message>\S.*)")  # of Django's system
# daphne's, which have no class
_KILLED = re.compile(r"(?P<name>Application instance) (?P<message><.*> took too long .*\S)")
_TAKEN = re.compile(r"(?P<name>Listen failure:) (?P<message>Couldn't listen on \S.*)")
_OVER = re.compile(r"(?P<name>channels over capacity in) (?P<message>group \S.*)")  # the layer's
_MIXED = re.compile(r"(?P<name>Mixed Content:) (?P<message>The page at \S.*)")  # a browser's
_WITHOUT_CLASS = (_KILLED, _TAKEN, _OVER, _MIXED, _CHECK)
_ALIASES = {"DOMException": "SecurityError"}  # what browsers call it, and have called it
_CONSOLE = re.compile(r"^```text\n(.+?)^```$", re.M | re.S)  # of a browser, which no cell can show
_LOGGED = re.compile(  # the last of these in a line
    r".*(?:Exception inside application|raised|CRITICAL|ERROR):? +(?P<message>\S.*)"
)
_HEADING, _ANY_HEADING = re.compile(r"## (.+)"), re.compile("#+ ")  # a line
_FOLD = re.compile(r"</?details>|<summary>.*?</summary>|^```mermaid$.*?^```$", re.S | re.M)
_PREDICT = re.compile(r"^\*\*Predict\.\*\*.*", re.M | re.S)
_FEWEST = 15  # words of a text that explains something
_OWN = re.compile(  # what differs from project to project
    r"<.*>|(?<!argument )'[^']*'|\"[^\"]*\""
    r"|\b\w*(?:Consumer|Middleware|Application)\b|(?:[\w.-]*/)+[\w.-]*"
    r"|\b[\w.-]+:\d+|\d+|(?<=^group )\S+|(?<=message type )(?!websocket\.)\S+"
    r"|(?<=ASGI_APPLICATION module )[\w.]+"
)
# The same, as other versions and libraries say it, and as we do
_OTHER_WORDS = (
    (re.compile(r"Connect call failed \([^)]*\)"), "Connection refused"),  # asyncio
    (re.compile(r" from \S+:\d+$"), ""),  # of a broker
    (re.compile(r"\b[A-Z]\w*\.(?=\w+\(\) )"), ""),  # the class of a method, from Python 3.10 on
    # Python 3.14
    (
        re.compile(r"'(\w+)' object can't be awaited"),
        r"object \1 can't be used in 'await' expression",
    ),
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
        return _line(self.name, self.message)

    @property
    def anchor(self) -> str:
        """Where it stands on the site's page of errors."""
        return re.sub(r"[\W_]+", "-", self.line.lower(), flags=re.ASCII).strip("-")

    @property
    def place(self) -> str:
        """Where it is shown, in words."""
        return f"{self.page} · {self.lesson.title}, “{self.section}”"

    @property
    def page(self) -> str:
        """The lesson, or the page of the clinic."""
        kind = "clinic" if self.lesson.path.parent == CLINIC else "lesson"
        return f"{kind} {self.lesson.number}"


@dataclass(frozen=True)
class Explanation:
    """What is known of a line: the error that is most like it.

    sure: it is the same, but for names of the project's own.
    """

    line: str
    shown: Shown
    sure: bool


@cache
def errors() -> tuple[Shown, ...]:
    """Return all errors that the lessons show, each once: where one is explained at first.

    In the clinic, if it shows it: what stands there needs nothing that was told before.
    """
    first: dict[str, Shown] = {}
    for path in (*notebook.lesson_paths(CLINIC), *notebook.lesson_paths()):
        for shown in _errors_of(notebook.lesson(path)):
            first.setdefault(shown.line, shown)
    return tuple(sorted(first.values(), key=lambda shown: shown.lesson.path.parent == CLINIC))


def _errors_of(lesson: Notebook) -> Iterator[Shown]:
    section = lesson.title
    for at, cell in enumerate(lesson.cells):
        if cell.kind == "markdown":
            section = _last_heading(cell.source) or section
            if lesson.path.parent == CLINIC and (console := _CONSOLE.search(cell.source)):
                for quoted in filter(None, map(_error_in, console[1].splitlines())):
                    yield Shown(*quoted, lesson, section, cell.source[console.end() :].strip())
            continue
        text = _text_below(lesson.cells[at + 1 :])
        if len(text.split()) >= _FEWEST:
            for line in _printed(cell).splitlines():
                if error := _error_in(line):
                    yield Shown(*error, lesson, section, text)


def _error_in(line: str) -> tuple[str, str] | None:
    """Return name and message of the error that a line tells; a class without its module."""
    if match := _ERROR.search(line):
        name = match["name"].rpartition(".")[2]
        return _ALIASES.get(name, name), match["message"].strip()
    for form in _WITHOUT_CLASS:
        if match := form.search(line):
            return match["name"], match["message"].strip()
    return None


def _line(name: str, message: str) -> str:
    if " " in name:
        return f"{name} {message}"
    return f"({name}) {message}" if "." in name else f"{name}: {message}"


def _printed(cell: Cell) -> str:
    said = []
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        said.append("".join(text))
    return "\n".join(said)


def _text_below(cells: list[Cell]) -> str:
    """Return the texts between a cell and what begins next, without a fold's marks.

    And without a question that asks to predict what the cell after them does.
    """
    texts = []
    for cell in cells:
        if cell.kind != "markdown":
            break
        text = "\n".join(takewhile(_is_no_heading, _lines(cell.source)))
        texts.append(_PREDICT.sub("", _FOLD.sub("", text)).strip())
        if len(text) < len(cell.source.rstrip("\n")):
            break
    return "\n\n".join(filter(None, texts))


def _last_heading(text: str) -> str | None:
    """Return the last heading of a section in a cell, which may stand below another text."""
    headings = (_HEADING.fullmatch(line) for line in _lines(text))
    return next((heading[1] for heading in reversed([*headings]) if heading), None)


def _is_no_heading(line: str) -> bool:
    return not _ANY_HEADING.match(line)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text; what is fenced, such as code with its comments, as one."""
    for part in re.split(r"^(```.*?^```$)", text, flags=re.S | re.M):
        yield from [part] if part.startswith("```") else part.splitlines()


def explain(text: str) -> list[Explanation]:
    """Return what the lessons say of the errors in a text: a message, a traceback, or a log.

    text: of any length. The last errors come last, at most MOST; each is told once. A
    message without the name of its class will do.
    """
    explanations: dict[str, Explanation] = {}
    lines = [line[:LONGEST] for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        if error := _error_in(line):
            answer = _most_like(*error)
        elif logged := _LOGGED.match(line):
            answer = _most_like("", logged["message"])
        else:
            answer = _most_like("", line.strip()) if len(lines) == 1 else None
        if answer:
            explanations.setdefault(answer.shown.line, answer)
            if len(explanations) == MOST:
                break
    return list(explanations.values())[::-1]


def _most_like(name: str, message: str) -> Explanation | None:
    original, message = message, _in_our_words(message)
    best, likeness = None, 0.0
    for alike, shown in _like(name, _plain(message)):
        exact = _alike(message, _in_our_words(shown.message))
        if shown.name in _NAMES_MATTER and exact < ALMOST:
            continue
        # of those that differ in names only, the one with the same names
        if alike + exact > likeness:
            best, likeness = shown, alike + exact
    if best is None:
        return None
    same = message == _in_our_words(best.message) or (
        best.name not in _NAMES_MATTER and _plain(message) == _plain(best.message)
    )
    return Explanation(_line(name, original) if name else original, best, sure=same)


@cache  # a log says the same again and again, with other names
def _like(name: str, plain_message: str) -> list[tuple[float, Shown]]:
    """Return the errors that are like one, and how much. name: "" is any."""
    those = (shown for shown in errors() if name in ("", shown.name))
    alike = ((_alike(plain_message, _plain(shown.message)), shown) for shown in those)
    return [(much, shown) for much, shown in alike if much >= LIKE]


def _alike(message: str, other: str) -> float:
    matcher = SequenceMatcher(None, message, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= 0.5 else 0.0  # the quick one is never less


def _plain(message: str) -> str:
    """Return a message without what differs from project to project, or from log to log."""
    return _OWN.sub("…", _in_our_words(message)).rstrip(" .]").casefold()


def _in_our_words(message: str) -> str:
    for words, ours in _OTHER_WORDS:
        message = words.sub(ours, message)
    return message
