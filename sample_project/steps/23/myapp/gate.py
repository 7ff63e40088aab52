import time
from collections import Counter
from traceback import walk_tb

from .limits import who
from .rooms import read_in

TOO_MANY, NONSENSE = 4429, 4400  # close codes, as in HTTP
LONG = 1_000  # characters, or bytes


class Gate:
    """Hangs up on clients that send too much, on all of their sockets to this process together.

    A frame counts once, and once more for each `LONG` in it. A message may be acknowledged once:
    that is not counted.

    application: what stands behind it. most: frames in so many seconds.
    """

    def __init__(self, application, most, seconds=10.0):
        self.application, self.most, self.seconds = application, most, seconds
        self.frames, self.since = Counter(), float("-inf")

    async def __call__(self, scope, receive, send):
        unread = 0  # messages that have not been acknowledged

        async def receive_some():
            nonlocal unread
            event = await receive()
            if event["type"] == "websocket.receive":
                weight = 1 + len(event.get("text") or event.get("bytes") or "") // LONG
                if unread and weight == 1 and read_in(event.get("text")) is not None:
                    unread -= 1
                elif self.is_too_much(who(scope), weight):
                    await send({"type": "websocket.close", "code": TOO_MANY})
                    return {"type": "websocket.disconnect", "code": TOO_MANY}
            return event

        async def send_some(event):
            nonlocal unread
            unread += (event.get("text") or "").startswith('{"id":')
            await send(event)

        try:
            await self.application(scope, receive_some, send_some)
        except RecursionError as error:
            if not is_nested_too_deep(error):
                raise
            await send({"type": "websocket.close", "code": NONSENSE})

    def is_too_much(self, client, weight=1):
        now = time.monotonic()
        if now - self.since > self.seconds:
            self.frames.clear()
            self.since = now
        self.frames[client] += weight
        return self.frames[client] > self.most


def is_nested_too_deep(error):
    """Whether it is the JSON that was too deep, and not our own calls: those fill a traceback."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return frames[-1].f_globals["__name__"] == "json.decoder" and len(frames) < 100
