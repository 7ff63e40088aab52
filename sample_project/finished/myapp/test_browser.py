import shutil
from unittest import skipUnless

from channels.testing import ChannelsLiveServerTestCase
from django.test import tag

try:
    from playwright.sync_api import Error, expect, sync_playwright
except ImportError:
    sync_playwright = None

CHROMIUM = shutil.which("chromium")  # None: the one that Playwright installs
INSTALL = "needs a browser: pip install playwright, then playwright install chromium"


@tag("browser")
@skipUnless(sync_playwright, INSTALL)
class Floor4(ChannelsLiveServerTestCase):
    """Pages in two windows."""

    def test_two_windows(self):
        with sync_playwright() as playwright:
            try:
                browser = playwright.chromium.launch(executable_path=CHROMIUM)
            except Error:  # there is none
                self.skipTest(INSTALL)
            anna, ben = (browser.new_context().new_page() for _ in range(2))
            for page in (anna, ben):
                page.goto(f"{self.live_server_url}/chat/kitchen/")
                expect(page.locator("#chat-state")).to_have_text("Connected.")
            anna.locator("#chat-message-input").fill("Soup?")
            anna.locator("#chat-message-submit").click()
            for page in (anna, ben):
                expect(page.locator("#chat-log")).to_have_value("Soup?\n")
