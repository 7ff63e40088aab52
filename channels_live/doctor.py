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
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

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

    def __init__(self, what, code="", remedy=None):
        super().__init__(what)
        self.code, self.remedy = code, remedy


class Step(NamedTuple):
    """Something to try: a method of Examination."""

    name: str
    seconds: float  # it may take
    needs: tuple  # steps without which it makes no sense
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


def main():
    """Try everything, and print a line about each step. Return the exit status."""
    left = _deadline(LONGEST)
    failed, skipped = {}, []  # names; and of those that failed, what the code line tells
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

    def __init__(self, stack):
        self._stack = stack
        self._server = self._websocket = None
        self._ended = False

    def python(self):
        from packaging.specifiers import SpecifierSet

        needed = _course().metadata["Requires-Python"]
        version = platform.python_version()
        if not SpecifierSet(needed).contains(version, prereleases=True):
            raise Broken(f"{version}; the course needs {needed}")
        return version

    def packages(self):
        from packaging.requirements import Requirement

        needed = [Requirement(line) for line in _course().requires]
        needed = [one for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
        wrong = {}
        for one in needed:
            version = _version(one.name)
            if version is None:
                wrong[one.name] = "is missing"
            elif not one.specifier.contains(version, prereleases=True):
                wrong[one.name] = f"{version} does not fit: the course needs {one.specifier}"
        if wrong:
            told = "\n".join(f"{name} {what}" for name, what in wrong.items())
            raise Broken(told, code=",".join(wrong))
        return f"{len(needed)} are there, in versions that fit"

    def workspace(self):
        from channels_live.workspace import workspace_folder

        folder = workspace_folder()
        if folder.exists() and not folder.is_dir():
            raise Broken(f"{folder} is a file, not a folder", code="file")
        new = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"written")
        for one in new:
            one.rmdir()
        return f"{folder} can be written"

    def port(self):
        socket.create_server(("127.0.0.1", 0)).close()
        try:
            socket.create_server(("127.0.0.1", 8000)).close()
        except OSError:
            return "there are free ones; 8000 is taken, and the lessons will use another"
        return "there are free ones, 8000 is among them"

    def server(self):
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

    def page(self):
        path = "/accounts/login/"
        answer = self._server.http(path, timeout=2)
        if answer.status_code != 200:
            raise Broken(f"{path} answers {answer.status_code}, not 200")
        return f"{path} answers 200"

    def websocket(self):
        from websockets.sync.client import connect

        path, origin = "/ws/chat/", "http://localhost"
        self._websocket = connect(self._server.ws(path), origin=origin, proxy=None, open_timeout=2)
        return f"{path} accepts it"

    def frame(self):
        self._websocket.send(FRAME)
        try:
            answer = self._websocket.recv(timeout=2)
        except TimeoutError:
            raise Broken("sent, and nothing came back within 2 seconds") from None
        if answer != FRAME:
            raise Broken(f"sent {FRAME}, got {answer!r}")
        return f"{FRAME} came back"

    def end(self):
        import psutil

        process = psutil.Process(self._server.pid)
        family = [process, *process.children(recursive=True)]
        self._end(FOR_THE_END - 0.5)
        alive = []
        for one in family:
            with contextlib.suppress(psutil.Error):
                if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                    alive.append(str(one.pid))
        if alive:
            raise Broken(f"process {', '.join(alive)} of the server goes on")
        return "the server is gone"

    def _end(self, seconds):
        if not self._ended:
            self._ended = True
            with contextlib.suppress(Broken):
                _within(seconds, self._server.end)

    def jupyterlab(self):
        from jupyterlab.commands import get_app_dir

        if not Path(get_app_dir(), "static", "index.html").is_file():
            raise Broken("the package is there, but not the files of its pages")
        return _version("jupyterlab")

    def kernel(self):
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


def _say(mark, step, what):
    print(_indented(f"[{mark}] {step.name}: {what}", first=""), flush=True)


def _indented(text, first="       "):
    return first + text.replace("\n", "\n       ")


def _described(error):
    return f"{type(error).__name__}: {error}"


def _kind(error):
    """Return what the code line may tell of an exception: nothing that could hold a path."""
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return errno.errorcode[error.errno]
    return type(error).__name__ if not isinstance(error, Broken) else ""


def _verdict(failed, skipped):
    if not failed and not skipped:
        return "All is well. If something is wrong all the same, send this line to your instructor:"
    return "If that does not help, send this line to your instructor:"


def _code(failed, skipped):
    """Return a line that tells what there is and what has failed, and nothing about the person."""
    release = re.match(r"[\d.]*", platform.release())[0]
    wsl = "-wsl" if "microsoft" in platform.release().lower() else ""
    system = f"{platform.system()}-{release}{wsl}-{platform.machine()}".lower()
    versions = [f"{name}-{_version(name) or 'missing'}" for name in IN_CODE]
    told = [f"{name}({what})" if what else name for name, what in failed.items()]
    outcome = [f"failed={','.join(told)}"] if failed else []
    outcome += [f"skipped={','.join(skipped)}"] if skipped else []
    python = f"python-{platform.python_version()}"
    return " ".join([*versions, python, system, *(outcome or ["ok"])])


def _course():
    """Return the distribution of the course. Raises Broken if it is not installed."""
    try:
        return metadata.distribution(COURSE)
    except metadata.PackageNotFoundError:
        raise Broken("the course is not installed here", COURSE, _INSTALL) from None


def _version(name):
    """Return the installed version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _within(seconds, function):
    """Call a function and return what it returns. Raises Broken if it takes longer than that."""
    results = queue.SimpleQueue()

    def call():
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


def _deadline(seconds):
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
