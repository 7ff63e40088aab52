from channels.testing import WebsocketCommunicator
from django.test import TestCase, TransactionTestCase
from django.urls import reverse

from myproject.asgi import application


class ChatPageTests(TestCase):
    def test_index_asks_for_a_room(self):
        self.assertContains(self.client.get(reverse("index")), 'id="room-name-input"')

    def test_room_opens_its_socket(self):
        response = self.client.get(reverse("room", kwargs={"room_name": "a & b"}))
        self.assertContains(response, "<h1>Room a &amp; b</h1>", html=True)
        self.assertContains(response, '"a \\u0026 b"')  # for the script
        self.assertContains(response, "/ws/chat/")

    def test_too_long_a_name_is_404(self):
        self.assertEqual(self.client.get(f"/chat/{'x' * 51}/").status_code, 404)


class EchoTests(TransactionTestCase):
    async def test_message_comes_back(self):
        self.assertEqual(await self.answer_to('{"message": "hello"}'), {"message": "hello"})

    async def test_unexpected_frames_get_an_error(self):
        for frame in ("not json", "{}", "[1]"):
            with self.subTest(frame):
                self.assertIn("error", await self.answer_to(frame))

    async def test_other_sites_are_refused(self):
        for path in ("/ws/chat/", "/ws/chat/lobby/", "/ws/topics/lunch/"):
            socket = self.socket(path, origin=b"https://evil.example")
            accepted, _ = await socket.connect()
            self.assertFalse(accepted)

    def socket(self, path="/ws/chat/", origin=b"http://localhost"):
        return WebsocketCommunicator(application, path, headers=[(b"origin", origin)])

    async def answer_to(self, frame):
        socket = self.socket()
        accepted, _ = await socket.connect()
        self.assertTrue(accepted)
        await socket.send_to(text_data=frame)
        answer = await socket.receive_json_from()
        await socket.disconnect()
        return answer
