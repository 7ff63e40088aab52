"""A learner's day, by chance: whatever they do, and whatever happens to them, nothing is gone.

CHANNELS_LIVE_DAYS=20 lives that many days, of 200 acts each, instead of one short one;
CHANNELS_LIVE_DAYS=20:7 begins with the seed 7.
"""

import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
from answers import RIGHT_5_1
from jupyter_client.manager import start_new_kernel

from channels_live.workspace import ROOT, is_laid_out

DAYS, _, FIRST = os.environ.get("CHANNELS_LIVE_DAYS", "").partition(":")
ACTS = 200 if DAYS else 60
SEEDS = range(int(FIRST or 11), int(FIRST or 11) + int(DAYS or 1))
NAMES = {"notebooks": "05_create_consumer.ipynb", "exercises": "05_exercises.ipynb"}
ANSWER = "5.1/myapp/answer.py"
TOKEN = re.compile(r"^# written \d+\.\n", re.M)
PARTS = ("channels_live", "notebooks", "exercises", "solutions", "sample_project")


class Learner:
    """A learner with a course of their own, a kernel, an editor and a browser."""

    def __init__(self, folder, chance):
        self.chance, self.course = chance, folder / "course"
        for part in PARTS:
            skip = shutil.ignore_patterns("__pycache__", "db.sqlite3")
            shutil.copytree(ROOT / part, self.course / part, ignore=skip)
        self.own = folder / "workspace"
        self.copy = self.own / "exercises" / NAMES["exercises"]
        self.environment = os.environ | {
            "CHANNELS_LIVE_WORKSPACE": str(self.own),
            "PYTHONPATH": str(self.course),
            "JPY_SESSION_NAME": str(self.copy),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        self.count = self.edition = 0
        self.written = set()  # what must be somewhere from now on
        self.right = False
        self.log = []
        self.python("from channels_live.copies import *; lay_out_copies()")
        self.manager = self.client = None
        self.open_notebook()
        self.start_kernel()

    # What they have

    def python(self, code):
        subprocess.run([sys.executable, "-c", code], env=self.environment, check=True, timeout=60)

    def start_kernel(self):
        self.manager, self.client = start_new_kernel(
            kernel_name="python3", env=self.environment, cwd=self.copy.parent
        )
        self.run("from channels_live import Exercise, Lesson; import os, sqlite3")
        self.run("ex1 = Exercise('5.1')")

    def end_kernel(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, source):
        """Run a cell. Return whether it went well, and what it printed."""
        printed = []

        def listen(message):
            content = message["content"]
            data = content.get("data", {}).get("text/plain", "")
            printed.append(content.get("text") or data or "\n".join(content.get("traceback", [])))

        reply = self.client.execute_interactive(source, timeout=60, output_hook=listen)
        return reply["content"]["status"] == "ok", "".join(printed)

    def open_notebook(self):
        """Take what was saved; what was not is gone from the screen."""
        cells = json.loads(self.copy.read_text())["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        self.cell = next(source for source in sources if source.startswith("%%writefile 5.1/"))

    def token(self):
        self.count += 1
        return f"# written {self.count}.\n"

    # What they do

    def edit_cell(self):
        self.cell = f"{self.cell.rstrip()}\n{self.token()}"

    def solve_in_cell(self):
        tokens = TOKEN.findall(self.cell)
        self.cell = f"%%writefile {ANSWER}\n{RIGHT_5_1}{''.join(tokens)}{self.token()}"

    def save_notebook(self):
        content = json.loads(self.copy.read_text())
        for cell in content["cells"]:
            if "".join(cell["source"]).startswith("%%writefile 5.1/"):
                cell["source"] = self.cell
                cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ran\n"}]
        self.copy.write_text(json.dumps(content))
        self.written |= set(TOKEN.findall(self.cell))

    def close_without_saving(self):
        self.open_notebook()

    def run_file_cell(self):
        done, said = self.run(self.cell)
        if done:
            self.written |= set(TOKEN.findall(self.cell))
        return said

    def run_again(self):
        return self.run("ex1 = Exercise('5.1')")[1]

    def reset(self):
        return self.run("ex1.reset()")[1]

    def lesson(self):
        return self.run("lesson = Lesson(5); os.chdir(ex1.folder.parent)")[1]

    def check(self):
        _, said = self.run("print(ex1.check())")
        self.right |= "Exercise 5.1: right" in said
        return said

    def spoil(self):
        act = self.chance.choice(
            [f"!printf x > {ANSWER}", f"open('{ANSWER}', 'w').close()", f"os.remove('{ANSWER}')"]
        )
        return self.run(act)[1]

    def edit_file(self):
        """In an editor, which adds to what it has read."""
        folder = self.chance.choice([self.own / "exercises/05/5.1", self.own / "05"])
        names = ("myapp/answer.py", "myapp/views.py", "manage.py", "notes.txt")
        file = folder / self.chance.choice(names)
        if file.parent.is_dir():
            token = self.token()
            old = file.read_text() if file.is_file() else ""
            file.write_text(f"{old}\n{token}")
            self.written.add(token)

    def use_the_site(self):
        folder = self.chance.choice([self.own / "exercises/05/5.1", self.own / "05"])
        if folder.is_dir():
            token = self.token()
            database = sqlite3.connect(folder / "db.sqlite3")
            with database:
                database.execute("CREATE TABLE IF NOT EXISTS entered (what)")
                database.execute("INSERT INTO entered VALUES (?)", [token])
            database.close()
            self.written.add(token)

    def migrate(self):
        """Let a cell write into the database."""
        code = "with sqlite3.connect(lesson.folder / 'db.sqlite3') as d: d.execute('CREATE TABLE "
        return self.run(f"{code}t{self.count} (x)'); d.commit()")[1]

    def in_terminal(self):
        command = self.chance.choice([["reset", "5.1"], ["fresh", "5", "--exercises"], ["list"]])
        process = [sys.executable, "-m", "channels_live", *command]
        done = subprocess.run(process, env=self.environment, capture_output=True, text=True)
        self.open_notebook()
        return f"{command} {done.stdout[-500:]} {done.stderr}"

    # What happens to them

    def new_edition(self):
        self.edition += 1
        for folder, name in NAMES.items():
            path = self.course / folder / name
            content = json.loads(path.read_text())
            content["cells"][0]["source"] = f"# 5 · Edition {self.edition}"
            path.write_text(json.dumps(content))
        self.python("from channels_live.copies import *; print(*lay_out_copies())")
        self.open_notebook()

    def restart(self):
        self.end_kernel()
        self.start_kernel()

    def kill(self):
        """In the middle of something."""
        sources = [self.cell, "ex1.reset()", "Lesson(5)", "Exercise('5.1')"]
        self.client.execute(self.chance.choice(sources))
        time.sleep(self.chance.uniform(0, 0.15))
        self.manager.signal_kernel(9)
        self.end_kernel()
        self.start_kernel()

    def interrupt(self):
        """In the middle of something."""
        sources = [self.cell, "ex1.reset()", "lesson = Lesson(5)", "ex1.check()"]
        number = self.client.execute(self.chance.choice(sources))
        time.sleep(self.chance.uniform(0, 0.15))
        self.manager.interrupt_kernel()
        while self.client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != number:
            pass
        self.run("os.chdir(ex1.folder.parent)")

    def full_disk(self):
        """A file gets no longer than so many bytes: a write fails in its middle."""
        import resource

        pid = self.manager.provisioner.process.pid
        most = resource.RLIM_INFINITY
        limit = self.chance.choice([0, 10, 100, 300, 1000, 3000])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, most))
        try:
            acts = (self.run_file_cell, self.reset, self.lesson, self.run_again, self.spoil)
            return f"{limit} {self.chance.choice(acts)()}"
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
            self.run("pass")  # what could not be kept is tried again

    # What must hold

    def look(self):
        contents = [path.read_bytes() for path in self.own.rglob("*") if path.is_file()]
        gone = [
            token
            for token in sorted(self.written)
            if not any(token.strip().encode() in content for content in contents)
        ]
        assert not gone, gone
        for folder in (self.own / "05", self.own / "exercises/05/5.1"):
            assert not folder.exists() or is_laid_out(folder)
        if self.right:
            assert re.search("^5.1   right", (self.own / "progress.txt").read_text(), re.M)


