"""The board of a class: as an instructor, a helper and two learners meet it."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
from contextlib import ExitStack
from pathlib import Path

import clients
import httpx
import pytest
from answers import RIGHT_5_1, WRONG_5_1, work_on
from axe_playwright_python.sync_playwright import Axe
from clients import answers, eventually
from deployed import NGINX, certificate
from playwright.sync_api import expect
from running_lab import run_all, running_lab
from websockets.sync.client import connect

from channels_live import board as board_command
from channels_live import class_line, joining, membership
from channels_live.board import _addresses, open_class
from channels_live.cli import main
from channels_live.server import Server
from channels_live.server.ports import free_port
from channels_live.workspace import SAMPLE, copy_project

SCRIPT = Path(sysconfig.get_path("scripts"), "channels-live")
ANSWER = "myapp/answer.py"
DAPHNE_UNIX = "daphne -u run/{}.sock --proxy-headers boardsite.asgi:application"
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "boardsite.production",
    "DJANGO_SECRET_KEY": "a-secret-of-fifty-characters-for-this-test-0123456789",
    "DJANGO_SITE": "https://class.example",
    "REDIS_URL": "redis://127.0.0.1:1",
    **{name: name.lower() for name in ("BOARD_CODE", "BOARD_WORD", "BOARD_HELPER_WORD")},
}
pytestmark = pytest.mark.timeout(240)
expect.set_options(timeout=30_000)


class Board:
    """A board that runs. page: its address. you, helpers: links to log in.

    code: of the class. cell: that its terminal shows for learners.
    """

    def __init__(self, workspace):
        self.workspace, self.port = workspace, free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [SCRIPT, "board", "--port", str(self.port)],
            env={**os.environ, "CHANNELS_LIVE_WORKSPACE": str(self.workspace)},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        text = ""
        while "Control-C" not in text:
            line = self.process.stdout.readline()
            assert line, text
            text += line
        self.page = f"http://127.0.0.1:{self.port}"
        (self.you,) = re.findall(r"  you +(\S+)", text)
        (self.helpers,) = re.findall(r"  helpers +(\S+)", text)
        ((self.cell, self.code),) = re.findall(r'(join_class\(".+?", "([A-Z]{6})"\))', text)
        assert eventually(lambda: answers(self.page))

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.stdout.close()
        return self.process.wait(30)

    def log_in(self, page=None):
        """Return a client of the instructor's, whose log-in outlives the server."""
        client = httpx.Client(base_url=page or self.page, follow_redirects=True)
        client.get("/")
        word, token = self.you.partition("#")[2], client.cookies["board-csrf"]
        client.post("/", data={"word": word, "csrfmiddlewaretoken": token})
        return client


def exported(client):
    """Return the exercises in the export."""
    text = client.get("/class.csv").content.decode("utf-8-sig")
    return [row["exercise"] for row in csv.DictReader(io.StringIO(text))]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    board = Board(tmp_path_factory.mktemp("board"))
    yield board
    board.end()


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Return a learner's workspace, and put environment and folder back afterwards."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(class_line, "LINE", class_line.Line())
    environment = dict(os.environ)
    yield tmp_path / "workspace"
    class_line.LINE.end()
    os.environ.clear()
    os.environ.update(environment)


def screen(browser, link, **options):
    """Return a page of somebody who has followed a link of the terminal."""
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(30_000)
    page.goto(link)
    expect(page.locator("#state")).to_contain_text("joined")
    return page


def cell(page, learner, exercise="5.1"):
    """Return what stands in a row under an exercise."""
    expect(page.locator("thead")).to_contain_text(exercise)
    head = page.locator("thead th").all_inner_texts()
    row = page.locator("tbody tr", has=page.locator("th", has_text=learner))
    return row.locator("td").nth(head.index(exercise) - 1)


# The project


@pytest.mark.live
def test_its_own_tests_pass(tmp_path):
    copy_project(SAMPLE / "board", tmp_path)
    result = manage(tmp_path, "test")
    assert result.returncode == 0, result.stderr
    assert "OK" in result.stderr and "Ran 0 tests" not in result.stderr


@pytest.mark.live
def test_it_is_ready_for_production(tmp_path):
    copy_project(SAMPLE / "board", tmp_path)
    checked = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert checked.returncode == 0, checked.stderr
    for name in PRODUCTION.keys() - {"DJANGO_SETTINGS_MODULE"}:
        refused = manage(tmp_path, "check", **(PRODUCTION | {name: ""}))
        assert f"set {name} in the environment" in refused.stderr


