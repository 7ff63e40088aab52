"""What lesson 18 and its solutions state about connections, pages and clients."""

import asyncio
import inspect
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest
from clients import DAPHNE, client, manage
from daphne.cli import CommandLineInterface
from playwright.sync_api import expect
from rooms import ORIGIN, lay_out, read, visit
from websockets import InvalidHandshake, InvalidStatus, connect
from websockets.sync.server import serve

from channels_live import Lesson, Project, notebook
from channels_live.notebook import lesson_paths
from channels_live.server import Server
from channels_live.server.network import Network
from channels_live.workspace import SAMPLE

ROOM = "/ws/chat/kitchen/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("finished"))


# Who notices


@pytest.mark.claim(
    "lesson 18",
    "daphne does, with a ping every 20 seconds, and hangs up when no answer has come for 30.",
)
@pytest.mark.claim("lesson 19", "daphne notices that after 50 seconds at most")
def test_how_patient_daphne_is():
    options = CommandLineInterface().parser.parse_args(["a.b:c"])
    assert (options.ping_interval, options.ping_timeout) == (20, 30)


@pytest.mark.claim("lesson 18", "For a browser's script there is no ping at all.")
def test_scripts_have_no_ping(browser):
    page = browser.new_page()
    names = page.evaluate("() => Object.getOwnPropertyNames(WebSocket.prototype)")
    page.close()
    assert "send" in names
    assert not [name for name in names if "ping" in name.lower() or "pong" in name.lower()]


LOG_IN = """
from django.test import Client

client = Client()
client.force_login(User.objects.get(username="anna"))
print(client.cookies["sessionid"].value)
"""
POST = """
topic, author = Topic.objects.get(slug="lunch"), User.objects.get(username="ben")
Post.objects.create(topic=topic, author=author, text="Stew.")
"""


@pytest.mark.claim(
    "lesson 18",
    "So `connect` tells it anew, and whoever comes back has missed nothing. What is told by an "
    "event only, and stands nowhere, is what a cut takes away.",
)
@pytest.mark.live
def test_member_who_was_cut_off(tmp_path):
    folder = lay_out(tmp_path, lesson=18)
    session = manage(folder, "shell", "--verbosity", "0", "-c", LOG_IN).split()[-1]
    options = {"additional_headers": {"Cookie": f"sessionid={session}"}, "origin": ORIGIN}
    topic = "/ws/topics/lunch/"
    with Server(DAPHNE, folder) as server:
        with client(server, "/ws/member/", **options) as anna, visit(server, topic) as reader:
            before = read(anna)["unread"]
            for websocket in (anna, reader):
                websocket.socket.shutdown(socket.SHUT_RDWR)
        manage(folder, "shell", "--verbosity", "0", "-c", POST)
        with client(server, "/ws/member/", **options) as anna, visit(server, topic) as reader:
            assert read(anna)["unread"] == before + 1
            with pytest.raises(TimeoutError):
                reader.recv(timeout=0.5)


# What a room promises


@pytest.mark.claim("lesson 18", "What one client sends on one connection keeps its order.")
@pytest.mark.claim("lesson 18", "Nothing is saved of it, and Anna reads `saved`.")
@pytest.mark.live
def test_messages_and_keys_of_one_client(folder):
    with (
        Server(DAPHNE, folder) as server,
        visit(server, ROOM) as anna,
        visit(server, f"{ROOM}?after=0") as ben,
    ):
        assert read(ben) == {"reload": True}
        for number in range(15):
            anna.send(json.dumps({"message": str(number)}))
        said = [read(ben) for _ in range(15)]
        assert [message["message"] for message in said] == [str(number) for number in range(15)]
        assert [message["id"] for message in said] == sorted({message["id"] for message in said})
        for text in ("first", "second"):
            anna.send(json.dumps({"message": text, "key": "one for two"}))
        anna.send('{"message": "the end"}')
        assert [read(ben)["message"] for _ in range(2)] == ["first", "the end"]
        answers = [read(anna) for _ in range(15 + 4)]
        assert answers.count({"saved": "one for two"}) == 2


# The page

