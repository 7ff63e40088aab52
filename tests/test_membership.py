"""Who joins a class: what is sent, and what it costs where nobody answers."""

import json
import os
import threading

import pytest
from answers import RIGHT_5_1, work_on
from clients import eventually
from websockets.sync.server import serve

from channels_live import Exercise, LessonError, class_line, joining, membership
from channels_live.exercise import task
from channels_live.outcome import Outcome
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT
from channels_live.server.ports import free_port

PUSH = {"number": 1, "exercise": "5.1", "text": "Look again.", "name": "", "content": ""}


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Return a workspace of its own; end the line of this process afterwards."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(class_line, "LINE", class_line.Line())
    yield tmp_path / "workspace"
    class_line.LINE.end()


@pytest.fixture
def joined():
    """Join a class whose board is away."""
    membership.join(f"http://127.0.0.1:{free_port()}", "CODE", "anna")


def state():
    return membership.read()


@pytest.mark.live
def test_who_has_not_joined_sends_nothing(workspace):
    work_on("5.1", {"myapp/answer.py": RIGHT_5_1})
    outcome = Exercise("5.1").check()
    assert outcome.state == RIGHT and "class" not in outcome.advice
    task("5.1").more_hints()
    assert not (workspace / "class.json").exists()
    assert "class" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(LessonError, match="You have joined no class"):
        joining.raise_hand()
    assert str(joining.leave_class()) == "You have joined no class."


@pytest.mark.live
def test_a_board_that_is_away_costs_a_word(joined):
    work_on("5.1", {"myapp/answer.py": RIGHT_5_1})
    outcome = Exercise("5.1").check()
    assert outcome.state == RIGHT
    assert outcome.advice["class"] == "the board does not answer; it is told when it does"
    (report,) = membership.reports(state())
    assert (report["exercise"], report["state"], report["tries"]) == ("5.1", RIGHT, 1)


def test_nobody_answers_who_is_asked_to_let_somebody_in(workspace, monkeypatch):
    monkeypatch.setattr(joining, "ANSWER", 0.2)
    with pytest.raises(LessonError, match=r"no board answers at http://127\.0\.0\.1:"):
        joining.join_class(f"http://127.0.0.1:{free_port()}", "CODE")
    assert state() is None, "who has not got in sends nothing later"


@pytest.mark.parametrize("answers", ["[]", "{", '{"is": "joined"}', '{"is": "hint"}', None])
def test_what_answers_is_no_board(workspace, answers, capfd):
    """Nobody gets in there, and no thread of ours says anything."""

    def talk(socket):
        if answers:
            socket.send(answers)

    refuse = {} if answers else {"process_request": lambda socket, _: socket.respond(404, "no")}
    with serve(talk, "127.0.0.1", 0, **refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with pytest.raises(LessonError, match="You have not joined: "):
            joining.join_class(f"127.0.0.1:{port}", "CODE")
        class_line.LINE.end()
        server.shutdown()
    assert state() is None
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "written, meant",
    [
        ("http://192.168.1.5:8400", "ws://192.168.1.5:8400"),
        (" https://class.example/ ", "wss://class.example"),
        ("ws://localhost:8400/", "ws://localhost:8400"),
        ("class-room.local:8400", "ws://class-room.local:8400"),
        ("http://[::1]:8400", "ws://[::1]:8400"),
    ],
)
def test_addresses_are_taken_as_they_are_shown(written, meant):
    membership.join(written, "CODE", "")
    assert state()["address"] == meant


@pytest.mark.parametrize("wrong", ["", "http://", "file:///etc/passwd", "a b", "http://x/y/z"])
def test_what_is_no_address_is_refused(wrong):
    with pytest.raises(LessonError, match="is no address of a board"):
        membership.join(wrong, "CODE", "")
    assert state() is None


