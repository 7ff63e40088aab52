"""The site to read: every page opens from a file, offline, drawn, and can be used by everybody."""

import json
import re
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe

from channels_live import notebook
from channels_live.authoring import AuthoringError, pages, site
from channels_live.explain import errors
from channels_live.workspace import CLINIC, EXERCISES, NOTEBOOKS, SOLUTIONS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]  # Sphinx takes 10 s of its own
WIDTHS = (390, 768, 1280, 1920)
SAMPLE = (0, 5, 12, 22)  # lessons that everybody must be able to use
LOOKS = ["color-contrast", "link-in-text-block"]  # all that axe looks at colours for
SHOWN = """() => ({
    title: document.title,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    diagrams: document.querySelectorAll("pre.mermaid").length,
    drawn: document.querySelectorAll("pre.mermaid > svg[aria-roledescription]:not(" +
        "[aria-roledescription=error])").length,
})"""

VISIBLE = "visible=true"
CUT = """() => [...document.querySelectorAll("pre, table, svg")]
    .filter((part) => part.checkVisibility() && part.scrollWidth > part.clientWidth + 1)
    .map((part) => part.textContent.slice(0, 80))"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Build the site. Return its folder."""
    if shutil.which("npm") is None and not site.mermaid_path().exists():
        pytest.skip("npm is not installed, which brings mermaid")
    folder = tmp_path_factory.mktemp("reading")
    site.stage(folder / "source", "somebody/course")
    site.build("html", folder / "html", folder / "source", processes=1)
    return folder / "html"


