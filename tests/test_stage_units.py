"""The parts of the stage that need no browser."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from clients import client, talk
from jupyter_client.manager import start_new_kernel

from channels_live.stage.conversation import LONGEST, MOST_ROWS, Conversation
from channels_live.stage.places import place_of
from channels_live.stage.rewrite import Rewriter, kind_of
from channels_live.stage.static_files import StaticFiles

PREFIX, SITE = "/user/ann/channels-live/page/s3cret", "http://127.0.0.1:8000"

PAGE = f"""<!doctype html>
<!-- a comment --><html lang="en"><head>
<link rel="stylesheet" href="/static/site.css"><style>a {{ background: url(/x.png) }}</style>
<script src='/app.js'></script>
</head><body><a href="/chat/">Chat</a> <a href="{SITE}/news/">News</a>
<a href="//cdn.example/x">CDN</a> <a href="other/">Other</a> <a href="https://example.org/">Far</a>
<a href="{PREFIX}/chat/">Again</a> <form action=/login/ method="post">location = "/"</form>
<script>
if (1 < 2) location.assign("/chat/" + name);
window.location.href = "/a/"; location = "/b/"; document.location.replace(`/c/`);
const location = 1; other.location.assign("/d/"); if (location == "/e/") {{}}
</script></body></html>"""
CHANGED = (
    PAGE.replace('"/static', f'"{PREFIX}/static')
    .replace("url(/x", f"url({PREFIX}/x")
    .replace("'/app", f"'{PREFIX}/app")
    .replace('"/chat/">Chat', f'"{PREFIX}/chat/">Chat')
    .replace(f"{SITE}/news/", f"{PREFIX}/news/")
    .replace("=/login/", f"={PREFIX}/login/")
    .replace('location.assign("/chat/"', 'inPage.location.assign("/chat/"')
    .replace("window.location.href = ", "inPage.location.href = ")
    .replace('; location = "/b/"; document.location.replace(', ";\0")
    .replace("\0", ' inPage.location.href = "/b/"; inPage.location.replace(')
    .replace("<head>\n", '<head>\n<script src="in_page.js"></script>')
)


@pytest.mark.parametrize("size", [1, 7, 100, len(PAGE)])
def test_page_is_changed_the_same_in_whatever_pieces_it_comes(size):
    rewriter = Rewriter("html", PREFIX, SITE, '<script src="in_page.js"></script>')
    pieces = [PAGE[at : at + size].encode() for at in range(0, len(PAGE), size)]
    changed = b"".join([*map(rewriter.feed, pieces), rewriter.close()]).decode()
    assert changed == CHANGED


def test_streamed_page_is_not_held_back():
    rewriter = Rewriter("html", PREFIX, SITE)
    assert rewriter.feed(b"one ") == b"one "
    assert rewriter.feed(b"<p>two <b") == b"<p>two "
    assert rewriter.feed(b">three") == b"<b>three"


def test_fragment_without_a_head_begins_with_what_stands_first():
    rewriter = Rewriter("html", PREFIX, SITE, "<first>")
    assert rewriter.feed(b"<p>text</p>") + rewriter.close() == b"<first><p>text</p>"
    empty = Rewriter("html", PREFIX, SITE, "<first>")
    assert empty.feed(b"") + empty.close() == b"<first>"


def test_only_text_that_holds_addresses_is_changed():
    assert kind_of("text/html; charset=utf-8") == "html"
    assert kind_of("text/css") == "css"
    assert kind_of("application/json") is None
    assert kind_of("") is None


def test_pages_shown_together_ask_for_static_files_once_in_each_run(tmp_path):
    tells = """open("asked", "a").write("x"); print('{"static": "/files/"}')"""
    (tmp_path / "manage.py").write_text(tells)
    files = StaticFiles()
    for asked in ("x", "xx"):
        run = object()
        with ThreadPoolExecutor() as pages:
            answers = [pages.submit(files.of, tmp_path, run) for _ in range(2)]
        assert [answer.result() for answer in answers] == [{"static": "/files/"}] * 2
        assert (tmp_path / "asked").read_text() == asked


def test_place_of_a_method(tmp_path):
    (tmp_path / "myapp").mkdir()
    (tmp_path / "myapp/consumers.py").write_text(
        "class Other:\n    pass\n\n\nclass Chat(Other):\n    async def receive(self): ...\n"
    )
    (tmp_path / "attic").mkdir()
    (tmp_path / "attic/__init__.py").write_text("class Chat: ...\n")
    (tmp_path / "broken.py").write_text("class Chat(:")
    assert place_of(tmp_path, "myapp.consumers.Chat", "receive") == ("myapp/consumers.py", 6)
    assert place_of(tmp_path, "myapp.consumers.Chat", "connect") == ("myapp/consumers.py", 5)
    assert place_of(tmp_path, "attic.Chat", "receive") == ("attic/__init__.py", 1)
    deeper = place_of(tmp_path.parent, "attic.Chat", "receive")  # imports begin in a folder of it
    assert deeper == (f"{tmp_path.name}/attic/__init__.py", 1)
    for owner in ("myapp.consumers.Missing", "missing.Chat", "broken.Chat", "Chat", ""):
        assert place_of(tmp_path, owner, "connect") is None


# --- the conversation


@pytest.mark.live
def test_long_conversation_is_told_as_the_timeline_tells_it(daphne):
    conversation = Conversation(daphne.events_of_run(), daphne.folder, "daphne")
    told = []
    with client(daphne, "/ws/echo/") as first, client(daphne, "/ws/echo/") as second:
        for number in range(3 * LONGEST):
            wire = (first, second)[number % 2]
            wire.send(f"n{number}")
            assert wire.recv() == f"n{number}"
            if not number % 7:  # whatever the server does at this moment
                conversation.rows()
            if not number % 50:
                daphne.is_silent(5)
                told.append(conversation.rows())
    talk(daphne, "/ws/none/")
    timeline = daphne.timeline()
    left_out, rows = conversation.rows()
    assert conversation._after > LONGEST, "some of it is final"
    assert len(rows) == MOST_ROWS
    assert left_out + len(rows) == len(timeline.steps)
    wanted = [(step.client.name, step.row.text, step.row.call) for step in timeline.steps]
    assert [(row["client"], row["text"], row["call"]) for row in rows] == wanted[-MOST_ROWS:]
    for _, earlier in told:
        assert not any(row["running"] for row in earlier)
    assert rows[-1]["failed"] or rows[-2]["failed"]
    assert json.dumps(rows)


@pytest.mark.live
def test_conversation_of_one_client_or_consumer(daphne):
    talk(daphne, "/ws/echo/", *map(str, range(LONGEST)))
    daphne.timeline()
    for chosen in ({"client": -1}, {"consumer": "Echo"}, {"consumer": "None"}):
        conversation = Conversation(daphne.events_of_run(), daphne.folder, "daphne", **chosen)
        conversation.rows()
        talk(daphne, "/ws/echo/", "once more")
        wanted = [step.row.text for step in daphne.timeline(**chosen).steps]
        left_out, rows = conversation.rows()
        if chosen != {"client": -1}:  # another is the newest now
            assert left_out + len(rows) == len(wanted)
        assert [row["text"] for row in rows][-3:] == wanted[-3:]


SHOW = """
from channels_live import Lesson
lesson = Lesson(0)
server = lesson.start("daphne -p 8000 myproject.asgi:application")
server.watch()
server.page("/chat/")
lesson.stage(server, "/chat/", "/chat/", Anna="/")
"""


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Return a function that runs a cell in a fresh kernel, and returns what was said."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    running = []

    def run(code):
        running or running.extend(start_new_kernel(kernel_name="python3"))
        said = []
        reply = running[1].execute_interactive(code, output_hook=said.append)
        assert reply["content"]["status"] == "ok", reply["content"]
        return said

    yield run
    if running:
        running[1].stop_channels()
        running[0].shutdown_kernel(now=True)


@pytest.mark.live
def test_where_nobody_shows_panels_the_output_follows(kernel, monkeypatch):
    monkeypatch.setenv("VSCODE_PID", "1")
    kernel(SHOW.partition("server.watch()")[0] + "server.watch()")
    asks = "server.http('/')\nimport time; time.sleep(0.5)"  # a cell that is told of meanwhile
    said = kernel(asks)
    updates = [m["content"]["data"] for m in said if m["msg_type"] == "update_display_data"]
    assert "GET /" in updates[-1]["text/plain"]


PAGE_IS_SHOWN = """
import time
from pathlib import Path
from channels_live.stage.stage import STAGE
Path("manage.py").write_text("open('asked', 'w')")
server.page("/news/")
(panel,) = [panel for panel in STAGE._panels.values() if panel.title == "/news/"]
while panel._static_files is None:
    time.sleep(0.01)
