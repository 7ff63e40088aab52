"""What is right in the exercises of lesson 20, Speak in types."""

import json
from typing import Any

from channels_live.checks import Client, Fits, NotYet, Site, number, word
from channels_live.checks.frames import ENDED, as_json, has_left, send

HINTS = {
    "20.1": [
        'In `{"type": "shape.drawn", **content}`, which of the two wins if `content` has a `type`?',
        Fits(
            "who sent it, and nobody else",
            "Where does a frame without `at` raise: in the consumer of who sent it, or of who "
            "reads it? Look at all of a frame before it goes to the group.",
        ),
        Fits(
            "with exactly their fields|all but dots and lines",
            'Two structs, `Dot` and `Line`, with `tag_field="tool"` and '
            "`forbid_unknown_fields=True`; a point is a `tuple[int, int]`. "
            "`msgspec.json.Decoder(Dot | Line).decode` does the rest.",
        ),
        Fits(
            "a frame with the same content",
            "The consumer is an `AsyncWebsocketConsumer`. What comes out of the decoder can be "
            'encoded again, and the event brings that: `{"type": "shape.drawn", "frame": …}`.',
        ),
    ],
    "20.2": [
        "`lift.py` says which names it imports, and with which values it makes the answers. The "
        "lesson's `protocol.py` has the same parts.",
        Fits(
            "their tags, fields and defaults|other words, other fields",
            "`tag=str.lower` makes `call` of `Call`. What a class has no fields for is `pass`.",
        ),
        Fits(
            "whole numbers from -1 to 9|values of another type",
            "`Annotated[int, Meta(ge=-1, le=9)]` is a whole number from -1 to 9. A field with a "
            "default, as in `express: bool = False`, may be left out.",
        ),
        Fits(
            "the schema of all requests",
            "`schema = json.schema(Call | Stop)`, and `decode = json.Decoder(Call | Stop).decode`.",
        ),
    ],
    "20.3": [
        "One struct for each request, both with a `paper`. What must a consumer remember of its "
        "client?",
        Fits(
            "all papers that this client takes|still in the group|papers that it does not take",
            "A set of papers. At `take`, into the set and into the group; at `cancel`, out of "
            "both. Then answer with `sorted(self.papers)`.",
        ),
        Fits(
            "three at most",
            "`len(self.papers | {paper}) > self.most` is true if this one would be too many, and "
            "false if it is taken already.",
        ),
        Fits(
            "must be taken out of the group|a finally does",
            "All groups are left in a `finally` around `await super().__call__(scope, receive, "
            "send)`, as in the lesson's `LiveConsumer`.",
        ),
    ],
}


def check_20_1(site: Site) -> None:
    site.serve()
    drawn = "what everybody reads of a shape: a frame with the same content"
    refused = "what is refused: all but dots and lines, with exactly their fields"
    alone = "who hears of a frame that is refused: who sent it, and nobody else"
    x, y = number(), number()
    shapes: list[dict[str, Any]] = [
        {"tool": "dot", "at": [x, y]},
        {"tool": "line", "start": [-x, y], "end": [0, number()]},
    ]
    dot, line = shapes
    bad: list[Any] = [
        {**dot, "type": "websocket.disconnect", "code": 1000},
        {**dot, "type": f"shape.{word()}"},
        {"tool": word(), "at": [x, y]},
        {"tool": "dot"},
        {"tool": "line", "start": [x, y]},
        {**dot, word(): 1},
        {**dot, "start": [x, y]},
        {"tool": "dot", "at": [x, y, 1]},
        {"tool": "dot", "at": [x]},
        {"tool": "dot", "at": [x, "1"]},
        {"tool": "dot", "at": [x, 1.5]},
        {"tool": "dot", "at": [x, True]},
        {"tool": "dot", "at": None},
        {"tool": ["dot"], "at": [x, y]},
        {"at": [x, y]},
        [dot],
        word(),
        "",
        b"\x00",
    ]
    with (
        site.client("/ws/drawing/") as anna,
        site.client("/ws/drawing/") as ben,
        site.client("/ws/drawing/") as cleo,
    ):

        def draw(shape: dict[str, Any]) -> None:
            send(anna, shape, ben, cleo)
            for reader in (anna, ben, cleo):
                reader.expect(shape, drawn)

        for shape in shapes:
            draw(shape)
        for frame in bad:
            cleo.send(frame)
            for other in (anna, ben):
                other.sent = f"{cleo.sent!r}, by another client"
            _expect_refusal(cleo, "error", refused)
            for other in (anna, ben):
                other.expect_nothing(alone)
        draw(line)


def _expect_refusal(client: Client, field: str, look: str, form: str | None = None) -> None:
    """Let a client read a refusal: an object with words in this field.

    form: of an answer that has an `is`, what to look at if the refusal has another form.
    """
    expected = f'{{"is": "error", "{field}": "…"}}' if form else f'{{"{field}": "…"}}'
    frame = client.receive(look, expected)
    content = as_json(frame)
    has_words = isinstance(content, dict) and isinstance(content.get(field), str) and content[field]
    if form and isinstance(content, dict) and bool(has_words) != (content.get("is") == "error"):
        look = form
    elif has_words:
        return
    raise NotYet(look, sent=client.sent, got=frame, expected=expected)


