"""Servers for ASGI besides daphne: how each is told where to listen, and shows that it is ready."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from channels_live.server.ports import LOOPBACK

DEFAULT_PORT = "8000"  # of all of them
LISTENS = "listens"  # it is ready as soon as it listens
_QUIET = re.compile(r"warning|error|critical|fatal", re.I)  # levels that hide how it gets ready


@dataclass(frozen=True)
class AsgiServer:
    """How a server is told where to listen.

    host, port: its options, or bind: an option with both. elsewhere: options for what is no port.
    unix: its option for a Unix socket. file: what says so instead, if its option `-c` names no
    other; "": there is only that option, None: there is none.
    variables: names of environment variables that it reads instead, of the host and of the port.
    ready: what it prints when it is ready; reloading: when it also watches files.
    level: its option for how much it prints. worker: a part of an option without which it never
    prints that it is ready.
    """

    ready: str
    host: tuple[str, ...] = ()
    port: tuple[str, ...] = ()
    bind: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    unix: tuple[str, ...] = ()
    file: str | None = None
    variables: tuple[str, str] = ("", "")
    reloading: str | None = None
    level: str = "--log-level"
    worker: str = ""

    def read(
        self, arguments: Sequence[str], variables: Mapping[str, str]
    ) -> "tuple[str, str, list[str]] | None":
        """Return where it listens, host and port, and the arguments that say nothing of it.

        None: it does not listen on a port, or its options cannot be read.
        """
        try:
            typed, rest = self._typed(arguments)
        except argparse.ArgumentError:
            return None  # an option without its value: the server says so itself
        if getattr(typed, "elsewhere", None):
            return None
        host, port = (variables.get(name) or "" for name in self.variables)
        if self.bind:
            addresses = typed.bind or []
            if len(addresses) > 1 or any(":/" in address for address in addresses):
                return None
            host, port = _parts(addresses[0]) if addresses else (host, port)
        else:
            host, port = ((typed.host or [host])[-1], (typed.port or [port])[-1])
        return host or LOOPBACK, port or DEFAULT_PORT, rest

    def _typed(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
        for name in ("host", "port", "bind", "elsewhere", "unix"):
            if options := getattr(self, name):
                parser.add_argument(*options, dest=name, action="append")
        if self.file is not None:
            parser.add_argument("-c", "--config", dest="file")
        return parser.parse_known_args(list(arguments))

    def is_as_typed(self, arguments: Sequence[str], folder: Path) -> bool:
        """Tell whether it listens on a Unix socket, or where a file says.

        folder: where it runs.
        """
        try:
            typed, _ = self._typed(arguments)
        except argparse.ArgumentError:
            return False
        bind = getattr(typed, "bind", None)
        if bind:
            return all(address.startswith("unix:") for address in bind)
        if getattr(typed, "unix", None) or getattr(typed, "file", None):
            return True
        return bool(self.file) and (folder / str(self.file)).is_file()

    def at(self, host: str, port: int | str, rest: Sequence[str]) -> list[str]:
        """Return the arguments that let it listen there."""
        if self.bind:
            inner = f"[{host}]" if ":" in host and host[0] != "[" else host
            return [self.bind[-1], f"{inner}:{port}", *rest]
        return [self.host[-1], host, self.port[-1], str(port), *rest]

    def shows_ready(self, arguments: Sequence[str]) -> str:
        """Return the text that it prints when it is ready, or LISTENS."""
        text = self.ready
        if self.reloading and any(word.startswith(("--reload", "--workers")) for word in arguments):
            text = self.reloading
        quiet = any(
            word.startswith(self.level) and _QUIET.search(word + after)
            for word, after in zip(arguments, [*arguments[1:], ""], strict=True)
        )
        silent = self.worker and not any(self.worker in word for word in arguments)
        return LISTENS if quiet or silent else text


def _parts(address: str) -> tuple[str, str]:
    """Return the host and the port of an address; a port alone means everywhere."""
    if address.isdecimal():
        return "0.0.0.0", address
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return address, ""
    return host or "0.0.0.0", port


SERVERS = {
    "uvicorn": AsgiServer(
        ready="Uvicorn running on",
        reloading="Application startup complete.",  # with a process of its own for the application
        host=("--host",),
        port=("--port",),
        elsewhere=("--fd",),
        unix=("--uds",),
        variables=("UVICORN_HOST", "UVICORN_PORT"),
    ),
    "hypercorn": AsgiServer(ready="Running on http", bind=("-b", "--bind"), file=""),
    "granian": AsgiServer(
        ready="Started worker-1",
        host=("--host",),
        port=("--port",),
        unix=("--uds",),
        variables=("GRANIAN_HOST", "GRANIAN_PORT"),
    ),
    "gunicorn": AsgiServer(
        ready="Application startup complete.",
        bind=("-b", "--bind"),
        file="gunicorn.conf.py",
        worker="vicorn",  # -k uvicorn_worker.UvicornWorker; its others serve WSGI
        variables=("", "PORT"),  # with which it would listen everywhere
    ),
}
