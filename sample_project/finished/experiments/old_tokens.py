from channels.generic.websocket import AsyncWebsocketConsumer
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser, User

TOKENS = {b"Bearer secret": "anna"}


class WhoConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send(str(self.scope["user"]))


class OldTokenMiddleware:
    """As many old pages have it."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, scope):
        return self.inner(dict(scope, user=AnonymousUser()))


class GreedyTokenMiddleware(BaseMiddleware):
    """As many newer pages have it."""

    async def __call__(self, scope, receive, send):
        name = TOKENS.get(dict(scope["headers"]).get(b"authorization"))
        user = await User.objects.filter(username=name).afirst()
        scope = dict(scope, user=user or AnonymousUser())
        return await self.inner(scope, receive, send)


old = OldTokenMiddleware(WhoConsumer.as_asgi())
greedy = GreedyTokenMiddleware(WhoConsumer.as_asgi())
