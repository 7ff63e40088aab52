from channels.testing import ChannelsLiveServerTestCase, WebsocketCommunicator
from django.test import TransactionTestCase
from websockets import InvalidStatus
from websockets.sync.client import connect

from myproject.asgi import application

NOTHING = "/ws/topics/nothing/"


class Floor2(TransactionTestCase):
    async def test_no_topic(self):
        headers = [(b"origin", b"http://localhost")]
        socket = WebsocketCommunicator(application, NOTHING, headers)
        print("Floor 2:", await socket.connect(timeout=5))


class Floor3(ChannelsLiveServerTestCase):
    def test_no_topic(self):
        try:
            connect(self.live_server_ws_url + NOTHING, origin="http://localhost", proxy=None)
        except InvalidStatus as refused:
            print("Floor 3:", refused)
