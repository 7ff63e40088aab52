from channels.generic.websocket import AsyncWebsocketConsumer
from channels.middleware import BaseMiddleware
from django.contrib.auth.models import AnonymousUser, User

TOKENS = {b"Bearer secret": "anna"}


class WhoConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.send(str(self.scope["user"]))


class TokenMiddleware(BaseMiddleware):
    """Finds the user by a token. Who shows none stays who they are."""

    async def __call__(self, scope, receive, send):
        shown = dict(scope["headers"]).get(b"authorization")
        if shown is not None:
            user = await User.objects.filter(username=TOKENS.get(shown)).afirst()
            scope = dict(scope, user=user or AnonymousUser())
        return await self.inner(scope, receive, send)


tokens = TokenMiddleware(WhoConsumer.as_asgi())
