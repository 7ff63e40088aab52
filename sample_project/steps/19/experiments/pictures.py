from channels.generic.websocket import AsyncJsonWebsocketConsumer

PICTURE = "." * 1_000_000


class PictureConsumer(AsyncJsonWebsocketConsumer):
    """Sends the newest picture, whenever the client has seen the one before."""

    newest, ready = None, True

    async def receive_json(self, content):
        if "taken" in content:
            self.newest = content["taken"]
        else:
            self.ready = True
        if self.ready and self.newest is not None:
            number, self.newest, self.ready = self.newest, None, False
            await self.send_json({"number": number, "picture": PICTURE})
