"""What lesson 28 and its solutions state about the core of a board, and about the full one."""

import inspect
import json
from collections import Counter
from contextlib import ExitStack

import psutil
import pytest
from brokers import NO_BROKER
from clients import DAPHNE, client, eventually, manage
from django.utils import crypto
from projects import another_answer
from rooms import ORIGIN, read, rewrite
from wrong_answers.lesson_28 import WRONG

from channels_live import membership
from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project

SCREEN = {"do": "watch", "word": "kettle"}
LEARNER = {"do": "join", "code": "otter-42"}
RIGHT = {"do": "report", "exercise": "28.1", "state": "right", "tries": 2}


@pytest.fixture
def site(tmp_path):
    copy_project(SAMPLE / "finished", tmp_path)
    return tmp_path


@pytest.fixture
def visit():
    """Return a function that opens the socket of a class, and says a first message."""
    with ExitStack() as stack:

        def visit(server, **first):
            socket = stack.enter_context(client(server, "/ws/class/", origin=ORIGIN))
            return say(socket, **first)

        yield visit


def say(socket, **request):
    socket.send(json.dumps(request))
    return socket


def names(socket, *wanted):
    """Read until these are here."""
    while read(socket) != {"is": "here", "names": [*wanted]}:
        pass


def row(socket):
    while (frame := read(socket))["is"] != "row":
        pass
    return frame["works"]


@pytest.mark.live
@pytest.mark.claim(
    "lesson 28",
    "Three frames, one event, and one encoding.",
    "With thirty learners and ten screens it would be one event still, and eleven frames.",
)
def test_one_report_in_a_large_class(site, visit):
    rewrite(
        site / "experiments/class_words.py",
        (
            "    return json.encode(",
            "    print('encoded', answer, flush=True)\n    return json.encode(",
        ),
    )
    with Server(DAPHNE, site) as server:
        screens = [visit(server, **SCREEN) for _ in range(10)]
        learners = [visit(server, **LEARNER, name=f"learner {at}") for at in range(30)]
        names(screens[-1], *sorted(f"learner {at}" for at in range(30)))
        say(learners[7], **RIGHT)
        for socket in (*screens, learners[7]):
            assert row(socket) == {"28.1": "right, 2"}
        events = server.events(10.0)
        told = [event for event in events if event["kind"] == "layer"]
        assert [event["type"] for event in told].count("work.reported") == 1
        rows = [event for event in events if '"row"' in (event.get("text") or "")]
        assert len(rows) == 11 and {event["kind"] for event in rows} == {"out"}
        assert str(server.log(full=True)).count("encoded Row") == 1


@pytest.mark.live
@pytest.mark.claim(
    "lesson 28",
    'Whoever says "Anna" *is* Anna.',
    "All is forgotten when the last client leaves.",
    'Who was right, and then plays with the solution, is "not yet" again.',
)
def test_what_the_core_lacks(site, visit):
    with Server(DAPHNE, site) as server:
        anna, other = visit(server, **LEARNER, name="Anna"), visit(server, **LEARNER, name="Anna")
        for state in ("right", "not yet"):
            say(other, **{**RIGHT, "state": state})
            assert row(anna) == {"28.1": f"{state}, 2"}
        ben = visit(server, **SCREEN)
        names(ben, "Anna")
        assert row(ben) == {"28.1": "not yet, 2"}
        for socket in (anna, other, ben):
            socket.close()
        server.events(10.0)
        ben = visit(server, **SCREEN)
        names(ben)
        server.events(10.0)
        say(ben, do="nothing")
        assert read(ben)["is"] in ("error", "here"), "no row"