OFTEN = ["edit_cell", "edit_cell", "run_file_cell", "run_file_cell", "edit_file", "edit_file"]
OFTEN += ["save_notebook", "use_the_site", "solve_in_cell"]
ALSO = ["close_without_saving", "run_again", "reset", "lesson", "check", "spoil", "migrate"]
HARD = ["in_terminal", "new_edition", "restart", "kill", "kill", "full_disk", "full_disk"]
HARD += ["interrupt", "interrupt"]


@pytest.mark.live
@pytest.mark.timeout(120 + 3 * ACTS)
@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="needs prlimit")
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_was_written_is_gone_at_the_end_of_a_day(tmp_path, seed):
    chance = random.Random(seed)
    learner = Learner(tmp_path, chance)
    log = []
    try:
        acts = [*ALSO, *HARD, *OFTEN]  # each at least once
        acts += chance.choices(OFTEN * 3 + ALSO * 2 + HARD, k=ACTS - len(acts))
        chance.shuffle(acts)
        for act in acts:
            log.append(f"{act}: {getattr(learner, act)()}")
            try:
                learner.look()
            except AssertionError:
                print("\n".join(log[-12:]))
                raise
    finally:
        learner.end_kernel()
    shutil.rmtree(tmp_path, ignore_errors=True)
    assert learner.written, "nothing was written"
