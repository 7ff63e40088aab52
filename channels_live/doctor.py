"""`channels-live doctor`: tries what the course needs, for real, and says what to mend."""

# Only the standard library up here: what is missing must not keep it from saying so.
import contextlib
import errno
import platform
import queue
import re
import shlex
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from channels_live.server import Server

ROOT = Path(__file__).resolve().parent.parent
COURSE = "channels-live"  # as installed
IN_CODE = (COURSE, "django", "channels", "daphne", "websockets", "jupyterlab")
LONGEST = 18.0  # seconds for everything
FOR_THE_END = 4.0  # of these, to end the server
FRAME = '{"message": "hello"}'

_PIP = f"{shlex.quote(sys.executable)} -m pip"
_INSTALL = (
    "Install the packages again, with these two commands:\n"
    f"{_PIP} install -r {shlex.quote(str(ROOT / 'requirements.txt'))}\n"
    f"{_PIP} install --no-deps -e {shlex.quote(str(ROOT))}"
)
_SITE = (
    "Get the folder sample_project afresh, as it came with the course. If it is as it came, "
    "let your security software allow Python to talk to 127.0.0.1."
)


class Broken(Exception):
    """Something does not work.

    what: a text. code: what of it the code line tells; no names and no paths. remedy: if it is
    another than that of the step.
    """

    def __init__(self, what: str, code: str = "", remedy: str | None = None) -> None:
        super().__init__(what)
        self.code, self.remedy = code, remedy


class Step(NamedTuple):
    """Something to try: a method of Examination."""

    name: str
    seconds: float  # it may take
    needs: tuple[str, ...]  # steps without which it makes no sense
    remedy: str


STEPS = [
    Step("python", 2, (), "Install a newer Python, and the course with it, as README.md says."),
    Step("packages", 4, (), _INSTALL),
    Step(
        "workspace", 2, (), "Make it writable, or name another folder in CHANNELS_LIVE_WORKSPACE."
    ),
    Step("port", 2, (), "Let your firewall, sandbox or container allow to listen on 127.0.0.1."),
    Step("server", 12, ("python", "packages", "port"), f"{_SITE}\n{_INSTALL}"),
    Step("page", 3, ("server",), _SITE),
    Step("websocket", 3, ("server",), _SITE),
    Step("frame", 3, ("websocket",), _SITE),
    Step("end", FOR_THE_END, ("server",), "End that process yourself, or restart the computer."),
    Step("jupyterlab", 6, ("packages",), _INSTALL),
    Step("kernel", 3, ("packages",), _INSTALL),
]


def main() -> int:
    """Try everything, and print a line about each step. Return the exit status."""
    left = _deadline(LONGEST)
    failed: dict[str, str] = {}  # names, and what the code line tells
    skipped: list[str] = []
    with contextlib.ExitStack() as stack:
        examination = Examination(stack)
        for step in STEPS:
            seconds = min(step.seconds, left() - (0 if step.name == "end" else FOR_THE_END))
            missing = [name for name in step.needs if name in failed or name in skipped]
            if missing or seconds <= 0:
                skipped.append(step.name)
                _say("SKIP", step, f"needs {', '.join(missing)}" if missing else "no time is left")
                continue
            try:
                _say(" OK ", step, _within(seconds, getattr(examination, step.name)))
            except Exception as error:  # whatever it is, it is what was to be found
                failed[step.name] = getattr(error, "code", None) or _kind(error)
                _say("FAIL", step, str(error) if isinstance(error, Broken) else _described(error))
                remedy = getattr(error, "remedy", None) or step.remedy
                if isinstance(error, ImportError):
                    remedy = _INSTALL
                print(_indented(f"To mend it: {remedy}"), flush=True)
    print(f"\n{_verdict(failed, skipped)}\n{_code(failed, skipped)}")
    return 1 if failed or skipped else 0


class Examination:
    """The steps. Each returns what it has found; what it raises is what is wrong."""

    _server: "Server"
    _websocket: "ClientConnection"

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._ended = False

    def python(self) -> str:
        from packaging.specifiers import SpecifierSet

        needed = _course().metadata["Requires-Python"]
        version = platform.python_version()
        if not SpecifierSet(needed).contains(version, prereleases=True):
            raise Broken(f"{version}; the course needs {needed}")
        return version

    def packages(self) -> str:
        from packaging.requirements import Requirement

        listed = [Requirement(line) for line in _course().requires or ()]
        needed = [
            package
            for package in listed
            if not package.marker or package.marker.evaluate({"extra": ""})
        ]
        wrong = {}
        for package in needed:
            version = _version(package.name)
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
            raise Broken(error.message(command, with_log=False)) from None
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
                _within(seconds, self._server.end)

    def jupyterlab(self) -> str:
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


def _say(mark: str, step: Step, what: str) -> None:
    print(_indented(f"[{mark}] {step.name}: {what}", first=""), flush=True)


def _indented(text: str, first: str = "       ") -> str:
    return first + text.replace("\n", "\n       ")


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _kind(error: Exception) -> str:
    """Return what the code line may tell of an exception: nothing that could hold a path."""
    if isinstance(error, OSError) and error.errno and error.errno in errno.errorcode:
        return errno.errorcode[error.errno]
    return type(error).__name__ if not isinstance(error, Broken) else ""


def _verdict(failed: dict[str, str], skipped: list[str]) -> str:
    if not failed and not skipped:
        return "All is well. If something is wrong all the same, send this line to your instructor:"
    return "If that does not help, send this line to your instructor:"


def _code(failed: dict[str, str], skipped: list[str]) -> str:
    """Return a line that tells what there is and what has failed, and nothing about the person."""
    release = "".join(re.findall(r"^[\d.]+", platform.release()))
    wsl = "-wsl" if "microsoft" in platform.release().lower() else ""
    system = f"{platform.system()}-{release}{wsl}-{platform.machine()}".lower()
    versions = [f"{name}-{_version(name) or 'missing'}" for name in IN_CODE]
    steps = [f"{name}({what})" if what else name for name, what in failed.items()]
    outcome = [f"failed={','.join(steps)}"] if failed else []
    outcome += [f"skipped={','.join(skipped)}"] if skipped else []
    python = f"python-{platform.python_version()}"
    return " ".join([*versions, python, system, *(outcome or ["ok"])])


def _course() -> metadata.Distribution:
    """Return the distribution of the course. Raises Broken if it is not installed."""
    try:
        return metadata.distribution(COURSE)
    except metadata.PackageNotFoundError:
        raise Broken("the course is not installed here", COURSE, _INSTALL) from None


def _version(name: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _within(seconds: float, function: Callable[[], Any]) -> Any:
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


def _deadline(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
