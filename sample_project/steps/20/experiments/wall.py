from channels.generic.websocket import AsyncJsonWebsocketConsumer


class WallConsumer(AsyncJsonWebsocketConsumer):
    groups = ["wall"]  # joined before `connect`, left at `disconnect`

    async def receive_json(self, content):
        await self.channel_layer.group_send("wall", content)

    async def wall_note(self, event):
        await self.send_json({"note": event["note"]})
