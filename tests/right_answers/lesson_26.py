"""Right answers to the exercises of lesson 26 that are not like ours."""

from . import Right

TICKER = r"""import asyncio
import json

from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

NEWS = []  # texts: the first has number 1
READERS = set()  # events that wake readers


async def events(last):
    wake = asyncio.Event()
    READERS.add(wake)
    try:
        while True:
            wake.clear()
            while last < len(NEWS):
                last += 1
                yield event(last)
            await wake.wait()
    finally:
        READERS.remove(wake)


def event(number):
    return f"id: {number}\ndata: {json.dumps(NEWS[number - 1])}\n\n".encode()


@csrf_exempt  # who sends is no browser
async def ticker(request):
    match request.method:
        case "POST":
            NEWS.append(request.body.decode("utf-8"))
            for wake in READERS:
                wake.set()
            return HttpResponse(status=201)
        case _:
            last = int(request.headers.get("Last-Event-ID") or 0)
            response = StreamingHttpResponse(events(last), content_type="text/event-stream")
            response["Cache-Control"] = "no-cache"
            return response


async def readers(request):
    return HttpResponse(len(READERS))
"""

RIGHT = {
    "26.1": [
        Right("sends nothing to whom nothing is new", {"myapp/ticker.py": TICKER}),
    ],
}
