"""Brings a site's pages into JupyterLab.

JupyterLab asks for a page's prefix (`PUT channels-live/pages`, as logged-in as everything there),
and shows `PREFIX/chat/` in a frame. The prefix holds a secret, which is all that a page needs, and
all that it gets:

- **It is not JupyterLab's.** Every answer is marked as a *sandbox* without an origin of its own, in
  a frame and in a tab alike. So no script in it, the learner's or a visitor's, can read JupyterLab,
  send it anything in the learner's name, or see its cookies; and only JupyterLab can frame it.
- **It gets nothing of Jupyter's.** The site sees a visitor at http://127.0.0.1:8000: that host,
  that origin, no cookie or token of Jupyter's. A page from elsewhere does not know the secret, and
  is refused by its Origin besides.
- **Each panel is a visitor of its own.** What the site stores with its visitor is kept here, as a
  browser would: two panels can be two people.

The project changes nothing for it. A WebSocket is passed on byte by byte, so that frames, pings and
how it ends are those of the browser and of the server.
"""

import asyncio
import html
import mimetypes
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from channels_live.stage.pages import Page, page_behind
from channels_live.stage.rewrite import Rewriter, kind_of

SANDBOX = (
    "sandbox allow-downloads allow-forms allow-modals allow-popups "
    "allow-popups-to-escape-sandbox allow-scripts; frame-ancestors 'self'"
)
_PIECE = 65_536  # bytes
_NOT_PASSED_ON = {  # of a request: what concerns one connection only, or is Jupyter's
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
    *("upgrade", "content-length", "accept-encoding", "cookie", "host", "origin", "referer"),
}
_NOT_PASSED_BACK = {  # of an answer: the same, and what is replaced
    *("connection", "keep-alive", "trailer", "transfer-encoding", "upgrade", "set-cookie"),
    *("x-frame-options", "referrer-policy", "cross-origin-opener-policy", "location"),
    *("cross-origin-resource-policy", "cross-origin-embedder-policy", "date"),
}

_NO_TLS = (
    "It sends whoever comes by http:// there, as settings for production do, but this server has "
    "no TLS. Start it with other settings, and its pages are shown here."
)

# nothing is kept alive: the server sees each page come and go
_TRANSPORT = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))


