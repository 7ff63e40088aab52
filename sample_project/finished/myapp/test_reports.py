from channels.layers import get_channel_layer
from channels.testing import ApplicationCommunicator, WebsocketCommunicator
from django.test import TransactionTestCase, override_settings

from myproject.asgi import application

MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@override_settings(CHANNEL_LAYERS=MEMORY)  # with a broker, a running worker would take the orders
class ReportTests(TransactionTestCase):
    fixtures = ["noticeboard"]

    async def test_order_and_progress(self):
        socket = await self.order()
        self.assertEqual(await socket.receive_json_from(), {"status": "ordered"})
        layer = get_channel_layer()
        order = await layer.receive("reports")
        await layer.send(order["answer_to"], {"type": "report.progress", "status": "done"})
        self.assertEqual(await socket.receive_json_from(), {"status": "done"})
        await socket.disconnect()

    async def test_too_many_orders(self):
        layer = get_channel_layer()
        for _ in range(layer.capacity):
            await layer.send("reports", {"type": "report.make"})
        socket = await self.order()
        self.assertIn("error", await socket.receive_json_from())
        await socket.disconnect()
        await layer.flush()

    async def test_worker_does_each_order_once_and_survives_a_bad_one(self):
        worker = ApplicationCommunicator(application, {"type": "channel", "channel": "reports"})
        with self.assertLogs("myapp.report_worker", "ERROR"):
            for order in ({"key": "bad"}, {"key": "a"}, {"key": "a"}, {"key": "b"}):
                address = {} if order["key"] == "bad" else {"answer_to": "answers"}
                await worker.send_input({"type": "report.make", **order, **address})
            layer = get_channel_layer()
            told = [(await layer.receive("answers"))["status"] for _ in range(6)]
        self.assertEqual(told, ["1 of 2: Lost and found", "2 of 2: Lunch", "done"] * 2)

    async def order(self):
        headers = [(b"origin", b"http://localhost")]
        socket = WebsocketCommunicator(application, "/ws/report/", headers=headers)
        await socket.connect()
        await socket.send_to(text_data="please")
        return socket
