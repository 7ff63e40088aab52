"""A picture in a notebook that is kept up to date while further cells run."""

import threading
from collections.abc import Callable
from typing import Any

from channels_live.record import Record

REDRAW = 0.1  # seconds between two pictures, so that a flood is not drawn frame by frame


def watch(record: Record, draw: Callable[[], Any]) -> threading.Thread:
    """Show what `draw` returns, and again whenever the record has more, until the record ends.

    Return the thread that does so.
    """
    from IPython.display import display  # where this is called it is there; elsewhere not needed

    handle: Any = display(draw(), display_id=True)

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
