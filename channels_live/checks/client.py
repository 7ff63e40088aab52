"""`Client`: a WebSocket of a check."""

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from channels_live.checks.not_yet import NotYet, shown
from channels_live.record import deadline

if TYPE_CHECKING:
    from channels_live.checks.site import Site

WAIT = 3.0  # seconds that an answer may take
_LOOK = 0.1  # seconds between two looks whether an answer can still come
_PATIENCE = 4  # times as long, where other frames may come before: a server can go on for ever
Mistake = tuple[Any, str]  # a frame, or a function of it; and what to look at then


class Client:
    """One WebSocket of a check. Each method raises NotYet where the learner's code errs.

    site: the Site whose server it is a client of.
    sent: what such a NotYet tells as sent, a text: the handshake, then the last frame.
    """

    def __init__(self, websocket: ClientConnection, site: "Site", sent: str) -> None:
        self.websocket = websocket
        self.site = site
        self.sent: str | bytes = sent

    def send(self, frame: Any) -> None:
        """Send a frame: text, bytes, or anything else as JSON."""
        self.sent = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        with contextlib.suppress(ConnectionClosed):  # the next answer that is missing will tell
            self.websocket.send(self.sent)

    def receive(self, look: str, expected: Any = None, wait: float | None = None) -> str | bytes:
        """Return the next frame. wait: how long that may take, in seconds; None: WAIT."""
        wait = wait or WAIT
        try:
            return self._next(wait)
        except _Silence as silence:
            got = f"nothing{silence}"
        except ConnectionClosed as closed:
            got = told(closed)
        raise NotYet(look, sent=self.sent, got=got, expected=expected)

    def expect(
        self, expected: Any, look: str, *mistakes: Mistake, wait: float | None = None
    ) -> None:
        """Read a frame and compare it. What is neither text nor bytes is compared as JSON.

        mistakes: pairs of a frame (or a function of it that tells whether it is meant) and what to
        look at then, instead of `look`.
        """
        frame = self.receive(look, expected, wait)
        got: Any = frame
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

    def read_until(self, expected: Any, look: str, wait: float | None = None) -> None:
        """Read until a frame says this, as JSON. What comes before it is passed over."""
        left = deadline(_PATIENCE * (wait or WAIT))
        while True:
            frame = self.receive(look, expected, wait)
            with contextlib.suppress(ValueError):
                if json.loads(frame) == expected:
                    return
            if not left():
                raise NotYet(look, sent=self.sent, got=frame, expected=expected)

    def expect_nothing(self, look: str) -> None:
        """Make sure that nothing is on its way to this client."""
        self.site.events()
        try:
            frame = self._arrived()
        except ConnectionClosed as closed:
            frame = told(closed)
        if frame is not None:
            raise NotYet(look, sent=self.sent, got=frame, expected="nothing")

    def pending(self, look: str) -> list[str | bytes]:
        """Return the frames that have come, once the server has nothing in hand."""
        self.site.events()
        frames: list[str | bytes] = []
        left = deadline(_PATIENCE * WAIT)
        try:
            while left() and (frame := self._arrived()) is not None:
                frames.append(frame)
        except ConnectionClosed as closed:
            raise NotYet(look, sent=self.sent, got=told(closed)) from None
        return frames

    def expect_close(self, code: int, look: str, *mistakes: tuple[int, str]) -> None:
        """Read until the server closes, and compare the close code. mistakes: as in `expect`."""
        frame = None
        left = deadline(_PATIENCE * WAIT)
        try:
            while left():
                frame = self._next(WAIT)
            raise _Silence(f" within {_PATIENCE * WAIT:g} seconds")
        except _Silence as silence:
            got = f"no close{silence}"
            if frame is not None:
                got += f"; the last frame was {shown(frame)}"
        except ConnectionClosed as closed:
            received = closed.rcvd.code if closed.rcvd else 1006
            if received == code:
                return
            look = dict(mistakes).get(received, look)
            got = told(closed)
        raise NotYet(look, sent=self.sent, got=got, expected=f"close {code}")

    def close(self, code: int = 1000) -> None:
        """Close, and wait until the server has dealt with it."""
        self.websocket.close(code)
        self.site.events()

    def abort(self) -> None:
        """Cut the connection without a close frame, and wait until the server has dealt with it."""
        closed = len(self.site.events("close"))
        self.websocket.socket.shutdown(socket.SHUT_RDWR)
        self.site.server.events(
            WAIT, until=lambda events: [event["kind"] for event in events].count("close") > closed
        )

    def _next(self, wait: float) -> str | bytes:
        """Return the next frame. Raises _Silence if none can come, or none does in that time."""
        left = deadline(wait)
        while True:
            try:
                return self.websocket.recv(timeout=min(left(), _LOOK))
            except TimeoutError:
                if not left():
                    raise _Silence(f" within {wait:g} seconds") from None
            if self.site.alone and self.site.server.is_silent(_LOOK):
                if (frame := self._arrived()) is not None:
                    return frame
                raise _Silence(", and the server is done with what was sent")

    def _arrived(self) -> str | bytes | None:
        """Return a frame that has arrived, or None."""
        # frames keep their order: what the server sent before its answer to this is here then
        self.websocket.ping().wait(WAIT)
        try:
            return self.websocket.recv(timeout=0)
        except TimeoutError:
            return None


class _Silence(Exception):
    """No frame has come. Its text says since when."""


def told(closed: ConnectionClosed) -> str:
    """Return how a connection has ended, as a check tells it."""
    if not closed.rcvd:
        return "the connection was dropped"
    code = closed.rcvd.code
    # with others the server closes by itself, after an exception for example
    own = closed.rcvd_then_sent and (code == 1000 or code >= 3000)
    return f"close {code}" + (": the consumer has closed the connection" if own else "")
