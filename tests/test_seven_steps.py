"""The seven steps at the end of lesson 7, as a reader copies them: a site of their own runs."""

import re

import pytest
from clients import client
from shown_changes import FENCES, applied
from test_build import cell, write

from channels_live import notebook
from channels_live.authoring import AuthoringError, recipe
from channels_live.authoring.course import Course
from channels_live.workspace import SAMPLE, copy_project, lay_out

(STEPS,) = (
    cell.source
    for cell in notebook.read(notebook.lesson_path(7)).cells
    if "recipe" in cell.metadata
)
PATH = re.compile(r"(?:# |\{# )(\S+)(?: #\})?\n")


def test_there_are_seven():
    steps = re.findall(r"^\*\*(\d) · \w+\.\*\* (.+)$", STEPS, re.M)
    assert [number for number, _ in steps] == list("1234567")
    assert all("The original" in wrong for _, wrong in steps)
    assert "Topic" not in STEPS  # of our site, which the reader does not have


def copied(folder):
    """Copy all files of the page into a project, and return its commands."""
    commands = []
    for kind, text in FENCES.findall(STEPS):
        if kind == "bash":
            commands.append(text.strip())
            continue
        path = PATH.match(text)[1]
        if kind == "diff":
            _, text = applied(text, {path: (folder / path).read_text(encoding="utf-8")})
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return commands


@pytest.mark.live
def test_a_plain_site_with_the_seven_steps_runs(tmp_path, start):
    folder = tmp_path / "plain"
    lay_out(folder, [SAMPLE / "start"])
    install, daphne = copied(folder)
    assert install == 'pip install "channels[daphne]"'
    for command in (daphne, "python manage.py runserver 8000"):
        server = start(command, folder)
        assert "/ws/chat/" in server.http("/chat/").text
        with client(server, "/ws/chat/", origin="http://localhost") as websocket:
            for frame in ('{"message": "hello"}', b"\0"):
                websocket.send(frame)
                assert ("hello" if frame[0] == "{" else "error") in websocket.recv()
        server.stop()


@pytest.fixture
def course(tmp_path):
    """Return a Course whose second lesson shows two files to be copied, not filled in yet."""
    root = tmp_path / "course"
    copy_project(SAMPLE / "start", root / "sample_project/start")
    classes = "\n\n\nclass Thing:\n    pass\n\n\nclass Yours:\n    pass\n"
    urls = (SAMPLE / "start/myapp/urls.py").read_text(encoding="utf-8")
    write(
        root / "notebooks/01_one_more.ipynb",
        cell("code", "new", f"%%writefile a.py\nfrom x import Thing\nimport y{classes}"),
        cell("code", "urls", f"%%writefile myapp/urls.py\n{urls}more = 1  # new\n"),
    )
    fences = "```python\n# a.py\n```\n\n```diff\n# myapp/urls.py\n```\n\n```python\nplain = 1\n```"
    write(
        root / "notebooks/02_and_two.ipynb",
        cell("markdown", "all", fences, recipe={"without": "Thing"}),
    )
    return Course(root)


def test_files_are_copied_as_the_lesson_leaves_them(course):
    (path,) = recipe.renew(course)
    (page,) = notebook.read(path).cells
    first, change, last = FENCES.findall(page.source)
    assert first == ("python", "# a.py\nimport y\n\n\nclass Yours:\n    pass\n")
    assert change[0] == "diff" and change[1].endswith("+more = 1\n")
    assert last == ("python", "plain = 1\n")
    assert recipe.stale(course) == recipe.renew(course) == []


def test_a_path_without_a_file_is_told(course):
    path = course.lessons()[2].path
    path.write_text(path.read_text().replace("# a.py", "# b.py"))
    with pytest.raises(AuthoringError, match=r"cell 'all': no lesson before writes b.py"):
        recipe.stale(course)
