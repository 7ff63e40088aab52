from channels.testing import ApplicationCommunicator, WebsocketCommunicator
from django.test import TransactionTestCase

from myapp.custom_events import MySyncConsumer
from myproject.asgi import application


class EventTests(TransactionTestCase):
    async def test_unknown_event_ends_the_consumer(self):
        by_hand = ApplicationCommunicator(MySyncConsumer.as_asgi(), {"type": "demo"})
        await by_hand.send_input({"type": "nobody.knows"})
        with self.assertRaisesMessage(ValueError, "No handler for message type nobody.knows"):
            await by_hand.wait()

    async def test_raw_websockets_answer(self):
        for path in ("/ws/raw/", "/ws/endless/"):
            headers = [(b"origin", b"http://localhost")]
            raw = WebsocketCommunicator(application, path, headers=headers)
            await raw.connect()
            await raw.send_to(text_data="hello")
            self.assertEqual(await raw.receive_from(), "raw: hello")
            await raw.disconnect()
