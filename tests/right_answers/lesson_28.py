"""Right answers to the exercises of lesson 28 that are not like ours."""

from . import Right

CLASSROOM = """\
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .doors import Door
from .works import Work, decode, told

SHOWN = ["name", "exercise", "state", "tries"]


async def save(learner, report):
    work = await Work.objects.filter(learner=learner, exercise=report.exercise).afirst()
    if work is None:
        work = Work(learner=learner, exercise=report.exercise, state="")
    elif work.number == report.number:
        return None
    work.number, work.tries = report.number, report.tries
    work.state = work.state if work.state == "right" else report.state
    await work.asave()
    return work


class LearnerConsumer(Door):
    async def work(self, frame):
        try:
            report = decode(frame)
        except ValueError as error:
            return await self.send_json({"is": "error", "reason": str(error)})
        work = await save(self.name, report)
        await self.send_json({"is": "saved", "number": report.number})
        if work:
            await self.channel_layer.group_send("screens", {"type": "work.changed", **told(work)})


class ScreenConsumer(AsyncJsonWebsocketConsumer):
    groups = ["screens"]

    async def connect(self):
        await self.accept()
        works = [told(work) async for work in Work.objects.all()]
        await self.send_json({"is": "table", "works": works})

    async def work_changed(self, event):
        await self.send_json({"is": "work", **{name: event[name] for name in SHOWN}})

    async def class_changed(self, event):
        pass  # this screen shows works only
"""

SYNC_SCREEN = """\
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import JsonWebsocketConsumer

from .doors import Door
from .works import Work, decode, told


@database_sync_to_async
def save(learner, report):
    new = {"number": report.number, "state": report.state, "tries": report.tries}
    known = {"learner": learner, "exercise": report.exercise}
    work, is_new = Work.objects.get_or_create(**known, defaults=new)
    if not is_new:
        work.number, work.tries = report.number, report.tries
        if work.state != "right":
            work.state = report.state
        work.save()
    return work


class LearnerConsumer(Door):
    async def work(self, frame):
        try:
            report = decode(frame)
        except ValueError as error:
            return await self.send_json({"is": "error", "reason": str(error)})
        work = await save(self.name, report)
        await self.send_json({"is": "saved", "number": report.number})
        await self.channel_layer.group_send("screens", {"type": "work.changed", **told(work)})


class ScreenConsumer(JsonWebsocketConsumer):
    def connect(self):
        async_to_sync(self.channel_layer.group_add)("screens", self.channel_name)
        self.accept()
        self.send_json({"is": "table", "works": [told(work) for work in Work.objects.all()]})

    def disconnect(self, close_code):
        async_to_sync(self.channel_layer.group_discard)("screens", self.channel_name)

    def work_changed(self, event):
        shown = {key: value for key, value in event.items() if key != "type"}
        self.send_json({"is": "work", **shown})

    def class_changed(self, event):
        pass
"""

SYNC_PUSH = """\
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import JsonWebsocketConsumer

from .doors import Door
from .works import Push, Work, decode, save


def stuck_on(exercise):
    newest = {work.learner: work for work in Work.objects.order_by("number")}
    return [
        name
        for name, work in newest.items()
        if work.exercise == exercise and work.state != "right"
    ]


def event_of(push):
    said = {"number": push.pk, "exercise": push.exercise, "text": push.text}
    return {"type": "hint.sent", "learners": push.learners, **said}


class LearnerConsumer(Door):
    last = 0

    async def work(self, frame):
        report = decode(frame)
        await save(self.name, report)
        await self.send_json({"is": "saved", "number": report.number})

    async def catch_up(self, after):
        self.last = after
        for event in await self.join_and_ask():
            await self.hint_sent(event)

    @database_sync_to_async
    def join_and_ask(self):
        async_to_sync(self.channel_layer.group_add)("learners", self.channel_name)
        return [event_of(push) for push in Push.objects.filter(pk__gt=self.last)]

    async def hint_sent(self, event):
        if event["number"] > self.last and self.name in event["learners"]:
            self.last = event["number"]
            hint = {name: event[name] for name in ("number", "exercise", "text")}
            await self.send_json({"is": "hint", **hint})


class ScreenConsumer(JsonWebsocketConsumer):
    def receive_json(self, content):
        learners = stuck_on(content["exercise"])
        push = Push.objects.create(
            exercise=content["exercise"], text=content["text"], learners=learners
        )
        async_to_sync(self.channel_layer.group_send)("learners", event_of(push))
        self.send_json({"is": "pushed", "learners": len(learners)})
"""

RIGHT = {
    "28.3": [
        Right("does not tell screens what they know", {"myapp/classroom.py": CLASSROOM}),
        Right(
            "is sync, so that who joins keeps the learners waiting",
            {"myapp/classroom.py": SYNC_SCREEN},
        ),
    ],
    "28.4": [
        Right(
            "is sync, so that who joins keeps the screen waiting",
            {"myapp/classroom.py": SYNC_PUSH},
        ),
    ],
}
