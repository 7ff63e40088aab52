"""The witnesses of lesson 0, Start here."""

import json
import sys
from pathlib import Path

import pytest
from clients import DAPHNE, manage, talk
from projects import lesson_begins
from websockets.frames import CloseCode

from channels_live.server import Server
from channels_live.workspace import ROOT, SAMPLE, copy_project

ORIGIN = {"origin": "http://localhost"}
MESSAGE = '{"message": "hello"}'
THREADS = """

import threading

from django.http import HttpResponse

urlpatterns.append(
    path("threads/", lambda request: HttpResponse(str(threading.enumerate()))),
)
"""


@pytest.mark.claim("lesson 0", 'the end; 1000 means "all is well"')
def test_1000_is_the_code_of_a_normal_end():
    assert CloseCode.NORMAL_CLOSURE == 1000


@pytest.mark.claim("lesson 0", "(When you close the notebook's tab, its kernel ends too.")
def test_closed_tab_ends_its_kernel():
    schemas = Path(sys.prefix) / "share/jupyter/lab/schemas"
    (schema,) = schemas.glob("**/notebook-extension/tracker.json")
    assert json.loads(schema.read_text())["properties"]["kernelShutdown"]["default"] is False
    ours = json.loads((ROOT / "lab/channels_live.json").read_text())
    assert ours["@jupyterlab/notebook-extension:tracker"]["kernelShutdown"] is True


@pytest.mark.claim("lesson 0", "and says so again every 20 seconds, or a dead connection")
@pytest.mark.claim("lesson 0", "among it that who is in the room is told again")
def test_page_and_room_speak_every_twenty_seconds():
    page = (SAMPLE / "finished/myapp/templates/myapp/room.html").read_text()
    assert "setInterval(() => send({ read: last }), 20000);" in page
    visitors = (SAMPLE / "finished/myapp/visitors.py").read_text()
    assert "RENEW = 20.0" in visitors and "asyncio.wait_for(self.changed.wait(), RENEW)" in visitors


@pytest.mark.live
@pytest.mark.claim("lesson 0", "`daphne` reads each of your files once, and does not look again")
def test_daphne_does_not_look_again(tmp_path):
    folder = lesson_begins(6, tmp_path / "site")
    urls, consumers = folder / "myproject/urls.py", folder / "myapp/consumers.py"
    text = consumers.read_text()
    with Server(DAPHNE, folder) as server:
        urls.write_text(urls.read_text() + THREADS)  # read only now, at the first page
        assert "django-main-thread" not in server.http("/threads/").text, "no reloader"
        urls.write_text("broken")
        consumers.write_text(text.replace('{"message": message}', '{"message": "changed"}'))
        assert server.http("/threads/").status_code == 200
        assert talk(server, "/ws/chat/", MESSAGE, **ORIGIN) == [MESSAGE]
        server.restart()
        assert talk(server, "/ws/chat/", MESSAGE, **ORIGIN) == ['{"message": "changed"}']
        assert server.http("/threads/").status_code == 500


@pytest.mark.live
@pytest.mark.claim("lesson 0", "A room keeps what is said in a database: the two lines make one")
def test_room_needs_the_database(tmp_path):
    copy_project(SAMPLE / "finished", tmp_path)
    with Server(DAPHNE, tmp_path) as server:
        assert talk(server, "/ws/chat/", MESSAGE, **ORIGIN) == [MESSAGE], "the frame needs none"
        assert server.http("/chat/lobby/").status_code == 200
        (closed,) = talk(server, "/ws/chat/lobby/", MESSAGE, **ORIGIN)
        assert "HTTP 500" in closed
        assert "no such table" in str(server.log())
        manage(tmp_path, "migrate", "--verbosity", "0")
        (heard,) = talk(server, "/ws/chat/lobby/", MESSAGE, **ORIGIN)
        assert "rejected" not in heard