def check_20_2(site: Site) -> None:
    site.serve()
    answers = "the structs of the requests and answers: their tags, fields and defaults"
    refused = "what is refused: other words, other fields, and values of another type"
    floors = "which floors there are: whole numbers from -1 to 9"
    floor = number(0, 9)
    with site.client("/ws/lift/") as passenger:
        taken: list[Any] = [{"do": "stop"}]
        for to, express in ((floor, None), (floor, True), (-1, False), (9, None)):
            request: dict[str, Any] = {"do": "call", "floor": to}
            if express is not None:
                request["express"] = express
            taken.append(request)
            passenger.send(request)
            passenger.expect({"is": "moving", "to": to, "express": bool(express)}, answers)
        passenger.send({"do": "stop"})
        passenger.expect({"is": "stopped"}, answers)
        not_taken: list[tuple[Any, str]] = [
            ({"do": "call", "floor": -2}, floors),
            ({"do": "call", "floor": 10}, floors),
            ({"do": "call", "floor": 1.5}, floors),
            ({"do": "call", "floor": str(floor)}, floors),
            ({"do": "call"}, refused),
            ({"do": "call", "floor": floor, "express": 1}, refused),
            ({"do": "call", "floor": floor, "express": None}, refused),
            ({"do": "call", "floor": floor, "expressly": True}, refused),
            ({"do": "stop", "floor": floor}, refused),
            ({"do": word()}, refused),
            ({"do": "moving", "to": floor, "express": True}, refused),
            ({"floor": floor}, refused),
            (word(), refused),
            (b"\x00", refused),
        ]
        for frame, look in not_taken:
            passenger.send(frame)
            _expect_refusal(passenger, "reason", look, answers)
            passenger.send({"do": "stop"})
            passenger.expect({"is": "stopped"}, refused)
    _expect_schema(site, taken, [frame for frame, _ in not_taken if isinstance(frame, dict)])


def _expect_schema(site: Site, taken: list[Any], not_taken: list[Any]) -> None:
    """Expect that the schema of the lift says the same of frames as the lift does."""
    import jsonschema  # JupyterLab brings it along; it takes a moment

    look, sent = "what /lift.json hands out: the schema of all requests", "GET /lift.json"
    schema = as_json(site.page("/lift.json", look).content)
    for frames, valid in ((taken, True), (not_taken, False)):
        for frame in frames:
            try:
                says = jsonschema.Draft202012Validator(schema).is_valid(frame)
            except Exception:  # what it meets in what is no schema is of many kinds
                raise NotYet(look, sent=sent, got=schema, expected="a JSON schema") from None
            if says != valid:
                got = (
                    f"a schema by which {json.dumps(frame)} {'may' if says else 'may not'} be sent"
                )
                raise NotYet(look, sent=sent, got=got, expected="the same as the lift says itself")


def check_20_3(site: Site) -> None:
    site.serve()
    box = "what is answered: all papers that this client takes, in the order of the alphabet"
    reads = "what a client reads: each article of the papers that it takes, once"
    others = "what a client does not read: articles of papers that it does not take"
    most = "how many papers a client takes: three at most"
    refused = "what is refused: other words, other fields, and names that are none of a paper"
    form = 'what is answered to what is refused: `{"is": "error", "reason": "…"}`'
    named = "whether there is room again, and what a name may be: 1 to 20 letters"
    names = sorted({"".join(filter(str.isalpha, word())) + letter for letter in "abcd"})
    with site.client("/ws/press/") as press, site.client("/ws/box/") as anna:

        def tell(client: Client, do: str, paper: str, *papers: str, look: str = box) -> None:
            client.send({"do": do, "paper": paper})
            client.expect({"is": "box", "papers": sorted(papers)}, look)

        def print_(paper: str, readers: list[Client], strangers: list[Client]) -> None:
            article = {"paper": paper, "text": word()}
            send(press, article, *readers, *strangers)
            for reader in readers:
                reader.expect({"is": "article", **article}, reads)
            for reader in readers:
                reader.expect_nothing(reads)
            for stranger in strangers:
                stranger.expect_nothing(others)

        first, second, third, fourth = names
        with site.client("/ws/box/") as ben:
            tell(anna, "take", third, third)
            tell(anna, "take", first, first, third)
            tell(anna, "take", first, first, third)
            tell(ben, "take", first, first)
            print_(first, [anna, ben], [])
            print_(third, [anna], [ben])
            print_(second, [], [anna, ben])
            tell(anna, "take", second, first, second, third)
            anna.send({"do": "take", "paper": fourth})
            _expect_refusal(anna, "reason", most, form)
            tell(anna, "take", third, first, second, third, look=most)
            print_(fourth, [], [anna, ben])
            tell(anna, "cancel", first, second, third)
            tell(anna, "cancel", first, second, third)
            print_(first, [ben], [anna])
            for paper in (fourth, "z", "z" * 20):
                tell(anna, "take", paper, second, third, paper, look=named)
                tell(anna, "cancel", paper, second, third)
            for frame in (
                {"do": "read", "paper": first},
                {"do": "take"},
                {"do": "take", "paper": first.upper()},
                {"do": "take", "paper": ""},
                {"do": "take", "paper": "a" * 21},
                {"do": "take", "paper": f"{second}\n"},
                {"do": "take", "paper": "a.b"},
                {"do": "cancel", "paper": [first]},
                {"do": "cancel", "paper": second, "type": "websocket.disconnect"},
                word(),
                b"\x00",
            ):
                anna.send(frame)
                _expect_refusal(anna, "reason", refused, form)
            tell(anna, "cancel", first, second, third, look=refused)
            tell(ben, "take", second, first, second)
            tell(ben, "cancel", first, second)
            ben.close()
        has_left(site)
        with site.client("/ws/box/") as cleo:
            tell(cleo, "take", first, first)
            cleo.send("fail")
            cleo.expect_close(1011, "what a frame `fail` does: it raises, as it did")
            site.forgive()
        has_left(site, "fail", ENDED)
        print_(second, [anna], [])
