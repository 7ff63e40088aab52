"""How events travel: many at a time, packed by `marshal`. Both ends know this.

`json` would take three times as long. But `marshal` is made neither for strangers nor for
accidents: so who sends has said a token before, and a checksum stands before each batch.
"""

from __future__ import annotations

import marshal
import struct
import zlib
from typing import Any, BinaryIO

FORMAT = 4  # of marshal, which writes a name of a field once; every Python since 3.4 reads it
LARGEST = 2**23  # bytes; what says to be more is no batch
HEADER = struct.Struct(">II")  # the size of a batch in bytes, and its CRC


def packed(events: list[dict[str, Any]]) -> bytes:
    """Return events as a batch. Raises ValueError if a value of theirs is no plain one."""
    batch = marshal.dumps(events, FORMAT)
    return HEADER.pack(len(batch), zlib.crc32(batch)) + batch


def next_events(stream: BinaryIO) -> list[dict[str, Any]] | None:
    """Return the events of the next batch, none at the end, or None if it is no batch.

    A batch that is cut off is the end: its process was killed.
    """
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return []
    size, checksum = HEADER.unpack(header)
    if size > LARGEST:
        return None
    batch = stream.read(size)
    if len(batch) < size:
        return []
    if zlib.crc32(batch) != checksum:
        return None
    try:
        events = marshal.loads(batch)
    except (EOFError, TypeError, ValueError):
        return None
    known = type(events) is list and all(type(event) is dict for event in events)
    return events if known else None
