from unittest.mock import AsyncMock

from autobahn.exception import Disconnected
from django.test import SimpleTestCase

from myapp.goodbyes import Goodbyes


async def tell(scope, receive, send):
    await send({"type": "websocket.send", "text": "hello"})
    await receive()


class GoodbyeTests(SimpleTestCase):
    async def test_who_speaks_to_nobody_hears_of_the_disconnect(self):
        for error in (Disconnected, ConnectionResetError):
            with self.subTest(error):
                receive, send = AsyncMock(), AsyncMock(side_effect=error)
                await Goodbyes(tell)({}, receive, send)
                send.assert_awaited_once()
                receive.assert_awaited_once()

    async def test_nothing_comes_after_a_close(self):
        async def go_on(scope, receive, send):
            for kind in ("websocket.close", "websocket.send"):
                await send({"type": kind})

        send = AsyncMock()
        await Goodbyes(go_on)({}, None, send)
        send.assert_awaited_once_with({"type": "websocket.close"})

    async def test_other_errors_stay_errors(self):
        with self.assertRaises(ValueError):
            await Goodbyes(tell)({}, AsyncMock(), AsyncMock(side_effect=ValueError))
