"""Where the tap listens in daphne: what passes between a client and the server."""

from __future__ import annotations

import errno
from typing import Any

from channels_live.tap import asgi
from channels_live.tap.asgi import Connection, calling, short
from channels_live.tap.errors import record_crash
from channels_live.tap.state import state
from channels_live.tap.wire import flush, record


def _server_init(wrapped: Any, server: Any, args: Any, kwargs: Any) -> None:
    from daphne.server import twisted_loop

    state.loop = twisted_loop
    wrapped(*args, **kwargs)
    server.application = asgi.watched(server.application)


def _create_application(wrapped: Any, server: Any, args: Any, kwargs: Any) -> Any:
    protocol, scope = args
    path = scope["raw_path"].decode("ascii", "replace")
    if scope["query_string"]:
        path += "?" + scope["query_string"].decode("ascii", "replace")
    connection = Connection(scope["type"], scope.get("method", "GET"), path)
    connection.wire, connection.framed = protocol, True
    protocol.tap = connection
    token = state.connection.set(connection)  # inherited by the task that runs the application
    try:
        return wrapped(*args, **kwargs)
    finally:
        state.connection.reset(token)


def _kill_all(wrapped: Any, server: Any, args: Any, kwargs: Any) -> Any:
    state.stopping = True
    return wrapped(*args, **kwargs)


def _application_checker(wrapped: Any, server: Any, args: Any, kwargs: Any) -> None:
    wrapped(*args, **kwargs)  # once a second: logs exceptions, and tells the clients of them
    for connection in list(state.connections.values()):
        if connection.failed and connection.queue is None:
            connection.mend()


def _listen_success(wrapped: Any, server: Any, args: Any, kwargs: Any) -> None:
    wrapped(*args, **kwargs)
    for host, port in server.listening_addresses:
        record("listening", host=host, port=port)
    flush()  # somebody waits for it
    state.listening = True


def _listen_error(wrapped: Any, server: Any, args: Any, kwargs: Any) -> None:
    error = args[0].value
    wrapped(*args, **kwargs)
    taken = getattr(getattr(error, "socketError", None), "errno", None) == errno.EADDRINUSE
    record_crash(error, port_taken=taken)


def _on_open(wrapped: Any, protocol: Any, args: Any, kwargs: Any) -> None:
    protocol.tap.answer(101)
    wrapped(*args, **kwargs)


def _on_message(method: Any) -> Any:
    def on_message(protocol: Any, payload: bytes, binary: bool) -> None:
        content = {"size": len(payload)} if binary else {"text": short(payload)}
        record("in", conn=protocol.tap.number, **content)
        method(protocol, payload, binary)

    return on_message


def _send_message(method: Any) -> Any:
    def send_message(protocol: Any, payload: bytes, binary: bool = False, **options: Any) -> None:
        content = {"size": len(payload)} if binary else {"text": short(payload)}
        record("out", conn=protocol.tap.number, call=calling(), **content)
        method(protocol, payload, binary, **options)

    return send_message


def _send_close_frame(wrapped: Any, protocol: Any, args: Any, kwargs: Any) -> None:
    connection = getattr(protocol, "tap", None)
    if connection and not (kwargs.get("isReply") or len(args) > 2 and args[2]):
        code = kwargs.get("code", args[0] if args else None)
        record("close", conn=connection.number, by="server", code=code, reason=None)
        connection.mend()
    wrapped(*args, **kwargs)


def _send_http_error(wrapped: Any, protocol: Any, args: Any, kwargs: Any) -> None:
    if connection := getattr(protocol, "tap", None):
        connection.answer(args[0])
    wrapped(*args, **kwargs)


def _on_close(wrapped: Any, protocol: Any, args: Any, kwargs: Any) -> None:
    connection = getattr(protocol, "tap", None)
    if connection:
        clean, code, _ = args
        if clean:
            if not protocol.closedByMe:
                record("close", conn=connection.number, by="client", code=code, reason=None)
        elif connection.refused:
            pass
        elif state.stopping:
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


def _http_reply(wrapped: Any, request: Any, args: Any, kwargs: Any) -> None:
    message, connection = args[0], getattr(request, "tap", None)
    wrapped(*args, **kwargs)
    if connection is None or connection.closed:
        return
    if message["type"] == "http.response.start":
        connection.answer(message["status"])
        return
    if (body := message.get("body")) and connection.has_consumer:
        record("out", conn=connection.number, call=calling(), text=short(body))
    if not message.get("more_body"):
        record("end", conn=connection.number)
        connection.end()


def _http_lost(wrapped: Any, request: Any, args: Any, kwargs: Any) -> None:
    if connection := getattr(request, "tap", None):
        connection.end()
    wrapped(*args, **kwargs)


# daphne's own, and what it inherits of autobahn and twisted
WRAPPED: asgi.Hooks = {
    "daphne.server": {
        "Server.__init__": _server_init,
        "Server.create_application": _create_application,
        "Server.application_checker": _application_checker,
        "Server.kill_all_applications": _kill_all,
        "Server.listen_success": _listen_success,
        "Server.listen_error": _listen_error,
    },
    "daphne.ws_protocol": {
        "WebSocketProtocol.onOpen": _on_open,
        "WebSocketProtocol.onClose": _on_close,
        "WebSocketProtocol.sendCloseFrame": _send_close_frame,
        "WebSocketProtocol.sendHttpErrorResponse": _send_http_error,
    },
    "daphne.http_protocol": {
        "WebRequest.handle_reply": _http_reply,
        "WebRequest.connectionLost": _http_lost,
    },
}
REPLACED: asgi.Hooks = {
    "daphne.ws_protocol": {
        "WebSocketProtocol.onMessage": _on_message,
        "WebSocketProtocol.sendMessage": _send_message,
    },
}


def install() -> None:
    """Have daphne tell, as soon as it is imported."""
    asgi.wrap(WRAPPED)
    asgi.replace(REPLACED)
