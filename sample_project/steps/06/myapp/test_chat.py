from channels.testing import WebsocketCommunicator
from django.test import SimpleTestCase, TransactionTestCase
from django.urls import reverse

from myproject.asgi import application


class ChatPageTests(SimpleTestCase):
    def test_page_opens_the_socket(self):
        response = self.client.get(reverse("index"))
        self.assertContains(response, "/ws/chat/")


class ChatSocketTests(TransactionTestCase):
    async def test_message_comes_back(self):
        self.assertEqual(await self.answer_to('{"message": "hello"}'), {"message": "hello"})

    async def test_unexpected_frames_get_an_error(self):
        for frame in ("not json", "{}", "[1]"):
            with self.subTest(frame):
                self.assertIn("error", await self.answer_to(frame))

    async def test_other_sites_are_refused(self):
        socket = self.socket(origin=b"https://evil.example")
        accepted, _ = await socket.connect()
        self.assertFalse(accepted)

    def socket(self, origin=b"http://localhost"):
        return WebsocketCommunicator(application, "/ws/chat/", headers=[(b"origin", origin)])

    async def answer_to(self, frame):
        socket = self.socket()
        accepted, _ = await socket.connect()
        self.assertTrue(accepted)
        await socket.send_to(text_data=frame)
        answer = await socket.receive_json_from()
        await socket.disconnect()
        return answer
