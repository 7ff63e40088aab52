"""The learner's own copies of the notebooks, and what becomes of them in a new edition."""

import json
import re
import shutil

import pytest
from ipykernel.ipkernel import IPythonKernel

from channels_live import Lesson, LessonError, copies
from channels_live.copies import fresh, lay_out_copies, newer
from channels_live.kernel import KERNEL
from channels_live.notebook import read
from channels_live.workspace import EXERCISES, NOTEBOOKS

NAMES = {"notebooks": "05_create_consumer.ipynb", "exercises": "05_exercises.ipynb"}
NAME = NAMES["notebooks"]
LINK = re.compile(r"\]\(([^)#:]+\.\w+)(?:#[^)]*)?\)")


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """Return an empty workspace, of a course whose originals may be changed."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    originals = {}
    for kind, folder in (("notebooks", NOTEBOOKS), ("exercises", EXERCISES)):
        originals[kind] = tmp_path / "course" / kind
        shutil.copytree(folder, originals[kind])
    monkeypatch.setattr(copies, "ORIGINALS", originals)
    return tmp_path / "workspace"


@pytest.fixture
def course(own):
    return own.parent / "course"


def change(path, text, cell=1):
    """Write a text into a cell of a notebook."""
    content = json.loads(path.read_text())
    content["cells"][cell]["source"] = text
    path.write_text(json.dumps(content))


def run(path):
    """Give a notebook's cells outputs, as running them does; and what JupyterLab adds."""
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ran"}]
            cell["execution_count"] = 7
    content["metadata"]["language_info"] = {"name": "python", "version": "3.11"}
    path.write_text(json.dumps(content))


def text(path, cell=1):
    return read(path).cells[cell].source


def test_copies_are_the_originals_without_outputs(own, course):
    assert lay_out_copies() == []
    for kind in ("notebooks", "exercises"):
        names = sorted(path.name for path in (course / kind).glob("*.ipynb"))
        assert sorted(path.name for path in (own / kind).glob("*.ipynb")) == names
        for name in names:
            original, copy = read(course / kind / name), read(own / kind / name)
            kernel = {"language_info": copy.metadata["language_info"]}
            assert copy.metadata == {**original.metadata, **kernel}
            assert kernel["language_info"] == IPythonKernel.language_info, "it is clean when opened"
            for cell, its_copy in zip(original.cells, copy.cells, strict=True):
                assert (its_copy.source, its_copy.id) == (cell.source, cell.id)
                assert (its_copy.outputs, its_copy.execution_count) == ([], None)


def test_every_link_leads_somewhere_from_copies_and_from_originals(own, course):
    lay_out_copies()
    count = 0
    for path in [*own.glob("*/*.ipynb"), *course.glob("*/*.ipynb")]:
        for cell in read(path).cells:
            for link in LINK.findall(cell.source) if cell.kind == "markdown" else ():
                assert (path.parent / link).is_file(), f"{path.name}: {link}"
                count += 1
    assert count > 50


def test_nothing_happens_to_what_is_there(own):
    lay_out_copies()
    change(own / "notebooks" / NAME, "mine")
    run(own / "exercises" / NAMES["exercises"])
    before = {path: path.read_bytes() for path in own.glob("*/*.ipynb")}
    assert lay_out_copies() == []
    assert {path: path.read_bytes() for path in own.glob("*/*.ipynb")} == before


def test_new_edition_takes_the_place_of_a_copy_in_which_nothing_was_written(own, course):
    lay_out_copies()
    run(own / "notebooks" / NAME)
    change(course / "notebooks" / NAME, "better")
    assert lay_out_copies() == []
    assert text(own / "notebooks" / NAME) == "better"
    assert not read(own / "notebooks" / NAME).is_executed
    assert newer("notebooks", 5) is None


