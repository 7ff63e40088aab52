"""What is said on the sockets of a class: /ws/learner/ and /ws/screen/."""

from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct, json

Exercise = Annotated[str, Meta(pattern=r"^[0-9]{1,3}\.[0-9]{1,3}\Z")]
Count = Annotated[int, Meta(ge=0, le=100_000_000)]
State = Literal["not attempted", "not yet", "right"]
Text = Annotated[str, Meta(max_length=2_000)]


class Request(Struct, tag_field="do", tag=str.lower, forbid_unknown_fields=True):
    """What a client may send."""


class Join(Request):
    """The first message of a learner. key: made by the client, which keeps it secret."""

    code: Annotated[str, Meta(max_length=40)]
    key: Annotated[str, Meta(min_length=20, max_length=80)]
    name: Annotated[str, Meta(max_length=30)] = ""
    after: Count = 0  # number of the newest push that came


class Report(Request):
    """All that is to be known of one exercise; so the newest report makes up for lost ones."""

    number: Count
    exercise: Exercise
    state: State
    tries: Count = 0
    hints: Count = 0
    seconds: Count = 0  # since it was begun
    message: Annotated[str, Meta(max_length=600)] = ""
    on: bool = True  # whether the learner is on it now


class Hand(Request):
    up: bool
    why: Annotated[str, Meta(max_length=200)] = ""


class Leave(Request):
    """Forget all that is known of me."""


class Push(Request):
    """Tell all who are on an exercise."""

    exercise: Exercise
    text: Text = ""
    name: Annotated[str, Meta(max_length=80)] = ""
    content: Annotated[str, Meta(max_length=100_000)] = ""


class Attend(Request):
    """Say whether a helper is on the way to a learner."""

    learner: Count
    going: bool


class Lower(Request):
    """Lower a learner's hand."""

    learner: Count


class Answer(Struct, tag_field="is", tag=str.lower):
    """What the board sends."""


class Joined(Answer):
    name: str


class Saved(Answer):
    number: int


class Left(Answer):
    pass


class Error(Answer):
    reason: str


class Work(Struct):
    state: str
    tries: int
    hints: int
    since: float  # seconds since 1970, as all times
    until: float | None
    message: str


class Row(Answer):
    """A learner, as now."""

    id: int
    name: str
    on: str
    hand: float | None
    why: str
    attended: bool
    works: dict[str, Work]
    gone: bool
    version: int


class Rows(Answer):
    """All learners who have changed, for screens: one frame, however many they are."""

    rows: list[Row]


class Hint(Answer):
    """A push, as learners get it."""

    number: int
    exercise: str
    text: str
    name: str
    content: str


class Table(Answer):
    """All learners; whatever a screen knew before is out of date."""

    rows: list[Row]
    now: float
    role: str


class Here(Answer):
    learners: list[int]


class Pushed(Answer):
    exercise: str
    learners: int


def decoder(requests):
    """Return what decodes a frame. It raises ValueError, with words for the client."""
    read = json.Decoder(requests).decode

    def decode(frame):
        try:
            return read(frame)
        except RecursionError:
            raise DecodeError("JSON is nested too deep") from None

    return decode


from_learner = decoder(Join | Report | Hand | Leave)
from_screen = decoder(Push | Attend | Lower)


def encode(answer):
    return json.encode(answer).decode()
