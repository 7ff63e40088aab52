"""What the doctor tries: each step for real, on the finished site."""

# Only the standard library up here: what is missing must not keep the doctor from saying so.
import contextlib
import platform
import queue
import shlex
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from channels_live.server import Server

ROOT = Path(__file__).resolve().parent.parent
COURSE = "channels-live"  # as installed
FOR_THE_END = 4.0  # seconds, to end the server
FRAME = '{"message": "hello"}'

PIP = f"{shlex.quote(sys.executable)} -m pip"
INSTALL = (
    "Install the packages again, with this command:\n"
    f"{PIP} install -c {shlex.quote(str(ROOT / 'requirements.txt'))} -e {shlex.quote(str(ROOT))}"
)


class Broken(Exception):
    """Something does not work.

    what: a text. code: what of it the code line tells; no names and no paths. remedy: if it is
    another than that of the step.
    """

    def __init__(self, what: str, code: str = "", remedy: str | None = None) -> None:
        super().__init__(what)
        self.code, self.remedy = code, remedy


class Examination:
    """The steps. Each returns what it has found; what it raises is what is wrong."""

    _server: "Server"
    _websocket: "ClientConnection"

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._ended = False

    def python(self) -> str:
        from packaging.specifiers import SpecifierSet

        needed = course().metadata["Requires-Python"]
        version = platform.python_version()
        if not SpecifierSet(needed).contains(version, prereleases=True):
            raise Broken(f"{version}; the course needs {needed}")
        return version

    def packages(self) -> str:
        from packaging.requirements import Requirement

        listed = [Requirement(line) for line in course().requires or ()]
        needed = [
            package
            for package in listed
            if not package.marker or package.marker.evaluate({"extra": ""})
        ]
        wrong = {}
        for package in needed:
            version = version_of(package.name)
            if version is None:
                wrong[package.name] = "is missing"
            elif not package.specifier.contains(version, prereleases=True):
                wrong[package.name] = (
                    f"{version} does not fit: the course needs {package.specifier}"
                )
        if wrong:
            lines = "\n".join(f"{name} {what}" for name, what in wrong.items())
            raise Broken(lines, code=",".join(wrong))
        return f"{len(needed)} are there, in versions that fit"

    def workspace(self) -> str:
        from channels_live.workspace import workspace_folder

        folder = workspace_folder()
        if folder.exists() and not folder.is_dir():
            raise Broken(f"{folder} is a file, not a folder", code="file")
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
        for path in new:
            path.rmdir()
        return f"{folder} can be written"

    def port(self) -> str:
        socket.create_server(("127.0.0.1", 0)).close()
        try:
            socket.create_server(("127.0.0.1", 8000)).close()
        except OSError:
            return "there are free ones; 8000 is taken, and the lessons will use another"
        return "there are free ones, 8000 is among them"

    def server(self) -> str:
        from channels_live.kernel import KERNEL
        from channels_live.server import Server, ServerError
        from channels_live.server.ports import free_port
        from channels_live.workspace import copy_project

        KERNEL.prepare()
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        site = Path(self._stack.enter_context(folder), "site")
        copy_project(ROOT / "sample_project" / "finished", site)
        begin = time.monotonic()
        command = f"daphne -p {free_port()} myproject.asgi:application"
        try:
            self._server = Server(command, site, timeout=8)
        except ServerError as error:
            raise Broken(error.message(command, with_log=False)) from error.__cause__
        self._stack.callback(self._end, 2)
        return f"daphne answers, after {time.monotonic() - begin:.1f} seconds"

    def page(self) -> str:
        path = "/accounts/login/"
        answer = self._server.http(path, timeout=2)
        if answer.status_code != 200:
            raise Broken(f"{path} answers {answer.status_code}, not 200")
        return f"{path} answers 200"

    def websocket(self) -> str:
        from websockets.sync.client import connect

        path = "/ws/chat/"
        options: dict[str, Any] = {"origin": "http://localhost", "open_timeout": 2}
        self._websocket = connect(self._server.ws(path), proxy=None, **options)
        return f"{path} accepts it"

    def frame(self) -> str:
        self._websocket.send(FRAME)
        try:
            answer = self._websocket.recv(timeout=2)
        except TimeoutError:
            raise Broken("sent, and nothing came back within 2 seconds") from None
        if answer != FRAME:
            raise Broken(f"sent {FRAME}, got {answer!r}")
        return f"{FRAME} came back"

    def end(self) -> str:
        import psutil

        process = psutil.Process(self._server.pid)
        family = [process, *process.children(recursive=True)]
        self._end(FOR_THE_END - 0.5)
        alive = []
        for member in family:
            with contextlib.suppress(psutil.Error):
                if member.is_running() and member.status() != psutil.STATUS_ZOMBIE:
                    alive.append(str(member.pid))
        if alive:
            raise Broken(f"process {', '.join(alive)} of the server goes on")
        return "the server is gone"

    def _end(self, seconds: float) -> None:
        if not self._ended:
            self._ended = True
            with contextlib.suppress(Broken):
                within(seconds, self._server.end)

    def jupyterlab(self) -> str:
        # it would build a grammar of addresses, which takes a second and is not asked for here
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
        from jupyterlab.commands import get_app_dir

        if not Path(get_app_dir(), "static", "index.html").is_file():
            raise Broken("the package is there, but not the files of its pages")
        return metadata.version("jupyterlab")

    def kernel(self) -> str:
        from jupyter_client.kernelspec import KernelSpecManager

        spec = KernelSpecManager().get_kernel_spec("python3")
        program = spec.argv[0]
        # a bare name means the Python that JupyterLab runs in
        if Path(program).name != program and Path(program).parent != Path(sys.executable).parent:
            remove = f"{shlex.quote(sys.executable)} -m jupyter kernelspec remove python3"
            raise Broken(
                f"python3, in {spec.resource_dir}, is another Python: {program}",
                remedy=f"Remove that kernel: {remove}",
            )
        return "python3 is this Python"


def course() -> metadata.Distribution:
    """Return the distribution of the course. Raises Broken if it is not installed."""
    try:
        return metadata.distribution(COURSE)
    except metadata.PackageNotFoundError:
        raise Broken("the course is not installed here", COURSE, INSTALL) from None


def version_of(name: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def within(seconds: float, function: Callable[[], Any]) -> Any:
    """Call a function and return what it returns. Raises Broken if it takes longer than that."""
    results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def call() -> None:
        try:
            results.put((function(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise Broken(f"not done within {seconds:.0f} seconds", code="time") from None
    if error:
        raise error
    return result
