"""Builds the site to read: the notebooks as pages, this package's documentation, and its errors.

What Sphinx reads is staged in `build/site-source`: the notebooks as a reader wants them, beside the
pages of `site/`. Nothing is executed; what is shown is what `make build` has stored.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from channels_live.authoring import AuthoringError, pages
from channels_live.workspace import ROOT

PAGES, BUILD = ROOT / "site", ROOT / "build"
SOURCE = BUILD / "site-source"
MERMAID = "11.16.0"  # of the npm registry
_MERMAID_HASH = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"  # SHA-256
_MERMAID_FILE = "package/dist/mermaid.min.js"
EPUB, PDF = "channels-live.epub", "channels-live.pdf"  # beside the pages
_MARGIN = "15mm"
_PAGE_NUMBER = (
    '<span class="pageNumber" style="font-size: 8px; margin: auto; font-family: sans-serif"></span>'
)
_BROWSERS = ("chromium", "google-chrome")


def mermaid_path() -> Path:
    """Return where the file that draws diagrams is kept."""
    return BUILD / f"mermaid-{MERMAID}.min.js"


def mermaid() -> Path:
    """Return the file that draws diagrams; it is fetched once, with npm, and its hash compared.

    Raises AuthoringError if there is no npm, if it fails, or if the file is another one.
    """
    path = mermaid_path()
    if not path.exists():
        program = shutil.which("npm")
        if program is None:
            raise AuthoringError("Diagrams are drawn by mermaid, and npm, which brings it, is not "
                                 "installed. Install Node.js.")  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            command = [program, "pack", "--silent", f"mermaid@{MERMAID}"]
            packed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if packed.returncode:
                raise AuthoringError(f"npm could not bring mermaid:\n{packed.stderr}")
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                member = archive.extractfile(_MERMAID_FILE)
                content = member.read() if member else b""
        _expect_mermaid(content)
        BUILD.mkdir(exist_ok=True)
        path.write_bytes(content)
    _expect_mermaid(path.read_bytes())
    return path


def _expect_mermaid(content: bytes) -> None:
    if hashlib.sha256(content).hexdigest() != _MERMAID_HASH:
        raise AuthoringError(f"This is not mermaid {MERMAID}: its hash is another one.")


def stage(source: Path = SOURCE, repository: str = "") -> None:
    """Lay out what Sphinx reads. source: a folder, which is replaced.

    repository: "owner/name" on GitHub, for links to Binder; "": there are none.
    Raises AuthoringError if a notebook cannot be read, or mermaid not be had.
    """
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(PAGES, source)
    shutil.copy(mermaid(), source / "_static/mermaid.min.js")
    pages.write(source, repository)


def build(builder: str, output: Path, source: Path = SOURCE, processes: int = 2) -> None:
    """Build the staged pages. builder: "html", "singlehtml" or "epub".

    processes: that share the work; two are there sooner, and one has less to do.
    Raises AuthoringError at the first warning too.
    """
    trees = source.with_name(f"{source.name}-trees")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", f"-j{processes}"]
    command += ["-b", builder, "-d", str(trees / builder), str(source), str(output)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise AuthoringError(f"Sphinx is not content:\n{done.stderr}")


def print_pdf(page: Path, pdf: Path) -> None:
    """Print a page with Chromium, all its folds open and its diagrams drawn.

    Raises AuthoringError if there is no browser.
    """
    from playwright.sync_api import sync_playwright  # only developers have it

    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise AuthoringError("Chromium is not installed: without it there is no PDF.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        shown = browser.new_page()
        shown.goto(f"{page.as_uri()}?print", timeout=180_000)
        shown.wait_for_function("window.diagramsDrawn", timeout=180_000)
        shown.pdf(
            path=str(pdf),
            format="A4",
            margin={"top": _MARGIN, "right": _MARGIN, "bottom": _MARGIN, "left": _MARGIN},
            display_header_footer=True,
            header_template="<span></span>",  # or Chromium prints date and title
            footer_template=_PAGE_NUMBER,
            outline=True,
            tagged=True,
        )
        browser.close()


def main(arguments: list[str] | None = None) -> int:
    """Run `make site`. Return the exit status."""
    parser = argparse.ArgumentParser(prog="make site", description=__doc__)
    parser.add_argument("--html", action="store_true", help="no EPUB and no PDF")
    options = parser.parse_args(arguments)
    output = BUILD / "site"
    try:
        stage(repository=os.environ.get("GITHUB_REPOSITORY", ""))
        shutil.rmtree(output, ignore_errors=True)
        build("html", output)
        if not options.html:
            build("epub", BUILD / "site-epub")
            (book,) = (BUILD / "site-epub").glob("*.epub")
            shutil.copy(book, output / EPUB)
            build("singlehtml", BUILD / "site-single")
            print_pdf(BUILD / "site-single/index.html", output / PDF)
    except AuthoringError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Open {output / 'index.html'}")
    if options.html:
        print(f"Left out: {EPUB} and {PDF}. `make site` without --html makes them, and so does CI.")
    else:
        print(f"Beside it: {EPUB} and {PDF}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
