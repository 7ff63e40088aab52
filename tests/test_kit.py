"""What a kit says where it does not fit. CI makes one and installs it: `kit` in its workflow."""

import json
import runpy
import shutil
import subprocess
import sys

import pytest

from channels_live.authoring import kit
from channels_live.workspace import ROOT


def test_course_that_is_no_clone_makes_no_kit_and_says_why(monkeypatch):
    def fails(_):
        raise subprocess.CalledProcessError(128, ["git", "ls-files", "-z"])

    monkeypatch.setattr(kit, "make", fails)
    with pytest.raises(SystemExit, match="it needs a clone of the course, git, and a network"):
        kit.main()


def test_kit_for_another_computer_says_so_and_installs_nothing(tmp_path):
    program = shutil.copy(ROOT / "lab/install.py", tmp_path)
    (tmp_path / "kit.json").write_text(json.dumps({"made for": "Plan9 mips, Python 3.11"}))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert done.returncode == 1
    here = runpy.run_path(str(program))["here"]()
    assert f"This kit is for Plan9 mips, Python 3.11. This computer has {here}." in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"install.py", "kit.json"}
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in here
