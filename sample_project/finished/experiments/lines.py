from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from myapp.models import Topic


class LineConsumer(AsyncConsumer):
    async def line_connect(self, event):
        await self.answer("noticeboard, at your service")

    async def line_receive(self, event):
        command, _, rest = event["text"].partition(" ")
        if command == "TOPICS":
            await self.answer(str(await Topic.objects.acount()))
        elif command == "SAY":
            await self.answer(rest)
        else:
            await self.answer(f"unknown command: {command}")

    async def line_disconnect(self, event):
        raise StopConsumer

    async def answer(self, text):
        await self.send({"type": "line.send", "text": text})
