"""Lets a daphne that is asked to stop finish: nobody is cut off, and nobody new comes."""

import asyncio
import random

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort

SERVICE_RESTART = 4012  # as 1012, which daphne does not let an application say
GOODBYE = 1.0  # seconds for a client to answer it


class Draining:
    """Sends clients away when daphne stops, each at a moment of its own.

    application: what stands behind it. seconds: within which all have been told.
    """

    def __init__(self, application, seconds):
        self.application, self.seconds = application, seconds
        self.serving = {}  # task → its scope, and how to send to it
        self.begun = False
        reactor.addSystemEventTrigger("before", "shutdown", self.begin)

    async def __call__(self, scope, receive, send):
        task = asyncio.ensure_future(self.application(scope, receive, send))
        self.serving[task] = scope, send
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:  # daphne wants to end it
            if self.begun:
                await asyncio.wait([task])
            else:
                task.cancel()
        finally:
            del self.serving[task]

    def begin(self):
        """Close the door. Return what daphne has to wait for."""
        self.begun = True
        for port in filter(IListeningPort.providedBy, reactor.getReaders()):
            port.stopListening()
        return Deferred.fromFuture(asyncio.ensure_future(self.end_all()))

    async def end_all(self):
        await asyncio.gather(*(self.end(task, *to) for task, to in self.serving.items()))

    async def end(self, task, scope, send):
        """Let it go on for a while. Then say goodbye, and let it end by itself."""
        is_socket = scope["type"] == "websocket"
        seconds = random.uniform(0, self.seconds) if is_socket else self.seconds
        await asyncio.wait([task], timeout=seconds)
        if is_socket and not task.done():
            await send({"type": "websocket.close", "code": SERVICE_RESTART})
            await asyncio.wait([task], timeout=GOODBYE)
        task.cancel()
