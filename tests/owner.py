"""An owner of programs, to be ended: `python owner.py JSON`, see test_keeper.py.

It makes a fork of its own, which tries to stop the programs. It prints the pid of that fork, and
how many of the pipes to the keepers are open there. Then it waits for a word.
"""

import json
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from channels_live.server import process

programs = []
inodes = set()  # of the pipes to their keepers


def stop():
    with ThreadPoolExecutor() as pool:
        list(pool.map(process.Process.stop, programs))


def held():
    """Return how many of the pipes are open here."""
    found = set()
    for descriptor in map(int, os.listdir("/dev/fd")):
        try:
            found.add(os.fstat(descriptor).st_ino)
        except OSError:
            pass  # that of the list
    return len(found.intersection(inodes))


def main():
    os.close(os.open(os.ttyname(0), os.O_RDWR))  # makes it the terminal of this session
    commands, process.KEEPER, folder = json.loads(sys.argv[1])
    options = {"folder": Path.cwd(), "environment": os.environ, "log": 2, "remove": Path(folder)}
    with ThreadPoolExecutor() as pool:  # these threads end; what they have started must not
        programs.extend(pool.map(lambda argv: process.Process(argv, **options), commands))
    inodes.update(os.fstat(descriptor).st_ino for one in programs for descriptor in one._pipes)
    assert held() == 2 * len(programs)
    outlive = {"initializer": signal.signal, "initargs": (signal.SIGHUP, signal.SIG_IGN)}
    forks = ProcessPoolExecutor(1, mp_context=get_context("fork"), **outlive)
    forks.submit(stop).result()
    print(*forks._processes, forks.submit(held).result(), flush=True)
    if input() == "stop":
        stop()
        print(*(one.returncode for one in programs), flush=True)
        input()


if __name__ == "__main__":
    main()