print("asked:", Path("asked").exists())
"""


@pytest.mark.live
def test_nobody_asks_for_static_files_where_no_page_is_shown(kernel):
    kernel(SHOW.partition("server.watch()")[0])
    printed = [message["content"].get("text") for message in kernel(PAGE_IS_SHOWN)]
    assert "asked: False\n" in printed


@pytest.mark.live
def test_output_is_the_same_wherever_and_whenever(kernel):
    """What is stored has no ids, ports or paths; no comm is opened where nobody listens."""
    said = kernel(SHOW)
    assert not [message for message in said if message["msg_type"].startswith("comm")]
    command = "daphne -p 8000 myproject.asgi:application"
    shown = [m["content"]["data"] for m in said if m["msg_type"] == "display_data"]
    media = "application/vnd.channels-live+json"
    assert shown == [
        {
            "text/plain": f"{what} shown beside this notebook, live, in JupyterLab.",
            media: {"what": what, "panels": panels},
        }
        for what, panels in [
            ("The conversation is", [f"conversation {command}"]),
            ("The page /chat/ is", [f"page {command} /chat/"]),
            (
                "The pages /chat/, twice, and / and the conversation are",
                [
                    f"conversation {command}",
                    f"page {command} /chat/",
                    f"page {command} /chat/ 2",
                    f"page {command} Anna",
                ],
            ),
        ]
    ]