def test_the_same_class_again_is_the_same_learner_and_another_class_is_not(joined):
    key, address = state()["key"], state()["address"]
    membership.note("5.1", state=NOT_YET)
    membership.join(address, "CODE", "an")
    assert (state()["key"], state()["name"], [*state()["works"]]) == (key, "an", ["5.1"])
    membership.join(address, "code", "an")  # as it may be typed
    assert (state()["key"], state()["before"]) == (key, [])
    membership.join(address, "OTHER", "an")
    assert state()["key"] != key and not state()["works"], "nothing of one class goes to another"


def test_a_class_waits_while_one_is_in_another(joined):
    first = state()
    membership.note("5.1", state=NOT_YET)
    for code in ("SECOND", "THIRD", "SECOND"):
        membership.join("http://localhost:1", code, "me")
    key = state()["key"]
    membership.note("28.1", state=RIGHT)
    assert [waiting["code"] for waiting in state()["before"]] == ["CODE", "THIRD"]
    membership.join(first["address"], "CODE", "anna")  # the instructor shows it once more
    assert (state()["key"], [*state()["works"]]) == (first["key"], ["5.1"])
    for code in ("SECOND", "THIRD"):
        membership.leave()
        assert state()["code"] == code
        assert (state()["key"] == key) == (code == "SECOND")
    membership.leave()
    assert state() is None


def board(code, heard):
    """Return a board that lets in who has this code, and notes what it hears."""

    def talk(socket):
        for frame in socket:
            request = json.loads(frame)
            heard.append(request)
            kind = {"join": "joined", "report": "saved", "leave": "left"}[request["do"]]
            if request.get("code", code) != code:
                kind = "error"
            number = request.get("number", 0)
            answer = {"is": kind, "name": "anna", "number": number, "reason": "wrong code"}
            socket.send(json.dumps(answer))

    server = serve(talk, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.socket.getsockname()[1]}"


def test_another_class_for_a_while(workspace, monkeypatch):
    """Who tries another board, or a wrong code, finds their class as it was; each hears its own."""
    monkeypatch.setattr(joining, "ANSWER", 20.0)
    heard = {"OURS": [], "TRY": []}
    boards = [board(code, those) for code, those in heard.items()]
    (ours, address), (other, another) = boards

    def told(code):
        class_line.LINE.idle.wait(20)
        return [request["exercise"] for request in heard[code] if request["do"] == "report"]

    try:
        said = str(joining.join_class(address, "OURS"))
        assert "waits" not in said
        before = state()
        for where, code in ((another, "WRONG"), (address, "TYPO")):
            with pytest.raises(LessonError, match="You have not joined: wrong code"):
                joining.join_class(where, code)
            assert state() == before
        said = str(joining.join_class(another, "TRY"))
        assert f"Your class at {address} waits meanwhile" in said
        class_line.opened("28.1", NOT_ATTEMPTED, 0)
        assert told("TRY") == ["28.1"]
        left = str(joining.leave_class())
        assert left.startswith("You have left the class. Its board has forgotten you.\n\n")
        assert f"You are in your class at {address} again" in left
        assert class_line.LINE.connected.wait(20)
        class_line.opened("5.1", NOT_ATTEMPTED, 0)
        assert told("OURS") == ["5.1"] and told("TRY") == ["28.1"]
        assert state()["key"] == before["key"]
        assert str(joining.leave_class()) == left.partition("\n")[0]
        assert state() is None
    finally:
        class_line.LINE.end()
        ours.shutdown()
        other.shutdown()


def test_a_line_of_another_notebook_follows(workspace):
    """What is noted for one class never goes to another, though a line to that is still there."""
    heard = {"OURS": [], "TRY": []}
    (ours, address), (other, another) = (board(code, those) for code, those in heard.items())
    try:
        joining.join_class(address, "OURS")
        membership.join(another, "TRY", "")  # as another kernel does
        class_line.opened("28.1", NOT_ATTEMPTED, 0)
        assert eventually(lambda: not membership.reports(state()))
        assert [request["do"] for request in heard["OURS"]] == ["join"]
        assert [request["do"] for request in heard["TRY"]] == ["join", "report"]
    finally:
        class_line.LINE.end()
        ours.shutdown()
        other.shutdown()


