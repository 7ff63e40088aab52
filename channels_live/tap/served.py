"""Applications as servers call them, with all that passes between the two.

Of daphne more is known, see `daphne`. Of any other server this is nearly all there is; how it ends
a connection is in `ends`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from channels_live.tap import ends
from channels_live.tap.asgi import SERVED, Connection, calling, connection_of, content
from channels_live.tap.errors import record_error
from channels_live.tap.state import state
from channels_live.tap.texts import number
from channels_live.tap.wire import add, harmless, record, tell_gap

Application = Callable[..., Awaitable[Any]]


class _Empty:
    """Stands for what an application has not read, where the server does not show it."""

    def empty(self) -> bool:
        return True


_EMPTY = _Empty()


def watched(application: Application) -> Application:
    """Return an ASGI application that notes what the application does with its connection."""

    async def watched_application(scope: Any, receive: Any, send: Any) -> Any:
        connection = state.connection.get()
        if connection is None:
            return await serve(application, scope, receive, send)
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


async def serve(application: Application, scope: Any, receive: Any, send: Any) -> Any:
    """Serve with an application, and record all that passes between it and its server."""
    _note_loop()
    connection = _begin(scope)
    if connection is None:
        return await application(scope, receive, send)
    connection.peer = getattr(send, "__self__", None)

    async def telling_receive() -> Any:
        connection.waiting = True
        try:
            event = await receive()
        finally:
            connection.waiting = False
        try:  # not by `harmless`, as below: every frame passes here
            _tell_received(connection, event)
        except Exception as error:
            tell_gap("_tell_received", error)
        return event

    async def telling_send(event: Any) -> Any:
        try:
            _tell_sent(connection, event)
        except Exception as error:
            tell_gap("_tell_sent", error)
        try:
            return await send(event)
        except Exception:
            _take_back(connection, event)
            raise

    token = state.connection.set(connection)
    failure: BaseException | None = None
    try:
        return await application(scope, telling_receive, telling_send)
    except BaseException as error:
        failure = error
        if isinstance(error, (Exception, SystemExit)):
            record_error(error)
        raise
    finally:
        _tell_left(connection, failure)
        failure = None  # or it would hold this frame, and this frame it
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


def _tell_received(connection: Connection, event: Any) -> None:
    kind = event["type"]
    if kind == "websocket.receive":
        add("in", {"conn": connection.number, **content(event)})
    elif kind == "websocket.disconnect" and not connection.closed:
        if connection.answered and not connection.refused and not connection.closing:
            end = ends.told(connection.peer, event.get("code", ends.NO_CODE))
            record("close", conn=connection.number, **end._asdict())
        connection.end()
    elif kind == "http.disconnect":
        connection.end_body(None if state.stopping else "client")


def _tell_sent(connection: Connection, event: Any) -> None:
    kind = event["type"]
    if connection.closed or connection.closing:
        return  # it never leaves
    if connection.protocol == "websocket" and connection.answered and ends.is_gone(connection.peer):
        return  # nor does this, though the application has not heard of it yet
    if kind == "websocket.send":
        if connection.answered:
            add("out", {"conn": connection.number, "call": calling(), **content(event)})
    elif kind == "websocket.accept":
        connection.answer(101)
    elif kind == "websocket.close":
        asked = number(event.get("code", 1000))
        connection.closing, connection.asked = True, asked
        if connection.answered:
            record("close", conn=connection.number, by="server", code=asked, reason=None)
        else:
            connection.answer(403)
    elif kind in ("http.response.start", "websocket.http.response.start"):
        connection.begin_body(event)
    elif kind == "http.response.body":
        connection.send_body(event)


@harmless
def _take_back(connection: Connection, event: Any) -> None:
    """Note that an answer was refused by the server. That it raised comes next in the record."""
    if event["type"] in (
        "http.response.start",
        "websocket.accept",
        "websocket.http.response.start",
    ):
        connection.answered = connection.refused = False


@harmless
def _tell_left(connection: Connection, error: BaseException | None) -> None:
    """Tell what the server does now, where the application has left a client waiting."""
    peer = connection.peer
    if connection.closed or connection.closing:
        return
    if connection.protocol == "http":
        if connection.answered:
            gone = ends.is_gone(peer) and not state.stopping
            connection.end_body("client" if gone else None)
        elif ends.library(peer) in ends.AFTER and not (ends.is_gone(peer) or state.stopping):
            connection.answer(500)
    elif not connection.refused:
        end = ends.left(peer, connection.answered, error)
        if isinstance(end, int):
            connection.answer(end)
        elif end:
            record("close", conn=connection.number, **end._asdict())
