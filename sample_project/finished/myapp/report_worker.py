import logging
import time

from asgiref.sync import async_to_sync
from channels.consumer import SyncConsumer

from .models import Report, Topic

logger = logging.getLogger(__name__)


class ReportWorker(SyncConsumer):
    """Does the work, in another process: each order once, whatever the others are like."""

    def report_make(self, order):
        try:
            _, is_new = Report.objects.get_or_create(key=order["key"])
            if is_new:
                self.make(order)
        except Exception:
            logger.exception("A report has failed.")

    def make(self, order):
        topics = list(Topic.objects.all())
        for number, topic in enumerate(topics, 1):
            time.sleep(0.3)  # like drawing a page
            self.tell(order, f"{number} of {len(topics)}: {topic}")
        self.tell(order, "done")

    def tell(self, order, status):
        progress = {"type": "report.progress", "status": status}
        async_to_sync(self.channel_layer.send)(order["answer_to"], progress)