@pytest.fixture(scope="module")
def context(browser):
    """Return a context of the browser, and a list of what it has asked the network for."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    yield context, asked
    context.close()


def open_page(page, path, query=""):
    page.goto(path.as_uri() + query)
    page.wait_for_function("window.diagramsDrawn")
    return page.evaluate(SHOWN)


def accept(page):
    """Expect that everybody can use the page that is shown, in the light and in the dark."""
    for theme, options in (("light", {}), ("dark", {"runOnly": LOOKS})):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(f"window.diagramsDrawn === '{theme}'")
        results = Axe().run(page, options={"resultTypes": ["violations"], **options})
        assert results.violations_count == 0, f"{page.url}, {theme}: {results.generate_report()}"


def names(made):
    return sorted(made.rglob("*.html"))


def test_every_page_opens_drawn_offline_and_no_wider_than_a_phone(made, context):
    context, asked = context
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 800})
    trouble = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    count = 0
    for path in names(made):
        shown = open_page(page, path)
        count += shown["diagrams"]
        if shown["diagrams"] != shown["drawn"] or shown["wide"] > 0:
            trouble.append(f"{path.relative_to(made)}: {shown}")
    assert not trouble
    assert not [url for url in asked if not re.match("file:|data:|blob:", url)]
    assert count >= 40
    for folder in (NOTEBOOKS, EXERCISES, SOLUTIONS, CLINIC):
        for path in notebook.lesson_paths(folder):
            assert (made / folder.name / f"{path.stem}.html").exists()
    page.close()


def test_everybody_can_use_it(made, context):
    page = context[0].new_page()
    some = [notebook.lesson_path(number).stem for number in SAMPLE]
    paths = [made / "index.html", *(made / f"notebooks/{name}.html" for name in some)]
    for path in [*paths, made / "errors.html", made / "api.html", made / "search.html"]:
        page.emulate_media(color_scheme="light")
        open_page(page, path)
        accept(page)
    page.close()


def test_no_width_needs_scrolling_from_side_to_side(made, context):
    page = context[0].new_page()
    open_page(page, made / f"notebooks/{notebook.lesson_path(5).stem}.html")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(SHOWN)["wide"] == 0, width
    page.close()


def test_paper_has_all_of_a_page_and_no_buttons(made, context):
    page = context[0].new_page()
    page.set_viewport_size({"width": 680, "height": 900})  # about an A4 page between its margins
    page.emulate_media(media="print")
    for number in SAMPLE:
        open_page(page, made / f"notebooks/{notebook.lesson_path(number).stem}.html", "?print")
        assert page.locator(".skip-to-content").count() == 1
        assert not page.locator(".skip-to-content, .instructor-switch").locator(VISIBLE).count()
        assert page.evaluate(CUT) == [], number
    page.close()


def test_search_finds(made, context):
    page = context[0].new_page()
    page.goto(f"{(made / 'search.html').as_uri()}?q=StopConsumer")
    link = page.locator("ul.search li a").first
    link.wait_for()
    assert page.locator("ul.search li").count() >= 2
    link.click()
    page.locator("h1").wait_for()
    assert "StopConsumer" in page.content()
    page.close()


def test_diagrams_follow_the_theme(made, context):
    page = context[0].new_page()
    page.emulate_media(color_scheme="light")
    open_page(page, made / f"notebooks/{notebook.lesson_path(5).stem}.html")
    colour = """() => getComputedStyle(
        document.querySelector("pre.mermaid svg .messageText")).fill"""
    light = page.evaluate(colour)
    page.evaluate("document.body.dataset.theme = 'dark'")
    page.wait_for_function(f"light => ({colour})() !== light", arg=light)
    page.close()


def test_instructors_view_is_a_switch_that_is_remembered(made, context):
    page = context[0].new_page()
    path = made / f"notebooks/{notebook.lesson_path(5).stem}.html"
    open_page(page, path)
    notes = page.locator(".instructor", has_text="For instructors").first
    minutes = page.get_by_text(re.compile(r"^About \d+ minutes?$")).first
    assert not notes.is_visible() and not minutes.is_visible()
    page.get_by_role("button", name="Instructor's view").click()
    assert notes.is_visible() and minutes.is_visible()
    open_page(page, path)
    assert notes.is_visible()
    page.get_by_role("button", name="Instructor's view").click()
    assert not notes.is_visible()
    page.close()


def test_notebook_can_be_downloaded_and_run_on_binder(made):
    (lesson,) = NOTEBOOKS.glob("05_*.ipynb")
    text = (made / f"notebooks/{lesson.stem}.html").read_text("utf-8")
    (link,) = re.findall(r'download[^>]* href="([^"]+\.ipynb)"', text)
    assert (made / "notebooks" / link).resolve().read_bytes() == lesson.read_bytes()
    assert f"gh/somebody/course/HEAD?urlpath=lab/tree/workspace/notebooks/{lesson.name}" in text


def test_every_error_has_a_place_and_links_to_its_lesson(made):
    text = (made / "errors.html").read_text("utf-8")
    for shown in errors():
        assert f'id="{shown.anchor}"' in text, shown.line
    for target, anchor in set(re.findall(r'href="((?:notebooks|clinic)/[^"#]+)#([^"]+)"', text)):
        assert f'id="{anchor}"' in (made / target).read_text("utf-8"), f"{target}#{anchor}"


def test_api_has_every_name_that_a_notebook_imports(made):
    import channels_live

    text = (made / "api.html").read_text("utf-8")
    for name in channels_live.__all__:
        assert re.search(rf'id="channels_live\.[\w.]*\b{name}"', text), name


def test_a_warning_fails(made, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    shutil.copytree(site.PAGES / "_templates", source / "_templates")
    (source / "_static").mkdir()
    (source / "_static/site.css").touch()
    (source / "_static/site.js").touch()
    shutil.copy(site.PAGES / "conf.py", source)
    (source / "index.md").write_text("# A\n\n[nowhere](nowhere.md)\n", encoding="utf-8")
    with pytest.raises(AuthoringError, match=r"nowhere\.md"):
        site.build("html", tmp_path / "html", source)


def test_another_mermaid_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(site, "BUILD", tmp_path)
    site.mermaid_path().write_bytes(b"alert(1)")
    with pytest.raises(AuthoringError, match="not mermaid"):
        site.mermaid()


def test_page_of_a_cell_that_writes_a_file_has_its_name_and_its_text():
    cell = {"cell_type": "code", "id": "a", "source": "%%writefile my/a.md\n````\n", "outputs": []}
    (shown,) = pages._shown(cell, {})
    assert shown["source"] == "`````{code-block} text\n:caption: my/a.md\n\n````\n`````"
    json.dumps(shown)
