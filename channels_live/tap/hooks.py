"""The places in daphne, Channels and Django where the tap listens.

Each function wraps one method and calls the original in the same way. They are put in place when
their module is imported, so that a server pays only for what it uses. Those that every frame
passes do without wrapt, which takes longer than what they do.
"""

import asyncio
import errno
import functools
import itertools
import threading
import time
from contextvars import ContextVar

import wrapt

from channels_live.tap import flush, record, record_crash, where

SHORT = 200  # characters of a text frame that are recorded

_current = ContextVar("channels_live_connection", default=None)
_dispatching = ContextVar("channels_live_dispatching", default=None)
_in_layer = ContextVar("channels_live_in_layer", default=False)
_connections = {}  # those that may still be busy, by number
_numbers = itertools.count(1)
_call_numbers = itertools.count(1)
_calls_running = set()
_threads = {}  # thread ident → its name in the record
_loop = None
_listening = threading.Event()
_broken = threading.Event()
_watching = threading.Event()
_stopping = threading.Event()


class Connection:
    """What the tap knows of one connection, to tell whether the server is done with it."""

    def __init__(self, protocol, method, path):
        self.number = next(_numbers)
        self.protocol = protocol
        self.wire = None  # daphne's protocol object
        self.queue = None  # what the application has not read yet
        self.waiting = False  # the application waits for the next event
        self.done = False  # the application has returned
        self.failed = False  # ... by an exception that daphne has not dealt with
        self.answered = False
        self.refused = False
        self.has_consumer = False
        self.closed = False
        _connections[self.number] = self
        record("open", conn=self.number, protocol=protocol, method=method, path=path)

    def answer(self, status):
        self.answered, self.refused, self.failed = True, status != 101, False
        record("answer", conn=self.number, status=status)

    def end(self):
        self.closed = True

    def busy(self):
        if self.failed or (self.queue is not None and not self.done and not self._idle()):
            return True
        if self.protocol == "http":
            return not self.answered and not self.closed
        if self.wire is None or self.closed:
            return False
        # between a close frame and the end of the TCP connection
        return self.wire.state == self.wire.STATE_CLOSING or self.wire.remoteCloseCode is not None

    def _idle(self):
        return self.waiting and self.queue.empty()

    def finished(self):
        return self.closed and not self.failed and (self.done or self.queue is None)


def _number():
    connection = _current.get()
    return connection.number if connection else None


# --- daphne


def _server_init(wrapped, server, args, kwargs):
    global _loop
    from daphne.server import twisted_loop

    _loop = twisted_loop
    wrapped(*args, **kwargs)
    server.application = _watched(server.application)


def _watched(application):
    async def watched(scope, receive, send):
        connection = _current.get()
        connection.queue = receive.__self__

        async def waiting_receive():
            connection.waiting = True
            try:
                return await receive()
            finally:
                connection.waiting = False

        try:
            return await application(scope, waiting_receive, send)
        except Exception as error:
            connection.failed = True
            _record_error(error)
            raise
        finally:
            connection.done = True

    return watched


def _create_application(wrapped, server, args, kwargs):
    protocol, scope = args
    path = scope["raw_path"].decode("ascii", "replace")
    if scope["query_string"]:
        path += "?" + scope["query_string"].decode("ascii", "replace")
    connection = Connection(scope["type"], scope.get("method", "GET"), path)
    connection.wire = protocol
    protocol.tap = connection
    token = _current.set(connection)  # inherited by the task that runs the application
    try:
        return wrapped(*args, **kwargs)
    finally:
        _current.reset(token)


def _kill_all(wrapped, server, args, kwargs):
    _stopping.set()
    return wrapped(*args, **kwargs)


def _application_checker(wrapped, server, args, kwargs):
    wrapped(*args, **kwargs)  # once a second: logs exceptions, and tells the clients of them
    for connection in list(_connections.values()):
        connection.failed = connection.failed and not connection.done


def _listen_success(wrapped, server, args, kwargs):
    wrapped(*args, **kwargs)
    for host, port in server.listening_addresses:
        record("listening", host=host, port=port)
    flush()  # somebody waits for it
    _listening.set()


def _listen_error(wrapped, server, args, kwargs):
    error = args[0].value
    wrapped(*args, **kwargs)
    taken = getattr(getattr(error, "socketError", None), "errno", None) == errno.EADDRINUSE
    record_crash(error, port_taken=taken)


