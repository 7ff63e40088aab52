"""A picture in a notebook that is kept up to date while further cells run."""

import sys
import threading
from collections.abc import Callable
from typing import Any

from channels_live.record import Record

NO_NOTEBOOK = "This is no notebook, so it ends here: print(server.timeline()) tells more later."
REDRAW = 0.1  # seconds between two pictures, so that a flood is not drawn frame by frame


def watch(record: Record, draw: Callable[[], Any]) -> threading.Thread | None:
    """Show what `draw` returns, and again whenever the record has more, until the record ends.

    Return the thread that does so; None where there is no notebook, which could be kept up to date.
    """
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(f"{draw()}\n\n{NO_NOTEBOOK}")
        return None
    handle: Any = ipython.display.display(draw(), display_id=True)

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
