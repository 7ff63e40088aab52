"""Counts what sockets do, and writes a line into the log when one has ended."""

import asyncio
import logging
import time

from prometheus_client import Counter, Gauge, Histogram

from .limits import who

OPEN = Gauge("sockets_open", "Sockets that are open")
FRAMES = Counter("socket_frames", "Frames of all sockets", ["direction"])
IN, OUT = FRAMES.labels("in"), FRAMES.labels("out")  # looked up once, and not for each frame
SECONDS = Histogram("socket_handler_seconds", "Time that a consumer needed for an event")
CLOSES = Counter("socket_closes", "Sockets that have ended", ["code"])
FULL = Counter("layer_full", "Messages for which the channel layer had no room")
logger = logging.getLogger("sockets")


class Metered:
    """Counts the sockets of an application."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        began, given, code = time.monotonic(), None, None

        async def counted_receive():
            nonlocal given, code
            if given:  # who asks for the next event is done with the last
                SECONDS.observe(time.monotonic() - given)
            event = await receive()
            given = time.monotonic()
            if event["type"] == "websocket.receive":
                IN.inc()
            elif event["type"] == "websocket.disconnect" and code is None:
                code = event.get("code") or 1005  # none was said
                code = "client" if code > 1010 else code
            return event

        async def counted_send(event):
            nonlocal code
            if event["type"] == "websocket.send":
                OUT.inc()
            elif event["type"] == "websocket.close" and code is None:
                code = event.get("code") or 1000
            await send(event)

        OPEN.inc()
        try:
            await self.application(scope, counted_receive, counted_send)
        except BaseException as error:
            if code is None:
                code = 1006 if isinstance(error, asyncio.CancelledError) else 1011
            raise
        finally:
            OPEN.dec()
            CLOSES.labels(code).inc()
            seconds = round(time.monotonic() - began, 3)
            fields = {"path": scope["path"], "who": who(scope), "code": code, "seconds": seconds}
            logger.info("socket ended", extra={"fields": fields})
