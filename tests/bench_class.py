"""Measures a class: `make bench-class ARGS="--learners 50 --browsers 6"`.

So many scripted learners come to a real `channels-live class`, a few at a time, open lesson 5, run
it up to its first timeline, and solve exercise 5.1: some in a real browser, in which they run all
of the lesson, the others by Jupyter's API. Halfway the hub is killed. It tells how long that takes,
what memory it needs, and how many have failed or have lost something.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import psutil
from nbformat.v4 import new_code_cell, new_notebook, writes
from playwright.sync_api import sync_playwright
from running_class import come_in, run_all, running_class
from running_lab import KERNEL
from scripted_learner import Learner

from channels_live import notebook
from channels_live.workshop.seat import own_memory

LESSON, EXERCISE = 5, "5.1"
FIRST_OF_TIMELINE = "ChatConsumer.receive()"
BEGIN = f"from channels_live import Exercise\nex = Exercise({EXERCISE!r})"
CHECK = "print(ex.check())"
RIGHT = f"Exercise {EXERCISE}: right"
PATIENCE = 300  # seconds for whatever a learner waits for


def until_the_first_timeline():
    """Return the code cells of the lesson, up to the one that tells the first timeline."""
    cells = []
    for cell in notebook.lesson(notebook.lesson_path(LESSON)).cells:
        if cell.kind == "code":
            cells.append(cell.source)
            if "server.timeline()" in cell.source:
                return cells
    raise LookupError("no timeline")


def solution():
    """Return the cells that write the solved files of the exercise."""
    marker = f"%%writefile {EXERCISE}/"
    return [
        cell.source
        for cell in notebook.read(notebook.solution_path(LESSON)).cells
        if cell.kind == "code" and cell.source.startswith(marker)
    ]


def learn(running, name, result):
    """Do what a learner does. result: a dict to fill, with times in seconds."""
    begin = time.monotonic()
    learner = Learner(running, name)
    learner.start_kernel()
    for source in until_the_first_timeline():
        told = learner.run(source)
    assert FIRST_OF_TIMELINE in told, told
    result["timeline"] = time.monotonic() - begin
    learner.run(BEGIN)
    for source in solution():
        learner.run(source)
    told = learner.run(CHECK, timeout=PATIENCE)
    assert RIGHT in told, told
    result["solved"] = time.monotonic() - begin
    return learner


def learn_in_a_browser(running, name, result):
    """Do the same in Chromium, with all cells of the lesson. Return the user, and leave."""
    begin = time.monotonic()
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE * 1000)
        lesson = notebook.lesson_path(LESSON).name
        come_in(page, running, name, then=f"hub/user-redirect/lab/tree/notebooks/{lesson}")
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        user = page.url.partition("/user/")[2].partition("/")[0]
        run_all(page)
        page.locator(".jp-OutputArea").get_by_text(FIRST_OF_TIMELINE).first.wait_for(
            state="attached"
        )
        result["timeline"] = time.monotonic() - begin
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.keyboard.press("Control+s")
        cells = [new_code_cell(source) for source in (BEGIN, *solution(), CHECK)]
        written = writes(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}))
        workspace = running.folder / f"class/learners/{user}/workspace"
        (workspace / "exercises/mine.ipynb").write_text(written)
        # in a window of its own: "Idle" would be said of the lesson's kernel, too
        page.goto(f"{running.url}user/{user}/lab/workspaces/mine/tree/exercises/mine.ipynb")
        page.locator(".jp-NotebookPanel:visible").get_by_text(f"Exercise({EXERCISE!r})").wait_for()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        run_all(page)
        page.locator(".jp-OutputArea").get_by_text(RIGHT).first.wait_for(state="attached")
        result["solved"] = time.monotonic() - begin
        chromium.close()
    return user


def has_all(workspace, in_a_browser):
    """Return whether all that a learner has done is in their workspace."""
    progress = (workspace / "progress.txt").read_text().splitlines()
    if [EXERCISE, "right"] not in [line.split() for line in progress]:
        return False
    if not in_a_browser:
        return True
    saved = json.loads((workspace / "notebooks" / notebook.lesson_path(LESSON).name).read_text())
    return any(FIRST_OF_TIMELINE in json.dumps(cell.get("outputs")) for cell in saved["cells"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--learners", type=int, default=4)
    parser.add_argument("--browsers", type=int, default=0, help="how many of them have a browser")
    parser.add_argument("--at-once", type=int, default=4)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="class_"))
    free = psutil.virtual_memory().available
    begin = time.monotonic()
    with running_class(folder, f"--users={options.learners}") as running:
        running.wait_until_all_run(options.learners)
        print(f"{options.learners} servers run after {time.monotonic() - begin:.0f} s", flush=True)
        print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        names = [f"Learner {number}" for number in range(options.learners)]
        # some of both halves: before the hub is killed, and after
        step = max(1, options.learners // options.browsers) if options.browsers else 0
        with_browser = set(names[::step][: options.browsers]) if step else set()
        results = {name: {} for name in names}
        learners, failures = {}, {}

        def one(name):
            way = learn_in_a_browser if name in with_browser else learn
            try:
                learners[name] = way(running, name, results[name])
            except Exception as error:  # whatever it is, it is what is counted
                failures[name] = repr(error)[:300]

        half = len(names) // 2
        for part in (names[:half], names[half:]):
            with ThreadPoolExecutor(options.at_once) as pool:
                list(pool.map(one, part))
            print(f"{len(learners)} have solved {EXERCISE}", flush=True)
            print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
            if part == names[:half]:
                psutil.Process(int((folder / "class/hub.pid").read_text())).kill()
                running.wait_for("It starts again")
                running.wait_until_all_run(options.learners)
                print("hub killed, and there again", flush=True)
        lost = []
        for name, learner in learners.items():
            user = learner if name in with_browser else learner.user
            workspace = running.folder / f"class/learners/{user}/workspace"
            # the kernel from before knows what it knew
            kept = name in with_browser or EXERCISE in learner.run("print(ex.folder)")
            if not (kept and has_all(workspace, name in with_browser)):
                lost.append(name)
        for way, those in (("", set(names) - with_browser), ("in a browser, ", with_browser)):
            for key in ("timeline", "solved"):
                times = sorted(results[name][key] for name in those if key in results[name])
                if times:
                    print(f"{way}{key}: median {median(times):.1f} s, longest {times[-1]:.1f} s")
        seats = folder / "class/learners"
        memory = [
            own_memory(process)
            for process in psutil.process_iter()
            if _cwd(process).startswith(str(seats))
        ]
        print(f"memory: {sum(memory) / 1e9 / options.learners:.2f} GB a learner", end=", ")
        print(f"{(free - psutil.virtual_memory().available) / 1e9:.1f} GB together")
        print(f"failures: {len(failures)}, lost: {len(lost)}")
        for name, error in failures.items():
            print(f"  {name}: {error}")


def _cwd(process):
    try:
        return process.cwd()
    except psutil.Error:
        return ""


if __name__ == "__main__":
    main()