STUB = """() => {
  window.opened = 0;
  window.WebSocket = class {
    constructor() { window.last = this; window.opened += 1; }
    close() {}
  };
  window.setTimeout = (call) => call();
}"""


@pytest.mark.claim(
    "lesson 18",
    "Whoever is told that will be told so again; the same with 1008, *against the rules*. After "
    "all other codes the page comes back.",
    "When the browser says `online`, the page takes a new one, whatever the old one looks like.",
)
def test_when_a_page_comes_back(browser):
    template = (SAMPLE / "finished/myapp/templates/myapp/socket.html").read_text()
    script = re.search(r"<script>(.*)</script>", template, re.S)[1]

    def opened(what):
        page = browser.new_page()
        page.set_content("<p>")
        page.evaluate(STUB)
        page.add_script_tag(content=script)
        page.evaluate(
            "() => { window.ended = null;"
            " const lost = (code, ended) => { window.ended = ended; };"
            " openSocket('/', { opened() {}, received() {}, lost }); }"
        )
        page.evaluate(what)
        number, ended = page.evaluate("[opened, ended]")
        page.close()
        return number, ended

    close = "() => last.onclose({{ code: {} }})"
    for code in (1008, 4400, 4401, 4403, 4429, 4499):
        assert opened(close.format(code)) == (1, True), code
    for code in (1000, 1001, 1006, 1011, 1012, 1013, 4000, 4399, 4500, 4503):
        assert opened(close.format(code)) == (2, False), code
    assert opened("() => dispatchEvent(new Event('online'))") == (2, None)
    away = "() => { last.onclose({ code: 4401 }); dispatchEvent(new Event('online')); }"
    assert opened(away) == (1, True), "whoever was sent away stays away"


@pytest.mark.claim(
    "lesson 18",
    "On each connection it asks for what comes after the one, and sends the other.",
    "What was written meanwhile arrives on both pages, each message once. Which of the two is "
    "first, the server decides, and both pages agree.",
)
@pytest.mark.live
def test_what_is_written_while_the_server_is_away(browser, folder):
    def log(page):
        return page.locator("#chat-log").input_value()

    with Server(DAPHNE, folder) as server:
        pages = [browser.new_page() for _ in range(2)]
        for number, page in enumerate(pages):
            page.goto(server.url("/chat/away/"))
            expect(page.locator("#chat-state")).to_have_text("Connected.")
            write(page, f"before {number}")
            for other in pages[: number + 1]:
                expect(other.locator("#chat-log")).to_have_value(re.compile(f"before {number}\n"))
        server.stop()
        for number, page in enumerate(pages):
            expect(page.locator("#chat-state")).to_contain_text("lost")
            write(page, f"meanwhile {number}")
        server.restart()
        for page in pages:
            expect(page.locator("#chat-log")).to_have_value(
                re.compile(r"before 0\nbefore 1\nmeanwhile .\nmeanwhile .\n$"), timeout=20_000
            )
        assert log(pages[0]) == log(pages[1])
        assert sorted(log(pages[0]).split("\n")[2:4]) == ["meanwhile 0", "meanwhile 1"]
        for page in pages:
            page.close()


def write(page, text):
    field = page.locator("#chat-message-input")
    field.fill(text)
    field.press("Enter")


@pytest.mark.claim(
    "lesson 18",
    "an `outbox` of what the server has not acknowledged.",
    "What is refused goes back into its field.",
)
@pytest.mark.live
def test_what_is_refused_goes_back_into_the_field(browser, tmp_path):
    folder = lay_out(tmp_path)
    rooms = folder / "myapp" / "rooms.py"
    patient = rooms.read_text(encoding="utf-8").replace("period = 20, 10.0", "period = 20, 600.0")
    assert "600.0" in patient
    rooms.write_text(patient, encoding="utf-8")
    with Server(DAPHNE, folder) as server:
        page = browser.new_page()
        page.goto(server.url("/chat/fast/"))
        expect(page.locator("#chat-state")).to_have_text("Connected.")
        for number in range(20):
            write(page, str(number))
            # or so many would wait that this one stays in its field
            expect(page.locator("#chat-log")).to_have_value(re.compile(rf"(^|\n){number}\n$"))
        write(page, "one more")
        expect(page.locator("#chat-message-input")).to_have_value("one more")
        page.evaluate(
            "() => { input.value = 'and one'; form.requestSubmit(); input.value = 'begun'; }"
        )
        expect(page.locator("#chat-message-input")).to_have_value("and one begun")
        assert page.evaluate("outbox.length") == 0
        page.close()


