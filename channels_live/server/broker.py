"""The learner's own broker, where there is one: it is used in place of the one of the lesson."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from channels_live.server.diagnosis import ServerError
from channels_live.server.log import Log
from channels_live.server.server import Events, Server
from channels_live.timeline import Overlaps, Timeline, Which


class OwnBroker(Server):
    """A broker that the learner has started, and named in REDIS_URL. It stands in for a Server.

    command: what the lesson would have started, and where: folder. address: of the broker.
    """

    running = False  # nothing that a lesson could stop
    typed_port = None
    port = None

    def __init__(self, command: str, folder: Path, address: str) -> None:
        self._line, self._folder, self._own_address = command, folder, address
        print(f"Not running: {command}\nREDIS_URL names a broker of your own. It is used instead.")

    @property
    def command(self) -> str:
        """What the lesson would have started."""
        return self._line

    @property
    def name(self) -> str:
        """What it is, in one word."""
        return "broker"

    @property
    def record(self) -> NoReturn:
        """What it does is not recorded: ServerError."""
        self._refuse("what it does is not recorded")

    @property
    def pid(self) -> NoReturn:
        """Its process is not ours: ServerError."""
        self._refuse("its process is not known here")

    def url(self, path: str = "/") -> str:
        """Return its address."""
        return f"{self._own_address.rstrip('/')}{path}"

    def ws(self, path: str = "/") -> NoReturn:
        """Raise ServerError: a broker has no WebSockets."""
        self._refuse("a broker has no WebSockets")

    def http(self, path: str = "/", method: str = "GET", **options: Any) -> NoReturn:
        """Raise ServerError: a broker has no pages."""
        self._refuse("a broker has no pages")

    def log(self, contains: str | None = None, last: int | None = None, full: bool = False) -> Log:
        """Return where its log is: with who has started it."""
        return Log("This broker is your own: it prints where you have started it.")

    def events(self, timeout: float, until: Callable[[Events], bool] | None = None) -> Events:
        """Return nothing: what a broker does is not recorded."""
        return []

    def is_silent(self, timeout: float) -> bool:
        """Return False: what it does is not known."""
        return False

    def events_of_run(self) -> Callable[[], Events]:
        """Return a function that returns nothing: what a broker does is not recorded."""
        return list

    def page(self, path: str = "/", name: str | None = None, static_files: bool = True) -> NoReturn:
        """Raise ServerError: a broker has no pages."""
        self._refuse("a broker has no pages")

    def timeline(
        self,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
        restarts: bool = False,
    ) -> Timeline:
        """Return an empty Timeline, as of any broker."""
        return Timeline([], "broker")

    def watch(
        self,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
    ) -> None:
        """Show an empty Timeline."""
        print(self.timeline())

    def overlaps(self, handler: str, consumer: str | None = None) -> Overlaps:
        """Return that no call has ended: a broker has no methods."""
        return Overlaps([], handler, consumer)

    def wait_for_log(self, text: str, timeout: float = 15.0) -> NoReturn:
        """Raise ServerError: its log is not known here."""
        self._refuse("it prints where you have started it")

    def wait_for_reload(self, timeout: float = 15.0) -> NoReturn:
        """Raise ServerError: a broker does not reload."""
        self._refuse("a broker does not reload")

    def stop(self) -> NoReturn:
        """Raise ServerError: only who has started it can stop it."""
        raise ServerError("This broker is your own. Stop it yourself, then run the next cell.")

    def restart(self) -> NoReturn:
        """Raise ServerError: only who has started it can start it again."""
        raise ServerError("This broker is your own. Start it yourself, then run the next cell.")

    def end(self) -> None:
        """Leave it alone."""

    def _refuse(self, why: str) -> NoReturn:
        raise ServerError(f"This broker is your own: {why}.")
