from uuid import uuid4

from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncJsonWebsocketConsumer


class ReportConsumer(AsyncJsonWebsocketConsumer):
    """Takes an order, and tells how the work goes."""

    async def receive(self, text_data=None, bytes_data=None):
        order = {"type": "report.make", "key": str(uuid4()), "answer_to": self.channel_name}
        try:
            await self.channel_layer.send("reports", order)
        except ChannelFull:
            await self.send_json({"error": "too many orders, please wait"})
        else:
            await self.send_json({"status": "ordered"})

    async def report_progress(self, event):
        await self.send_json({"status": event["status"]})
