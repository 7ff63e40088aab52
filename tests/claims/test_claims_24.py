"""What lesson 24 and its solutions state about htmx, django-htmx, Django and browsers."""

import os
from pathlib import Path

import django_htmx
import pytest
from playwright.sync_api import expect
from rooms import lay_out, shell

from channels_live.checks.page import Page
from channels_live.server import Server

HTMX = Path(django_htmx.__file__).parent / "static/django_htmx"
PAGE = """<!doctype html><script src="/htmx.js"></script><script src="/ws.js"></script>
<div hx-ext="ws" ws-connect="/page/"><h1 id="title">Title</h1>
<ol id="list"><li id="one">1</li></ol><p id="empty"></p></div>"""
FRAMES = [
    '<ol id="list" hx-swap-oob="beforeend"><li>2</li><li>3 &lt;b&gt; &amp;amp;</li></ol>',
    '<ol id="list" hx-swap-oob="afterbegin"><li>0</li></ol>',
    '<li id="one" hx-swap-oob="true">one</li>',
    '<li id="one">One</li>',
    '<ol id="list" hx-swap-oob="beforeend"></li></ol><h1 id="title" hx-swap-oob="true">No</h1>',
    '<p hx-swap-oob="innerHTML:#title">By a selector</p><b id="nowhere">b</b><i>no id</i>',
    '<p id="empty" hx-swap-oob="outerHTML"><b>bold</b> &quot;text&quot;</p>words',
    '<ol id="list" hx-swap-oob="innerHTML"><li id="two">2</li></ol>',
    '<li id="two" hx-swap-oob="beforebegin"><i>before</i></li>',
    '<li id="two" hx-swap-oob="afterend"><i>after</i></li>',
    '<li id="two" hx-swap-oob="delete"></li>',
    '<ol id="list" hx-swap-oob="none"><li>none</li></ol>',
]
# The consumer of *Watch it fail*
UNSAFE = """
    async def show(self, template, posts=(), **context):
        for post in posts:
            item = f'<li id="post-{post.pk}">{post.author.username}: {post.text}</li>'
            await self.send(text_data=f'<ol id="new-posts" hx-swap-oob="beforeend">{item}</ol>')
"""
POLICY = """
from .settings import *

MIDDLEWARE = [*MIDDLEWARE, "myproject.policy.policy"]
TEMPLATES[0]["APP_DIRS"] = False
TEMPLATES[0]["OPTIONS"]["loaders"] = ["myproject.policy.Loader"]
"""
HEADING = '</li></ol><h1 id="title" hx-swap-oob="true">No lunch today</h1>'
SCRIPT = """<img src=x onerror="document.title = 'taken'">"""
ADD = "from myapp.models import Post; Post.objects.create(topic_id=2, author_id=1, text={text!r})"
RUNSERVER = "python manage.py runserver --noreload 8000"