def test_new_edition_stands_beside_a_copy_that_was_changed(own, course, monkeypatch, capsys):
    lay_out_copies()
    change(own / "notebooks" / NAME, "mine")
    change(course / "notebooks" / NAME, "better")
    beside = "workspace/notebooks/05_create_consumer-new-edition.ipynb"
    assert lay_out_copies() == [
        f"Of workspace/notebooks/{NAME} there is a new edition. You have written in yours, so it "
        f"stays; the new one is {beside}."
    ]
    assert text(own / "notebooks" / NAME) == "mine"
    assert text(own.parent / beside) == "better"
    assert lay_out_copies() == []

    for name in ("_locks", "_claimed", "lessons"):
        monkeypatch.setattr(KERNEL, name, type(getattr(KERNEL, name))())
    monkeypatch.chdir(own)
    Lesson(5)
    assert f"Of this lesson there is a new edition: {beside}\n" in capsys.readouterr().out

    change(course / "notebooks" / NAME, "better still")
    assert len(lay_out_copies()) == 1
    assert text(own.parent / beside) == "better still"
    change(own.parent / beside, "mine too")
    change(course / "notebooks" / NAME, "best")
    (said,) = lay_out_copies()
    assert "05_create_consumer-new-edition-2.ipynb" in said
    names = sorted((own / "notebooks").glob("05_*"))
    assert sorted(map(text, names)) == ["best", "mine", "mine too"]


def test_copy_of_what_is_no_longer_there_is_removed_or_kept(own, course):
    lay_out_copies()
    change(own / "exercises" / NAMES["exercises"], "mine")
    for kind in ("notebooks", "exercises"):
        (course / kind / NAMES[kind]).rename(course / kind / "06_moved.ipynb")
    (said,) = lay_out_copies()
    (place,) = (own / "kept").iterdir()
    assert text(place) == "mine"
    assert said == (
        "workspace/exercises/05_exercises.ipynb is no longer a part of the course. You have "
        f"written in it, so it is kept in workspace/kept/{place.name}."
    )
    assert not (own / "notebooks" / NAME).exists()
    assert lay_out_copies() == []


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"05_create_consumer.ipynb": 3}'])
def test_nothing_is_lost_where_it_is_not_known_what_was_laid_out(own, course, content):
    lay_out_copies()
    change(own / "notebooks" / NAME, "mine")
    editions = own / "notebooks/.editions.json"
    editions.unlink() if content is None else editions.write_text(content)
    change(course / "notebooks" / "06_update_urls.ipynb", "better")
    lay_out_copies()
    assert text(own / "notebooks" / NAME) == "mine"
    assert text(own / "notebooks/06_update_urls.ipynb") != "better"  # it may be the learner's
    assert text(own / "notebooks/06_update_urls-new-edition.ipynb") == "better"
    assert len(lay_out_copies()) == 0


def test_file_that_is_no_notebook_stays(own, course):
    lay_out_copies()
    (own / "notebooks" / NAME).write_text("half of a notebo")
    change(course / "notebooks" / NAME, "better")
    lay_out_copies()
    assert (own / "notebooks" / NAME).read_text() == "half of a notebo"


@pytest.mark.parametrize("kind", ["notebooks", "exercises"])
def test_fresh_copy_keeps_the_old_one(own, kind, capsys):
    lay_out_copies()
    change(own / kind / NAMES[kind], "mine")
    path = fresh(kind, 5)
    (place,) = (own / "kept").iterdir()
    assert capsys.readouterr().out == f"Your old one is kept in workspace/kept/{place.name}.\n"
    assert text(place) == "mine"
    assert text(path) == text(copies.ORIGINALS[kind] / NAMES[kind])
    assert lay_out_copies() == []
    fresh(kind, 5)
    assert capsys.readouterr().out == ""


def test_fresh_copy_in_a_new_workspace_and_of_no_lesson(own):
    assert fresh("notebooks", 5) == own / "notebooks" / NAME
    with pytest.raises(LessonError, match="There is no lesson 99"):
        fresh("notebooks", 99)
