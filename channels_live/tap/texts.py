"""Texts as they are recorded: short, plain, and without what is secret.

What the project hands on may be anything. So nothing here calls a method of it, but `said`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

# characters of a text frame that are recorded
SHORT = int(os.environ.get("CHANNELS_LIVE_SHORT", "200"))
LONGEST = 2_000  # characters of any other text
MOST_SECRETS = 20  # of one connection
SHORTEST_SECRET = 12  # characters; a shorter one would be found in words
MOST_TURNS = 0.45  # of a name, a character; of random ones it is 0.6

_SECRET_NAME = re.compile(
    "token|passw|pwd|secret|session|auth|api_?key|access|signature|jwt|ticket|credential|otp"
    r"|(^|[_-])(key|sig|sid|code|state)$",
    re.I,
)
# as the key of a session, a digest, a JWT, or what Django has signed
_SECRET = re.compile(
    r"(?<![A-Za-z0-9])(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{32,}(?![A-Za-z0-9])"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|(?<=:)[0-9A-Za-z]{6}:[\w-]{27,}"
)
# in the address of a database or a broker, and in what somebody connects to one with
_PASSWORD = re.compile(
    r"""(://[^\s/@:]*:)[^\s/@]+(?=@)|(\b(?:password|passwd|pwd)=['"]?)[^\s'"&;,)]+""", re.I
)
_WORD = re.compile(r"[\w-]{22,}", re.A)
_CHANGES = re.compile(r"(?<=[A-Za-z])\d|(?<=\d)[A-Za-z]")  # between letters and digits
_TURNS = re.compile(r"(?<=[a-z])[A-Z\d]|(?<=[A-Z])[a-z\d]|(?<=\d)[A-Za-z]")  # and in their size


def plain(value: Any) -> str | None:
    """Return a text as nothing but a text, or None for what is none."""
    kind = type(value)
    if kind is str:
        return value
    return str.__str__(value) if issubclass(kind, str) else None


def number(value: Any) -> int | None:
    """Return an int as nothing but an int, also of an enumeration, or None for what is none."""
    kind = type(value)
    if kind is int:
        return value
    return int.__int__(value) if issubclass(kind, int) and kind is not bool else None


def limited(text: str, limit: int = LONGEST) -> str:
    """Return a text, cut off after so many characters."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def said(value: object, limit: int = LONGEST) -> str:
    """Return str() of an object of the project's, or "" if it fails."""
    try:
        return limited(plain(str(value)) or "", limit)
    except (Exception, SystemExit):
        return ""


def short(payload: Any) -> str:
    """Return a text frame as it is recorded.

    payload: bytes or a text.
    """
    kind = type(payload)
    if kind is bytes and len(payload) <= SHORT:
        return str(payload, errors="replace")
    if kind is str:
        if len(payload) <= SHORT // 4:
            return str(payload)
        payload = payload.encode(errors="replace")
    text = bytes(payload[: 4 * SHORT]).decode(errors="replace")
    return text if len(payload) <= SHORT else f"{text[:SHORT]}… ({len(payload):,} bytes)"


def name_of(kind: type) -> str:
    """Return the name of a class."""
    return limited(plain(type.__dict__["__name__"].__get__(kind)) or "")


def cut(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text of which four characters of each secret are left, and none of a password.

    secrets: those that are known. What looks like the key of a session is one anyway.
    """
    for secret in secrets:
        text = text.replace(secret, f"{secret[:4]}…")
    text = _PASSWORD.sub(lambda match: f"{match[1] or match[2]}…", text)
    return _SECRET.sub(_beginning, text)


def _beginning(match: re.Match[str]) -> str:
    return f"{match[0][:4]}…"


def _unless_random(match: re.Match[str], secrets: list[str]) -> str:
    word = match[0]  # as secrets.token_urlsafe() makes them; a UUID has no capitals
    mixed = word != word.lower() and word != word.upper()
    changes, turns = len(_CHANGES.findall(word)), len(_TURNS.findall(word))
    if not mixed or changes <= 3 and (not changes or turns <= MOST_TURNS * len(word)):
        return word
    _keep(word, secrets)  # a group may bear its name
    return _beginning(match)


def _keep(secret: str, secrets: list[str]) -> None:
    if len(secret) >= SHORTEST_SECRET and len(secrets) < MOST_SECRETS:
        secrets.append(secret)


def address(path: bytes, query: bytes, secrets: list[str]) -> str:
    """Return a path with its query as it is recorded; what is cut out is added to `secrets`."""
    text = path[: 4 * LONGEST].decode("ascii", "replace")
    if query:
        pairs = query[: 4 * LONGEST].decode("ascii", "replace").split("&")
        text += "?" + "&".join(_pair(pair, secrets) for pair in pairs)
    return limited(_WORD.sub(lambda match: _unless_random(match, secrets), cut(text)))


def _pair(pair: str, secrets: list[str]) -> str:
    name, equals, value = pair.partition("=")
    if not (equals and value and _SECRET_NAME.search(name)):
        return pair
    _keep(value, secrets)
    if "%" in value:  # as the application has it
        from urllib.parse import unquote

        _keep(unquote(value), secrets)
    return f"{name}=…"


def cookies(header: bytes, secrets: list[str]) -> None:
    """Add the values of a Cookie header to `secrets`."""
    for pair in header[: 4 * LONGEST].decode("latin-1").split(";"):
        _keep(pair.partition("=")[2].strip().strip('"'), secrets)
