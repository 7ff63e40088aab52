import asyncio
import time

from myapp.hubs import Hub

from .class_words import Here, Row, encode

BEAT = 1.0  # seconds


class ClassHub(Hub):
    """Knows what was reported, and who is here. A member with a `name` is a learner."""

    def __init__(self, key, first_member):
        super().__init__(key, first_member)
        self.works = {}  # name → exercise → what was reported last
        self.here = {}  # channel of a hub → names of its learners, and until when they count
        self.told = None  # the newest frame that tells who is here
        self.tasks.append(asyncio.create_task(self.beat()))

    async def beat(self):
        try:
            await self.ready.wait()
            while True:
                await self.tell_here()
                await asyncio.sleep(BEAT)
        except Exception as error:  # of the layer: all members have to hear of it
            self.close(error)

    async def tell_here(self):
        """Tell the hubs of all processes which learners are connected to this one."""
        names = sorted({member.name for member in self.members if member.name})
        event = {"type": "learners.here", "hub": self.channel, "names": names}
        await self.layer.group_send(self.group, event)

    async def learners_here(self, event):
        now = time.monotonic()
        self.here[event["hub"]] = event["names"], now + 3 * BEAT
        self.here = {hub: said for hub, said in self.here.items() if said[1] > now}
        if self.told != (frame := self.frame_of_here()):
            self.told = frame
            self.tell_to({None}, frame)

    async def work_reported(self, event):
        works = self.works.setdefault(event["name"], {})
        works[event["exercise"]] = f"{event['state']}, {event['tries']}"
        self.tell_to({None, event["name"]}, encode(Row(event["name"], works)))

    def tell_to(self, names, frame):
        """Tell a frame to learners of these names; None stands for all screens."""
        for member in list(self.members):
            if member.name in names:
                self.tell_one(member, frame)

    def frame_of_here(self):
        return encode(Here(sorted({name for names, _ in self.here.values() for name in names})))

    def table(self):
        """Return the frames that tell a screen all there is."""
        rows = [encode(Row(name, works)) for name, works in self.works.items()]
        return [self.frame_of_here(), *rows]
