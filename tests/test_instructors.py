"""What README.md and INSTRUCTORS.md tell an instructor to type, and where to click, is there."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from channels_live.cli import _parser
from channels_live.workspace import ROOT

TEXTS = [(ROOT / name).read_text("utf-8") for name in ("README.md", "INSTRUCTORS.md")]
LINES = dict.fromkeys(
    line.partition("  #")[0].strip()
    for text in TEXTS
    for block in re.findall(r"```bash\n(.*?)```", text, re.S)
    for line in block.splitlines()
)
OURS = [line for line in LINES if line.startswith("channels-live ")]
MAKE = [line for line in LINES if line.startswith("make ")]


@pytest.mark.parametrize("line", OURS)
def test_command_is_one(line):
    assert _parser().parse_args(shlex.split(line)[1:]).run


@pytest.mark.parametrize("line", MAKE)
def test_make_has_it_and_what_it_passes_on_is_understood(line):
    _, target, *arguments = shlex.split(line)
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.M)
    if target == "class":
        (options,) = (each.removeprefix("ARGS=") for each in arguments)
        assert _parser().parse_args(["class", *options.split()]).run


def test_presentation_mode_is_where_the_text_says():
    file = "share/jupyter/lab/schemas/@jupyterlab/application-extension/commands.json"
    menus = json.loads(Path(sys.prefix, file).read_text("utf-8"))["jupyter.lab.menus"]["main"]
    (view,) = (menu for menu in menus if menu["id"] == "jp-mainmenu-view")
    (inner,) = (
        item["submenu"]
        for item in view["items"]
        if "application:toggle-presentation-mode" in json.dumps(item)
    )
    told = f"*View → {inner['label']} → Presentation Mode*"
    assert told in (ROOT / "INSTRUCTORS.md").read_text("utf-8")
