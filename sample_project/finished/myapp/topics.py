import json

from channels.generic.websocket import AsyncWebsocketConsumer


class TopicConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        self.group = f"topic.{self.scope['url_route']['kwargs']['slug']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def post_created(self, event):
        await self.send(text_data=json.dumps({"post": event["url"]}))
