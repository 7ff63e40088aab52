"""pyproject.toml, the lock, environment.yml and the Makefile agree on what is installed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from importlib import metadata
from pathlib import Path

import httpx
import pytest
import yaml
from clients import eventually
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from websockets.sync.client import connect

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ["class", "dev", "site"]
DEV = [line for extra in EXTRAS[1:] for line in PROJECT["optional-dependencies"][extra]]
CLASS = PROJECT["optional-dependencies"]["class"]  # what an instructor installs
LOCK = (ROOT / "requirements.txt").read_text()
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
PIP_PART = next(part["pip"] for part in ENVIRONMENT["dependencies"] if isinstance(part, dict))
TAUGHT = {
    "jupyterlab",
    "django",
    "channels",
    "daphne",
    "websockets",
    "uvicorn",
    "nbval",
    "pytest",
}


def pins():
    """Return the lock as (Requirement, comment) pairs."""
    lines = (line.partition("#") for line in LOCK.splitlines())
    return [(Requirement(pin), comment) for pin, _, comment in lines if pin.strip()]


def direct():
    """Return what pyproject.toml itself asks for."""
    wanted = PROJECT["dependencies"] + DEV + CLASS
    return [Requirement(line) for line in wanted]


# The lock


def test_lock_holds_nothing_but_exact_versions():
    for pin, _ in pins():
        (specifier,) = pin.specifier
        assert specifier.operator == "==", pin
        assert not pin.url, pin
        assert not pin.extras, f"{pin}: pip accepts no extras in constraints"


def test_lock_holds_no_address_and_no_path():
    assert "/" not in LOCK
    assert "\\" not in LOCK


@pytest.mark.parametrize("wanted", direct(), ids=str)
def test_lock_satisfies_pyproject(wanted):
    versions = [
        specifier.version
        for pin, _ in pins()
        if canonicalize_name(pin.name) == canonicalize_name(wanted.name)
        for specifier in pin.specifier
    ]
    assert versions, "not locked: run make lock"
    for version in versions:
        assert wanted.specifier.contains(version), "locked too old or too new: run make lock"


def test_lock_keeps_nothing_that_pyproject_dropped():
    locked = {pin.name for pin, comment in pins() if "(pyproject.toml)" in comment}
    assert locked == {canonicalize_name(wanted.name) for wanted in direct()}


def test_daphne_is_of_the_version_whose_methods_the_tap_wraps():
    (daphne,) = [wanted for wanted in direct() if wanted.name == "daphne"]
    assert not daphne.specifier.contains("4.3.0"), (
        "see first whether tests/test_tap_units.py passes"
    )
    assert daphne.specifier.contains(metadata.version("daphne"))


# What learners install

TOOLS = {canonicalize_name(Requirement(line).name) for line in DEV + CLASS}


def needed(name, extras=(), seen=None):
    """Return the names of a package that is installed here and of all that it needs in turn."""
    seen = set() if seen is None else seen
    seen.add((name, *sorted(extras)))
    for line in metadata.requires(name) or ():
        wanted = Requirement(line)
        asked = [""] if wanted.marker is None else [*extras, ""]
        if wanted.marker is None or any(
            wanted.marker.evaluate({"extra": extra}) for extra in asked
        ):
            key = (canonicalize_name(wanted.name), *sorted(wanted.extras))
            if key not in seen:
                needed(key[0], wanted.extras, seen)
    return {name for name, *_ in seen}


def test_learners_install_no_tools():
    installed = needed("channels-live")
    assert installed >= TAUGHT
    # what comes with other packages all the same: nbval needs coverage, JupyterLab pyyaml
    assert installed & TOOLS <= {"coverage", "pyyaml"}
    assert needed("channels-live", EXTRAS) >= TOOLS


def test_learners_and_developers_have_one_lock():
    locked = {canonicalize_name(pin.name) for pin, _ in pins()}
    assert needed("channels-live", EXTRAS) - {"channels-live"} <= locked


# The code


def test_modules_are_short():
    modules = [
        path for path in (ROOT / "channels_live").rglob("*.py") if "checks" not in path.parts
    ]
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {name: count for name, count in lines.items() if count > 300} == {}


# environment.yml


def test_environment_takes_what_is_taught_from_the_lock():
    named = {Requirement(line).name for line in PIP_PART if not line.startswith("-")}
    assert named == TAUGHT
    assert {line for line in PIP_PART if line.startswith("-")} == {"-c requirements.txt", "-e ."}
    assert {pin.name for pin, _ in pins()} >= TAUGHT
    assert {canonicalize_name(wanted.name) for wanted in direct()} >= TAUGHT


def test_environment_names_a_supported_python():
    name, version = ENVIRONMENT["dependencies"][0].split("=")
    assert name == "python"
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


def test_environment_resolves_to_what_is_tested(tmp_path):
    """The pip part, resolved against the installed lock, asks for no other version."""
    requirements = tmp_path / "pip.txt"
    # conda and Binder write this file beside environment.yml: there "requirements.txt" is right
    requirements.write_text("\n".join(PIP_PART).replace("-c ", f"-c {ROOT.as_posix()}/"))
    command = ["uv", "pip", "install", "--dry-run", "--offline", "--no-cache", "--no-config"]
    resolved = subprocess.run(
        [sys.executable, "-m", *command, "--python", sys.executable, "-r", requirements],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert resolved.returncode == 0, resolved.stderr
    changes = [line.split()[1] for line in resolved.stderr.splitlines() if line.startswith(" + ")]
    assert changes in ([], ["channels-live"]), resolved.stderr


@pytest.mark.parametrize(
    ("ours", "folder"),
    [
        ("channels_live.json", "share/jupyter/lab/settings/overrides.d"),
        ("jupyter_server.json", "etc/jupyter/jupyter_server_config.d"),
    ],
)
def test_jupyterlab_has_the_defaults_of_the_course_and_its_extension(ours, folder):
    installed = Path(sys.prefix, folder, "channels_live.json")
    assert json.loads(installed.read_text()) == json.loads((ROOT / "lab" / ours).read_text())


# The Makefile


@pytest.fixture
def make(tmp_path):
    """Return a function that runs make on a copy of the project."""
    if sys.platform == "win32":
        pytest.skip("the Makefile is for POSIX systems")
    lab = ("lab/channels_live.json", "lab/jupyter_server.json")
    for name in ("Makefile", "requirements.txt", "pyproject.toml", *lab):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
        os.utime(target, (1_000_000, 1_000_000))
    # not what the make that runs this test was told
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name}

    def run(*arguments):
        return subprocess.run(
            ["make", *arguments], cwd=tmp_path, env=env, capture_output=True, text=True
        )

    return run


@pytest.fixture
def python(tmp_path):
    """Return a stand-in for Python that notes its arguments, and can be told to fail at pip."""
    script = tmp_path / "python"
    script.write_text(
        """#!/bin/sh
        echo "$@" >>calls
        case "$*" in
            "-m venv .venv")
                mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/pip ;;
            *pip*) test ! -e offline ;;
        esac"""
    )
    script.chmod(0o755)
    return script


LEARNERS, DEVELOPERS = "-c requirements.txt -e .", "-r requirements.txt"
SERVING = "-c requirements.txt -e .[class]"


@pytest.fixture
def calls(make, python, tmp_path):
    """Return a function that runs make and returns its exit status, and what Python was asked."""

    def calls(target):
        (tmp_path / "calls").write_text("")
        returncode = make(target, f"PYTHON={python}").returncode
        return returncode, (tmp_path / "calls").read_text()

    return calls


@pytest.mark.parametrize(
    ("target", "module", "installs"),
    [
        ("lab", "channels_live.lab", [LEARNERS]),
        ("class", "channels_live class", [LEARNERS, SERVING]),
        ("test", "pytest", [LEARNERS, DEVELOPERS]),
    ],
)
def test_make_installs_once_and_again_when_the_lock_changes(
    calls, tmp_path, target, module, installs
):
    def installed(log):
        return [line.partition("-check ")[2] for line in log.splitlines() if "pip install" in line]

    (tmp_path / "offline").touch()
    returncode, log = calls(target)
    assert returncode
    assert f"-m {module}" not in log

    (tmp_path / "offline").unlink()
    returncode, log = calls(target)  # takes up what was interrupted
    assert not returncode
    assert installed(log) == installs
    assert f"-m {module}" in log

    returncode, log = calls(target)
    assert not returncode
    assert installed(log) == []
    assert f"-m {module}" in log

    for name in ("requirements.txt", "pyproject.toml"):
        later = time.time() + 60
        os.utime(tmp_path / name, (later, later))
        assert installed(calls(target)[1]) == installs, name
        os.utime(tmp_path / name, (1_000_000, 1_000_000))


def test_tools_come_on_top_of_what_learners_have(calls):
    assert DEVELOPERS not in calls("lab")[1]
    _, log = calls("test")
    assert LEARNERS not in log
    assert DEVELOPERS in log
    assert "pip install" not in calls("lab")[1]


@pytest.mark.parametrize("own", ["", "mine"])
def test_make_lab_opens_the_copies_of_the_learner(request, tmp_path, monkeypatch, own):
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", own)
    returncode, log = request.getfixturevalue("calls")("lab")
    assert not returncode
    root, folder = (own, "") if own else (tmp_path, "workspace/")
    address = f"/lab/tree/{folder}notebooks/00_start_here.ipynb"
    assert f"root_dir={root} --LabApp.default_url={address}" in log
    assert (tmp_path / (own or "workspace")).is_dir()


def test_make_says_that_python_is_too_old(make, tmp_path):
    result = make("lab", "PYTHON=false")
    assert result.returncode
    assert "needs Python 3.11 or newer" in result.stdout
    assert not (tmp_path / ".venv").exists()


def test_make_says_that_python_has_no_venv(make, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$2" in *venv*) exit 1 ;; esac\n')
    python.chmod(0o755)
    result = make("lab", f"PYTHON={python}")
    assert result.returncode
    assert "apt install python3-venv" in result.stdout
    assert not (tmp_path / ".venv").exists()


def test_make_help_lists_every_command(make):
    listed = {line.split()[1] for line in make().stdout.splitlines() if line.startswith("make ")}
    phony = next(
        line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")
    )
    assert listed == set(phony.split()[1:])


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="there is no make")
@pytest.mark.parametrize(
    "command", [["make", "lab"], [sys.executable, "-m", "jupyterlab", "--allow-root"]]
)
def test_terminals_of_jupyterlab_know_our_command(tmp_path, command):
    """Also where it runs without a terminal, as in a container, or without our PATH."""
    options = "--no-browser --ServerApp.port=0 --IdentityProvider.token=secret"
    command = [*command, f"ARGS={options}"] if command[0] == "make" else command + options.split()
    others = [path for path in os.environ["PATH"].split(":") if not path.startswith(sys.prefix)]
    environment = os.environ | {
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
        "CHANNELS_LIVE_WORKSPACE": str(tmp_path / "workspace"),
        "HOME": str(tmp_path),  # a shell there reads nothing of our own
        "SHELL": "/bin/bash",
        "PATH": ":".join(others),
    }
    with (tmp_path / "log").open("w") as log:
        lab = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        there = eventually(  # and is written: it is made empty
            lambda: any(file.stat().st_size for file in tmp_path.glob("jpserver-*.json"))
        )
        assert there, (tmp_path / "log").read_text()
        (file,) = tmp_path.glob("jpserver-*.json")
        port, token = json.loads(file.read_text())["port"], {"Authorization": "token secret"}
        address = f"127.0.0.1:{port}"
        name = httpx.post(f"http://{address}/api/terminals", headers=token).json()["name"]
        with connect(
            f"ws://{address}/terminals/websocket/{name}", additional_headers=token, proxy=None
        ) as terminal:
            terminal.send('["stdin", "command -v channels-live; echo do\'\'ne\\r"]')
            shown = ""
            while "done" not in shown:
                kind, *text = json.loads(terminal.recv(timeout=60))
                shown += text[0] if kind == "stdout" else ""
        assert str(Path(sys.prefix, "bin", "channels-live")) in shown
    finally:
        os.killpg(lab.pid, signal.SIGKILL)
        lab.wait()
