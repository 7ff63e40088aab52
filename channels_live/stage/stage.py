"""What is shown beside this notebook, and how it is told to JupyterLab."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from channels_live.record import Record
from channels_live.server import Server
from channels_live.stage.conversation import Conversation, Row
from channels_live.stage.statics import statics_of
from channels_live.timeline import Which

TARGET = "channels-live"  # the comm's, as lab/extension/static/stage.js knows it
MEDIA_TYPE = "application/vnd.channels-live+json"
REDRAW = 0.05  # seconds between two messages, so that a flood is not sent row by row
SHARE = 0.3  # of the time is spent on telling, however much there is to tell
PATIENCE = 1.0  # seconds; after so many it looks anew whether its panel is still wanted
ANSWER = 5.0  # seconds in which JupyterLab says that it can show it


class Panel:
    """One panel: a page, or the conversation. key: what it is known by, the same at every run."""

    def __init__(self, key: str, server: Server, told: dict[str, Any]) -> None:
        self.key, self.server, self.told = key, server, told
        self.closed = False
        self.sent: list[Row] | None = None  # None: all are to be sent
        self.left_out = 0  # rows before them
        self.told_events = -1

    def follows(self, server: Server) -> bool:
        """Tell whether a server is the same as this panel's, started again."""
        ours = self.server
        same_port = ours.typed_port is not None and ours.typed_port == server.typed_port
        return ours.folder == server.folder and (same_port or ours.command == server.command)


