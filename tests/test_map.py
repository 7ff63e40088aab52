"""The maps in CONTRIBUTING.md and README.md name what there is, each once, and nothing else."""

import re
import subprocess
import tomllib

from channels_live.workspace import ROOT

FLOORS = ("doors", "classroom", "kernel", "engine", "ground")


def table(page, head):
    """Return the rows of a table: first cell → second."""
    text = (ROOT / page).read_text(encoding="utf-8")
    rows = text.partition(f"| {head} |\n")[2].partition("\n\n")[0].splitlines()[1:]
    return dict(row.strip("| ").split(" | ") for row in rows)


def test_each_module_is_named_on_its_floor():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    *held, below, beside = (re.findall(r"\w+", layer) for layer in layers)
    held[0].append("__init__")  # which no contract names
    held[-1] += below
    named = table("CONTRIBUTING.md", "floor | modules")
    assert tuple(named) == FLOORS
    for floor, modules in zip(FLOORS, held, strict=True):
        assert sorted(re.findall(r"`(\w+)/?`", named[floor])) == sorted(modules), floor
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^- `(\w+)(?:\.py|/)` ", text, re.MULTILINE)[:2]) == sorted(beside)


def test_each_folder_is_named():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout.splitlines()
    there = {path.partition("/")[0] for path in tracked if "/" in path}
    named = {
        place.strip("`").partition("/")[0] for place in table("README.md", "folder | what it holds")
    }
    assert named - {"workspace"} == {folder for folder in there if folder[0] != "."}
    projects = {path.split("/")[1] for path in tracked if path.startswith("sample_project/")}
    shown = table("README.md", "folder | what it holds")
    assert {f"`sample_project/{project}/`" for project in projects} <= shown.keys()
