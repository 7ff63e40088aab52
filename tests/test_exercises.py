"""The guarantees of the exercises: what is right passes, nothing else does, and it says why."""

import functools
import re
from importlib import import_module
from pathlib import Path

import pytest

from channels_live import notebook
from channels_live.checks import Fits, client
from channels_live.checks.hints import in_order
from channels_live.exercise import tasks
from channels_live.progress import NOT_ATTEMPTED, NOT_YET, RIGHT
from channels_live.workspace import NOTEBOOKS, SOLUTIONS, copy_project, lay_out, project_before

TASKS = tasks()
RIGHTS, WRONG = {}, {}  # number → answers of others
for path in sorted(Path(__file__).parent.glob("*_answers/lesson_*.py")):
    answers = import_module(f"{path.parent.name}.{path.stem}")
    if path.parent.name == "right_answers":
        RIGHTS |= answers.RIGHT
    else:
        WRONG |= answers.WRONG


# the names of these tests begin with the number: by it, conftest.py lets workers share them out
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.number)
every_wrong_answer = pytest.mark.parametrize(
    ("task", "wrong"),
    [
        pytest.param(task, wrong, id=f"{task.number} {wrong.title}")
        for task in TASKS
        for wrong in WRONG.get(task.number, [])
    ],
)


@pytest.fixture(scope="module")
def project_after(tmp_path_factory):
    """Return a function that returns the project after a lesson, its layers put together once."""

    @functools.cache
    def project_after(lesson):
        folder = tmp_path_factory.mktemp("after")
        for layer in project_before(lesson + 1):
            copy_project(layer, folder)
        return folder

    return project_after


@pytest.fixture
def answer(tmp_path, project_after):
    """Return a function that lays out an exercise, writes files over it, and returns its folder."""

    def answer(task, files=()):
        folder = tmp_path / task.number
        lay_out(folder, [project_after(task.lesson)], task.files())
        for path, text in dict(files).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return folder

    return answer


def files_of(task, wrong):
    """Return the files of a wrong answer: path → text."""
    files = dict(task.files(solved=True))
    for path, old, new in [(wrong.path, wrong.old, wrong.new), *wrong.more]:
        if old:
            assert files[path].count(old) == 1, f"{old!r} in {path}"
        files[path] = files[path].replace(old, new) if old else new
    return files


# What the checks say


@every_task
def test_untouched_exercise_is_not_attempted(task, answer):
    assert task.judge(answer(task)).state == NOT_ATTEMPTED


@every_task
def test_solution_is_right(task):
    """Nbval runs the notebooks of the solutions, and compares what their checks say."""
    check = f"ex{task.number.partition('.')[2]}.check()"
    (cell,) = [cell for cell in task.page.cells if cell.source == check]
    assert cell.execution_count
    assert "nbval-ignore-output" not in cell.tags
    (output,) = cell.outputs
    first_line = "".join(output["data"]["text/plain"]).split("\n")[0]
    assert first_line == f"Exercise {task.number}: {RIGHT} ✓"


@pytest.mark.live
@pytest.mark.parametrize(
    ("task", "right"),
    [
        pytest.param(task, right, id=f"{task.number} {right.title}")
        for task in TASKS
        for right in RIGHTS.get(task.number, [])
    ],
)
def test_right_answer_in_another_style_is_right(task, right, answer, forked):
    outcome = task.judge(answer(task, dict(task.files(solved=True)) | right.files))
    assert outcome.state == RIGHT, outcome


@pytest.mark.live
@every_task
def test_emptied_files_are_not_right(task, answer, forked):
    begun, solved = dict(task.files()), dict(task.files(solved=True))
    emptied = {path: "" for path, text in solved.items() if begun.get(path) != text}
    assert emptied
    outcome = task.judge(answer(task, solved | emptied))
    assert outcome.state == NOT_YET, outcome
    assert "the check met" not in outcome.details, outcome


@pytest.mark.live
@every_wrong_answer
def test_wrong_answer_gets_the_message_meant_for_it(task, wrong, answer, forked, monkeypatch):
    monkeypatch.setattr(client, "WAIT", 1.5)  # seconds, where an answer may still come
    outcome = task.judge(answer(task, files_of(task, wrong)))
    assert outcome.state == NOT_YET, outcome
    assert wrong.message in str(outcome) + repr(outcome.details), outcome
    assert "the check met" not in outcome.details, outcome


@pytest.mark.live
@pytest.mark.parametrize(
    ("task", "wrong"),
    [
        pytest.param(task, WRONG[task.number][0], id=task.number)
        for task in TASKS
        if task.number.endswith(".1")
    ],
)
def test_plain_way_has_the_same_outcome(task, wrong, answer, request):
    """What is judged above on forked servers is judged alike on those that a learner has."""
    folder = answer(task, files_of(task, wrong))
    plain = task.judge(folder)
    request.getfixturevalue("forked")
    forked = task.judge(folder)
    assert forked.state == plain.state
    assert list(forked.details) == list(plain.details)
    for label in ("look at", "your code raised", "the log says"):
        # at random, at each run
        drawn = re.compile(r"channels_live_\w+|\d+|\b[bcdfghklmnprstvwz]{5}\b")
        assert drawn.sub("…", forked.details.get(label, "")) == drawn.sub(
            "…", plain.details.get(label, "")
        )


