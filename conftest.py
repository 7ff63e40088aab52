"""What every test run needs: a workspace of its own, groups for xdist, and exceptions for nbval."""

import gc
import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from channels_live.authoring.kernels import keep_ports_for_kernels

sys.dont_write_bytecode = False  # here only: or each worker would compile all tests at each run

FOLDER = pytest.StashKey[Path]()
EXERCISE = re.compile(r"\[(\d+\.\d+)\b")  # its number, in the name of a test
LIVE = {
    "another_kernel",
    "browser",
    "daphne",
    "executed",
    "kernel",
    "later",
    "made",
    "other",
    "outcomes",
    "server",
    "start",
}
MEMORY, ROOM = Path("/dev/shm"), 2 * 2**30  # bytes that a run may need there
OUTPUT_TIMEOUT = 60  # seconds for the next output of a cell that has ended; nbval gives it five


def _has_room(folder):
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM


def pytest_configure(config):
    """Keep every test, and every kernel that a test starts, away from the learner's own files."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job that a shell runs behind
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what tests start inherits it
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)  # SQLite waits for a disk
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="channels_live_"))
    os.environ["CHANNELS_LIVE_WORKSPACE"] = str(config.stash[FOLDER] / "workspace")
    os.environ["CHANNELS_LIVE_ANY_PORT"] = "1"  # notebooks that run at once must not share one
    os.environ["CHANNELS_LIVE_CHECK_EVENTS"] = "1"  # every event of every server
    os.environ["CHANNELS_LIVE_LONG_WAIT"] = "600"  # or an output would depend on the speed
    os.environ["CHANNELS_LIVE_WHOLE_SECOND"] = "1"  # for a client that answers daphne's close
    os.environ.pop("REDIS_URL", None)  # a broker of the developer's own
    keep_ports_for_kernels()


_start_kernel = IPyNbFile.setup


def _start_kernel_that_forks(notebook):
    folder, root = notebook.path.parent, Path(__file__).parent
    # lessons 0 to 7 are about how a server starts: theirs do so as a learner's do
    is_plain = folder.name == "notebooks" and notebook.path.name < "08"
    if is_plain or folder.parent != root or not hasattr(os, "fork"):
        return _start_kernel(notebook)
    import prefork  # a copy of this file, in a test, is without it

    with prefork.forking_kernels():
        _start_kernel(notebook)
    answer = notebook.kernel.kc.execute(prefork.IN_KERNEL, silent=True, reply=True, timeout=60)
    assert answer["content"]["status"] == "ok", answer["content"]


IPyNbFile.setup = _start_kernel_that_forks


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Let nobody look for garbage among thousands of tests: they stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before nbval starts a kernel
def pytest_runtest_setup(item):
    """Give each test file and each notebook a workspace that no other has written to."""
    folder = item.config.stash[FOLDER] / item.path.parent.name / item.path.stem
    os.environ["CHANNELS_LIVE_WORKSPACE"] = str(folder / "workspace")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let workers share out files, so that a notebook has one kernel; and exercises, one by one.

    So are the answers to *Now you*, which need a kernel each.

    Not by the marks of --dist=loadgroup, which pytest-xdist 3.8 does not see with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, test = nodeid.partition("::")
            if file.endswith("test_now_you.py"):
                return nodeid
            exercise = EXERCISE.search(test) if file.endswith("test_exercises.py") else None
            return f"{file} {exercise[1]}" if exercise else file

    return Scheduler(config, log)


def pytest_itemcollected(item):
    """Say whether a test is live.

    Of a notebook, ignore the drawing that JupyterLab stores beside the diagram it was made from.
    """
    is_cell = isinstance(item, IPyNbCell)
    if is_cell or LIVE & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.live)
    if is_cell:
        item.output_timeout = OUTPUT_TIMEOUT
    for output in item.cell.outputs if is_cell else ():
        if "text/vnd.mermaid" in output.get("data", {}):
            output.data.pop("image/svg+xml", None)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session):
    """With CHANNELS_LIVE_NO_SKIPS set, as in CI, a skipped test fails the run."""
    result = yield
    # in a worker of xdist there is none
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped") if reporter else None
    if skipped and os.environ.get("CHANNELS_LIVE_NO_SKIPS"):
        reporter.section("skipped, and CHANNELS_LIVE_NO_SKIPS is set", red=True)
        for report in skipped:
            reporter.line(f"{report.nodeid}: {report.longrepr[2]}")
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    return result
