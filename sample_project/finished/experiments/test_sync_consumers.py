from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import TransactionTestCase

from experiments.routing import websocket_urlpatterns
from myproject.asgi import application as site

experiments = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))


def socket(path, **options):
    headers = [(b"origin", b"http://localhost")]
    communicator = WebsocketCommunicator(experiments, path, headers=headers, **options)
    communicator.scope["client"] = ["127.0.0.1", 50000]
    return communicator


class SyncConsumerTests(TransactionTestCase):
    async def test_site_without_debug_has_none_of_them(self):
        for route in websocket_urlpatterns:
            scope = socket(f"/{route.pattern}").scope
            with self.assertRaisesMessage(ValueError, "No route found for path"):
                await site(scope, receive=None, send=None)

    async def test_echo(self):
        echo = socket("/ws/echo/")
        await echo.connect()
        await echo.send_json_to({"message": "hello"})
        self.assertEqual(await echo.receive_json_from(), {"message": "hello"})
        await echo.disconnect()

    async def test_door_greets_counts_and_reverses(self):
        door = socket("/ws/door/?name=Anna")
        await door.connect()
        self.assertIn("Anna at /ws/door/, from 127.0.0.1", await door.receive_from())
        await door.send_to(text_data="hello")
        self.assertEqual(await door.receive_from(), "message 1 from Anna")
        await door.send_to(bytes_data=b"ab")
        self.assertEqual(await door.receive_from(), b"ba")
        await door.disconnect()

    async def test_door_tells_why_it_closes(self):
        door = socket("/ws/door/")
        await door.connect()
        closed = await door.receive_output()
        self.assertEqual(closed["code"], 4401)

    async def test_json_needs_its_subprotocol(self):
        refused = socket("/ws/json/")
        self.assertFalse((await refused.connect())[0])
        adder = socket("/ws/json/", subprotocols=["sum.v1"])
        self.assertEqual(await adder.connect(), (True, "sum.v1"))
        await adder.send_json_to({"numbers": [1, 2, 3]})
        self.assertEqual(await adder.receive_json_from(), {"sum": 6})
        await adder.disconnect()

    async def test_slow_answers(self):
        slow = socket("/ws/slow/")
        await slow.connect()
        await slow.send_to(text_data="please")
        self.assertEqual(await slow.receive_from(), "started")
        self.assertEqual(await slow.receive_from(), "done")
        await slow.disconnect()