@pytest.mark.live
def test_its_migrations_are_complete(tmp_path):
    copy_project(SAMPLE / "board", tmp_path)
    made = manage(tmp_path, "makemigrations", "--check", "--dry-run")
    assert made.returncode == 0, made.stdout


@pytest.mark.parametrize("name", ["goodbyes.py", "hubs.py", "limits.py"])
def test_what_the_lessons_build_is_in_it_unchanged(name):
    own, lessons = SAMPLE / "board/board" / name, SAMPLE / "finished/myapp" / name
    assert own.read_bytes() == lessons.read_bytes()


def manage(folder, *arguments, **environment):
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO", "BOARD", "REDIS"))
    }
    command = [sys.executable, "-W", "error", "manage.py", *arguments]
    options = {"capture_output": True, "text": True, "env": clean | environment}
    return subprocess.run(command, cwd=folder, **options)


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets")
def test_deployed_as_lesson_22_teaches(tmp_path, monkeypatch, forked):
    copy_project(SAMPLE / "board", tmp_path)
    trusted = certificate(tmp_path)
    with ExitStack() as stack:

        def start(command):
            server = Server(command, tmp_path)
            stack.callback(server.stop)
            return server

        broker = start('valkey-server --port 6379 --save ""')
        proxy = start(NGINX)
        site = {"DJANGO_SITE": proxy.url(""), "REDIS_URL": broker.url()}
        for name, value in (PRODUCTION | site).items():
            monkeypatch.setenv(name, value)
        for command in ("migrate", "collectstatic"):
            clients.manage(tmp_path, command, "-v0")
        one, _ = (start(DAPHNE_UNIX.format(name)) for name in ("one", "two"))
        proxy.restart()
        instructor = stack.enter_context(
            httpx.Client(
                base_url=proxy.url(""), verify=trusted, headers={"Referer": proxy.url("/")}
            )
        )
        token = {"csrfmiddlewaretoken": instructor.get("/") and instructor.cookies["board-csrf"]}
        answer = instructor.post("/", data={"word": PRODUCTION["BOARD_WORD"], **token})
        assert answer.headers["location"] == "/board/"
        assert instructor.get("/static/board/board.css").status_code == 200
        cookie = f"board-session={instructor.cookies['board-session']}"
        options = {"ssl": trusted, "proxy": None, "open_timeout": 30}

        def screen():
            headers = {"Cookie": cookie}
            own = {"origin": proxy.url(""), "additional_headers": headers}
            return stack.enter_context(connect(proxy.ws("/ws/screen/"), **own, **options))

        def learner(number, **more):
            own = stack.enter_context(connect(proxy.ws("/ws/learner/"), **options))
            key = f"key-{number:030}"
            join = {"do": "join", "code": PRODUCTION["BOARD_CODE"], "key": key, **more}
            own.send(json.dumps(join))
            heard(own, "joined")
            return own

        # nginx hands them out in turn, so two of each are on both servers
        screens = [screen(), screen()]
        learners = [learner(0, name="Anna"), learner(1, name="Ben")]
        for board in screens:
            heard(board, "here", lambda here: len(here["learners"]) == 2)
        report = {"do": "report", "number": 1, "exercise": "5.1", "state": "not yet"}
        for own in learners:
            own.send(json.dumps(report))
            heard(own, "saved")
        screens[0].send(json.dumps({"do": "push", "exercise": "5.1", "text": "for both"}))
        assert [heard(own, "hint")["text"] for own in learners] == ["for both"] * 2
        # one server is taken away: its clients come back, and have missed nothing
        one.stop()
        board, again = screen(), learner(0, after=1)
        heard(board, "here", lambda here: here["learners"])
        board.send(json.dumps({"do": "push", "exercise": "5.1", "text": "one server less"}))
        assert heard(again, "hint")["text"] == "one server less"


def heard(client, kind, true=lambda answer: True):
    """Return the next answer of this kind of which something is true."""
    while True:
        answer = json.loads(client.recv(timeout=30))
        if answer["is"] == kind and true(answer):
            return answer


# The command


def test_a_port_that_is_taken_is_named(workspace, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["board", "--port", str(port)]) == 2
    assert f"Port {port} of 127.0.0.1 is taken" in capsys.readouterr().err


