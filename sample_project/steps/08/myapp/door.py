from urllib.parse import parse_qs

from channels.generic.websocket import WebsocketConsumer


class DoorConsumer(WebsocketConsumer):
    def connect(self):
        query = parse_qs(self.scope["query_string"].decode())
        self.name = query.get("name", ["nobody"])[0]
        self.count = 0
        self.accept()
        if self.name == "nobody":
            self.close(code=4401)
            return
        self.send(text_data=f"welcome, {self.name}; to Django you are {self.scope['user']}")

    def receive(self, text_data=None, bytes_data=None):
        self.count += 1
        if text_data == "bye":
            self.close(code=4000)
        elif bytes_data is not None:
            self.send(bytes_data=bytes_data[::-1])
        else:
            self.send(text_data=f"message {self.count} from {self.name}")

    def disconnect(self, close_code):
        print(f"{self.name} left with {close_code}")
