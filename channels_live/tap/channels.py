"""Where the tap listens in Channels: what consumers do."""

from __future__ import annotations

import functools
from typing import Any

from channels_live.tap import hooks
from channels_live.tap.asgi import SERVED, Connection, calling
from channels_live.tap.calls import Call, OwnDispatch, dispatches
from channels_live.tap.hooks import Hooks
from channels_live.tap.layers import make_layer
from channels_live.tap.served import serve
from channels_live.tap.state import state
from channels_live.tap.texts import plain, short
from channels_live.tap.wire import flush, harmless, record, tell_gap

# --- consumers


def _begin(consumer: Any, message: Any) -> Call | None:
    try:  # not by `harmless`, as below: every message passes here
        if state.loop is None:  # of a server that is not known
            import asyncio

            state.loop = asyncio.get_running_loop()
        call = Call(consumer, message)
        state.calls.add(call.number)
        state.dispatching.set(call)
        return call
    except Exception as error:
        tell_gap("_begin", error)
        return None


@harmless
def _begin_sync(consumer: Any, message: Any) -> Call:
    call = Call(consumer, message)
    state.dispatching.set(call)  # in the context of this call's thread
    call.start()
    return call


def _start(call: Call | None) -> None:
    try:
        if call:
            call.start()
    except Exception as failure:
        tell_gap("_start", failure)


def _end(call: Call | None, error: BaseException | None = None) -> None:
    try:
        if call:
            call.end(error)
    except Exception as failure:
        tell_gap("_end", failure)


@harmless
def _begin_connection(scope: Any) -> Connection:
    connection = Connection(plain(scope["type"]) or "", None, None)
    connection.end()
    return connection


@harmless
def _tell_sent(connection: Connection, event: Any) -> None:
    if (text := plain(event.get("text"))) is not None:
        record("out", conn=connection.number, call=calling(), text=short(text))


def _consume(method: Any) -> Any:
    async def consume(consumer: Any, scope: Any, receive: Any, send: Any) -> Any:
        if state.connection.get():
            return await method(consumer, scope, receive, send)
        if scope.get("type") in SERVED:  # by a test, or a server that is not known
            return await serve(functools.partial(method, consumer), scope, receive, send)
        # a worker's channel, or a protocol of the project's own
        connection = _begin_connection(scope)

        async def recorded_send(event: Any) -> Any:
            if connection:
                _tell_sent(connection, event)
            return await send(event)

        token = state.connection.set(connection)
        try:
            return await method(consumer, scope, receive, recorded_send)
        finally:
            state.connection.reset(token)

    return consume


def _dispatch(method: Any) -> Any:
    # before Channels 4.2 nothing is between this and the method
    return _called(method, at_once="aclose_old_connections" not in method.__globals__)


def _await_many_dispatch(method: Any) -> Any:
    async def await_many_dispatch(callables: Any, dispatch: Any) -> Any:
        return await method(callables, _followed(dispatch) or dispatch)

    return await_many_dispatch


@harmless
def _followed(dispatch: Any) -> Any:
    """Return a consumer's dispatch, which tells what it does if it is the project's own."""
    consumer = getattr(dispatch, "__self__", None)
    if consumer is None or not dispatches(consumer):
        return dispatch

    async def followed(message: Any) -> Any:
        call = _begin_own(consumer, message)
        try:
            result = await dispatch(message)
        except BaseException as error:
            _leave_own(call, error)
            raise
        _leave_own(call)
        return result

    return followed


@harmless
def _begin_own(consumer: Any, message: Any) -> OwnDispatch:
    call = OwnDispatch(consumer, message)
    state.dispatching.set(call)
    return call


@harmless
def _leave_own(call: OwnDispatch | None, error: BaseException | None = None) -> None:
    if call:
        call.leave(error)


def _handler(method: Any) -> Any:
    called = _called(method, at_once=True)

    def handler(consumer: Any, message: Any) -> Any:  # no coroutine: every frame passes here
        call = state.dispatching.get()
        if call and call.number in state.calls:
            return method(consumer, message)
        return called(consumer, message)  # a dispatch of the project's own left Channels' out

    return handler


def _called(method: Any, at_once: bool) -> Any:
    async def dispatch(consumer: Any, message: Any) -> Any:
        call = _begin(consumer, message)
        if at_once:
            _start(call)
        try:
            result = await method(consumer, message)
        except BaseException as error:
            _end(call, error)
            raise
        _end(call)
        return result

    return dispatch


def _before_handler(function: Any) -> Any:
    async def before_handler() -> Any:
        result = await function()
        # the last thing that dispatch waits for before it calls the method
        _start(state.dispatching.get())
        return result

    return before_handler


def _sync_dispatch(method: Any) -> Any:
    function = method.func  # it is a database_sync_to_async object

    @functools.wraps(function)
    def dispatch(consumer: Any, message: Any) -> Any:
        call = _begin_sync(consumer, message)
        try:
            result = function(consumer, message)
        except BaseException as error:
            _end(call, error)
            raise
        _end(call)
        return result

    method.func = dispatch
    return method


def _handle(method: Any) -> Any:
    async def handle(worker: Any, *args: Any, **kwargs: Any) -> Any:
        _tell_ready()
        return await method(worker, *args, **kwargs)

    return handle


@harmless
def _tell_ready() -> None:
    import asyncio

    state.loop = asyncio.get_running_loop()
    record("ready")
    flush()


HOOKS: Hooks = {
    "channels.consumer": {
        "AsyncConsumer.__call__": _consume,
        "AsyncConsumer.dispatch": _dispatch,
        "await_many_dispatch": _await_many_dispatch,
        "SyncConsumer.dispatch": _sync_dispatch,
        "aclose_old_connections": _before_handler,  # since Channels 4.2
    },
    "channels.generic.websocket": {
        "AsyncWebsocketConsumer.websocket_connect": _handler,
        "AsyncWebsocketConsumer.websocket_receive": _handler,
        "AsyncWebsocketConsumer.websocket_disconnect": _handler,
    },
    "channels.layers": {"ChannelLayerManager._make_backend": make_layer},
    "channels.worker": {"Worker.handle": _handle},
}


def install() -> None:
    """Have Channels tell, as soon as it is imported."""
    hooks.install(HOOKS)
