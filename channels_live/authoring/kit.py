"""`make kit`: a folder for a stick, from which the course installs without a network."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

from channels_live.workspace import ROOT

_BUILDS = ("hatchling", "editables")  # what an editable installation needs besides
_OTHERS = (
    "Learners with another system or Python need another kit: run `make kit` on such a computer, "
    "or on Windows `.venv\\Scripts\\python -m channels_live.authoring.kit`."
)


def make(kit: Path) -> str:
    """Make the kit anew. Return for what it is.

    Raises CalledProcessError if git or pip fail; they have said why.
    """
    if kit.exists():
        shutil.rmtree(kit)
    wheels = ["-w", str(kit / "wheels"), "-c", "requirements.txt", str(ROOT), *_BUILDS]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wheels], cwd=ROOT, check=True)
    for wheel in (kit / "wheels").glob("channels_live-*"):
        wheel.unlink()  # the course is installed from its folder, where the notebooks are
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = kit / "course" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    shutil.copy(ROOT / "lab/install.py", kit)
    made_for = runpy.run_path(str(kit / "install.py"))["here"]()
    (kit / "kit.json").write_text(json.dumps({"made for": made_for}))
    return made_for


def main() -> None:
    """Run `make kit`. Exits with what went wrong."""
    kit = ROOT / "dist" / "kit"
    try:
        made_for = make(kit)
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(
            f"The kit is not made; it needs a clone of the course, git, and a network. {error}"
        )
    size = sum(file.stat().st_size for file in kit.rglob("*") if file.is_file()) >> 20
    print(f"{kit}: {size} MB, for {made_for}. Copy it to a stick.")
    print("A learner copies it from there, and runs in the copy: python3 install.py")
    print(_OTHERS)


if __name__ == "__main__":
    main()
