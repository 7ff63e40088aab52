from channels.auth import get_user
from channels.generic.websocket import AsyncJsonWebsocketConsumer

LOGGED_OUT = 4401  # a close code


def user_group(pk):
    """Return the name of the group of all sockets of a user."""
    return f"user.{pk}"


class MemberConsumer(AsyncJsonWebsocketConsumer):
    """Tells a member how many notifications are unread."""

    group = None  # until it is known that this is a member

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.group:
                await self.channel_layer.group_discard(self.group, self.channel_name)

    async def connect(self):
        await self.accept()
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(LOGGED_OUT)
            return
        self.group = user_group(user.pk)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.unread_changed()

    async def receive(self, text_data=None, bytes_data=None):
        """Leave out what a client sends: nothing is expected."""

    async def unread_changed(self, event=None):
        if await self.is_member():
            unread = self.scope["user"].notifications.filter(read=False)
            await self.send_json({"unread": await unread.acount()})

    async def force_close(self, event):
        if event["session"] == self.scope["session"].session_key:
            await self.close(LOGGED_OUT)

    async def account_changed(self, event):
        await self.is_member()

    async def is_member(self):
        """Ask the database, now. Close the socket if its user is no member any more."""
        session = self.scope["session"]
        user = self.scope["user"] = await get_user(self.scope)
        if user.is_authenticated and await session.aexists(session.session_key):
            return True
        await self.close(LOGGED_OUT)
        return False
