import time

from channels.generic.websocket import JsonWebsocketConsumer, WebsocketConsumer


class JsonConsumer(JsonWebsocketConsumer):
    def connect(self):
        if "sum.v1" in self.scope["subprotocols"]:
            self.accept(subprotocol="sum.v1")
        else:
            self.close()

    def receive_json(self, content):
        self.send_json({"sum": sum(content["numbers"])})


class SlowConsumer(WebsocketConsumer):
    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data="started")
        time.sleep(0.3)  # like a call of another service
        self.send(text_data="done")
