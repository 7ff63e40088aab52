"""The stage: a site's pages and the conversation with its server, beside the notebook."""

import contextlib
import json
import re
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import prefork
import pytest
from axe_playwright_python.sync_playwright import Axe
from clients import PATIENCE, manage
from playwright.sync_api import expect
from running_lab import OPEN, change_theme, close_all, run_all, running_lab

from channels_live.stage.static_files import static_files_of
from channels_live.workspace import SAMPLE, lay_out

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.timeout(240)]
expect.set_options(timeout=30_000)  # where nothing is said of time

COMMAND = "daphne -p 8000 myproject.asgi:application"
BEGIN = f"""
import shutil
from channels_live import Lesson
lesson = Lesson(0)
_ = shutil.copy("../../migrated.sqlite3", "db.sqlite3")
server = lesson.start({COMMAND!r})
"""
USER = """
!DJANGO_SUPERUSER_PASSWORD=secret python manage.py createsuperuser --noinput \\
    --username ada --email ada@example.com
"""
VIEWPORT = {"width": 1400, "height": 900}
STAGE = 'lesson.stage(server, Anna="/chat/lobby/", Ben="/chat/lobby/")'


@pytest.fixture(scope="module")
def folders(tmp_path_factory, zygote):
    """Return a function that makes a home, and a folder with a database for each notebook."""
    site = tmp_path_factory.mktemp("migrated") / "site"
    lay_out(site, [SAMPLE / "finished"])
    with prefork.forking(zygote):
        manage(site, "migrate", "--verbosity", "0")

    def folders():
        home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("course")
        shutil.copy(site / "db.sqlite3", folder / "migrated.sqlite3")
        return home, folder

    return folders


@pytest.fixture(scope="module")
def lab(folders, zygote):
    with running_lab(*folders(), zygote=zygote) as lab:
        yield lab


@pytest.fixture(scope="module")
def lab_below_a_hub(folders, zygote):
    with running_lab(*folders(), "--ServerApp.base_url=/user/ann/", zygote=zygote) as lab:
        yield lab


# in this order, so that the tests after these go on in the JupyterLab that is loaded
@pytest.fixture(scope="module", params=["lab_below_a_hub", "lab"], ids=["hub", "root"])
def anywhere(request):
    """Return a JupyterLab: below the address that a hub gives it, and on its own."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def window(browser):
    """Return a page, in which JupyterLab stays loaded from one test to the next."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def page(window):
    """Return that page, in which a test finds nothing open, and may open what it likes."""
    window.set_viewport_size(VIEWPORT)
    window.set_default_timeout(30_000)
    yield window
    for other in window.context.pages[1:]:
        other.close()
    close_all(window)


@pytest.fixture
def new_page(browser):
    """Return a page of somebody who comes for the first time, where it is loaded more than once."""
    with browser.new_context(viewport=VIEWPORT) as context:
        page = context.new_page()
        page.set_default_timeout(30_000)
        yield page
        close_all(page)


def frame(page, name):
    return page.frame_locator(f'iframe[title="Page {name}"]')


CUT = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
NOTE_STATES = """() => {
    const state = document.getElementById("chat-state");
    window.states = [];
    new MutationObserver(() => states.push(state.textContent)).observe(state, { childList: true });
}"""


def frame_itself(page, name):
    return page.locator(f'iframe[title="Page {name}"]').element_handle().content_frame()


def go_to(page, name):
    page.locator(".lm-TabBar-tab", has_text=name).click()


def width(page):
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").evaluate("n => n.clientWidth")


def is_in_sight(page, name, what):
    """Tell whether nothing of an element lies outside its page's window."""
    inside = "e => e.getBoundingClientRect().bottom <= innerHeight && scrollY === 0"
    return frame(page, name).locator(what).evaluate(inside)


def rows(page, text):
    return page.locator(".cl-Row", has_text=text)


def state(page, kind):
    return page.locator(f'section[aria-label="{kind}"] .cl-State')


def say(page, name, text):
    frame(page, name).get_by_label("Your message").fill(text)
    frame(page, name).get_by_role("button", name="Send").click()


def open_chat(lab, page, name, *more):
    lab.write(f"{name}.ipynb", BEGIN, STAGE, *more)
    lab.open(page, f"{name}.ipynb")
    outputs = run_all(page)
    for visitor in ("Anna", "Ben"):
        expect(frame(page, visitor).get_by_text("Connected.")).to_be_visible()
    return outputs


def run(page, code):
    """Run code in the kernel of the open notebook, as a cell would, and wait for its end."""
    page.evaluate(
        """code => jupyterapp.shell.widgets("main").find(widget => widget.sessionContext)
            .sessionContext.session.kernel.requestExecute({code}).done""",
        code,
    )


