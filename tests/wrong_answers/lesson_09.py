"""Wrong answers to the exercises of lesson 9."""

from . import Wrong

SEARCH, PRICES, OVEN = "myapp/search.py", "myapp/prices.py", "myapp/oven.py"
IN_A_THREAD = "await asyncio.to_thread(carrier.price, text_data)"
ASK = "    async def ask(self, text):\n        return carrier.price(text)\n\n"
WATCH = "        self.watching = asyncio.create_task(self.watch())\n\n    async def watch(self):\n"
CANCEL_AND_RESUME = """            self.watching.cancel()
            self.watching = asyncio"""
LEAVE = """    watching = None

    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.watching:
                self.watching.cancel()

"""
DISCONNECT = """    async def disconnect(self, close_code):
        self.watching.cancel()

"""
RAISE = """        else:
            raise ValueError(f"unknown: {text_data}")
"""
READ_AND_SEND = "            await self.send(text_data=str(sensor.read()))\n"
PAUSE = """            self.watching.cancel()
            await self.send(text_data="paused")
"""
OVEN_OF_ALL = """import asyncio

from channels.generic.websocket import AsyncWebsocketConsumer

from . import sensor

watching = None


class OvenConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        global watching
        await self.accept()
        watching = asyncio.create_task(self.watch())

    async def watch(self):
        while True:
            await self.send(text_data=str(sensor.read()))
            await asyncio.sleep(0.05)

    async def receive(self, text_data=None, bytes_data=None):
        global watching
        watching.cancel()
        if text_data == "resume":
            watching = asyncio.create_task(self.watch())
        await self.send(text_data=f"{text_data}d")

    async def disconnect(self, close_code):
        watching.cancel()
"""

