"""Measures a class: `make bench-class ARGS="--learners 50"`.

So many scripted learners come to a real `channels-live class`, a few at a time, open lesson 5, run
it up to its first timeline, and solve exercise 5.1. Halfway the hub is killed. It tells how long
that takes, what memory it needs, and how many have failed or have lost something.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import psutil
from running_class import running_class
from scripted_learner import Learner

from channels_live import notebook
from channels_live.workshop.seat import own_memory

LESSON, EXERCISE = 5, "5.1"


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
    assert "ChatConsumer.receive()" in told, told
    result["timeline"] = time.monotonic() - begin
    learner.run(f"from channels_live import Exercise\nex = Exercise({EXERCISE!r})")
    for source in solution():
        learner.run(source)
    told = learner.run("print(ex.check())", timeout=300)
    assert "right" in told, told
    result["solved"] = time.monotonic() - begin
    return learner


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--learners", type=int, default=4)
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
        results = {name: {} for name in names}
        learners, failures = {}, {}

        def one(name):
            try:
                learners[name] = learn(running, name, results[name])
            except Exception as error:  # whatever it is, it is what is counted
                failures[name] = repr(error)[:300]

        half = len(names) // 2
        for part in (names[:half], names[half:]):
            with ThreadPoolExecutor(options.at_once) as pool:
                list(pool.map(one, part))
            if part == names[:half]:
                psutil.Process(int((folder / "class/hub.pid").read_text())).kill()
                running.wait_for("It starts again")
                running.wait_until_all_run(options.learners)
                print("hub killed, and there again", flush=True)
        lost = [name for name, learner in learners.items() if learner.run("1 + 1") != "2"]
        for name, learner in learners.items():
            progress = running.folder / f"class/learners/{learner.user}/workspace/progress.txt"
            if "right" not in progress.read_text():
                lost.append(name)
        for key in ("timeline", "solved"):
            times = sorted(result[key] for result in results.values() if key in result)
            if times:
                print(f"{key}: median {median(times):.1f} s, longest {times[-1]:.1f} s")
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
