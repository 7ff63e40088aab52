"""`channels-live doctor`: tries what the course needs, for real, and says what to mend."""

# Only the standard library up here: what is missing must not keep it from saying so.
import contextlib
import errno
import platform
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from channels_live.examination import (
    COURSE,
    FOR_THE_END,
    INSTALL,
    Broken,
    Examination,
    version_of,
    within,
)
from channels_live.trouble import in_words, of_the_computer

IN_CODE = (COURSE, "django", "channels", "daphne", "websockets", "jupyterlab")
LONGEST = 18.0  # seconds for everything

_SITE = (
    "Get the folder sample_project afresh, as it came with the course. If it is as it came, "
    "let your security software allow Python to talk to 127.0.0.1."
)


class Step(NamedTuple):
    """Something to try: a method of Examination."""

    name: str
    seconds: float  # it may take
    needs: tuple[str, ...]  # steps without which it makes no sense
    remedy: str


STEPS = [
    Step("python", 2, (), "Install a newer Python, and the course with it, as README.md says."),
    Step("packages", 4, (), INSTALL),
    Step(
        "workspace", 2, (), "Make it writable, or name another folder in CHANNELS_LIVE_WORKSPACE."
    ),
    Step("port", 2, (), "Let your firewall, sandbox or container allow to listen on 127.0.0.1."),
    Step("server", 12, ("python", "packages", "port"), f"{_SITE}\n{INSTALL}"),
    Step("page", 3, ("server",), _SITE),
    Step("websocket", 3, ("server",), _SITE),
    Step("frame", 3, ("websocket",), _SITE),
    Step("end", FOR_THE_END, ("server",), "End that process yourself, or restart the computer."),
    Step("jupyterlab", 8, ("packages",), INSTALL),
    Step("kernel", 3, ("packages",), INSTALL),
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
                _say(" OK ", step, within(seconds, getattr(examination, step.name)))
            except Exception as error:  # whatever it is, it is what was to be found
                failed[step.name] = getattr(error, "code", None) or _kind(error)
                _say("FAIL", step, str(error) if isinstance(error, Broken) else _described(error))
                remedy = getattr(error, "remedy", None) or step.remedy
                if isinstance(error, ImportError):
                    remedy = INSTALL
                elif of_the_computer(error):
                    remedy = "Nothing is wrong with the course. Mend that, then try again."
                print(_indented(f"To mend it: {remedy}"), flush=True)
    print(f"\n{_verdict(failed, skipped)}\n{_code(failed, skipped)}")
    return 1 if failed or skipped else 0


def _say(mark: str, step: Step, what: str) -> None:
    print(_indented(f"[{mark}] {step.name}: {what}", first=""), flush=True)


def _indented(text: str, first: str = "       ") -> str:
    return first + text.replace("\n", "\n       ")


def _described(error: Exception) -> str:
    if isinstance(error, OSError):
        return in_words(error)
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
    versions = [f"{name}-{version_of(name) or 'missing'}" for name in IN_CODE]
    steps = [f"{name}({what})" if what else name for name, what in failed.items()]
    outcome = [f"failed={','.join(steps)}"] if failed else []
    outcome += [f"skipped={','.join(skipped)}"] if skipped else []
    python = f"python-{platform.python_version()}"
    return " ".join([*versions, python, system, *(outcome or ["ok"])])


def _deadline(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()
