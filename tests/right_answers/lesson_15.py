"""Right answers to the exercises of lesson 15 that are not like ours."""

from . import Right

ASKS_FIRST = """\
from asgiref.sync import async_to_sync
from channels.consumer import SyncConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import IntegrityError

from .bank import charge
from .models import Report


class PaymentConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        order = {"type": "payment.make", "key": content["key"], "amount": content["amount"]}
        await self.channel_layer.send("payments", order | {"answer_to": self.channel_name})

    async def payment_answer(self, event):
        await self.send_json(event["answer"])


class PaymentWorker(SyncConsumer):
    def payment_make(self, order):
        if Report.objects.filter(key=order["key"]).exists():
            return
        try:
            Report.objects.create(key=order["key"])
        except IntegrityError:
            return
        try:
            charge(order["amount"])
        except Exception as error:
            self.tell(order, error=str(error))
        else:
            self.tell(order, charged=order["amount"])

    def tell(self, order, **said):
        event = {"type": "payment.answer", "answer": {"key": order["key"], **said}}
        async_to_sync(self.channel_layer.send)(order["answer_to"], event)
"""

RIGHT = {
    "15.3": [
        Right("asks first, and catches what may happen then", {"myapp/payments.py": ASKS_FIRST}),
    ],
}
