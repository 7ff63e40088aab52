import time

from asgiref.sync import async_to_sync
from channels.consumer import SyncConsumer
from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .models import Topic


class ReportConsumer(AsyncJsonWebsocketConsumer):
    """Takes an order, and tells how the work goes."""

    async def receive(self, text_data=None, bytes_data=None):
        order = {"type": "report.make", "answer_to": self.channel_name}
        try:
            await self.channel_layer.send("reports", order)
        except ChannelFull:
            await self.send_json({"error": "too many orders, please wait"})
        else:
            await self.send_json({"status": "ordered"})

    async def report_progress(self, event):
        await self.send_json({"status": event["status"]})


class ReportWorker(SyncConsumer):
    """Does the work, in another process."""

    def report_make(self, event):
        topics = list(Topic.objects.all())
        for number, topic in enumerate(topics, 1):
            time.sleep(0.3)  # like drawing a page
            self.tell(event, f"{number} of {len(topics)}: {topic}")
        self.tell(event, "done")

    def tell(self, event, status):
        progress = {"type": "report.progress", "status": status}
        async_to_sync(self.channel_layer.send)(event["answer_to"], progress)
