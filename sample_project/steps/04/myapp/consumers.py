from channels.generic.websocket import WebsocketConsumer

from .models import Topic


class TopicCountConsumer(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send(text_data=f"{self.scope['user']} sees {Topic.objects.count()} topics")


class ChatConsumer(WebsocketConsumer):
    def connect(self):
        self.accept()
        self.send(text_data=f"welcome at {self.scope['path']}")
