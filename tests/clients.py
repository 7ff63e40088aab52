"""Clients for the tests, and what else several of them need."""

import os
import shutil
import subprocess
import sys
import sysconfig
import time

import httpx
import psutil
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from channels_live.server.process import run

DAPHNE = "daphne -p 8000 myproject.asgi:application"
RUNSERVER = "python manage.py runserver"
HELLO = '{"message": "hello"}'
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# Pages that Chromium makes in each window, for an address bar that nobody sees: twice as dear as
# the window
UNSEEN = "WebUIOmniboxPopup,WebUIOmniboxAimPopup"
# What clients hear of a handshake that daphne gives up. It drops the connection; but it also looks
# every two seconds, and refuses then: that comes first if the computer stands still just before
GIVEN_UP = (
    "did not receive a valid HTTP response",
    "server rejected WebSocket connection: HTTP 403",
)
PATIENCE = 60  # seconds; what must come at last may come late on a busy machine


def client(server, path="/ws/chat/", **options):
    """Return a connection to a server."""
    return connect(server.ws(path), proxy=None, **options)


def talk(server, path="/ws/chat/", *frames, code=1000, **options):
    """Connect, send each frame and read an answer to it, close. Return what came, and any error."""
    heard = []
    try:
        with client(server, path, **options) as websocket:
            for frame in frames:
                websocket.send(frame)
                heard.append(websocket.recv(timeout=10))
            websocket.close(code)
    except (WebSocketException, EOFError) as error:
        heard.append(str(error))
    return heard


def manage(folder, *arguments, check=True, **variables):
    """Run manage.py with arguments. Return all that it printed.

    check: whether it must succeed. variables: added to its environment.
    """
    command, environment = [sys.executable, "manage.py", *arguments], os.environ | variables
    status, printed = run(command, folder=folder, environment=environment, timeout=PATIENCE)
    assert not (check and status), printed
    return printed


def answers(url):
    """Tell whether the page of an address can be had."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def family(*pids):
    """Return these processes and all that they have started."""
    processes = [psutil.Process(pid) for pid in pids]
    return [
        *processes,
        *(child for process in processes for child in process.children(recursive=True)),
    ]


def eventually(true, within=PATIENCE):
    """Tell whether a function returns something true within so many seconds."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def gone(processes, within=2.0):
    """Tell whether these processes end within so many seconds."""
    return eventually(lambda: not any(map(_alive, processes)), within)


def _alive(process):
    try:
        # one whose parent is gone may stay in the list of processes after its end
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def own_environment(folder, module=None):
    """Make a virtual environment with Django, Channels and daphne, but nothing of the course.

    folder: of it. module: what else can be imported there, and prints "its own".
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    for path in os.scandir(sysconfig.get_path("purelib")):
        if not any(word in path.name for word in ("channels_live", "wrapt", "psutil", "httpx")):
            os.symlink(path.path, packages / path.name)
    if module:
        (packages / f"{module}.py").write_text("print('its own')\n")
    script = folder / "bin/daphne"
    script.write_text(
        f"#!{folder}/bin/python\n"
        "import sys\nfrom daphne.cli import CommandLineInterface\n"
        "sys.exit(CommandLineInterface.entrypoint())\n"
    )
    script.chmod(0o755)
