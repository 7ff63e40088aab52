"""Where the tap listens in Django: its commands, reloader, server of old, and errors."""

from __future__ import annotations

import errno
import functools
from collections.abc import Iterator
from typing import Any

from channels_live.tap import hooks
from channels_live.tap.asgi import Connection
from channels_live.tap.errors import record_crash, record_error
from channels_live.tap.hooks import Hooks, before
from channels_live.tap.state import state
from channels_live.tap.texts import address, cookies, cut, limited, plain
from channels_live.tap.wire import flush, harmless, record

# --- its own server


def _wsgi_run(method: Any) -> Any:
    def run(address: Any, port: Any, handler: Any, *rest: Any, **kwargs: Any) -> Any:
        tell = kwargs.get("on_bind")

        def on_bind(bound_port: Any) -> None:
            if tell:
                tell(bound_port)
            _tell_listening(address, bound_port)

        kwargs["on_bind"] = on_bind
        try:
            return method(address, port, _watched_wsgi(handler), *rest, **kwargs)
        except OSError as error:
            record_crash(error, port_taken=error.errno == errno.EADDRINUSE)
            raise

    return run


@harmless
def _tell_listening(address: Any, port: Any) -> None:
    record("listening", host=str(address), port=int(port))
    flush()
    state.listening = True


@harmless
def _connect(environ: Any) -> Connection:
    secrets: list[str] = []
    cookies(environ.get("HTTP_COOKIE", "").encode("latin-1", "replace"), secrets)
    path = environ["PATH_INFO"].encode("ascii", "replace")
    query = environ.get("QUERY_STRING", "").encode("ascii", "replace")
    where = cut(address(path, query, secrets), secrets)
    upgrade = environ.get("HTTP_UPGRADE", "").lower() == "websocket"
    kind, origin = "websocket" if upgrade else "http", environ.get("HTTP_ORIGIN")
    origin = limited(origin) if isinstance(origin, str) else None
    return Connection(kind, plain(environ["REQUEST_METHOD"]), where, secrets, origin)


@harmless
def _answer(connection: Connection | None, status: str) -> None:
    if connection:
        connection.answer(int(status.split()[0]))
        connection.end()


def _wsgi_call(method: Any) -> Any:
    # of any server for WSGI, such as gunicorn
    def call(handler: Any, environ: Any, start_response: Any) -> Any:
        own = functools.partial(method, handler)
        return (own if state.connection.get() else _watched_wsgi(own))(environ, start_response)

    return call


@harmless
def _lose(connection: Connection | None) -> None:
    if connection:
        connection.end()


def _watched_wsgi(handler: Any) -> Any:
    def watched(environ: Any, start_response: Any) -> Any:
        connection = _connect(environ)

        def answer(status: str, *args: Any, **kwargs: Any) -> Any:
            _answer(connection, status)
            return start_response(status, *args, **kwargs)

        token = state.connection.set(connection)
        try:
            return handler(environ, answer)
        except BaseException:
            _lose(connection)
            raise
        finally:
            state.connection.reset(token)

    return watched


# --- its errors


def _uncaught(request: Any, resolver: Any, exc_info: Any) -> None:
    record_error(exc_info[1])  # of a view; the client gets a 500


# --- its reloader


def _snapshot_files(method: Any) -> Any:
    def snapshot_files(reloader: Any) -> Iterator[Any]:
        # The reloader misses a change in a file that it has not seen before. Tell when it has seen
        # all that the server has loaded.
        loaded = state.listening or state.broken
        yield from method(reloader)
        if loaded and not state.watching:
            state.watching = True
            record("watching")

    return snapshot_files


def _check_errors(method: Any) -> Any:
    # runserver's reloader outlives a broken file and waits for it to change: tell of it at once
    def check_errors(function: Any) -> Any:
        function = method(function)  # notes which file to watch

        @functools.wraps(function)
        def telling(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                record_crash(error)
                state.broken = True
                raise

        return telling

    return check_errors


# --- its commands


def _run_from_argv(method: Any) -> Any:
    def run_from_argv(command: Any, *args: Any, **kwargs: Any) -> Any:
        state.command = id(command)
        return method(command, *args, **kwargs)

    return run_from_argv


def _execute(method: Any) -> Any:
    # What a command complains of it prints without the exception, and then it exits. One that the
    # project calls by itself may do so in vain.
    def execute(command: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(command, *args, **kwargs)
        except Exception as error:
            if state.command == id(command):
                record_crash(error)
            raise

    return execute


HOOKS: Hooks = {
    "django.core.servers.basehttp": {"run": _wsgi_run},
    "django.core.handlers.wsgi": {"WSGIHandler.__call__": _wsgi_call},
    "django.core.handlers.exception": {"handle_uncaught_exception": before(_uncaught)},
    "django.core.management.base": {
        "BaseCommand.execute": _execute,
        "BaseCommand.run_from_argv": _run_from_argv,
    },
    "django.utils.autoreload": {
        "check_errors": _check_errors,
        "StatReloader.snapshot_files": _snapshot_files,
    },
}


def install() -> None:
    """Have Django tell, as soon as it is imported."""
    hooks.install(HOOKS)
