"""What cells hand over, made sure of: each function returns it, or raises ServerError in words."""

import re
from typing import Any

from channels_live.server.diagnosis import ServerError
from channels_live.trouble import short

LONGEST_WAIT = 365 * 86400.0  # seconds; systems cannot wait much longer
_NOT_IN_ADDRESSES = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def seconds(value: Any, name: str = "timeout") -> float:
    """Return a time in seconds: a number, 0 or more."""
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if known and value >= 0:  # NaN is not
        return float(min(value, LONGEST_WAIT))
    raise _wrong(name, "a number of seconds, such as 15", value)


def text(value: Any, name: str, optional: bool = False) -> Any:
    """Return a text that is not empty; or None, where it is optional."""
    if optional and value is None or isinstance(value, str) and value:
        return value
    raise _wrong(name, "a text", value)


def lines(value: Any, name: str = "last") -> int | None:
    """Return a number of lines, 1 or more, or None."""
    if value is None or isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise _wrong(name, "a number of lines, 1 or more", value)


def clients(value: Any, name: str = "client") -> Any:
    """Return the number or the name of a client, a list of them, or None."""
    if value is None:
        return None
    clients = value if isinstance(value, list | tuple | range) else [value]
    if all(isinstance(client, int | str) and not isinstance(client, bool) for client in clients):
        return value
    raise _wrong(name, "the number or the name of a client, or a list of them", value)


def path(value: Any) -> str:
    """Return the path of an address: empty, or a text that begins with a slash."""
    if not isinstance(value, str) or not value.startswith(("/", "")[not value]):
        raise _wrong("path", 'a text that begins with a slash, such as "/ws/chat/"', value)
    if sign := _NOT_IN_ADDRESSES.search(value):
        raise ServerError(f"path= holds {sign[0]!r}, which no address may hold.")
    return value


def _wrong(name: str, wanted: str, value: Any) -> ServerError:
    try:
        shown = short(repr(value))
    except Exception:  # an own __repr__, or a number with too many digits
        shown = f"a {type(value).__name__}"
    return ServerError(f"{name}= is {wanted}, not {shown}.")
