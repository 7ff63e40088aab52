"""`Server`: what cells call."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from channels_live.record import Record
from channels_live.sends import SENDS
from channels_live.server import arguments, diagnosis, ports
from channels_live.server import command as commands
from channels_live.server.address import Addressed
from channels_live.server.diagnosis import ServerError
from channels_live.server.holder import free_port_for, who_has
from channels_live.server.log import Log, relative, shown
from channels_live.server.run import Run
from channels_live.server.watch import Watched
from channels_live.timeline import Overlaps, Timeline, Which, with_those_before

PATIENCE = 0.1  # seconds; what runs for longer without a sign of life is not waited for by a log
STARTS = 3  # tries, if others take the port after we had looked

Events = list[dict[str, Any]]


class Server(Addressed, Watched):
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
        arguments.text(ready, "ready", optional=True)
        self._command = commands.parse(command, Path(folder))
        self._folder = Path(folder)
        self._variables, self._remove = environment, remove
        self._timeout = arguments.seconds(timeout)
        shows_ready = ready or self._command.shows_ready
        if shows_ready is None:
            raise ServerError(
                f"How does `{command}` show that it is ready? Say what it then prints: "
                f'start(..., ready="..."). A command that ends runs in a cell: `!{command}`.'
            )
        self._ready = None if shows_ready == "tap" else shows_ready
        self._watchers: list[threading.Thread] = []
        self._fallback, self._before = fallback, list[dict[str, Any]]()
        self.port = port or self._command.port
        with diagnosis.in_our_words(command, self._folder):
            if port is None and fallback and self.port is not None and ports.any_will_do():
                self.port = ports.free_port()
            if self.port and ports.is_for_the_system(self.port, self._command.host):
                raise ServerError(diagnosis.TOO_LOW.format(self.port))
            self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __repr__(self) -> str:  # shown where a cell ends with `start`
        return f"<Server {self.command!r}, {'running' if self.running else 'ended'}>"

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
    def pid(self) -> int:
        """The number of the program's process."""
        return self._run.process.pid

    def timeline(
        self,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
        restarts: bool = False,
    ) -> Timeline:
        """Return what happened since the server started, once it has nothing left in hand.

        client: only the client with this number or name, or a list of them; -1 is the newest.
        consumer: only calls of this class, by name.
        threads: also show the thread that each method ran on.
        restarts: also what happened before the server was started again.
        """
        answered = self._run.record.settle().answered
        arguments.clients(client)
        arguments.text(consumer, "consumer", optional=True)
        events = SENDS.annotated(self._all_events(restarts=restarts))
        return Timeline(events, self.name, client, consumer, threads, answered=answered)

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
        """Return which calls of a method ran at the same time since the server started.

        handler: the name of the method, such as "receive". consumer: only calls of this class.
        """
        arguments.text(handler, "handler")
        arguments.text(consumer, "consumer", optional=True)
        self._run.record.settle()
        return Overlaps(self._run.events(), handler, consumer)

    def log(self, contains: str | None = None, last: int | None = None, full: bool = False) -> Log:
        """Return what the server has printed.

        contains: only lines with this text. last: only so many lines from the end.
        full: word for word, with times, ports and every frame of a traceback.

        It does not wait for a method that waits itself. Of a very long log the end is shown, and
        how much is left out.
        """
        arguments.text(contains, "contains", optional=True)
        arguments.lines(last)
        self._run.record.settle(patience=PATIENCE)
        return shown(self._run.log, str if full else self._run.plain, contains, last)

    def restart(self) -> None:
        """Stop the server and start the same command again, on the same port.

        Where others have taken that port meanwhile, it goes on as at the first start. The log
        begins anew, and so does the timeline; timeline(restarts=True) tells of before too.

        Raises ServerError as at the first start.
        """
        self.end()
        self._before = self._all_events(restarts=True)
        with diagnosis.in_our_words(self.command, self._folder):
            self._start()
        print(f"Running again: {self.command}")

    def wait_for_log(self, text: str, timeout: float = 15.0) -> Log:
        """Wait until the server has printed a text, and return its first line that has it.

        timeout: how long that may take, in seconds. Raises ServerError if it takes longer.
        """
        timeout = arguments.seconds(timeout)
        line = self._run.wait_for_line(arguments.text(text, "text"), timeout)
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
        timeout = arguments.seconds(timeout)
        self._must_run()
        if self._command.name != "runserver":
            raise ServerError(f"It does not look for changed files: {self.command}. Restart it.")
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

    def events_of_run(self) -> Callable[[], Events]:
        """Return a function that returns what this run of the server has told so far.

        With it is what is known of this kernel's own clients.
        """
        run = self._run
        return lambda: list(SENDS.annotated(self._all_events(run)))

    def _all_events(self, run: Run | None = None, restarts: bool = False) -> Events:
        """Return what a timeline tells: of this run, or of those before it too."""
        return with_those_before(self._before, self._events(run), shown=restarts)

    def _events(self, run: Run | None = None) -> Events:
        events = (run or self._run).events()
        for event in events:
            if event.get("file"):
                event["file"] = relative(event["file"], self._folder)
        return events

    def _start(self) -> None:
        """Launch it, on another port where its own is taken and that is allowed."""
        wanted = self.port
        for attempt in range(STARTS):
            # somebody may have taken it after we had looked
            if self._fallback and wanted:
                self.port = free_port_for(self._command, wanted, taken=attempt > 0)
            try:
                return self._launch()
            except ServerError as error:
                if not (error.port_taken and self._fallback) or attempt == STARTS - 1:
                    raise

    def _launch(self) -> None:
        variables = os.environ if self._variables is None else self._variables
        self._run = Run(
            self._command,
            self._folder,
            self.port,
            ready=self._ready,
            variables=variables,
            remove=self._remove,
        )
        try:
            if not self._run.wait_until_ready(self._timeout):
                raise self._run.never_ready(self._timeout)
        except BaseException as error:
            self.end()
            if isinstance(error, ServerError) and error.port_taken and self.port:
                typed = self.typed_port or self.port  # as the log below shows it
                error.reason = diagnosis.TAKEN.format(typed, who_has(self.port))
            raise
        self.port = self._run.port
        if self.stage:
            self.stage.started(self)
