"""Wrong answers to the exercises of lesson 11."""

from . import Wrong

ASGI, SCORES = "myproject/asgi.py", "myapp/scores.py"
ROUTER = 'URLRouter([*http_urlpatterns, re_path(r"", django_asgi_app)])'
SERVER, GUESS = "fridge_server.py", "myapp/guess.py"
NUMBER = "        self.number = random.randint(1, 1000)\n"

WRONG = {
    "11.1": [
        Wrong(
            "leaves the order of the routes",
            "is the first to match",
            ASGI,
            ROUTER,
            'URLRouter([re_path(r"", django_asgi_app), *http_urlpatterns])',
        ),
        Wrong(
            "leaves Django out",
            "all other paths",
            ASGI,
            ROUTER,
            "URLRouter(http_urlpatterns)",
        ),
        Wrong(
            "lets only the scores pass",
            "all other paths",
            ASGI,
            "*http_urlpatterns, re_path",
            "http_urlpatterns[-1], re_path",
        ),
        Wrong(
            "ends the answer after the first piece",
            "how does `send_body` learn that the answer is not finished?",
            SCORES,
            'kick-off\\n\\n", more_body=True',
            'kick-off\\n\\n"',
        ),
        Wrong(
            "leaves out the empty line",
            "data: kick-off, then an empty line",
            SCORES,
            "kick-off\\n\\n",
            "kick-off\\n",
        ),
        Wrong(
            "leaves out the empty line of a score",
            "so with two line feeds",
            SCORES,
            'scores[shown] + b"\\n\\n"',
            'scores[shown] + b"\\n"',
        ),
        Wrong(
            "answers a POST with 200",
            "what a POST is answered with",
            SCORES,
            "201",
            "200",
        ),
        Wrong(
            "wakes only one",
            "one of those who wait, or all?",
            SCORES,
            "notify_all()",
            "notify()",
        ),
        Wrong(
            "shows old scores to those who come late",
            "only the scores from then on",
            SCORES,
            "shown = len(scores)",
            "shown = 0",
        ),
        Wrong(
            "sends text where bytes belong",
            "first the exception below",
            SCORES,
            'b"data: " + scores[shown] + b"\\n\\n"',
            'f"data: {scores[shown]}\\n\\n"',
        ),
    ],
    "11.2": [
        Wrong(
            "forgets the end of the line",
            "without the end of a line",
            SERVER,
            'event["text"].encode() + b"\\n"',
            'event["text"].encode()',
        ),
        Wrong(
            "trusts every line",
            "ValueError: could not convert",
            SERVER,
            """            except ValueError:
                writer.write(b"not a number\\n")
            else:
                await events.put(reading)
""",
            """            finally:
                pass
            await events.put(reading)
""",
        ),
        Wrong(
            "does not say that somebody has gone",
            "told when its thermometer has gone",
            SERVER,
            '    await events.put({"type": "fridge.disconnect"})\n',
            "",
        ),
        Wrong(
            "is not ready for a broken connection",
            "reading has raised `ConnectionResetError`",
            SERVER,
            "except ConnectionResetError:",
            "except TimeoutError:",
        ),
        Wrong(
            "knows only numbers above zero",
            "what your server takes for a number",
            SERVER,
            '"celsius": float(line)}\n',
            '"celsius": float(line)}\n                if line.startswith(b"-"):\n'
            "                    raise ValueError\n",
        ),
        Wrong(
            "forgets to await the queue",
            "was never awaited",
            SERVER,
            "                await events.put(reading)",
            "                events.put(reading)",
        ),
        Wrong(
            "stops reading after nonsense",
            "what becomes of the connection after a line that is no number",
            SERVER,
            'writer.write(b"not a number\\n")\n',
            'writer.write(b"not a number\\n")\n                break\n',
        ),
        Wrong(
            "reads one line",
            "one after the other, until there are no more",
            SERVER,
            "        async for line in reader:\n",
            "        if line := await reader.readline():\n",
        ),
    ],
    "11.3": [
        Wrong(
            "draws one number for all",
            "anew for each player",
            GUESS,
            NUMBER,
            "",
            (
                (
                    GUESS,
                    "class GuessConsumer(AsyncConsumer):\n",
                    "class GuessConsumer(AsyncConsumer):\n    number = random.randint(1, 1000)\n",
                ),
            ),
        ),
        Wrong(
            "mixes up higher and lower",
            "is above the guess",
            GUESS,
            "guess < self.number",
            "guess > self.number",
        ),
        Wrong(
            "greets with two lines",
            "one line, no more",
            GUESS,
            "Which one?",
            "\\nWhich one?",
        ),
        Wrong(
            "takes every number for a whole one",
            "that is not a whole number",
            GUESS,
            'int(event["text"])',
            'float(event["text"])',
        ),
        Wrong(
            "draws from too few numbers",
            "from which numbers yours is drawn",
            GUESS,
            "randint(1, 1000)",
            "randint(1, 100)",
        ),
        Wrong(
            "draws anew for every guess",
            "the same for a whole game",
            GUESS,
            "        self.guesses += 1\n",
            "        self.guesses += 1\n        self.number = random.randint(1, 1000)\n",
        ),
        Wrong(
            "goes on after the end",
            "the game is over",
            GUESS,
            "            raise StopConsumer\n",
            "            return\n",
        ),
        Wrong(
            "does not end when a player leaves",
            "what your consumer does with `line.disconnect`",
            GUESS,
            "    async def line_disconnect(self, event):\n        raise StopConsumer\n",
            "    async def line_disconnect(self, event):\n        pass\n",
        ),
        Wrong(
            "counts every line",
            "which lines are counted",
            GUESS,
            "        self.guesses += 1\n",
            "",
            ((GUESS, "        try:\n", "        self.guesses += 1\n        try:\n"),),
        ),
        Wrong(
            "counts for all players",
            "which lines are counted",
            GUESS,
            "self.guesses += 1",
            "GuessConsumer.count = self.guesses = getattr(GuessConsumer, 'count', 0) + 1",
        ),
        Wrong(
            "forgets an await",
            "was never awaited",
            GUESS,
            '        await self.send({"type": "line.send", "text": text})',
            '        self.send({"type": "line.send", "text": text})',
        ),
        Wrong(
            "ends each line itself, too",
            "an empty line",
            GUESS,
            '{"type": "line.send", "text": text}',
            '{"type": "line.send", "text": text + "\\n"}',
        ),
    ],
}
