"""Where the tap listens in Channels: what passes the channel layer.

A message bears a mark from `send` or `group_send` to the call that it leads to, so that one can
tell which led to which. The project never sees it. The in-memory layer copies messages, and the
mark goes with the copy; those of channels_redis put random bytes before each, which are the mark,
or else it is made of the bytes themselves. With other layers there is none.
"""

from __future__ import annotations

import functools
import os
from copy import deepcopy
from typing import Any

from channels_live.tap.asgi import calling
from channels_live.tap.state import state
from channels_live.tap.texts import cut, limited, plain
from channels_live.tap.wire import harmless, record

MOST_MARKS = 256  # of messages that have come and were not handled yet


class _Marked(dict):
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


def _unmarked(message: Any) -> Any:
    if type(message) is _Marked:
        mark, message = message.mark, dict(message)
        _remember(message, mark)
    return message


@harmless
def _remember(message: Any, mark: str) -> None:
    """Note the mark of a message, not the message: nobody may be left to handle it."""
    state.marks[id(message)] = mark, _type_of(message)
    if len(state.marks) > MOST_MARKS:
        state.marks.pop(next(iter(state.marks)), None)


@harmless
def mark_of(message: Any) -> str | None:
    """Return the mark of a message that has come from a layer; None if it has none."""
    mark, kind = state.marks.get(id(message), (None, None))
    # another may be where one was that is forgotten
    return mark if mark and kind == _type_of(message) else None


def _type_of(message: Any) -> str | None:
    return plain(message.get("type")) if isinstance(message, dict) else None


def make_layer(method: Any) -> Any:
    """Return a hook for what makes a channel layer: the layer tells what passes it."""

    def make(manager: Any, name: Any, config: Any) -> Any:
        layer = method(manager, name, config)
        _follow(layer)
        return layer

    return make


@harmless
def _follow(layer: Any) -> None:
    """Have a channel layer tell."""
    from channels.layers import InMemoryChannelLayer

    in_memory = isinstance(layer, InMemoryChannelLayer)
    mark = _follow_in_memory(layer) if in_memory else _follow_in_redis(layer)
    for op in ("send", "group_send", "group_add", "group_discard"):
        if method := getattr(layer, op, None):
            setattr(layer, op, _recorded(op, method, mark))


def _follow_in_memory(layer: Any) -> Any:
    """Have a layer's messages marked; return a function: message → (message to send, mark)."""
    method: Any = layer.receive

    async def receive(*args: Any, **kwargs: Any) -> Any:
        return _unmarked(await method(*args, **kwargs))

    state.receiving |= {receive.__code__, method.__code__}
    layer.receive = functools.update_wrapper(receive, method)

    def mark(message: Any) -> tuple[Any, str | None]:
        if type(message) is not dict:
            return message, None
        mark = os.urandom(8).hex()
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
        _remember_by(message, data, length)
        return message

    def mark(message: Any) -> tuple[Any, str | None]:
        if length:
            return message, os.urandom(length).hex()
        try:
            return message, _digest(write(message))
        except Exception:
            return message, None  # it cannot be sent; the layer says so itself

    layer.serialize, layer.deserialize = serialize, deserialize
    return mark


@harmless
def _remember_by(message: Any, data: Any, length: int) -> None:
    _remember(message, data[:length].hex() if length else _digest(data))


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.blake2b(data, digest_size=8).hexdigest()


@harmless
def _tell_op(op: str, marked: Any, args: Any, kwargs: Any) -> Any:
    """Record the use of a layer. Return the arguments to go on with, and the mark."""
    target = plain(args[0] if args else kwargs.get("channel" if op == "send" else "group"))
    message = args[1] if len(args) > 1 else kwargs.get("message")
    kind = plain(message.get("type")) if isinstance(message, dict) else None
    mark = None
    if op in ("send", "group_send"):
        message, mark = marked(message)
        if len(args) > 1:
            args = (args[0], message, *args[2:])
        elif "message" in kwargs:
            kwargs = {**kwargs, "message": message}
    connection = state.connection.get()
    if target is not None and "!" not in target:  # a group, or a channel that is somebody's own
        target = cut(target, connection.secrets if connection else ())
    record(
        "layer",
        conn=connection.number if connection else None,
        call=calling(),
        op=op,
        target=None if target is None else limited(target),
        type=None if kind is None else limited(kind),
        message=mark,
    )
    return args, kwargs, mark


def _recorded(op: str, method: Any, marked: Any) -> Any:
    # a warning of a forgotten await has its name; what pub/sub hands out is a partial without one
    @functools.wraps(getattr(method, "func", method))
    async def recorded(*args: Any, **kwargs: Any) -> Any:
        if state.in_layer.get() is not None:  # the in-memory layer sends to each member of a group
            return await method(*args, **kwargs)
        args, kwargs, mark = _tell_op(op, marked, args, kwargs) or (args, kwargs, None)
        token = state.in_layer.set(mark or "")
        try:
            return await method(*args, **kwargs)
        finally:
            state.in_layer.reset(token)

    return recorded