def test_an_address_is_named_as_for_a_class(workspace, capsys, monkeypatch):
    served = []
    monkeypatch.setattr(board_command, "run", lambda *options: served.append(options) or 0)
    for option in ("--address=all", "--host=all"):
        assert main(["board", option]) == 0
    assert served == [("all", 8400, False)] * 2
    monkeypatch.undo()
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(workspace))
    for command in (["board"], ["class", "--users=1", f"--folder={workspace / 'class'}"]):
        assert main([*command, "--address=198.51.100.1"]) == 2
        told = capsys.readouterr().err
        assert "198.51.100.1 is no address of this computer." in told and "--address all" in told


def test_an_open_board_is_reached_by_address_and_by_name():
    assert _addresses("127.0.0.1") == ["127.0.0.1"]
    everywhere = _addresses("0.0.0.0")
    assert socket.gethostname() in everywhere
    assert "127.0.0.1" not in everywhere


@pytest.mark.live
def test_a_class_outlives_its_board_and_a_learner_who_worked_meanwhile(tmp_path, workspace):
    board = Board(tmp_path / "instructor")
    code, you = board.code, board.you
    try:
        instructor = board.log_in()
        joining.join_class(board.page, board.code, "anna")
        work_on("5.1", {ANSWER: WRONG_5_1})
        board.end(signal.SIGKILL)
        class_line.opened("5.1", "not attempted", 0)
        assert eventually(lambda: class_line.LINE.failed)
        board.start()
        assert (board.code, board.you) == (code, you)
        assert eventually(lambda: exported(instructor) == ["5.1"])
        assert eventually(lambda: not membership.reports(membership.read()))
        assert "forgotten you" in str(joining.leave_class())
        assert exported(instructor) == []
        assert board.end(signal.SIGINT) == 0
    finally:
        if board.process.poll() is None:
            board.end()


def test_a_new_class_keeps_the_old_one(tmp_path):
    old = open_class(tmp_path / "board")
    assert open_class(tmp_path / "board") == old
    (tmp_path / "board/class.json").write_text("{")
    repaired = open_class(tmp_path / "board")
    assert open_class(tmp_path / "board", new=True)["code"] != repaired["code"]
    (kept,) = tmp_path.glob("board-*")
    assert open_class(kept) == repaired


@pytest.mark.live
def test_a_wrong_code_lets_nobody_in(board, workspace, capsys):
    assert main(["join", board.page, "WRONG"]) == 2
    why = "You have not joined: that is not the code of this class.\n"
    assert capsys.readouterr().err == why
    assert membership.read() is None


# In the browser


@pytest.mark.live
@pytest.mark.browser
def test_a_link_works_where_the_page_is_open_already(board, browser):
    page = browser.new_context().new_page()
    page.set_default_timeout(30_000)
    page.goto(board.page)
    page.goto(board.helpers)  # another # only: the page is not loaded anew
    expect(page.get_by_role("heading", name="For helpers")).to_be_visible()
    assert page.url == f"{board.page}/helpers/"


@pytest.mark.live
@pytest.mark.browser
def test_it_tells_the_address_that_its_terminal_does(board):
    page = board.log_in(f"http://localhost:{board.port}").get("/board/").text
    assert f'{board.cell[:-1]}, name="Anna")' in page


def test_who_sends_to_nobody_is_told_so(browser, tmp_path, workspace):
    board = Board(tmp_path / "instructor")
    try:
        instructor = screen(browser, board.you)
        expect(instructor.locator("#push-exercise")).to_have_text("nobody has begun one")
        joining.join_class(board.page, board.code, "Cleo")
        for exercise in ("12.1", "12.2"):
            class_line.opened(exercise, "not attempted", 0)
        expect(instructor.locator("#state")).to_have_text("1 has joined, 1 is here.")
        target = instructor.get_by_label("Exercise", exact=True)
        options = ["12.1 · now on it: 0", "12.2 · now on it: 1"]
        expect(target.locator("option")).to_have_text(options)
        target.select_option("12.1")
        instructor.get_by_label("A hint").fill("Too late.")
        instructor.get_by_role("button", name="Send").click()
        expect(instructor.locator("#push-state")).to_contain_text("Nobody has got it")
        instructor.close()
    finally:
        board.end()


