"""Where the tap listens in Django: its commands, its reloader, and its own server of old."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

from channels_live.tap import asgi
from channels_live.tap.asgi import Connection
from channels_live.tap.errors import record_crash
from channels_live.tap.state import state
from channels_live.tap.wire import flush, record


def _wsgi_run(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    address, port, handler, *rest = args
    tell = kwargs.get("on_bind")

    def on_bind(bound_port: Any) -> None:
        if tell:
            tell(bound_port)
        record("listening", host=address, port=int(bound_port))
        flush()
        state.listening = True

    kwargs["on_bind"] = on_bind
    try:
        return wrapped(address, port, _watched_wsgi(handler), *rest, **kwargs)
    except OSError as error:
        record_crash(error, port_taken=error.errno == errno.EADDRINUSE)
        raise


def _watched_wsgi(handler: Any) -> Any:
    def watched(environ: Any, start_response: Any) -> Any:
        query = environ.get("QUERY_STRING")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        upgrade = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
        kind = "websocket" if upgrade else "http"
        connection = Connection(kind, environ["REQUEST_METHOD"], path)

        def answer(status: str, *args: Any, **kwargs: Any) -> Any:
            connection.answer(int(status.split()[0]))
            connection.end()
            return start_response(status, *args, **kwargs)

        return handler(environ, answer)

    return watched


def _snapshot_files(wrapped: Any, reloader: Any, args: Any, kwargs: Any) -> Iterator[Any]:
    # The reloader misses a change in a file that it has not seen before. Tell when it has seen
    # all that the server has loaded.
    loaded = state.listening or state.broken
    yield from wrapped(*args, **kwargs)
    if loaded and not state.watching:
        state.watching = True
        record("watching")


def _check_errors(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    # runserver's reloader outlives a broken file and waits for it to change: tell of it at once
    function = wrapped(*args, **kwargs)  # notes which file to watch

    def telling(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            record_crash(error)
            state.broken = True
            raise

    return telling


def _execute(wrapped: Any, command: Any, args: Any, kwargs: Any) -> Any:
    # what a command complains of it prints without the exception, and then it exits
    try:
        return wrapped(*args, **kwargs)
    except Exception as error:
        record_crash(error)
        raise


WRAPPED: asgi.Hooks = {
    "django.core.servers.basehttp": {"run": _wsgi_run},
    "django.core.management.base": {"BaseCommand.execute": _execute},
    "django.utils.autoreload": {
        "check_errors": _check_errors,
        "StatReloader.snapshot_files": _snapshot_files,
    },
}


def install() -> None:
    """Have Django tell, as soon as it is imported."""
    asgi.wrap(WRAPPED)
