import socket

from channels.testing import ChannelsLiveServerTestCase
from websockets.sync.client import connect


class LiveTests(ChannelsLiveServerTestCase):
    """Against a real daphne, in a process of its own."""

    def socket(self, path):
        url = self.live_server_ws_url + path
        return connect(url, origin="http://localhost", proxy=None)

    def test_two_clients_meet(self):
        with self.socket("/ws/chat/kitchen/") as anna, self.socket("/ws/chat/kitchen/") as ben:
            anna.send('{"message": "hello"}')
            for client in (anna, ben):
                self.assertEqual(client.recv(timeout=5), '{"message": "hello"}')

    def test_visitor_who_is_cut_off_has_left(self):
        with self.socket("/ws/chat/hall/?name=Anna") as anna:
            self.assertEqual(anna.recv(timeout=5), '{"here": ["Anna"]}')
            with self.socket("/ws/chat/hall/?name=Ben") as ben:
                self.assertEqual(anna.recv(timeout=5), '{"here": ["Anna", "Ben"]}')
                ben.socket.shutdown(socket.SHUT_RDWR)  # no close frame, as if a cable was pulled
            self.assertEqual(anna.recv(timeout=5), '{"here": ["Anna"]}')
