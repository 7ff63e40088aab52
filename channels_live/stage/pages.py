"""The pages that panels show, as Jupyter's server knows them."""

import ipaddress
import json
import secrets
import socket
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Page:
    """What a panel shows.

    site: as in "http://127.0.0.1:8000". static: URL of the static files; roots: pairs of a prefix
    and the folder in which what stands behind it lies. cookies: what the site has stored. visitor:
    what the visitor is called, and where the kernel wants to hear of it: see visitors.py. ended:
    whether its server has, so that the port may be another's.
    """

    site: str
    static: str = ""
    roots: list[tuple[str, str]] = field(default_factory=list)
    cookies: SimpleCookie = field(default_factory=SimpleCookie)
    visitor: dict[str, Any] = field(default_factory=dict)
    ended: bool = False
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def host(self) -> str:
        """Host and port of the site."""
        return urlsplit(self.site).netloc

    def store(self, header: str) -> None:
        """Keep a cookie, or delete it, as the site says."""
        try:
            self.cookies.load(header)
        except CookieError:
            return
        for name, cookie in list(self.cookies.items()):
            if cookie["max-age"] in ("0", 0) or "01 Jan 1970" in cookie["expires"]:
                del self.cookies[name]

    def cookie_header(self) -> str:
        """Return what the site is told of its cookies, or an empty text."""
        return "; ".join(f"{name}={cookie.coded_value}" for name, cookie in self.cookies.items())

    def readable_cookies(self) -> str:
        """Return those that a script may read."""
        return "; ".join(
            f"{name}={cookie.coded_value}"
            for name, cookie in self.cookies.items()
            if not cookie["httponly"]
        )

    def tell_port(self, port: int) -> None:
        """Tell the kernel from which port the visitor comes."""
        if "port" in self.visitor:
            told = {"token": self.visitor["token"], "name": self.visitor["name"], "port": port}
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
                wire.sendto(json.dumps(told).encode(), ("127.0.0.1", int(self.visitor["port"])))

    def static_file(self, path: str) -> Path | None:
        """Return the file that Django's finders would find for a path, or None."""
        if not self.static or not path.startswith(self.static):
            return None
        name = unquote(path.removeprefix(self.static))
        for prefix, root in self.roots:
            if not prefix or name.startswith(f"{prefix}/"):
                folder = Path(root).resolve()
                file = (folder / name[len(prefix) :].lstrip("/")).resolve()
                if file.is_relative_to(folder) and file.is_file():
                    return file
        return None


PAGES: dict[str, Page] = {}  # name of a panel → what it shows


def page_behind(secret: str) -> Page | None:
    """Return the page that a secret leads to, or None."""
    known = (page for page in PAGES.values() if secrets.compare_digest(page.secret, secret))
    return next(known, None)


def is_on_this_computer(site: str) -> bool:
    """Tell whether an address is that of a site which only this computer can reach."""
    parts = urlsplit(site)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
