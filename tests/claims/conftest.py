"""A claim is the witness of what the course states as a fact and no compared output shows.

    @pytest.mark.claim("lesson 5", "A sentence, word for word.", "Another one.")
    def test_…

It fails where the sentence no longer stands there, so that text and witness go together. `where` is
"lesson 5", "solutions 9" (a page of them), or "hints 9.3".
"""

import re

import pytest
from brokers import broker, finished, redis, run  # noqa: F401  fixtures for all

from channels_live import notebook
from channels_live.exercise import task
from channels_live.workspace import NOTEBOOKS, SOLUTIONS


def stated(where):
    """Return the prose of a place, on one line."""
    kind, number = where.split()
    if kind == "hints":
        return on_one_line("\n".join(task(number).hints))
    folder = {"lesson": NOTEBOOKS, "solutions": SOLUTIONS}[kind]
    (path,) = folder.glob(f"{int(number):02}_*.ipynb")
    cells = notebook.read(path).cells
    return on_one_line("\n\n".join(cell.source for cell in cells if cell.kind == "markdown"))


def on_one_line(text):
    return re.sub(r"\s+", " ", text)


@pytest.fixture(autouse=True)
def its_sentences_stand_there(request):
    claims = list(request.node.iter_markers("claim"))
    assert claims, "a test in tests/claims names its sentences: @pytest.mark.claim(…)"
    for claim in claims:
        where, *sentences = claim.args
        text = stated(where)
        for sentence in sentences:
            assert on_one_line(sentence) in text, f"no longer in {where}: {sentence}"


@pytest.fixture(scope="module", autouse=True)
def forked(forked_servers):
    """Fork all servers of claims: what a sentence says does not depend on how one was started."""
