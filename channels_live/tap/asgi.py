"""What the hooks of any ASGI server need: a connection, and the application that serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from channels_live.tap.errors import record_error
from channels_live.tap.state import state
from channels_live.tap.texts import address, cookies, cut, limited, plain, said, short
from channels_live.tap.wire import harmless, record

if TYPE_CHECKING:
    from asyncio import Queue

Application = Callable[..., Awaitable[Any]]
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
        self.port = port  # the client's
        self.framed = False  # its server tells of each frame
        # what is not read, while the application runs
        self.queue: Queue[Any] | _Empty | None = None
        self.waiting = False  # the application waits for the next event
        self.failed = False  # ... has raised, and daphne has not dealt with it yet
        self.error: int | None = None  # the id() of an exception that is recorded
        self.asked: int | None = None  # the code that the application closes it with
        self.answered = False
        self.refused = False
        self.closing = False  # the application has closed it
        self.has_consumer = False
        self.closed = False
        state.connections[self.number] = self
        record("open", conn=self.number, protocol=protocol, method=method, path=path, peer=port)

    def answer(self, status: Any) -> None:
        """Record the HTTP status that it is answered with; 101 accepts a WebSocket."""
        self.answered, self.refused = True, status != 101
        if isinstance(status, int):
            fields: dict[str, Any] = {"conn": self.number, "status": int(status)}
            if self.protocol == "websocket" and status == 403:
                fields.update(origin=self.origin, code=self.asked)
            record("answer", **fields)
        self.mend()

    def mend(self) -> None:
        """Note that the exception of the application has been dealt with."""
        self.failed = False
        self._leave()

    def end(self) -> None:
        """Note that nothing more passes on it."""
        self.closed, self.wire = True, None
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


class _Empty:
    """Stands for what an application has not read, where the server does not show it."""

    def empty(self) -> bool:
        return True


_EMPTY = _Empty()


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
    if isinstance(client, (tuple, list)) and len(client) > 1 and type(client[1]) is int:
        port = client[1]
    return Connection(plain(scope["type"]) or "", method, where, secrets, origin, port)


def watched(application: Application) -> Application:
    """Return an ASGI application that notes what the application does with its connection."""

    async def watched_application(scope: Any, receive: Any, send: Any) -> Any:
        connection = state.connection.get()
        if connection is None:
            return await _serve(application, scope, receive, send)
        connection.queue = getattr(receive, "__self__", _EMPTY)

        async def waiting_receive() -> Any:
            connection.waiting = True
            try:
                return await receive()
            finally:
                connection.waiting = False

        try:
            return await application(scope, waiting_receive, send)
        except (Exception, SystemExit) as error:
            connection.failed = isinstance(error, Exception)
            record_error(error)
            raise
        finally:
            connection.leave_application()

    return watched_application


# --- a server of which nothing else is known


async def _serve(application: Application, scope: Any, receive: Any, send: Any) -> Any:
    """Serve with an application, and record all that passes between it and its server."""
    _note_loop()
    connection = _begin(scope)
    if connection is None:
        return await application(scope, receive, send)

    async def telling_receive() -> Any:
        connection.waiting = True
        try:
            event = await receive()
        finally:
            connection.waiting = False
        _tell_received(connection, event)
        return event

    async def telling_send(event: Any) -> Any:
        _tell_sent(connection, event)
        return await send(event)

    token = state.connection.set(connection)
    try:
        return await application(scope, telling_receive, telling_send)
    except (Exception, SystemExit) as error:
        record_error(error)
        raise
    finally:
        state.connection.reset(token)
        connection.leave_application()
        connection.end()


@harmless
def _note_loop() -> None:
    if state.loop is None:
        import asyncio

        state.loop = asyncio.get_running_loop()


@harmless
def _begin(scope: Any) -> Connection | None:
    if scope["type"] not in SERVED:
        return None
    connection = connection_of(scope)
    connection.framed, connection.queue = True, _EMPTY
    return connection


@harmless
def _tell_received(connection: Connection, event: Any) -> None:
    kind = event["type"]
    if kind == "websocket.receive":
        record("in", conn=connection.number, **content(event))
    elif kind == "websocket.disconnect" and not connection.closed:
        if connection.answered and not connection.refused and not connection.closing:
            code = event.get("code", 1005)
            code = code if type(code) is int and code != 1006 else None
            by = "server" if state.stopping else "client"
            reason = "the server stopped" if state.stopping else None
            if by == "client" and state.codeless:
                code, reason = None, "with which code, this server does not tell"
            record("close", conn=connection.number, by=by, code=code, reason=reason)
        connection.end()


@harmless
def _tell_sent(connection: Connection, event: Any) -> None:
    kind, more = event["type"], event.get("more_body")
    if connection.closed or connection.closing:
        return  # it never leaves
    if kind == "websocket.send":
        if connection.answered:
            record("out", conn=connection.number, call=calling(), **content(event))
    elif kind == "websocket.accept":
        connection.answer(101)
    elif kind == "websocket.close":
        code = event.get("code", 1000)
        connection.closing, connection.asked = True, code if type(code) is int else None
        if connection.answered:
            asked = connection.asked
            record("close", conn=connection.number, by="server", code=asked, reason=None)
        else:
            connection.answer(403)
    elif kind in ("http.response.start", "websocket.http.response.start"):
        connection.answer(event["status"])
    elif kind == "http.response.body":
        if (body := event.get("body")) and connection.has_consumer:
            record("out", conn=connection.number, call=calling(), text=short(body))
        if not more:
            record("end", conn=connection.number)
            connection.end()


# --- for hooks


def content(event: Any) -> dict[str, Any]:
    """Return what an event of a frame has in the record: its text, or its size."""
    text, data = event.get("text"), event.get("bytes")
    if text is not None or data is None:
        return {"text": short(plain(text) or "")}
    return {"size": len(data)}


def calling() -> int | None:
    """Return the number of the call that led to what happens here, which may have ended, or None.

    A task that a call has started is led to by that call.
    """
    call = state.dispatching.get()
    return call.number if call else None
