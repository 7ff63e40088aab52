"""Where a server is reached: its addresses, and a page of it."""

from typing import TYPE_CHECKING, Any

from channels_live.server import arguments
from channels_live.server.command import Command
from channels_live.server.diagnosis import ServerError
from channels_live.server.run import Run

if TYPE_CHECKING:
    import httpx


class Addressed:
    """A server with addresses: a part of Server, which sets what it needs."""

    _command: Command
    _run: Run
    port: int | None

    @property
    def running(self) -> bool:
        """Whether the program runs."""
        return self._run.running

    def ws(self, path: str = "/") -> str:
        """Return the address of a WebSocket on this server."""
        scheme = "wss" if self._command.scheme == "https" else "ws"
        return f"{scheme}://{self._address()}{arguments.path(path)}"

    def url(self, path: str = "/") -> str:
        """Return the address of a page on this server, or of a broker."""
        return f"{self._command.scheme}://{self._address()}{arguments.path(path)}"

    def _address(self) -> str:
        self._must_run()
        if self.port is None:
            raise ServerError(f"It is not known on which port this listens: {self._command.line}")
        host = self._command.host
        return (
            f"[{host}]:{self.port}" if host.count(":") and host[0] != "[" else f"{host}:{self.port}"
        )

    def http(self, path: str = "/", method: str = "GET", **options: Any) -> "httpx.Response":
        """Request a page and return the answer, an httpx.Response.

        options: more arguments of httpx.request, such as timeout (30 seconds). Raises
        httpx.HTTPError if no answer comes.
        """
        import httpx  # costs 0.1 s, and many lessons never need it

        options = {"timeout": 30.0, "trust_env": False} | options
        try:
            return httpx.request(method, self.url(path), **options)
        except httpx.InvalidURL as error:
            raise ServerError(f"This path cannot be requested: {error}.") from error

    def _must_run(self) -> None:
        """Raise ServerError where the server has ended."""
        if not self.running:
            raise ServerError(
                f"This server has been stopped: {self._command.line}. "
                "Its method `restart()` starts it again."
            )
