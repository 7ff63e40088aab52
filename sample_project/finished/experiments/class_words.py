"""What is said on the socket of a class, /ws/class/."""

from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct, json


class Request(Struct, tag_field="do", tag=str.lower, forbid_unknown_fields=True):
    """What a client may send."""


class Join(Request):
    """The first message of a learner."""

    code: str
    name: Annotated[str, Meta(min_length=1, max_length=30)]


class Watch(Request):
    """The first message of a screen."""

    word: str


class Report(Request):
    """All that is to be known of one exercise: not "one more try", but "3 tries"."""

    exercise: str
    state: Literal["not attempted", "not yet", "right"]
    tries: int


class Answer(Struct, tag_field="is", tag=str.lower):
    """What the site sends."""


class Row(Answer):
    """A learner, as now."""

    name: str
    works: dict[str, str]  # exercise → state, tries


class Here(Answer):
    names: list[str]


class Error(Answer):
    reason: str


read = json.Decoder(Join | Watch | Report).decode


def decode(frame):
    """Return the request. Raises DecodeError, a ValueError with words for the client."""
    try:
        return read(frame)
    except RecursionError:
        raise DecodeError("JSON is nested too deep") from None


def encode(answer):
    return json.encode(answer).decode()
