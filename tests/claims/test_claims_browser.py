"""What lessons 1, 3 and 6 say of browsers: in headless Chromium."""

import re
import shutil

import pytest
from clients import DAPHNE
from projects import manage
from test_claims_03 import ANNA, unguarded

from channels_live.server import Server

pytestmark = [pytest.mark.live, pytest.mark.browser]
BOARD, ELSEWHERE = "board.example", "http://evil.test"
# Opens a socket, and returns the second frame, or that it was refused
ASK = """address => new Promise(answer => {
    const socket = new WebSocket(address), heard = [];
    socket.onmessage = event => heard.push(event.data) == 2 && answer(heard[1]);
    socket.onerror = () => answer("refused");
})"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a daphne with open and guarded routes. Its cookie is that of a user, annalena."""
    folder = unguarded(tmp_path_factory.mktemp("guards"))
    manage(folder, "migrate", "--verbosity", "0")
    cookie = re.search("cookie: (.*)", manage(folder, "shell", "-c", ANNA))[1]
    with Server(DAPHNE, folder) as server:
        server.cookie = cookie
        yield server


@pytest.fixture(scope="module")
def named(browser):
    """Return a browser that finds board.example on this computer."""
    rules = f"--host-resolver-rules=MAP {BOARD} 127.0.0.1"
    options = ["--no-sandbox", "--disable-gpu", "--no-proxy-server", rules]
    program = shutil.which("chromium") or shutil.which("google-chrome")
    browser = browser.browser_type.launch(executable_path=program, args=options)
    yield browser
    browser.close()


@pytest.fixture
def page_at(named):
    """Return a function that opens an empty page at any address, with a cookie."""
    contexts = []

    def page_at(address, cookie=None, body=""):
        contexts.append(context := named.new_context())
        context.route("**/*", lambda route: route.fulfill(body=body, content_type="text/html"))
        context.add_cookies([cookie] if cookie else [])
        page = context.new_page()
        page.goto(address)
        return page

    yield page_at
    for context in contexts:
        context.close()


@pytest.mark.claim(
    "lesson 3",
    "Any page on the web can open a WebSocket to your site, for the rules that keep pages apart do "
    "not cover WebSockets.",
    "stops this for pages of other sites, but not for those on another subdomain or port of yours, "
    "and not where somebody has set it to `None`.",
    "The browser says who is asking, in the header `Origin`.",
    "pages on another port of yours are let in.",
)
@pytest.mark.claim("lesson 1", "A browser also says which site a page came from.")
def test_which_pages_are_let_in_as_the_visitor(server, page_at):
    def who(origin, path, host=BOARD, **cookie):
        if cookie:
            cookie |= {"name": "sessionid", "value": server.cookie, "path": "/", "domain": host}
        return page_at(origin, cookie).evaluate(ASK, f"ws://{host}:{server.port}{path}")

    assert who(ELSEWHERE, "/bare/") == "Somebody"
    assert who(ELSEWHERE, "/known/", sameSite="Lax") == "AnonymousUser"
    for origin in (f"http://{BOARD}", f"http://app.{BOARD}", f"http://{BOARD}:99"):
        assert who(origin, "/known/", sameSite="Lax") == "annalena"
    # `None` is taken only with Secure, and localhost counts as secure
    everywhere = {"sameSite": "None", "secure": True, "host": "localhost"}
    assert who(ELSEWHERE, "/known/", **everywhere) == "annalena"
    assert who(ELSEWHERE, "/hosts/", host="localhost") == "refused"
    assert who("http://localhost:99", "/hosts/", host="localhost") == "Somebody"
