import json

from channels.generic.websocket import WebsocketConsumer

from .models import Topic


class TopicCountConsumer(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send(text_data=f"{self.scope['user']} sees {Topic.objects.count()} topics")


class ChatConsumer(WebsocketConsumer):
    def connect(self):
        self.accept()

    def disconnect(self, close_code):
        pass

    def receive(self, text_data=None, bytes_data=None):
        try:
            message = json.loads(text_data)["message"]
        except (TypeError, KeyError, ValueError):
            self.reply({"error": 'please send text like {"message": "hello"}'})
        else:
            self.reply({"message": message})

    def reply(self, content):
        self.send(text_data=json.dumps(content))
