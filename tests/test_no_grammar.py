"""JupyterLab without the grammar that it never asks for."""

import subprocess
import sys

import pytest

from channels_live.workshop import hubs

LEAVE_OUT = "from channels_live.no_grammar import leave_out_grammar; leave_out_grammar(); "


@pytest.mark.live  # to import JupyterLab takes seconds
@pytest.mark.parametrize(("before", "there"), [("", True), (LEAVE_OUT, False)])
def test_jupyterlab_brings_it_unless_it_is_left_out(before, there):
    """Once JupyterLab does not bring it by itself, the module is no longer needed."""
    code = f"{before}import sys, jupyterlab.labapp; print('lark' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed == f"{there}\n"


@pytest.mark.live
@pytest.mark.skipif(sys.platform == "win32", reason="JupyterHub does not run on Windows")
def test_the_hub_of_a_class_leaves_it_out():
    imports, main = hubs.PROGRAM.rsplit("main()", 1)
    code = (
        f"{imports}import sys; print('lark' in sys.modules, 'jupyter_events' in sys.modules){main}"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False True\n"
    code = "import sys, jupyterhub.app; print('lark' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"
