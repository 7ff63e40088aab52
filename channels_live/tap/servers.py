"""Where the tap listens in other ASGI servers: where they take up the application, and listen.

All else is told by the application itself, see `served`. So a frame or a request that the server
refuses by itself is not in the record.
"""

from __future__ import annotations

import socket
from typing import Any

from channels_live.tap import hooks
from channels_live.tap.hooks import Hooks, after, before
from channels_live.tap.served import watched
from channels_live.tap.state import state
from channels_live.tap.wire import flush, harmless, record


@harmless
def _tell_listening(sockets: Any) -> None:
    for listener in sockets:
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            host, port, *_ = listener.getsockname()
            record("listening", host=host, port=port)
            state.listening = True
    flush()  # somebody waits for it


# --- uvicorn, also as a worker of gunicorn


def _config_load(config: Any) -> None:
    config.loaded_app = watched(config.loaded_app)


def _startup(method: Any) -> Any:
    async def startup(server: Any, *args: Any, **kwargs: Any) -> Any:
        result = await method(server, *args, **kwargs)
        if getattr(server, "started", False):
            listening = getattr(server, "servers", ())
            _tell_listening([own for each in listening for own in each.sockets or ()])
        return result

    return startup


def _shutdown(*_: Any, **__: Any) -> None:
    state.stopping = True
    record("stopping")


# --- hypercorn


def _wrapper_init(wrapper: Any, *_: Any, **__: Any) -> None:
    wrapper.app = watched(wrapper.app)


def _worker_serve(method: Any) -> Any:
    async def worker_serve(app: Any, config: Any, *args: Any, **kwargs: Any) -> Any:
        _follow_log(config, kwargs.get("sockets"))
        return await method(app, config, *args, **kwargs)

    return worker_serve


@harmless
def _follow_log(config: Any, sockets: Any) -> None:
    """Tell once that it listens: when it says so itself."""
    log = config.log
    info = log.info

    async def telling_info(message: Any, *args: Any, **kwargs: Any) -> Any:
        if sockets and isinstance(message, str) and message.startswith("Running on"):
            log.info = info
            _tell_listening([*sockets.secure_sockets, *sockets.insecure_sockets])
        return await info(message, *args, **kwargs)

    log.info = telling_info


# --- granian


def _call_wrap(method: Any) -> Any:
    def call_wrap(callback: Any, *args: Any, **kwargs: Any) -> Any:
        return method(watched(callback), *args, **kwargs)

    return call_wrap


def _granian_startup(server: Any, *_: Any, **__: Any) -> None:
    if getattr(server, "bind_uds", None):  # a Unix socket
        return
    host, port = server.bind_addr, server.bind_port
    record("listening", host=str(host), port=int(port))
    state.listening = True
    flush()


HOOKS: Hooks = {
    "uvicorn.config": {"Config.load": after(_config_load)},
    "uvicorn.server": {"Server.startup": _startup, "Server.shutdown": before(_shutdown)},
    "hypercorn.app_wrappers": {"ASGIWrapper.__init__": after(_wrapper_init)},
    "hypercorn.asyncio.run": {"worker_serve": _worker_serve},
    "granian.server.mp": {"_asgi_call_wrap": _call_wrap},
    "granian.server.mt": {"_asgi_call_wrap": _call_wrap},
    "granian.server.common": {"AbstractServer.startup": after(_granian_startup)},
}


def install() -> None:
    """Have them tell, as soon as they are imported."""
    hooks.install(HOOKS)
