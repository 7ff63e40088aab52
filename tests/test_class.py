"""`channels-live class`: a real hub, with learners in a browser and without."""

import contextlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from clients import answers, eventually, gone
from running_class import PROGRAM, come_in, run_all, running_class
from running_lab import KERNEL
from scripted_learner import Learner

from channels_live.cli import main
from channels_live.server.ports import free_port, is_free
from channels_live.workspace import LessonError

if importlib.util.find_spec("jupyterhub") is None:
    pytest.skip("the packages of a class are not installed: .[class]", allow_module_level=True)
if os.name == "nt":
    pytest.skip("JupyterHub does not run on Windows", allow_module_level=True)

from nbformat.v4 import new_code_cell, new_notebook, writes
from playwright.sync_api import expect

from channels_live.workshop import certificate, front, plan, seat, shown
from channels_live.workshop.room import INSTRUCTOR, Room, new_code

STAGE = """
from channels_live import Lesson
lesson = Lesson(0)
!python manage.py migrate -v 0
server = lesson.start("daphne -p 8000 myproject.asgi:application")
lesson.stage(server, Anna="/chat/lobby/", Ben="/chat/lobby/")
"""


# a real hub


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    """Return a class for two, over TLS. The last test ends it."""
    with running_class(tmp_path_factory.mktemp("box"), "--users=2", "--tls") as running:
        running.wait_until_all_run(2)
        yield running


@pytest.fixture(scope="module")
def ada(classroom):
    learner = Learner(classroom, "Ada Lovelace")
    learner.start_kernel()
    yield learner
    learner.close()


@pytest.mark.live
@pytest.mark.timeout(240)
def test_each_learner_has_a_seat_and_nobody_else(classroom, ada):
    assert ada.user == "learner-01"
    assert Learner(classroom, "  ada LOVELACE ", classroom.code.upper()).user == "learner-01"
    with pytest.raises(PermissionError, match="as your instructor shows it"):
        Learner(classroom, "Eve", "wrong")
    with pytest.raises(PermissionError):
        Learner(classroom, INSTRUCTOR)  # with the code of the learners
    place = "import os; print(os.getcwd(), os.environ['CHANNELS_LIVE_WORKSPACE'])"
    workspace = classroom.folder / "class/learners/learner-01/workspace"
    assert ada.run(place).split() == [str(workspace / "notebooks"), str(workspace)]
    assert (workspace / "notebooks/05_create_consumer.ipynb").exists()


@pytest.mark.live
@pytest.mark.timeout(240)
def test_learner_who_takes_too_much_memory_hears_of_it(ada):
    with pytest.raises(RuntimeError, match="MemoryError"):
        ada.run("bytearray(3 * 10**9)")


