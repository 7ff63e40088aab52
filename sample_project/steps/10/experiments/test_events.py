import asyncio
import contextlib
import io
import warnings

from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.testing import ApplicationCommunicator, WebsocketCommunicator
from channels.worker import Worker
from django.test import TransactionTestCase, override_settings

from experiments.custom_events import MySyncConsumer
from experiments.jobs import SquareConsumer
from experiments.routing import websocket_urlpatterns

MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


class EventTests(TransactionTestCase):
    async def test_event_reaches_its_method(self):
        by_hand = ApplicationCommunicator(MySyncConsumer.as_asgi(), {"type": "demo"})
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            await by_hand.send_input({"type": "my.custom.event"})
            await by_hand.send_input({"type": "nobody.knows"})
            with self.assertRaises(ValueError):
                await by_hand.wait()
        self.assertIn("Received event:", printed.getvalue())

    @override_settings(CHANNEL_LAYERS=MEMORY)
    async def test_worker_squares(self):
        warnings.filterwarnings("ignore", message="async_to_sync was passed")
        layer = get_channel_layer()
        worker = Worker(SquareConsumer.as_asgi(), ["squares"], layer)
        working = asyncio.create_task(worker.handle())
        order = {"type": "square.please", "number": 7, "answer_to": "results"}
        await layer.send("squares", order)
        answer = await asyncio.wait_for(layer.receive("results"), 5)
        self.assertEqual(answer["result"], 49)
        working.cancel()

    async def test_unknown_event_ends_the_consumer(self):
        by_hand = ApplicationCommunicator(MySyncConsumer.as_asgi(), {"type": "demo"})
        await by_hand.send_input({"type": "nobody.knows"})
        with self.assertRaisesMessage(ValueError, "No handler for message type nobody.knows"):
            await by_hand.wait()

    async def test_raw_websockets_answer(self):
        for path in ("/ws/raw/", "/ws/endless/"):
            raw = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path)
            await raw.connect()
            await raw.send_to(text_data="hello")
            self.assertEqual(await raw.receive_from(), "raw: hello")
            await raw.disconnect()