def test_word_typed_in_a_page_is_seen_at_once(page, anywhere):
    open_chat(anywhere, page, "typed", USER)
    begin = time.monotonic()
    say(page, "Anna", "a word from Anna")
    expect(rows(page, "a word from Anna").first).to_be_visible(timeout=1000)
    expect(frame(page, "Ben").get_by_label("Messages")).to_have_value(
        "a word from Anna\n", timeout=1000
    )
    assert time.monotonic() - begin < 2
    # what came from a panel bears its name
    expect(rows(page, "a word from Anna").first.locator(".cl-Client")).to_have_text("Anna")

    # it has its style sheet, which a bare daphne does not serve
    bold = frame(page, "Anna").locator(".site-name")
    expect(bold).to_have_css("font-weight", "700")

    # links, a script that goes elsewhere, a form, a redirection, a session: for one of them only
    anna = frame(page, "Anna")
    anna.get_by_role("link", name="Chat").click()
    anna.get_by_label("Which room?").fill("attic")
    anna.get_by_role("button", name="Enter").click()
    expect(anna.get_by_role("heading", name="Room attic")).to_be_visible()
    expect(state(page, "Page").first).to_contain_text("/chat/attic/")
    anna.get_by_role("link", name="Log in").click()
    anna.get_by_label("Username").fill("ada")
    anna.get_by_label("Password").fill("secret")
    anna.get_by_role("button", name="Log in").click()
    expect(anna.get_by_text("Logged in as ada")).to_be_visible()
    expect(frame(page, "Ben").get_by_role("link", name="Log in")).to_be_visible()
    anna.get_by_role("button", name="Log out").click()
    expect(anna.get_by_role("link", name="Log in")).to_be_visible()


def test_page_is_a_sandbox(page, anywhere):
    open_chat(anywhere, page, "sandbox")
    anna = frame_itself(page, "Anna")
    assert anna.evaluate("self.origin") == "null"
    reads = "() => { try { return parent.document.title } catch (error) { return error.name } }"
    assert anna.evaluate(reads) == "SecurityError"
    assert "_xsrf" not in anna.evaluate("document.cookie")
    # neither in a tab of its own
    answer = page.request.get(anna.url)
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy and "allow-same-origin" not in policy
    assert "frame-ancestors 'self'" in policy
    assert "x-frame-options" not in answer.headers
    tab = page.context.new_page()
    tab.goto(anna.url)
    assert tab.evaluate("self.origin") == "null"


def test_browser_asks_whether_its_panels_are_still_those_of_the_course(page, anywhere):
    """Or after `git pull` it would keep those that it has: for a year, if JupyterLab says so."""
    anywhere.write("edition.ipynb", "1")
    anywhere.open(page, "edition.ipynb")
    own = "() => performance.getEntriesByType('resource').map(entry => entry.name)"
    files = [name for name in page.evaluate(own) if "/extensions/channels-live/" in name]
    names = {name.rpartition("/")[2] for name in files}
    assert names >= {"remoteEntry.js", "stage.js", "stage.css"}
    for name in files:
        assert page.request.get(name).headers["cache-control"] == "no-cache", name


def test_script_of_a_page_cannot_use_jupyterlab(page, anywhere, site):
    anywhere.write("logged_in.ipynb", "1")
    anywhere.open(page, "logged_in.ipynb")  # so that the browser has Jupyter's cookies
    files = f"{anywhere.url}/api/contents"
    before = page.request.get(files).json()["content"]
    # what is not HTML comes unchanged: nothing keeps its script from JupyterLab's addresses
    site.answers["/picture/"] = {"Content-Type": "image/svg+xml"}
    site.content = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    own = f"http://127.0.0.1:{site.server_port}"
    prefix = register(anywhere, panel="svg", site=own).json()["prefix"]
    tab = page.context.new_page()
    tab.goto(anywhere.url.removesuffix("/user/ann") + prefix + "/picture/")
    assert tab.evaluate("self.origin") == "null"
    ask = """([address, options]) => fetch(address, {credentials: "include", ...options})
        .then(answer => answer.text(), error => error.name)"""
    assert tab.evaluate(ask, [files, {}]) == "TypeError"  # it cannot be read
    for options in ({"method": "POST", "body": "{}"}, {"method": "POST", "mode": "no-cors"}):
        assert tab.evaluate(ask, [files, options]) in ("TypeError", "")
    assert page.request.get(files).json()["content"] == before
    put = {"method": "PUT", "body": json.dumps({"panel": "x", "site": own})}
    assert tab.evaluate(ask, [f"{anywhere.url}/channels-live/pages", put]) == "TypeError"
    socket = f"{anywhere.url.replace('http', 'ws')}/api/events/subscribe"
    opened = """address => new Promise(resolve => {
        const socket = new WebSocket(address);
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
    })"""
    assert page.evaluate(opened, socket) == "open"
    assert tab.evaluate(opened, socket) == "refused"


