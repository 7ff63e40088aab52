import asyncio
from urllib.parse import parse_qs

from channels.generic.http import AsyncHttpConsumer

news = []
news_changed = asyncio.Condition()


class CountdownConsumer(AsyncHttpConsumer):
    async def handle(self, body):
        await self.send_headers(headers=[(b"Content-Type", b"text/event-stream")])
        for number in (3, 2, 1):
            await self.send_body(f"data: {number}\n\n".encode(), more_body=True)
            await asyncio.sleep(0.2)
        await self.send_body(b"data: lift-off\n\n")


class NewsConsumer(AsyncHttpConsumer):
    async def handle(self, body):
        async with news_changed:
            if self.scope["method"] == "POST":
                news.append(body)
                news_changed.notify_all()
                await self.send_response(201, b"")
            else:
                query = parse_qs(self.scope["query_string"].decode())
                known = int(query.get("known", ["0"])[0])
                await news_changed.wait_for(lambda: len(news) > known)
                await self.send_response(200, news[known])
