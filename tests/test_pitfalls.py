"""Each known pitfall of Django Channels is shown and repaired, where this table says.

What is shown stands in an output, which is compared whenever the notebook runs. What repairs it
stands below, in the same notebook, in an output or in a cell.
"""

import re
import subprocess
import sys

import pytest
from clients import PATIENCE
from playwright.sync_api import expect

from channels_live import notebook
from channels_live.server import Server
from channels_live.workspace import (
    CLINIC,
    NOTEBOOKS,
    ROOT,
    SOLUTIONS,
    lay_out,
    project_before,
)

# Our number and name; the page, the section; what it shows, and what repairs it
PITFALLS = [
    (1, "runserver without daphne", "lesson 2", "Do what the step says",
     "Starting development server", "Starting ASGI/Daphne"),
    (2, "daphne behind staticfiles", "lesson 2", "Watch it fail", "(daphne.E001)",
     "Starting ASGI/Daphne"),
    (3, "no ASGI_APPLICATION", "clinic 1", "ASGI_APPLICATION is missing",
     "You have not set ASGI_APPLICATION", 'ASGI_APPLICATION = "myproject.asgi.application"'),
    (4, "wrong ASGI_APPLICATION", "clinic 1", "ASGI_APPLICATION names what is not there",
     "Cannot import ASGI_APPLICATION module 'config.asgi'", "200"),
    (4, "colon in ASGI_APPLICATION", "clinic 1", "ASGI_APPLICATION has a colon",
     "Cannot find 'asgi:application' in ASGI_APPLICATION module", "200"),
    (4, "dots for daphne", "lesson 1", "Watch it fail", "not enough values to unpack",
     "daphne -p 8000 myproject.asgi:application"),
    (5, "models imported too early", "clinic 1", "asgi.py imports models too early",
     "AppRegistryNotReady: Apps aren't loaded yet.", "200"),
    (6, "Django's own asgi.py", "lesson 2", "Put daphne first",
     "Django can only handle ASGI/HTTP connections", "lesson 3: ProtocolTypeRouter"),
    (7, "no websocket in the router", "lesson 3", "Split by protocol",
     "No application configured for scope type 'websocket'", '"websocket": '),
    (8, "no route", "lesson 4", "Miss the route", "No route found for path 'ws/chat'.",
     "welcome at /ws/chat/"),
    (9, "no as_asgi()", "lesson 4", "Watch it fail",
     "object ChatConsumer can't be used in 'await' expression", "welcome at /ws/chat/"),
    (10, "include() among routes", "lesson 4", "Watch it fail",
     "include() is not supported in URLRouter", "welcome at /ws/chat/"),
    (11, "no layer", "lesson 12", "Join a group",
     "'NoneType' object has no attribute 'group_add'", "CHANNEL_LAYERS"),
    (11, "groups without a layer", "clinic 4",
     "A consumer has groups, and there is no channel layer",
     "BACKEND is unconfigured or doesn't support groups", "joins group news"),
    (12, "memory across processes", "lesson 14", "Start the site twice",
     'Ben reads  {"message": "is anybody here?"}', 'Ben reads  {"message": "hello"}'),
    (13, "redis 8", "lesson 14", "Watch it fail", "redis.exceptions.TimeoutError: Timeout reading",
     'os.environ["REDIS_URL"] = broker.url()'),
    (14, "broker away", "clinic 4", "The broker is not there", "Error 111 connecting to",
     "joins group news"),
    (15, "names of groups", "lesson 12", "Watch it fail", "Group name must be a valid unicode",
     "def group_of"),
    (16, "type without a method", "lesson 12", "Watch it fail",
     "No handler for message type chat.missing", '"type": "chat.message"'),
    (17, "type from a client", "lesson 12", "Watch it fail", "send: Ben received 1011",
     '"type": "chat.message"'),
    (17, "disconnect from a client", "lesson 12", "Watch it fail", "websocket.disconnect event",
     '"type": "chat.message"'),
    (18, "queries on the loop", "lesson 9", "Watch it fail", "SynchronousOnlyOperation",
     "await Topic.objects.acount()"),
    (19, "async_to_sync on the loop", "clinic 2", "async_to_sync where it is async already",
     "You cannot use AsyncToSync", "hello"),
    (20, "accept() not awaited", "lesson 9", "Watch it fail", "timed out during opening handshake",
     "await self.accept()"),
    (21, "plain def", "lesson 9", "Watch it fail",
     "object NoneType can't be used in 'await' expression", "async def receive_json"),
    (22, "one thread for all", "lesson 8", "Count the clients", "never two at a time",
     "lesson 9: up to 5 at a time"),
    (22, "async waits for sync", "lesson 9", "Wait without blocking", "on thread 1, alone",
     "await asyncio.sleep"),
    (23, "sleep on the loop", "lesson 9", "Wait without blocking", "never two at a time",
     "I heard hello"),
    (24, "a loop in connect()", "clinic 2", "It sends, and never hears", "no answer",
     "I heard hello"),
    (25, "no StopConsumer", "clinic 2", "It took too long to shut down",
     "took too long to shut down and was killed", "killed once more: False"),
    (26, "code before accept()", "lesson 8", "Watch it fail",
     "closed with 4401, which no refused client hears", "received 4401"),
    (26, "no reasons from daphne", "clinic 5",
     "daphne drops empty frames, headers of accept(), and reasons", "closed: 4000 ''",
     "closed: 4000 'the room is full'"),
    (27, "send before accept()", "clinic 2", "It sends before it accepts",
     "Socket has not been accepted, so cannot send over it", "welcome"),
    (28, "empty frames and headers", "clinic 5",
     "daphne drops empty frames, headers of accept(), and reasons", "x-room: None",
     "x-room: lobby"),
    (29, "403 without a reason", "lesson 3", "Guard the door", "HTTP 403", "101 accepted"),
    (30, "ALLOWED_HOSTS at import", "clinic 6", "ALLOWED_HOSTS of a test has no effect",
     "AssertionError: the page was refused", "OK"),
    (31, "no check of the origin", "clinic 5", "A foreign page speaks as your visitor",
     "ada sees 0 topics", "HTTP 403"),
    (32, "frames that nobody expects", "lesson 5", "Watch it fail",
     "unexpected keyword argument 'bytes_data'", "expected text like"),
    (32, "bytes for JSON", "lesson 8", "Let Channels do the JSON",
     "No text section for incoming WebSocket frame!", "lesson 5: bytes_data=None"),
    (33, "too large a message", "lesson 5", "Watch it fail", "exceeds payload limit of 1048576",
     "solutions 7: --websocket-max-message-size"),
    (34, "send() with a dictionary", "clinic 7", "send() is given a dictionary",
     "'dict' object has no attribute 'encode'", '{"message": "hello"}'),
    (35, "disconnect() without the code", "clinic 7", "disconnect() does not take the code",
     "takes 1 positional argument but 2 were given", "left with 1000"),
    (35, "misspelt methods", "clinic 7", "A method is never called", "no answer", "hello"),
    (36, "over capacity, in memory too", "lesson 14", "Know what gets lost",
     "[1, 2, 3, 4, 5, 'the end']", "ChannelFull"),
    (36, "over capacity, with a broker", "clinic 4", 'The log says "channels over capacity"',
     "1 of 1 channels over capacity in group crowd", "capacity=200"),
    (37, "objects in events", "clinic 4", "An event cannot be serialized",
     "can not serialize 'datetime.date' object", "'written': '2026-01-05'"),
    (38, "static files", "lesson 7", "Use runserver while you write",
     "daphne -p 8000 myproject.asgi:application\n<Response [404 Not Found]>",
     "lesson 22: collectstatic"),
    (39, "daphne does not reload", "clinic 7", "A change has no effect", "◀──  hello",
     "You said hello."),
    (40, "the wrong folder", "clinic 1", "daphne runs in another folder",
     "No module named 'myproject'", "200"),
    (41, "the port is taken", "clinic 5", "The port is taken", "Address already in use",
     "lesson 7: fallback=False"),
    (42, "ws:// from https", "clinic 5", "The page is secure, and its socket is not",
     "ws did not receive a valid HTTP response", "wss AnonymousUser sees 0 topics"),
    (43, "nginx without Upgrade", "lesson 22", "Put nginx in front", "404",
     "proxy_set_header Upgrade"),
    (44, "changed sessions", "lesson 17", "Keep what a socket knows", "visit 1\nvisit 1",
     "visit 2"),
    (45, "no tables", "clinic 3", "There is no table for sessions",
     "no such table: django_session", "AnonymousUser sees 0 topics"),
    (46, "tokens in headers", "lesson 17", "Send a token in four ways", "the query",
     "class TokenMiddleware"),
    (47, "runworker without a layer", "clinic 4", "runworker gets no work",
     "You do not have any CHANNEL_LAYERS configured.", "printed: Soup."),
    (47, "runworker in memory", "clinic 4", "runworker gets no work", "(nothing printed)",
     "printed: Soup."),
    (48, "no url_route", "clinic 4", "The scope has no url_route", "KeyError: 'url_route'",
     "welcome, ada"),
    (48, "receive_from() in vain", "clinic 6",
     "After a receive_from() without an answer, nothing works", "CancelledError", "OK"),
    (48, "django_db alone", "lesson 25", "Say it in pytest", "1 failed", "1 passed"),
    (49, "live tests in memory", "clinic 6", "A live server, and a database in memory",
     "can not be used with in memory databases", "OK"),
    (49, "tests delete the database", "clinic 6", "The tests have deleted the database",
     "there: False", "there: True"),
    (50, "channel_capacity in memory", "clinic 4", "channel_capacity in memory",
     "too many values to unpack", "{'type': 'news.post'}"),
    (51, "a stream at once", "clinic 2", "Streamed words arrive all at once",
     "did you have the first while this was made? False",
     "did you have the first while this was made? True"),
    (52, "handle() returns", "clinic 7", "A stream over HTTP gets no events", "nothing more",
     "second"),
    (53, "logged out, and still there", "lesson 16", "Watch it fail", '{"unread": 1}',
     "the library received 4401"),
    (54, "middleware of Channels 2", "lesson 17", "Watch it fail",
     "takes 2 positional arguments but 4 were given", "async def __call__"),
    (55, "greedy middleware", "lesson 17", "Watch it fail", "anna\nAnonymousUser", "anna\nanna"),
    (55, "the query by hand", "clinic 3", "A middleware for tokens breaks on the query",
     "dictionary update sequence element #0 has length 1; 2 is required", "I am ben"),
    (55, "user = None", "clinic 3", "A middleware for tokens breaks on the query",
     "'NoneType' object has no attribute 'username'", "I am nobody"),
    (56, "no http in the router", "clinic 1", 'asgi.py has no "http"',
     "No application configured for scope type 'http'", "200"),
    (57, "renamed by websockets 14", "clinic 3", "The client knows no extra_headers",
     "unexpected keyword argument 'extra_headers'", "additional_headers"),
    (57, "open, of websockets 13", "clinic 3", "The client knows no extra_headers",
     "'ClientConnection' object has no attribute 'open'", "OPEN"),
    (58, "a cell that blocks", "clinic 3", "A cell that blocks costs the connection",
     "ConnectionClosedError: no close frame received or sent", "still there: OPEN"),
    (61, "frames after close()", "clinic 5", "It sends after close()",
     "Attempt to send on a closed protocol", "frame: farewell"),
    (62, "no back-pressure", "lesson 19", "Watch it fail", "Ben: more than 100 MB is True",
     "Ben: more than 100 MB is False"),
    (63, "sessions are not saved", "lesson 17", "Keep what a socket knows", "visit 1\nvisit 1",
     "await session.asave()"),
    (64, "the sender's clock", "clinic 4", "Events overtake others, or are gone",
     "['second', 'first']", "['first', 'second']"),
    (64, "the day of group_expiry", "clinic 4", "After a day, a member hears nothing",
     "to the member alone", "to the group"),
    (65, "codes that only tests see", "clinic 6",
     "The test sees a close code, and the browser does not", "HTTP 403", "closed: 4401"),
    (66, "what was typed", "clinic 3", "What was typed is gone", "/clinic/lost/ is shown",
     "readyState !== WebSocket.OPEN|/clinic/kept/ is shown"),
]  # fmt: skip
# Pitfalls of the course's own, which no learner can meet any more: the test that holds each
OURS = [
    (59, "a line more where h2 is installed", "tests/test_notebooks.py",
     "test_outputs_are_the_same_on_every_machine"),
    (60, "servers that listen everywhere", "tests/test_asgi_servers.py",
     "test_never_for_other_computers"),
]  # fmt: skip
NAMES = [f"{pitfall[0]} {pitfall[1]}" for pitfall in PITFALLS]


