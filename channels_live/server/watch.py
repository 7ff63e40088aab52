"""What a server shows while it runs: in the notebook, or beside it."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar

from channels_live.record import Record
from channels_live.server import arguments
from channels_live.shell import shell
from channels_live.timeline import Timeline, Which

NO_NOTEBOOK = "This is no notebook, so it ends here: print(server.timeline()) tells more later."
REDRAW = 0.1  # seconds between two pictures, so that a flood is not drawn frame by frame


class Watched:
    """The part of `Server` that shows what happens while it happens.

    stage: what shows it beside the notebook; `channels_live.stage` sets it. None: nothing does.
    """

    stage: ClassVar[Any] = None

    def watch(
        self,
        client: Which = None,
        consumer: str | None = None,
        threads: bool = False,
    ) -> None:
        """Show what happens, live, while further cells run.

        The arguments are those of `timeline`. In JupyterLab it stands beside the notebook, and goes
        on when this server is stopped and started again; elsewhere here, until the server ends.
        """
        arguments.clients(client)
        arguments.text(consumer, "consumer", optional=True)
        if self.stage and in_notebook():
            self.stage.watch(self, client, consumer, threads)
        else:
            watch_here(self, client, consumer, threads)

    def page(self, path: str = "/", name: str | None = None, static_files: bool = True) -> None:
        """Show a page of this server beside the notebook, in JupyterLab: real, and to be used.

        path: as in "/chat/". name: what its panel is called, if not like the path; panels with
        different names are visitors of their own, and each may be logged-in as somebody else.
        static_files: take style sheets and the like from the project's folders where the server
        has none, as a web server before it would; False shows what the server alone serves.
        """
        arguments.text(name, "name", optional=True)
        address = self.url(path)
        if self.stage and in_notebook():
            self.stage.page(self, path, name, static_files)
        else:
            print(address)

    # what Server has

    _watchers: list[threading.Thread]

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def record(self) -> Record:
        raise NotImplementedError

    def url(self, path: str = "/") -> str:
        raise NotImplementedError

    def events_of_run(self) -> Callable[[], list[dict[str, Any]]]:
        raise NotImplementedError


def in_notebook() -> bool:
    """Tell whether there is a notebook, or another IPython, that can show more than text."""
    return shell() is not None


def watch_here(
    server: Watched,
    client: Which = None,
    consumer: str | None = None,
    threads: bool = False,
    place: Any = None,
) -> None:
    """Show what happens as `Server.watch` does, in the notebook itself.

    place: what was displayed before, and is replaced; None: it is shown where this is called.
    """
    events, name = server.events_of_run(), server.name

    def draw() -> Timeline:
        return Timeline(events(), name, client, consumer, threads)

    if watcher := watch(server.record, draw, place):
        server._watchers.append(watcher)


def watch(record: Record, draw: Callable[[], Any], place: Any = None) -> threading.Thread | None:
    """Show what `draw` returns, and again whenever the record has more, until the record ends.

    place: what was displayed before, and is replaced. Return the thread that does so; None where
    there is no notebook, which could be kept up to date.
    """
    if not in_notebook():
        print(f"{draw()}\n\n{NO_NOTEBOOK}")
        return None
    from IPython.display import display

    handle: Any = place or display(draw(), display_id=True)

    def follow() -> None:
        drawn = 0  # events

        def has_more() -> bool:
            return len(record.events) > drawn or record.ended

        ended = False
        while not ended:
            with record.changed:
                record.changed.wait_for(has_more)
                drawn, ended = len(record.events), record.ended
            handle.update(draw())
            with record.changed:
                record.changed.wait_for(lambda: record.ended, timeout=REDRAW)

    watcher = threading.Thread(target=follow, name="watch", daemon=True)
    watcher.start()
    return watcher
