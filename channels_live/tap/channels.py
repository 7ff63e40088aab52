"""Where the tap listens in Channels: what consumers do, and what passes the channel layer."""

from __future__ import annotations

import functools
import hashlib
import random
import threading
import time
from copy import deepcopy
from typing import Any

from channels_live.tap import asgi
from channels_live.tap.asgi import Connection, calling, short
from channels_live.tap.errors import record_error
from channels_live.tap.state import state
from channels_live.tap.wire import flush, record

LOOP = "the event loop"  # as the thread of a call
_METHODS = {  # the generic consumers hand on to these
    "websocket.connect": "connect",
    "websocket.receive": "receive",
    "websocket.disconnect": "disconnect",
}


class Call:
    """A message on its way through a consumer's dispatch."""

    def __init__(self, consumer: Any, message: Any) -> None:
        self.number = next(state.call_numbers)
        self.consumer = type(consumer)
        self.message = message if isinstance(message, dict) else {}
        self.mark = _mark_of(message)
        self.conn: int | None = None
        self.started: float | None = None
        state.calls.add(self.number)

    def start(self) -> None:
        """Record that the method starts, now and on this thread."""
        message, consumer = self.message, self.consumer
        self.message = {}  # a task that the method starts inherits this object
        kind = message.get("type", "")
        if not isinstance(kind, str):
            kind = repr(kind)
        handler = kind.replace(".", "_")
        if hasattr(consumer, _METHODS.get(kind, "")):
            handler = _METHODS[kind]
        code = text = None
        if connection := state.connection.get():
            self.conn, connection.has_consumer = connection.number, True
            connection.error = None
            if not connection.framed and isinstance(said := message.get("text"), str):
                text = short(said.encode(errors="replace"))
        if "code" in message and type(message["code"]) is int:
            code = message["code"]
        self.started = record(
            "call",
            conn=self.conn,
            call=self.number,
            consumer=consumer.__name__,
            handler=handler,
            known=hasattr(consumer, handler),
            type=kind,
            arg=code,
            text=text,
            message=self.mark,
            thread=state.threads.get(threading.get_ident()) or _thread_name(),
        )

    def end(self, error: BaseException | None = None) -> None:
        """Record that the method has ended, and by which exception."""
        if self.started is None:
            self.start()
        assert self.started is not None
        state.calls.discard(self.number)
        if error:
            record_error(error, self.number)
        seconds = time.monotonic() - self.started
        record("return", conn=self.conn, call=self.number, seconds=seconds)


def _thread_name() -> str:
    import asyncio

    try:
        asyncio.get_running_loop()
        name = LOOP
    except RuntimeError:
        name = f"thread {next(state.thread_numbers)}"
    state.threads[threading.get_ident()] = name
    return name


def _consume(method: Any) -> Any:
    async def consume(consumer: Any, scope: Any, receive: Any, send: Any) -> Any:
        if state.connection.get():
            return await method(consumer, scope, receive, send)
        # not served by daphne: a worker's channel, or a protocol of the project's own
        connection = Connection(scope["type"], None, None)
        connection.end()

        async def recorded_send(event: Any) -> None:
            if isinstance(text := event.get("text"), str):
                said = short(text.encode(errors="replace"))
                record("out", conn=connection.number, call=calling(), text=said)
            await send(event)

        token = state.connection.set(connection)
        try:
            return await method(consumer, scope, receive, recorded_send)
        finally:
            state.connection.reset(token)

    return consume


def _dispatch(method: Any) -> Any:
    async def dispatch(consumer: Any, message: Any) -> None:
        if state.loop is None:  # of a server that is not daphne
            import asyncio

            state.loop = asyncio.get_running_loop()
        call = Call(consumer, message)
        state.dispatching.set(call)
        try:
            await method(consumer, message)
        except BaseException as error:
            call.end(error if isinstance(error, Exception) else None)
            raise
        call.end()

    return dispatch


def _before_handler(function: Any) -> Any:
    async def before_handler() -> None:
        await function()
        # the last thing that dispatch waits for before it calls the method
        if call := state.dispatching.get():
            call.start()

    return before_handler


def _sync_dispatch(method: Any) -> Any:
    function = method.func  # it is a database_sync_to_async object

    def dispatch(consumer: Any, message: Any) -> None:
        call = Call(consumer, message)
        call.start()
        try:
            function(consumer, message)
        except Exception as error:
            call.end(error)
            raise
        call.end()

    method.func = dispatch
    return method


# --- the channel layer
#
# A message bears a mark from `send` or `group_send` to the call that it leads to, so the record
# tells which led to which. The project never sees it. The in-memory layer copies messages, and the
# mark goes with the copy; those of channels_redis put random bytes before each, which are the mark,
# or else it is made of the bytes themselves. With other layers there is none.

MOST_MARKS = 256  # of messages that have come and were not handled yet
_draw = random.Random().getrandbits  # a generator of our own: the project may have seeded the other


class _Marked(dict[str, Any]):
    """A message with a mark, on its way through the layer of one process."""

    mark = ""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Marked:
        copy = _marked(deepcopy(dict(self), memo), self.mark)
        memo[id(self)] = copy
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (dict(self),)  # whoever gets it from elsewhere does not know this class


