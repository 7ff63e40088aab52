import asyncio

from channels.db import database_sync_to_async

from . import register
from .class_hub import tell_all
from .members import ClassMember
from .protocol import Hand, Join, Joined, Leave, Left, Report, Saved, from_learner

UNKNOWN = 4401  # close code, as HTTP's 401: do not come back
PATIENCE = 15.0  # seconds that a client may take to say who it is


class LearnerConsumer(ClassMember):
    """Hears of a learner's work, and brings what is sent to them."""

    decode = from_learner
    patience = None

    async def connect(self):
        await self.accept()
        self.patience = asyncio.get_running_loop().call_later(PATIENCE, self.give_up)

    def give_up(self):
        self.closing = asyncio.create_task(self.close(UNKNOWN))

    async def disconnect(self, close_code):
        if self.patience:
            self.patience.cancel()

    async def do(self, request):
        if isinstance(request, Join):
            return await self.come(request)
        if self.learner is None:
            raise ValueError("join first")
        match request:
            case Report():
                await database_sync_to_async(register.report)(self.learner, request)
                await self.tell(Saved(request.number))
            case Hand():
                await database_sync_to_async(register.hand)(self.learner, request.up, request.why)
            case Leave():
                await database_sync_to_async(register.leave)(self.learner)
                await self.tell(Left())
                await self.close()
        await tell_all()

    async def come(self, request):
        if self.learner is not None:
            raise ValueError("you have joined already")
        try:
            learner = await database_sync_to_async(register.join)(request)
        except ValueError:
            self.patience.cancel()
            self.patience = asyncio.get_running_loop().call_later(1, self.give_up)
            raise
        self.patience.cancel()
        self.learner, self.after = learner.pk, request.after
        await self.join()  # what changes from here on waits in the outbox
        await tell_all()
        await self.tell(Joined(learner.name))
        rows, missed = await database_sync_to_async(self.known)()
        for row in rows:
            await self.tell(row)
        for hint, _ in missed:
            await self.tell(hint)
            self.after = hint.number
        self.ready.set()

    def known(self):
        return register.rows(0, self.learner), register.hints(self.after, self.learner)

    async def tell_item(self, item):
        if isinstance(item, tuple):
            number, item = item
            if number <= self.after:  # it has come with those that were missed
                return
            self.after = number
        await super().tell_item(item)
