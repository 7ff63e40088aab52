"""What forks servers for the tests leaves none of them behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from clients import eventually, gone

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
