"""A call of a consumer's method, as the record tells of it."""

from __future__ import annotations

import functools
import threading
import time
import weakref
from typing import Any

from channels_live.tap.errors import record_error
from channels_live.tap.layers import mark_of
from channels_live.tap.state import state
from channels_live.tap.texts import limited, name_of, number, plain, short
from channels_live.tap.wire import add, tell_gap

_mro, _module = type.__dict__["__mro__"].__get__, type.__dict__["__module__"].__get__
LOOP = "the event loop"  # as the thread of a call
_METHODS = {  # the generic consumers hand on to these
    "websocket.connect": "connect",
    "websocket.receive": "receive",
    "websocket.disconnect": "disconnect",
}

# what of a call does not change from one message of a type to the next: fields of the event
Method = dict[str, Any]
_NO_METHOD: Method = {"consumer": "", "owner": "", "handler": "", "known": False}


class Call:
    """A message on its way through a consumer's dispatch. It holds neither of them."""

    __slots__ = ("code", "conn", "kind", "mark", "method", "number", "started", "text")

    def __init__(self, consumer: Any, message: Any) -> None:
        self.number = next(state.call_numbers)
        self.conn: int | None = None
        self.started: float | None = None
        self.kind, self.method = "", _NO_METHOD
        self.code: int | None = None
        self.text: str | None = None
        self.mark = mark_of(message) if state.marks else None
        try:  # in one piece: every frame passes here
            message = message if isinstance(message, dict) else {}
            kind = message.get("type", "")
            self.kind = limited(plain(kind) or repr(kind))
            self.method = _method_for(type(consumer), self.kind)
            if (code := message.get("code")) is not None:
                self.code = number(code)
            if (text := plain(message.get("text"))) is not None:
                self.text = short(text)
        except Exception as error:
            tell_gap("Call", error)

    def start(self) -> None:
        """Record that the method starts, now and on this thread, if it is not told yet."""
        if self.started is not None:
            return
        self.started = time.monotonic()
        state.calls.add(self.number)
        text = self.text
        if connection := state.connection.get():
            self.conn, connection.has_consumer = connection.number, True
            connection.error = None
            text = None if connection.framed else text
        self.text = None  # a task that the method starts inherits this object
        fields = {
            **self.method,
            "conn": self.conn,
            "call": self.number,
            "type": self.kind,
            "arg": self.code,
            "text": text,
            "message": self.mark,
            "thread": state.threads.get(threading.get_ident()) or _thread_name(),
        }
        self.started = add("call", fields)

    def end(self, error: BaseException | None = None) -> None:
        """Record that the method has ended, and by which exception."""
        self.start()
        state.calls.discard(self.number)
        assert self.started is not None
        if error:
            record_error(error, self.number)
        seconds = time.monotonic() - self.started
        add("return", {"conn": self.conn, "call": self.number, "seconds": seconds})


class OwnDispatch(Call):
    """A message on its way through a dispatch of the project's own.

    It is told where that does something by itself, and hands the message on to no method.
    """

    __slots__ = ()

    def __init__(self, consumer: Any, message: Any) -> None:
        super().__init__(consumer, message)
        self.method = _method_for(type(consumer), "dispatch")

    def leave(self, error: BaseException | None) -> None:
        """Note that the dispatch has ended, and by which exception."""
        if self.started is not None or state.dispatching.get() is self:
            self.end(error)
        else:
            self.started = 0.0  # never: what it has begun may still send


def dispatches(consumer: Any) -> bool:
    """Tell whether a consumer has a dispatch of the project's own."""
    owner = _owner(type(consumer), "dispatch")
    return bool(owner) and not (plain(_module(owner)) or "").startswith("channels.")


def _method_for(consumer: type, kind: str) -> Method:
    """Return the method of a consumer for messages of this type: looked for once, if it is there.

    What was found goes with its class, which is not kept alive.
    """
    entry = state.methods.get(id(consumer))
    if entry is None or entry[0]() is not consumer:
        forget = functools.partial(_forget_methods, id(consumer))
        entry = state.methods[id(consumer)] = weakref.ref(consumer, forget), {}
    if (method := entry[1].get(kind)) is None:
        method = _look_for_method(consumer, kind)
        if _owner(consumer, method["handler"]):  # __getattr__ may take any type
            entry[1][kind] = method
    return method


def _forget_methods(number: int, _: Any) -> None:
    state.methods.pop(number, None)


def _look_for_method(consumer: type, kind: str) -> Method:
    direct = kind.replace(".", "_")
    owner = _owner(consumer, *filter(None, [_METHODS.get(kind), direct]))
    handler = _METHODS.get(kind, direct) if owner else direct
    if owner and handler not in owner.__dict__:
        handler = direct  # a class of the project's has put its own in place of the generic one
    known = bool(owner or _owner(consumer, "__getattr__"))
    module = plain(_module(owner or consumer)) or ""
    if owner is None or module.startswith("channels."):
        owner, module = consumer, plain(_module(consumer)) or ""
    owned = limited(f"{module}.{name_of(owner)}")
    return {"consumer": name_of(consumer), "owner": owned, "handler": handler, "known": known}


def _owner(kind: type, *names: str) -> type | None:
    """Return the class from which a class has something of such a name, without asking it."""
    for base in _mro(kind):
        if any(name in base.__dict__ for name in names):
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
