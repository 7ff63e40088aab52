"""`Server`: what cells call."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from channels_live.record import Record
from channels_live.sends import SENDS
from channels_live.server import command as commands
from channels_live.server import ports
from channels_live.server.diagnosis import ServerError
from channels_live.server.log import Log, relative, shown
from channels_live.server.run import Run
from channels_live.server.watch import Watched
from channels_live.timeline import Overlaps, Timeline, Which

if TYPE_CHECKING:
    import httpx

PATIENCE = 0.1  # seconds; what runs for longer without a sign of life is not waited for by a log
STARTS = 3  # tries, if others take the port after we had looked

Events = list[dict[str, Any]]


class Server(Watched):
    """A command that runs in the background. `Lesson.start` makes it.

    command: what one would type in a terminal.
    folder: where it runs, a path.
    ready: a text in its output that shows it is ready. None, for daphne, runserver, runworker and
        a broker: it is known.
    fallback: whether to take a free port where the typed one is taken.
    timeout: how long it may take to be ready, in seconds.
    port: the port to use instead of the typed one.
    environment: the variables that it gets, instead of those of this process.
    remove: a folder that is deleted if this process dies while the server runs.

    Raises ServerError with the reason and the last lines of its log if it does not get ready.
    """

    def __init__(
        self,
        command: str,
        folder: Path,
        *,
        ready: str | None = None,
        fallback: bool = True,
        timeout: float = 30.0,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        remove: Path | None = None,
    ) -> None:
        self._command = commands.parse(command)
        self._folder = Path(folder)
        self._variables, self._remove, self._timeout = environment, remove, timeout
        shows_ready = ready or self._command.shows_ready
        if shows_ready is None:
            raise ServerError(
                f"How does `{command}` show that it is ready? "
                'Say what it then prints: start(..., ready="...").'
            )
        self._ready = None if shows_ready == "tap" else shows_ready
        self._watchers: list[threading.Thread] = []
        wanted = (self._command.port, self._command.host, self._command.scheme)
        self.port = port or (ports.choose(*wanted) if fallback else self._command.port)
        for attempt in range(STARTS):
            try:
                return self._launch()
            except ServerError as error:
                if not (error.port_taken and fallback) or attempt == STARTS - 1:
                    raise
                self.port = ports.another(*wanted)  # somebody took it after we had looked

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def command(self) -> str:
        """The command as typed."""
        return self._command.line

    @property
    def name(self) -> str:
        """What runs, in one word."""
        return self._command.name

    @property
    def record(self) -> Record:
        """What its processes tell, since it was started the last time."""
        return self._run.record

    @property
    def folder(self) -> Path:
        """Where it runs, a path."""
        return self._folder

    @property
    def typed_port(self) -> int | None:
        """The port that the command names, or None; `port` is the one it got."""
        return self._command.port

    @property
    def running(self) -> bool:
        """Whether the program runs."""
        return self._run.running

    @property
    def pid(self) -> int:
        """The number of the program's process."""
        return self._run.process.pid

    def ws(self, path: str = "/") -> str:
        """Return the address of a WebSocket on this server."""
        return f"ws://{self._address()}{path}"

    def url(self, path: str = "/") -> str:
        """Return the address of a page on this server, or of a broker."""
        return f"{self._command.scheme}://{self._address()}{path}"

    def _address(self) -> str:
        if not self.running:
            raise ServerError(
                f"This server has been stopped: {self.command}. Run the cell that starts it again."
            )
        if self.port is None:
            raise ServerError(f"It is not known on which port this listens: {self.command}")
        host = self._command.host
        return (
            f"[{host}]:{self.port}" if host.count(":") and host[0] != "[" else f"{host}:{self.port}"
        )

    def http(self, path: str = "/", method: str = "GET", **options: Any) -> "httpx.Response":
        """Request a page and return the answer, an httpx.Response.

        options: more arguments of httpx.request, such as timeout (30 seconds). Raises
        httpx.HTTPError if no answer comes.
        """
        import httpx  # costs 0.1 s, and many lessons never need it

        options = {"timeout": 30.0, "trust_env": False} | options
        return httpx.request(method, self.url(path), **options)

    def timeline(
        self,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
    ) -> Timeline:
        """Return what happened since the server started, once it has nothing left in hand.

        client: only the client with this number or name, or a list of them; -1 is the newest.
        consumer: only calls of this class, by name.
        threads: also show the thread that each method ran on.
        """
        answered = self._run.record.settle().answered
        told = self.told_by_run()()
        return Timeline(told, self.name, client, consumer, threads, answered=answered)

    def events(self, timeout: float, until: Callable[[Events], bool] | None = None) -> Events:
        """Return what `channels_live.tap` recorded, once the server has nothing left in hand.

        timeout: how long to wait for that, in seconds. until: a function of the events so far that
        tells whether what one waits for has happened; this is waited for before, as long at most.
        """
        record = self._run.record
        if until is not None:
            with record.changed:
                record.changed.wait_for(lambda: until(record.events), timeout)
        record.settle(timeout)
        return self._events()

    def is_silent(self, timeout: float) -> bool:
        """Tell whether it is sure that nothing happens any more unless a client does something.

        timeout: how long to wait for that, in seconds.
        """
        settled = self._run.record.settle(timeout, patience=timeout)  # it may be asked often
        return settled.answered and settled.quiet and not settled.pending

    def overlaps(self, handler: str, consumer: str | None = None) -> Overlaps:
        """Return which calls of a method ran at the same time, as bars and in words.

        handler: the name of the method, such as "receive". consumer: only calls of this class.
        """
        self._run.record.settle()
        return Overlaps(self._run.events(), handler, consumer)

    def log(self, contains: str | None = None, last: int | None = None, full: bool = False) -> Log:
        """Return what the server has printed.

        contains: only lines with this text. last: only so many lines from the end.
        full: word for word, with times, ports and every frame of a traceback.

        It does not wait for a method that waits itself. Of a very long log the end is shown, and
        how much is left out.
        """
        self._run.record.settle(patience=PATIENCE)
        return shown(self._run.log, str if full else self._run.plain, contains, last)

    def restart(self) -> None:
        """Stop the server and start the same command again, on the same port.

        The timeline and the log begin anew. Raises ServerError as at the first start.
        """
        self.end()
        self._launch()
        print(f"Running again: {self.command}")

    def wait_for_log(self, text: str, timeout: float = 15.0) -> Log:
        """Wait until the server has printed a text, and return its first line that has it.

        timeout: how long that may take, in seconds. Raises ServerError if it takes longer.
        """
        line = self._run.wait_for_line(text, timeout)
        if line is None:
            raise ServerError(
                f"The server has not printed '{text}' within {timeout:g} seconds.",
                timed_out=self.running,
            )
        return Log(line)

    def wait_for_reload(self, timeout: float = 15.0) -> None:
        """Wait until runserver has started again with the files as they are now, and answers.

        timeout: how long that may take, in seconds. Raises ServerError with the reason if the
        files are broken, or if nothing was reloaded in that time.
        """
        try:
            reloaded = self._run.wait_until_ready(timeout)
        except ServerError:
            self._run.wait_for_reloader(5.0)
            raise
        self.port = self._run.port
        if not reloaded:
            raise ServerError(
                f"Nothing was reloaded within {timeout:g} seconds. The server goes on with the "
                "files that it has: change a file first, or save it once more.",
                timed_out=True,
            )

    def stop(self) -> None:
        """End the server, as Control-C would. A server that has ended stays so."""
        if self.running:
            self.end()
            print(f"Stopped: {self.command}")
        else:
            print(f"Already ended: {self.command}")

    def end(self) -> None:
        """End the server as `stop` does, without a word."""
        self._run.end()
        while self._watchers:
            self._watchers.pop().join(1.0)  # so that the last it shows is the end

    def told_by_run(self) -> Callable[[], Events]:
        """Return a function that returns what this run of the server has told so far.

        With it is what is known of this kernel's own clients.
        """
        run = self._run
        return lambda: list(SENDS.told(self._events(run)))

    def _events(self, run: Run | None = None) -> Events:
        events = (run or self._run).events()
        for event in events:
            if event.get("file"):
                event["file"] = relative(event["file"], self._folder)
        return events

    def _launch(self) -> None:
        variables = os.environ if self._variables is None else self._variables
        try:
            self._run = Run(
                self._command,
                self._folder,
                self.port,
                ready=self._ready,
                variables=variables,
                remove=self._remove,
            )
        except OSError as error:
            raise ServerError(f"it cannot be run: {error}", command=self.command) from error
        try:
            if not self._run.wait_until_ready(self._timeout):
                raise self._run.never_ready(self._timeout)
        except BaseException:
            self.end()
            raise
        self.port = self._run.port
        if self.stage:
            self.stage.started(self)
