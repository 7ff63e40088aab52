"""The witnesses of lesson 2, Update the settings, and of its exercises."""

import os
import re

import channels.apps
import pytest
from clients import DAPHNE, RUNSERVER, manage
from django.core.management import find_commands
from projects import another_answer, lesson_begins

from channels_live.progress import RIGHT
from channels_live.server import Server, ServerError

SETTINGS = "myproject/settings.py"
ASGI_APPLICATION = '"myproject.asgi.application"'
LAYER = '\nCHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}\n'
WHOSE = """
import json
from django.apps import apps
from django.core.management import get_commands
print("whose:", get_commands()["runserver"], get_commands().get("runworker"))
"""


@pytest.fixture
def folder(tmp_path):
    """Return a copy of the project that lesson 2 leaves."""
    return lesson_begins(3, tmp_path / "site")


def change(folder, old, new):
    settings = folder / SETTINGS
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))


def whose(folder):
    """Return whose `runserver` and `runworker` a project has."""
    output = manage(folder, "shell", "-c", WHOSE)
    return re.search("whose: (.*)", output)[1].split()


@pytest.mark.claim(
    "lesson 2",
    "`'channels'` in `INSTALLED_APPS` adds one command, `runworker`, which this part of the course "
    "does not need. It does not touch `runserver`.",
    "Since version 4, that part lives in daphne.",
    "`'channels'` in `INSTALLED_APPS` only brings the command `runworker`.",
    "What makes `runserver` serve ASGI is `'daphne'`, before `django.contrib.staticfiles`.",
    "Both `daphne` and `django.contrib.staticfiles` bring a command called `runserver`, and Django "
    "takes the one from the app that it finds first.",
    "because its own command would be ignored without a word",
)
def test_whose_commands_these_are(folder):
    assert find_commands(os.path.join(*channels.__path__, "management")) == ["runworker"]
    own = {name for name in vars(channels.apps.ChannelsConfig) if not name.startswith("__")}
    assert own == {"name", "verbose_name"}
    assert whose(folder) == ["daphne", "channels"]
    change(folder, '    "daphne",  # first\n', "")
    assert whose(folder) == ["django.contrib.staticfiles", "channels"]
    change(folder, '    "myapp",\n', '    "myapp",\n    "daphne",\n')
    change(folder, "INSTALLED_APPS", 'SILENCED_SYSTEM_CHECKS = ["daphne.E001"]\nINSTALLED_APPS')
    assert whose(folder) == ["django.contrib.staticfiles", "channels"]


@pytest.mark.live
@pytest.mark.claim(
    "lesson 2",
    "`ASGI_APPLICATION` says *where* the ASGI application is. A WSGI server never asks.",
)
@pytest.mark.claim(
    "solutions 2",
    'its banner says "Starting development server", and nothing in it reads `ASGI_APPLICATION`',
)
def test_wsgi_server_never_asks(folder):
    change(folder, '    "daphne",  # first\n', "")
    change(folder, ASGI_APPLICATION, '"any.nonsense"')
    with Server(RUNSERVER, folder) as server:
        assert "Starting development server" in str(server.log())
        assert server.http("/accounts/login/").status_code == 200


@pytest.mark.live
@pytest.mark.claim(
    "lesson 2",
    "| `daphne` | its own argument; the setting is never read |",
    "would start with any nonsense in that line",
    "The `daphne` command takes its own argument, with a colon.",
)
@pytest.mark.claim(
    "solutions 2",
    "On the server neither mistake mattered, for the `daphne` command uses neither line.",
    "`settings.py` has no `ASGI_APPLICATION`, since the `daphne` command never reads it; "
    "`runserver` does.",
)
def test_daphne_reads_no_setting(folder):
    change(folder, ASGI_APPLICATION, '"any.nonsense"')
    with Server(DAPHNE, folder) as server:
        assert server.http("/accounts/login/").status_code == 200


@pytest.mark.live
@pytest.mark.claim(
    "lesson 2",
    "| `python manage.py runserver`, once it is daphne's | the setting `ASGI_APPLICATION` | dots: "
    "`myproject.asgi.application` |",
    "A colon in the setting fails with `Cannot find 'asgi:application' in ASGI_APPLICATION module "
    "myproject`.",
    "And without the setting, daphne's `runserver` says `You have not set ASGI_APPLICATION, which "
    "is needed to run the server.`",
    "`ASGI_APPLICATION` is read by daphne's `runserver` and by `runworker`, with dots.",
)
@pytest.mark.claim(
    "hints 2.1",
    "When that is mended, `runserver` starts to read `ASGI_APPLICATION`, and complains.",
)
def test_runserver_reads_the_setting(folder):
    change(folder, ASGI_APPLICATION, '"myproject.asgi:application"')
    message = "Cannot find 'asgi:application' in ASGI_APPLICATION module myproject"
    with pytest.raises(ServerError, match=message):
        Server(f"{RUNSERVER} --noreload", folder)
    change(folder, 'ASGI_APPLICATION = "myproject.asgi:application"', "")
    output = manage(folder, "runserver", "--noreload", check=False)
    assert "You have not set ASGI_APPLICATION, which is needed to run the server." in output


@pytest.mark.claim(
    "lesson 2", "| `python manage.py runworker` | the setting `ASGI_APPLICATION` | dots |"
)
def test_runworker_reads_the_setting(folder):
    change(folder, ASGI_APPLICATION, '"any.nonsense"' + LAYER)
    output = manage(folder, "runworker", "jobs", check=False)
    assert "Cannot import ASGI_APPLICATION module 'any'" in output


@pytest.mark.live
@pytest.mark.parametrize(
    ("number", "changes"),
    [
        pytest.param(
            "2.1",
            {SETTINGS: (r'    "channels",\n', "")},
            id="without channels",
            marks=pytest.mark.claim(
                "solutions 2",
                '`"channels"` may go: without `runworker`, nothing here needs it in the list.',
            ),
        ),
        pytest.param(
            "2.1",
            {
                SETTINGS: (
                    r'(?s)    "daphne",\n(.*)(    "django.contrib.staticfiles",\n)',
                    r'\1    "daphne",\n\2',
                )
            },
            id="daphne directly before staticfiles",
            marks=pytest.mark.claim(
                "solutions 2", '`"daphne"` directly before `"django.contrib.staticfiles"`.'
            ),
        ),
        pytest.param(
            "2.2",
            {"myproject/dev.py": (r"INSTALLED_APPS = .*", 'INSTALLED_APPS.insert(0, "daphne")')},
            id="insert",
            marks=pytest.mark.claim("solutions 2", '`INSTALLED_APPS.insert(0, "daphne")`'),
        ),
        pytest.param(
            "2.2",
            {"myproject/dev.py": (r"from .settings import INSTALLED_APPS\n", "")},
            id="import * alone",
            marks=pytest.mark.claim(
                "solutions 2", "`import *` brings `INSTALLED_APPS` along already."
            ),
        ),
    ],
)
def test_what_else_would_do(tmp_path, number, changes):
    assert another_answer(number, tmp_path, changes).state == RIGHT