def test_only_its_owner_reads_the_key(joined, workspace):
    if os.name == "posix":
        assert (workspace / "class.json").stat().st_mode & 0o77 == 0


def test_reports_wait_until_they_are_acknowledged_and_the_newest_replaces_the_others(joined):
    for exercise in ("5.1", "5.2", "5.1"):
        membership.note(exercise, tried=True, state=NOT_YET, message="x" * 1000)
    assert [(report["exercise"], report["tries"]) for report in membership.reports(state())] == [
        ("5.2", 1),
        ("5.1", 2),
    ]
    assert {len(report["message"]) for report in membership.reports(state())} == {600}
    membership.saved(1, state()["key"])  # of the report that was replaced
    membership.saved(2, state()["key"])
    assert [report["number"] for report in membership.reports(state())] == [3]


def test_only_what_was_judged_is_a_try(joined):
    for verdict in (NOT_ATTEMPTED, NOT_YET, NOT_YET):
        class_line.checked(Outcome("5.1", verdict, {"got": "nothing"}, {}), hints=2)
    (report,) = membership.reports(state())
    assert (report["tries"], report["hints"], report["message"]) == (2, 2, "got: nothing")


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"key": "x"}', '{"key": "x", "works": 1}'])
def test_a_spoilt_file_harms_no_check(joined, workspace, spoilt):
    (workspace / "class.json").write_text(spoilt)
    outcome = Outcome("5.1", NOT_YET, {}, {})
    class_line.opened("5.1", NOT_YET, 0)
    class_line.begin_check()
    class_line.checked(outcome, 0)
    class_line.hinted("5.1", 1)
    assert outcome.state == NOT_YET


@pytest.mark.parametrize(
    "name, put",
    [
        ("answer.py", "answer.py"),
        ("../../.bashrc", "bashrc"),
        ("C:\\Users\\x\\a.py", "a.py"),
        ("/etc/passwd", "passwd"),
        ("a\0b\n.py", "a_b_.py"),
        ("..", "file"),
        ("x" * 300, "x" * 80),
    ],
)
def test_files_stay_where_they_belong(joined, workspace, name, put):
    membership.take({**PUSH, "name": name, "content": "print()\r\n"}, state()["key"])
    (file,) = (workspace / "from_instructor").iterdir()
    assert (file.name, file.read_bytes()) == (put, b"print()\r\n")


def test_files_replace_nothing(joined, workspace):
    for number in (1, 2):
        push = {**PUSH, "number": number, "name": "a.py", "content": str(number)}
        said = membership.take(push, state()["key"])
    assert said == "Look again.\nA file: from_instructor/a-2.py in your workspace"
    assert (workspace / "from_instructor/a.py").read_text() == "1"


def test_what_a_class_says_that_waits_counts_for_no_other(joined):
    """Another notebook may have gone on to that a moment before."""
    membership.note("5.1", tried=True)
    before, of_another = state(), "0" * 40
    membership.saved(1, of_another)
    assert membership.take(PUSH, of_another) is None
    assert state() == before


def test_what_was_sent_is_told_once_and_stays_with_its_exercise(joined):
    assert membership.take(PUSH, state()["key"]) == "Look again."
    assert membership.take(PUSH, state()["key"]) is None
    assert state()["after"] == 1
    outcome = Outcome("5.1", NOT_YET, {}, {})
    class_line.checked(outcome, 0)
    assert outcome.advice["from your instructor"] == "Look again."
    other = Outcome("5.2", NOT_YET, {}, {})
    class_line.checked(other, 0)
    assert "from your instructor" not in other.advice


def test_all_that_is_sent_is_said(joined):
    membership.note("5.1", state=NOT_YET, message="")
    (report,) = membership.reports(state())
    assert set(report) == {
        *("do", "number", "exercise", "state", "tries", "hints", "seconds", "message")
    }
    assert set(json.loads(membership.path().read_text())["works"]["5.1"]) == {
        *("state", "tries", "hints", "message", "begun", "number", "saved")
    }
