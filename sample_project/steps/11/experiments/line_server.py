"""Serves lines of text over TCP: python -m experiments.line_server --port 8001"""

import argparse
import asyncio
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
django.setup()

from experiments.lines import LineConsumer  # noqa: E402

application = LineConsumer.as_asgi()


async def serve(reader, writer):
    events = asyncio.Queue()

    async def send(event):
        writer.write(event["text"].encode() + b"\n")
        await writer.drain()

    consumer = asyncio.create_task(application({"type": "line"}, events.get, send))
    consumer.add_done_callback(lambda _: writer.close())  # also if it fails
    await events.put({"type": "line.connect"})
    try:
        async for line in reader:
            await events.put({"type": "line.receive", "text": line.decode().rstrip()})
    except (OSError, ValueError):
        pass  # cut off, or no line of text; for the consumer the client is gone
    await events.put({"type": "line.disconnect"})
    await consumer


async def main(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("Listening on port", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8001)
    asyncio.run(main(parser.parse_args().port))
