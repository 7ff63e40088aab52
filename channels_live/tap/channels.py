"""Where the tap listens in Channels: what consumers do."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

from channels_live.tap import hooks
from channels_live.tap.asgi import Connection, calling
from channels_live.tap.errors import record_error
from channels_live.tap.hooks import Hooks
from channels_live.tap.layers import make_layer, mark_of
from channels_live.tap.state import state
from channels_live.tap.texts import limited, name_of, plain, short
from channels_live.tap.wire import flush, harmless, record, tell_gap

_mro, _module = type.__dict__["__mro__"].__get__, type.__dict__["__module__"].__get__
LOOP = "the event loop"  # as the thread of a call
_METHODS = {  # the generic consumers hand on to these
    "websocket.connect": "connect",
    "websocket.receive": "receive",
    "websocket.disconnect": "disconnect",
}


# --- consumers


class Call:
    """A message on its way through a consumer's dispatch. It holds neither of them."""

    def __init__(self, consumer: Any, message: Any) -> None:
        self.number = next(state.call_numbers)
        self.conn: int | None = None
        self.started: float | None = None
        self.kind, self.handler, self.known = "", "", False
        self.code: int | None = None
        self.text: str | None = None
        self.consumer, self.owner = name_of(type(consumer)), ""
        self.mark = mark_of(message)
        try:
            self._read(type(consumer), message)
        except Exception as error:
            tell_gap("Call", error)
        state.calls.add(self.number)

    def _read(self, consumer: type, message: Any) -> None:
        message = message if isinstance(message, dict) else {}
        kind = message.get("type", "")
        self.kind = limited(plain(kind) or repr(kind))
        method = _METHODS.get(self.kind)
        if method and (owner := _owner(consumer, method)):
            self.handler, self.known = method, True
        else:
            self.handler = self.kind.replace(".", "_")
            owner = _owner(consumer, self.handler)
            self.known = bool(owner or _owner(consumer, "__getattr__"))
        module = plain(_module(owner or consumer)) or ""
        if owner is None or module.startswith("channels."):
            owner, module = consumer, plain(_module(consumer)) or ""
        self.owner = limited(f"{module}.{name_of(owner)}")
        if type(code := message.get("code")) is int:
            self.code = code
        if (text := plain(message.get("text"))) is not None:
            self.text = short(text)

    def start(self) -> None:
        """Record that the method starts, now and on this thread."""
        if self.started is not None:
            return
        self.started = time.monotonic()
        text = self.text
        if connection := state.connection.get():
            self.conn, connection.has_consumer = connection.number, True
            connection.error = None
            text = None if connection.framed else text
        self.text = None  # a task that the method starts inherits this object
        self.started = record(
            "call",
            conn=self.conn,
            call=self.number,
            consumer=self.consumer,
            owner=self.owner,
            handler=self.handler,
            known=self.known,
            type=self.kind,
            arg=self.code,
            text=text,
            message=self.mark,
            thread=state.threads.get(threading.get_ident()) or _thread_name(),
        )

    def end(self, error: BaseException | None = None) -> None:
        """Record that the method has ended, and by which exception."""
        state.calls.discard(self.number)
        self.start()
        assert self.started is not None
        if error:
            record_error(error, self.number)
        seconds = time.monotonic() - self.started
        record("return", conn=self.conn, call=self.number, seconds=seconds)


def _owner(kind: type, name: str) -> type | None:
    """Return the class from which a class has something of this name, without asking it."""
    for base in _mro(kind):
        if name in base.__dict__:
            return base
    return None


def _thread_name() -> str:
    import asyncio

    try:
        asyncio.get_running_loop()
        name = LOOP
    except RuntimeError:
        name = f"thread {next(state.thread_numbers)}"
    state.threads[threading.get_ident()] = name
    return name


@harmless
def _begin(consumer: Any, message: Any) -> Call:
    if state.loop is None:  # of a server that is not known
        import asyncio

        state.loop = asyncio.get_running_loop()
    call = Call(consumer, message)
    state.dispatching.set(call)
    return call


@harmless
def _begin_sync(consumer: Any, message: Any) -> Call:
    call = Call(consumer, message)
    state.dispatching.set(call)  # in the context of this call's thread
    call.start()
    return call


@harmless
def _start(call: Call | None) -> None:
    if call:
        call.start()


@harmless
def _end(call: Call | None, error: BaseException | None = None) -> None:
    if call:
        call.end(error)


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
        # served by no server: a worker's channel, a test, or a protocol of the project's own
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
    at_once = "aclose_old_connections" not in method.__globals__

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
        "SyncConsumer.dispatch": _sync_dispatch,
        "aclose_old_connections": _before_handler,  # since Channels 4.2
    },
    "channels.layers": {"ChannelLayerManager._make_backend": make_layer},
    "channels.worker": {"Worker.handle": _handle},
}


def install() -> None:
    """Have Channels tell, as soon as it is imported."""
    hooks.install(HOOKS)
