"""What the hooks of any ASGI server need: a connection, and what is recorded of it."""

from __future__ import annotations

from typing import Any

from channels_live.tap.ends import is_gone
from channels_live.tap.state import state
from channels_live.tap.texts import address, cookies, cut, limited, number, plain, said, short
from channels_live.tap.wire import record

SERVED = ("websocket", "http")  # scopes that come from a client


class Connection:
    """What the tap knows of one connection, to tell whether the server is done with it.

    protocol: websocket, http, or the type of a scope. method, path: of its request. secrets: what
    is to be cut out of texts. origin: of the page that opened it, if it said so. port: from which
    the client came.
    """

    def __init__(
        self,
        protocol: str,
        method: str | None,
        path: str | None,
        secrets: list[str] | None = None,
        origin: str | None = None,
        port: int | None = None,
    ) -> None:
        self.number = next(state.numbers)
        self.protocol = protocol
        self.secrets, self.origin = secrets or [], origin
        self.wire: Any = None  # daphne's protocol object, until it is closed
        self.peer: Any = None  # what another server has for it, until then
        self.port = port  # the client's
        self.framed = False  # its server tells of each frame
        self.queue: Any = None  # what is not read, while the application runs
        self.waiting = False  # the application waits for the next event
        self.failed = False  # ... has raised, and daphne has not dealt with it yet
        self.error: int | None = None  # the id() of an exception that is recorded
        self.asked: int | None = None  # the code that the application closes it with
        self.answered = False
        self.refused = False
        self.closing = False  # the application has closed it
        self.measured = self.streams = False  # how long its body is, is said; it has parts
        self.has_consumer = False
        self.closed = False
        state.connections[self.number] = self
        record("open", conn=self.number, protocol=protocol, method=method, path=path, peer=port)

    def answer(self, status: Any) -> None:
        """Record the HTTP status that it is answered with; 101 accepts a WebSocket."""
        self.answered, self.refused = True, status != 101
        if (status := number(status)) is not None:
            fields: dict[str, Any] = {"conn": self.number, "status": status}
            if self.protocol == "websocket" and status == 403:
                fields.update(origin=self.origin, code=self.asked)
            record("answer", **fields)
        self.mend()

    def begin_body(self, event: Any) -> None:
        """Record the start of an HTTP response. event: the application's."""
        self.answer(event["status"])
        if type(headers := event.get("headers")) in (list, tuple):  # not what can be read once only
            names = [pair[0] for pair in headers if pair]
            self.measured = b"content-length" in [name.lower() for name in names]

    def send_body(self, event: Any) -> None:
        """Record a piece of the body of a response. event: the application's."""
        if (body := event.get("body")) and self.has_consumer:
            record("out", conn=self.number, call=calling(), text=short(body))
        if event.get("more_body"):
            self.streams = not self.measured
        else:
            self.streams = self.streams and not body  # what is only long ends with its last part
            self.end_body("client" if is_gone(self.peer) else "server")

    def end_body(self, by: str | None) -> None:
        """Record the end of a response, if it is not told yet.

        by: server, when it is complete; client, when that is gone; None, when it is broken off.
        """
        if self.closed:
            return
        # of a consumer's, its messages tell the rest
        stream = self.streams and (by is None or not self.has_consumer)
        record("end", conn=self.number, by=by, stream=stream)
        self.end()

    def mend(self) -> None:
        """Note that the exception of the application has been dealt with."""
        self.failed = False
        self._leave()

    def end(self) -> None:
        """Note that nothing more passes on it."""
        self.closed, self.wire, self.peer = True, None, None
        self._leave()

    def leave_application(self) -> None:
        """Note that the application has returned, or raised."""
        self.queue = None
        self._leave()

    def busy(self, absent: frozenset[int] = frozenset()) -> bool:
        """Tell whether the server has something of it in hand. absent: as `ending` has it."""
        queue = self.queue
        if self.ending(absent) or queue is not None and not (self.waiting and queue.empty()):
            return True
        return self.protocol == "http" and not self.answered and not self.closed

    def ending(self, absent: frozenset[int] = frozenset()) -> bool:
        """Tell whether it is about to end, which takes the server no more than a second.

        absent: ports of clients that do not answer meanwhile.
        """
        wire = self.wire  # another thread may take it away
        if self.failed or self.protocol == "http" or wire is None:
            return self.failed
        if wire.remoteCloseCode is not None:
            return True
        # between a close frame and the end of the TCP connection
        return wire.state == wire.STATE_CLOSING and self.port not in absent

    def _leave(self) -> None:
        # Whatever happens last, each end of a connection passes here, and nowhere else.
        if self.closed and not self.failed and self.queue is None:
            state.connections.pop(self.number, None)


def connection_of(scope: Any) -> Connection:
    """Return a new connection for what a server has made of a request."""
    secrets: list[str] = []
    origin = None
    for name, value in scope.get("headers") or ():
        name = bytes(name).lower()
        if name == b"cookie":
            cookies(bytes(value), secrets)
        elif name == b"origin":
            origin = limited(bytes(value[:1000]).decode("latin-1"))
    raw = scope.get("raw_path")
    path = (
        raw if isinstance(raw, bytes) else (plain(scope.get("path")) or "").encode(errors="replace")
    )
    query = scope.get("query_string") or b""
    query = query if isinstance(query, bytes) else said(query).encode(errors="replace")
    method = plain(scope.get("method", "GET"))
    where = cut(address(path, query, secrets), secrets)
    client, port = scope.get("client"), None
    if isinstance(client, (tuple, list)) and len(client) > 1:
        port = number(client[1])
    return Connection(plain(scope["type"]) or "", method, where, secrets, origin, port)


def content(event: Any) -> dict[str, Any]:
    """Return what an event of a frame has in the record: its text, or its size."""
    text, data = event.get("text"), event.get("bytes")
    if text is not None or data is None:
        return {"text": short(text if type(text) is str else plain(text) or "")}
    return {"size": len(data)}


def calling() -> int | None:
    """Return the number of the call that led to what happens here, which may have ended, or None.

    A task that a call has started is led to by that call.
    """
    call = state.dispatching.get()
    if call is None:
        return None
    if call.started is None:
        call.start()  # of a dispatch of the project's own, which acts by itself
    return call.number
