"""Wrong answers to the exercises of lesson 27."""

from . import Wrong

GUESTS, KITCHEN, LINES = "myapp/guests.py", "myapp/kitchen.py", "myapp/lines.py"
DOWN = "            OPEN.dec()\n"
LABEL = '"client" if self.code >= 3000 else self.code'
FIRST = "        await asyncio.wait([task], timeout=0.5)\n        await send"
LAST = "        await asyncio.wait([task], timeout=0.5)\n        task.cancel()\n"
GATHER = (
    "        await asyncio.gather(*(self.end(task, send) for task, send in self.serving.items()))"
)
GOES_DOWN = "        self.code = code\n        OPEN.dec()\n"

WRONG = {
    "27.1": [
        Wrong(
            "goes down in disconnect, which does not run after an exception",
            "what an exception of ours leaves",
            GUESTS,
            DOWN,
            "",
            ((GUESTS, "        self.code = code or 1005\n", GOES_DOWN),),
        ),
        Wrong("forgets to go down", "what an exception of ours leaves", GUESTS, DOWN, ""),
        Wrong(
            "counts an exception as a goodbye",
            "what an exception of ours leaves",
            GUESTS,
            "self.code = 1011",
            "self.code = 1000",
        ),
        Wrong("keeps all codes", "counted together, as `client`", GUESTS, LABEL, "self.code"),
        Wrong(
            "counts all codes together",
            "what an exception of ours leaves",
            GUESTS,
            LABEL,
            '"client"',
        ),
        Wrong("draws the line too high", "counted together", GUESTS, ">= 3000", ">= 4000"),
        Wrong("draws the line too low", "each stands as it is", GUESTS, ">= 3000", "in (1001,)"),
        Wrong(
            "goes up with the first message",
            "while guests are there",
            GUESTS,
            "        OPEN.inc()\n        try",
            "        try",
            (
                (
                    GUESTS,
                    "        await self.send_json",
                    "        OPEN.inc()\n        await self.send_json",
                ),
            ),
        ),
    ],
    "27.2": [
        Wrong("says goodbye at once", "what was being made", KITCHEN, FIRST, "        await send"),
        Wrong(
            "says 1012",
            "what a client is told",
            KITCHEN,
            "SERVICE_RESTART = 4012",
            "SERVICE_RESTART = 1012",
        ),
        Wrong(
            "says nothing",
            "what a client is told",
            KITCHEN,
            '        await send({"type": "websocket.close", "code": SERVICE_RESTART})\n',
            "",
        ),
        Wrong(
            "says 1000", "what a client is told", KITCHEN, '"code": SERVICE_RESTART', '"code": 1000'
        ),
        Wrong(
            "cancels what is being made",
            "what was being made",
            KITCHEN,
            FIRST,
            "        task.cancel()\n        await send",
        ),
        Wrong(
            "leaves at once", "time to hear of the end", KITCHEN, LAST, "        task.cancel()\n"
        ),
        Wrong(
            "does not wait for its coroutines",
            "what was being made",
            KITCHEN,
            GATHER,
            "        for task, send in self.serving.items():\n            self.end(task, send)",
        ),
        Wrong(
            "lets one client wait for the other",
            "within two seconds: all",
            KITCHEN,
            GATHER,
            "        for task, send in list(self.serving.items()):\n"
            "            await self.end(task, send)",
        ),
        Wrong(
            "changes what it goes through",
            "dictionary changed size during iteration, in myapp/kitchen.py, line ",
            KITCHEN,
            GATHER,
            "        for task, send in self.serving.items():\n"
            "            await self.end(task, send)",
        ),
        Wrong(
            "waits with what raises at the end of its time",
            "TimeoutError, in myapp/kitchen.py, line ",
            KITCHEN,
            "        await asyncio.wait([task], timeout=0.5)\n        await send",
            "        await asyncio.wait_for(task, timeout=0.5)\n        await send",
        ),
    ],
    "27.3": [
        Wrong(
            "hides nothing in tracebacks",
            "in messages, with all arguments, and in tracebacks",
            LINES,
            "hidden(self.formatException(record.exc_info))",
            "self.formatException(record.exc_info)",
        ),
        Wrong(
            "looks at the message without its arguments",
            "with all arguments",
            LINES,
            "hidden(record.getMessage())",
            "hidden(record.msg) % record.args",
        ),
        Wrong(
            "hides the first only",
            "in messages, with all arguments",
            LINES,
            '"token=…", text)',
            '"token=…", text, count=1)',
        ),
        Wrong(
            "hides what follows too",
            "what a line holds",
            LINES,
            "[^&\\s]*",
            "[^\\s]*",
        ),
        Wrong("writes Python", "what a line holds", LINES, "json.dumps(line)", "repr(line)"),
        Wrong(
            "leaves out the place",
            "what a line holds",
            LINES,
            '            line["place"] = record.place\n',
            "            pass\n",
        ),
        Wrong(
            "writes many lines",
            "what a line holds",
            LINES,
            "json.dumps(line)",
            "json.dumps(line, indent=1)",
        ),
        Wrong(
            "leaves out the traceback",
            "what becomes of an exception",
            LINES,
            "        if record.exc_info:\n",
            "        if False:\n",
        ),
        Wrong(
            "takes a token for letters and digits",
            "tokens: they stand in messages",
            LINES,
            "[^&\\s]*",
            "\\w*",
        ),
        Wrong(
            "asks for what a record has later",
            "no attribute 'message', in myapp/lines.py, line 9",
            LINES,
            "record.getMessage()",
            "record.message",
        ),
        Wrong(
            "hides in the finished line, and its end too",
            "no object: {",
            LINES,
            "return json.dumps(line)",
            "return hidden(json.dumps(line))",
        ),
    ],
}