class Site(BaseHTTPRequestHandler):
    """A site that notes what it is asked."""

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        self.send_response(self.server.statuses.get(self.path, 200))
        for name, value in self.server.answers.get(self.path, {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.content)
        if self.path == "/stream/":
            self.server.gone.set() if self.connection.recv(1) == b"" else None

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.asked, server.answers, server.statuses, server.content = [], {}, {}, b""
    server.gone = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def register(lab, **page):
    return httpx.put(
        f"{lab.url}/channels-live/pages",
        headers={"Authorization": f"token {lab.token}"},
        content=json.dumps(page),
        trust_env=False,
    )


def test_page_of_an_ended_server_is_not_shown_whoever_has_its_port(lab, site):
    own = f"http://127.0.0.1:{site.server_port}"
    address = f"http://{httpx.URL(lab.url).netloc.decode()}"
    prefix = register(lab, panel="ended", site=own).json()["prefix"]
    register(lab, panel="ended", ended=True)
    answer = httpx.get(f"{address}{prefix}/chat/", trust_env=False)
    assert answer.status_code == 502
    assert f"Nothing answers at 127.0.0.1:{site.server_port}" in answer.text
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    socket = httpx.get(f"{address}{prefix}/ws/", headers=upgrade, trust_env=False)
    assert (socket.status_code, site.asked) == (502, [])

    assert register(lab, panel="ended", site=own).json()["prefix"] == prefix
    httpx.get(f"{address}{prefix}/chat/", trust_env=False)
    assert len(site.asked) == 1
    assert register(lab, panel="unknown", ended=True).status_code == 200


def test_site_sees_an_ordinary_visitor(anywhere, site):
    own = f"http://127.0.0.1:{site.server_port}"
    prefix = register(anywhere, panel="Anna", site=own).json()["prefix"]
    root = anywhere.url.removesuffix("/user/ann")
    site.answers["/set/"] = {
        "Set-Cookie": "sessionid=s3; HttpOnly; Path=/; SameSite=Lax",
        "X-Frame-Options": "DENY",
    }
    site.statuses["/away/"] = 302
    site.answers["/away/"] = {"Location": "/login/?next=/away/"}

    def ask(path, method="GET", **headers):
        return httpx.request(
            method,
            f"{root}{prefix}{path}",
            headers={"Cookie": "username-127-0-0-1=jupyter", **headers},
            trust_env=False,
        )

    answer = ask("/set/?a=%20b")
    assert ask("/set/").headers.get("set-cookie") is None
    answer = ask("/", "POST", Origin="null", Authorization=f"token {anywhere.token}")
    assert answer.status_code == 200
    command, path, headers = site.asked[-1]
    assert (command, path) == ("POST", "/")
    assert headers["Host"] == f"127.0.0.1:{site.server_port}"
    assert headers["Origin"] == own
    assert headers["Cookie"] == "sessionid=s3"
    assert "Authorization" not in headers
    assert site.asked[0][1] == "/set/?a=%20b"
    # a short token is found in a handshake's key by chance, and without it there is no handshake
    ask("/", **{"Sec-WebSocket-Key": f"dGhl{anywhere.token}==", "X-Told": f"a{anywhere.token}"})
    headers = {name.lower(): value for name, value in site.asked[-1][2].items()}
    assert headers["sec-websocket-key"] == f"dGhl{anywhere.token}=="
    assert "x-told" not in headers
    assert ask("/away/").headers["location"] == f"{prefix}/login/?next=/away/"
    assert "x-frame-options" not in ask("/set/").headers
    # whom a site sends to https, where nothing answers, would see an empty page
    site.statuses["/tls/"] = 301
    site.answers["/tls/"] = {"Location": f"{own.replace('http', 'https')}/tls/"}
    assert "This site is shown by https:// only" in ask("/tls/").text

    # somebody else is another visitor
    other = register(anywhere, panel="Ben", site=own).json()["prefix"]
    assert other != prefix
    httpx.get(f"{root}{other}/", trust_env=False)
    assert "Cookie" not in site.asked[-1][2]
    # and the same panel, opened again, the same
    assert register(anywhere, panel="Anna", site=own).json()["prefix"] == prefix


def test_nobody_else_gets_to_it(anywhere, site):
    own = f"http://127.0.0.1:{site.server_port}"
    prefix = register(anywhere, panel="Anna", site=own).json()["prefix"]
    root = anywhere.url.removesuffix("/user/ann")

    def status(path, **headers):
        return httpx.get(f"{root}{path}", headers=headers, trust_env=False).status_code

    assert status(f"{prefix}/") == 200
    assert status(f"{prefix}/", Origin="https://evil.example") == 403
    assert status(f"{prefix}/", Origin="https://evil.example", Upgrade="websocket") == 403
    assert status(f"{prefix}/", Host="evil.example") == 403
    assert status(f"{prefix[:-1]}/") == 404
    asked = httpx.put(
        f"{anywhere.url}/channels-live/pages",
        content=json.dumps({"panel": "x", "site": own}),
        trust_env=False,
    )
    assert asked.status_code == 403
    assert register(anywhere, panel="x", site="http://10.0.0.1").status_code == 400
    assert register(anywhere, panel="x", site="http://localhost.evil.example").status_code == 400
    assert register(anywhere, panel="x", site="ftp://127.0.0.1").status_code == 400


def test_answer_is_passed_on_as_it_comes_until_the_reader_leaves(anywhere, site):
    own = f"http://127.0.0.1:{site.server_port}"
    prefix = register(anywhere, panel="stream", site=own).json()["prefix"]
    site.content = b"one piece"
    address = f"{anywhere.url.removesuffix('/user/ann')}{prefix}/stream/"
    with httpx.stream("GET", address, trust_env=False) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"one piece"
        assert not site.gone.is_set()
    assert site.gone.wait(10), "the site is left too"


def test_page_reads_events_as_they_come(browser, anywhere, site):
    own = f"http://127.0.0.1:{site.server_port}"
    prefix = register(anywhere, panel="events", site=own).json()["prefix"]
    site.answers = {
        "/": {"Content-Type": "text/html"},
        "/stream/": {"Content-Type": "text/event-stream"},
    }
    site.content = b"<!doctype html><title>Newest posts</title>"
    first = """() => new Promise((resolve, reject) => {
        const events = new EventSource("/stream/");
        events.onmessage = (event) => { events.close(); resolve(event.data); };
        events.onerror = () => reject("no events");
    })"""
    with browser.new_page() as page:
        page.goto(f"{anywhere.url.removesuffix('/user/ann')}{prefix}/")
        assert page.evaluate("self.origin") == "null"
        site.content = b"data: a post\n\n"
        assert page.evaluate(first) == "a post"
        assert site.gone.wait(30), "the site is left too"


@pytest.mark.usefixtures("forked")
def test_static_files_come_from_their_folders_only(anywhere, site, project, tmp_path):
    (tmp_path / "site.css").write_text("h1 { background: url(/static/x.png) }")
    (tmp_path.parent / "secret.txt").write_text("secret")
    found = static_files_of(project)
    assert found["static"] == "/static/"
    roots = [*found["roots"], ("own", str(tmp_path))]
    asked = {
        "panel": "s",
        "site": f"http://127.0.0.1:{site.server_port}",
        "static": "/static/",
        "roots": roots,
    }
    prefix = register(anywhere, **asked).json()["prefix"]
    root = anywhere.url.removesuffix("/user/ann")

    def get(path):
        return httpx.get(f"{root}{prefix}{path}", trust_env=False)

    own = "/static/own/site.css"
    site.statuses = dict.fromkeys(["/static/myapp/site.css", own, "/elsewhere/site.css"], 404)
    assert get("/static/myapp/site.css").headers["content-type"].startswith("text/css")
    assert get(own).text == f"h1 {{ background: url({prefix}/static/x.png) }}"
    assert get("/elsewhere/site.css").status_code == 404
    for path in ("..%2fsecret.txt", "%2e%2e/secret.txt", f"{tmp_path.parent}/secret.txt"):
        site.statuses[f"/static/own/{path}"] = 404
        assert get(f"/static/own/{path}").status_code == 404


def test_page_without_the_files_that_its_server_does_not_serve(page, lab):
    pages = 'server.page("/", "bare", static_files=False)\nserver.page("/", "dressed")'
    lab.write("files.ipynb", BEGIN, pages)
    lab.open(page, "files.ipynb")
    run_all(page)
    for name, weight in {"bare": "400", "dressed": "700"}.items():
        bold = frame(page, name).locator(".site-name")
        expect(bold).to_have_css("font-weight", weight)


def test_page_that_has_not_come_yet_says_so(page, lab):
    pages = "**/channels-live/page/**"
    page.route(pages, lambda route: None)  # it is held until nobody does so any more
    lab.write("loading.ipynb", BEGIN, 'server.page("/")')
    lab.open(page, "loading.ipynb")
    run_all(page)
    expect(state(page, "Page")).to_have_text(re.compile(r"^… loading 127\.0\.0\.1:\d+/$"))
    page.unroute(pages)
    expect(state(page, "Page")).to_have_text(re.compile(r"^● 127\.0\.0\.1:\d+/$"))


def test_panels_say_what_became_of_their_server_and_come_back(page, lab):
    open_chat(lab, page, "ends")
    run(page, "server.stop()")
    expect(state(page, "Conversation")).to_contain_text("The server has ended.")
    expect(state(page, "Page").first).to_contain_text("The server has ended.")
    expect(frame(page, "Anna").get_by_text("The connection is lost.")).to_be_visible()
    assert rows(page, "GET /ws/chat/lobby/").count()

    run(page, f"server = lesson.start({COMMAND!r})")
    expect(state(page, "Conversation")).to_contain_text(f"● {COMMAND}")
    expect(frame(page, "Anna").get_by_text("Connected.")).to_be_visible()  # by itself
    say(page, "Anna", "back again")
    expect(rows(page, "back again").first).to_be_visible()

    expect(frame(page, "Ben").get_by_text("Connected.")).to_be_visible()  # as well, a little later
    ben = frame_itself(page, "Ben")
    ben.evaluate(NOTE_STATES)  # one of them may be over soon
    run(page, "server.restart()")
    ben.wait_for_function("() => states.at(-1) === 'Connected.'", timeout=30_000)
    assert ben.evaluate("() => states[0]").startswith("The connection is lost.")
    # the timeline begins anew
    expect(rows(page, "back again").filter(has_text="sent")).to_have_count(0)

    # a page that nobody answers says so, and comes back as well
    run(page, "server.stop()")
    expect(state(page, "Page").first).to_contain_text("The server has ended.")
    page.get_by_role("button", name="Reload").first.click()
    expect(frame(page, "Anna").get_by_text("Nothing answers at 127.0.0.1:")).to_be_visible()
    page.set_viewport_size({"width": 900, "height": 900})
    assert frame_itself(page, "Anna").evaluate(CUT) <= 0
    page.set_viewport_size(VIEWPORT)
    run(page, f"server = lesson.start({COMMAND!r})")
    expect(frame(page, "Anna").get_by_text("Connected.")).to_be_visible()


def test_panels_outlive_a_restarted_kernel_and_a_reloaded_window(new_page, lab):
    page = new_page
    open_chat(lab, page, "restart")
    page.reload()
    page.wait_for_function("() => window.jupyterapp?.shell")
    expect(frame(page, "Anna").get_by_text("Connected.")).to_be_visible()
    say(page, "Ben", "after reloading")
    expect(rows(page, "after reloading").first).to_be_visible()

    # a second window is no second visitor
    other = page.context.new_page()
    other.goto(lab.address("restart.ipynb").replace("/workspaces/", "/workspaces/other-"))
    expect(frame(other, "Anna").locator("#chat-here")).to_have_text("Here: guest, guest")
    expect(state(page, "Page").first).to_have_text("■ Another window shows this page.")
    page.get_by_role("button", name="Show it here").first.click()
    expect(frame(page, "Anna").locator("#chat-here")).to_have_text("Here: guest, guest")
    expect(state(other, "Page").first).to_have_text("■ Another window shows this page.")
    other.close()

    page.evaluate(
        """() => jupyterapp.shell.widgets("main").find(widget => widget.sessionContext)
            .sessionContext.restartKernel()"""
    )
    for kind in ("Conversation", "Page"):
        said = expect(state(page, kind).first)
        said.to_contain_text("The kernel has ended.")
        said.to_contain_text("Run → Run All Above Selected Cell")
    page.evaluate(
        """() => jupyterapp.shell.activateById(
            jupyterapp.shell.widgets("main").find(widget => widget.sessionContext).id)"""
    )
    run_all(page)
    expect(state(page, "Conversation")).to_contain_text(f"● {COMMAND}")
    expect(frame(page, "Anna").get_by_text("Connected.")).to_be_visible()
    expect(page.locator('section[aria-label="Page"]')).to_have_count(2)


def test_closed_panels_stay_closed_until_they_are_asked_for(page, lab):
    open_chat(lab, page, "closed")
    close = page.locator(".lm-TabBar-tab", has_text="Conversation").locator(
        ".lm-TabBar-tabCloseIcon"
    )
    close.click()
    expect(page.locator('section[aria-label="Conversation"]')).to_have_count(0)
    say(page, "Anna", "unseen")
    expect(frame(page, "Ben").get_by_label("Messages")).to_have_value("unseen\n")
    expect(page.locator('section[aria-label="Conversation"]')).to_have_count(0)
    page.get_by_role("button", name="Show").click()
    expect(rows(page, "unseen").first).to_be_visible()
    # nothing is left when the notebook is closed, neither of its kernel
    page.locator(".lm-TabBar-tab", has_text="closed.ipynb").locator(
        ".lm-TabBar-tabCloseIcon"
    ).click()
    with contextlib.suppress(Exception):
        page.get_by_role("button", name="Discard").click(timeout=3000)
    expect(page.locator(".cl-Panel")).to_have_count(0)
    page.wait_for_function("() => [...jupyterapp.serviceManager.sessions.running()].length === 0")


def test_button_in_a_notebook_that_was_not_run_says_what_to_do(page, lab):
    open_chat(lab, page, "stored")
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    close_all(page)
    lab.open(page, "stored.ipynb")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Run this cell first")).to_be_visible()


def test_two_notebooks_have_panels_of_their_own(page, lab):
    open_chat(lab, page, "first")
    lab.write("second.ipynb", BEGIN, 'lesson.stage(server, Cleo="/chat/attic/")')
    other = page.context.new_page()
    other.set_default_timeout(30_000)
    lab.open(other, "second.ipynb")
    run_all(other)
    expect(frame(other, "Cleo").get_by_text("Connected.")).to_be_visible()
    expect(frame(other, "Anna").locator("body")).to_have_count(0)
    frame(other, "Cleo").get_by_label("Your message").fill("from the second")
    frame(other, "Cleo").get_by_role("button", name="Send").click()
    expect(rows(other, "from the second").first).to_be_visible()
    assert rows(page, "from the second").count() == 0


def test_notebook_has_the_room_that_ended_panels_of_another_had(page, lab):
    open_chat(lab, page, "before")
    for name in ("Anna", "Ben"):
        expect(frame(page, name).get_by_role("button", name="Send")).to_be_visible()
        assert is_in_sight(page, name, "#chat-message-submit")
    half = width(page)
    lab.write("after.ipynb", BEGIN, 'lesson.stage(server, Cleo="/chat/lobby/")')
    open_it = "p => jupyterapp.commands.execute('docmanager:open', {path: p}).then(() => 1)"
    page.evaluate(open_it, "after.ipynb")
    page.wait_for_function(OPEN)
    assert width(page) == half, "what still runs stays"
    run_all(page)
    expect(frame(page, "Cleo").get_by_text("Connected.")).to_be_visible()
    expect(frame(page, "Anna").locator("body")).to_be_hidden()
    assert abs(width(page) - half) < 10
    run(page, "server.stop()")  # that of the first
    expect(page.locator('iframe[title="Page Anna"]')).to_have_count(0)
    expect(page.locator('section[aria-label="Conversation"]')).to_have_count(1)

    go_to(page, "before.ipynb")
    expect(page.locator('iframe[title="Page Cleo"]')).to_be_visible()  # it runs
    page.get_by_role("button", name="Show").first.click()
    expect(rows(page, "Anna").first).to_be_visible()  # and can be had back
    run(page, f"server = lesson.start({COMMAND!r})")
    expect(frame(page, "Ben").get_by_text("Connected.")).to_be_visible()


def test_narrow_window_has_panels_below_the_notebook(page, lab):
    page.set_viewport_size({"width": 900, "height": 900})
    overlaps = "print('■' * 300 + '··  on the event loop, overlaps 1 other')"
    rows = "print('─' * 300 + '──▶')"
    lab.write("narrow.ipynb", BEGIN, STAGE, overlaps, rows, "print('word ' * 99)")
    lab.open(page, "narrow.ipynb")
    run_all(page)
    for name in ("Anna", "Ben"):
        expect(frame(page, name).get_by_text("Connected.")).to_be_visible()
        assert is_in_sight(page, name, "#chat-message-submit")
    assert width(page) > 750
    conversation = page.locator('section[aria-label="Conversation"]')
    assert conversation.evaluate("n => n.clientWidth") > 300
    # what stands in columns scrolls, and sentences are wrapped
    texts = page.locator(".jp-OutputArea-output pre").all()[-3:]
    scrolls = "pre => pre.scrollWidth > pre.clientWidth"
    assert [text.evaluate(scrolls) for text in texts] == [True, True, False]


def test_list_of_files_makes_room_for_a_timeline_unless_there_is_enough(page, lab):
    lab.write("room.ipynb", BEGIN, STAGE)
    lab.write("wide.ipynb", BEGIN, STAGE)
    files = page.locator("#filebrowser")
    lab.open(page, "room.ipynb")
    expect(files).to_be_visible()
    run_all(page)
    expect(files).to_be_hidden()
    assert width(page) > 640
    page.locator('[title^="File Browser"]').click()
    expect(files).to_be_visible()  # a click brings it back

    close_all(page)
    page.set_viewport_size({"width": 1920, "height": 900})
    lab.open(page, "wide.ipynb")
    run_all(page)
    expect(frame(page, "Ben").get_by_text("Connected.")).to_be_visible()
    expect(files).to_be_visible()
    assert width(page) > 640


LONG = "a long message, so that the diagram is wide"
TALK = f"""
from websockets import connect
async with connect(server.ws("/ws/chat/"), origin="http://localhost") as websocket:
    await websocket.send('{{"message": "{LONG}"}}')
    await websocket.recv()
server.timeline()
"""
ROOM = """image => {
    let box = image.parentElement;
    while (getComputedStyle(box).overflowX !== "auto") box = box.parentElement;
    return [box.scrollWidth, box.clientWidth];
}"""


def test_diagram_keeps_its_size_in_a_narrow_window(page, lab):
    lab.write("diagram.ipynb", BEGIN, TALK)
    page.set_viewport_size({"width": 900, "height": 900})
    lab.open(page, "diagram.ipynb")
    run_all(page)
    picture = page.locator(".jp-RenderedMermaid img")
    expect(picture).to_be_visible()
    width, natural = picture.evaluate("image => [image.clientWidth, image.naturalWidth]")
    assert width == natural > 500
    inside, outside = picture.evaluate(ROOM)
    assert inside >= natural
    assert outside < 600, "it scrolls"
    # black on white, whatever the theme
    page.evaluate(
        "() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    expect(picture).to_have_css("background-color", "rgb(255, 255, 255)")


def test_three_lanes_have_room_beside_a_panel_on_a_common_laptop(page, lab):
    lab.write("lanes.ipynb", BEGIN, "server.watch()", TALK.replace(LONG, "hello"))
    page.set_viewport_size({"width": 1366, "height": 768})
    lab.open(page, "lanes.ipynb")
    run_all(page)
    picture = page.locator(".jp-RenderedMermaid img")
    expect(picture).to_be_visible()
    expect(page.locator(".cl-Row").first).to_be_visible()
    inside, outside = picture.evaluate(ROOM)
    assert 400 < inside <= outside < 600


def test_third_page_takes_no_room_from_two(page, lab):
    open_chat(lab, page, "third")
    anna, ben, home = (
        page.locator(f'iframe[title="Page {name}"]') for name in ("Anna", "Ben", "/")
    )
    expect(ben).to_be_visible()
    half = ben.bounding_box()["width"]
    run(page, 'server.page("/")')
    expect(home).to_be_visible()
    expect(anna).to_be_hidden()  # it is a tab behind
    assert abs(home.bounding_box()["width"] - half) < 10
    assert ben.bounding_box()["width"] == half


FLOOD = """
import asyncio
from websockets import connect
async with connect(server.ws("/ws/chat/"), origin="http://localhost") as flood:
    for number in range({number}):
        await flood.send('{{"message": "n%d"}}' % number)
        await flood.recv()
        await asyncio.sleep({pause})
"""


def test_flood_leaves_the_panel_responsive(page, lab):
    lab.write("flood.ipynb", BEGIN, "server.watch()")
    lab.open(page, "flood.ipynb")
    run_all(page)
    page.evaluate(
        """() => {
            window.longest = 0;
            const observer = new PerformanceObserver(list => {
                for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
            });
            observer.observe({type: "longtask"});
        }"""
    )
    run(page, FLOOD.format(number=5000, pause=0))  # two rows each
    last = page.locator(".cl-Row").last
    expect(last).to_contain_text("close 1000", timeout=PATIENCE * 1000)
    expect(rows(page, "n4999").last).to_be_visible()
    assert page.locator(".cl-Row").count() <= 2000
    expect(page.locator(".cl-Before")).to_contain_text("earlier rows")
    assert page.evaluate("longest") < 2000  # ms in which nothing else can be done
    # it is told as the timeline tells it
    shown = page.locator(".cl-Row .cl-Text").all_text_contents()
    assert shown[-1] == "close 1000"
    assert last.locator(".cl-Call").inner_text().endswith("(1000)")
    assert [text for text in shown if "n49" in text][-2:] == ['{"message": "n4999"}'] * 2


def test_fifty_frames_a_second_do_not_flicker(page, lab):
    lab.write("fifty.ipynb", BEGIN, "server.watch()")
    lab.open(page, "fifty.ipynb")
    run_all(page)
    page.evaluate(
        """() => {
            window.removed = 0;
            window.away = 0;
            const list = document.querySelector(".cl-Rows");
            new MutationObserver(changes => {
                for (const change of changes) removed += change.removedNodes.length;
                if (list.scrollHeight - list.scrollTop - list.clientHeight > 1) away++;
            }).observe(list, {childList: true});
        }"""
    )
    run(page, FLOOD.format(number=150, pause=0.02))
    expect(rows(page, "disconnect(1000)")).to_be_visible()
    drawn = page.locator(".cl-Row").count()
    assert drawn > 300
    # a row is drawn once; what was still running may be drawn again
    assert page.evaluate("removed") < drawn / 5
    assert page.evaluate("away") == 0  # the newest is in sight all the time

    # paused, it stays as it is
    page.get_by_role("button", name="Pause").click()
    run(page, FLOOD.format(number=1, pause=0))
    expect(state(page, "Conversation")).to_contain_text("paused, ")
    assert page.locator(".cl-Row").count() == drawn
    page.get_by_role("button", name="Go on").click()
    expect(page.locator('[data-client="flood 2"]').first).to_be_visible()
    page.get_by_label("Whose rows to show").select_option("flood 2")
    assert page.locator(".cl-Row:not([hidden])").count() < 10


AT_END = """() => {
    const list = document.querySelector(".cl-Rows");
    return list.scrollHeight - list.scrollTop - list.clientHeight < 1;
}"""


def test_newest_row_is_whole_though_those_above_it_are_of_many_lines(page, lab):
    lab.write("newest.ipynb", BEGIN, "server.watch()")
    lab.open(page, "newest.ipynb")
    run_all(page)
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()
    run(page, FLOOD.replace("n%d", "many lines " * 40 + "%d").format(number=30, pause=0))
    expect(rows(page, "disconnect(1000)")).to_be_visible()
    expect(page.get_by_text("Nothing has happened yet.")).to_be_hidden()
    page.wait_for_function(AT_END)


def test_row_tells_errors_and_what_runs_and_opens_its_file(page, lab):
    slow = """
from pathlib import Path

file = Path("myapp/consumers.py")
file.write_text(file.read_text() + '''

class Slow(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "fail":
            raise ValueError("on purpose")
        import asyncio
        await asyncio.sleep(float(text_data))
''')
routes = Path("myapp/routing.py")
routes.write_text(routes.read_text() + '''
from .consumers import Slow
websocket_urlpatterns += [path("ws/slow-one/", Slow.as_asgi())]
''')
imports = "from channels.generic.websocket import AsyncWebsocketConsumer\\n"
file.write_text(imports + file.read_text())
routes.write_text("from django.urls import path\\n" + routes.read_text())
server.restart()
"""
    lab.write("rows.ipynb", BEGIN, slow, "server.watch()")
    lab.open(page, "rows.ipynb")
    run_all(page)
    run(
        page,
        "from websockets import connect\n"
        'slow = await connect(server.ws("/ws/slow-one/"), origin="http://localhost")\n'
        'await slow.send("2")',
    )
    expect(rows(page, "still running")).to_have_count(1)
    expect(state(page, "Conversation")).to_contain_text("1 still running")
    expect(rows(page, "still running")).to_have_count(0)
    run(page, 'await slow.send("fail")')
    failed = page.locator(".cl-Failed")
    expect(failed).to_contain_text("✗ raised ValueError: on purpose")
    lines = (lab.folder / "workspace/00/myapp/consumers.py").read_text().splitlines()
    line = 1 + next(n for n, text in enumerate(lines) if "on purpose" in text)
    failed.get_by_role("button").click()
    cursor = """() => {
        const current = jupyterapp.shell.currentWidget;
        const position = current?.content?.editor?.getCursorPosition();
        return position && [current.context.path, position.line + 1];
    }"""
    page.wait_for_function(f"() => ({cursor})()?.[1] === {line}")
    assert page.evaluate(cursor) == ["workspace/00/myapp/consumers.py", line]


def assert_everybody_can_use(page, *parts):
    """Let axe look for barriers in parts of JupyterLab, in both of its themes.

    parts: (which part, what axe must have judged the colours of in it).
    """
    # JupyterLab's body has no height and shows nothing that is outside: so axe takes all for hidden
    style = page.add_style_tag(content="body { height: 100vh }")
    for theme in ("Dark", "Light"):
        change_theme(page, theme)
        for part, seen in parts:
            results = Axe().run(
                page,
                context={"include": [[part]], "exclude": [["iframe"]]},
                options={"resultTypes": ["violations", "passes"]},
            )
            assert results.violations_count == 0, f"{theme}: {results.generate_report()}"
            judged = [
                node["html"]
                for rule in results.response["passes"]
                if rule["id"] == "color-contrast"
                for node in rule["nodes"]
            ]
            assert any(seen in html for html in judged), f"{theme}: axe has not judged {seen}"
    style.evaluate("style => style.remove()")


def test_everybody_can_use_the_panels(page, lab):
    failing = """
from websockets import connect
try:
    await connect(server.ws("/ws/none/"), origin="http://localhost")
except Exception:
    pass
"""
    open_chat(lab, page, "axe", failing)
    page.locator(".cl-Failed").first.scroll_into_view_if_needed()
    assert_everybody_can_use(page, (".cl-Panel", "cl-Note"), (".cl-Output", "cl-Button"))
    run(page, "server.stop()")
    expect(state(page, "Conversation")).to_contain_text("The server has ended.")
    assert_everybody_can_use(page, (".cl-Panel", "cl-State"))


def test_styles_are_those_that_were_meant(page, lab):
    noted = """
from websockets import connect
try:
    await connect(server.ws("/ws/chat/"), origin="https://evil.example")
except Exception:
    pass
server.watch()
"""
    lab.write("styles.ipynb", BEGIN, noted)
    lab.open(page, "styles.ipynb")
    run_all(page)
    note = page.locator(".cl-Note").first
    expect(note).to_contain_text("https://evil.example")
    expect(note).to_have_css("font-weight", "400")  # it is no failure
    page.evaluate("""() => document.body.insertAdjacentHTML("beforeend",
        "<div class=jp-RenderedHTMLCommon><details open><pre></pre></details><p></div>")""")
    margin = "box => parseFloat(getComputedStyle(box).marginBottom)"
    assert page.locator("details").last.evaluate(margin) >= 10
    assert page.locator("details > pre").first.evaluate(margin) >= 10