WRONG = {
    "9.1": [
        Wrong(
            "forgets the await of accept",
            "AsyncWebsocketConsumer.accept' was never awaited",
            SEARCH,
            "await self.accept()",
            "self.accept()",
        ),
        Wrong(
            "forgets the await of send",
            "AsyncWebsocketConsumer.send' was never awaited",
            SEARCH,
            "await self.send(",
            "self.send(",
        ),
        Wrong(
            "leaves the plain def",
            "SyntaxError",
            SEARCH,
            "async def receive(",
            "def receive(",
        ),
        Wrong(
            "leaves the query",
            "SynchronousOnlyOperation",
            SEARCH,
            "async for topic in",
            "for topic in",
        ),
        Wrong(
            "silences Django",
            "the query: it runs on the event loop",
            SEARCH,
            "async for topic in",
            "for topic in",
            (
                (
                    SEARCH,
                    "import json\n",
                    'import json\nimport os\n\nos.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"\n',
                ),
            ),
        ),
        Wrong(
            "awaits the query itself",
            "can't be used in 'await' expression",
            SEARCH,
            "[topic.title async for topic in topics]",
            "[topic.title for topic in await topics]",
        ),
        Wrong(
            "begins with Z",
            "from A to Z",
            SEARCH,
            'order_by("title")',
            'order_by("-title")',
        ),
        Wrong(
            "sends the titles as text",
            "a list of titles, as JSON",
            SEARCH,
            "json.dumps(titles)",
            '", ".join(titles)',
        ),
        Wrong(
            "has a typing error in a file that `manage.py` reads",
            "myapp/apps.py, line 4: SyntaxError",
            "myapp/apps.py",
            "",
            "from django.apps import AppConfig\n\n\nclass MyappConfig(AppConfig)\n",
        ),
    ],
    "9.2": [
        Wrong(
            "only wraps it in a coroutine",
            "it runs on the event loop",
            PRICES,
            f"        price = {IN_A_THREAD}\n",
            "        price = await self.ask(text_data)\n",
            (
                (
                    PRICES,
                    "        await self.send(text_data=price)\n",
                    "        await self.send(text_data=price)\n\n"
                    "    async def ask(self, parcel):\n        return carrier.price(parcel)\n",
                ),
            ),
        ),
        Wrong(
            "calls it with brackets",
            "it runs on the event loop",
            PRICES,
            "carrier.price, text_data",
            "carrier.price(text_data)",
        ),
        Wrong(
            "takes the thread of all",
            "and `database_sync_to_async` share one thread",
            PRICES,
            IN_A_THREAD,
            "await sync_to_async(carrier.price)(text_data)",
            ((PRICES, "import asyncio\n", "from asgiref.sync import sync_to_async\n"),),
        ),
        Wrong(
            "forgets the await",
            "to_thread' was never awaited",
            PRICES,
            "await asyncio.to_thread",
            "asyncio.to_thread",
        ),
        Wrong(
            "one at a time",
            "whether two clients can wait",
            PRICES,
            f"        price = {IN_A_THREAD}\n",
            f"        async with busy:\n            price = {IN_A_THREAD}\n",
            (
                (
                    PRICES,
                    "from . import carrier\n",
                    "from . import carrier\n\nbusy = asyncio.Lock()\n",
                ),
            ),
        ),
        Wrong(
            "writes the prices down",
            "whether `carrier.price` is called",
            PRICES,
            IN_A_THREAD,
            'f"{text_data}: {len(text_data)}.50"',
        ),
        Wrong(
            "hands over a coroutine function",
            "first the exception below; then whether carrier.price is called",
            PRICES,
            IN_A_THREAD,
            "await asyncio.to_thread(self.ask, text_data)",
            ((PRICES, "    async def receive", ASK + "    async def receive"),),
        ),
    ],
    "9.3": [
        Wrong(
            "reads in connect",
            "what `receive` does with `pause` while readings go on beside it",
            OVEN,
            WATCH,
            "",
        ),
        Wrong(
            "does not cancel when the client leaves",
            "for a client that has left",
            OVEN,
            LEAVE,
            "",
        ),
        Wrong(
            "cancels only after a clean close",
            "where a connection is cut",
            OVEN,
            LEAVE,
            DISCONNECT.replace("self.w", "if close_code == 1000:\n            self.w"),
        ),
        Wrong(
            "relies on disconnect",
            "`disconnect` does not run then",
            OVEN,
            LEAVE,
            DISCONNECT,
        ),
        Wrong(
            "passes over other texts",
            "any other text: it raises",
            OVEN,
            RAISE,
            "",
        ),
        Wrong(
            "closes by itself instead",
            "any other text: it raises",
            OVEN,
            'raise ValueError(f"unknown: {text_data}")',
            "await self.close(1011)",
        ),
        Wrong(
            "raises another exception",
            "KeyError, another exception",
            OVEN,
            "raise ValueError(",
            "raise KeyError(",
        ),
        Wrong(
            "starts a second task",
            "a second `resume`",
            OVEN,
            CANCEL_AND_RESUME,
            CANCEL_AND_RESUME.replace("            self.watching.cancel()\n", ""),
        ),
        Wrong(
            "one task for all",
            "whose task the `pause` of another client cancels",
            OVEN,
            "",
            OVEN_OF_ALL,
        ),
        Wrong(
            "hides the readings while paused",
            "for a client that has paused",
            OVEN,
            READ_AND_SEND,
            "            reading = sensor.read()\n"
            "            if not self.paused:\n"
            "                await self.send(text_data=str(reading))\n",
            (
                (
                    OVEN,
                    "        await self.accept()\n",
                    "        await self.accept()\n        self.paused = False\n",
                ),
                (OVEN, PAUSE, PAUSE.replace("watching.cancel()", "paused = True")),
            ),
        ),
        Wrong(
            "sends numbers",
            "does it send texts?",
            OVEN,
            "str(sensor.read())",
            "sensor.read()",
        ),
        Wrong(
            "reads only once",
            "a fresh `sensor.read()`",
            OVEN,
            "        while True:\n" + READ_AND_SEND,
            "        reading = sensor.read()\n        while True:\n"
            + READ_AND_SEND.replace("sensor.read()", "reading"),
        ),
        Wrong(
            "sleeps on the event loop",
            "whether anything blocks the event loop",
            OVEN,
            "            await asyncio.sleep(0.05)\n",
            "            time.sleep(0.05)\n",
            ((OVEN, "import asyncio\n", "import asyncio\nimport time\n"),),
        ),
    ],
}