@pytest.mark.browser
@pytest.mark.claim(
    "lesson 24",
    "The extension looks for the element with the same `id`, and `hx-swap-oob` says what to do "
    "there: `beforeend` adds at its end, `innerHTML` replaces what is in it, `true` replaces the "
    "element itself.",
)
def test_checks_take_fragments_as_htmx_does(browser):
    page = browser.new_page()
    for name, path in (("htmx", HTMX / "htmx-2.js"), ("ws", HTMX / "ext/hx-ws-2.js")):
        page.route(f"**/{name}.js", lambda route, *, path=path: route.fulfill(path=path))
    page.route("**/start/", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    sockets = []
    page.route_web_socket("**/page/", lambda socket: sockets.append(socket))
    page.goto("http://127.0.0.1/start/")
    page.wait_for_function("() => window.htmx")
    page.evaluate(
        """() => { window.taken = 0;
        document.body.addEventListener("htmx:wsAfterMessage", () => window.taken++); }"""
    )
    expect(page.locator("[ws-connect]")).to_have_count(1)
    while not sockets:
        page.wait_for_timeout(10)
    ours = Page(PAGE)
    for number, frame in enumerate(FRAMES, 1):
        sockets[0].send(frame)
        ours.take(frame)
        page.wait_for_function("number => window.taken === number", arg=number)
        theirs = Page(page.content())
        for name in ("title", "list", "one", "two", "empty", "nowhere"):
            mine, seen = ours.find(name), theirs.find(name)
            assert (mine is None) == (seen is None), (frame, name)
            if mine and seen:
                assert mine.text == seen.text, frame
                assert [one.tag for one in mine.elements] == [one.tag for one in seen.elements]
    page.close()


@pytest.mark.claim(
    "lesson 24",
    "When the socket is lost, it opens it again, later and later and not all at once, as lesson 18 "
    "did.",
    "It comes back with the address that it has had from the beginning: htmx does not change it.",
    "And htmx keeps what is sent while there is no connection, and sends it when there is one; but "
    "it knows no acknowledgement.",
)
def test_how_the_extension_comes_back():  # that it does, a test of the site sees
    text = (HTMX / "ext/hx-ws-2.js").read_text()
    assert "htmx.config.wsReconnectDelay = 'full-jitter'" in text
    assert "var maxDelay = 1000 * Math.pow(2, exp)\n      return maxDelay * Math.random()" in text
    assert text.count("getAttributeValue(socketElt, 'ws-connect')") == 1
    assert "wrapper.init()\n            }, delay)" in text
    assert "readyState !== this.socket.OPEN) {\n          this.messageQueue.push(" in text
    assert "wrapper.handleQueuedMessages()" in text.partition("socket.onopen")[2][:400]
    assert text.count("messageQueue.push(") == 1, "what was sent is not kept"


@pytest.mark.browser
@pytest.mark.claim(
    "lesson 24",
    "To do this he needed no script, and so no content security policy keeps him from it. With "
    '`<img src=x onerror="…">` he runs one too, where a site has no such policy.',
    "`allowScriptTags` would let a script in a fragment run, `allowEval` lets attributes hold "
    "code, and `includeIndicatorStyles` writes a `<style>` that the policy of lesson 23 forbids.",
    "After loading again the heading is right: Django's template **escapes** what it is given.",
)
@pytest.mark.live
def test_attacks_with_and_without_a_policy(tmp_path, browser):
    folder = lay_out(tmp_path)
    fragments = folder / "myapp/fragments.py"
    fragments.write_text(fragments.read_text() + UNSAFE)
    (folder / "myproject/with_policy.py").write_text(POLICY)
    shell(folder, f"{ADD.format(text=HEADING)}; print('null')")
    shell(folder, f"{ADD.format(text=SCRIPT)}; print('null')")
    for settings, title in (("settings", "taken"), ("with_policy", "Lunch – Noticeboard")):
        variables = {"DJANGO_SETTINGS_MODULE": f"myproject.{settings}"}
        with Server(RUNSERVER, folder, environment=os.environ | variables) as server:
            page = browser.new_page()
            said = []
            page.on("console", lambda message, *, said=said: said.append(message.text))
            page.goto(server.url("/topics/lunch/"))
            heading = page.locator("h1#title")
            expect(heading).to_have_text("Lunch")
            # as a page that was loaded before the posts were made
            page.evaluate(
                """() => { const part = document.querySelector("[ws-connect]");
                const again = part.cloneNode(true);
                again.setAttribute("ws-connect", "/ws/topics/lunch/page/?after=5");
                part.replaceWith(again); htmx.process(again); }"""
            )
            expect(page.locator("h1")).to_have_text("No lunch today")
            expect(page.locator("#new-posts img")).to_have_count(1)
            expect(page).to_have_title(title)
            assert any("inline" in text for text in said) == (settings == "with_policy"), said
            style = "violates the following Content Security Policy directive 'default-src"
            assert not any(style in text for text in said), said
            page.evaluate("() => document.head.insertAdjacentHTML('beforeend', '<style></style>')")
            page.evaluate("() => 0")  # what was said until then has come
            assert any(style in text for text in said) == (settings == "with_policy"), said
            assert (
                page.evaluate("() => htmx.config.allowScriptTags || htmx.config.allowEval") is False
            )
            for allowed in (False, True):
                page.evaluate(
                    """allowed => { htmx.config.allowScriptTags = allowed; htmx.swap("#new-posts",
                    "<script>document.title = 'by a tag'</script>", {swapStyle: "innerHTML"}); }""",
                    allowed,
                )
                expect(page).to_have_title(
                    "by a tag" if allowed and settings == "settings" else title
                )
            page.reload()
            expect(heading).to_have_text("Lunch")
            page.close()


@pytest.mark.live
@pytest.mark.claim(
    "lesson 24",
    "A query set would ask the database while it is rendered, and that is refused in an async "
    "method: `SynchronousOnlyOperation: You cannot call this from an async context - use a thread "
    "or sync_to_async.`",
    "`render_to_string` renders one where there is no request. (Outside of templates `format_html` "
    "escapes too.)",
)
@pytest.mark.claim(
    "solutions 24",
    '`format_html` escapes what takes the place of `{}`, also `"`, which would end an attribute. '
    "It does not escape what it has made itself:",
    "`escape(text)` in an f-string is right too, until somebody forgets it once.",
)
def test_templates_where_there_is_no_request(tmp_path):
    code = """
import asyncio, json
from django.core.exceptions import SynchronousOnlyOperation
from django.template.loader import render_to_string
from django.utils.html import escape, format_html
from myapp.models import Post

posts = Post.objects.select_related("author")

async def render(posts):
    try:
        return render_to_string("myapp/posts.html", {"posts": posts})
    except SynchronousOnlyOperation as error:
        return f"{type(error).__name__}: {error}"

made = format_html('<a title="{}">', '"<')
print(json.dumps([asyncio.run(render(posts)), asyncio.run(render(list(posts))), made,
    format_html("{}", made), f"<b>{escape('<')}</b>"]))
"""
    refused, rendered, *made = shell(lay_out(tmp_path), code)
    assert refused == (
        "SynchronousOnlyOperation: You cannot call this from an async context - use a thread or "
        "sync_to_async."
    )
    assert 'id="post-1"' in rendered
    assert made == ['<a title="&quot;&lt;">', '<a title="&quot;&lt;">', "<b>&lt;</b>"]
