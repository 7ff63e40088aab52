"""What lesson 8, its exercises and their hints state, and no output shows."""

import inspect
import json
from contextlib import ExitStack
from time import monotonic

import daphne.server as daphne_server
import pytest
from autobahn.twisted.websocket import WebSocketServerFactory
from channels.consumer import SyncConsumer
from clients import DAPHNE, client, eventually, talk
from kinds import UVICORN, frame, lay_out, raw, read
from txaio._common import _BatchedTimer

from channels_live.server import Server

CLOSE, TEXT = 8, 1


@pytest.fixture(scope="module")
def folder(project, tmp_path_factory):
    return lay_out(project, tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def daphne(folder):
    with Server(DAPHNE, folder) as server:
        yield server


@pytest.fixture(scope="module")
def uvicorn(folder):
    with Server(UVICORN, folder, ready="Uvicorn running") as server:
        yield server


def left(server, count):
    """Return the codes with which the consumer `Codes` has ended, once there are so many."""
    codes = []

    def enough():
        codes[:] = [line.split()[-1] for line in str(server.log(contains="left with")).splitlines()]
        return len(codes) >= count

    assert eventually(enough), codes
    return codes


@pytest.mark.claim(
    "lesson 8",
    "Everything that is known of a connection stands in `self.scope`: `path`, `query_string` "
    "(bytes), `headers`, `client`, `subprotocols`; from the middleware in `asgi.py`, `cookies`, "
    "`session` and `user`; from the router, `url_route`.",
)
@pytest.mark.live
def test_scope(daphne):
    (text,) = talk_first(daphne, "/scope/")
    plain = {"path", "query_string", "headers", "client", "subprotocols"}
    assert plain | {"cookies", "session", "user", "url_route"} <= set(json.loads(text)["keys"])
    (text,) = talk_first(daphne, "/plain-scope/")
    assert plain <= set(json.loads(text)["keys"])
    assert not {"cookies", "session", "user"} & set(json.loads(text)["keys"])
    (text,) = talk_first(daphne, "/unrouted-scope/")
    assert "url_route" not in json.loads(text)["keys"]


def talk_first(server, path):
    with client(server, path) as websocket:
        return [websocket.recv(timeout=10)]


def end_in_four_ways(server):
    """End four connections, and return the codes that their consumers get."""
    answers = [
        lambda websocket: websocket.sendall(frame(CLOSE, (4000).to_bytes(2, "big"))),
        lambda websocket: websocket.sendall(frame(CLOSE, (3001).to_bytes(2, "big"))),
        lambda websocket: None,  # goes without a word
    ]
    codes = [end_by_the_server(server, answer) for answer in answers]
    with raw(server, "/codes/") as websocket:
        before = len(left(server, 0))
        websocket.sendall(frame(CLOSE))
        return [*codes, left(server, before + 1)[-1]]


def end_by_the_server(server, answer):
    """Have a connection closed by the server. Return the code that its consumer gets."""
    before = len(left(server, 0))
    try:
        with raw(server, "/codes/") as websocket:
            websocket.sendall(frame(TEXT, b"please close"))
            assert read(websocket) == (CLOSE, (4000).to_bytes(2, "big"))
            answer(websocket)
    except ConnectionResetError:  # daphne waits a second for the answer; this process got none
        left(server, before + 1)
        return end_by_the_server(server, answer)
    return left(server, before + 1)[-1]


@pytest.mark.claim(
    "lesson 8",
    "With daphne, its argument is the code of the *client's* close frame. Ours has answered 4000 "
    "with 4000, as clients do; had it answered 3001, `disconnect(3001)` would have run.",
    "A client that is gone without a frame is a 1006.",
)
@pytest.mark.live
def test_code_is_the_one_of_the_client(daphne):
    assert end_in_four_ways(daphne) == ["4000", "3001", "1006", "None"]


@pytest.mark.claim(
    "lesson 8",
    "(uvicorn, another server, hands over your own 4000 whatever the answer, and 1005 for no "
    "code.)",
)
@pytest.mark.live
def test_code_is_the_one_of_the_server_with_uvicorn(uvicorn):
    assert end_in_four_ways(uvicorn) == ["4000", "4000", "4000", "1005"]


@pytest.mark.claim(
    "lesson 8",
    "A browser's plain `close()` names no code, and daphne hands over `None`.",
    "A browser does not even show the 403 to your script.",
)
@pytest.mark.claim(
    "solutions 8",
    "A browser that has offered subprotocols gives up by itself if the answer names none of them, "
    "and its script sees 1006, not 4406.",
)
@pytest.mark.browser
@pytest.mark.live
def test_browser(browser, daphne):
    page = browser.new_page()
    page.goto(daphne.url("/threads/"))
    script = """([uri, offered]) => new Promise(resolve => {
        const socket = new WebSocket(uri, offered)
        const seen = []
        socket.onopen = () => { seen.push("open"); offered.length || socket.close() }
        socket.onerror = event => seen.push("error " + (event.message || event.code || ""))
        socket.onclose = event => resolve([...seen, event.code, event.reason])
    })"""
    before = len(left(daphne, 0))
    assert page.evaluate(script, [daphne.ws("/codes/"), []]) == ["open", 1000, ""]
    assert left(daphne, before + 1)[-1] == "None"
    refused = page.evaluate(script, [daphne.ws("/codes/?refuse"), []])
    assert refused == ["error ", 1006, ""]
    assert page.evaluate(script, [daphne.ws("/picky/"), ["notes.v3"]]) == ["error ", 1006, ""]
    page.close()


@pytest.mark.claim(
    "lesson 16",
    "A client has to answer a close: daphne waits for that, one second at most, and then drops "
    "the connection, and `disconnect` gets 1006.",
)
@pytest.mark.live
def test_client_that_does_not_answer_a_close(daphne):
    assert WebSocketServerFactory().closeHandshakeTimeout == 1  # and daphne sets no other
    assert "closeHandshakeTimeout" not in inspect.getsource(daphne_server)
    before = len(left(daphne, 0))
    with raw(daphne, "/codes/") as websocket:
        websocket.sendall(frame(TEXT, b"please close"))
        assert read(websocket) == (CLOSE, (4000).to_bytes(2, "big"))
        assert left(daphne, before + 1)[before:] == ["1006"]


@pytest.mark.claim("lesson 16", "one second at most")
@pytest.mark.parametrize(("now", "seconds"), [(10.0, 1.0), (10.7, 0.3), (10.99, 0.01)])
def test_second_of_a_close_ends_with_a_second_of_the_clock(now, seconds):
    waits = []
    timer = _BatchedTimer(200, 1000, lambda: now, lambda wait, *_: waits.append(wait))
    timer.call_later(1, print)
    assert waits == [pytest.approx(seconds)]


@pytest.mark.claim(
    "lesson 8",
    "**`disconnect()` runs all the same**, with 1006.",
    "`disconnect()` runs in both cases.",
)
@pytest.mark.claim("solutions 8", "`disconnect()` runs for all four")
@pytest.mark.live
@pytest.mark.parametrize("name", ["daphne", "uvicorn"])
def test_disconnect_runs_after_a_refusal(name, request):
    server = request.getfixturevalue(name)
    before = len(left(server, 0))
    assert talk(server, "/codes/?refuse") == ["server rejected WebSocket connection: HTTP 403"]
    assert left(server, before + 1)[before:] == ["1006"]


@pytest.mark.claim(
    "lesson 8",
    "Bad text you can catch in `decode_json`; bytes do not even get there, so for them override "
    '`receive`. And `{"numbers": 7}` would fail in your own line',
)
@pytest.mark.claim(
    "hints 8.3",
    "`decode_json` is a class method that takes the text: catch ValueError there",
)
@pytest.mark.live
def test_json(daphne):
    said = talk(daphne, "/json/", "not json", '{"numbers": [1, 2]}')
    assert [json.loads(text) for text in said] == [{"error": "no JSON"}, {"sum": 3}]
    for sent, words in [(b"\0", "No text section"), ('{"numbers": 7}', "is not iterable")]:
        talk(daphne, "/json/", sent)
        errors = [event for event in daphne.events(5) if event["kind"] == "error"]
        assert words in errors[-1]["message"]
    assert errors[-1]["file"] == "myapp/kinds.py"


# Threads


def together(server, path, text, clients=5):
    """Let so many clients send this at once. Return what each hears, and the seconds."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(client(server, path)) for _ in range(clients)]
        start = monotonic()
        for websocket in sockets:
            websocket.send(text)
        heard = [websocket.recv(timeout=20) for websocket in sockets]
        return heard, monotonic() - start


@pytest.mark.claim(
    "lesson 8",
    "This is no accident of our five clients; it is so with fifty.",
    "By default, all sync consumers of a process share one thread: while one waits, all wait.",
)
@pytest.mark.live
def test_fifty_sync_consumers_share_one_thread(daphne):
    heard, seconds = together(daphne, "/sync/", "0.02", clients=50)
    assert len(set(heard)) == 1
    assert seconds >= 50 * 0.02


@pytest.mark.claim(
    "lesson 8",
    "**All sync consumers of a process share one single thread**, unless you arrange it otherwise",
    "Slow *queries* go to this one thread there too, unless you say otherwise.",
    "puts such work into one thread by default",
)
@pytest.mark.claim(
    "lesson 9",
    "And what you hand over with `database_sync_to_async` or `sync_to_async` goes to that same "
    "thread.",
    "One thread is the default, not a law. `database_sync_to_async(function, "
    "thread_sensitive=False)` takes any thread of a pool",
    "asgiref's `ThreadSensitiveContext` around an application gives each connection its own "
    "thread, and so frees sync consumers.",
    "there is `await asyncio.to_thread(function)`, which has threads of its own",
)
@pytest.mark.claim(
    "solutions 9",
    "`sync_to_async(carrier.price, thread_sensitive=False)`, which means: any thread will do.",
)
@pytest.mark.live
def test_one_thread_is_a_default(daphne):
    (one,) = set(together(daphne, "/sync/", "0")[0])
    for way in ("database", "sync"):
        assert set(together(daphne, "/handing/", f"{way} 0.1")[0]) == {one}
    for path, text in [("/own/", "0.5"), ("/handing/", "free 0.5"), ("/handing/", "to_thread 0.5")]:
        heard, seconds = together(daphne, path, text)
        assert len(set(heard)) == 5
        assert one not in heard
        assert seconds < 5 * 0.5


@pytest.mark.claim(
    "lesson 8",
    "While one client's `receive()` waits, *nobody else's* `connect`, `receive` or `disconnect` "
    "runs. (Pages go on: Django gives each request a thread of its own.)",
)
@pytest.mark.live
def test_one_waits_and_all_wait_but_pages(daphne):
    with ExitStack() as stack:
        anna, ben = (stack.enter_context(client(daphne, "/sync/")) for _ in range(2))
        (one,) = talk(daphne, "/sync/", "0")
        start = monotonic()
        anna.send("2")
        assert daphne.http("/thread/").text != one
        assert monotonic() - start < 2
        ben.send("0")
        with client(daphne, "/sync/"):
            assert monotonic() - start >= 2
        anna.recv(timeout=30)
        ben.recv(timeout=30)
        before = str(daphne.log(contains="sync consumer left")).count("left")
        start = monotonic()
        anna.send("0.5")
        ben.close()
        assert eventually(lambda: str(daphne.log(contains="sync consumer")).count("left") > before)
        assert monotonic() - start >= 0.5


@pytest.mark.claim(
    "lesson 8", "The documentation speaks of a thread pool: several threads, shared by all."
)
def test_words_of_the_documentation():
    assert "Calls handlers in a threadpool" in inspect.getdoc(SyncConsumer)
