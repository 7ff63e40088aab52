"""Right answers to the exercises of lesson 16 that are not like ours."""

from . import Right

DRAFTS = """\
import json

from asgiref.sync import async_to_sync
from channels.generic.websocket import WebsocketConsumer


class DraftConsumer(WebsocketConsumer):
    group_name = ""

    def connect(self):
        self.accept()
        user = self.scope["user"]
        if not user.is_authenticated:
            self.close(4401)
            return
        self.group_name = f"drafts_of_{user.id}"
        async_to_sync(self.channel_layer.group_add)(self.group_name, self.channel_name)

    def disconnect(self, code):
        if self.group_name:
            async_to_sync(self.channel_layer.group_discard)(self.group_name, self.channel_name)

    def receive(self, text_data=None, bytes_data=None):
        content = json.loads(text_data)
        match content:
            case {"draft": str(draft)}:
                async_to_sync(self.channel_layer.group_send)(
                    self.group_name,
                    {"type": "draft.changed", "draft": draft, "by": self.channel_name})
            case _:
                self.send(json.dumps({"error": "a draft, please"}))

    def draft_changed(self, event):
        if event["by"] != self.channel_name:
            self.send(json.dumps({"draft": event["draft"]}))
"""

RIGHT = {
    "16.3": [
        Right("is sync, and has no group for a stranger", {"myapp/drafts.py": DRAFTS}),
    ],
}