# Solutions


@pytest.mark.claim(
    "solutions 18",
    "an HTTP status in place of an answer (`InvalidStatus`, which is an `InvalidHandshake`)",
    "`async for websocket in connect(…)` in websockets comes back by itself and waits longer each "
    "time. But its address is made once, so `after` would stay what it was",
)
def test_connect_comes_back_with_the_same_address():
    assert issubclass(InvalidStatus, InvalidHandshake)
    paths = []

    def refuse(connection, request):
        paths.append(request.path)
        if len(paths) == 1:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "later\n")
        return None

    async def come():
        address = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/?after="
        last = 0
        async for _ in connect(f"{address}{last}", proxy=None):
            last += 1
            if last == 2:
                return

    with serve(
        lambda connection: connection.close(1011), "127.0.0.1", 0, process_request=refuse
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with ThreadPoolExecutor() as pool:  # the browser has an event loop on this one
            pool.submit(asyncio.run, come()).result()
        server.shutdown()
        thread.join()
    assert paths == ["/?after=0"] * 3
    assert "backoff" in inspect.getsource(inspect.getmodule(connect))


@pytest.mark.claim(
    "solutions 18",
    "`filter(…).adelete()` does not mind when there is nothing to delete, so `done` may be said "
    "twice.",
)
def test_nothing_is_deleted_without_an_error(folder):
    code = "from myapp.models import Message; print(Message.objects.filter(pk=0).delete()[0])"
    assert manage(folder, "shell", "--verbosity", "0", "-c", code).strip() == "0"


@pytest.mark.claim(
    "lesson 18",
    "our client does so every 20 seconds, and waits for 20 more, but we have switched that off "
    "with `ping_interval=None`.",
)
def test_how_patient_websockets_is():
    parameters = inspect.signature(connect).parameters
    assert [parameters[name].default for name in ("ping_interval", "ping_timeout")] == [20, 20]


@pytest.mark.claim(
    "lesson 18",
    "An app does the same. What ends a connection is an exception here: `ConnectionClosed` if it "
    "was open, `InvalidStatus` for an answer like 403 or 500, `InvalidHandshake` for any other "
    "that is no handshake, `OSError` where nobody answers.",
)
@pytest.mark.live
def test_app_that_comes_back(folder):
    (path,) = (path for path in lesson_paths() if path.name.startswith("18_"))
    (code,) = re.findall(r"```python\n(import asyncio\n.*?)```", texts_of(path), re.S)
    app = {}
    exec(code, app)
    told = []

    async def talk(server):
        network = Network(server)
        heard = asyncio.create_task(
            app["follow"](network.ws("/ws/chat/app/"), told.append, origin="http://localhost")
        )
        for number in range(3):
            if number:
                await asyncio.to_thread(network.cut)
            async with connect(server.ws("/ws/chat/app/"), origin="http://localhost") as anna:
                await anna.send(json.dumps({"message": f"word {number}"}))
                await anna.recv()
            async with asyncio.timeout(20):
                while len(told) <= number:
                    await asyncio.sleep(0.05)
        heard.cancel()
        refused = app["follow"](server.ws("/ws/member/"), told.append)  # it sends no Origin
        await asyncio.wait_for(refused, 10)
        away = app["follow"]("ws://127.0.0.1:9/", told.append)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(away, 1)
        network.end()

    with Server(DAPHNE, folder) as server, ThreadPoolExecutor() as pool:
        pool.submit(asyncio.run, talk(server)).result()
    assert told == ["word 0", "word 1", "word 2"]


def texts_of(path):
    return "\n".join(cell.source for cell in notebook.read(path).cells if cell.kind == "markdown")


@pytest.mark.claim(
    "lesson 18", "For a site of your own, the `Project` of lesson 7 has a `network` too."
)
def test_network_of_a_project():
    assert Project.network is Lesson.network
