"""Makes the picture in the README, moving and still, from a real run: `make picture`."""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from running_lab import run_all, running_lab

CELLS = (
    "from channels_live import Lesson\nfrom websockets import connect\n\nlesson = Lesson(0)\n"
    "!python manage.py migrate --verbosity 0\n"
    'server = lesson.start("daphne -p 8000 myproject.asgi:application")',
    'lesson.stage(server, Anna="/chat/lobby/", Ben="/chat/lobby/")',
)
TALK = (("Anna", "Hello, Ben!"), ("Ben", "Hi, Anna. This is live."))
SIZE = {"width": 1280, "height": 800}
LARGEST = 2_000_000  # bytes


def frames():
    """Yield pictures of a conversation, each with how long it is shown, in ms."""
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as course,
        running_lab(Path(home), Path(course)) as lab,
        sync_playwright() as playwright,
    ):
        lab.write("start.ipynb", *CELLS)
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        lab.open(page, "start.ipynb")
        page.keyboard.press("Control+b")  # without the side bar
        run_all(page)
        visitors = {name: page.frame_locator(f'iframe[title="Page {name}"]') for name, _ in TALK}
        for visitor in visitors.values():
            visitor.get_by_text("Connected.").wait_for()
        page.wait_for_timeout(1000)

        def picture():
            return Image.open(io.BytesIO(page.screenshot())).convert("RGB")

        yield picture(), 1200
        for name, text in TALK:
            field = visitors[name].get_by_label("Your message")
            for end in range(0, len(text) + 1, 2):
                field.fill(text[:end])
                yield picture(), 120
            field.fill(text)
            yield picture(), 500
            field.press("Enter")
            page.locator(".cl-Row", has_text=text).last.wait_for()
            page.wait_for_timeout(300)
            yield picture(), 2500
        browser.close()


def main(folder):
    pictures, durations = zip(*frames(), strict=True)
    moving, still = folder / "stage.webp", folder / "stage.png"
    options = {"append_images": pictures[1:], "duration": durations, "loop": 0, "quality": 80}
    pictures[0].save(moving, save_all=True, method=6, **options)
    pictures[-1].quantize(128).save(still, optimize=True)
    for file in (moving, still):
        print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")
        assert file.stat().st_size < LARGEST


if __name__ == "__main__":
    main(Path(sys.argv[1]))
