import time

from channels.db import database_sync_to_async
from channels.exceptions import DenyConnection

from . import register
from .class_hub import tell_all
from .members import ClassMember
from .protocol import Attend, Lower, Push, Pushed, Table, from_screen
from .roles import INSTRUCTOR, role_of


class ScreenConsumer(ClassMember):
    """Shows the class to an instructor, or to a helper, who may do less."""

    decode = from_screen

    async def connect(self):
        self.role = role_of(self.scope["session"])
        if not self.role:
            raise DenyConnection
        await self.join()  # what changes from here on waits in the outbox
        await self.accept()
        rows = await database_sync_to_async(register.rows)()
        await self.tell(Table([row for row in rows if not row.gone], time.time(), self.role))
        if self.hub.here:
            await self.send(text_data=self.hub.here)
        self.ready.set()

    async def do(self, request):
        match request:
            case Push():
                if self.role != INSTRUCTOR:
                    raise ValueError("only the instructor sends hints and files")
                if not (request.text.strip() or request.name):
                    raise ValueError("there is nothing to send: write a hint, or choose a file")
                learners = await database_sync_to_async(register.push)(request)
                await self.tell(Pushed(request.exercise, learners))
            case Attend():
                await database_sync_to_async(register.attend)(request.learner, request.going)
            case Lower():
                await database_sync_to_async(register.hand)(request.learner, up=False)
        await tell_all()
