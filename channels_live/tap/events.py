"""The vocabulary of the record: every kind of event, with its fields.

This is what the kernel gets and what timeline, checks and tests read. A server does not import it,
unless `CHANNELS_LIVE_CHECK_EVENTS` is set, as in tests: then a process that records anything else
ends at once and says why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import UnionType
from typing import Any, NamedTuple


class Field(NamedTuple):
    """One value of an event: its type and what it means."""

    type: type | UnionType
    meaning: str


class Event(NamedTuple):
    """An event. Several may share a kind, and differ by their fields."""

    kind: str
    meaning: str
    fields: dict[str, Field]


ALWAYS = {
    "kind": Field(str, "which event it is"),
    "at": Field(float, "when, in seconds of a monotonic clock"),
}
PROCESS = Field(int, "which process of the server tells it; the kernel adds it")

_CONN = Field(int, "the connection, numbered in its process")
_ANY_CONN = Field(int | None, "the connection, or None outside of one")
_CALL = Field(int, "the call, numbered in its process")
_BY_CALL = Field(int | None, "the call that led to it, which may have ended, or None")
_TEXT = Field(str, "the text, shortened")
_SIZE = Field(int, "how many bytes")
_NUMBER = Field(int, "the number of the request")
_ERROR = {
    "type": Field(str, "the class of the exception"),
    "message": Field(str, "what it says"),
    "file": Field(str | None, "the learner's own file in which it arose, or None"),
    "line": Field(int | None, "the line there"),
}

EVENTS = (
    Event(
        "open",
        "a request arrived",
        {
            "conn": _CONN,
            "protocol": Field(str, "websocket, http, or the type of a scope"),
            "method": Field(str | None, "the HTTP method"),
            "path": Field(str | None, "the path with the query string"),
            "peer": Field(int | None, "the port from which the client came"),
        },
    ),
    Event(
        "answer",
        "its handshake or request is answered",
        {"conn": _CONN, "status": Field(int, "the HTTP status; 101 is an accepted WebSocket")},
    ),
    Event(
        "answer",
        "its handshake is refused",
        {
            "conn": _CONN,
            "status": Field(int, "403"),
            "origin": Field(str | None, "of the page that asked, if it said so"),
            "code": Field(int | None, "with which the application closed it; no client hears it"),
        },
    ),
    Event("in", "a text frame came", {"conn": _CONN, "text": _TEXT}),
    Event("in", "a binary frame came", {"conn": _CONN, "size": _SIZE}),
    Event(
        "in",
        "a frame came that the server did not take",
        {"conn": _CONN, "refused": Field(str, "why")},
    ),
    Event(
        "out",
        "a text frame or a piece of a body was sent",
        {"conn": _CONN, "call": _BY_CALL, "text": _TEXT},
    ),
    Event("out", "a binary frame was sent", {"conn": _CONN, "call": _BY_CALL, "size": _SIZE}),
    Event(
        "close",
        "a WebSocket ends",
        {
            "conn": _CONN,
            "by": Field(str | None, "who ends it: client or server; None: that is not known"),
            "code": Field(int | None, "the code; None: dropped without a close frame"),
            "reason": Field(str | None, "why the server dropped it, or what is not known"),
        },
    ),
    Event(
        "end",
        "an HTTP response ends",
        {
            "conn": _CONN,
            "by": Field(
                str | None,
                "server: it is complete; client: that is gone; None: it is broken off",
            ),
            "stream": Field(bool, "in parts, of unknown length, without a consumer that tells"),
        },
    ),
    Event(
        "call",
        "a method of a consumer starts",
        {
            "conn": _ANY_CONN,
            "call": _CALL,
            "consumer": Field(str, "the class of the consumer"),
            "owner": Field(
                str, "the class in which the method stands, with its module; not one of Channels"
            ),
            "handler": Field(str, "the method"),
            "known": Field(bool, "whether the consumer has it"),
            "type": Field(str, "the type of the message"),
            "arg": Field(int | None, "the close code, where it is called with one"),
            "text": Field(str | None, "the text, where no server tells of frames; shortened"),
            "message": Field(
                str | None, "the mark of the layer's message that it handles: see `layer`"
            ),
            "thread": Field(str, "where it runs: 'the event loop', or 'thread 1'"),
        },
    ),
    Event(
        "return",
        "the method ends",
        {"conn": _ANY_CONN, "call": _CALL, "seconds": Field(float, "how long it took")},
    ),
    Event(
        "error",
        "an exception left a consumer or the application",
        {"conn": _ANY_CONN, "call": Field(int | None, "the call that it left"), **_ERROR},
    ),
    Event(
        "held",
        "the process ends, and a task holds an exception, asked for it or not; for checks only",
        _ERROR,
    ),
    Event(
        "layer",
        "the channel layer is used",
        {
            "conn": _ANY_CONN,
            "call": _BY_CALL,
            "op": Field(str, "send, group_send, group_add or group_discard"),
            "target": Field(str | None, "the channel or the group"),
            "type": Field(str | None, "the type of the message"),
            "message": Field(
                str | None,
                "a mark of what is sent, unlike all others; in a pub/sub layer unlike those of "
                "other content. None: nothing is sent, or the layer is not known",
            ),
        },
    ),
    Event(
        "listening",
        "the server listens",
        {"host": Field(str, "the address"), "port": Field(int, "the port")},
    ),
    Event("ready", "a worker listens on its channels, or a server on a Unix socket", {}),
    Event("watching", "runserver's reloader has seen all files that were loaded", {}),
    Event(
        "crash",
        "the server did not start, or broke down",
        {
            **_ERROR,
            "trace": Field(str, "the traceback"),
            "port_taken": Field(bool, "whether another program listens on its port"),
        },
    ),
    Event(
        "gap",
        "something is missing in the record",
        {
            "why": Field(
                str,
                "failed: the tap itself; full: there was too much; killed: the process was, "
                "perhaps before it had told all",
            ),
            "detail": Field(str | None, "where the tap has failed"),
        },
    ),
    Event("stopping", "its server is asked to end", {}),
    Event("exit", "the process ends by itself, and has told all", {}),
    Event(
        "asked",
        "a request of the kernel has arrived; again, every second that it takes",
        {"number": _NUMBER},
    ),
    Event(
        "settled",
        "the answer to it",
        {
            "number": _NUMBER,
            "quiet": Field(bool, "whether the process has nothing left in hand"),
            "pending": Field(bool, "whether something of the project's may yet act by itself"),
        },
    ),
)


def _types(kind: type | UnionType) -> tuple[type, ...]:
    return kind.__args__ if isinstance(kind, UnionType) else (kind,)


# of each kind the fields of its forms, with the types that each may have
_FORMS: dict[str, list[dict[str, tuple[type, ...]]]] = {}
for _event in EVENTS:
    _FORMS.setdefault(_event.kind, []).append(
        {name: _types(field.type) for name, field in (ALWAYS | _event.fields).items()}
    )


def fault(event: Any) -> str | None:
    """Return what keeps something from being one of these events, in words, or None.

    event: as it was recorded, with or without the number of its process.
    """
    if type(event) is not dict:
        return f"this is no event: {event!r:.100}"
    kind = event.get("kind")
    if type(kind) is not str or kind not in _FORMS:
        return f"there is no event of the kind {kind!r}"
    names = event.keys() - {"process"}
    for fields in _FORMS[kind]:
        if fields.keys() == names:
            wrong = [name for name, types in fields.items() if type(event[name]) not in types]
            return f"wrong type of {', '.join(wrong)}: {event}" if wrong else None
    return f"missing or unknown fields: {event}"


def checked(
    record: Callable[..., Any], refuse: Callable[[str], object] | None = None
) -> Callable[..., Any]:
    """Return `record` with every event checked first.

    refuse: is called with what is wrong with one. As it is, it ends this process.
    """

    def checked_record(kind: str, *ready: dict[str, Any], **fields: Any) -> Any:
        if wrong := fault({"kind": kind, "at": 0.0, **dict(*ready), **fields}):
            (refuse or _end)(wrong)
        return record(kind, *ready, **fields)

    return checked_record


def _end(wrong: str) -> None:
    print(f"channels_live.tap.events: {wrong}", file=sys.stderr, flush=True)
    os._exit(70)
