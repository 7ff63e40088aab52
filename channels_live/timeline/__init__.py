"""What happened on a server, told from the events of its record: as text, and as a diagram."""

from channels_live.timeline.overlaps import Overlaps
from channels_live.timeline.story import with_those_before
from channels_live.timeline.timeline import Timeline

__all__ = ["Overlaps", "Timeline", "with_those_before"]
