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
    "hash(es)?": "lesson-12-27",
    "ghosts?": "lesson-13-11",
    "load balancers?": "lesson-14-05",
    "Valkey": "lesson-14-14",
    "pub/sub": "lesson-14-29",
    "at most once": "lesson-14-39",
    "job queues?": "lesson-15-22",
    "half-open": "lesson-18-11",
    "acknowledgements?": "lesson-18-19",
    "back-off": "lesson-18-36",
    "jitter": "lesson-18-36",
    "profilers?": "lesson-21-07",
    "TLS": "lesson-22-10",
    "certificates?": "lesson-22-10",
    "Unix sockets?": "lesson-22-12",
    "supervisors?": "lesson-22-54",
    "back-pressure": "lesson-26-12",
    "heartbeats?": "lesson-28-33",
}
# A name in code, and the cell above it that says what it is
EXPLAINED = {
    "TransactionTestCase": "lesson-06-25",
    "AsyncExitStack": "lesson-08-33",
    "httpx": "lesson-09-29",
    "async_to_sync": "lesson-10-16",
    "ApplicationCommunicator": "lesson-10-10",
    "StopConsumer": "lesson-10-22",
    "DenyConnection": "lesson-12-30",
    "deque": "lesson-12-30",
    "asyncio.Queue": "lesson-11-15",
    "asyncio.Condition": "lesson-11-23",
    "slugify": "lesson-12-27",
    "ChannelFull": "lesson-12-17",
    "suppress": "lesson-13-05",
    "on_commit": "lesson-13-15",
    "robust": "lesson-13-15",
    "json_script": "lesson-13-35",
    "ChannelsLiveServerTestCase": "lesson-13-48",
    "capacity": "lesson-14-29",
    "expiry": "lesson-14-37",
    "fallback": "lesson-07-22",
    "ChannelNameRouter": "lesson-15-13",
    "get_or_create": "lesson-15-31",
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
    assert explained.kind == "markdown"
    assert re.search(rf"`([^`\n]*\W)?{name}(\W[^`\n]*)?`", explained.source)
    first = next(cell for cell in CELLS if cell.kind == "code" and name in cell.source)
    assert ORDER[place] < ORDER[first.id], f"{first.id} uses {name}"
