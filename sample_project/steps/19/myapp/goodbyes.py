from contextlib import suppress

from autobahn.exception import Disconnected  # what daphne raises


class Goodbyes:
    """Lets clients go while they are told something. What is for nobody is left out.

    application: what stands behind it. Its `websocket.disconnect` is on its way.
    """

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        closed = False

        async def send_if_there(event):
            nonlocal closed
            if not closed:  # uvicorn raises where something comes after a close
                closed = event["type"] == "websocket.close"
                with suppress(Disconnected, OSError):  # OSError: what ASGI asks servers to raise
                    await send(event)

        await self.application(scope, receive, send_if_there)