def _on_open(wrapped, protocol, args, kwargs):
    protocol.tap.answer(101)
    wrapped(*args, **kwargs)


def _record_frames(kind, wrapped):
    def recording(protocol, payload, binary=False, **options):
        if binary:
            record(kind, conn=protocol.tap.number, size=len(payload))
        else:
            record(kind, conn=protocol.tap.number, text=_short(payload))
        wrapped(protocol, payload, binary, **options)

    return recording


def _short(payload):
    text = payload[: 4 * SHORT].decode(errors="replace")
    return text if len(payload) <= SHORT else f"{text[:SHORT]}… ({len(payload):,} bytes)"


def _send_close_frame(wrapped, protocol, args, kwargs):
    connection = getattr(protocol, "tap", None)
    if connection and not (kwargs.get("isReply") or len(args) > 2 and args[2]):
        code = kwargs.get("code", args[0] if args else None)
        connection.failed = False
        record("close", conn=connection.number, by="server", code=code, reason=None)
    wrapped(*args, **kwargs)


def _send_http_error(wrapped, protocol, args, kwargs):
    if connection := getattr(protocol, "tap", None):
        connection.answer(args[0])
    wrapped(*args, **kwargs)


def _on_close(wrapped, protocol, args, kwargs):
    connection = getattr(protocol, "tap", None)
    if connection:
        clean, code, _ = args
        if clean:
            if not protocol.closedByMe:
                record("close", conn=connection.number, by="client", code=code, reason=None)
        elif connection.refused:
            pass
        elif _stopping.is_set():
            reason = "the server stopped"
            record("close", conn=connection.number, by="server", code=None, reason=reason)
        elif protocol.droppedByMe:
            reason = protocol.wasNotCleanReason.partition("connection: ")[2]
            if protocol.wasMaxMessagePayloadSizeExceeded or protocol.wasMaxFramePayloadSizeExceeded:
                record("in", conn=connection.number, refused=reason)
                reason = None
            record("close", conn=connection.number, by="server", code=None, reason=reason)
        elif not protocol.closedByMe:
            record("close", conn=connection.number, by="client", code=None, reason=None)
        connection.end()
    wrapped(*args, **kwargs)


def _http_reply(wrapped, request, args, kwargs):
    message, connection = args[0], getattr(request, "tap", None)
    wrapped(*args, **kwargs)
    if connection is None or connection.closed:
        return
    if message["type"] == "http.response.start":
        connection.answer(message["status"])
        return
    if (body := message.get("body")) and connection.has_consumer:
        record("out", conn=connection.number, text=_short(body))
    if not message.get("more_body"):
        record("end", conn=connection.number)
        connection.end()


def _http_lost(wrapped, request, args, kwargs):
    if connection := getattr(request, "tap", None):
        connection.end()
    wrapped(*args, **kwargs)


def _hook_daphne(module):
    from daphne.ws_protocol import WebSocketProtocol

    WebSocketProtocol.onMessage = _record_frames("in", WebSocketProtocol.onMessage)
    WebSocketProtocol.sendMessage = _record_frames("out", WebSocketProtocol.sendMessage)
    for name, wrapper in {
        "Server.__init__": _server_init,
        "Server.create_application": _create_application,
        "Server.application_checker": _application_checker,
        "Server.kill_all_applications": _kill_all,
        "Server.listen_success": _listen_success,
        "Server.listen_error": _listen_error,
    }.items():
        wrapt.wrap_function_wrapper(module, name, wrapper)
    for name, wrapper in {
        "onOpen": _on_open,
        "onClose": _on_close,
        "sendCloseFrame": _send_close_frame,
        "sendHttpErrorResponse": _send_http_error,
    }.items():
        wrapt.wrap_function_wrapper(WebSocketProtocol, name, wrapper)
    wrapt.wrap_function_wrapper("daphne.http_protocol", "WebRequest.handle_reply", _http_reply)
    wrapt.wrap_function_wrapper("daphne.http_protocol", "WebRequest.connectionLost", _http_lost)


# --- Channels

_METHODS = {
    "websocket.connect": "connect",
    "websocket.receive": "receive",
    "websocket.disconnect": "disconnect",
}


@functools.cache
def _handler(consumer, kind):
    """Return the name of a consumer class's method for a type of message, and if it has one."""
    name = kind.replace(".", "_")
    if hasattr(consumer, _METHODS.get(kind, "")):  # the generic consumers hand on to these
        name = _METHODS[kind]
    return name, hasattr(consumer, name)


