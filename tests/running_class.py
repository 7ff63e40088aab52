"""A class of its own, run as an instructor runs it, and what its learners do in a browser."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

from channels_live.server.ports import free_port

PROGRAM = "import sys; from channels_live.cli import main; sys.exit(main())"


class Class:
    """A running class. said: the lines it has printed so far. url: with a slash at the end."""

    def __init__(self, process: subprocess.Popen, folder: Path):
        self.process, self.folder, self.said = process, folder, []
        self.wait_for("servers run.")
        shown = "\n".join(self.said)
        self.url = re.search(r"come to  (\S+)", shown)[1]
        self.code = re.search(r" code  (\S+)", shown)[1]
        self.instructor_code = re.search(r"the code (\S+);", shown)[1]

    def wait_for(self, text):
        """Read on until a line holds this text, and return it."""
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if text in line:
                return line
        raise RuntimeError("\n".join(self.said))

    def wait_until_all_run(self, seats):
        ready = f"{seats} of {seats} servers run."
        if self.said[-1] != ready:
            self.wait_for(ready)


@contextlib.contextmanager
def running_class(folder: Path, *options: str):
    """Run `channels-live class`, and end it. folder: where it is run."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "class", f"--port={free_port()}", *options],
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        yield Class(process, folder)
    finally:
        if process.poll() is None:
            process.terminate()  # a job behind a shell hears no SIGINT
        process.communicate(timeout=90)


def come_in(page, running, name, code=None, then=""):
    """Log in, as a learner does, and wait for JupyterLab."""
    page.goto(running.url + then)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("The class code").fill(code or running.code)
    page.get_by_role("button", name="Come in").click()


def run_all(page):
    """Run all cells of the notebook that is shown."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