def page(name):
    kind, number = name.split()
    folder = {"lesson": NOTEBOOKS, "clinic": CLINIC, "solutions": SOLUTIONS}[kind]
    (path,) = folder.glob(f"{int(number):02}_*.ipynb")
    return notebook.lesson(path)


def printed(cell):
    """Return what a cell has printed or shown as text."""
    outputs = (output.get("text") or output["data"]["text/plain"] for output in cell.outputs)
    return "".join("".join(text) for text in outputs)


def stands(words, text):
    """Tell whether these words stand in a text, or others that a bar parts from them."""
    return any(word in text for word in re.split(r"\|", words))


@pytest.mark.parametrize("pitfall", PITFALLS, ids=NAMES)
def test_pitfall_is_shown_and_repaired(pitfall):
    *_, place, section, shown, repair = pitfall
    cells, heading, at = page(place).cells, "", None
    for number, cell in enumerate(cells):
        if cell.kind == "markdown":
            heading = (re.findall("^## (.+)", cell.source, re.M) or [heading])[-1]
        elif heading == section and at is None and shown in printed(cell):
            at = number
    assert at is not None, f"{place}, “{section}”: no cell prints {shown}"
    assert "nbval-ignore-output" not in cells[at].tags, "it is not compared"
    if match := re.match(r"(lesson \d+|solutions \d+): (.+)", repair):
        cells, repair, at = page(match[1]).cells, match[2], -1
        below = cells
    else:
        below = cells[at:]
    texts = [text for cell in below for text in (printed(cell), cell.source) if cell.kind == "code"]
    assert any(stands(repair, text) for text in texts), f"{place}: nothing below has {repair}"


