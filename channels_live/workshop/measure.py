"""Measures what a learner needs: a Jupyter server, a kernel, and what lesson 5 serves."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from channels_live.workshop.seat import own_memory
from channels_live.workspace import LessonError

_CODE = """
from channels_live import Lesson
lesson = Lesson(5)
server = lesson.start("daphne -p 8000 myproject.asgi:application")
"""
_LONGEST = 60  # seconds


def a_learner() -> float:
    """Return the GB that a learner needs here. Raises LessonError if a lesson does not run."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        environment = os.environ | {
            "CHANNELS_LIVE_WORKSPACE": str(Path(name, "workspace")),
            "CHANNELS_LIVE_ANY_PORT": "1",
            "HOME": name,
            "JUPYTER_RUNTIME_DIR": name,
        }
        with _server(Path(name), environment) as server, _lesson(environment) as kernel:
            return sum(_memory_of_all(pid) for pid in (server, kernel)) / 1e9


def _memory_of_all(pid: int) -> int:
    process = psutil.Process(pid)
    return sum(map(own_memory, [process, *process.children(recursive=True)]))


@contextlib.contextmanager
def _server(folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """Start JupyterLab, and yield its pid when it answers."""
    command = [sys.executable, "-m", "channels_live.lab", "--no-browser", "--ServerApp.port=0"]
    command += ["--allow-root", f"--ServerApp.root_dir={folder}"]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr
        said = []
        for line in process.stderr:
            said.append(line)
            if "http://127.0.0.1:" in line:
                break
        else:
            raise LessonError("".join(["JupyterLab does not start here:\n", *said[-5:]]))
        yield process.pid
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def _lesson(environment: dict[str, str]) -> Iterator[int]:
    """Start a kernel and what lesson 5 begins with in it; yield its pid."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(
        startup_timeout=_LONGEST, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        content = client.execute(_CODE, reply=True, timeout=_LONGEST)["content"]
        if content["status"] != "ok":
            raise LessonError(
                f"Lesson 5 does not run here. {content['ename']}: {content['evalue']}"
            )
        # what there is of it is the local one, which has a pid
        yield manager.provisioner.pid  # type: ignore[union-attr]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
