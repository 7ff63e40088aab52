"""Wrong answers to the exercises of lesson 13."""

from . import Wrong

WAITING, PRIVATE = "myapp/waiting.py", "myapp/private.py"
NEW_TOPICS, SIGNALS, IMPORTS = "myapp/new_topics.py", "myapp/signals.py", "myapp/imports.py"
CALL = 'async_to_sync(get_channel_layer().group_send)("waiting", event)'
IN_ANY_CASE = """    async def __call__(self, scope, receive, send):
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.name:
                await self.channel_layer.group_discard("waiting", self.channel_name)
                await self.channel_layer.group_send("waiting", self.card("patient.left"))
"""
GOODBYE = (
    '                await self.channel_layer.group_send("waiting", self.card("patient.left"))\n'
)
DISCARD = '                await self.channel_layer.group_discard("waiting", self.channel_name)\n'
LEAVE_TOPICS = """        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.group:
                await self.channel_layer.group_discard(self.group, self.channel_name)
"""
COMMIT = 'transaction.on_commit(lambda: group_send("new-topics", event), robust=True)'

WRONG = {
    "13.1": [
        Wrong(
            "does not read the log",
            "was never awaited",
            WAITING,
            CALL,
            'get_channel_layer().group_send("waiting", event)',
        ),
        Wrong(
            "awaits in a sync view",
            "'await' outside async function",
            WAITING,
            CALL,
            'await get_channel_layer().group_send("waiting", event)',
        ),
        Wrong(
            "sends to a name that is no channel",
            "who answers to `patient.came`, and to whom",
            WAITING,
            'send(event["channel"], self.card',
            'send(event["name"], self.card',
        ),
        Wrong(
            "answers with what it was told",
            "who answers to `patient.came`, and to whom",
            WAITING,
            'self.card("patient.here")',
            '{**event, "type": "patient.here"}',
        ),
        Wrong(
            "leaves in disconnect only",
            "`disconnect` does not, a `finally` does",
            WAITING,
            IN_ANY_CASE,
            """    async def disconnect(self, close_code):
        await self.channel_layer.group_discard("waiting", self.channel_name)
        await self.channel_layer.group_send("waiting", self.card("patient.left"))
""",
        ),
        Wrong(
            "leaves without a word",
            "what the others are told when somebody goes",
            WAITING,
            GOODBYE,
            "",
        ),
        Wrong(
            "says goodbye, and stays in the group",
            "still in the group waiting",
            WAITING,
            DISCARD,
            "",
        ),
    ],
    "13.2": [
        Wrong(
            "does not wait for the end of the transaction",
            "you had told of them already",
            SIGNALS,
            COMMIT,
            'group_send("new-topics", event)',
        ),
        Wrong(
            "tells of every topic that is saved",
            "What does `created` say?",
            SIGNALS,
            "    if created and not raw:\n        url",
            "    if not raw:\n        url",
        ),
        Wrong(
            "forgets async_to_sync",
            "was never awaited",
            SIGNALS,
            "async_to_sync(get_channel_layer().group_send)(group, event)",
            "get_channel_layer().group_send(group, event)",
        ),
        Wrong(
            "calls the function at once",
            "TypeError",
            SIGNALS,
            COMMIT,
            'transaction.on_commit(group_send("new-topics", event), robust=True)',
        ),
        Wrong(
            "sends to another group",
            "the way from the signal to the client",
            SIGNALS,
            'group_send("new-topics", event)',
            'group_send("new_topics", event)',
        ),
        Wrong(
            "takes a name that is no group's",
            "Group name must be a valid unicode string",
            SIGNALS,
            'group_send("new-topics", event)',
            'group_send("new topics", event)',
        ),
        Wrong(
            "has no method for the type",
            "No handler for message type topic.created",
            NEW_TOPICS,
            "def topic_created",
            "def topic_was_created",
        ),
        Wrong(
            "hands on the whole event",
            "its title and its address",
            NEW_TOPICS,
            '{"title": event["title"], "url": event["url"]}',
            "event",
        ),
        Wrong(
            "does not leave",
            "still in the group new-topics",
            NEW_TOPICS,
            LEAVE_TOPICS,
            "        await super().__call__(scope, receive, send)\n",
        ),
        Wrong(
            "tells in the view, before it is certain",
            "you had told of them already",
            IMPORTS,
            "    topic.save()\n",
            '    topic.save()\n    event = {"type": "topic.created", "title": title}\n'
            '    event["url"] = topic.get_absolute_url()\n'
            '    async_to_sync(get_channel_layer().group_send)("new-topics", event)\n',
            (
                (SIGNALS, COMMIT, "pass"),
                (
                    IMPORTS,
                    "from .models import Topic\n",
                    "from asgiref.sync import async_to_sync\n"
                    "from channels.layers import get_channel_layer\n\n"
                    "from .models import Topic\n",
                ),
            ),
        ),
        Wrong(
            "forgets a colon in the signals",
            "myapp/signals.py, line 21: SyntaxError",
            SIGNALS,
            "    if created and not raw:\n        url",
            "    if created and not raw\n        url",
        ),
    ],
    "13.3": [
        Wrong(
            "lets everybody in",
            "only who is logged in",
            PRIVATE,
            "            raise DenyConnection\n",
            "            pass\n",
        ),
        Wrong(
            "closes with another code",
            "the type, the method, and the code",
            PRIVATE,
            "self.close(4401)",
            "self.close()",
        ),
        Wrong(
            "has one group for all",
            "only those of the user who logs out",
            PRIVATE,
            'f"user.{user.pk}"',
            '"users"',
            ((SIGNALS, 'f"user.{user.pk}"', '"users"'),),
        ),
        Wrong(
            "has a group for each session",
            "also those of another session",
            PRIVATE,
            'f"user.{user.pk}"',
            "f\"user.{self.scope['session'].session_key}\"",
            ((SIGNALS, 'f"user.{user.pk}"', 'f"user.{request.session.session_key}"'),),
        ),
        Wrong(
            "forgets async_to_sync",
            "was never awaited",
            SIGNALS,
            "async_to_sync(get_channel_layer().group_send)(group, event)",
            "get_channel_layer().group_send(group, event)",
        ),
        Wrong(
            "does not think of strangers",
            "'NoneType' object has no attribute 'pk'",
            SIGNALS,
            "    if user:  # somebody was logged in\n        group_send",
            "    group_send",
        ),
        Wrong(
            "does not leave",
            "still in the group user.",
            PRIVATE,
            """        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.group:
                await self.channel_layer.group_discard(self.group, self.channel_name)
""",
            "        await super().__call__(scope, receive, send)\n",
        ),
        Wrong(
            "misspells the name of the signal",
            "myapp/signals.py, line 19: NameError",
            SIGNALS,
            "@receiver(user_logged_out)",
            "@receiver(user_logged_outs)",
        ),
    ],
}
