"""JupyterHub as the class's command sees it: a process, and an API on loopback."""

import contextlib
import os
import subprocess
import sys
import time
from typing import Any

import httpx
import psutil

from channels_live.workshop.room import FOLDER, Room
from channels_live.workspace import LessonError

_CONFIGURATION = """\
# Written anew by each `channels-live class`.
from channels_live.workshop.hub import configure

configure(c)
"""
PROGRAM = """\
from channels_live.no_grammar import leave_out_grammar
leave_out_grammar()
from jupyterhub.app import main
main()
"""
_BOOT = 90  # seconds that a hub may need, on a computer that is busy
_END = 60  # seconds that all servers of a class may need to end


class Hub:
    """A running hub. room: that of the class, with all its facts.

    Raises LessonError if it does not come up.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self.log = room.folder / "hub.log"
        configuration = room.folder / "jupyterhub_config.py"
        configuration.write_text(_CONFIGURATION)
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "-f", configuration.name],
                cwd=room.folder,
                env=os.environ | {FOLDER: str(room.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Control-C is for us: we end it in order
            )
        self._api = httpx.Client(
            base_url=f"http://127.0.0.1:{room.facts['hub_port']}/hub/api",
            headers={"Authorization": f"token {room.facts['token']}"},
            timeout=60,
            trust_env=False,
        )
        try:
            self._wait()
        except BaseException:
            self.end()
            raise

    def _wait(self) -> None:
        end = time.monotonic() + _BOOT
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if self._api.get("/").is_success:
                    return
            time.sleep(0.2)
        with self.log.open("rb") as log:
            log.seek(self._begin)
            last = log.read().decode(errors="replace").splitlines()[-12:]
        raise LessonError("\n".join(["The hub does not start. Its log ends so:", *last]))

    def start_seats(self) -> None:
        """Ask for the servers of all seats. Those that run already go on."""
        known = {user["name"] for user in self._users()}
        if missing := [seat for seat in self._room.seats if seat not in known]:
            self._api.post("/users", json={"usernames": missing}).raise_for_status()
        for seat in self.without_server():
            self._api.post(f"/users/{seat}/server")  # 400: it starts already

    def without_server(self) -> list[str]:
        """Return the seats whose servers neither run nor start: something has stopped them."""
        servers = {user["name"]: user["servers"] for user in self._users()}
        return [seat for seat in self._room.seats if not servers.get(seat)]

    def ready(self) -> int:
        """Return how many seats have a server that answers."""
        seats = set(self._room.seats)
        servers = {user["name"]: user["servers"] for user in self._users()}
        return sum(servers.get(seat, {}).get("", {}).get("ready", False) for seat in seats)

    def _users(self) -> list[dict[str, Any]]:
        users: list[dict[str, Any]] = []
        while True:
            answer = self._api.get("/users", params={"offset": len(users)}).raise_for_status()
            if not (page := answer.json()):
                return users
            users += page

    def end(self) -> None:
        """End the hub and all servers in order: what is saved stays."""
        with contextlib.suppress(httpx.HTTPError):
            self._api.post("/shutdown", json={"servers": True, "proxy": False})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_END)
        self.process.kill()
        self.process.wait()


def end_former(room: Room) -> bool:
    """End the hub and the nginx that a killed command has left. Return whether there was a hub.

    The learners' servers go on: the next hub adopts them.
    """
    _end(room, "nginx")
    return _end(room, "hub")


def _end(room: Room, name: str) -> bool:
    try:
        process = psutil.Process(int((room.folder / f"{name}.pid").read_text()))
        if process.cwd() != str(room.folder) or name not in " ".join(process.cmdline()):
            return False  # another has got its number
    except (OSError, ValueError, psutil.Error):
        return False
    with contextlib.suppress(psutil.Error):
        process.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait(5)
    return True
