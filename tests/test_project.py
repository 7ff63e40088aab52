"""`Project`: one's own Django project, served as a lesson is, from its own environment too."""

import os
import sys

import pytest
from answers import everything
from clients import DAPHNE, HELLO, own_environment, talk

from channels_live import LessonError, Project, ServerError


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    """Put environment and folder back afterwards."""
    monkeypatch.chdir(tmp_path)
    environment = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(environment)


@pytest.mark.live
def test_project_is_served_and_told_as_a_lesson_is(site, capsys):
    before = everything(site)
    project = Project(str(site))
    server = project.start(DAPHNE)
    assert capsys.readouterr().out == f"Running: {DAPHNE}\n"
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert "ChatConsumer.receive()" in str(server.timeline())
    assert server.log(contains="WSCONNECT")
    project.stop()
    assert not server.running
    assert everything(site) == before


def test_home_folder(site, monkeypatch):
    monkeypatch.setenv("HOME", str(site.parent))
    assert Project("~/site").folder == site


def test_variables_of_the_project_are_left_to_it(site, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://own")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "own.settings")
    Project(site)
    assert os.environ["REDIS_URL"] == "redis://own"
    assert os.environ["DJANGO_SETTINGS_MODULE"] == "own.settings"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("nowhere", "There is no folder .*/nowhere"),
        ("site/manage.py", r"manage\.py is a file\. Name the folder that it lies in"),
        (".", r"is no Django project: there is no manage\.py in it\. Do you mean .*/site\?"),
        ("site/myapp", r"is no Django project: .* Do you mean .*/site\?"),
        (None, "A project is named by its folder, a text, not None"),
        (["site"], "A project is named by its folder"),
        ("", "A project is named by its folder"),
        ("\0", "No folder's name holds"),
        ("x" * 300, r"The name .* is too long"),
    ],
)
def test_folder_that_is_no_project(site, folder, words):
    with pytest.raises(LessonError, match=words):
        Project(folder)


@pytest.mark.live
def test_module_that_is_in_its_own_environment_only(site):
    own_environment(site / ".venv", module="only_there")
    with (site / "myapp/consumers.py").open("a") as consumers:
        consumers.write("\nimport only_there\n")
    with pytest.raises(ServerError, match=r"such as \.venv.(bin|Scripts).python, run with what"):
        Project(site).start(DAPHNE)
    (site / "myproject/settings.py").write_text("import nowhere\n")
    with pytest.raises(ServerError) as caught:
        Project(site).start(".venv/bin/daphne myproject.asgi:application")
    assert "No module named 'nowhere'" in str(caught.value)
    assert "environment" not in str(caught.value)


@pytest.mark.live
@pytest.mark.parametrize("application", ["nowhere.asgi:application", "myproject.asgi:app"])
def test_application_that_is_not_there(site, application):
    with pytest.raises(ServerError, match=r"This project has myproject\.asgi:app"):
        Project(site).start(f"daphne {application}")


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="its programs lie elsewhere")
@pytest.mark.parametrize(
    "command",
    [
        "venv/bin/python -m daphne -p 8000 myproject.asgi:application",
        "venv/bin/python manage.py runserver --noreload 8000",
        "venv/bin/daphne -p 8000 myproject.asgi:application",
    ],
)
def test_environment_of_the_project(site, command):
    """It has Django and Channels, but nothing of the course."""
    own_environment(site / "venv")
    project = Project(site)
    server = project.start(command)
    assert talk(server, "/ws/chat/", HELLO) == [HELLO]
    assert "ChatConsumer.receive()" in str(server.timeline())
    project.stop()


def test_address_for_others_belongs_into_a_terminal(site):
    with pytest.raises(ServerError) as caught:
        Project(site).start("daphne -b 0.0.0.0 myproject.asgi:application")
    assert str(caught.value) == (
        "'0.0.0.0' would open this server to other computers. What a notebook starts listens on "
        "127.0.0.1 only: leave the address out.\n"
        "In a terminal, `channels-live watch -- …` runs a server as it is typed."
    )
