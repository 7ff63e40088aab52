"""Wrong answers to the exercises of lesson 26."""

from . import Wrong

TICKER, FILMS, MACHINES = "myapp/ticker.py", "myapp/films.py", "myapp/machines.py"
DATA = "json.dumps(NEWS[number - 1])"

WRONG = {
    "26.1": [
        Wrong(
            "puts the text in as it is",
            "as its `id`, and the text as JSON",
            TICKER,
            DATA,
            "NEWS[number - 1]",
        ),
        Wrong(
            "takes line feeds out",
            "as its `id`, and the text as JSON",
            TICKER,
            DATA,
            'NEWS[number - 1].replace("\\n", " ")',
        ),
        Wrong(
            "puts quotes around it",
            "one, whatever stands in it",
            TICKER,
            DATA,
            "'\"' + NEWS[number - 1] + '\"'",
        ),
        Wrong("gives no id", "as its `id`, and the text as JSON", TICKER, "id: {number}\\n", ""),
        Wrong("counts from 0", "as its `id`", TICKER, "id: {number}", "id: {number - 1}"),
        Wrong(
            "sends all of it to whoever comes",
            "what has a higher number, only",
            TICKER,
            "    reader = asyncio.Queue()\n",
            "    last = 0\n    reader = asyncio.Queue()\n",
        ),
        Wrong(
            "sends the last one again",
            "what has a higher number, only",
            TICKER,
            "    reader = asyncio.Queue()\n",
            "    last = max(last - 1, 0)\n    reader = asyncio.Queue()\n",
        ),
        Wrong(
            "forgets nobody",
            "what is left of a reader that has gone",
            TICKER,
            "READERS.discard(reader)",
            "pass",
        ),
        Wrong(
            "does not end an event",
            "no empty line that ends the event",
            TICKER,
            "data: {data}\\n\\n",
            "data: {data}\\n",
        ),
        Wrong(
            "begins with what is new",
            "with what has been said already",
            TICKER,
            '    READERS.add(reader)\n    try:\n        yield ": welcome\\n\\n"\n',
            "    READERS.add(reader)\n    last = len(NEWS)\n    try:\n",
        ),
    ],
    "26.2": [
        Wrong(
            "begins anew with each connection",
            "it stays, for who comes back",
            FILMS,
            "FILMS.setdefault(name, bytearray())",
            "FILMS[name] = bytearray()",
        ),
        Wrong(
            "has one film for all",
            "those of the film in the path",
            FILMS,
            "FILMS.setdefault(name, bytearray())",
            'FILMS.setdefault("film", bytearray())',
        ),
        Wrong(
            "keeps what has come in itself",
            "it stays, for who comes back",
            FILMS,
            "self.film += piece",
            "self.film = self.film + piece",
        ),
        Wrong(
            "says how long the piece is",
            "how many bytes there are now",
            FILMS,
            'self.film += piece\n        await self.send_json({"have": len(self.film)})',
            'self.film += piece\n        await self.send_json({"have": len(piece)})',
        ),
        Wrong(
            "keeps what is broken",
            "it is thrown away, and begins anew",
            FILMS,
            "self.film.clear()",
            "pass",
        ),
        Wrong(
            "does not close", "the server closes with 1000", FILMS, "await self.close(1000)", "pass"
        ),
        Wrong(
            "looks when it has taken it",
            "it is not taken",
            FILMS,
            "        if len(self.film) + len(piece) > LARGEST:\n"
            "            await self.close(4413)\n            return\n        self.film += piece\n",
            "        self.film += piece\n        if len(self.film) > LARGEST:\n"
            "            await self.close(4413)\n            return\n",
        ),
        Wrong("is too strict", "100,000 bytes", FILMS, "> LARGEST", ">= LARGEST"),
        Wrong(
            "begins anew, and leaves what was broken",
            "it is thrown away, and begins anew",
            FILMS,
            "self.film.clear()",
            "self.film = bytearray()",
        ),
    ],
    "26.3": [
        Wrong(
            "forgets nobody",
            "what becomes of a machine that says nothing",
            MACHINES,
            "    await asyncio.sleep(LIFE)\n",
            "    await asyncio.sleep(600 * LIFE)\n",
        ),
        Wrong(
            "lets the first half second end it",
            "its half second begins anew",
            MACHINES,
            "            RUNNING[name].cancel()\n",
            "            return\n",
        ),
        Wrong(
            "tells each time",
            "and was: nothing",
            MACHINES,
            "        if new:\n",
            "        if True:\n",
        ),
        Wrong(
            "tells nobody who comes",
            "which machines are running",
            MACHINES,
            '        await self.running_changed({"running": sorted(RUNNING)})\n',
            "",
        ),
        Wrong(
            "forgets whoever leaves",
            "what the end of a connection means",
            MACHINES,
            "    async def receive_json(self, content):\n",
            "    async def disconnect(self, code):\n"
            "        for name in list(RUNNING):\n"
            "            RUNNING.pop(name).cancel()\n"
            "        await tell()\n\n"
            "    async def receive_json(self, content):\n",
        ),
        Wrong(
            "tells who has said it, only",
            "what all clients read when a machine begins to run",
            MACHINES,
            "        if new:\n            await tell()\n",
            "        if new:\n"
            '            await self.running_changed({"running": sorted(RUNNING)})\n',
        ),
        Wrong(
            "ends with the consumer",
            "what becomes of a machine that says nothing",
            MACHINES,
            "    await asyncio.sleep(LIFE)\n    del RUNNING[name]\n    await tell()\n",
            "    await asyncio.sleep(LIFE)\n    del RUNNING[name]\n",
        ),
    ],
}
