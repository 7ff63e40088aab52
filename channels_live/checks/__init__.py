"""What the checks are written with: a served copy of a learner's project, and clients of it.

A check is a function `check_5_1(site)` in `lesson_05.py`. It returns if the exercise is right, and
raises NotYet if not. `HINTS` there holds the hints, by the number of the exercise. What a check
sends it draws at run time (`word`, `number`), so that no answer can be written down beforehand.
"""

import contextlib
import copy
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from channels_live.server import Server, ServerError, free_port
from channels_live.working_copy import ROOT, copy_project

DAPHNE = "daphne -v 2 -p 0 myproject.asgi:application"  # -v 2 tells of a forgotten await
ORIGIN = "http://localhost"
WAIT = 3.0  # seconds that an answer may take
PAGE_WAIT = 6.0  # ... and a page: the first one loads all URLs, and one of an error is long
START_LIMIT = 10.0  # seconds that a server may take to start, also on a busy machine
LONGEST = 300  # characters of what is shown
_random = random.SystemRandom()
RAISED = re.compile(r"^Traceback.*\n(?:\s.*\n|\n)*(\S.*)", re.M)  # the last line of a traceback


class NotYet(Exception):
    """The exercise is not right yet.

    look: what to look at, a sentence. sent, got, expected: what the check did and saw.
    """

    def __init__(self, look, *, sent=None, got=None, expected=None):
        super().__init__(look)
        told = {"sent": sent, "got": got, "expected": expected}
        self.details = {label: shown(what) for label, what in told.items() if what is not None}
        self.details["look at"] = look


