from channels.consumer import SyncConsumer
from channels.exceptions import StopConsumer


class RawConsumer(SyncConsumer):
    def websocket_connect(self, event):
        self.send({"type": "websocket.accept"})

    def websocket_receive(self, event):
        self.send({"type": "websocket.send", "text": f"raw: {event['text']}"})

    def websocket_disconnect(self, event):
        raise StopConsumer


class EndlessConsumer(RawConsumer):
    def websocket_disconnect(self, event):
        pass  # forgets to stop
