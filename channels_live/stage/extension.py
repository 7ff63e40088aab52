"""The extension of Jupyter's server that brings a site's pages into JupyterLab: see proxy.py."""

import json
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from channels_live.stage.pages import PAGES, Page, is_on_this_computer
from channels_live.stage.proxy import PageHandler, prefix_of


class PagesHandler(APIHandler):
    """Where JupyterLab says which site a panel shows."""

    @web.authenticated
    async def put(self) -> None:
        asked = self.get_json_body() or {}
        if asked.get("ended"):
            if page := PAGES.get(str(asked["panel"])):
                page.ended = True
            self.finish({})
            return
        site = str(asked["site"])
        if not is_on_this_computer(site):
            raise web.HTTPError(400, "Only sites on this computer are shown.")
        page = PAGES.setdefault(str(asked["panel"]), Page(site))
        page.site, page.ended = site, False
        page.visitor = asked.get("visitor") or {}
        page.static = str(asked.get("static") or "")
        page.roots = [(str(prefix), str(root)) for prefix, root in asked.get("roots") or []]
        self.finish(json.dumps({"prefix": prefix_of(self.base_url, page)}))


class ScriptHandler(JupyterHandler):
    """The script that each page gets. Nothing in it is secret."""

    async def prepare(self) -> None:  # type: ignore[override]
        if not self.check_host():
            raise web.HTTPError(403)

    @allow_unauthenticated
    def get(self) -> None:
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish((Path(__file__).parent / "in_page.js").read_bytes())


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    base = server.web_app.settings["base_url"]
    handlers = [
        (url_path_join(base, "channels-live", "pages"), PagesHandler),
        (url_path_join(base, "channels-live", "in_page.js"), ScriptHandler),
        (url_path_join(base, "channels-live", "page", r"([\w-]+)") + r"(?:/.*)?", PageHandler),
    ]
    server.web_app.add_handlers(".*$", handlers)
