import json
import os
import re
import runpy
from importlib import import_module
from unittest.mock import patch

from channels.testing import WebsocketCommunicator
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from myapp.consumers import ChatConsumer
from myapp.gate import NONSENSE, TOO_MANY, Gate
from myapp.test_reports import MEMORY
from myproject.asgi import application

SET = {"DJANGO_SECRET_KEY": "x" * 50, "DJANGO_SITE": "https://board.example", "REDIS_URL": "redis:"}


def production(**changed):
    with patch.dict(os.environ, SET | changed):
        return runpy.run_module("myproject.production")


class ProductionTests(TransactionTestCase):
    def test_what_is_missing_is_an_error(self):
        for name in SET:
            with self.assertRaisesMessage(ImproperlyConfigured, name):
                production(**{name: ""})
        with self.assertRaises(ImproperlyConfigured):
            production(DJANGO_SITE="http://board.example")

    def test_values(self):
        known = production()
        self.assertIs(known["DEBUG"], False)
        self.assertEqual(known["SOCKET_ORIGINS"], ["https://board.example"])
        self.assertEqual(known["ALLOWED_HOSTS"], ["board.example"])
        self.assertTrue(known["SESSION_COOKIE_SECURE"] and known["CSRF_COOKIE_SECURE"])
        self.assertTrue(known["SOCKET_FRAMES"])

    def test_nobody_can_move_static_files(self):
        self.assertEqual(import_module("myproject.settings").STATIC_URL, "/static/")
        self.assertEqual(production()["STATIC_URL"], "/static/")

    def test_each_script_bears_the_nonce_of_its_page(self):
        known = production()
        with override_settings(MIDDLEWARE=known["MIDDLEWARE"], TEMPLATES=known["TEMPLATES"]):
            nonces = [self.nonce_of(path) for path in ("/chat/", "/chat/tea/", "/chat/tea/")]
        self.assertEqual(len(set(nonces)), len(nonces))

    def nonce_of(self, path):
        page = self.client.get(path)
        (nonce,) = re.findall("'nonce-(.{20,}?)'", page.headers["Content-Security-Policy"])
        scripts = re.findall("<script(?! id=)(.*?)>", page.content.decode())
        self.assertEqual(set(scripts), {f' nonce="{nonce}"'})
        return nonce


class Telling(ChatConsumer):
    def connect(self):
        super().connect()
        for _ in range(3):
            self.reply({"id": 1, "message": "hello"})

    def receive(self, text_data=None, bytes_data=None):
        pass


class Endless(ChatConsumer):
    def receive(self, text_data=None, bytes_data=None):
        json.loads(text_data)
        self.receive(text_data)


class Encoding(ChatConsumer):
    def receive(self, text_data=None, bytes_data=None):
        content = None
        for _ in range(100_000):
            content = [content]
        json.dumps(content)


class GateTests(SimpleTestCase):
    async def test_all_sockets_of_a_client_are_counted_together(self):
        gate = Gate(ChatConsumer.as_asgi(), 2)
        for number in range(4):
            socket = WebsocketCommunicator(gate, "/")
            await socket.connect()
            await socket.send_to(text_data='{"message": "hello"}')
            answer = await socket.receive_output()
            self.assertEqual(answer.get("code"), TOO_MANY if number > 1 else None)
            await socket.disconnect()

    async def test_long_frames_count_as_several(self):
        gate = Gate(ChatConsumer.as_asgi(), 2)
        for length in (1_000, 2_000):
            socket = WebsocketCommunicator(gate, "/")
            await socket.connect()
            await socket.send_to(bytes_data=b"x" * length)
            answer = await socket.receive_output()
            self.assertEqual(answer.get("code"), TOO_MANY if length > 1_000 else None)

    async def test_json_that_is_nested_too_deep(self):
        socket = WebsocketCommunicator(Gate(ChatConsumer.as_asgi(), 200), "/")
        await socket.connect()
        await socket.send_to(text_data="[" * 100_000)
        close = {"type": "websocket.close", "code": NONSENSE}
        self.assertEqual(await socket.receive_output(timeout=5), close)
        await socket.wait()  # and it raises nothing

    async def test_recursions_of_ours_are_faults(self):
        for consumer in (Endless, Encoding):
            socket = WebsocketCommunicator(Gate(consumer.as_asgi(), 200), "/")
            await socket.connect()
            await socket.send_to(text_data="[]")
            with self.assertRaises(RecursionError):
                await socket.wait(timeout=5)

    async def test_acknowledgements_are_not_counted(self):
        gate = Gate(Telling.as_asgi(), 1)
        socket = WebsocketCommunicator(gate, "/")
        await socket.connect()
        for _ in range(3):
            await socket.receive_output()
        for _ in range(3 + 2):
            await socket.send_to(text_data='{"read": 1}')
        answer = await socket.receive_output()
        self.assertEqual(answer.get("code"), TOO_MANY)
        self.assertEqual(gate.frames.total(), 2)

    def test_it_forgets(self):
        gate = Gate(None, 1, seconds=-1)
        self.assertFalse(gate.is_too_much("anna") or gate.is_too_much("anna"))
        self.assertEqual(len(gate.frames), 1)


@override_settings(CHANNEL_LAYERS=MEMORY)
class OrderTests(TransactionTestCase):
    async def test_work_is_limited_on_all_sockets_together(self):
        cache.clear()
        told = []
        for _ in range(6):
            headers = [(b"origin", b"http://localhost")]
            socket = WebsocketCommunicator(application, "/ws/report/", headers=headers)
            await socket.connect()
            await socket.send_to(text_data="please")
            told += await socket.receive_json_from()
            await socket.disconnect()
        self.assertEqual(told, ["status"] * 5 + ["error"])