class Stage:
    """What one kernel shows beside its notebook. There is one, STAGE."""

    def __init__(self) -> None:
        self._panels: dict[str, Panel] = {}
        self._comm: Any = None
        self._heard = threading.Event()  # JupyterLab can show it
        self._changed = threading.Condition()

    # --- what cells call

    def watch(
        self,
        server: Server,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
    ) -> None:
        """Show the conversation with a server. The arguments are those of `Server.watch`."""
        chosen = {"client": client, "consumer": consumer, "threads": threads or None}
        words = [f"{name}={value}" for name, value in chosen.items() if value is not None]
        panel = Panel(
            " ".join(["conversation", server.command, *words]),
            server,
            {"kind": "conversation", "title": f"{server.name}: what happens", "of": words},
        )
        place = self._say("The conversation", [panel])
        self._open(panel)
        _in_background(self._tell, panel, client, consumer, threads)
        _in_background(self._watch_here, server, client, consumer, threads, place)

    def pages(self, server: Server, pages: Mapping[str, str]) -> None:
        """Show pages of a server side by side. pages: what each is called → its path."""
        panels = [
            Panel(
                f"page {server.command} {name}",
                server,
                {"kind": "page", "title": name, "path": path},
            )
            for name, path in pages.items()
        ]
        self._say(f"The page {' and '.join(dict.fromkeys(pages.values()))}", panels)
        for panel in panels:
            self._open(panel)
        _in_background(self._tell_pages, panels)

    def show(self, server: Server, pages: Mapping[str, str]) -> None:
        """Show pages of a server, and the conversation below them."""
        self.watch(server)
        self.pages(server, pages)

    def _watch_here(self, server: Server, *arguments: Any) -> None:
        """Show it in the notebook, where nobody else does, and where outputs may change."""
        if self._comm is None and "VSCODE_PID" not in os.environ:
            return  # as when a notebook is executed to be stored
        if self._comm is None or not self._heard.wait(ANSWER):
            server.watch_here(*arguments)

    def started(self, server: Server) -> None:
        """Let panels of a server that has ended follow the one that takes its place."""
        pages = []
        with self._changed:
            for panel in self._panels.values():
                if panel.server is server or (not panel.server.running and panel.follows(server)):
                    panel.server = server
                    if panel.told["kind"] == "page":
                        pages.append(panel)
            self._changed.notify_all()
        for panel in pages:
            self._send({"do": "open", **self._state(panel)})
        if pages:
            _in_background(self._tell_pages, pages)

    # --- what JupyterLab hears

    def _say(self, what: str, panels: list[Panel]) -> Any:
        from IPython.display import display  # where this is called it is there

        text = f"{what} is shown beside this notebook, live, in JupyterLab."
        shown = {"text/plain": text, MEDIA_TYPE: {"panels": [panel.key for panel in panels]}}
        return display(shown, raw=True, display_id=True)

    def _open(self, panel: Panel) -> None:
        with self._changed:
            if before := self._panels.get(panel.key):
                before.closed = True
            self._panels[panel.key] = panel
            self._changed.notify_all()
        self._connect()
        self._send({"do": "open", "fresh": True, **self._state(panel)})

    def _state(self, panel: Panel) -> dict[str, Any]:
        server = panel.server
        port = f"127.0.0.1:{server.port}" if server.port else ""
        return {
            "panel": panel.key,
            "notebook": os.environ.get("JPY_SESSION_NAME"),
            **panel.told,
            "command": server.command,
            "running": server.running,
            "folder": str(server.folder),
            "site": f"http://{port}",
        }

    def _connect(self) -> None:
        if self._comm is not None or "JPY_SESSION_NAME" not in os.environ:
            return  # nobody listens: no notebook of a Jupyter server
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
        if said["say"] == "closed" and panel:
            panel.closed = True
        elif said["say"] in ("hello", "show"):
            self._heard.set()
            for each in [panel] if panel else list(self._panels.values()):
                each.closed = each.closed and said["say"] == "hello"  # "show" opens it again
                if not each.closed:
                    each.sent = None
                    self._send({"do": "open", **self._state(each)})
        with self._changed:
            self._changed.notify_all()

    # --- threads that tell

    def _tell_pages(self, panels: list[Panel]) -> None:
        for folder in dict.fromkeys(panel.server.folder for panel in panels):
            statics = statics_of(folder)
            for panel in panels:
                if panel.server.folder == folder:
                    panel.told |= statics
        for panel in panels:
            panel.told["ready"] = True
            self._send({"do": "open", **self._state(panel)})
            _in_background(self._tell_end, panel)

    def _tell_end(self, panel: Panel) -> None:
        server, record = panel.server, panel.server.record
        with record.changed:
            record.changed.wait_for(lambda: _has_ended(server, record))
        if panel.server is server and record is server.record:
            self._send({"do": "ended", "panel": panel.key})

    def _tell(self, panel: Panel, client: Which, consumer: str | None, threads: bool) -> None:
        """Tell what happens on a panel's server, run after run."""
        while self._is_shown(panel):
            server, record = panel.server, panel.server.record
            conversation = Conversation(
                server.told_by_run(), server.folder, server.name, client, consumer, threads
            )
            panel.sent = None
            self._send({"do": "open", **self._state(panel)})
            while self._tell_more(panel, record, conversation):
                pass
            self._wait_for_next(panel, record)

    def _wait_for_next(self, panel: Panel, record: Record) -> None:
        def wanted() -> bool:
            again = panel.sent is None or panel.server.record is not record
            return again or not self._is_shown(panel)

        with self._changed:
            self._changed.wait_for(wanted)

    def _tell_more(self, panel: Panel, record: Record, conversation: Conversation) -> bool:
        """Wait until there is more to tell, and tell it. Return whether more may come."""
        server = panel.server

        def has_more() -> bool:
            more = len(record.events) != panel.told_events or panel.sent is None
            return more and not panel.closed or _has_ended(server, record)

        with record.changed:
            record.changed.wait_for(has_more, PATIENCE)
            panel.told_events, ended = len(record.events), _has_ended(server, record)
        begin = time.monotonic()
        if not panel.closed:
            self._tell_rows(panel, *conversation.rows())
        if ended:
            self._send({"do": "ended", "panel": panel.key})
        else:
            time.sleep(max(REDRAW, (time.monotonic() - begin) / SHARE))
        return not ended and self._is_shown(panel) and panel.server.record is record

    def _tell_rows(self, panel: Panel, left_out: int, rows: list[Row]) -> None:
        """Send what differs from what was sent before."""
        sent, panel.sent = panel.sent, rows
        left_out_before, panel.left_out = panel.left_out, left_out
        gone = left_out - left_out_before if sent else 0
        before = (sent or [])[gone:]
        pairs = enumerate(zip(before, rows, strict=False))
        differs = (number for number, (old, new) in pairs if old != new)
        same = next(differs, min(len(before), len(rows)))
        if sent is None or gone or same < max(len(before), len(rows)):
            message = {
                "do": "rows",
                "panel": panel.key,
                "left_out": left_out,
                "again": sent is None,
            }
            self._send(message | {"gone": gone, "from": same, "rows": rows[same:]})

    def _is_shown(self, panel: Panel) -> bool:
        return self._panels.get(panel.key) is panel


def _has_ended(server: Server, record: Record) -> bool:
    return record.ended or record is not server.record or not server.running


def _in_background(function: Callable[..., Any], *arguments: Any) -> None:
    threading.Thread(target=function, args=arguments, name="stage", daemon=True).start()


STAGE = Stage()
Server.stage = STAGE
