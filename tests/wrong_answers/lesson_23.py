"""Wrong answers to the exercises of lesson 23."""

from . import Wrong

LOST, SCALES, VAULT = "myapp/lost.py", "myapp/scales.py", "myapp/vault.py"
PLACE = 'logger.warning("somebody at %r", self.scope["url_route"]["kwargs"]["place"])'
TEXT = 'logger.warning("lost: %r", content["lost"])'
KEY = '        key = f"guess.{who(self.scope)}"\n'
MAY = """        if cache.get(key, 0) >= MOST:
            return {"error": "please wait"}
"""
RIGHT = """        if guess == WORD:
            return {"open": True}
"""
COUNT = """        if not cache.touch(key, MINUTE):  # else the minute begins anew
            cache.add(key, 0, timeout=MINUTE)
        cache.incr(key)
"""

WRONG = {
    "23.1": [
        Wrong("leaves the text as it is", "none may end a line", LOST, "lost: %r", "lost: %s"),
        Wrong("leaves the place as it is", "none may end a line", LOST, "at %r", "at %s"),
        Wrong(
            "removes one kind of end only",
            "none may end a line",
            LOST,
            TEXT,
            'logger.warning("lost: %s", content["lost"].replace("\\n", " "))',
        ),
        Wrong(
            "goes on logging the query",
            "no token",
            LOST,
            PLACE,
            PLACE.replace("%r", "%r %r").replace(
                '["place"])', '["place"], self.scope["query_string"])'
            ),
        ),
        Wrong("logs nothing any more", "the place, and the text", LOST, TEXT, "pass"),
        Wrong(
            "refuses what has more than one line",
            "the same text as before",
            LOST,
            TEXT,
            TEXT + '\n        content["lost"] = content["lost"].splitlines()[0]',
        ),
        Wrong(
            "keeps the first line only",
            "that was lost, all of it",
            LOST,
            'logger.warning("lost: %r", content["lost"])',
            'logger.warning("lost: %r", content["lost"].splitlines()[0])',
        ),
    ],
    "23.2": [
        Wrong("counts frames", "on all of its sockets", SCALES, "+= len(frame)", "+= 1"),
        Wrong(
            "forgets bytes",
            "up to 10,000 characters",
            SCALES,
            'event.get("text") or event.get("bytes") or ""',
            'event["text"]',
        ),
        Wrong(
            "weighs texts only",
            "on all of its sockets",
            SCALES,
            'event.get("text") or event.get("bytes") or ""',
            'event.get("text") or ""',
        ),
        Wrong(
            "hangs up too early", "up to 10,000 characters", SCALES, "> self.most", ">= self.most"
        ),
        Wrong(
            "weighs each frame for itself",
            "on all of its sockets",
            SCALES,
            "self.weights[client] += len(frame)",
            "self.weights[client] = len(frame)",
        ),
        Wrong(
            "begins anew at each frame",
            "on all of its sockets",
            SCALES,
            "if now - self.since > self.seconds:",
            "if now > self.since:",
        ),
        Wrong(
            "forgets what was too much",
            "it is too much as well",
            SCALES,
            "        return self.weights[client] > self.most\n",
            "        if self.weights[client] > self.most:\n"
            "            del self.weights[client]\n            return True\n        return False\n",
        ),
        Wrong(
            "weighs only what it sends back",
            "too much as well",
            SCALES,
            "        self.weights[client] += len(frame)\n",
            "        if self.weights[client] + len(frame) > self.most:\n"
            "            return True\n"
            "        self.weights[client] += len(frame)\n",
        ),
        Wrong(
            "never begins anew",
            "when it begins anew",
            SCALES,
            "            self.weights.clear()\n",
            "",
        ),
        Wrong(
            "counts the bytes of a text",
            "up to 10,000 characters",
            SCALES,
            "len(frame)",
            "len(frame if isinstance(frame, bytes) else frame.encode())",
        ),
    ],
    "23.3": [
        Wrong("asks nobody to wait", "on all of their sockets", VAULT, MAY, ""),
        Wrong(
            "counts for each socket",
            "on all of their sockets",
            VAULT,
            KEY,
            '        key = f"guess.{self.channel_name}"\n',
        ),
        Wrong(
            "opens for the right word at any time",
            "the right word does not help",
            VAULT,
            MAY + RIGHT,
            RIGHT + MAY,
        ),
        Wrong(
            "begins anew after a right guess",
            "A right one changes nothing",
            VAULT,
            RIGHT,
            RIGHT.replace(":\n", ":\n            cache.delete(key)\n"),
        ),
        Wrong(
            "counts right guesses too",
            "wrong guesses of somebody",
            VAULT,
            KEY,
            KEY + "        cache.add(key, 0, timeout=MINUTE)\n        cache.incr(key)\n",
        ),
        Wrong(
            "forgives after a right guess",
            "wrong guesses of somebody",
            VAULT,
            RIGHT,
            RIGHT.replace(
                "            return", "            cache.delete(key)\n            return"
            ),
        ),
        Wrong("allows one more", "wrong guesses of somebody", VAULT, ">= MOST", "> MOST"),
        Wrong(
            "asks the cache from the event loop",
            "whether it is the word",
            VAULT,
            "await sync_to_async(self.answer)(content",
            "await self.answer(content",
        ),
        Wrong(
            "counts all people together",
            "`who` tells one from another",
            VAULT,
            'f"guess.{who(self.scope)}"',
            '"guess"',
        ),
        Wrong(
            "keeps the count for ever",
            "and no longer",
            VAULT,
            "touch(key, MINUTE)",
            "touch(key, None)",
        ),
        Wrong(
            "begins the minute anew with each guess",
            "and no longer",
            VAULT,
            '            return {"error": "please wait"}\n',
            '            cache.touch(key, MINUTE)\n            return {"error": "please wait"}\n',
        ),
        Wrong(
            "keeps the count for a moment",
            "how long nobody's guess is heard",
            VAULT,
            "touch(key, MINUTE)",
            "touch(key, MINUTE // 3)",
        ),
        Wrong(
            "counts with aincr, which forgets the time",
            "and no longer",
            VAULT,
            "sync_to_async(self.answer)",
            "self.answer",
            (
                (VAULT, "    def answer", "    async def answer"),
                (VAULT, "if cache.get(", "if await cache.aget("),
                (
                    VAULT,
                    COUNT,
                    "        await cache.aadd(key, 0, MINUTE)\n        await cache.aincr(key)\n",
                ),
            ),
        ),
    ],
}
