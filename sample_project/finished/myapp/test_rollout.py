import asyncio
import json
import logging
from unittest.mock import patch

from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from channels.testing import HttpCommunicator, WebsocketCommunicator
from django.test import SimpleTestCase, TransactionTestCase
from prometheus_client import REGISTRY

from myapp.consumers import ChatConsumer
from myapp.metrics import Metered
from myproject.asgi import application
from myproject.draining import SERVICE_RESTART, Draining
from myproject.logs import JsonFormatter


def page(path, client):
    communicator = HttpCommunicator(application, "GET", path)
    communicator.scope |= {"client": client, "headers": [(b"host", b"localhost")]}
    return communicator.get_response(timeout=10)


class InsideTests(TransactionTestCase):
    async def test_programs_are_answered_inside_only(self):
        for path in ("/inside/alive/", "/inside/ready/", "/inside/metrics/"):
            self.assertEqual((await page(path, None))["status"], 200)
            self.assertEqual((await page(path, ["192.0.2.1", 1]))["status"], 404)
        self.assertEqual((await page("/chat/", None))["status"], 200)

    async def test_not_ready_without_a_layer(self):
        with patch.object(get_channel_layer(), "group_send", side_effect=ConnectionError):
            answer = await page("/inside/ready/", None)
        self.assertEqual(answer["status"], 503)
        self.assertEqual(json.loads(answer["body"]), {"database": True, "layer": False})


class Faulty(ChatConsumer):
    def receive(self, text_data=None, bytes_data=None):
        raise RuntimeError("a fault")


def number(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


class MetricsTests(SimpleTestCase):
    async def end(self, consumer, code=1000):
        socket = WebsocketCommunicator(Metered(consumer.as_asgi()), "/", [])
        socket.scope["query_string"] = b"ticket=top-secret"
        await socket.connect()
        self.assertEqual(number("sockets_open"), self.open + 1)
        if consumer is Faulty:
            await socket.send_to(text_data="hello")
            with self.assertRaisesMessage(RuntimeError, "a fault"):
                await socket.wait()
        else:
            await socket.disconnect(code)
        self.assertEqual(number("sockets_open"), self.open)

    async def test_sockets_and_codes_are_counted(self):
        self.open = number("sockets_open")
        for consumer, code, label in (
            (ChatConsumer, 1001, "1001"),
            (ChatConsumer, 1011, "client"),
            (ChatConsumer, 4321, "client"),
            (Faulty, None, "1011"),
        ):
            before = number("socket_closes_total", code=label)
            with self.assertLogs("sockets") as log:
                await self.end(consumer, code)
            self.assertEqual(number("socket_closes_total", code=label), before + 1)
            (record,) = log.records
            line = JsonFormatter().format(record)
            self.assertEqual(str(json.loads(line)["code"]), label)
            self.assertNotIn("top-secret", line)

    def test_one_line_whatever_is_in_it(self):
        record = logging.makeLogRecord({"msg": "a\nb\u2028c", "levelname": "INFO"})
        line = JsonFormatter().format(record)
        self.assertEqual(len(line.splitlines()), 1)
        self.assertEqual(json.loads(line)["message"], record.msg)


class DrainingTests(SimpleTestCase):
    async def test_clients_are_sent_away(self):
        draining = Draining(ChatConsumer.as_asgi(), 0.1)
        scope = {"type": "websocket", "path": "/"}
        socket = ApplicationCommunicator(draining, scope)
        await socket.send_input({"type": "websocket.connect"})
        await socket.receive_output(5)
        ending = draining.begin().asFuture(asyncio.get_running_loop())
        socket.future.cancel()  # as daphne does
        close = await socket.receive_output(5)
        self.assertEqual(close, {"type": "websocket.close", "code": SERVICE_RESTART})
        await socket.send_input({"type": "websocket.disconnect", "code": SERVICE_RESTART})
        await asyncio.wait_for(ending, 5)
        self.assertFalse(draining.serving)

    async def test_what_is_cancelled_at_other_times_ends(self):
        draining = Draining(ChatConsumer.as_asgi(), 60)
        socket = ApplicationCommunicator(draining, {"type": "websocket", "path": "/"})
        await socket.send_input({"type": "websocket.connect"})
        await socket.receive_output(5)
        socket.future.cancel()
        await asyncio.wait([socket.future], timeout=5)
        self.assertFalse(draining.serving)