class PageHandler(JupyterHandler):
    """A page of a site, and all that belongs to it."""

    page: Page
    prefix: str

    def set_default_headers(self) -> None:
        """Leave out Jupyter's: these are the site's answers."""

    def check_xsrf_cookie(self) -> None:
        """Leave it to the site: Jupyter's cookies mean nothing here, and the secret does."""

    async def prepare(self) -> None:  # type: ignore[override]
        if not self.check_host():
            raise web.HTTPError(403)
        secret = self.path_args[0]
        page = page_behind(secret)
        if page is None:
            raise web.HTTPError(404)
        self.page = page
        self.prefix = prefix_of(self.base_url, self.page)
        # a sandbox has none, which is written "null"
        origin = self.request.headers.get("Origin", "null")
        if origin != "null" and urlsplit(origin).netloc != self.request.host:
            raise web.HTTPError(403, "This page is JupyterLab's alone.")

    def write_error(self, status_code: int, **_: Any) -> None:
        self._mark()
        self.finish(f"{status_code}")

    @allow_unauthenticated
    async def get(self, *_: Any) -> None:
        if self.request.headers.get("Upgrade", "").lower() == "websocket":
            await self._tunnel()
            return
        if "Access-Control-Request-Method" in self.request.headers:
            self._mark()
            self.set_status(204)
            return
        if self.page.ended:
            self._say_that_it_is_gone()
            return
        self._task = asyncio.ensure_future(self._forward())
        try:
            await self._task
        except (asyncio.CancelledError, StreamClosedError):
            pass  # the reader has left
        except httpx.RequestError:
            self._say_that_it_is_gone()

    post = put = patch = delete = head = options = get

    def on_connection_close(self) -> None:
        """Hang up on the site as the reader has hung up on us."""
        if task := getattr(self, "_task", None):
            task.cancel()

    async def _forward(self) -> None:
        request = self.request
        headers = [*self._headers_for_site().items(), ("Accept-Encoding", "identity")]
        url = httpx.URL(self.page.site).copy_with(raw_path=self._path().encode())
        ask = httpx.Request(
            request.method or "GET",
            url,
            headers=headers,
            content=request.body or None,
            extensions={"timeout": {"connect": 10.0}},
        )
        # not through a client, which would keep the cookies of all visitors
        answer = await _TRANSPORT.handle_async_request(ask)
        try:
            await self._pass_back(answer)
        finally:
            await answer.aclose()

    async def _pass_back(self, answer: httpx.Response) -> None:
        path = self._path().partition("?")[0]
        if answer.status_code == 404 and (file := self.page.static_file(path)):
            # bare servers, such as daphne, serve no static files
            await answer.aclose()
            self._pass_file(file)
            return
        location = answer.headers.get("location", "")
        if location.startswith(f"https://{self.page.host}/") and self.page.site[:5] == "http:":
            self._say("This site is shown by https:// only", _NO_TLS)
            return
        self.set_status(answer.status_code, answer.reason_phrase or None)
        for header in answer.headers.get_list("set-cookie"):
            self.page.store(header)
        content_type = answer.headers.get("content-type", "")
        kind = kind_of(content_type)
        for name, value in answer.headers.multi_items():
            if name == "content-security-policy":
                value = re.sub(r"(?i)frame-ancestors[^;]*;?", "", value)
            if name not in _NOT_PASSED_BACK and not (kind and name == "content-length"):
                self.add_header(name, value)
        if location:
            self.set_header("Location", self._below_prefix(location))
        self._mark()
        rewriter = kind and Rewriter(kind, self.prefix, self.page.site, self._first())
        async for piece in answer.aiter_raw():
            self.write(rewriter.feed(piece) if rewriter else piece)
            await self.flush()
        if rewriter and self.request.method != "HEAD":
            self.write(rewriter.close())

    def _pass_file(self, file: Path) -> None:
        content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.set_header("Content-Type", content_type)
        self.set_header("Cache-Control", "no-cache")
        self._mark()
        content = file.read_bytes()
        if kind := kind_of(content_type):
            rewriter = Rewriter(kind, self.prefix, self.page.site)
            content = rewriter.feed(content) + rewriter.close()
        self.write(content)

    async def _tunnel(self) -> None:
        """Pass a WebSocket on, byte by byte, in both directions."""
        parts = urlsplit(self.page.site)
        if self.page.ended:
            raise web.HTTPError(502)
        try:
            reader, writer = await asyncio.open_connection(
                parts.hostname, parts.port or 80, limit=_PIECE
            )
        except OSError:
            raise web.HTTPError(502) from None
        self.page.tell_port(writer.get_extra_info("sockname")[1])
        kept = ("Connection", "Upgrade")
        headers = self._headers_for_site() | {name: self.request.headers[name] for name in kept}
        lines = [f"{self.request.method} {self._path()} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        browser = self.detach()

        async def to_site() -> None:
            while True:
                writer.write(await browser.read_bytes(_PIECE, partial=True))
                await writer.drain()

        async def to_browser() -> None:
            while piece := await reader.read(_PIECE):
                await browser.write(piece)

        tasks = [asyncio.ensure_future(to_site()), asyncio.ensure_future(to_browser())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            browser.close()
            writer.close()

    def _path(self) -> str:
        """Return the path that the site is asked for, as the browser wrote it."""
        return (self.request.uri or "").removeprefix(self.prefix) or "/"

    def _headers_for_site(self) -> dict[str, str]:
        token = str(getattr(self.identity_provider, "token", "")) or None
        headers = {"Host": self.page.host}
        for name, value in self.request.headers.items():
            forwarded = name.lower().startswith(("x-forwarded-", "x-real-ip", "x-scheme"))
            if (
                name.lower() not in _NOT_PASSED_ON
                and not forwarded
                # the key is random, and may hold a short token by chance
                and (name == "Sec-Websocket-Key" or not (token and token in value))
            ):
                headers[name] = value
        if "Origin" in self.request.headers:
            headers["Origin"] = self.page.site
        referer = urlsplit(self.request.headers.get("Referer", ""))
        if referer.path.startswith(self.prefix):
            headers["Referer"] = self.page.site + referer.path.removeprefix(self.prefix)
        if cookie := self.page.cookie_header():
            headers["Cookie"] = cookie
        return headers

    def _below_prefix(self, address: str) -> str:
        """Return where a redirection leads, seen from JupyterLab."""
        path = address.removeprefix(self.page.site) or "/"
        return self.prefix + path if path.startswith("/") and path[1:2] != "/" else path

    def _mark(self) -> None:
        """Say that this is a sandbox, and let its own scripts, which have no origin, read it."""
        self.add_header("Content-Security-Policy", SANDBOX)
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Access-Control-Allow-Origin", "null")
        self.set_header("Access-Control-Allow-Credentials", "true")
        asked = self.request.headers
        self.set_header("Vary", "Origin")
        for what in ("Method", "Headers"):
            if wanted := asked.get(f"Access-Control-Request-{what}"):
                allow = "Methods" if what == "Method" else what
                self.set_header(f"Access-Control-Allow-{allow}", wanted)
        names = ", ".join(sorted({name for name, _ in self._headers.get_all()}))
        self.set_header("Access-Control-Expose-Headers", names)

    def _first(self) -> str:
        """Return what stands first in a page; nothing, in what a script asks for."""
        headers = self.request.headers
        wanted = headers.get("Sec-Fetch-Dest")
        if wanted not in ("document", "iframe", "frame") and (
            wanted or "text/html" not in headers.get("Accept", "")
        ):
            return ""
        source = url_path_join(self.base_url, "channels-live", "in_page.js")
        data = {
            "prefix": self.prefix,
            "site": self.page.host,
            "cookies": self.page.readable_cookies(),
        }
        attributes = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in data.items())
        return f'<script src="{html.escape(source)}" {attributes}></script>'

    def _say_that_it_is_gone(self) -> None:
        what = "The server has ended. Run the cell that starts it, and this page comes back."
        self._say(f"Nothing answers at {self.page.host}", what, '<meta name="gone" content="1">')

    def _say(self, title: str, what: str, meta: str = "") -> None:
        self.set_status(502)
        self._mark()
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            f'<!doctype html><html lang="en"><head>{self._first()}<title>Not there</title>'
            f'<meta name="color-scheme" content="light dark">{meta}</head>'
            # also in a panel of a few centimetres
            '<body style="font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere"><main>'
            f'<h1 style="font-size: 1.25rem">{html.escape(title)}</h1>'
            f"<p>{html.escape(what)}</p></main></body></html>"
        )


def prefix_of(base_url: str, page: Page) -> str:
    """Return the path below which a page is shown. base_url: of Jupyter's server."""
    return url_path_join(base_url, "channels-live", "page", page.secret)
