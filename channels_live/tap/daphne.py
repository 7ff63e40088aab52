"""Where the tap listens in daphne: what passes between a client and the server."""

from __future__ import annotations

import errno
import os
from typing import Any

from channels_live.tap import hooks, served
from channels_live.tap.asgi import Connection, calling, connection_of
from channels_live.tap.ends import NO_CODE, STOPPED
from channels_live.tap.errors import record_crash
from channels_live.tap.hooks import Hooks, after, before
from channels_live.tap.state import state
from channels_live.tap.texts import number, short
from channels_live.tap.wire import flush, harmless, record

WHOLE_SECOND = "CHANNELS_LIVE_WHOLE_SECOND"  # set in tests

# --- the server


def _server_init(server: Any, *_: Any, **__: Any) -> None:
    from daphne.server import twisted_loop

    state.loop = twisted_loop
    server.application = served.watched(server.application)


@harmless
def _connect(protocol: Any, scope: Any) -> Connection:
    connection = connection_of(scope)
    connection.wire, connection.framed = protocol, True
    protocol.tap = connection
    return connection


def _create_application(method: Any) -> Any:
    def create_application(server: Any, protocol: Any, scope: Any) -> Any:
        # inherited by the task that runs the application
        token = state.connection.set(_connect(protocol, scope))
        try:
            return method(server, protocol, scope)
        finally:
            state.connection.reset(token)

    return create_application


def _kill_all(*_: Any) -> None:
    state.stopping = True
    record("stopping")


def _application_checker(*_: Any) -> None:
    # once a second daphne logs exceptions, and tells the clients of them
    for connection in list(state.connections.values()):
        if connection.failed and connection.queue is None:
            connection.mend()


def _listen_success(server: Any, *_: Any) -> None:
    for host, port in server.listening_addresses:
        record("listening", host=host, port=port)
    if not server.listening_addresses:  # a Unix socket
        record("ready")
    flush()  # somebody waits for it
    state.listening = True


def _listen_error(server: Any, failure: Any) -> None:
    error = failure.value
    taken = getattr(getattr(error, "socketError", None), "errno", None) == errno.EADDRINUSE
    record_crash(error, port_taken=taken)


# --- a WebSocket


def _on_open(protocol: Any) -> None:
    if connection := getattr(protocol, "tap", None):
        connection.answer(101)


def _on_message(protocol: Any, payload: Any, binary: bool) -> None:
    if connection := getattr(protocol, "tap", None):
        if binary:
            record("in", conn=connection.number, size=len(payload))
        else:
            record("in", conn=connection.number, text=short(payload))


def _send_message(protocol: Any, payload: Any, binary: bool = False, *_: Any, **__: Any) -> None:
    connection = getattr(protocol, "tap", None)
    # after a close frame it never leaves, nor does a bytearray
    if connection and protocol.state == protocol.STATE_OPEN and type(payload) is bytes:
        if binary:
            record("out", conn=connection.number, call=calling(), size=len(payload))
        else:
            record("out", conn=connection.number, call=calling(), text=short(payload))


def _handle_reply(protocol: Any, message: Any) -> None:
    if message["type"] == "websocket.close" and (connection := getattr(protocol, "tap", None)):
        connection.asked = number(message.get("code", 1000))


def _send_close_frame(
    protocol: Any, code: Any = None, reason: Any = None, reply: bool = False, **options: Any
) -> None:
    connection = getattr(protocol, "tap", None)
    if connection and not (reply or options.get("isReply")):
        code = number(code)
        record("close", conn=connection.number, by="server", code=code, reason=None)
        connection.mend()


def _send_http_error(protocol: Any, status: Any, *_: Any, **__: Any) -> None:
    if connection := getattr(protocol, "tap", None):
        connection.answer(status)


def _on_close(protocol: Any, clean: bool, code: Any, *_: Any) -> None:
    connection = getattr(protocol, "tap", None)
    if not connection:
        return
    if clean:
        if not protocol.closedByMe:
            code = NO_CODE if code is None else code  # as by close() in a browser
            record("close", conn=connection.number, by="client", code=code, reason=None)
    elif connection.refused:
        pass
    elif state.stopping:
        record("close", conn=connection.number, by="server", code=None, reason=STOPPED)
    elif protocol.droppedByMe:
        reason = protocol.wasNotCleanReason.partition("connection: ")[2]
        if protocol.wasMaxMessagePayloadSizeExceeded or protocol.wasMaxFramePayloadSizeExceeded:
            record("in", conn=connection.number, refused=reason)
            reason = None
        record("close", conn=connection.number, by="server", code=None, reason=reason)
    elif not protocol.closedByMe:
        record("close", conn=connection.number, by="client", code=None, reason=None)
    connection.end()


def _wait_whole_second(method: Any) -> Any:
    # autobahn means to wait one second for the answer to a close, but its timer rings at a full
    # second of the clock: on a busy machine a test would now and then see 1006
    def call_later(timer: Any, delay: float, *args: Any, **kwargs: Any) -> Any:
        return method(timer, delay + 1 if delay == 1 else delay, *args, **kwargs)

    return call_later


# --- a request


def _http_reply(request: Any, message: Any) -> None:
    connection = getattr(request, "tap", None)
    if connection is None or connection.closed:
        return
    if message["type"] == "http.response.start":
        connection.begin_body(message)
    else:
        connection.send_body(message)


def _http_lost(request: Any, *_: Any) -> None:
    if connection := getattr(request, "tap", None):
        connection.end_body(None if state.stopping else "client")


# daphne's own, and what it inherits of autobahn and twisted
HOOKS: Hooks = {
    "daphne.server": {
        "Server.__init__": after(_server_init),
        "Server.create_application": _create_application,
        "Server.application_checker": after(_application_checker),
        "Server.kill_all_applications": before(_kill_all),
        "Server.listen_success": after(_listen_success),
        "Server.listen_error": after(_listen_error),
    },
    "daphne.ws_protocol": {
        "WebSocketProtocol.onOpen": before(_on_open),
        "WebSocketProtocol.onMessage": before(_on_message),
        "WebSocketProtocol.onClose": before(_on_close),
        "WebSocketProtocol.handle_reply": before(_handle_reply),
        "WebSocketProtocol.sendMessage": before(_send_message),
        "WebSocketProtocol.sendCloseFrame": before(_send_close_frame),
        "WebSocketProtocol.sendHttpErrorResponse": before(_send_http_error),
    },
    "daphne.http_protocol": {
        "WebRequest.handle_reply": after(_http_reply),
        "WebRequest.connectionLost": before(_http_lost),
    },
}


def install() -> None:
    """Have daphne tell, as soon as it is imported."""
    hooks.install(HOOKS)
    if WHOLE_SECOND in os.environ:
        hooks.install({"txaio._common": {"_BatchedTimer.call_later": _wait_whole_second}})