class _Call:
    """A message on its way through a consumer's dispatch."""

    def __init__(self, consumer, message):
        self.number = next(_call_numbers)
        self.consumer, self.message = consumer, message
        self.started = None
        _calls_running.add(self.number)

    def start(self):
        """Record that the method starts, now and on this thread."""
        consumer, kind = type(self.consumer), self.message.get("type", "")
        handler, known = _handler(consumer, kind)
        self.connection = _current.get()
        self.connection.has_consumer = True
        self.started = record(
            "call",
            conn=self.connection.number,
            call=self.number,
            consumer=consumer.__name__,
            handler=handler,
            known=known,
            type=kind,
            arg=self.message.get("code"),
            text=self.message.get("text") if self.connection.wire is None else None,
            thread=_threads.get(threading.get_ident()) or _thread_name(),
        )

    def end(self, error=None):
        if self.started is None:
            self.start()
        _calls_running.discard(self.number)
        if error:
            _record_error(error, self.number)
        seconds = time.monotonic() - self.started
        record("return", conn=self.connection.number, call=self.number, seconds=seconds)


def _thread_name():
    try:
        asyncio.get_running_loop()
        name = "the event loop"
    except RuntimeError:
        workers = sum(name != "the event loop" for name in _threads.values())
        name = f"thread {workers + 1}"
    _threads[threading.get_ident()] = name
    return name


def _record_error(error, call=None):
    # An exception is told once: by the consumer it left, not again by the application around it.
    from channels.exceptions import StopConsumer

    if isinstance(error, StopConsumer) or getattr(error, "_channels_live_told", False):
        return
    error._channels_live_told = True
    file, line = where(error)
    record(
        "error",
        conn=_number(),
        call=call,
        type=type(error).__name__,
        message=str(error),
        file=file,
        line=line,
    )


def _hook_consumer(module):
    module.AsyncConsumer.__call__ = _consume(module.AsyncConsumer.__call__)
    module.AsyncConsumer.dispatch = _async_dispatch(module.AsyncConsumer.dispatch)
    module.aclose_old_connections = _before_handler(module.aclose_old_connections)
    sync_dispatch = vars(module.SyncConsumer)["dispatch"]  # a database_sync_to_async object
    sync_dispatch.func = _sync_dispatch(sync_dispatch.func)


def _consume(wrapped):
    async def consume(consumer, scope, receive, send):
        if _current.get():
            return await wrapped(consumer, scope, receive, send)
        # not served by daphne: a worker's channel, or a protocol of the project's own
        connection = Connection(scope["type"], None, None)
        connection.closed = True

        async def recorded_send(event):
            if isinstance(event.get("text"), str):
                record("out", conn=connection.number, text=_short(event["text"].encode()))
            await send(event)

        token = _current.set(connection)
        try:
            return await wrapped(consumer, scope, receive, recorded_send)
        finally:
            _current.reset(token)

    return consume


def _async_dispatch(wrapped):
    async def dispatch(consumer, message):
        global _loop
        _loop = _loop or asyncio.get_running_loop()  # of a server that is not daphne
        call = _Call(consumer, message)
        _dispatching.set(call)
        try:
            await wrapped(consumer, message)
        except BaseException as error:
            call.end(error if isinstance(error, Exception) else None)
            raise
        call.end()

    return dispatch


def _before_handler(wrapped):
    async def before_handler():
        await wrapped()
        # the last thing that dispatch waits for before it calls the method
        if call := _dispatching.get():
            call.start()

    return before_handler


def _sync_dispatch(function):
    def dispatch(consumer, message):
        call = _Call(consumer, message)
        call.start()
        try:
            function(consumer, message)
        except Exception as error:
            call.end(error)
            raise
        call.end()

    return dispatch


def _make_layer(wrapped, manager, args, kwargs):
    layer = wrapped(*args, **kwargs)
    for op in ("send", "group_send", "group_add", "group_discard"):
        if method := getattr(layer, op, None):
            setattr(layer, op, _recorded(op, method))
    return layer


