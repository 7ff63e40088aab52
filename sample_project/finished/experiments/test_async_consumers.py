import asyncio

from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import TransactionTestCase

from experiments.routing import websocket_urlpatterns


def socket(path):
    return WebsocketCommunicator(URLRouter(websocket_urlpatterns), path)


class AsyncConsumerTests(TransactionTestCase):
    fixtures = ["noticeboard"]

    async def test_echo(self):
        echo = socket("/ws/async-echo/")
        await echo.connect()
        await echo.send_json_to({"message": "hello"})
        self.assertEqual(await echo.receive_json_from(), {"message": "hello"})
        await echo.disconnect()

    async def test_board_knows_the_database(self):
        board = socket("/ws/board/")
        await board.connect()
        await board.send_json_to({})
        self.assertEqual((await board.receive_json_from())["topics"], 2)
        await board.disconnect()

    async def test_both_kinds_of_waiting_answer(self):
        for path in ("/ws/patient/", "/ws/blocking/"):
            waiter = socket(path)
            await waiter.connect()
            await waiter.send_to(text_data="please")
            self.assertEqual(await waiter.receive_from(), "done")
            await waiter.disconnect()

    async def test_ticker_ticks_and_listens(self):
        ticker = socket("/ws/ticker/")
        await ticker.connect()
        await ticker.send_to(text_data="hello")
        heard = [await ticker.receive_from() for _ in range(3)]
        self.assertIn("tick 1", heard)
        self.assertIn("I heard hello", heard)
        await ticker.disconnect()

    async def test_ticker_ends_after_an_exception(self):
        ticker = socket("/ws/ticker/")
        await ticker.connect()
        await ticker.send_to(bytes_data=b"hello")
        with self.assertRaises(TypeError):
            await ticker.wait()
        await asyncio.sleep(0)  # lets a cancelled task end
        self.assertEqual(asyncio.all_tasks(), {asyncio.current_task()})
