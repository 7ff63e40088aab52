from channels.consumer import SyncConsumer

class MySyncConsumer(SyncConsumer):
    def my_custom_event(self, event):
        print("Received event:", event)
