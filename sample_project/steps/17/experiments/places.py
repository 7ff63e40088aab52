from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer


class PlacesConsumer(AsyncWebsocketConsumer):
    """Finds a token in one of four places, and says where."""

    async def connect(self):
        headers, offered = dict(self.scope["headers"]), self.scope["subprotocols"]
        if b"authorization" in headers:
            place = "a header"
        elif "token" in parse_qs(self.scope["query_string"].decode()):
            place = "the query"
        elif len(offered) == 2:
            place = "a subprotocol"
        else:
            place = None
        await self.accept(subprotocol=offered[0] if offered else None)
        if place:
            await self.send(place)

    async def receive(self, text_data=None, bytes_data=None):
        await self.send("the first message")
