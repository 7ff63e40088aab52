"""The doctor tries the real thing: here everything that it tries is made to fail, for real."""

import getpass
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
from clients import gone

from channels_live.doctor import STEPS
from channels_live.examination import Broken, within
from channels_live.workspace import ROOT

pytestmark = pytest.mark.live

NAMES = [step.name for step in STEPS]
PROGRAM = "import sys; from channels_live.cli import main; sys.exit(main())"
LINE = re.compile(r"\[( OK |FAIL|SKIP)\] (\w+): (.+)((?:\n       .+)*)")


class Report:
    """What the doctor has said: step → text, for each mark; and its code line."""

    def __init__(self, printed, status):
        self.status, self.printed = status, printed
        self.code = printed.splitlines()[-1]
        lines = LINE.findall(printed)
        assert [name for _, name, *_ in lines] == NAMES, printed
        self.ok, self.failed, self.skipped = (
            {name: first + more for its_mark, name, first, more in lines if its_mark == mark}
            for mark in (" OK ", "FAIL", "SKIP")
        )
        for text in self.failed.values():
            assert "\n       To mend it: " in text


@pytest.fixture
def doctor(tmp_path):
    """Return a function that runs `channels-live doctor` and returns its Report.

    stub: the name of a file → its content; files that come before all else on Python's path.
    More arguments are environment variables.
    """

    def doctor(stub=(), **environment):
        for name, text in dict(stub).items():
            (tmp_path / "stub" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "stub" / name).write_text(text)
        temporary = tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        own = {
            "PYTHONPATH": str(tmp_path / "stub"),
            "CHANNELS_LIVE_WORKSPACE": str(tmp_path / "workspace"),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
        }
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "doctor"],
            cwd=tmp_path,  # not in the course, which would come first on Python's path
            env=os.environ | own | environment,
            capture_output=True,
            encoding="utf-8",
        )
        assert time.monotonic() - begin < 20
        assert done.stderr == ""
        assert "Traceback" not in done.stdout
        report = Report(done.stdout, done.returncode)
        # whoever sends this line tells nothing about themselves
        assert len(report.code) < 300
        for secret in filter(None, (getpass.getuser(), platform.node(), str(tmp_path), os.sep)):
            assert secret not in report.code
        assert not list(temporary.iterdir())
        return report

    return doctor


@pytest.fixture
def course(tmp_path):
    """Return the folder of a copy of the course, to be broken."""
    for name in ("channels_live", "sample_project"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "stub" / name, ignore=ignore)
    return tmp_path / "stub"


def test_all_is_well(doctor, tmp_path):
    report = doctor()
    assert report.status == 0
    assert list(report.ok) == NAMES
    assert report.ok["python"] == platform.python_version()
    assert re.fullmatch(r"daphne answers, after \d+\.\d seconds", report.ok["server"])
    assert report.ok["frame"] == '{"message": "hello"} came back'
    assert re.fullmatch(
        r"channels-live-\d\S+ django-5\S+ channels-4\S+ daphne-4\S+ websockets-\d\S+ "
        rf"jupyterlab-4\S+ python-{re.escape(platform.python_version())} \w+-[\d.]+\S*-\w+ ok",
        report.code,
    )
    assert not (tmp_path / "workspace").exists()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            assert not process.cwd().startswith(str(tmp_path))


METADATA = """\
Metadata-Version: 2.4
Name: channels-live
Version: 9.9
Requires-Python: >=99
Requires-Dist: Django<5.2,>=5.1
Requires-Dist: no-such-package>=1
Requires-Dist: filelock
Requires-Dist: not-this-one; extra == "dev"
"""
NO_PORTS = """
import sys

def refuse(event, arguments):
    if event == "socket.bind":
        raise PermissionError(13, "Permission denied")

sys.addaudithook(refuse)  # as a sandbox would
"""


