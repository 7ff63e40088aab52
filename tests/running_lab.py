"""A JupyterLab of its own, as on the first day of a learner, and what tests do with it."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import prefork
from clients import answers, eventually
from nbformat.v4 import new_code_cell, new_notebook

from channels_live.server.ports import free_port

KEEP_PORTS = """\
from channels_live.authoring.kernels import keep_ports_for_kernels
keep_ports_for_kernels()
"""
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
# What the widgets hold: the cells of the open notebook, once all have run or one has failed
RAN = """() => {
    const panel = jupyterapp.shell.currentWidget;
    const cells = [...panel.content.model.cells]
        .filter(cell => cell.type === "code" && cell.sharedModel.source.trim());
    const outputs = cells.flatMap(cell => cell.outputs.toJSON());
    const failed = outputs.some(output => output.output_type === "error");
    const ran = cells.every(cell => cell.executionCount);
    const idle = panel.sessionContext.session.kernel.status === "idle";
    return (failed || ran && idle) && {ran: cells.length, outputs};
}"""
# as long as the page is loading there is no application
OPEN = """() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status
    === 'idle'"""

COMMAND = """([command, options]) => jupyterapp.commands.execute(command, options)
    .then(() => undefined)"""
CLOSE = """() => {
    for (const { context } of jupyterapp.shell.widgets("main"))
        if (context) context.model.dirty = false;  // or it would ask
    return jupyterapp.commands.execute("application:close-all").then(() => undefined);
}"""
# a splash lies over all of JupyterLab while its theme changes
THEMED = """light => document.body.dataset.jpThemeLight === String(light)
    && !document.getElementById("jupyterlab-splash")"""
NOTHING_OPEN = """() => document.body.dataset.jpThemeLight === "true"
    && [...jupyterapp.serviceManager.sessions.running()].length === 0
    && !document.querySelector(".jp-NotebookPanel, .cl-Panel, .jp-Dialog")"""


class Lab:
    """A running JupyterLab. folder: what it shows. url: without a slash at the end."""

    def __init__(self, folder, url, token):
        self.folder, self.url, self.token = folder, url, token

    def address(self, path):
        """Return where a file is shown, with nothing else open."""
        name = re.sub(r"\W", "-", path)
        return f"{self.url}/lab/workspaces/{name}/tree/{path}?token={self.token}"

    def write(self, name, *sources):
        """Write a notebook of code cells that have not been run."""
        cells = [new_code_cell(source) for source in sources]
        notebook = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, self.folder / name)

    def open(self, page, name):
        """Open a notebook. JupyterLab is loaded anew, but where it is, with nothing open."""
        if page.url.startswith(f"{self.url}/lab/") and page.evaluate(NOTHING_OPEN):
            page.evaluate(COMMAND, ["docmanager:open", {"path": name}])
        else:
            page.goto(self.address(name))
            page.wait_for_function("() => window.jupyterapp?.shell")
        page.wait_for_function(OPEN)


@contextlib.contextmanager
def running_lab(home: Path, folder: Path, *options: str, zygote=None):
    """Start JupyterLab, and end it. zygote: its kernels, and Python in them, are forked, too."""
    environment = {name: value for name, value in os.environ.items() if "JUPYTER" not in name}
    environment |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "CHANNELS_LIVE_WORKSPACE": str(folder / "workspace"),
    }
    files = {
        ".jupyter/jupyter_server_config.py": KEEP_PORTS,
        # or each window asks whether JupyterLab is to be built, wherever there is Node.js
        ".jupyter/labconfig/page_config.json": '{"buildCheck": false}',
    }
    if zygote:
        files[".ipython/profile_default/startup/fork.py"] = prefork.IN_KERNEL
        files["jupyter/kernels/python3/kernel.json"] = prefork.kernelspec()
        environment["JUPYTER_PATH"] = str(home / "jupyter")
    for name, content in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content)
    command = ["-m", "channels_live.lab", "--no-browser", "--allow-root", f"--port={free_port()}"]
    command += ["--expose-app-in-browser", *options]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in process.stderr:
        said.append(line)
        if address := re.search(r"(http://127\.0\.0\.1:\d+\S*)/lab\?token=(\w+)", line):
            break
    else:
        raise RuntimeError("".join(said))
    threading.Thread(target=process.stderr.read, daemon=True).start()  # or it would get stuck
    try:
        assert eventually(lambda: answers(f"{address[1]}/api")), (
            "it says its address before it listens"
        )
        yield Lab(folder, address[1], address[2])
    finally:
        process.terminate()  # and its kernels
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()  # now and then it waits for ever for a thread of AnyIO
            process.wait()


def close_all(page):
    """Close all that is open in JupyterLab, unsaved, and end its kernels: it is as if new."""
    page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    page.evaluate(CLOSE)
    change_theme(page, "Light")
    page.evaluate("() => jupyterapp.shell.expandLeft()")  # the list of files
    page.wait_for_function(NOTHING_OPEN)


def change_theme(page, theme):
    """Let JupyterLab be "Light" or "Dark"."""
    page.evaluate(COMMAND, ["apputils:change-theme", {"theme": f"JupyterLab {theme}"}])
    page.wait_for_function(THEMED, arg=theme == "Light")


def run_all(page):
    """Run all cells of the open notebook, and return their outputs. None may have failed."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    state = page.wait_for_function(RAN, polling=100).json_value()  # ms: to look costs time
    red = [
        output
        for output in state["outputs"]
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert not red
    return state["outputs"]
