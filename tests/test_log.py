"""A log reads the same at every run, and leads to the learner's own lines."""

import sysconfig
from pathlib import Path

import pytest
from clients import DAPHNE, HELLO, RUNSERVER, client, talk
from IPython.lib.pretty import pretty

from channels_live.server import Server
from channels_live.server.log import Log, plain

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
    assert "/ws/chat/" in logs[0]
    assert logs[0] == logs[1]


def test_log_holds_the_exception_of_a_client_that_is_gone_already(daphne):
    with client(daphne) as websocket:
        websocket.send("not json")
    assert "JSONDecodeError: Expecting value" in daphne.log()
