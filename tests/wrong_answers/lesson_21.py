"""Wrong answers to the exercises of lesson 21."""

from . import Wrong

SCORES, FINDING, MARKET = "myapp/scores.py", "myapp/finding.py", "myapp/market.py"
LIFE = """    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            READERS.pop(self, None)
            if not READERS and TASKS:
                TASKS.pop().cancel()
"""
IN_DISCONNECT = """    async def disconnect(self, close_code):
        READERS.pop(self, None)
        if not READERS and TASKS:
            TASKS.pop().cancel()
"""
START = """        if not TASKS:
            TASKS.append(asyncio.create_task(listen()))
"""
SEARCH = 'await database_sync_to_async(search, **options)(content["find"])'
TELL = """        if not self.telling:
            self.telling = asyncio.create_task(self.tell())
"""

WRONG = {
    "21.1": [
        Wrong(
            "ends it in disconnect",
            "one while there are readers, and then none",
            SCORES,
            LIFE,
            IN_DISCONNECT,
        ),
        Wrong(
            "never ends it",
            "one while there are readers, and then none",
            SCORES,
            """            if not READERS and TASKS:
                TASKS.pop().cancel()
""",
            "",
        ),
        Wrong(
            "ends it when anybody leaves",
            "when the reader who came first has left",
            SCORES,
            "if not READERS and TASKS:",
            "if TASKS:",
        ),
        Wrong(
            "starts one for each reader",
            "one while there are readers, and then none",
            SCORES,
            "if not TASKS:",
            "if True:",
        ),
        Wrong(
            "cancels it, and keeps it",
            "somebody reads who comes when all have left",
            SCORES,
            "TASKS.pop().cancel()",
            "TASKS[0].cancel()",
        ),
        Wrong(
            "starts it at the first reader only",
            "nothing, and the server is done",
            SCORES,
            START,
            """        if not getattr(ScoreConsumer, "started", False):
            ScoreConsumer.started = True
            TASKS.append(asyncio.create_task(listen()))
""",
        ),
    ],
    "21.2": [
        Wrong(
            "leaves them on the one thread",
            "run beside each other",
            FINDING,
            'options = {"thread_sensitive": False, "executor": self.searchers}',
            "options = {}",
        ),
        Wrong(
            "takes as many threads as there are",
            "three, and never more",
            FINDING,
            '{"thread_sensitive": False, "executor": self.searchers}',
            '{"thread_sensitive": False}',
        ),
        Wrong(
            "has a pool for each consumer",
            "three, and never more",
            FINDING,
            '"executor": self.searchers}',
            '"executor": ThreadPoolExecutor(3)}',
        ),
        Wrong(
            "searches in the event loop",
            "run beside each other",
            FINDING,
            SEARCH,
            'search(content["find"])',
        ),
        Wrong(
            "has one searcher",
            "run beside each other",
            FINDING,
            "ThreadPoolExecutor(3)",
            "ThreadPoolExecutor(1)",
        ),
        Wrong(
            "has five",
            "three, and never more",
            FINDING,
            "ThreadPoolExecutor(3)",
            "ThreadPoolExecutor(5)",
        ),
    ],
    "21.3": [
        Wrong(
            "tells each change, later",
            "after the newest price: nothing",
            MARKET,
            TELL,
            "        self.telling = asyncio.create_task(self.tell())\n",
        ),
        Wrong(
            "waits in the method",
            "40 changes at once make",
            MARKET,
            TELL,
            "        await self.tell()\n",
        ),
        Wrong(
            "begins the pause anew with each change",
            "the newest, all the while",
            MARKET,
            TELL,
            """        if self.telling:
            self.telling.cancel()
        self.telling = asyncio.create_task(self.tell())
""",
        ),
        Wrong(
            "drops what comes in the pause",
            "the newest price",
            MARKET,
            """        self.price = event["price"]
        if not self.telling:
""",
            """        if not self.telling:
            self.price = event["price"]
""",
        ),
        Wrong(
            "tells once, and never again",
            "the newest price",
            MARKET,
            "        self.telling = None\n        await self.send_json",
            "        await self.send_json",
        ),
        Wrong(
            "tells what is higher only",
            "the newest price",
            MARKET,
            '        await self.send_json({"price": self.price})',
            '        if self.price > getattr(self, "told", 0):\n'
            "            self.told = self.price\n"
            '            await self.send_json({"price": self.price})',
        ),
        Wrong(
            "tells nothing at all",
            "when 0.2 seconds have passed",
            MARKET,
            "await self.send_json(",
            "print(",
        ),
    ],
}
