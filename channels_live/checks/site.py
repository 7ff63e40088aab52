"""`Site`: a served copy of a learner's project."""

import contextlib
import copy
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from channels_live.checks import client as clients
from channels_live.checks.client import Client, told
from channels_live.checks.not_yet import NotYet, shown
from channels_live.checks.values import at_once
from channels_live.server import Server, ServerError
from channels_live.server.log import relative
from channels_live.server.ports import free_port
from channels_live.server.process import run
from channels_live.server.server import Events
from channels_live.trouble import lack_in, of_the_computer
from channels_live.workspace import ROOT, copy_project

if TYPE_CHECKING:
    import httpx

DAPHNE = "daphne -v 2 -p 0 myproject.asgi:application"  # -v 2 tells of a forgotten await
ORIGIN = "http://localhost"
PAGE_WAIT = 15.0  # seconds: the first page loads all URLs, and one of an error is long
START_LIMIT = 30.0  # seconds that a server may take to start, also on a very busy machine
RAISED = re.compile(r"^Traceback.*\n(?:(?:[ \t].*)?\n)*(\S.*)", re.M)  # the last of a traceback
ENDS = "what ends the connection: its client has not"
STAYS = "a connection that stays"
# what a worker raises that is ended in the midst of its work
ENDED_AT_WORK = "cannot schedule new futures after interpreter shutdown"
GOES_ON = "whether something in your files goes on for ever"
_PLACE = re.compile(r'File "(?![/…<]|[A-Za-z]:)(.+)", line (\d+)')  # in the project, once relative
_CHECKED = re.compile(r"^ERRORS:\n(.+)", re.M)  # by Django, before a command begins
NAME_A_BROKER = ("REDIS_URL", "CHANNEL_LAYER")  # variables that do


