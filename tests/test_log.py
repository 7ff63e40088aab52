"""A log reads the same at every run, and leads to the learner's own lines."""

import os
import sysconfig
import time
from pathlib import Path

import pytest
from clients import DAPHNE, HELLO, RUNSERVER, client, talk
from inline_snapshot import snapshot
from IPython.lib.pretty import pretty

from channels_live.server import Server, ServerError
from channels_live.server import log as logs
from channels_live.server.log import Follower, Log, LogFile, plain, shown

FOLDER = Path("/home/learner/workspace/05")


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("2026-11-02 09:05:03,001 INFO     Ready\n", "INFO     Ready\n"),
        ("November 02, 2026 - 09:05:03\nDjango version 5.2\n", "Django version 5.2\n"),
        ('127.0.0.1:39712 - - [02/Nov/2026:09:05:03] "GET /"\n', '127.0.0.1 - - "GET /"\n'),
        ('[02/Nov/2026 09:05:03] "GET / HTTP/1.1" 200 9\n', '"GET / HTTP/1.1" 200 9\n'),
        ("HTTP GET / 200 [0.01, 127.0.0.1:39712]\n", "HTTP GET / 200\n"),
        ("WebSocket CONNECT /ws/ [127.0.0.1:39712]\n", "WebSocket CONNECT /ws/\n"),
        ("<Consumer object at 0x7f8bff385f90>\n", "<Consumer object at 0x…>\n"),
        ("    1 + x\n        ^\nNameError: x\n", "    1 + x\nNameError: x\n"),
        ("    1 + x\n    ~~^~~\nNameError: x\n", "    1 + x\nNameError: x\n"),
        ("on 2026-11-02 at 09:05 127.0.0.1:8000 ^\n", "on 2026-11-02 at 09:05 127.0.0.1:8000 ^\n"),
        ("", ""),
    ],
)
def test_what_differs_from_run_to_run_goes(printed, read):
    assert plain(printed, FOLDER) == read


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ("http://127.0.0.1:41000/", "http://127.0.0.1:8000/"),
        ("port 41000", "port 8000"),
        ("41000", "8000"),
        ("141000 410001", "141000 410001"),
    ],
)
def test_port_is_shown_as_typed(printed, read):
    assert plain(printed, FOLDER, 8000, 41000) == read
    assert plain(printed, FOLDER, 41000, 41000) == printed
    assert plain(printed, FOLDER, None, None) == printed


TRACEBACK = f"""Traceback (most recent call last):
  File "{sysconfig.get_path("purelib")}/channels/consumer.py", line 58, in __call__
    await self.dispatch(
  File "{sysconfig.get_path("stdlib")}/asyncio/tasks.py", line 1, in run
    go()
    ^^^^
  File "<frozen importlib._bootstrap>", line 1, in _load
  File "{FOLDER}/myapp/consumers.py", line 16, in receive
    text_data_json = json.loads(text_data)
                     ^^^^^^^^^^^^^^^^^^^^^
  File "{sysconfig.get_path("stdlib")}/json/decoder.py", line 337, in decode
    obj, end = self.raw_decode(s)
json.decoder.JSONDecodeError: Expecting value
"""


def test_only_the_own_frames_of_a_traceback_stay():
    assert plain(TRACEBACK, FOLDER) == (
        "Traceback (most recent call last):\n"
        "  … frames in libraries\n"
        '  File "myapp/consumers.py", line 16, in receive\n'
        "    text_data_json = json.loads(text_data)\n"
        "  … frames in libraries\n"
        "json.decoder.JSONDecodeError: Expecting value\n"
    )


def test_paths_are_short():
    paths = f"{FOLDER}/myapp/views.py {FOLDER} {sysconfig.get_path('purelib')}/django/x.py"
    assert plain(paths, FOLDER) == "myapp/views.py . …/django/x.py"


def test_folder_may_be_a_link_to_one_whose_path_holds_its_own(tmp_path):
    real = Path(f"{tmp_path}/private{tmp_path}/site")
    real.mkdir(parents=True)
    link = tmp_path / "site"
    link.symlink_to(real)
    assert plain(f"{real}/a.py {link}/b.py", link) == "a.py b.py"


def test_notebook_shows_a_log_as_it_is():
    assert pretty(Log("a\n'b'")) == "a\n'b'"