def _marked(message: dict[str, Any], mark: str) -> _Marked:
    marked = _Marked(message)
    marked.mark = mark
    return marked


def _remember(message: Any, mark: str) -> None:
    state.marks[id(message)] = message, mark  # which lives as long, so that the number is its own
    if len(state.marks) > MOST_MARKS:
        state.marks.pop(next(iter(state.marks)), None)


def _mark_of(message: Any) -> str | None:
    """Return the mark of a message that is handled now, and hold the message no longer."""
    known, mark = state.marks.pop(id(message), (None, None))
    return mark if known is message else None


def _make_layer(wrapped: Any, manager: Any, args: Any, kwargs: Any) -> Any:
    from channels.layers import InMemoryChannelLayer

    layer = wrapped(*args, **kwargs)
    make_mark = _follow_in_memory if isinstance(layer, InMemoryChannelLayer) else _follow_in_redis
    mark = make_mark(layer)
    for op in ("send", "group_send", "group_add", "group_discard"):
        if method := getattr(layer, op, None):
            setattr(layer, op, _recorded(op, method, mark))
    return layer


def _follow_in_memory(layer: Any) -> Any:
    """Have a layer's messages marked; return a function: message → (message to send, mark)."""
    method = layer.receive

    @functools.wraps(method)
    async def receive(*args: Any, **kwargs: Any) -> Any:
        message = await method(*args, **kwargs)
        if type(message) is _Marked:
            mark, message = message.mark, dict(message)
            _remember(message, mark)
        return message

    layer.receive = receive
    state.receiving |= {receive.__code__, method.__code__}

    def mark(message: Any) -> tuple[Any, str | None]:
        if type(message) is not dict:
            return message, None
        mark = f"{_draw(64):016x}"
        return _marked(message, mark), mark

    return mark


def _follow_in_redis(layer: Any) -> Any:
    """The same for a layer of channels_redis, or for one that is not known."""
    if code := getattr(getattr(layer, "receive", None), "__code__", None):
        state.receiving.add(code)
    length = getattr(getattr(layer, "_serializer", None), "random_prefix_length", None)
    if type(length) is not int or not type(layer).__module__.startswith("channels_redis."):
        return lambda message: (message, None)
    write, read = layer.serialize, layer.deserialize

    def serialize(message: Any) -> Any:
        data, mark = write(message), state.in_layer.get()
        return bytes.fromhex(mark) + data[length:] if length and mark else data

    def deserialize(data: Any) -> Any:
        message = read(data)
        _remember(message, data[:length].hex() if length else _digest(data))
        return message

    def mark(message: Any) -> tuple[Any, str | None]:
        if length:
            return message, _draw(8 * length).to_bytes(length, "big").hex()
        try:
            return message, _digest(write(message))
        except Exception:
            return message, None  # it cannot be sent; the layer says so itself

    layer.serialize, layer.deserialize = serialize, deserialize
    return mark


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _recorded(op: str, method: Any, marked: Any) -> Any:
    sends = op in ("send", "group_send")

    @functools.wraps(method)  # a warning of a forgotten await has its name
    async def recorded(*args: Any, **kwargs: Any) -> Any:
        if state.in_layer.get() is not None:  # the in-memory layer sends to each member of a group
            return await method(*args, **kwargs)
        target = args[0] if args else kwargs.get("channel" if op == "send" else "group")
        message = args[1] if len(args) > 1 else kwargs.get("message")
        kind = message.get("type") if isinstance(message, dict) else None
        mark = None
        if sends:
            message, mark = marked(message)
            if len(args) > 1:
                args = (args[0], message, *args[2:])
            elif "message" in kwargs:
                kwargs["message"] = message
        connection = state.connection.get()
        record(
            "layer",
            conn=connection.number if connection else None,
            call=calling(),
            op=op,
            target=target if isinstance(target, str) else None,
            type=kind if isinstance(kind, str) else None,
            message=mark,
        )
        token = state.in_layer.set(mark or "")
        try:
            return await method(*args, **kwargs)
        finally:
            state.in_layer.reset(token)

    return recorded


async def _worker_handle(wrapped: Any, worker: Any, args: Any, kwargs: Any) -> Any:
    import asyncio

    state.loop = asyncio.get_running_loop()
    record("ready")
    flush()
    return await wrapped(*args, **kwargs)


WRAPPED: asgi.Hooks = {
    "channels.layers": {"ChannelLayerManager._make_backend": _make_layer},
    "channels.worker": {"Worker.handle": _worker_handle},
}
REPLACED: asgi.Hooks = {
    "channels.consumer": {
        "AsyncConsumer.__call__": _consume,
        "AsyncConsumer.dispatch": _dispatch,
        "SyncConsumer.dispatch": _sync_dispatch,
        "aclose_old_connections": _before_handler,
    },
}


def install() -> None:
    """Have Channels tell, as soon as it is imported."""
    asgi.wrap(WRAPPED)
    asgi.replace(REPLACED)
