"""What forks servers for the tests leaves none of them behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import prefork
import psutil
import pytest
from clients import eventually, gone
from jupyter_client.manager import start_new_kernel

PROGRAM = """\
import pathlib, signal, subprocess

signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "300"])
pathlib.Path("pid").write_text(str(child.pid))
pathlib.Path("pid").rename("child")
signal.pause()
"""
TEST = """\
import os, pathlib, sys, prefork

def test_waits():
    options = {"folder": pathlib.Path.cwd(), "environment": os.environ, "log": 1}
    with prefork.forking(prefork.Zygote()):
        prefork.process([sys.executable, "program.py"], **options).wait()
"""


@pytest.mark.live
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")
@pytest.mark.parametrize("kill", ["kill", "killpg"])
def test_forks_end_with_tests_that_are_killed(kill, tmp_path):
    """At once, without a word: as by hand, or when a machine is out of memory."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "test_waits.py").write_text(TEST)
    tests = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-c", os.devnull, "-p", "no:valkey", "test_waits.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert eventually((tmp_path / "child").exists)
        child = psutil.Process(int((tmp_path / "child").read_text()))
        (zygote,) = psutil.Process(tests.pid).children()
        left = [child, child.parent(), zygote]
        assert child.parent().parent() == zygote
    finally:
        getattr(os, kill)(tests.pid, signal.SIGKILL)
        tests.wait()
    assert gone(left, within=30)


@pytest.mark.live
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")
def test_kernel_is_a_fork_that_can_be_interrupted_and_ends(tmp_path):
    with prefork.forking_kernels():
        manager, client = start_new_kernel(cwd=tmp_path)
    said = []

    def run(source):
        reply = client.execute_interactive(source, output_hook=hear, timeout=60)
        return reply["content"]["status"]

    def hear(message):
        said.append(message["content"].get("text", ""))
        if said[-1] == "sleeps\n":
            manager.interrupt_kernel()

    assert run("import os; print(os.getpid(), os.getcwd())") == "ok"
    pid, folder = "".join(said).split()
    kernel = psutil.Process(int(pid))
    assert Path(folder) == tmp_path
    assert kernel.parent().cmdline()[1:] == [str(prefork.ZYGOTE), "kernels"]
    assert run("import time; print('sleeps', flush=True); time.sleep(60)") == "error"
    assert run("1") == "ok"
    manager.shutdown_kernel(now=True)
    client.stop_channels()
    assert gone([kernel], within=30)


# What Python is in a `!` cell

SHOWN = """\
import os, sys

print(__name__, sys.argv, os.path.basename(sys.path[0]), os.environ.get("FIRST"))
print(sys.stdin.read(), "django" in sys.modules)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.live
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")
def test_python_in_a_cell_is_forked_and_does_what_python_does(tmp_path, zygote):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/shown.py").write_text(SHOWN)
    said = {}
    for forks in (False, True):
        run = prefork.with_forks(subprocess.run) if forks else subprocess.run
        command = "FIRST=1 python inner/shown.py 3 < inner/shown.py"
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        said[forks] = (done.returncode, done.stdout.replace(f"{forks}\n", "…\n"), done.stderr)
    assert said[True] == said[False]
    assert said[True][0] == 3 and "shown.py', '3'] inner 1" in said[True][1]


@pytest.mark.live
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can fork here")
def test_subprocess_is_forked_and_does_what_python_does(tmp_path, zygote, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/shown.py").write_text(SHOWN)
    said = []
    for _ in range(2):
        command = [sys.executable, "inner/shown.py", "3"]
        done = subprocess.run(command, cwd=tmp_path, input="text\n", capture_output=True, text=True)
        said.append([done.returncode, *done.stdout.rpartition(" "), done.stderr])
        monkeypatch.setattr(
            subprocess.Popen, "__init__", prefork.begun(subprocess.Popen.__init__, zygote.address)
        )
    plain, forked = said
    assert [plain.pop(-2), forked.pop(-2)] == ["False\n", "True\n"]
    assert plain == forked


@pytest.mark.parametrize(
    ("command", "forks"),
    [
        ("python manage.py migrate", True),
        ("python board/manage.py migrate --verbosity 0", True),
        ("DJANGO_DEBUG=0 A= python -m django check", True),
        ("python -c 'print(1)'", False),
        ("python --version", False),
        ("cat manage.py && python manage.py check", False),
        ("coverage run manage.py test", False),
    ],
)
def test_which_commands_are_forked(command, forks, monkeypatch):
    monkeypatch.setenv(prefork.ADDRESS, "address")
    changed = prefork.with_forks(str)(command)
    assert (changed != command) == forks
    assert changed.replace(f"{prefork.FORKED} address", "python") == command
