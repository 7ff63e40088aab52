"""CI's workflow runs what is there, and publishes what that makes."""

import os
import re

import pytest
import yaml

from channels_live import notebook
from channels_live.authoring import site
from channels_live.workspace import ROOT

JOBS = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("job", "step"), STEPS)
def test_step_runs_what_is_there(job, step):
    assert ("run" in step) != ("uses" in step), step  # one of them, or it is refused as a whole
    if action := step.get("uses"):
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)
    command = step.get("run", "")
    for target in re.findall(r"\bmake ([a-z-]+)", command):
        assert target in TARGETS
    for path in re.findall(r"(?:^|[ =])((?:tests|\.ci)/[\w./-]+)", command):
        assert (ROOT / path).exists()
    if command == ".ci/run" and os.name != "nt":
        assert os.access(ROOT / ".ci/run", os.X_OK)


def test_readme_has_the_commands_of_the_tests_on_windows():
    """With fewer tools installed, pytest does not even begin."""
    install, _, tests = (step["run"] for step in JOBS["macos-windows"]["steps"] if "run" in step)
    page = (ROOT / "README.md").read_text("utf-8")
    assert f"```powershell\n.venv\\Scripts\\{install}\n.venv\\Scripts\\{tests}\n```" in page


def test_readme_says_which_lessons_need_more_on_windows():
    def starting(program):
        return {
            lesson.number
            for lesson in map(notebook.read, notebook.lesson_paths())
            if any(re.search(rf"start\(.{program}", cell.source) for cell in lesson.code)
        }

    page = (ROOT / "README.md").read_text("utf-8")
    nginx = starting("nginx")
    for numbers, needs in ((starting("valkey-server") - nginx, "a Redis"), (nginx, "nginx")):
        *first, last = sorted(numbers)
        assert f"Lessons {', '.join(map(str, first))} and {last} need {needs}" in page


@pytest.mark.parametrize("name", JOBS)
def test_job_checks_out_first_and_ends_in_time(name):
    job = JOBS[name]
    assert job["steps"][0]["uses"].startswith("actions/checkout@")
    assert job["runs-on"] and 5 <= job["timeout-minutes"] <= 60


@pytest.mark.parametrize(
    ("name", "command", "made"),
    [("site", "make site", site.BUILD / "site"), ("kit", "make kit", ROOT / "dist/kit")],
)
def test_artefact_is_what_the_job_makes(name, command, made):
    steps = JOBS[name]["steps"]
    commands = [step.get("run") for step in steps]
    (artefact,) = (
        step["with"] for step in steps if step.get("uses", "").startswith("actions/upload-artifact")
    )
    assert command in commands  # the site with EPUB and PDF: without --html
    assert ROOT / artefact["path"] == made
