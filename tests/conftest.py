"""A small live site to test on, servers that serve it, and a browser."""

import os
import re
import shutil
import sys
from pathlib import Path

import prefork
import pytest
from clients import CHROMIUM, DAPHNE, UNSEEN
from playwright.sync_api import Error, sync_playwright

from channels_live.server import Server
from channels_live.workspace import SAMPLE, copy_project


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """Let only tests that are marked as live start a server, so that `make quick` stays quick."""
    if not request.node.get_closest_marker("live"):

        def refuse(*_, **__):
            pytest.fail("This test starts a server. Mark it: @pytest.mark.live")

        monkeypatch.setattr("channels_live.server.server.Run", refuse)


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Return the folder of the site: the plain one, made live. Not to be changed."""
    folder = tmp_path_factory.mktemp("site")
    copy_project(SAMPLE / "start", folder)
    settings = folder / "myproject/settings.py"
    settings.rename(settings.with_name("plain_settings.py"))
    copy_project(Path(__file__).parent / "project", folder)
    return folder


@pytest.fixture
def site(project, tmp_path):
    """Return a copy of the site, to be broken."""
    return shutil.copytree(project, tmp_path / "site")


@pytest.fixture(scope="module")
def daphne(project):
    """Return a daphne that the tests of a module share."""
    server = Server(DAPHNE, project)
    yield server
    server.stop()


@pytest.fixture
def start(site):
    """Return a function that starts a server on the site, and stop it after the test."""
    servers = []

    def start(command=DAPHNE, folder=site, **options):
        servers.append(Server(command, folder, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def zygote():
    """Return what forks servers, or None where nothing can fork."""
    return prefork.shared()


@pytest.fixture
def forked(zygote):
    """Let a test's servers, and programs of its checks, be forked: see prefork.py."""
    with prefork.forking(zygote):
        yield


@pytest.fixture(scope="module")
def forked_servers(zygote):
    """Let all servers of a module, and programs of its checks, be forked."""
    with prefork.forking(zygote):
        yield


@pytest.fixture(scope="module")
def playwright():
    """Return what drives Chromium, if it is installed."""
    if not CHROMIUM:
        reason = "Chromium is not installed: no program called chromium or google-chrome"
        if "CHANNELS_LIVE_REQUIRE_BROWSER" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright):
    """Return headless Chromium."""
    # of two such arguments the last one counts
    off = f"--disable-features={_turned_off(playwright)},{UNSEEN}"
    options = {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu", off]}
    with playwright.chromium.launch(**options) as browser:
        yield browser


def _turned_off(playwright):
    """Return what playwright turns off in Chromium: it tells, if a program is no browser."""
    with pytest.raises(Error) as told:
        playwright.chromium.launch(executable_path=sys.executable)
    return re.search(r"--disable-features=(\S+)", str(told.value))[1]
