import asyncio
import json
import re
import time

from django.http import StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from .hubs import Hub
from .models import Post

KEEP_ALIVE = 15.0  # seconds of silence, after which a comment is sent
LONGEST = 600.0  # seconds: then a reader has to come again
MOST = 20  # posts for whoever comes


class PostHub(Hub):
    async def post_created(self, event):
        self.tell(event["post"])


class Reader:
    """A member of a hub."""

    def __init__(self):
        self.outbox = asyncio.Queue()


def newest(after=0):
    """Return the newest posts with a number above `after`, the newest first."""
    posts = Post.objects.filter(pk__gt=after).select_related("author", "topic")
    return posts.order_by("-pk")[:MOST]


def event_of(post):
    data = {
        "url": post.get_absolute_url(),
        "topic": post.topic.title,
        "author": post.author.username,
    }
    return f"id: {post.pk}\ndata: {json.dumps(data)}\n\n"


async def events(last):
    """Yield the posts with a number above `last`, and then each new one."""
    reader, end = Reader(), time.monotonic() + LONGEST
    hub = await PostHub.join("posts", reader)
    try:
        yield ": welcome\n\n"
        while time.monotonic() < end:
            for post in reversed([post async for post in newest(last)]):
                last = post.pk
                yield event_of(post)
            try:
                if await asyncio.wait_for(reader.outbox.get(), KEEP_ALIVE) is None:
                    break  # the hub has ended, or this reader is too slow
            except TimeoutError:
                yield ": still here\n\n"
    finally:
        hub.leave(reader)


@require_GET
async def posts(request):
    last = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    last = int(last) if re.fullmatch("[0-9]{1,18}", last) else 0
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(events(last), content_type="text/event-stream", headers=headers)


def latest(request):
    return render(request, "myapp/latest.html", {"posts": newest()})