def test_wrong_versions_no_workspace_no_ports(doctor, tmp_path):
    (tmp_path / "workspace").write_text("a file in the place of a folder")
    report = doctor(
        {"channels_live-9.9.dist-info/METADATA": METADATA, "sitecustomize.py": NO_PORTS}
    )
    assert report.status == 1
    assert list(report.failed) == ["python", "packages", "workspace", "port"]
    assert f"{platform.python_version()}; the course needs >=99" in report.failed["python"]
    text = report.failed["packages"]
    assert re.search(r"Django 5\.2\.\d+ does not fit: the course needs <5\.2,>=5\.1", text)
    assert "no-such-package is missing" in text
    assert "filelock" not in text
    assert "not-this-one" not in text
    assert "-m pip install -c " in text
    assert "is a file, not a folder" in report.failed["workspace"]
    assert "CHANNELS_LIVE_WORKSPACE" in report.failed["workspace"]
    assert "Permission denied" in report.failed["port"]
    assert "firewall" in report.failed["port"]
    assert report.skipped["server"] == "needs python, packages, port"
    assert report.skipped["frame"] == "needs websocket"
    assert report.skipped["kernel"] == "needs packages"
    failed = "failed=python,packages(Django,no-such-package),workspace(file),port(EACCES)"
    assert f" {failed} skipped=server,page," in report.code
    assert report.code.startswith("channels-live-9.9 ")
    assert (tmp_path / "workspace").is_file()


def test_package_that_is_there_and_broken(doctor):
    report = doctor({"filelock.py": "raise ImportError('filelock is broken')"})
    assert report.failed["server"].startswith("ImportError: filelock is broken\n")
    assert "-m pip install -c " in report.failed["server"]


def test_server_that_does_not_start_and_no_jupyterlab(doctor, course, tmp_path):
    (course / "sample_project/finished/myproject/asgi.py").write_text("application = (\n")
    kernel = tmp_path / "jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(
        '{"argv": ["/opt/other/bin/python"], "display_name": "mine", "language": "python"}'
    )
    report = doctor(JUPYTERLAB_DIR=str(tmp_path), JUPYTER_PATH=str(tmp_path / "jupyter"))
    assert report.status == 1
    assert list(report.failed) == ["server", "jupyterlab", "kernel"]
    assert "did not start." in report.failed["server"]
    assert "myproject/asgi.py, line 1: SyntaxError: '(' was never closed" in report.failed["server"]
    assert "sample_project" in report.failed["server"]
    assert list(report.skipped) == ["page", "websocket", "frame", "end"]
    assert "not the files of its pages" in report.failed["jupyterlab"]
    assert "is another Python: /opt/other/bin/python" in report.failed["kernel"]
    assert "jupyter kernelspec remove python3" in report.failed["kernel"]
    assert report.code.endswith(" failed=server,jupyterlab,kernel skipped=page,websocket,frame,end")


def test_page_that_fails_and_socket_that_is_not_answered(doctor, course):
    site = course / "sample_project/finished"
    urls = site / "myproject/urls.py"
    urls.write_text(urls.read_text().replace("accounts/login/", "accounts/"))
    consumers = site / "myapp/consumers.py"
    consumers.write_text(consumers.read_text().replace("self.accept()", "pass"))
    report = doctor()
    assert list(report.failed) == ["page", "websocket"]
    assert "/accounts/login/ answers 404, not 200" in report.failed["page"]
    assert "timed out" in report.failed["websocket"]
    assert report.skipped == {"frame": "needs websocket"}
    assert report.ok["end"] == "the server is gone"
    assert " failed=page,websocket(TimeoutError) skipped=frame" in report.code


STUBBORN = """
import json
import os
import signal

from channels.generic.websocket import WebsocketConsumer

from .models import Topic


class TopicCountConsumer(WebsocketConsumer):
    pass


class ChatConsumer(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=json.dumps({"pid": os.getpid()}))


signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
NO_SIGNALS = """
import sys

def refuse(event, arguments):
    if event in ("os.kill", "os.killpg") and arguments[1] == 9:
        raise PermissionError(1, "Operation not permitted")

sys.addaudithook(refuse)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_wrong_frame_and_server_that_cannot_be_ended(doctor, course):
    (course / "sample_project/finished/myapp/consumers.py").write_text(STUBBORN)
    keeper = course / "channels_live/keeper.py"
    keeper.write_text(keeper.read_text().replace("self.send(signal.SIGKILL)", "self.send(0)"))
    report = doctor({"sitecustomize.py": NO_SIGNALS})
    (pid,) = re.findall(r'"pid": (\d+)', report.failed["frame"])
    server = psutil.Process(int(pid))
    keeper = server.parent()
    try:
        assert list(report.failed) == ["frame", "end"]
        assert 'sent {"message": "hello"}, got' in report.failed["frame"]
        assert f"process {pid} of the server goes on" in report.failed["end"]
        assert report.code.endswith(" failed=frame,end")
    finally:
        keeper.kill()
        server.kill()
    assert gone([server, keeper])


def test_step_that_takes_for_ever_is_given_up():
    with pytest.raises(Broken, match="not done within 0 seconds") as caught:
        within(0.05, lambda: time.sleep(60))
    assert caught.value.code == "time"
