import json

from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncWebsocketConsumer

from .models import Topic


class TopicConsumer(AsyncWebsocketConsumer):
    group = None  # until it is known that there is such a topic

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.group:
                await self.channel_layer.group_discard(self.group, self.channel_name)

    async def connect(self):
        slug = self.scope["url_route"]["kwargs"]["slug"]
        if not await Topic.objects.filter(slug=slug).aexists():
            raise DenyConnection
        self.group = f"topic.{slug}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def post_created(self, event):
        await self.send(text_data=json.dumps({"post": event["url"]}))