@pytest.mark.live
@pytest.mark.browser
def test_two_learners_a_helper_and_an_instructor(
    board, browser, workspace, tmp_path_factory, forked
):
    folders = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("course")
    instructor = screen(browser, board.you, viewport={"width": 1920, "height": 1080})
    helper = screen(browser, board.helpers, color_scheme="dark")
    expect(helper.get_by_role("heading", name="For helpers")).to_be_visible()

    # Ben works in a terminal
    assert main(["join", board.page, board.code, "--name", "Ben"]) == 0
    own = work_on("5.1", {ANSWER: WRONG_5_1})
    assert main(["check", "5.1"]) == 1
    expect(cell(instructor, "Ben")).to_contain_text("✎ not yet")
    expect(cell(instructor, "Ben")).to_contain_text("1 try")
    cell(instructor, "Ben").get_by_role("button").click()
    expect(instructor.get_by_label("Last message")).to_contain_text("got")
    instructor.get_by_role("button", name="Close").click()
    known = json.loads(membership.path().read_text())
    known["works"]["5.1"]["begun"] -= 15 * 60
    membership.path().write_text(json.dumps(known))
    assert main(["check", "5.1"]) == 1
    expect(cell(instructor, "Ben")).to_contain_text("⚑")
    expect(cell(instructor, "Ben")).to_contain_text("15 min · 2 tries")
    stuck = helper.get_by_role("listitem").filter(has_text="⚑ Ben")
    expect(stuck).to_contain_text("5.1 · 15 min · 2 tries")

    # Anna in a notebook
    with running_lab(*folders) as lab:
        page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        lab.write(
            "anna.ipynb",
            f"from channels_live import *\njoin_class({board.page!r}, {board.code!r}, 'Anna')",
            "ex = Exercise('5.1')",
            "raise_hand('What is a scope?')",
        )
        lab.open(page, "anna.ipynb")
        told = str(run_all(page))
        assert "On the board you are: Anna" in told and "up to 600 characters" in told
        expect(cell(instructor, "Anna")).to_contain_text("○ begun")
        row = helper.get_by_role("listitem").filter(has_text="Anna")
        expect(row).to_contain_text("What is a scope?")
        row.get_by_role("button", name="I am on my way").click()
        mine = browser.new_page()
        mine.goto(re.search(r"http://\S+?/learner/#\w+/\w+", told)[0])
        expect(mine.get_by_text("Somebody is on the way.")).to_be_visible()
        row.get_by_role("button", name="Lower").click()
        expect(row).to_have_count(0)
        mine.get_by_role("button", name="Raise my hand").click()
        expect(instructor.get_by_role("listitem").filter(has_text="☝ Anna")).to_be_visible()

        # a hint for both, and a file
        instructor.get_by_label("Exercise", exact=True).select_option("5.1")
        expect(instructor.locator("#push-exercise")).to_contain_text("5.1 · now on it: 2")
        instructor.get_by_label("A hint").fill("Compare the name of the method.")
        file = {"name": "names.txt", "mimeType": "text/plain", "buffer": b"receive\n"}
        instructor.get_by_label("A file of text").set_input_files(file)
        instructor.get_by_role("button", name="Send").click()
        expect(instructor.locator("#push-state")).to_have_text("Sent. On 5.1 and not right: 2.")
        shown = page.locator(".jp-OutputArea-output").filter(has_text="Compare the name")
        expect(shown).to_contain_text("from_instructor/names.txt")
        expect(page.locator(".Toastify")).to_contain_text("Compare the name of the method.")
        sent = folders[1] / "workspace/from_instructor/names.txt"
        assert sent.read_text(encoding="utf-8") == "receive\n"
    (own / ANSWER).write_text(RIGHT_5_1, encoding="utf-8")
    assert main(["check", "5.1"]) == 0
    expect(cell(instructor, "Ben")).to_contain_text("✓ right")
    expect(instructor.locator("tfoot")).to_contain_text("1 of 2")

    # joining as the pages show it
    instructor.get_by_text("How learners join").click()
    shown = instructor.get_by_label("A cell that joins")
    expect(shown).to_contain_text(f'join_class("{board.page}", "{board.code}", name="Anna")')
    place = browser.new_page()
    place.goto(f"{board.page}/learner/")
    place.get_by_label("The code of the class").fill(board.code)
    place.get_by_label("A name for the board").fill("Anna")
    expect(place.get_by_label("A cell that joins")).to_have_text(shown.inner_text())
    assert_usable(place)
    place.close()
    expect(stuck).to_have_count(0)

    # everybody can use it, whatever the light and the size
    mine.emulate_media(color_scheme="dark")
    for page in (instructor, helper, mine):
        assert_usable(page)
    mine.close()
    expect(instructor.locator("#state")).to_have_text("2 have joined, 1 is here.")
    instructor.emulate_media(color_scheme="dark")
    instructor.set_viewport_size({"width": 900, "height": 900})
    assert_usable(instructor)
    wide = "() => document.documentElement.scrollWidth - innerWidth"
    assert instructor.evaluate(wide) <= 0, "the page itself does not scroll sideways"


def assert_usable(page):
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
