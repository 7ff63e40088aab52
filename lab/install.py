"""Installs the course from this folder, without a network: `python3 install.py`."""

import json
import platform
import subprocess
import sys
import venv
from pathlib import Path

KIT = Path(__file__).resolve().parent
COURSE, WHEELS = KIT / "course", KIT / "wheels"


def here():
    """Return what the packages depend on: system, processor, Python."""
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return f"{platform.system()} {platform.machine()}, {python}"


def main():
    made_for = json.loads((KIT / "kit.json").read_text())["made for"]
    if made_for != here():
        print(f"This kit is for {made_for}. This computer has {here()}.")
        print("Take the Python that it names, or ask your instructor for another kit.")
        return 1
    print("Installing. This takes a minute …", flush=True)
    place = COURSE / ".venv"
    venv.create(place, with_pip=True)
    programs = place / ("Scripts" if sys.platform == "win32" else "bin")
    python = programs / "python"
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    install += ["--find-links", WHEELS, "-c", "requirements.txt", "-e", "."]
    if subprocess.run([python, *install], cwd=COURSE).returncode:
        print("That did not work. Show your instructor the lines above.")
        return 1
    (place / ".installed").touch()  # for `make lab`: nothing is to be fetched
    if status := subprocess.run([programs / "channels-live", "doctor"], cwd=COURSE).returncode:
        return status
    start = "--LabApp.default_url=/lab/tree/workspace/notebooks/00_start_here.ipynb"
    print("\nThe course begins with this command:\n")
    print(f'  cd "{COURSE}"\n  "{python}" -m channels_live.lab {start}')
    return 0


if __name__ == "__main__":
    sys.exit(main())
