"""What happened on a server, told from the events of its record: as text, and as a diagram."""

from channels_live.timeline.live import Live, Update
from channels_live.timeline.order import with_those_before
from channels_live.timeline.overlaps import Overlaps
from channels_live.timeline.story import Event
from channels_live.timeline.timeline import Timeline, Which

__all__ = ["Event", "Live", "Overlaps", "Timeline", "Update", "Which", "with_those_before"]
