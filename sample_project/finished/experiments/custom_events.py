from channels.consumer import AsyncConsumer, SyncConsumer

class MySyncConsumer(SyncConsumer):
    def my_custom_event(self, event):
        print("Received event:", event)

class MyAsyncConsumer(AsyncConsumer):
    async def my_custom_event(self, event):
        print("Received event:", event)