@pytest.mark.live
@pytest.mark.parametrize("command", [DAPHNE, f"{RUNSERVER} --noreload"])
def test_log_is_the_same_at_every_run(project, command):
    logs = []
    for _ in range(2):
        server = Server(command, project)
        talk(server, "/ws/chat/", HELLO)
        talk(server, "/ws/refusing/")
        server.http("/accounts/login/")
        logs.append(server.log())
        server.stop()
    assert logs[0] == logs[1]
    words = logs[0].replace("CTRL-BREAK", "CONTROL-C")  # on Windows
    assert (
        words
        == snapshot(
            {
                "daphne -p 8000 myproject.asgi:application": """\
INFO     Starting server at tcp:port=8000:interface=127.0.0.1
INFO     HTTP/2 support not enabled (install the http2 and tls Twisted extras)
INFO     Configuring endpoint tcp:port=8000:interface=127.0.0.1
INFO     Listening on TCP address 127.0.0.1:8000
127.0.0.1 - - "WSCONNECTING /ws/chat/" - -
127.0.0.1 - - "WSCONNECT /ws/chat/" - -
127.0.0.1 - - "WSDISCONNECT /ws/chat/" - -
127.0.0.1 - - "WSCONNECTING /ws/refusing/" - -
127.0.0.1 - - "WSREJECT /ws/refusing/" - -
127.0.0.1 - - "WSDISCONNECT /ws/refusing/" - -
127.0.0.1 - - "GET /accounts/login/" 200 1179\
""",
                "python manage.py runserver --noreload": """\
Performing system checks...

System check identified no issues (0 silenced).

You have 19 unapplied migration(s). Your project may not work properly until you apply the migrations for app(s): admin, auth, contenttypes, myapp, sessions.
Run 'python manage.py migrate' to apply them.
Django version 5.2.19, using settings 'myproject.settings'
Starting ASGI/Daphne version 4.2.3 development server at http://127.0.0.1:8000/
Quit the server with CONTROL-C.
WebSocket HANDSHAKING /ws/chat/
WebSocket CONNECT /ws/chat/
WebSocket DISCONNECT /ws/chat/
WebSocket HANDSHAKING /ws/refusing/
WebSocket REJECT /ws/refusing/
WebSocket DISCONNECT /ws/refusing/
HTTP GET /accounts/login/ 200\
""",
            }
        )[command]
    )


def test_log_holds_the_exception_of_a_client_that_is_gone_already(daphne):
    with client(daphne) as websocket:
        websocket.send("not json")
    assert "JSONDecodeError: Expecting value" in daphne.log()


# A long one


@pytest.fixture
def file():
    """Return the file of a log, and a function that writes to it."""
    file = LogFile()
    yield file, lambda text: os.write(file.descriptor, text.encode())
    file.close_descriptor()


def lines(*numbers):
    return "".join(f"line {number}\n" for number in numbers)


def test_all_of_a_short_log_is_shown(file):
    log, write = file
    write(lines(1, 2, 3))
    assert shown(log, str, None, None) == "line 1\nline 2\nline 3"
    assert shown(log, str, None, 2) == "line 2\nline 3"
    assert shown(log, str, "2", None) == "line 2"
    assert shown(log, str, "4", None) == ""


def test_of_many_lines_the_last_are_shown_and_how_to_get_the_others(file, monkeypatch):
    monkeypatch.setattr(logs, "MOST_LINES", 2)
    log, write = file
    write(lines(*range(1, 11)))
    assert shown(log, str, None, None) == (
        "… 8 earlier lines: log(last=10) shows them\nline 9\nline 10"
    )
    assert len(shown(log, str, None, 10).splitlines()) == 10


def test_of_a_huge_log_only_the_end_is_read(file, monkeypatch):
    log, write = file
    for _ in range(3):
        write(lines(*range(200_000)))
    read = []
    original = LogFile.read
    monkeypatch.setattr(LogFile, "read", lambda *place: read.append(place) or original(*place))
    assert shown(log, str, None, 2) == "line 199998\nline 199999"
    ((_, start, end),) = read
    assert end - start < 2**20 < log.size
    first = shown(log, str, None, None).splitlines()[0]
    assert first == "… the first 3 MB of this log are not looked at"
    assert shown(log, str, "line 7", 1) == "line 79999"


def test_what_is_new_is_read_once_and_in_whole_lines(file):
    log, write = file
    write("a\nbe")
    follower = Follower(log)
    assert follower.lines() == "a\nbe"
    assert follower.lines() == "be"
    write("ta\nc")
    assert follower.more()
    assert follower.lines() == "beta\nc"
    assert not follower.more()


def test_characters_stay_whole_wherever_a_reading_ends(file, monkeypatch):
    monkeypatch.setattr(logs, "_AT_ONCE", 4)  # bytes
    log, write = file
    follower = Follower(log)
    write("aéé€\n")
    assert "".join(iter(follower.text, "")) == "aéé€\n"


HANGS = """
import asyncio

from channels.generic.websocket import AsyncWebsocketConsumer


class Hangs(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        print("begun")
        await asyncio.sleep(600)
"""


def test_log_is_there_at_once_beside_a_handler_that_hangs(start, site):
    (site / "myapp/hangs.py").write_text(HANGS)
    with (site / "myapp/routing.py").open("a") as routing:
        routing.write("from .hangs import Hangs\n")
        routing.write("websocket_urlpatterns.append(path('ws/hangs/', Hangs.as_asgi()))\n")
    server = start()
    with client(server, "/ws/hangs/") as websocket:
        websocket.send("x")
        assert server.wait_for_log("begun") == "begun"
        begin = time.monotonic()
        assert "begun" in server.log()
        with pytest.raises(ServerError, match=r"within 0\.5 seconds") as caught:
            server.wait_for_log("never", timeout=0.5)
        assert caught.value.timed_out
        assert time.monotonic() - begin < 5, "it does not wait for the handler"