class Site:
    """A copy of a learner's project, to be served. The learner's own files stay untouched."""

    def __init__(self, folder):
        temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(temporary), "site")
            copy_project(folder, self.folder)
            self._stack = stack.pop_all()
        self.server = None
        self._twins = []
        self._meant = 0  # exceptions of this server that a refusal brings with it

    def __enter__(self):
        return self

    def __exit__(self, *_):
        at_once(*(site.server.end for site in (self, *self._twins) if site.server))
        self._stack.close()

    def twin(self):
        """Return a Site with the same files, for one more server at the same time."""
        twin = copy.copy(self)
        twin.server, twin._twins, twin._meant = None, [], 0
        self._twins.append(twin)
        return twin

    def serve(self, command=DAPHNE, look=None, ready=None, environment=None):
        """Start a server (another one, if there is one), in `server`. Return it.

        environment: variables that it gets.

        Raises NotYet with the server's own words if it does not start.
        """
        options = {"environment": _environment() | (environment or {})}
        if "-p 0" not in command:
            options["port"] = free_port()
        if ready is not None:
            options["ready"] = ready
        try:
            server = Server(command, self.folder, timeout=START_LIMIT, **options)
        except ServerError as error:
            own_words = "the server's own words: it did not start with your files"
            if "was ended after" in str(error):
                own_words = "whether something in your files goes on for ever"
            look = look or own_words
            typed = command.replace("-v 2 -p 0", "-p 8000")  # as the lessons have it
            said = str(error).replace(command, typed)
            raise NotYet(look, sent=typed, got=said, expected="a running server") from None
        self.server, self._meant = self._stack.enter_context(server), 0
        return server

    @contextlib.contextmanager
    def client(self, path, look="whether your consumer accepts the handshake", **options):
        """Open a WebSocket and give the Client. Raises NotYet if the server does not accept it."""
        sent = _handshake(path, options)
        options = {"origin": ORIGIN, "open_timeout": WAIT, "close_timeout": 1.0} | options
        stack = contextlib.ExitStack()
        try:
            websocket = stack.enter_context(connect(self.server.ws(path), proxy=None, **options))
        except InvalidStatus as refused:
            got = f"HTTP {refused.response.status_code}"
            raise NotYet(look, sent=sent, got=got, expected="101 accepted") from None
        except (TimeoutError, InvalidHandshake, OSError):
            got = f"no answer to the handshake within {WAIT:g} seconds"
            raise NotYet(look, sent=sent, got=got, expected="101 accepted") from None
        with stack:
            yield Client(websocket, self, sent)

    def refused(self, path, status, look, **options):
        """Raise NotYet unless a handshake is answered with this HTTP status."""
        try:
            with self.client(path, look, **options):
                got = "101 accepted"
        except NotYet as problem:
            got = problem.details["got"]
        if got != f"HTTP {status}":
            sent = _handshake(path, options)
            raise NotYet(look, sent=sent, got=got, expected=f"HTTP {status}")
        if status == 500:  # where another status is right, an exception is never meant
            self._meant = len(self.events("error"))

    def page(self, path, look, status=200, method="GET", **options):
        """Request a page and return the httpx.Response. Raises NotYet if its status is another."""
        import httpx

        sent = f"{method} {path}"
        try:
            answer = self.server.http(path, method, **{"timeout": PAGE_WAIT} | options)
        except httpx.HTTPError as error:
            raise NotYet(look, sent=sent, got=str(error), expected=f"HTTP {status}") from None
        if answer.status_code != status:
            got = f"HTTP {answer.status_code}"
            problem = NotYet(look, sent=sent, got=got, expected=f"HTTP {status}")
            # Django keeps the exception to itself
            if answer.status_code >= 500 and (raised := RAISED.findall(self.server.log())):
                problem.details["the log says"] = shown(raised[-1])
            raise problem
        return answer

    def python(self, *arguments, limit=START_LIMIT):
        """Run Python in the project, as `python manage.py …`. Return (exit status, output).

        Raises NotYet if it takes longer than so many seconds.
        """
        try:
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            got = f"no end within {limit:g} seconds"
            look = "whether something in your files goes on for ever"
            raise NotYet(look, sent=f"python {' '.join(arguments)}", got=got) from None
        return done.returncode, done.stdout

    def migrate(self):
        """Make the tables of `myapp`. Raises NotYet with the last words if that fails."""
        status, output = self.python("manage.py", "migrate", "myapp", "--verbosity", "0")
        if status:
            got = output.strip().rpartition("\n")[2]
            look = "whether `manage.py` still works with your files"
            raise NotYet(look, sent="python manage.py migrate", got=got)

    def events(self, kind=None, **fields):
        """Return what the server did, once it has nothing in hand, as `channels_live.tap` tells.

        kind, fields: only events of this kind with these values.
        """
        wanted = fields | ({"kind": kind} if kind else {})
        return [
            event
            for event in self.server.events(WAIT)
            if all(event.get(name) == value for name, value in wanted.items())
        ]

    def trouble(self):
        """End the servers. Return what one had to complain of, as details of an outcome."""
        for site in (self, *reversed(self._twins)):  # a broker, which is the first twin, at last
            if found := site._trouble():
                return found
        return {}

    def _trouble(self):
        if self.server is None:
            return {}
        self.server.end()
        found = {}
        if errors := self.events("error")[self._meant :]:
            # that somebody is gone is a consequence of another's error
            error = next((one for one in errors[::-1] if one["type"] != "Disconnected"), errors[-1])
            place = f", in {error['file']}, line {error['line']}" if error.get("file") else ""
            found["your code raised"] = shown(f"{error['type']}: {error['message']}{place}")
        if forgotten := self.server.log(contains="was never awaited", last=1):
            said = str(forgotten).strip()
            if str(ROOT) in said:  # Python has noticed it only in the tap
                said = said.rpartition("RuntimeWarning: ")[2]
            found["the log says"] = shown(said)
        return found


