"""Wrong answers to the exercises of lesson 20."""

from . import Wrong

DRAWING, LIFT, PAPERS = "myapp/drawing.py", "myapp/lift_protocol.py", "myapp/papers.py"
BY_HAND = """\
from channels.generic.websocket import AsyncJsonWebsocketConsumer


class DrawingConsumer(AsyncJsonWebsocketConsumer):
    groups = ["drawing"]

    async def receive_json(self, content):
        event = {EVENT}
        await self.channel_layer.group_send("drawing", event)

    async def shape_drawn(self, event):
        if event["tool"] == "dot":
            await self.send_json({"tool": "dot", "at": event["at"]})
        else:
            shape = {"tool": "line", "start": event["start"], "end": event["end"]}
            await self.send_json(shape)
"""
TOO_MANY = """\
                if len(self.papers | {paper}) > self.most:
                    return await self.tell("error", reason=f"no more than {self.most} papers")
"""
LEAVE = """\
            for paper in self.papers:
                await self.channel_layer.group_discard(f"paper.{paper}", self.channel_name)

"""

ANY_POINTS = """\
import json

from channels.generic.websocket import AsyncWebsocketConsumer

FIELDS = {"dot": {"at"}, "line": {"start", "end"}}


def is_point(value):
    return type(value) is list and [type(number) for number in value] == [int, int]


class DrawingConsumer(AsyncWebsocketConsumer):
    groups = ["drawing"]

    async def receive(self, text_data=None, bytes_data=None):
        try:
            shape = json.loads(text_data or "")
            points = {name: value for name, value in shape.items() if name != "tool"}
            if not FIELDS[shape["tool"]] <= points.keys():
                raise ValueError("a point is missing")
            if not all(map(is_point, points.values())):
                raise ValueError("no points")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            await self.send(json.dumps({"error": f"no: {error}"}))
        else:
            event = {"type": "shape.drawn", "frame": text_data}
            await self.channel_layer.group_send("drawing", event)

    async def shape_drawn(self, event):
        await self.send(event["frame"])
"""

