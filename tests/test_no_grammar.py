"""JupyterLab without the grammar that it never asks for."""

import subprocess
import sys

import pytest

LEAVE_OUT = "from channels_live.no_grammar import leave_out_grammar; leave_out_grammar(); "


@pytest.mark.live  # to import JupyterLab takes seconds
@pytest.mark.parametrize(("before", "there"), [("", True), (LEAVE_OUT, False)])
def test_jupyterlab_brings_it_unless_it_is_left_out(before, there):
    """Once JupyterLab does not bring it by itself, the module is no longer needed."""
    code = f"{before}import sys, jupyterlab.labapp; print('lark' in sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed == f"{there}\n"