def _recorded(op, method):
    @functools.wraps(method)  # a warning of a forgotten await has its name
    async def recorded(*args, **kwargs):
        if _in_layer.get():  # the in-memory layer sends to each member of a group
            return await method(*args, **kwargs)
        target = args[0] if args else kwargs.get("channel" if op == "send" else "group")
        message = args[1] if len(args) > 1 else kwargs.get("message")
        kind = message.get("type") if isinstance(message, dict) else None
        record("layer", conn=_number(), op=op, target=target, type=kind)
        token = _in_layer.set(True)
        try:
            return await method(*args, **kwargs)
        finally:
            _in_layer.reset(token)

    return recorded


async def _worker_handle(wrapped, worker, args, kwargs):
    global _loop
    _loop = asyncio.get_running_loop()
    record("ready")
    flush()
    return await wrapped(*args, **kwargs)


# --- Django's own server, before daphne takes its place


def _wsgi_run(wrapped, instance, args, kwargs):
    address, port, handler, *rest = args
    tell = kwargs.get("on_bind")

    def on_bind(bound_port):
        if tell:
            tell(bound_port)
        record("listening", host=address, port=int(bound_port))
        flush()
        _listening.set()

    kwargs["on_bind"] = on_bind
    try:
        return wrapped(address, port, _watched_wsgi(handler), *rest, **kwargs)
    except OSError as error:
        record_crash(error, port_taken=error.errno == errno.EADDRINUSE)
        raise


def _watched_wsgi(handler):
    def watched(environ, start_response):
        query = environ.get("QUERY_STRING")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        upgrade = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        kind = "websocket" if upgrade else "http"
        connection = Connection(kind, environ["REQUEST_METHOD"], path)

        def answer(status, *args, **kwargs):
            connection.answer(int(status.split()[0]))
            connection.end()
            return start_response(status, *args, **kwargs)

        return handler(environ, answer)

    return watched


def _snapshot_files(wrapped, reloader, args, kwargs):
    # The reloader misses a change in a file that it has not seen before. Tell when it has seen
    # all that the server has loaded.
    loaded = _listening.is_set() or _broken.is_set()
    yield from wrapped(*args, **kwargs)
    if loaded and not _watching.is_set():
        _watching.set()
        record("watching")


def _check_errors(wrapped, instance, args, kwargs):
    # runserver's reloader outlives a broken file and waits for it to change: tell of it at once
    function = wrapped(*args, **kwargs)  # notes which file to watch

    def telling(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            record_crash(error)
            _broken.set()
            raise

    return telling


def _execute(wrapped, command, args, kwargs):
    # what a command complains of it prints without the exception, and then it exits
    try:
        return wrapped(*args, **kwargs)
    except Exception as error:
        record_crash(error)
        raise


def _hook_autoreload(module):
    wrapt.wrap_function_wrapper(module, "check_errors", _check_errors)
    wrapt.wrap_function_wrapper(module, "StatReloader.snapshot_files", _snapshot_files)


# ---


def install():
    """Have every hook put in place as soon as its module is imported."""
    for module, hook in {
        "daphne.server": _hook_daphne,
        "channels.consumer": _hook_consumer,
        "channels.layers": _patch("ChannelLayerManager._make_backend", _make_layer),
        "channels.worker": _patch("Worker.handle", _worker_handle),
        "django.core.servers.basehttp": _patch("run", _wsgi_run),
        "django.core.management.base": _patch("BaseCommand.execute", _execute),
        "django.utils.autoreload": _hook_autoreload,
    }.items():
        wrapt.register_post_import_hook(hook, module)


def _patch(name, wrapper):
    return lambda module: wrapt.wrap_function_wrapper(module, name, wrapper)


def settle(limit):
    """Return as soon as the server has nothing in hand, after `limit` seconds at the latest."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if _loop is None or not _loop.is_running():
            if not _busy():
                return
        else:
            turns = asyncio.run_coroutine_threadsafe(_quiet_turns(), _loop)
            try:
                if turns.result(deadline - time.monotonic()):
                    return
            except TimeoutError:
                turns.cancel()  # a handler blocks the event loop
                return
        time.sleep(0.005)


def _busy():
    for number, connection in list(_connections.items()):
        if connection.finished():
            del _connections[number]
    return _calls_running or any(connection.busy() for connection in _connections.values())


async def _quiet_turns(turns=10):
    """Tell whether nothing happens during so many turns of the event loop.

    Each turn reads what has arrived on every socket, so what a client sent before we were asked
    is handled before we answer; a message from a channel layer takes a few turns to its consumer.
    """
    for _ in range(turns):
        if _busy():
            return False
        await asyncio.sleep(0)
    return True
