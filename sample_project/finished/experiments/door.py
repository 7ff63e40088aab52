from urllib.parse import parse_qs

from channels.generic.websocket import WebsocketConsumer


class DoorConsumer(WebsocketConsumer):
    def connect(self):
        names = parse_qs(self.scope["query_string"].decode()).get("name")
        self.name, self.count = names[0] if names else "nobody", 0
        self.accept()
        if not names:
            self.close(code=4401)
            return
        path, host, user = self.scope["path"], self.scope["client"][0], self.scope["user"]
        self.send(text_data=f"{self.name} at {path}, from {host}, as {user}")

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