WRONG = {
    "20.1": [
        Wrong(
            "puts the type last, and looks at nothing else",
            "all but dots and lines",
            DRAWING,
            "",
            BY_HAND.replace("{EVENT}", '{**content, "type": "shape.drawn"}'),
        ),
        Wrong(
            "forgets the fields that are too many",
            "all but dots and lines",
            DRAWING,
            ", forbid_unknown_fields=True",
            "",
        ),
        Wrong(
            "takes any numbers for a point",
            "all but dots and lines",
            DRAWING,
            "Point = tuple[int, int]",
            "Point = list[int]",
        ),
        Wrong(
            "tells everybody of the error",
            "who sent it, and nobody else",
            DRAWING,
            """            await self.send(text_data=json.encode({"error": str(error)}).decode())
            return
        event = {"type": "shape.drawn", "frame": json.encode(shape).decode()}
""",
            """            shape = {"error": str(error)}
        event = {"type": "shape.drawn", "frame": json.encode(shape).decode()}
""",
        ),
        Wrong(
            "draws nothing for who drew it",
            "a frame with the same content",
            DRAWING,
            """        event = {"type": "shape.drawn", "frame": json.encode(shape).decode()}
""",
            """        frame = json.encode(shape).decode()
        event = {"type": "shape.drawn", "frame": frame, "by": self.channel_name}
""",
            (
                (
                    DRAWING,
                    """        await self.send(text_data=event["frame"])
""",
                    """        if event["by"] != self.channel_name:
            await self.send(text_data=event["frame"])
""",
                ),
            ),
        ),
        Wrong(
            "lets a binary frame raise",
            "all but dots and lines",
            DRAWING,
            'decode(text_data or "")',
            "decode(text_data.strip())",
        ),
        Wrong("takes further points", "with exactly their fields", DRAWING, "", ANY_POINTS),
    ],
    "20.2": [
        Wrong(
            "lets the lift leave the house",
            "whole numbers from -1 to 9",
            LIFT,
            "Floor = Annotated[int, Meta(ge=-1, le=9)]",
            "Floor = int",
        ),
        Wrong(
            "takes floors below 9 only",
            "their tags, fields and defaults",
            LIFT,
            "le=9",
            "lt=9",
        ),
        Wrong(
            "takes half floors",
            "whole numbers from -1 to 9",
            LIFT,
            "Annotated[int, Meta",
            "Annotated[float, Meta",
        ),
        Wrong(
            "asks for express each time",
            "their tags, fields and defaults",
            LIFT,
            "express: bool = False",
            "express: bool",
        ),
        Wrong(
            "leaves express out of the answer",
            "their tags, fields and defaults",
            LIFT,
            """    to: int
    express: bool
""",
            "    to: int\n",
        ),
        Wrong(
            "names the answers by the wrong field",
            "their tags, fields and defaults",
            LIFT,
            'tag_field="is"',
            'tag_field="kind"',
        ),
        Wrong(
            "names the error by another word",
            "their tags, fields and defaults",
            LIFT,
            "class Error(Answer):",
            'class Error(Answer, tag="refused"):',
        ),
        Wrong(
            "gives the reason another name",
            "their tags, fields and defaults",
            LIFT,
            "    reason: str",
            "    words: str",
        ),
        Wrong(
            "takes what is misspelt",
            "other words, other fields",
            LIFT,
            ", forbid_unknown_fields=True",
            "",
        ),
        Wrong(
            "hands out half of the schema",
            "the schema of all requests",
            LIFT,
            "json.schema(Call | Stop)",
            "json.schema(Call)",
        ),
        Wrong(
            "hands out the schema of what the lift says",
            "the schema of all requests",
            LIFT,
            "json.schema(Call | Stop)",
            "json.schema(Moving | Stopped | Error)",
        ),
        Wrong(
            "takes null for express",
            "values of another type",
            LIFT,
            "    express: bool = False",
            "    express: bool | None = False",
        ),
    ],
    "20.3": [
        Wrong(
            "counts a paper twice",
            "three at most",
            PAPERS,
            "if len(self.papers | {paper}) > self.most:",
            "if len(self.papers) == self.most:",
        ),
        Wrong("takes as many as one likes", "three at most", PAPERS, TOO_MANY, ""),
        Wrong(
            "keeps the place of a paper that was cancelled",
            "all papers that this client takes",
            PAPERS,
            "                self.papers.discard(paper)\n",
            "",
        ),
        Wrong(
            "answers with the one paper",
            "all papers that this client takes",
            PAPERS,
            "papers=sorted(self.papers)",
            "papers=[paper]",
        ),
        Wrong(
            "stays in the groups",
            "must be taken out of the group",
            PAPERS,
            LEAVE,
            "            pass\n\n",
        ),
        Wrong(
            "leaves in disconnect only",
            "a `finally` does",
            PAPERS,
            LEAVE,
            f"            pass\n\n    async def disconnect(self, close_code):\n{LEAVE}".replace(
                "            for", "        for"
            ).replace(
                "                await self.channel_layer.group_d",
                "            await self.channel_layer.group_d",
            ),
        ),
        Wrong(
            "takes any name",
            "other words, other fields",
            PAPERS,
            'Paper = Annotated[str, Meta(pattern=r"^[a-z]{1,20}$(?!\\n)")]',
            "Paper = Annotated[str, Meta(min_length=1, max_length=20)]",
        ),
        Wrong("takes no name of one letter", "1 to 20 letters", PAPERS, "{1,20}", "{2,20}"),
        Wrong("takes no name of 20 letters", "1 to 20 letters", PAPERS, "{1,20}", "{1,19}"),
        Wrong(
            "lets a line feed follow a name",
            "names that are none of a paper",
            PAPERS,
            r"$(?!\n)",
            "$",
        ),
        Wrong(
            "stays in the group of a paper that was cancelled",
            "still in the group paper.",
            PAPERS,
            f"{LEAVE.splitlines()[1]}\n        await self.tell",
            "        await self.tell",
        ),
        Wrong(
            "names an error by another word",
            '`{"is": "error", "reason": "…"}`',
            PAPERS,
            'self.tell("error", reason=f"no more',
            'self.tell("refused", reason=f"no more',
        ),
        Wrong(
            "hands on the articles of a paper that was cancelled",
            "articles of papers that it does not take",
            PAPERS,
            f"{LEAVE.splitlines()[1]}\n        await self.tell",
            "        await self.tell",
            (
                (
                    PAPERS,
                    'if event["paper"] in self.papers:  # it may have been on its way',
                    "if True:",
                ),
            ),
        ),
    ],
}
