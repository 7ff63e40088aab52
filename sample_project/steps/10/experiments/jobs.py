from asgiref.sync import async_to_sync
from channels.consumer import SyncConsumer


class SquareConsumer(SyncConsumer):
    def square_please(self, event):
        result = event["number"] ** 2
        answer = {"type": "square.done", "result": result}
        async_to_sync(self.channel_layer.send)(event["answer_to"], answer)