class Site:
    """A copy of a learner's project, to be served. The learner's own files stay untouched.

    folder: the project, a path. Raises OSError if it cannot be copied.

    alone: whether its server is the only one, so that it knows of all that may come.
    """

    def __init__(self, folder: Path) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="channels_live_", ignore_cleanup_errors=True)
        with contextlib.ExitStack() as stack:
            self._temporary = Path(stack.enter_context(temporary))
            self.folder = self._temporary / "site"
            copy_project(folder, self.folder)
            self._stack = stack.pop_all()
        self._server: Server | None = None
        self._twins: list[Site] = []
        self._meant = 0  # exceptions of this server that a check has asked for
        self.alone = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        at_once(*(site._server.end for site in (self, *self._twins) if site._server))
        self._stack.close()

    @property
    def server(self) -> Server:
        """The server that was started last."""
        if self._server is None:
            raise RuntimeError("the check has started no server")
        return self._server

    def twin(self) -> "Site":
        """Return a Site with the same files, for one more server at the same time."""
        twin = copy.copy(self)
        twin._server, twin._twins, twin._meant = None, [], 0
        self.alone = twin.alone = False
        self._twins.append(twin)
        return twin

    def serve(
        self,
        command: str = DAPHNE,
        look: str | None = None,
        ready: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Server:
        """Start a server (another one, if there is one). Return it.

        environment: variables that it gets.

        Raises NotYet with the server's own words if it does not start.
        """
        options: dict[str, Any] = {"environment": _environment() | dict(environment or {})}
        if "-p 0" not in command:
            options["port"] = free_port()
        try:
            server = Server(
                command,
                self.folder,
                ready=ready,
                timeout=START_LIMIT,
                remove=self._temporary,
                **options,
            )
        except ServerError as error:
            if of_the_computer(error):
                raise  # no fault of the files
            if lack := lack_in(str(error)):
                raise lack from error
            own_words = "the server's own words: it did not start with your files"
            look = look or (GOES_ON if error.timed_out else own_words)
            typed = command.replace("-v 2 -p 0", "-p 8000")  # as the lessons have it
            # where the place is known, the log would say it again, and be cut in the middle
            got = error.message(typed, with_log=not error.file) if error.command else error.reason
            expected = "a running server"
            raise NotYet(look, sent=typed, got=got, expected=expected, error=error) from None
        self._server, self._meant = self._stack.enter_context(server), 0
        return server

    @contextlib.contextmanager
    def client(
        self,
        path: str,
        look: str = "whether your consumer accepts the handshake",
        **options: Any,
    ) -> Iterator[Client]:
        """Open a WebSocket and give the Client. Raises NotYet if the server does not accept it."""
        sent = _handshake(path, options)
        wait = clients.WAIT
        defaults: dict[str, Any] = {"origin": ORIGIN, "open_timeout": wait, "close_timeout": 1.0}
        stack = contextlib.ExitStack()
        status, got = None, f"no answer to the handshake within {wait:g} seconds"
        try:
            websocket = stack.enter_context(
                connect(self.server.ws(path), proxy=None, **defaults | options)
            )
        except InvalidStatus as refused:
            status = refused.response.status_code
            got = f"HTTP {status}"
        except (TimeoutError, InvalidHandshake, OSError):
            pass
        else:
            with stack:
                client = Client(websocket, self, sent)
                try:
                    yield client
                except ConnectionClosed as closed:  # where the check itself has read, or asked
                    got = told(closed)
                    raise NotYet(ENDS, sent=client.sent, got=got, expected=STAYS) from None
            return
        raise NotYet(look, sent=sent, got=got, expected="101 accepted", status=status)

    def refused(self, path: str, status: int, look: str, **options: Any) -> None:
        """Raise NotYet unless a handshake is answered with this HTTP status."""
        expected = f"HTTP {status}"
        try:
            with self.client(path, look, **options) as client:
                raise NotYet(look, sent=client.sent, got="101 accepted", expected=expected)
        except NotYet as problem:
            problem.expected = expected
            if problem.status != status:
                raise
        if status == 500:  # where another status is right, an exception is never meant
            self.forgive()

    def page(
        self, path: str, look: str, status: int = 200, method: str = "GET", **options: Any
    ) -> "httpx.Response":
        """Request a page and return the httpx.Response. Raises NotYet if its status is another."""
        import httpx  # costs 0.1 s, and many checks never need it

        sent, expected = f"{method} {path}", f"HTTP {status}"
        try:
            answer = self.server.http(path, method, **{"timeout": PAGE_WAIT} | options)
        except httpx.HTTPError as error:
            raise NotYet(look, sent=sent, got=str(error), expected=expected) from None
        if answer.status_code != status:
            got = f"HTTP {answer.status_code}"
            problem = NotYet(look, sent=sent, got=got, expected=expected, status=answer.status_code)
            # Django keeps the exception to itself
            if answer.status_code >= 500 and (raised := RAISED.findall(self.server.log())):
                problem.more["the log says"] = shown(raised[-1])
            raise problem
        return answer

    def python(self, *arguments: str, limit: float = START_LIMIT) -> tuple[int, str]:
        """Run Python in the project, as `python manage.py …`. Return (exit status, output).

        Raises NotYet if it takes longer than so many seconds.
        """
        try:
            return run(
                [sys.executable, *arguments],
                folder=self.folder,
                environment=_environment(),
                timeout=limit,
                remove=self._temporary,
            )
        except TimeoutError:
            got = f"no end within {limit:g} seconds"
            raise NotYet(GOES_ON, sent=f"python {' '.join(arguments)}", got=got) from None

    def manage(self, *arguments: str) -> str:
        """Run `python manage.py …` and return its output. Raises NotYet with the cause if it fails.

        What this says was run is what a learner would type, `migrate`: all that checks run does it.
        """
        status, output = self.python("manage.py", *arguments)
        if status:
            look = "whether `manage.py` still works with your files"
            got = shown(_cause(relative(output, self.folder)))
            raise NotYet(look, sent="python manage.py migrate", got=got)
        return output

    def migrate(self) -> None:
        """Make the tables of `myapp`. Raises NotYet with the cause if that fails."""
        self.manage("migrate", "myapp", "--verbosity", "0")

    def events(self, kind: str | None = None, **fields: Any) -> Events:
        """Return what the server did, once it has nothing in hand, as `channels_live.tap` tells.

        kind, fields: only events of this kind with these values.
        """
        wanted = fields | ({"kind": kind} if kind else {})
        return [
            event
            for event in self.server.events(clients.WAIT)
            if all(event.get(name) == value for name, value in wanted.items())
        ]

    def errors(self) -> Events:
        """Return the exceptions of this server that no check has asked for.

        A frame that meets a client who is just going is none: its consumer cannot know that yet.
        """
        going = {(event["process"], event["conn"]) for event in self.events("close", by="client")}
        return [
            event
            for event in self.events("error")[self._meant :]
            if event["type"] != "Disconnected" or (event["process"], event["conn"]) not in going
        ]

    def forgive(self) -> None:
        """Take the exceptions of this server until now for what the check has asked for."""
        self._meant = len(self.events("error"))

    def trouble(self) -> dict[str, str]:
        """End the servers. Return what one had to complain of, as details of an outcome.

        Raises OSError if that is the computer's: a full disk, for example, or too many open files.
        """
        for site in (self, *reversed(self._twins)):  # a broker, which is the first twin, at last
            if complaint := site._complaint():
                return complaint
        return {}

    def _complaint(self) -> dict[str, str]:
        if self._server is None:
            return {}
        self._server.end()
        complaint = {}
        at_all = self.errors()
        errors = [event for event in at_all if ENDED_AT_WORK not in event["message"]]
        errors = errors or self.events("held")  # a task is silent, if somebody holds it
        if errors:
            # that somebody is gone is a consequence of another's error
            own = [event for event in errors if event["type"] != "Disconnected"]
            error = (own or errors)[-1]
            place = f", in {error['file']}, line {error['line']}" if error.get("file") else ""
            if lack := lack_in(error["message"]):
                raise lack
            raised = ": ".join(filter(None, (error["type"], error["message"])))
            complaint["your code raised"] = shown(f"{raised}{place}")
            if meaning := _meaning(error):
                complaint["that means"] = meaning
        forgotten = str(self._server.log(contains="was never awaited")).strip().splitlines()
        if len(errors) < len(at_all):  # it has begun what the end did not let it await
            forgotten = [line for line in forgotten if "/concurrent/futures/" not in line]
        if forgotten:
            said = forgotten[-1].strip()
            if str(ROOT) in said:  # Python has noticed it only in the tap
                said = said.rpartition("RuntimeWarning: ")[2]
            complaint["the log says"] = shown(said)
        return complaint


def _cause(output: str) -> str:
    """Return what ended a program: where in the project, as in the words of a server, and what."""
    if found := _CHECKED.search(output):
        return found[1]
    raised = RAISED.findall(output)
    if not raised:
        return output.strip().rpartition("\n")[2]
    places = _PLACE.findall(output)
    return (f"{places[-1][0]}, line {places[-1][1]}: " if places else "") + raised[-1]


def _meaning(error: Mapping[str, Any]) -> str | None:
    """Return the cause of an exception whose own words do not name it, or None."""
    if "no attribute 'handshake_deferred'" in error["message"]:
        return "`accept()` was called a second time for one client"
    if not error.get("file") and error["message"] == "'NoneType' object is not iterable":
        return "perhaps that an `__init__` of yours does not call `super().__init__()`"
    return None


def _environment() -> dict[str, str]:
    """Return the variables for what a check runs, without those that name a broker."""
    inherited = {name: value for name, value in os.environ.items() if name not in NAME_A_BROKER}
    return inherited | {"CHANNELS_LIVE_HELD": "1"}  # at the end, the tap tells what tasks hold


def _handshake(path: str, options: Mapping[str, Any]) -> str:
    """Return what is sent to open a WebSocket, as a text."""
    sent = f"GET {path}"
    if "origin" in options:
        sent += f", Origin: {options['origin'] or 'none'}"
    if offered := options.get("subprotocols"):
        sent += f", offering {', '.join(offered)}"
    if "Cookie" in options.get("additional_headers", ()):
        sent += ", with the cookie of somebody logged in"
    return sent
