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
            "a whole number, 1 or more",
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
        Wrong("does not accept", "accepts the handshake", TILL, "        self.accept()\n", ""),
        Wrong(
            "never comes back",
            "nothing within 3 seconds",
            TILL,
            "            price = None\n",
            "            price = None\n        while price is None:\n            pass\n",
        ),
    ],
}