def test_none_is_forgotten():
    assert {pitfall[0] for pitfall in (*PITFALLS, *OURS)} == set(range(1, 67))
    assert len(set(NAMES)) == len(NAMES)
    for _, _, file, test in OURS:
        assert f"\ndef {test}(" in (ROOT / file).read_text("utf-8")


@pytest.fixture
def folder(tmp_path):
    """Lay out the project of the clinic, with what the cells of its page 3 write."""
    lay_out(tmp_path, project_before(5))
    for cell in page("clinic 3").code:
        if match := re.match(r"%%writefile (\S+)\n", cell.source):
            (tmp_path / match[1]).write_text(cell.source[match.end() :], encoding="utf-8")
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.live
@pytest.mark.browser
def test_what_is_typed_when_the_server_is_gone(browser, folder):
    """Pitfall 66: the cell shows both pages; which one loses a text, only a browser can say."""
    with Server("daphne -p 8000 myproject.asgi:application", folder) as server:
        tabs = {name: browser.new_page() for name in ("lost", "kept")}
        for name, tab in tabs.items():
            tab.goto(server.url(f"/clinic/{name}/"))
            expect(tab.locator("#state")).to_have_text("Connected.", timeout=PATIENCE * 1000)
        server.stop()
        raised = []
        for name, tab in tabs.items():
            tab.on("pageerror", lambda error: raised.append(error))
            expect(tab.locator("#state")).to_contain_text("lost", timeout=PATIENCE * 1000)
            tab.locator("#input").fill("soup")
            tab.locator("#input").press("Enter")
            expect(tab.locator("#input")).to_have_value("soup" if name == "kept" else "")
            tab.close()
        assert raised == []