@pytest.mark.live
@NO_BROKER
@pytest.mark.claim(
    "lesson 28",
    "And a hub that has just begun hears within one beat who is with the others.",
    "Screens are told only when the names have changed, so a beat costs them nothing.",
    "A shorter beat would be quicker, and would take a server that is only busy for a dead one.",
)
def test_heartbeats(site, visit, broker, monkeypatch):
    monkeypatch.setenv("REDIS_URL", broker.url())
    rewrite(site / "experiments/class_hub.py", ("BEAT = 1.0", "BEAT = 0.1"))

    def beats(server):
        return [event.get("type") for event in server.events(10.0)].count("learners.here")

    with Server(DAPHNE, site) as server:
        visit(server, **LEARNER, name="Anna")
        ben = visit(server, **SCREEN)
        names(ben, "Anna")
        before = beats(server)
        assert eventually(lambda: beats(server) > before + 2, within=30)
        with pytest.raises(TimeoutError):
            ben.recv(timeout=0)
        with Server(DAPHNE, site) as other:
            cleo = visit(other, **SCREEN)
            names(cleo, "Anna")
            busy = psutil.Process(server.pid)
            busy.suspend()
            names(cleo)
            busy.resume()
            names(cleo, "Anna")


@pytest.mark.claim(
    "lesson 28",
    "The full board beats every 20 seconds.",
    "You know what is in it:",
)
def test_the_full_board():
    board = SAMPLE / "board"
    assert "RENEW = 20.0" in (board / "board/class_hub.py").read_text()
    for name in ("protocol", "register", "hubs", "class_hub", "limits", "learners", "screens"):
        assert (board / f"board/{name}.py").exists()
    assert (board / "boardsite/production.py").exists()


@pytest.mark.live
@pytest.mark.claim(
    "lesson 28",
    "It comes the way that the picture above shows: a report, one event, the hub, the screens.",
    "Between the first two it is written down.",
)
def test_a_report_on_the_full_board(tmp_path):
    copy_project(SAMPLE / "board", tmp_path)
    manage(tmp_path, "migrate", "--verbosity", "0")
    with (
        Server("daphne -p 8000 boardsite.asgi:application", tmp_path) as server,
        client(server, "/ws/learner/") as anna,
    ):
        say(anna, do="join", code="code", key="anna" * 5, name="Anna")
        assert [read(anna)["is"] for _ in range(2)] == ["joined", "row"]
        before = len(server.events(10.0))
        say(anna, do="report", number=1, exercise="28.1", state="right")
        assert read(anna) == {"is": "saved", "number": 1}, "written down"
        while read(anna)["is"] != "row":
            pass
        led_to = [
            (event["kind"], event.get("type"))
            for event in server.events(10.0)[before:]
            if event["kind"] in ("in", "layer") and event.get("type") != "learners.here"
        ]
        assert led_to == [("in", None), ("layer", "class.changed")]


@pytest.mark.claim(
    "lesson 28",
    "If you are in a class already, that one waits until you leave this one.",
)
def test_a_class_that_waits(tmp_path, monkeypatch):
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path))
    membership.join("http://class.example", "OURS", "anna")
    key = membership.read()["key"]
    membership.join("http://localhost:8000", "code", "Me")
    assert membership.read()["key"] != key
    membership.leave()
    assert membership.read()["key"] == key


@pytest.mark.claim(
    "solutions 28",
    "it is compared as one, by Django's `constant_time_compare`, which is made for secrets",
    "`Counter` needs `del` at zero, because a key with 0 is still a key.",
)
def test_what_28_1_is_made_of():
    assert "secrets.compare_digest" in inspect.getsource(crypto.constant_time_compare)
    here = Counter(anna=1)
    here["anna"] -= 1
    assert [*here] == ["anna"]


@pytest.mark.live
@pytest.mark.claim(
    "solutions 28",
    "To give each report the number of the newest in the table, and to leave out what is not above "
    "it: then a repeat is not even written.",
)
def test_another_answer_to_28_3(tmp_path):
    changes = {
        "myapp/classroom.py": ("    if not is_new:", "    if report.number > work.number:"),
    }
    outcome = another_answer("28.3", tmp_path, changes)
    assert outcome.state == "right", outcome


@pytest.mark.claim(
    "solutions 28",
    "But to *count* here, one try for each new number, would not do.",
    "And who wants a picture and its changes subscribes first",
    "The other way round it can be in neither.",
)
def test_wrong_answers_to_28_3():
    """tests/test_exercises.py judges them."""
    titles = {wrong.title for wrong in WRONG["28.3"]}
    assert {
        "counts one try for each new number",
        "reads the table before it subscribes",
    } <= titles
