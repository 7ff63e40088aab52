from channels.generic.websocket import AsyncWebsocketConsumer
from msgspec import DecodeError

from .models import Topic
from .protocol import Count, Error, Unwatch, Watch, decode, encode


class Refused(Exception):
    """A request that cannot be done, with words for the client."""


class LiveConsumer(AsyncWebsocketConsumer):
    """Tells how many posts there are, in as many topics as a page wants to follow."""

    most = 100  # topics at a time

    async def __call__(self, scope, receive, send):
        self.topics = set()  # slugs
        try:
            await super().__call__(scope, receive, send)
        finally:
            for slug in sorted(self.topics):
                await self.channel_layer.group_discard(f"topic.{slug}", self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        try:
            await self.do(decode(text_data or ""))
        except (DecodeError, Refused) as error:
            await self.tell(Error(str(error)))

    async def do(self, request):
        match request:
            case Watch(topic=slug):
                await self.watch(slug)
            case Unwatch(topic=slug):
                await self.unwatch(slug)

    async def watch(self, slug):
        if not await Topic.objects.filter(slug=slug).aexists():
            raise Refused(f"there is no topic {slug}")
        if len(self.topics | {slug}) > self.most:
            raise Refused(f"no more than {self.most} topics at a time")
        self.topics.add(slug)
        await self.channel_layer.group_add(f"topic.{slug}", self.channel_name)
        await self.tell_count(slug)

    async def unwatch(self, slug):
        self.topics.discard(slug)
        await self.channel_layer.group_discard(f"topic.{slug}", self.channel_name)

    async def post_created(self, event):
        if event["topic"] in self.topics:  # it may have been on its way at an `unwatch`
            await self.tell_count(event["topic"])

    async def tell_count(self, slug):
        posts = await Topic.objects.filter(slug=slug, posts__isnull=False).acount()
        await self.tell(Count(slug, posts))

    async def tell(self, answer):
        await self.send(text_data=encode(answer))