class Client:
    """One WebSocket of a check. Each method raises NotYet where the learner's code errs.

    site: the Site whose server it is a client of.
    sent: what such a NotYet tells as sent, a text: the handshake, then the last frame.
    """

    def __init__(self, websocket, site, sent):
        self.websocket = websocket
        self.site, self.sent = site, sent

    def send(self, frame):
        """Send a frame: text, bytes, or anything else as JSON."""
        self.sent = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        with contextlib.suppress(ConnectionClosed):  # the next answer that is missing will tell
            self.websocket.send(self.sent)

    def receive(self, look, expected=None, wait=None):
        """Return the next frame. wait: how long that may take, in seconds; None: WAIT."""
        wait = wait or WAIT
        try:
            return self.websocket.recv(timeout=wait)
        except TimeoutError:
            got = f"nothing within {wait:g} seconds"
        except ConnectionClosed as closed:
            got = _close(closed)
        raise NotYet(look, sent=self.sent, got=got, expected=expected)

    def expect(self, expected, look, *mistakes, wait=None):
        """Read a frame and compare it. What is neither text nor bytes is compared as JSON.

        mistakes: pairs of a frame (or a function of it that tells whether it is meant) and what to
        look at then, instead of `look`.
        """
        frame = self.receive(look, expected, wait)
        got = frame
        if not isinstance(expected, str | bytes):
            with contextlib.suppress(ValueError):
                got = json.loads(frame)
        if got == expected and type(got) is type(expected):
            return
        for mistake, instead in mistakes:
            if mistake(got) if callable(mistake) else got == mistake:
                look = instead
                break
        raise NotYet(look, sent=self.sent, got=frame, expected=expected)

    def expect_nothing(self, look):
        """Make sure that nothing is on its way to this client."""
        self.site.events()
        try:
            self.websocket.ping().wait(WAIT)  # frames keep their order: what was sent is here now
            frame = self.websocket.recv(timeout=0)
        except TimeoutError:
            return
        except ConnectionClosed as closed:
            frame = _close(closed)
        raise NotYet(look, sent=self.sent, got=frame, expected="nothing")

    def expect_close(self, code, look, *mistakes):
        """Read until the server closes, and compare the close code. mistakes: as in `expect`."""
        frame = None
        try:
            while True:
                frame = self.websocket.recv(timeout=WAIT)
        except TimeoutError:
            got = f"no close within {WAIT:g} seconds"
            if frame is not None:
                got += f"; the last frame was {shown(frame)}"
        except ConnectionClosed as closed:
            found = closed.rcvd.code if closed.rcvd else 1006
            if found == code:
                return
            look = dict(mistakes).get(found, look)
            got = _close(closed)
        raise NotYet(look, sent=self.sent, got=got, expected=f"close {code}")

    def close(self, code=1000):
        """Close, and wait until the server has dealt with it."""
        self.websocket.close(code)
        self.site.events()

    def abort(self):
        """Cut the connection without a close frame, and wait until the server has dealt with it."""
        closed = len(self.site.events("close"))
        self.websocket.socket.shutdown(socket.SHUT_RDWR)
        self.site.server.events(
            WAIT, until=lambda events: [one["kind"] for one in events].count("close") > closed
        )


def at_once(*functions):
    """Call functions at the same time. Return what they return, or raise what one raises."""
    with ThreadPoolExecutor() as pool:
        return [call.result() for call in [pool.submit(function) for function in functions]]


def word():
    """Return a word that nobody can have foreseen."""
    return "".join(_random.choices("bcdfghklmnprstvwz", k=5)) + str(number())


def number(low=100, high=999):
    """Return a number that nobody can have foreseen."""
    return _random.randint(low, high)


def shown(what):
    """Return a frame, or what a check tells, as a text to be shown."""
    text = (
        what
        if isinstance(what, str)
        else json.dumps(what)
        if not isinstance(what, bytes)
        else repr(what)
    )
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _environment():
    """Return the variables for what a check runs, without those that name a broker."""
    own = ("REDIS_URL", "CHANNEL_LAYER")
    return {name: value for name, value in os.environ.items() if name not in own}


def _handshake(path, options):
    """Return what is sent to open a WebSocket, as a text."""
    sent = f"GET {path}"
    if "origin" in options:
        sent += f", Origin: {options['origin'] or 'none'}"
    if offered := options.get("subprotocols"):
        sent += f", offering {', '.join(offered)}"
    if "Cookie" in options.get("additional_headers", ()):
        sent += ", with the cookie of somebody logged in"
    return sent


def _close(closed):
    return f"close {closed.rcvd.code}" if closed.rcvd else "the connection was dropped"
