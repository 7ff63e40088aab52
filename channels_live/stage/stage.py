"""What is shown beside this notebook, and how JupyterLab hears of it."""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from channels_live.server import Server
from channels_live.server.watch import in_notebook, watch_here
from channels_live.stage.panels import ConversationPanel, PagePanel, Panel
from channels_live.stage.static_files import StaticFiles
from channels_live.stage.visitors import Visitors
from channels_live.timeline import Which

TARGET = "channels-live"  # the comm's, as lab/extension/code/stage.js knows it
MEDIA_TYPE = "application/vnd.channels-live+json"
_TIMES = {1: "", 2: ", twice,"}
ANSWER = 5.0  # seconds in which JupyterLab says that it can show panels


class Stage:
    """What one kernel shows beside its notebook. There is one, STAGE."""

    def __init__(self) -> None:
        self._panels: dict[str, Panel] = {}
        self._visitors = Visitors()
        self._comm: Any = None
        self._heard = threading.Event()  # JupyterLab can show panels

    # --- what cells call

    def watch(
        self,
        server: Server,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
    ) -> None:
        """Show the conversation with a server. The arguments are those of `Server.watch`."""
        self._show("The conversation is", server, [(client, consumer, threads)], {})

    def page(
        self, server: Server, path: str, name: str | None = None, static_files: bool = True
    ) -> None:
        """Show a page. The arguments are those of `Server.page`."""
        self._show(f"The page {path} is", server, [], {name or path: path}, static_files)

    def show(self, server: Server, pages: Mapping[str, str]) -> None:
        """Show pages of a server, and the conversation below them."""
        if not in_notebook():
            print(*map(server.url, pages.values()), sep="\n")
            return watch_here(server)
        what = f"{_in_words(pages.values())} and the conversation are"
        self._show(what, server, [(None, None, False)], pages)

    def _show(
        self,
        what: str,
        server: Server,
        conversations: Sequence[tuple[Which, str | None, bool]],
        pages: Mapping[str, str],
        static_files: bool = True,
    ) -> None:
        from IPython.display import display  # where this is called it is there

        self._connect()
        panels: list[Panel] = [
            ConversationPanel(server, *chosen, self._send) for chosen in conversations
        ]
        files = StaticFiles() if static_files and self._comm else None  # or nobody asks for them
        for name, path in pages.items():
            visitor = {**self._visitors.address, "name": "page" if name == path else name}
            panels.append(PagePanel(server, name, path, visitor, files, self._send))
        text = f"{what} shown beside this notebook, live, in JupyterLab."
        shown = {"what": what, "panels": [panel.key for panel in panels]}
        place: Any = display({"text/plain": text, MEDIA_TYPE: shown}, raw=True, display_id=True)
        for panel in panels:
            if before := self._panels.get(panel.key):
                before.close(replaced=True)
            self._panels[panel.key] = panel
            panel.open(fresh=True)
        for chosen in conversations:
            arguments = (server, *chosen, place)
            threading.Thread(target=self._watch_here, args=arguments, daemon=True).start()

    def started(self, server: Server) -> None:
        """Let panels of a server that has ended follow the one that takes its place."""
        for panel in list(self._panels.values()):
            panel.follow(server)

    def ready_to_notify(self) -> None:
        """Let JupyterLab listen, before another thread has something to tell."""
        self._connect()

    def notify(self, words: str) -> None:
        """Show words above whatever somebody does, until they are closed. From any thread."""
        self._send({"do": "notify", "words": words})

    # --- what JupyterLab hears and says

    def _connect(self) -> None:
        if self._comm is None and "JPY_SESSION_NAME" in os.environ:  # a Jupyter server has it
            from comm import create_comm

            session = os.environ["JPY_SESSION_NAME"]
            self._comm = create_comm(target_name=TARGET, data={"notebook": session})
            self._comm.on_msg(self._hear)

    def _send(self, message: dict[str, Any]) -> None:
        if self._comm is not None:
            with contextlib.suppress(Exception):  # a kernel that ends
                self._comm.send(message)

    def _hear(self, message: dict[str, Any]) -> None:
        said = message["content"]["data"]
        panel = self._panels.get(said.get("panel", ""))
        if said["say"] == "hello":  # it has been loaded, perhaps anew
            self._heard.set()
            # the window that has spoken last shows the pages
            self._send({"do": "window", "window": said.get("window")})
            for panel in list(self._panels.values()):
                if not panel.closed:
                    panel.open()
        elif panel and said["say"] == "show":
            panel.open(fresh=panel.closed)
        elif panel and said["say"] == "closed":
            panel.close()

    def _watch_here(self, server: Server, *arguments: Any) -> None:
        """Show it in the notebook, where nobody else does, and where outputs may change."""
        if self._comm is None and "VSCODE_PID" not in os.environ:
            return  # as when a notebook is executed to be stored
        if self._comm is None or not self._heard.wait(ANSWER):
            watch_here(server, *arguments)


def _in_words(paths: Iterable[str]) -> str:
    often = Counter(paths)
    named = [path + _TIMES.get(times, f", {times} times,") for path, times in often.items()]
    return f"The page{'s' if len(often) > 1 else ''} {' and '.join(named)}"


STAGE = Stage()
Server.stage = STAGE
