"""What the hooks of any ASGI server need: a connection, and the application that serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import wrapt

from channels_live.tap.errors import record_error
from channels_live.tap.state import state
from channels_live.tap.wire import record

if TYPE_CHECKING:
    from asyncio import Queue

SHORT = 200  # characters of a text frame that are recorded

Application = Callable[..., Awaitable[Any]]
# what is wrapped: module → dotted name → the hook
Hooks = Mapping[str, Mapping[str, Callable[..., Any]]]


class Connection:
    """What the tap knows of one connection, to tell whether the server is done with it.

    protocol: websocket, http, or the type of a scope. method, path: of its request.
    """

    def __init__(self, protocol: str, method: str | None, path: str | None) -> None:
        self.number = next(state.numbers)
        self.protocol = protocol
        self.wire: Any = None  # daphne's protocol object, until it is closed
        self.framed = False  # its server tells of each frame
        self.queue: Queue[Any] | None = None  # what the application has not read, while it runs
        self.waiting = False  # the application waits for the next event
        self.failed = False  # ... has raised, and daphne has not dealt with it yet
        self.error: int | None = None  # the id() of an exception that is recorded
        self.answered = False
        self.refused = False
        self.has_consumer = False
        self.closed = False
        state.connections[self.number] = self
        record("open", conn=self.number, protocol=protocol, method=method, path=path)

    def answer(self, status: int) -> None:
        """Record the HTTP status that it is answered with; 101 accepts a WebSocket."""
        self.answered, self.refused = True, status != 101
        record("answer", conn=self.number, status=status)
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

    def busy(self) -> bool:
        """Tell whether the server has something of it in hand."""
        queue = self.queue
        if self.ending() or queue is not None and not (self.waiting and queue.empty()):
            return True
        return self.protocol == "http" and not self.answered and not self.closed

    def ending(self) -> bool:
        """Tell whether it is about to end, which takes the server no more than a second."""
        wire = self.wire  # another thread may take it away
        if self.failed or self.protocol == "http" or wire is None:
            return self.failed
        # between a close frame and the end of the TCP connection
        return wire.state == wire.STATE_CLOSING or wire.remoteCloseCode is not None

    def _leave(self) -> None:
        # Whatever happens last, each end of a connection passes here, and nowhere else.
        if self.closed and not self.failed and self.queue is None:
            state.connections.pop(self.number, None)


def watched(application: Application) -> Application:
    """Return an ASGI application that notes what the application does with its connection."""

    async def watched_application(scope: Any, receive: Any, send: Any) -> Any:
        connection = state.connection.get()
        if connection is None:
            return await application(scope, receive, send)
        connection.queue = receive.__self__

        async def waiting_receive() -> Any:
            connection.waiting = True
            try:
                return await receive()
            finally:
                connection.waiting = False

        try:
            return await application(scope, waiting_receive, send)
        except Exception as error:
            connection.failed = True
            record_error(error)
            raise
        finally:
            connection.leave_application()

    return watched_application


def calling() -> int | None:
    """Return the number of the call that led to what happens here, which may have ended, or None.

    A task that a call has started is led to by that call.
    """
    call = state.dispatching.get()
    return call.number if call else None


def short(payload: bytes) -> str:
    """Return a text frame as it is recorded."""
    text = payload[: 4 * SHORT].decode(errors="replace")
    return text if len(payload) <= SHORT else f"{text[:SHORT]}… ({len(payload):,} bytes)"


def wrap(hooks: Hooks) -> None:
    """Have methods wrapped as soon as their module is imported.

    hooks: wrapt calls each with the method, its object, and the arguments.
    """
    for module, methods in hooks.items():
        wrapt.register_post_import_hook(_each(methods, wrapt.wrap_function_wrapper), module)


def replace(hooks: Hooks) -> None:
    """Have methods replaced as soon as their module is imported: for what every frame passes,
    where wrapt takes longer than what the hook does.

    hooks: each is called with the method, and returns what takes its place.
    """
    for module, methods in hooks.items():
        wrapt.register_post_import_hook(_each(methods, _replace), module)


def _each(
    methods: Mapping[str, Callable[..., Any]], install: Callable[[Any, str, Any], Any]
) -> Callable[[Any], None]:
    def hook(module: Any) -> None:
        for name, wrapper in methods.items():
            install(module, name, wrapper)

    return hook


def _replace(module: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    *owners, name = name.split(".")
    for owner in owners:
        module = getattr(module, owner)
    # as it stands in its class; some methods are objects that bind themselves
    method = vars(module)[name] if name in vars(module) else getattr(module, name)
    setattr(module, name, wrapper(method))
