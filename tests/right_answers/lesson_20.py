"""Right answers to the exercises of lesson 20 that are not like ours."""

from . import Right

LIFT = """\
from typing import {typing}

from msgspec import Meta, Struct, json


class Call(Struct, tag_field="do", tag="call", forbid_unknown_fields=True):
    floor: {floor}
    express: bool = False


class Stop(Struct, tag_field="do", tag="stop", forbid_unknown_fields=True):
    pass


class Moving(Struct, tag_field="is", tag="moving"):
    to: int
    express: bool


class Stopped(Struct, tag_field="is", tag="stopped"):
    pass


class Error(Struct, tag_field="is", tag="error"):
    reason: str


schema = json.schema(Stop | Call)


def decode(frame):
    return json.decode(frame, type=Stop | Call)


def encode(answer):
    return json.encode(answer).decode()
"""
LITERAL = LIFT.format(typing="Literal", floor="Literal[-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]")
BETWEEN = LIFT.format(typing="Annotated", floor="Annotated[int, Meta(gt=-2, lt=10)]")

RIGHT = {
    "20.2": [
        Right("lists the floors", {"myapp/lift_protocol.py": LITERAL}),
        Right("says between which numbers a floor is", {"myapp/lift_protocol.py": BETWEEN}),
    ],
}