@pytest.mark.browser
@pytest.mark.live
@pytest.mark.timeout(240)
def test_stage_works_below_a_hub(classroom, browser):
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    notebook = new_notebook(cells=[new_code_cell(STAGE)], metadata={"kernelspec": KERNEL})
    folder = classroom.folder / "class/learners/learner-02/workspace/notebooks"
    (folder / "stage.ipynb").write_text(writes(notebook))
    come_in(page, classroom, "Ben", then="hub/user-redirect/lab/tree/notebooks/stage.ipynb")
    expect(page.locator(".jp-NotebookPanel:visible")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    run_all(page)
    anna, ben = (page.frame_locator(f'iframe[title="Page {name}"]') for name in ("Anna", "Ben"))
    for each in (anna, ben):
        expect(each.get_by_text("Connected.")).to_be_visible(timeout=60_000)
    anna.get_by_label("Your message").fill("hello below a hub")
    anna.get_by_role("button", name="Send").click()
    expect(ben.get_by_label("Messages")).to_have_value("hello below a hub\n", timeout=30_000)
    told = page.locator(".cl-Row", has_text="hello below a hub").first
    expect(told.locator(".cl-Client")).to_have_text("Anna", timeout=30_000)
    context.close()


@pytest.mark.live
@pytest.mark.timeout(240)
def test_learner_of_a_class_joins_a_board(classroom, ada):
    command = [sys.executable, "-c", PROGRAM, "board", f"--port={free_port()}"]
    environment = os.environ | {"CHANNELS_LIVE_WORKSPACE": str(classroom.folder / "instructor")}
    board = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        cell = next(line for line in board.stdout if "join_class(" in line).strip()
        page = re.search(r'"(http.+?)"', cell)[1]
        assert eventually(lambda: answers(page))  # it says where it is before it listens
        joined = ada.run(cell)
        assert "You have joined the class." in joined
        left = ada.run("from channels_live import leave_class; leave_class()")
        assert "Its board has forgotten you." in left
    finally:
        board.terminate()
        board.communicate()


@pytest.mark.live
@pytest.mark.timeout(240)
def test_class_goes_on_after_its_hub_and_after_all_of_it_is_killed(classroom, ada):
    ada.run("kept = 41")
    ada.write("notebooks/mine.txt", "written before")
    hub = psutil.Process(int((classroom.folder / "class/hub.pid").read_text()))
    hub.kill()
    assert ada.run("kept + 1") == "42"  # nginx and the servers do without a hub
    classroom.wait_for("It starts again")
    classroom.wait_until_all_run(2)
    assert ada.run("kept + 1") == "42"
    assert Learner(classroom, "Ada Lovelace").user == ada.user

    # the command alone: the next one takes the class over, with the kernels
    classroom.process.kill()
    classroom.process.wait()
    port = f"--port={classroom.url.rpartition(':')[2].strip('/')}"
    with running_class(classroom.folder, port, "--tls") as again:
        assert "The command was killed, but its class goes on: it is taken over." in again.said
        assert again.code == classroom.code
        again.wait_until_all_run(2)
        ada.open_socket()
        assert ada.run("kept + 1") == "42"
        again.process.kill()
        again.process.wait()
        # until none is left: one may have been about to be born
        while everything := [each for each in psutil.process_iter() if _belongs(each, again)]:
            for process in everything:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            assert gone(everything, within=30)
    taken = Room(classroom.folder / "class").port(ada.user)
    assert eventually(lambda: is_free(taken))  # the last thread of a killed process may hold it
    other = socket.create_server(("127.0.0.1", taken))
    with running_class(classroom.folder, port, "--tls") as anew:
        anew.wait_for(f"Tried again: {ada.user} did not start.")
        other.close()
        anew.wait_until_all_run(2)
        back = Learner(anew, "Ada Lovelace")
        back.start_kernel()
        assert back.run("print(open('mine.txt').read(), end='')") == "written before"
        back.close()
    assert not [process for process in psutil.process_iter() if _belongs(process, classroom)]


def _belongs(process, running):
    try:
        inside = process.cwd().startswith(str(running.folder / "class"))
        return inside and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


# what cannot go well


def refused(capsys, *arguments):
    assert main(["class", *arguments]) == 2
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return told.err.strip()


def test_what_cannot_go_well_is_said_before_anything_starts(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(capsys) == "Say for how many: --users 20, or --names FILE with one name a line."
    assert "There is no port 70000." in refused(capsys, "--users=1", "--port=70000")
    assert "198.51.100.1 is no address of this computer." in refused(
        capsys, "--users=1", "--address=198.51.100.1"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused(capsys, "--users=1", f"--port={port}")
        assert f"Port {port} of 127.0.0.1 is taken by another program." in told
    told = refused(capsys, "--users=100000", f"--port={free_port()}")
    assert "100000 learners need 30001.0 GB" in told and "--users " in told
    one = ("--users=1", f"--port={free_port()}")
    assert "There is no file" in refused(capsys, *one, "--cert=a.pem", "--key=b.pem")
    (tmp_path / "a.pem").write_text("none")
    assert "are no certificate and its key" in refused(capsys, *one, "--cert=a.pem", "--key=a.pem")
    assert "names.txt is not there" in refused(capsys, "--names=names.txt")
    monkeypatch.setattr(plan, "_EXTRA", ("jupyterhub", "not_installed"))
    told = refused(capsys, "--users=1")
    assert "A class needs not_installed" in told and "pip install" in told and "[class]" in told
    for wrong in ("--users=0", "--memory=1", "--cert=a.pem"):
        with pytest.raises(SystemExit):
            main(["class", wrong])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no names"),
        (b"Ada\nBen\nada\n", "has Ada and ada twice"),
        ("Zoë".encode("latin-1"), "is no text in UTF-8"),
    ],
)
def test_list_of_names_that_is_none(tmp_path, content, said):
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(LessonError, match=said):
        plan.names_in(tmp_path / "names")


def test_one_class_at_a_time_in_a_folder(tmp_path):
    from channels_live.locks import try_lock

    (tmp_path / "class").mkdir()
    with try_lock(tmp_path / "class/.class.lock"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "class", "--users=1"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert "is running already, in another terminal" in done.stderr


def test_this_computer_holds_so_many():
    assert [plan.room_for(free) for free in (0.5, 1.0, 4.0, 16.5)] == [0, 0, 10, 51]
    assert plan.room_for(4.0, 0.5) == 6
    assert 0 < plan.memory() <= psutil.virtual_memory().total / 1e9


@pytest.mark.live
def test_check_measures_a_learner_and_starts_no_class(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["class", "--check", "--users=1", f"--port={free_port()}"]) == 0
    told = capsys.readouterr().out
    measured = next(line for line in told.splitlines() if line.startswith("a learner"))
    assert 0.1 < float(measured.split()[2]) < 0.6
    assert not list(tmp_path.iterdir())


# seats, codes, words


def test_seats_for_those_who_come(tmp_path):
    room = Room(tmp_path)
    room.remember(code="abcd-efgh", instructor_code=new_code())
    room.furnish(users=2)
    assert room.role("Ada", "ABCD EFGH") == "learner-01"
    assert room.role("Çelik", "abcdefgh") == "learner-02"
    assert room.role("ada", "abcd-efgh") == "learner-01"
    assert room.role("Ben", "abcd-efgh") is None  # no seat is left
    assert room.role("Ada", "") is None
    assert room.role(" ", "abcd-efgh") is None
    assert room.role("Instructor", "abcd-efgh") is None
    assert room.role("Instructor", room.facts["instructor_code"]) == INSTRUCTOR
    room.furnish(users=3)
    assert Room(tmp_path).role("Ben", "abcd-efgh") == "learner-03"
    assert Room(tmp_path).names == {
        "Ada": "learner-01",
        "Çelik": "learner-02",
        "Ben": "learner-03",
    }
    assert all(
        path.stat().st_mode & 0o077 == 0
        for path in (tmp_path, tmp_path / "class.json", tmp_path / "seats.json")
    )


def test_seats_by_name(tmp_path):
    room = Room(tmp_path)
    names = ["Zoë Müller", "zoe-muller", "李雷", "Instructor"]
    for _ in range(2):  # the same list, once more
        room.furnish(names)
    assert list(room.names.values()) == [
        "zoe-muller",
        "zoe-muller-02",
        "learner-01",
        "instructor-02",
    ]
    assert room.seat("ZOË  müller") == "zoe-muller"
    assert room.seat("somebody else") is None


def test_ports_stay_with_their_seats():
    first = plan.ports(["a", "b"], {})
    assert len({*first.values()}) == 2
    more = plan.ports(["c", "a", "b"], first)
    assert more.items() > first.items() and len({*more.values()}) == 3


def test_what_is_shown(tmp_path, monkeypatch):
    room = Room(tmp_path)
    room.furnish(users=3)
    room.remember(code="abcd-efgh", instructor_code="ijkl-mnop", tls={})
    alone = shown.welcome(room, "127.0.0.1", 8080)
    assert "Only this computer reaches that." in alone and "█" not in alone
    monkeypatch.setattr(plan, "addresses", lambda: ["192.0.2.7", "198.51.100.3"])
    told = shown.welcome(room, plan.EVERYWHERE, 8080)
    assert "http://192.0.2.7:8080/" in told and "http://198.51.100.3:8080/" in told
    program = re.search(r"In another terminal:\n +(\S+) board --address all\n", told)[1]
    assert Path(program).name == "channels-live" and os.access(program, os.X_OK)
    assert shown.picture("http://192.0.2.7:8080/") in told and "abcd-efgh" in told
    assert "--tls hides it" in told
    room.remember(tls=certificate.own(tmp_path, ["192.0.2.7"]))
    told = shown.welcome(room, "192.0.2.7", 8080)
    assert "https://192.0.2.7:8080/" in told and "--tls hides it" not in told
    for_the_class = told.partition("And this for the class:")[2]  # what is to be shown comes last
    assert "abcd-efgh" in for_the_class and "ijkl-mnop" not in for_the_class
    assert certificate.fingerprint(room.facts["tls"]["certificate"]) in told
    before = (tmp_path / "own.pem").read_text()
    certificate.own(tmp_path, ["192.0.2.7"])
    assert (tmp_path / "own.pem").read_text() == before
    certificate.own(tmp_path, ["192.0.2.8"])
    assert (tmp_path / "own.pem").read_text() != before


def test_address_that_is_shown_first_is_that_of_the_room(monkeypatch):
    def entry(address):
        return [SimpleNamespace(family=socket.AF_INET, address=address)]

    cards = {
        "lo": entry("127.0.0.1"),
        "docker0": entry("172.17.0.1"),
        "wlan0": entry("192.168.1.5"),
        "eth0": entry("10.9.0.2"),
        "off0": entry("10.0.0.1"),
    }
    state = {name: SimpleNamespace(isup=name != "off0") for name in cards}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: cards)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: state)
    monkeypatch.setattr(plan, "_way_out", lambda: "192.168.1.5")
    assert plan.addresses() == ["192.168.1.5", "10.9.0.2", "172.17.0.1"]
    monkeypatch.setattr(plan, "_way_out", lambda: "")  # no way out: a hot spot of one's own
    assert plan.addresses() == ["10.9.0.2", "192.168.1.5", "172.17.0.1"]


@pytest.mark.live
def test_what_grows_bit_by_bit_is_ended():
    grows = "x = bytearray(200 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n"
    child = subprocess.Popen(
        [sys.executable, "-c", f"{grows}print(1, flush=True)\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        child.stdout.readline()
        server = psutil.Process()
        now = sum(map(seat.own_memory, [server, *server.children(recursive=True)]))
        assert seat.too_large(server, now + (400 << 20)) is None
        assert seat.too_large(server, now - (100 << 20)).pid == child.pid
    finally:
        child.kill()
        child.communicate()


def test_pages_say_that_the_class_comes_back(tmp_path):
    room = Room(tmp_path)
    ports = {"learner-01": free_port()}
    room.remember(listen=f"127.0.0.1:{free_port()}", hub_port=free_port(), ports=ports, tls={})
    text = front.configuration(room)
    assert json.dumps(ports)[1:-1].split(": ")[1] in text
    assert "comes back by itself" in text
