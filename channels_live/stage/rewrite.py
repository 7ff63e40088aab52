"""Makes the addresses in a site's answers work below a prefix: `/chat/` → `PREFIX/chat/`.

A project's pages know nothing of the prefix. What the browser loads by itself is changed here, in
HTML and CSS; what a script asks for is changed in the browser, by in_page.js. Only `location`,
which no script may replace there, is replaced here, where a script gives it an address.
"""

import re
from collections.abc import Iterator

_ATTRIBUTE = rb"(?i)(\s(?:href|src|action|formaction|poster)\s*=\s*[\"']?)"
_CSS = rb"(?i)(url\(\s*[\"']?|@import\s+[\"'])"
_HEAD = re.compile(rb"(?is)\A(?:\s|<!--.*?-->|<!doctype[^>]*>|<html\b[^>]*>|<head\b[^>]*>)*")
_SCRIPT = re.compile(rb"(?i)(<script\b[^>]*>|</script\s*>)")
_OPENED = re.compile(rb"(?is)<(script|style)\b(?:.*?(</\1)|)")
_LOCATION = re.compile(
    rb"(?<![\w$.])(?<!const )(?<!let )(?<!var )(?:(?:window|document|self|globalThis)\.)?"
    rb"location(?:\.(assign|replace)\s*\(|(?:\.href)?\s*=(?![=>]))"
)


class Rewriter:
    """Changes one answer, piece by piece as it comes.

    kind: "html", "css" or "javascript". prefix: without a slash at the end. site: where the site
    is, as in "http://127.0.0.1:8000". first: what is put first into the head of a page.
    """

    def __init__(self, kind: str, prefix: str, site: str, first: str = "") -> None:
        self._kind, self._first = kind, first.encode()
        self._prefix = prefix.encode()
        own = rb"(?:%s(?=/)|(?=/(?!/)))" % re.escape(site.encode())
        inside = re.escape(prefix.encode())
        self._attribute = re.compile(_ATTRIBUTE + rb"(?!%s/)" % inside + own)
        self._css = re.compile(_CSS + rb"(?!%s/)" % inside + own)
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what can be passed on so far. What has not ended yet is held back."""
        held = self._held + piece
        end = _complete(held) if self._kind == "html" else held.rfind(b"\n") + 1
        self._held = held[end:]
        return self._changed(held[:end])

    def close(self) -> bytes:
        """Return what has been held back."""
        rest, self._held = self._held, b""
        return self._changed(rest) + self._take_first()

    def _changed(self, text: bytes) -> bytes:
        if self._kind == "css":
            return self._css.sub(self._address, text)
        if self._kind == "javascript":
            return _LOCATION.sub(_page_location, text)
        return b"".join(self._parts(text))

    def _parts(self, text: bytes) -> Iterator[bytes]:
        """Yield HTML, with what stands first in its head, and the scripts in it."""
        if self._first and (head := _HEAD.match(text)) and head.end() < len(text):
            yield self._attribute.sub(self._address, text[: head.end()])
            yield self._take_first()
            text = text[head.end() :]
        in_script = False
        for part in _SCRIPT.split(text):
            if _SCRIPT.fullmatch(part):
                in_script = not part.startswith(b"</")
                yield self._attribute.sub(self._address, part)
            elif in_script:
                yield _LOCATION.sub(_page_location, part)
            else:
                yield self._css.sub(self._address, self._attribute.sub(self._address, part))

    def _take_first(self) -> bytes:
        first, self._first = self._first, b""
        return first

    def _address(self, match: re.Match[bytes]) -> bytes:
        return match[1] + self._prefix


def _complete(text: bytes) -> int:
    """Return how much of HTML can be changed: up to a tag, script or style that has not ended."""
    tag = text.rfind(b"<")
    end = tag if tag >= 0 and b">" not in text[tag:] else len(text)
    if (opened := list(_OPENED.finditer(text))) and not opened[-1][2]:
        end = min(end, opened[-1].start())
    return end


def _page_location(match: re.Match[bytes]) -> bytes:
    return b"inPage.location." + (match[1] + b"(" if match[1] else b"href =")


def kind_of(content_type: str) -> str | None:
    """Return the kind of an answer that is to be changed, or None."""
    media = content_type.partition(";")[0].strip().lower()
    return {
        "text/html": "html",
        "application/xhtml+xml": "html",
        "text/css": "css",
        "text/javascript": "javascript",
        "application/javascript": "javascript",
    }.get(media)
