"""Wrong answers to the exercises of lesson 10."""

from . import Wrong

BELL, VOTES, TICKETS = "myapp/bell.py", "myapp/votes.py", "myapp/tickets.py"
ANSWER = 'async_to_sync(self.channel_layer.send)(event["answer_to"], content)'

WRONG = {
    "10.1": [
        Wrong(
            "names the first method after its own taste",
            "No handler for message type websocket.connect",
            BELL,
            "def websocket_connect",
            "def websocket_connected",
        ),
        Wrong(
            "leaves the type as it was",
            "Which types does daphne take",
            BELL,
            '"websocket.send"',
            '"websocket.receive"',
        ),
        Wrong(
            "does not stop",
            "does it say that the consumer is done?",
            BELL,
            "        raise StopConsumer\n",
            "",
        ),
        Wrong(
            "leaves the last method as it was",
            "No handler for message type websocket.disconnect",
            BELL,
            "def websocket_disconnect",
            "def disconnect",
        ),
        Wrong(
            "does not accept",
            "whether it sends `websocket.accept`",
            BELL,
            'self.send({"type": "websocket.accept"})',
            "pass",
        ),
        Wrong(
            "knows only one name",
            "the name in it is what came",
            BELL,
            "{event['text']}",
            "anna",
        ),
        Wrong(
            "stops after every name",
            "not before its client has left",
            BELL,
            '"text": f"ding dong, {event[\'text\']}"})\n',
            '"text": f"ding dong, {event[\'text\']}"})\n        raise StopConsumer\n',
        ),
        Wrong(
            "names the text as WebsocketConsumer does",
            "under which key does it look for the text",
            BELL,
            '"text": f"ding',
            '"text_data": f"ding',
        ),
    ],
    "10.2": [
        Wrong(
            "does not stop",
            "where the consumer says that it is done",
            VOTES,
            "        raise StopConsumer\n",
            "",
        ),
        Wrong(
            "stops before it has sent",
            "it sends the result, and after that the consumer ends",
            VOTES,
            "    def vote_close(self, event):\n",
            "    def vote_close(self, event):\n        raise StopConsumer\n",
        ),
        Wrong(
            "shares the counts",
            "each has counts of its own",
            VOTES,
            '        self.counts = {choice: 0 for choice in event["choices"]}\n',
            '        self.counts.update({choice: 0 for choice in event["choices"]})\n',
            (
                (
                    VOTES,
                    "class VoteConsumer(SyncConsumer):\n",
                    "class VoteConsumer(SyncConsumer):\n    counts = {}\n",
                ),
            ),
        ),
        Wrong(
            "does not look at the choices",
            "KeyError",
            VOTES,
            "if choice in self.counts:",
            "if choice:",
        ),
        Wrong(
            "leaves out what nobody voted for",
            "of every choice",
            VOTES,
            '"counts": self.counts',
            '"counts": {choice: n for choice, n in self.counts.items() if n}',
        ),
        Wrong(
            "writes async methods",
            "was never awaited",
            VOTES,
            "    def vote_cast",
            "    async def vote_cast",
        ),
        Wrong(
            "sends JSON",
            "an event is a dictionary, and this is a text",
            VOTES,
            'self.send({"type": "vote.result", "counts": self.counts})',
            "import json\n\n"
            '        self.send(json.dumps({"type": "vote.result", "counts": self.counts}))',
        ),
    ],
    "10.3": [
        Wrong(
            "forgets async_to_sync",
            "was never awaited",
            TICKETS,
            ANSWER,
            'self.channel_layer.send(event["answer_to"], content)',
        ),
        Wrong(
            "answers into a fixed channel",
            "but something in results",
            TICKETS,
            'event["answer_to"]',
            '"results"',
        ),
        Wrong(
            "answers with self.send",
            "NotImplementedError",
            TICKETS,
            ANSWER,
            "self.send(content)",
        ),
        Wrong(
            "shares the numbers",
            "every shop counts for itself",
            TICKETS,
            "self.printed += 1",
            "TicketConsumer.printed += 1",
        ),
        Wrong(
            "begins again with every ticket",
            "they go on from event to event",
            TICKETS,
            "        self.printed += 1",
            "        self.printed = 1",
        ),
        Wrong(
            "puts more into its answer than was asked for",
            "no more than the table says",
            TICKETS,
            ANSWER,
            'async_to_sync(self.channel_layer.send)(event["answer_to"], event | content)',
        ),
        Wrong(
            "has not begun with the second method",
            "No handler for message type next.please",
            TICKETS,
            "def next_please",
            "def next",
        ),
        Wrong(
            "stops after a ticket",
            "or has the consumer ended",
            TICKETS,
            '"number": self.printed})\n',
            '"number": self.printed})\n        raise StopConsumer\n',
            (
                (
                    TICKETS,
                    "from channels.consumer import SyncConsumer\n",
                    "from channels.consumer import SyncConsumer\n"
                    "from channels.exceptions import StopConsumer\n",
                ),
            ),
        ),
        Wrong(
            "calls numbers that nobody has",
            "when nobody waits",
            TICKETS,
            "if self.called < self.printed:",
            "if True:",
        ),
        Wrong(
            "wants a scope in __init__",
            "__init__() missing 1 required positional argument: 'scope'",
            TICKETS,
            "    printed = called = 0  # where each instance begins\n",
            "    def __init__(self, scope):\n        self.printed = self.called = 0\n",
        ),
    ],
}
