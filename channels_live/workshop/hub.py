"""What JupyterHub does for a class: CONFIGURATION reads it, with the room in FOLDER."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
from jupyterhub.auth import Authenticator
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SimpleLocalProcessSpawner
from jupyterhub.utils import wait_for_server

from channels_live.server.ports import is_free
from channels_live.workshop.room import FOLDER, INSTRUCTOR, Room

ROOM = Room(Path(os.environ[FOLDER]))
AT_ONCE = 2 * (os.cpu_count() or 1)  # servers that start together; the others wait their turn
FIRST = "/lab/tree/notebooks/00_start_here.ipynb"
_SEAT = "channels_live.workshop.seat"
_BOOT = 120  # seconds that a server may need to listen, on a computer that is busy


class Door(Authenticator):
    """Lets in who knows the code of the class, and shows each to their seat."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        return ROOM.role(data["username"], data["password"])

    def normalize_username(self, username: str) -> str:
        return username  # a name may be written in any way: the room tells who is meant


class Front(Proxy):
    """Stands for nginx, whose file has the routes of all seats already: see front.py."""

    should_start = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._routes: dict[str, dict[str, Any]] = {}

    async def add_route(self, routespec: str, target: str, data: Any) -> None:
        self._routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self._routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        return self._routes


class PortTaken(Exception):
    """Another program has the port of a seat, whose route nginx knows already."""

    def __init__(self, port: int) -> None:
        self.jupyterhub_message = f"Port {port} is this seat's, and another program has taken it."
        super().__init__(self.jupyterhub_message)


class Seat(SimpleLocalProcessSpawner):
    """A learner's server. It waits for its turn, and outlives the hub."""

    turns = asyncio.Semaphore(AT_ONCE)
    waits = False

    async def start(self) -> tuple[str, int]:
        ROOM.workspace(self.user.name).mkdir(parents=True, exist_ok=True)
        self.port = ROOM.port(self.user.name)
        self.waits = True
        async with self.turns:
            self.waits = False
            if not is_free(self.port):  # or that program would be taken for the server
                raise PortTaken(self.port)
            ip, port = await super().start()
            listens = asyncio.ensure_future(wait_for_server(ip, port, _BOOT))
            while not listens.done() and await self.poll() is None:
                await asyncio.wait([listens], timeout=0.5)
            listens.cancel()
            return ip, port

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Tell the page of somebody who waits that they are in a queue."""
        while self.waits:
            yield {"progress": 10, "message": "Others start just now. It is your turn soon."}
            await asyncio.sleep(2)
        yield {"progress": 50, "message": "Your server starts."}

    def load_state(self, state: dict[str, Any]) -> None:
        """Adopt a server that the last hub has left; no other process that has got its number."""
        if not _is_a_seat(state.get("pid", 0)):
            state = {}
        super().load_state(state)


def _is_a_seat(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and _SEAT in process.cmdline()
    except psutil.Error:
        return False


def _workspace(spawner: Seat) -> str:
    return str(ROOM.workspace(spawner.user.name))


def configure(c: Any) -> None:
    """Set what the hub needs. c: a Config of traitlets."""
    facts = ROOM.facts
    c.JupyterHub.bind_url = facts["bind_url"]
    c.JupyterHub.hub_ip = "127.0.0.1"
    c.JupyterHub.hub_port = facts["hub_port"]
    c.JupyterHub.db_url = f"sqlite:///{ROOM.folder / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(ROOM.folder / "cookie_secret")
    c.JupyterHub.pid_file = str(ROOM.folder / "hub.pid")
    c.JupyterHub.upgrade_db = True  # a newer JupyterHub goes on with the class
    c.JupyterHub.template_paths = [str(Path(__file__).parent / "templates")]
    c.JupyterHub.cleanup_servers = False  # what runs goes on, and the next hub adopts it
    c.JupyterHub.concurrent_spawn_limit = 0  # the seats queue by themselves: nobody gets a 429
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    c.JupyterHub.services = [{"name": "class", "api_token": facts["token"]}]
    c.JupyterHub.load_roles = [
        {
            "name": "class",
            "scopes": ["admin:users", "admin:servers", "shutdown"],
            "services": ["class"],
        }
    ]
    c.JupyterHub.proxy_class = Front
    c.JupyterHub.authenticator_class = Door
    c.Authenticator.allow_all = True  # whom the door has let in
    c.Authenticator.admin_users = {INSTRUCTOR}

    c.JupyterHub.spawner_class = Seat
    c.Seat.cmd = [sys.executable, "-m", _SEAT]
    c.Seat.args = ["--allow-root"] if os.geteuid() == 0 else []
    # a learner must not change the Python of all by a click
    c.Seat.args += ["--LabApp.extension_manager=readonly"]
    c.Seat.home_dir_template = str(ROOM.folder / "learners" / "{username}")
    c.Seat.notebook_dir = str(ROOM.folder / "learners" / "{username}" / "workspace")
    c.Seat.default_url = FIRST
    c.Seat.mem_limit = f"{facts['memory']}M"  # held by `seat`
    c.Seat.start_timeout = 1800  # the queue included
    c.Seat.http_timeout = _BOOT
    c.Seat.environment = {
        "CHANNELS_LIVE_WORKSPACE": _workspace,
        # all share one computer: port 8000 is nearly always somebody else's
        "CHANNELS_LIVE_ANY_PORT": "1",
    }
    if facts["offline"]:  # at once, and not after minutes
        c.Seat.environment["PIP_NO_INDEX"] = "1"
