from uuid import uuid4

from asgiref.sync import sync_to_async
from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .limits import count
from .metrics import FULL


class ReportConsumer(AsyncJsonWebsocketConsumer):
    """Takes an order, and tells how the work goes."""

    most, minute = 5, 60.0  # so many orders of somebody in so many seconds

    async def receive(self, text_data=None, bytes_data=None):
        order = {"type": "report.make", "key": str(uuid4()), "answer_to": self.channel_name}
        try:
            await sync_to_async(count)("order", self.scope, self.most, self.minute)
            await self.channel_layer.send("reports", order)
        except (ChannelFull, ValueError) as error:
            if isinstance(error, ChannelFull):
                FULL.inc()
            await self.send_json({"error": "too many orders, please wait"})
        else:
            await self.send_json({"status": "ordered"})

    async def report_progress(self, event):
        await self.send_json({"status": event["status"]})
