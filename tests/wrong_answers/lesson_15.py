"""Wrong answers to the exercises of lesson 15."""

from . import Wrong

TELEGRAMS, BADGES = "myapp/telegrams.py", "myapp/badges.py"
PAYMENTS = "myapp/payments.py"
KEY = '        _, is_new = Report.objects.get_or_create(key=order["key"])\n        if is_new:\n'
ANSWER = 'async_to_sync(self.channel_layer.send)(order["answer_to"], event)'
TELEGRAM = """\
        order = {"type": "telegram.write", "text": text, "answer_to": self.channel_name}
        await self.channel_layer.send("telegrams", order)
"""
CAUGHT = """        try:
            answer["wire"] = to_wire(order["text"])
        except ValueError as error:
            answer["error"] = str(error)
"""
ORDER = """        order = {"type": "badges.print", "names": names, "answer_to": self.channel_name}
        await self.channel_layer.send("badges", order)
"""
TELL = "async_to_sync(self.channel_layer.send)(channel, event)"
TRY = """            try:
                answer = {"badge": print_badge(name), "left": left}
            except ValueError as error:
                answer = {"error": str(error), "left": left}
            self.tell(event["answer_to"], answer)
"""

WRONG = {
    "15.1": [
        Wrong(
            "does not read the log",
            "was never awaited",
            TELEGRAMS,
            ANSWER,
            'self.channel_layer.send(order["answer_to"], event)',
        ),
        Wrong(
            "answers to all",
            "only the client that has ordered",
            TELEGRAMS,
            ANSWER,
            'async_to_sync(self.channel_layer.group_send)("office", event)',
            (
                (
                    TELEGRAMS,
                    "    async def receive_json",
                    "    async def connect(self):\n"
                    '        await self.channel_layer.group_add("office", self.channel_name)\n'
                    "        await self.accept()\n\n"
                    "    async def receive_json",
                ),
            ),
        ),
        Wrong(
            "has no return address",
            "KeyError: 'answer_to'",
            TELEGRAMS,
            ', "answer_to": self.channel_name}',
            "}",
        ),
        Wrong(
            "takes the worker's own address",
            "the way back",
            TELEGRAMS,
            '(order["answer_to"], event)',
            '("telegrams", event)',
        ),
        Wrong(
            "lets the worker's consumer end",
            "the wire cannot carry",
            TELEGRAMS,
            CAUGHT,
            '        answer["wire"] = to_wire(order["text"])\n',
        ),
        Wrong(
            "passes over what cannot be sent",
            "the text, and an error",
            TELEGRAMS,
            '            answer["error"] = str(error)\n',
            "            return\n",
            ((TELEGRAMS, "except ValueError as error:", "except ValueError:"),),
        ),
        Wrong(
            "does the work in daphne",
            "who calls `to_wire`: only the worker",
            TELEGRAMS,
            TELEGRAM,
            """        try:
            await self.send_json({"text": text, "wire": to_wire(text)})
        except ValueError as error:
            await self.send_json({"text": text, "error": str(error)})
""",
        ),
    ],
    "15.2": [
        Wrong(
            "prints in daphne",
            "who calls `print_badge`: only the worker",
            BADGES,
            ORDER,
            """        for left, name in zip(reversed(range(len(names))), names):
            try:
                await self.send_json({"badge": print_badge(name), "left": left})
            except ValueError as error:
                await self.send_json({"error": str(error), "left": left})
""",
        ),
        Wrong(
            "answers to everybody",
            "only the client that has ordered",
            BADGES,
            TELL,
            'async_to_sync(self.channel_layer.group_send)("desk", event)',
            (
                (
                    BADGES,
                    "    async def receive_json",
                    "    async def connect(self):\n"
                    '        await self.channel_layer.group_add("desk", self.channel_name)\n'
                    "        await self.accept()\n\n"
                    "    async def receive_json",
                ),
            ),
        ),
        Wrong(
            "tells when all are printed",
            "after each badge",
            BADGES,
            '            self.tell(event["answer_to"], answer)\n',
            "            answers.append(answer)\n"
            '        for answer in answers:\n            self.tell(event["answer_to"], answer)\n',
            (
                (
                    BADGES,
                    '        left = len(event["names"])\n',
                    '        left, answers = len(event["names"]), []\n',
                ),
            ),
        ),
        Wrong(
            "sends the order to another channel",
            "The worker got nothing",
            BADGES,
            'send("badges", order)',
            'send("badge", order)',
        ),
        Wrong(
            "forgets the return address",
            "KeyError: 'answer_to'",
            BADGES,
            ', "answer_to": self.channel_name}',
            "}",
        ),
        Wrong(
            "forgets to await",
            "was never awaited",
            BADGES,
            "await self.channel_layer.send",
            "self.channel_layer.send",
        ),
        Wrong(
            "forgets async_to_sync",
            "was never awaited",
            BADGES,
            TELL,
            "self.channel_layer.send(channel, event)",
        ),
        Wrong(
            "answers with self.send",
            "NotImplementedError",
            BADGES,
            TELL,
            "self.send(event)",
        ),
        Wrong(
            "does not catch what cannot be printed",
            "has no letters",
            BADGES,
            TRY,
            '            answer = {"badge": print_badge(name), "left": left}\n'
            '            self.tell(event["answer_to"], answer)\n',
        ),
        Wrong(
            "stops at what cannot be printed",
            "the next one is printed",
            BADGES,
            '                answer = {"error": str(error), "left": left}\n',
            '                self.tell(event["answer_to"], {"error": str(error), "left": left})\n'
            "                return\n",
        ),
        Wrong(
            "prints the last name first",
            "the file that `print_badge` returns, in the order of the names",
            BADGES,
            'for name in event["names"]:',
            'for name in reversed(event["names"]):',
        ),
        Wrong(
            "says too that it is ordered",
            "what each client reads: the file or an error",
            BADGES,
            ORDER,
            ORDER + '        await self.send_json({"status": "ordered"})\n',
        ),
        Wrong(
            "counts this badge too",
            "still to come",
            BADGES,
            "            left -= 1\n",
            "",
            (
                (
                    BADGES,
                    '            self.tell(event["answer_to"], answer)\n',
                    '            self.tell(event["answer_to"], answer)\n            left -= 1\n',
                ),
            ),
        ),
    ],
    "15.3": [
        Wrong(
            "does not ask for the key",
            "charged 2 times",
            PAYMENTS,
            KEY,
            "        if True:\n",
        ),
        Wrong(
            "remembers the keys in the worker",
            "charged 2 times",
            PAYMENTS,
            KEY,
            '        is_new = order["key"] not in self.keys\n'
            '        self.keys.add(order["key"])\n        if is_new:\n',
            ((PAYMENTS, "    def payment_make", "    keys = set()\n\n    def payment_make"),),
        ),
        Wrong(
            "saves the key after the work",
            "how often the bank is asked for one order",
            PAYMENTS,
            KEY,
            '        if not Report.objects.filter(key=order["key"]).exists():\n',
            (
                (
                    PAYMENTS,
                    '            answer["charged"]',
                    '            Report.objects.get_or_create(key=order["key"])\n'
                    '            answer["charged"]',
                ),
            ),
        ),
        Wrong(
            "lets the second time raise",
            "UNIQUE constraint failed",
            PAYMENTS,
            KEY,
            '        if Report.objects.create(key=order["key"]):\n',
        ),
        Wrong(
            "asks for the key, and saves it then",
            "UNIQUE constraint failed: myapp_report.key, in myapp/payments.py",
            PAYMENTS,
            KEY,
            '        if not Report.objects.filter(key=order["key"]).exists():\n'
            '            Report.objects.create(key=order["key"])\n',
        ),
        Wrong(
            "asks and saves in a transaction, with the bank in it",
            "database is locked",
            PAYMENTS,
            "    def payment_make",
            "    @transaction.atomic\n    def payment_make",
            ((PAYMENTS, "from .bank", "from django.db import transaction\n\nfrom .bank"),),
        ),
        Wrong(
            "forgets the key of what the bank refuses",
            "what becomes of a key that comes again",
            PAYMENTS,
            '            answer["error"] = str(error)\n',
            '            answer["error"] = str(error)\n'
            '            Report.objects.filter(key=order["key"]).delete()\n',
        ),
        Wrong(
            "tells that the key is known",
            "that was not the first with a key: nothing",
            PAYMENTS,
            "            self.make(order)\n",
            "            self.make(order)\n"
            "        else:\n"
            '            answer = {"key": order["key"], "error": "known"}\n'
            '            event = {"type": "payment.answer", "answer": answer}\n'
            '            async_to_sync(self.channel_layer.send)(order["answer_to"], event)\n',
        ),
        Wrong(
            "forgets async_to_sync",
            "coroutine '_async_proxy' was never awaited",
            PAYMENTS,
            "async_to_sync(self.channel_layer.send)(",
            "self.channel_layer.send(",
        ),
        Wrong(
            "takes a pair for an answer",
            "charged 2 times",
            PAYMENTS,
            KEY,
            '        if Report.objects.get_or_create(key=order["key"]):\n',
        ),
        Wrong(
            "does not catch what the bank refuses",
            "is no amount",
            PAYMENTS,
            "except ValueError as error:",
            "except KeyError as error:",
        ),
        Wrong(
            "passes over what the bank refuses",
            "the key, and an error",
            PAYMENTS,
            '            answer["error"] = str(error)\n',
            "            return\n",
            ((PAYMENTS, "except ValueError as error:", "except ValueError:"),),
        ),
    ],
}
