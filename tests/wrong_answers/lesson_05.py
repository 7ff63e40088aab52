"""Wrong answers to the exercises of lesson 5."""

from . import Wrong

ANSWER, COUNTING, TILL = "myapp/answer.py", "myapp/counting.py", "myapp/till.py"
READ = """        try:
            price = json.loads(text_data)["price"]
        except (TypeError, KeyError, ValueError):
            price = None
"""

WRONG = {
    "5.1": [
        Wrong(
            "mends only the name",
            "what `disconnect` is called with",
            ANSWER,
            ', close_code):\n        print(f"somebody has left with {close_code}")',
            "):\n        print('somebody has left')",
        ),
        Wrong("mends only disconnect", "letter by letter", ANSWER, "def receive(", "def recieve("),
        Wrong("sends the text as it is", "the capital letters", ANSWER, ".upper()", ""),
        Wrong("capitalizes", "all of it in capital letters", ANSWER, ".upper()", ".capitalize()"),
        Wrong("swaps", "all of it in capital letters", ANSWER, ".upper()", ".swapcase()"),
        Wrong(
            "sends it as bytes",
            "how it is sent",
            ANSWER,
            "text_data.upper()",
            "bytes_data=text_data.upper().encode()",
        ),
        Wrong(
            "returns it",
            "whether it sends",
            ANSWER,
            "self.send(text_data.upper())",
            "return text_data",
        ),
        Wrong(
            "has another name for the text",
            "the exception below",
            ANSWER,
            "text_data=None, bytes_data=None",
            "text",
        ),
        Wrong(
            "hangs up after the first answer",
            "the consumer has closed the connection",
            ANSWER,
            "self.send(text_data.upper())",
            "self.send(text_data.upper())\n        self.close()",
        ),
        Wrong("mistypes print", "what `disconnect` does", ANSWER, "print(", "prin("),
    ],
    "5.2": [
        Wrong(
            "begins with 0",
            "the first number: it is 1",
            COUNTING,
            "self.number = 0",
            "self.number = -1",
        ),
        Wrong(
            "counts in the class",
            "it must belong to one client",
            COUNTING,
            "self.number += 1",
            "CountConsumer.number = self.number = getattr(CountConsumer, 'number', 0) + 1",
        ),
        Wrong(
            "begins again with every message",
            "kept between two frames",
            COUNTING,
            "self.number += 1",
            "self.number = 1",
        ),
        Wrong(
            "sends the dict itself",
            "AttributeError",
            COUNTING,
            "text_data=json.dumps(",
            "text_data=(",
        ),
        Wrong(
            "writes JSON by hand",
            "this is not JSON",
            COUNTING,
            'json.dumps({"message": message, "number": self.number})',
            """'{"message": "' + message + f'", "number": {self.number}}}'""",
        ),
        Wrong("forgets to begin", "the exception below", COUNTING, "self.number = 0", "pass"),
        Wrong(
            "counts with a text",
            'the type: 1 is not "1"',
            COUNTING,
            '"number": self.number}',
            '"number": str(self.number)}',
        ),
        Wrong(
            "forgets a bracket", "SyntaxError", COUNTING, "def connect(self):", "def connect(self:"
        ),
    ],
    "5.3": [
        Wrong(
            "trusts every frame",
            "JSONDecodeError",
            TILL,
            READ,
            "        price = json.loads(text_data)['price']\n",
        ),
        Wrong(
            "catches only bad JSON",
            "TypeError",
            TILL,
            "(TypeError, KeyError, ValueError)",
            "ValueError",
        ),
        Wrong(
            "takes a text for a price",
            "a whole number, 1 or more",
            TILL,
            'price = json.loads(text_data)["price"]',
            'price = int(json.loads(text_data)["price"])',
        ),
        Wrong(
            "takes true for 1",
            "though Python counts it as 1",
            TILL,
            "type(price) is int",
            "isinstance(price, int)",
        ),
        Wrong(
            "hangs up on errors",
            "close 1000",
            TILL,
            '            self.reply({"error"',
            '            self.close()\n            self.reply({"error"',
        ),
        Wrong(
            "says it and hangs up",
            "leaves the connection open",
            TILL,
            "a whole number from 1 on'})\n",
            "a whole number from 1 on'})\n            self.close()\n",
        ),
        Wrong(
            "reads binary frames as well",
            "whatever is in them",
            TILL,
            "json.loads(text_data)",
            "json.loads(text_data or bytes_data)",
        ),
        Wrong(
            "says it without JSON",
            "how an error is written",
            TILL,
            'self.reply({"error": \'please send {"price": 3}, a whole number from 1 on\'})',
            "self.send(text_data='an \"error\"')",
        ),
        Wrong(
            "adds up for everybody",
            "every client has one of its own",
            TILL,
            "        self.total = 0\n",
            "",
            (
                (
                    TILL,
                    "class TillConsumer(WebsocketConsumer):\n",
                    "class TillConsumer(WebsocketConsumer):\n    total = 0\n",
                ),
                (TILL, "self.total += price", "TillConsumer.total += price"),
            ),
        ),
        Wrong("takes no 1", "1 is one, the smallest", TILL, "price >= 1", "price > 1"),
        Wrong("does not accept", "accepts the handshake", TILL, "        self.accept()\n", ""),
        Wrong(
            "never comes back",
            "nothing within 1.5 seconds",
            TILL,
            "            price = None\n",
            "            price = None\n        while price is None:\n            pass\n",
        ),
    ],
}
