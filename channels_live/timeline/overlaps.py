"""Which calls of a method ran at the same time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from channels_live.timeline.story import Event

MOST_CALLS = 50  # that are shown


class Call(NamedTuple):
    """A call that has ended: when it began and ended, in seconds, and on which thread it ran."""

    start: float
    end: float
    thread: str


class Overlaps:
    """Which calls of a method ran at the same time.

    events: what the tap recorded. handler: the name of the method. consumer: only of this class.

    Time is shown as an order, not in seconds: so it is the same at every run.
    """

    def __init__(self, events: Iterable[Event], handler: str, consumer: str | None = None) -> None:
        self.handler = handler
        self.calls: list[Call] = []  # in order of their start
        running = {}
        for event in events:
            key = (event["process"], event.get("call"))
            if event["kind"] == "call" and event["handler"] == handler:
                if consumer in (None, event["consumer"]):
                    running[key] = event
            elif event["kind"] == "return" and key in running:
                call = running.pop(key)
                self.calls.append(Call(call["at"], event["at"], call["thread"]))
        self.calls.sort()

    def __str__(self) -> str:
        if not self.calls:
            return f"No call of {self.handler}() has ended yet."
        starts = [call.start for call in self.calls]
        ends = sorted(call.end for call in self.calls)
        shown = self.calls[:MOST_CALLS]
        moments = sorted({at for call in shown for at in (call.start, call.end)})
        lines = []
        for number, call in enumerate(shown, 1):
            bar = "".join("■■" if call.start <= at < call.end else "··" for at in moments[:-1])
            others = bisect_left(starts, call.end) - bisect_right(ends, call.start) - 1
            word = f"overlaps {others} other{'s' * (others > 1)}" if others else "alone"
            lines.append(f"call {number}  {bar}  on {call.thread}, {word}")
        if left_out := len(self.calls) - len(shown):
            lines.append(f"… and {left_out:,} more, which are counted but not shown")
        most = max(bisect_right(starts, start) - bisect_right(ends, start) for start in starts)
        at_once = "never two at a time" if most == 1 else f"up to {most} at a time"
        count = f"{len(self.calls)} call{'s' * (len(self.calls) != 1)}"
        return "\n".join([*lines, f"{count} of {self.handler}(), {at_once}"])

    def __repr__(self) -> str:
        return str(self)
