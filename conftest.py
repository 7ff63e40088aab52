"""What every test run needs: a workspace of its own, groups for xdist, and exceptions for nbval."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

FOLDER = pytest.StashKey[Path]()
LIVE = {
    "another_kernel",
    "browser",
    "daphne",
    "executed",
    "kernel",
    "later",
    "made",
    "server",
    "start",
}


def pytest_configure(config):
    """Keep every test, and every kernel that a test starts, away from the learner's own files."""
    config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="channels_live_"))
    os.environ["CHANNELS_LIVE_WORKSPACE"] = str(config.stash[FOLDER] / "workspace")
    os.environ["CHANNELS_LIVE_ANY_PORT"] = "1"  # notebooks that run at once must not share one
    os.environ["CHANNELS_LIVE_CHECK_EVENTS"] = "1"  # every event of every server
    os.environ.pop("REDIS_URL", None)  # a broker of the developer's own


_start_kernel = IPyNbFile.setup


def _start_kernel_again(notebook):
    try:
        _start_kernel(notebook)
    except RuntimeError:  # a kernel dies if another program takes its port before it has started
        _start_kernel(notebook)


IPyNbFile.setup = _start_kernel_again


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before nbval starts a kernel
def pytest_runtest_setup(item):
    """Give each test file and each notebook a workspace that no other has written to."""
    folder = item.config.stash[FOLDER] / item.path.parent.name / item.path.stem
    os.environ["CHANNELS_LIVE_WORKSPACE"] = str(folder / "workspace")


@pytest.hookimpl(tryfirst=True)  # before -m and xdist look at the marks
def pytest_collection_modifyitems(items):
    """Say which tests are live, and keep those of a file in one worker if they do not say more."""
    for item in items:
        if isinstance(item, IPyNbCell) or LIVE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.live)
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.name}"))


def pytest_itemcollected(item):
    """Ignore the drawing that JupyterLab stores beside the diagram it was made from."""
    if isinstance(item, IPyNbCell):
        for output in item.cell.outputs:
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
