"""The panels of a stage: each tells JupyterLab what its server does, run after run."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from channels_live.record import Record
from channels_live.server import Server
from channels_live.stage.conversation import Conversation, Row
from channels_live.stage.static_files import StaticFiles
from channels_live.timeline import Which

REDRAW = 0.05  # seconds between two messages, so that a flood is not sent row by row
SHARE = 0.3  # of the time is spent on telling, however much there is to tell
PATIENCE = 1.0  # seconds, after which a panel looks anew whether it is still wanted

Send = Callable[[dict[str, Any]], None]


class Panel:
    """One panel.

    key: what it is known by, the same at every run. title: on its tab. send: sends JupyterLab a
    message. A panel that the learner has closed tells nothing, until it is opened again.
    """

    kind: ClassVar[str]

    def __init__(self, key: str, title: str, server: Server, send: Send) -> None:
        self.key, self.title, self.server = key, title, server
        self.closed = False
        self.replaced = False
        self._send_message = send
        self._changed = threading.Condition()
        self._all_again = True  # JupyterLab has just opened it, and knows nothing
        threading.Thread(target=self._run, name="stage", daemon=True).start()

    def open(self, fresh: bool = False) -> None:
        """Show it, and all that it has to tell. fresh: as if for the first time."""
        self.closed = False
        self._send("open", fresh=fresh, **self._state())
        self._all_again = True
        self._wake()

    def close(self, replaced: bool = False) -> None:
        """Tell nothing more. replaced: for ever."""
        self.closed, self.replaced = True, replaced
        self._wake()

    def follow(self, server: Server) -> None:
        """Show this server from now on if it is the same, started again."""
        ours = self.server
        same_port = ours.typed_port is not None and ours.typed_port == server.typed_port
        same = ours.folder == server.folder and (same_port or ours.command == server.command)
        if server is ours or (same and not ours.running):
            self.server = server
            self._wake()

    def _run(self) -> None:
        while not self.replaced:
            server, record = self.server, self.server.record
            if not self.closed:
                self._send("open", **self._state())
            self._tell_run(server, record)
            with self._changed:
                while not self._goes_on(record):
                    self._changed.wait()

    def _goes_on(self, record: Record) -> bool:
        again = self._all_again and not self.closed
        return again or self.replaced or self.server.record is not record

    def _tell_run(self, server: Server, record: Record) -> None:
        """Tell what a server does until it ends."""
        raise NotImplementedError

    def _has_ended(self, server: Server, record: Record) -> bool:
        other = self.replaced or server is not self.server or record is not server.record
        return other or record.ended or not server.running

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
        with self.server.record.changed:
            self.server.record.changed.notify_all()

    def _state(self) -> dict[str, Any]:
        server = self.server
        return {
            "kind": self.kind,
            "title": self.title,
            "notebook": os.environ.get("JPY_SESSION_NAME"),
            "command": server.command,
            "folder": str(server.folder),
            "running": server.running,
        }

    def _send(self, do: str, **more: Any) -> None:
        self._send_message({"do": do, "panel": self.key, **more})


class ConversationPanel(Panel):
    """What happens on a server, row by row. client, consumer, threads: as in `Server.watch`."""

    kind = "conversation"

    def __init__(
        self, server: Server, client: Which, consumer: str | None, threads: bool, send: Send
    ) -> None:
        chosen = {"client": client, "consumer": consumer, "threads": threads or None}
        self._words = [f"{name}={value}" for name, value in chosen.items() if value is not None]
        self._chosen = client, consumer, threads
        self._rows: list[Row] = []  # as they were told
        self._left_out = 0  # before them
        key = " ".join(["conversation", server.command, *self._words])
        super().__init__(key, f"Conversation: {server.name}", server, send)

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "of": self._words}

    def _tell_run(self, server: Server, record: Record) -> None:
        conversation = Conversation(
            server.events_of_run(), server.folder, server.name, *self._chosen
        )
        self._all_again, told, ended = True, -1, False

        def has_more() -> bool:
            more = len(record.events) != told or self._all_again
            return more and not self.closed or self._has_ended(server, record)

        while not ended:
            with record.changed:
                record.changed.wait_for(has_more, PATIENCE)
                told, ended = len(record.events), self._has_ended(server, record)
            begin = time.monotonic()
            if not self.closed:
                self._tell_rows(*conversation.rows())
            if not ended:
                time.sleep(max(REDRAW, (time.monotonic() - begin) / SHARE))
        if not server.running:
            self._send("ended")

    def _tell_rows(self, left_out: int, rows: list[Row]) -> None:
        """Send what differs from what was sent before."""
        again, self._all_again = self._all_again, False
        gone = 0 if again else left_out - self._left_out
        before = [] if again else self._rows[gone:]
        self._rows, self._left_out = rows, left_out
        pairs = enumerate(zip(before, rows, strict=False))
        differing = (number for number, (old, new) in pairs if old != new)
        same = next(differing, min(len(before), len(rows)))
        if again or gone or same < max(len(before), len(rows)):
            place = {"again": again, "gone": gone, "from": same, "left_out": left_out}
            self._send("rows", **place, rows=rows[same:])


class PagePanel(Panel):
    """A page of a server's site.

    path: as in "/chat/". visitor: who looks at it. static_files: those that it gets, or None.
    """

    kind = "page"

    def __init__(
        self,
        server: Server,
        name: str,
        path: str,
        visitor: dict[str, Any],
        static_files: StaticFiles | None,
        send: Send,
    ) -> None:
        self._path, self._visitor, self._files = path, visitor, static_files
        self._static_files: dict[str, Any] | None = None  # not known yet
        super().__init__(f"page {server.command} {name}", name, server, send)

    def _state(self) -> dict[str, Any]:
        return {
            **super()._state(),
            "path": self._path,
            "site": self.server.url("").rstrip("/") if self.server.running else "",
            "visitor": self._visitor,
            "ready": self._static_files is not None,
            **(self._static_files or {}),
        }

    def _tell_run(self, server: Server, record: Record) -> None:
        self._static_files = self._files.of(server.folder, record) if self._files else {}
        while not self._has_ended(server, record):
            if self._all_again and not self.closed:
                self._all_again = False
                self._send("open", **self._state())
            with record.changed:
                record.changed.wait_for(
                    lambda: self._all_again or self._has_ended(server, record), PATIENCE
                )
        self._all_again = False
        if not server.running:
            self._send("ended")
