"""What lessons 1, 3 and 6 say of browsers: in headless Chromium."""

import json
import re
import ssl
import subprocess
import threading

import pytest
from clients import CHROMIUM, DAPHNE, UNSEEN, manage
from playwright.sync_api import Error
from test_claims_03 import ANNA, unguarded
from websockets.sync.server import serve

from channels_live.explain import explain
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
def contexts(playwright, tmp_path_factory):
    """Return a function that makes an empty browser, with cookies of third parties or without.

    It finds board.example on this computer, and takes it for a site on the web.
    """
    public = "LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
    options = {
        "executable_path": CHROMIUM,
        "args": [
            *("--no-sandbox", "--disable-gpu", "--no-proxy-server", "--ignore-certificate-errors"),
            f"--host-resolver-rules=MAP {BOARD} 127.0.0.1",
            f"--disable-features={public},{UNSEEN}",
        ],
    }
    made = {}

    def context(third_parties):
        if third_parties not in made:
            profile = tmp_path_factory.mktemp("profile")
            settings = profile / "Default/Preferences"
            settings.parent.mkdir()
            modes = {"cookie_controls_mode": 0, "block_third_party_cookies": False}
            if not third_parties:
                modes = {"cookie_controls_mode": 1, "block_third_party_cookies": True}
            settings.write_text(json.dumps({"profile": modes}))
            made[third_parties] = playwright.chromium.launch_persistent_context(profile, **options)
            blank = {"body": "", "content_type": "text/html"}
            made[third_parties].route("**/*", lambda route: route.fulfill(**blank))
        made[third_parties].clear_cookies()
        return made[third_parties]

    yield context
    for context in made.values():
        context.close()


@pytest.fixture
def page_at(contexts):
    """Return a function that opens an empty page at any address, in a browser with a cookie."""

    def page_at(address, cookie=None, third_parties=True):
        context = contexts(third_parties)
        context.add_cookies([cookie] if cookie else [])
        page = context.new_page()
        page.goto(address)
        return page

    return page_at


@pytest.mark.claim(
    "lesson 3",
    "Any page on the web can open a WebSocket to your site, for the rules that keep pages apart do "
    "not cover WebSockets.",
    "stops this for pages of other sites, but not for those on another subdomain or port of yours.",
    "The browser says who is asking, in the header `Origin`.",
    "pages on another port of yours are let in.",
)
@pytest.mark.claim(
    "solutions 3",
    "A page from anywhere may use it in the visitor's browser, in some cases with their cookie, "
    "and so learn the name of whoever is looking at it.",
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
    assert who(ELSEWHERE, "/hosts/", host="localhost") == "refused"
    assert who("http://localhost:99", "/hosts/", host="localhost") == "Somebody"


@pytest.mark.claim(
    "lesson 3",
    "Where somebody has set it to `None`, it is left to the browser and its settings.",
)
def test_cookie_for_every_site_is_left_to_the_browser(page_at, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=board.example"
    command = [*command.split(), "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(certificate, key)

    def tell(websocket):
        for text in ("cookie:", websocket.request.headers.get("Cookie", "none")):
            websocket.send(text)

    with serve(tell, "127.0.0.1", 0, ssl=secure) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"wss://{BOARD}:{server.socket.getsockname()[1]}/"
        cookie = {"name": "sessionid", "value": "a", "path": "/", "domain": BOARD, "secure": True}
        for same_site, third_parties, sent in (
            ("None", True, "sessionid=a"),
            ("None", False, "none"),
            ("Lax", True, "none"),
        ):
            page = page_at(ELSEWHERE, cookie | {"sameSite": same_site}, third_parties)
            assert page.evaluate(ASK, address) == sent
        server.shutdown()


@pytest.mark.claim(
    "lesson 6",
    "On the web, a page that came over https may not open a plain `ws` socket",
    "`location.host` is the server that the page came from, port included.",
    "`wss` is to `ws` what `https` is to `http`.",
    "`chatLog.value` shows a message as text.",
)
@pytest.mark.claim(
    "solutions 6",
    "An element may carry data of yours in attributes that begin with `data-`, and a script reads "
    "`data-socket` as `dataset.socket`.",
)
def test_what_pages_may_and_know(page_at):
    page = page_at(f"https://{BOARD}:8443/chat/")
    assert page.evaluate("location.host") == f"{BOARD}:8443"
    opening = f"scheme => {{ new WebSocket(`${{scheme}}://{BOARD}:9/`); return 'tried' }}"
    assert page.evaluate(opening, "wss") == "tried"
    refused = pytest.raises(Error, match="insecure WebSocket connection may not be initiated")
    blocked = page.expect_console_message(lambda message: "Mixed Content" in message.text)
    with blocked as console, refused as said:
        page.evaluate(opening, "ws")
    for text in (str(said.value), console.value.text):  # as page 5 of the clinic quotes them
        assert [(found.shown.page, found.sure) for found in explain(text)] == [("clinic 5", True)]
    page.set_content("<textarea></textarea><ul data-socket='/ws/'></ul>")
    page.evaluate("document.querySelector('textarea').value = '<img src=x id=made>'")
    assert page.locator("#made").count() == 0
    assert page.locator("textarea").input_value() == "<img src=x id=made>"
    assert page.evaluate("document.querySelector('ul').dataset.socket") == "/ws/"
