"""What a page and the site say to each other over /ws/live/."""

from typing import Annotated

from msgspec import DecodeError, Meta, Struct, json

Slug = Annotated[str, Meta(pattern=r"^[-a-zA-Z0-9_]{1,50}$(?!\n)")]  # as in models.py


class Request(Struct, tag_field="do", tag=str.lower, forbid_unknown_fields=True):
    """What a page may send."""


class Watch(Request):
    """Tell how many posts a topic has: now, and whenever there is another one."""

    topic: Slug


class Unwatch(Request):
    """Tell no more of a topic."""

    topic: Slug


class Answer(Struct, tag_field="is", tag=str.lower):
    """What the site sends."""


class Count(Answer):
    topic: str
    posts: int


class Error(Answer):
    reason: str


Requests = Watch | Unwatch
schema = json.schema(Requests)
read = json.Decoder(Requests).decode


def decode(frame):
    """Return the request. Raises DecodeError, a ValueError with words for the client."""
    try:
        return read(frame)
    except RecursionError:
        raise DecodeError("JSON is nested too deep") from None


def encode(answer):
    return json.encode(answer).decode()
