"""What lesson 26 and its solutions state about daphne, Django, nginx and an `EventSource`."""

import asyncio
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from clients import DAPHNE, RUNSERVER, eventually
from projects import lesson_begins, written
from rooms import UVICORN, closed_with, lay_out, rewrite, visit
from websockets import ConnectionClosed, connect

from channels_live.server import Server

pytestmark = pytest.mark.live
UPLOADS = "/ws/uploads/"
MIB = 1 << 20


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of the site as lesson 26 leaves it, with a page that tells the groups."""
    folder = lay_out(tmp_path_factory.mktemp("streams"), lesson=26)
    with (folder / "myproject/urls.py").open("a") as urls:
        urls.write(
            "\nfrom channels.layers import get_channel_layer\n"
            "from django.http import HttpResponse\n\n"
            'groups = lambda request: HttpResponse(" ".join(get_channel_layer().groups))\n'
            'urlpatterns += [path("groups/", groups)]\n'
        )
    return folder


@pytest.mark.claim(
    "lesson 26",
    "daphne takes no message above 1 MiB, so a piece has a million bytes at most.",
)
def test_largest_message(site):
    with Server(DAPHNE, site) as server:
        for size, code in ((MIB, 4413), (MIB + 1, 1006)):
            with visit(server, UPLOADS) as client:
                client.send(f'{{"size": {MIB - 1}}}')
                assert client.recv(timeout=10) == '{"have": 0}'
                client.send(b"." * size)
                assert closed_with(client) == code, size


@pytest.mark.claim(
    "lesson 26",
    "whoever only speaks may not hear with which code it ends, and sees 1006.",
    "daphne may drop the connection while pieces are on their way.",
)
def test_end_is_not_heard_by_who_sends_without_a_turn(site):
    async def flood(server):
        options = {"origin": "http://localhost", "proxy": None, "ping_interval": None}
        async with connect(server.ws(UPLOADS), **options) as client:
            await client.send('{"size": 20000000}')
            with pytest.raises(ConnectionClosed) as closed:
                for _ in range(20):  # none of them has to wait
                    await client.send(b".")
                server.wait_for_log("WSDISCONNECT")
                while True:
                    await client.send(b".")
            return closed.value.rcvd

    with Server(DAPHNE, site) as server:
        assert asyncio.run(flood(server)) is None
        assert "close 4429" in str(server.timeline())


def first_of(server, path="/posts/stream/", wait=10.0):
    """Return the first line of an answer, or None where none comes in this time, in seconds."""
    try:
        with httpx.stream("GET", server.url(path), timeout=wait, trust_env=False) as answer:
            return next(answer.iter_lines())
    except httpx.TimeoutException:
        return None


@pytest.mark.claim(
    "lesson 26",
    "An ASGI server has to be given the pieces by an *async* iterator. Django makes one of any "
    "other in a simple way: it reads it to its end, and then begins. So a stream that never ends "
    "never begins, and its thread is busy for ever, whether the reader is there or not.",
    "Django does warn: `StreamingHttpResponse must consume synchronous iterators in order to serve "
    "them asynchronously. Use an asynchronous iterator instead.` In uvicorn's log you find that; "
    "daphne's shows nothing.",
)
def test_iterator_that_is_not_async(tmp_path):
    folder = lay_out(tmp_path, lesson=26)
    text = written(26, "myapp/streams.py")[0].replace("range(20)", "iter(int, 1)")  # for ever
    text += "\n\ndef latest(request):\n    import threading\n\n"
    text += '    from django.http import HttpResponse\n\n    names = "events" in str(\n'
    text += "        [frame.f_code.co_name for frame in frames()]\n    )\n"
    text += "    return HttpResponse(str(names))\n\n\ndef frames():\n    import sys\n\n"
    text += "    for frame in sys._current_frames().values():\n        while frame:\n"
    text += "            yield frame\n            frame = frame.f_back\n"
    (folder / "myapp/streams.py").write_text(text)
    warning = "must consume synchronous iterators in order to serve them asynchronously. Use an"
    for command, warns in ((DAPHNE, False), (UVICORN, True)):
        with Server(command, folder) as server:
            assert server.http("/latest/").text == "False"
            assert first_of(server, wait=1.0) is None
            assert server.http("/latest/").text == "True", "it runs on, for nobody"
            assert bool(server.log(contains=warning)) == warns


@pytest.mark.claim(
    "lesson 26",
    "As soon as it hangs up, Django cancels the view: `finally` runs, and the last reader's hub "
    "leaves its group.",
    "It behaves so under daphne, under `runserver` with daphne, and under uvicorn.",
)
@pytest.mark.claim(
    "solutions 26", "Django cancels the generator when a reader leaves, so a `finally` runs."
)
@pytest.mark.parametrize("command", [DAPHNE, RUNSERVER, UVICORN], ids=["d", "r", "u"])
def test_reader_that_leaves(site, command):
    with Server(command, site) as server:
        with httpx.stream("GET", server.url("/posts/stream/"), trust_env=False) as answer:
            lines = answer.iter_lines()  # kept: the connection ends with it
            assert next(lines) == ": welcome"
            assert server.http("/groups/").text == "posts"
        assert eventually(lambda: server.http("/groups/").text == "")


@pytest.mark.claim(
    "lesson 26",
    "(Without daphne, `runserver` is WSGI: there it is the async generator that Django reads to "
    "its end.)",
)
def test_stream_under_wsgi(tmp_path):
    folder = lay_out(tmp_path, lesson=26)
    rewrite(folder / "myproject/settings.py", ('    "daphne",  # first\n', ""))
    with Server(RUNSERVER, folder) as server:
        assert first_of(server, wait=1.0) is None
    rewrite(folder / "myapp/streams.py", ("LONGEST = 600.0", "LONGEST = 0"))
    with Server(RUNSERVER, folder) as server:
        assert first_of(server) == ": welcome"


@pytest.mark.claim(
    "lesson 26",
    "HTTP has no ping, and proxies hang up on silence (the nginx of lesson 22 after 90 seconds).",
    "`X-Accel-Buffering: no` tells nginx to hand on each piece as it comes. By itself it gathers "
    "them.",
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no nginx from PyPI")
def test_nginx_before_a_stream(tmp_path):
    lesson_begins(23, tmp_path)
    assert "proxy_read_timeout 90s;" in (tmp_path / "proxy.conf").read_text()
    listener = socket.create_server(("127.0.0.1", 0))
    header, over = "", threading.Event()

    def answer():
        for _ in range(3):
            connection, _ = listener.accept()
            connection.recv(65536)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{header}"
            connection.sendall(f"{head}Connection: close\r\n\r\n: welcome\n\n".encode())
            kept.append(connection)
        over.wait(30)

    kept = []
    (tmp_path / "run").mkdir()
    (tmp_path / "nginx.conf").write_text(
        "daemon off;\nevents {}\nhttp {\n server {\n  listen 127.0.0.1:8443;\n  location / {"
        f" proxy_pass http://127.0.0.1:{listener.getsockname()[1]}; proxy_read_timeout 2s;"
        " }\n }\n}\n"
    )
    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with Server("nginx -p run -c ../nginx.conf", tmp_path) as server:
            assert first_of(server, wait=1.0) is None
            header = "X-Accel-Buffering: no\r\n"
            assert first_of(server) == ": welcome"
            with (
                httpx.stream("GET", server.url("/"), timeout=10, trust_env=False) as answer_of,
                pytest.raises(httpx.RemoteProtocolError),
            ):
                list(answer_of.iter_lines())
    finally:
        over.set()
        thread.join()
        for connection in (*kept, listener):
            connection.close()


# A browser

STREAM = """address => new Promise(answer => {
    const heard = [], source = new EventSource(address);
    source.onmessage = ({ data, lastEventId }) => {
        heard.push([lastEventId, data]);
        if (data === "the end") { source.close(); answer(heard); }
    };
})"""
SEVENTH = """async address => {
    const opened = [];
    for (let number = 0; number < 6; number++)
        await new Promise(opens => {
            const source = new EventSource(address);
            source.onopen = opens;
            opened.push(source);
        });
    const late = await Promise.race([
        fetch("/").then(() => "loaded"),
        new Promise(tell => setTimeout(tell, 1000, "waits")),
    ]);
    const socket = await new Promise(tell => {
        const socket = new WebSocket(`ws://${location.host}/ws/member/`);
        socket.onopen = () => tell("open");
        socket.onerror = () => tell("refused");
    });
    opened.forEach((source) => source.close());
    return [late, socket];
}"""


@pytest.mark.claim(
    "lesson 26",
    "`Last-Event-ID` is sent by a browser's `EventSource` when it comes back by itself, with the "
    "last `id` that it has read. On its first visit there is none, so the page says `?after=`.",
    "A line feed in a stranger's text would end the line, and an empty line the event: what comes "
    "then would be an event of the stranger's making.",
    "`: …` is a **comment**, which every reader leaves out.",
)
@pytest.mark.claim(
    "solutions 26",
    "To give each line of a text a `data:` of its own, as the format allows; a reader puts them "
    "together again.",
)
@pytest.mark.browser
def test_how_a_browser_reads_a_stream(browser):
    bodies = [
        "retry: 10\n\n: a comment\n\nid: 7\ndata: soup\ndata: forged\n\n"
        "id: 8\ndata: a\n\ndata: b\n\n",
        "data: the end\n\n",
    ]
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = "text/html", "a page"
            if self.path == "/stream/":
                kind, body = "text/event-stream", bodies[len(asked)]
                asked.append(self.headers["Last-Event-ID"])
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            """Say nothing."""

    context = browser.new_context()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            heard = page.evaluate(STREAM, "/stream/")
        finally:
            context.close()
            server.shutdown()
            thread.join()
    assert heard == [["7", "soup\nforged"], ["8", "a"], ["8", "b"], ["8", "the end"]]
    assert asked == [None, "8"]


@pytest.mark.claim(
    "lesson 26",
    "with HTTP/1.1 a browser opens six connections to a site and no more, for all its windows "
    "together. Six streams, and the seventh page does not load. Sockets are counted apart.",
)
@pytest.mark.browser
def test_six_streams_in_a_browser(browser, site):
    context = browser.new_context()
    with Server(DAPHNE, site) as server:
        try:
            page = context.new_page()
            page.goto(server.url("/").replace("127.0.0.1", "localhost"))
            assert page.evaluate(SEVENTH, "/posts/stream/") == ["waits", "open"]
        finally:
            context.close()
