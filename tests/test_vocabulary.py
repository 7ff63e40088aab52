"""No word before it is introduced: who reads the lessons in their order meets it there first."""

import re

import pytest

from channels_live.notebook import lesson_paths, read

# A word as a pattern, and the cell that says what it means
INTRODUCED = {
    "frames?": "lesson-00-03",
    "close 1000|1000": "lesson-00-07",
    "handshakes?": "lesson-01-14",
    "WSGI": "lesson-01-16",
    "ASGI": "lesson-01-16",
    "scopes?": "lesson-03-10",
    "consumers?": "lesson-03-18",
    "1006": "lesson-03-23",
    "close codes?": "lesson-05-11",
    "1011": "lesson-05-16",
    "uvicorn": "lesson-05-16",
    "access log": "lesson-07-09",
    "subprotocols?": "lesson-08-27",
    "threads?": "lesson-08-33",
    "coroutines?": "lesson-09-05",
    "event loop": "lesson-09-05",
    "workers?": "lesson-09-31",
    "channel layers?": "lesson-10-16",
    "brokers?": "lesson-10-22",
    "server-sent events": "lesson-11-23",
    "long polls?": "lesson-11-23",
    "half-open": "lesson-16-11",
    "acknowledgements?": "lesson-16-19",
    "back-off": "lesson-16-36",
    "jitter": "lesson-16-36",
}
# A name in code, and the cell above it that says what it is
EXPLAINED = {
    "TransactionTestCase": "lesson-06-25",
    "AsyncExitStack": "lesson-08-33",
    "async_to_sync": "lesson-10-16",
    "ApplicationCommunicator": "lesson-10-10",
    "StopConsumer": "lesson-10-22",
}
NOTES = re.compile(r"<details><summary>For instructors</summary>.*?</details>", re.S)
MAP = re.compile(r"<!-- made by make build -->.*?<!-- end -->", re.S)
QUOTED = re.compile(r"^(```+).*?^\1$|^>.*?$|`[^`\n]+`|\]\([^)]*\)|<[^>]+>", re.M | re.S)
CELLS = [cell for path in lesson_paths() for cell in read(path).cells]
ORDER = {cell.id: at for at, cell in enumerate(CELLS)}


def prose(cell):
    """Return what a cell says to the learner: no code, no quotation, no map of what will come."""
    if cell.kind != "markdown":
        return ""
    return QUOTED.sub(" ", MAP.sub(" ", NOTES.sub(" ", cell.source)))


@pytest.mark.parametrize("word, place", INTRODUCED.items())
def test_words_are_introduced_where_they_come_first(word, place):
    pattern = re.compile(rf"(?<![\w-])({word})(?![\w-])", re.I)
    first = next(cell for cell in CELLS if pattern.search(prose(cell)))
    assert first.id == place, prose(first)


@pytest.mark.parametrize("name, place", EXPLAINED.items())
def test_names_in_code_are_explained_above(name, place):
    explained = CELLS[ORDER[place]]
    assert explained.kind == "markdown" and f"`{name}`" in explained.source
    first = next(cell for cell in CELLS if cell.kind == "code" and name in cell.source)
    assert ORDER[place] < ORDER[first.id], f"{first.id} uses {name}"
