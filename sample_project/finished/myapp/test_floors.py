from channels.testing import ChannelsLiveServerTestCase, WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client, SimpleTestCase, TransactionTestCase
from websockets import InvalidStatus
from websockets.sync.client import connect

from myapp.rooms import message_in
from myproject.asgi import application

ORIGIN = (b"origin", b"http://localhost")
NOTHING = "/ws/topics/nothing/"


class Floor1(SimpleTestCase):
    """Functions alone."""

    def test_message_is_text_and_not_blank(self):
        self.assertEqual(message_in('{"message": "Soup?"}'), ("Soup?", ""))
        for frame in ('{"message": " "}', '{"message": 7}', "[]", "no JSON", None):
            with self.subTest(frame), self.assertRaises(ValueError):
                message_in(frame)


class Floor2(TransactionTestCase):
    """The whole application, in the process of the test."""

    async def test_user_comes_by_the_session(self):
        browser = Client()
        await browser.aforce_login(await User.objects.acreate(username="anna"))
        cookie = f"sessionid={browser.cookies['sessionid'].value}".encode()
        anna = WebsocketCommunicator(application, "/ws/topics/", [ORIGIN, (b"cookie", cookie)])
        self.assertEqual(await anna.connect(timeout=5), (True, None))
        self.assertEqual(await anna.receive_from(timeout=5), "anna sees 0 topics")
        await anna.disconnect()

    async def test_page_of_a_stranger_is_refused(self):
        stranger = (b"origin", b"http://stranger.example")
        socket = WebsocketCommunicator(application, "/ws/topics/", [stranger])
        self.assertFalse((await socket.connect(timeout=5))[0])

    async def test_no_topic(self):
        socket = WebsocketCommunicator(application, NOTHING, [ORIGIN])
        self.assertFalse((await socket.connect(timeout=5))[0])


class Floor3(ChannelsLiveServerTestCase):
    """A real daphne, in a process of its own."""

    def test_no_topic(self):
        with self.assertRaises(InvalidStatus) as refused:
            connect(self.live_server_ws_url + NOTHING, origin="http://localhost", proxy=None)
        self.assertEqual(refused.exception.response.status_code, 403)