@every_task
def test_hint_for_a_finding_is_for_one_that_can_be_made(task):
    said = [wrong.message.replace("`", "") for wrong in WRONG.get(task.number, [])]
    for hint in task.hints:
        if isinstance(hint, Fits):
            for part in hint.pattern.pattern.split("|"):
                assert any(re.search(part, message) for message in said), part


@pytest.mark.parametrize(
    ("number", "said", "hint"),
    [
        ("8.1", "look at what a client can see of a code sent before accept()", "Only the robot"),
        ("9.1", "your code raised SynchronousOnlyOperation", "`filter` only describes"),
        ("10.1", "look at the method: does it say that the consumer is done?", "A consumer says"),
        ("11.1", "look at who is woken: one of those who wait, or all?", "Two readers"),
        ("13.1", "look at what runs: disconnect does not, a finally does", "`disconnect` does not"),
        ("14.1", "your code raised TypeError: unhashable type: 'list'", "The same once more"),
        ("18.1", "look at what a key belongs to: another station may have used it", "`aget_or"),
        ("22.1", "look at who may write X-Forwarded-For: nginx", "Only what the proxy itself"),
        ("27.3", "look at tokens: they stand in messages, with all arguments", "`re.sub(r"),
    ],
)
def test_last_fault_of_a_repair_has_its_own_hint_first(number, said, hint):
    (task,) = [task for task in TASKS if task.number == number]
    assert in_order(task.hints, said)[0].startswith(hint)


NAMES = re.compile(r"""\{% url '(\w+)'""")
SOCKET = re.compile(r'openSocket\("/(\w+/\w+/)"')


@pytest.mark.parametrize("task", [task for task in TASKS if 15 <= task.lesson <= 21],
                         ids=lambda task: task.number)  # fmt: skip
def test_head_of_each_page_has_what_it_needs(task, answer):
    """Who logged in at 20.2 met a NoReverseMatch: its urls.py had no notifications."""
    folder = answer(task, task.files(solved=True))
    base = (folder / "myapp/templates/myapp/base.html").read_text(encoding="utf-8")
    urls = "".join(path.read_text(encoding="utf-8") for path in folder.glob("my*/urls.py"))
    for name in NAMES.findall(base):
        assert f'name="{name}"' in urls or name in ("login", "logout"), name
    routing = (folder / "myapp/routing.py").read_text(encoding="utf-8")
    home = (folder / "myapp/templates/myapp/home.html").read_text(encoding="utf-8")
    for path in SOCKET.findall(base + home):
        assert f'path("{path}"' in routing, path


# Nothing is unlisted


def test_every_lesson_has_exercises():
    lessons = {int(path.name[:2]): path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")}
    del lessons[0]
    assert {int(path.name[:2]): path.name for path in SOLUTIONS.glob("*.ipynb")} == lessons
    for lesson in lessons:
        numbers = [task.number for task in TASKS if task.lesson == lesson]
        assert numbers == [f"{lesson}.{at}" for at in range(1, len(numbers) + 1)]
        assert 2 <= len(numbers) <= 4


def test_every_lesson_has_something_to_repair():
    repairs = {task.lesson for task in TASKS if task.page.kind == "repair"}
    assert repairs == {task.lesson for task in TASKS}


@every_task
def test_exercise_is_complete(task):
    assert 5 <= task.minutes <= 15
    assert task.page.kind in ("repair", "complete", "build")
    assert "**Goal.**" in task.page.cells[0].source
    assert "**Not asked.**" in task.page.cells[0].source
    assert len(task.hints) >= 2
    assert getattr(task.checks, f"check_{task.number.replace('.', '_')}")
    assert len({wrong.title for wrong in WRONG[task.number]}) >= 3
    assert any(cell.is_solution for cell in task.page.cells)
    assert dict(task.files()) != dict(task.files(solved=True))


def test_no_check_hint_or_wrong_answer_without_exercise():
    numbers = {task.number for task in TASKS}
    assert set(WRONG) == numbers
    for module in {task.checks for task in TASKS}:
        names = {name[6:].replace("_", ".") for name in vars(module) if name.startswith("check_")}
        assert names == set(module.HINTS) <= numbers


@pytest.mark.parametrize("path", sorted(SOLUTIONS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_page_says_what_comes_before_and_is_executed(path):
    """Its minutes, and the links back and on, are put there by `make build`."""
    page = notebook.read(path)
    assert page.cells[0].source.startswith(f"# {page.number} · Exercises: ")
    assert " minutes · Before this: " in page.cells[0].source
    links = [
        link
        for cell in page.cells
        for link in re.findall(r"\]\(([^)\s]+)\)", cell.source)
        if not re.match("[a-z]+:", link)
    ]
    assert all((SOLUTIONS / link).exists() for link in links)
    assert page.is_executed
