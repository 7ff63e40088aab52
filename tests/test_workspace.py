"""A working copy: what is changed in it is noticed, and kept."""

import sys

import pytest
from answers import everything

from channels_live.kept import clear, room_in_kept
from channels_live.workspace import changed_files, copy_project, lay_out, missing_files

FILES = {"manage.py": "one\n", "app/views.py": "two\n", "app/static/logo.bin": "three\n"}


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Return a workspace that is not there yet."""
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.fixture
def copy(tmp_path, workspace):
    """Return the folder of a working copy, as it was laid out."""
    lay_out(workspace / "01", [], FILES.items())
    return workspace / "01"


def kept(workspace):
    """Return what is kept: names, and for each the files in it."""
    folder = workspace / "kept"
    return {path.name: path for path in folder.iterdir()} if folder.exists() else {}


# What is changed


def test_nothing_is_changed_at_first(copy):
    assert changed_files(copy) == missing_files(copy) == []


def test_changed_new_and_missing_files_are_named_in_order(copy):
    (copy / "manage.py").write_text("changed\n")
    (copy / "app/new.py").write_text("")
    (copy / "app/views.py").unlink()
    (copy / "app/static/logo.bin").unlink()
    assert changed_files(copy) == ["app/new.py", "manage.py"]
    assert missing_files(copy) == ["app/static/logo.bin", "app/views.py"]


def test_line_ends_and_what_programs_make_are_no_change(copy):
    (copy / "manage.py").write_bytes(b"one\r\n")
    for name in (
        *("db.sqlite3", "app/__pycache__/views.pyc", ".ipynb_checkpoints/manage.py"),
        *(
            "run/site.pem",
            "run/access.log",
            "run/static/site.css",
            "run/proxy_temp/1",
            ".nginx.conf",
        ),
    ):
        (copy / name).parent.mkdir(exist_ok=True, parents=True)
        (copy / name).write_text("made")
    (copy / "empty").mkdir()
    assert changed_files(copy) == missing_files(copy) == []


def test_folder_called_run_may_be_a_learners(copy, workspace, tmp_path):
    own = ("app/run/start.py", "app/run/site.pem", "run/notes.py", "run/more/site.pem", "run.py")
    for name in (*own, "run/site.pem"):
        (copy / name).parent.mkdir(exist_ok=True, parents=True)
        (copy / name).write_text("mine")
    assert sorted(changed_files(copy)) == sorted(own)
    copy_project(copy, tmp_path / "copy")
    assert {*own} <= {*everything(tmp_path / "copy")}
    assert "run/site.pem" not in everything(tmp_path / "copy")
    clear(copy, [])
    (folder,) = kept(workspace).values()
    assert {*own} <= {*everything(folder)}


def test_all_is_changed_where_it_is_not_known_what_was_laid_out(copy):
    (copy / ".channels_live.json").write_text("?")
    assert changed_files(copy) == sorted(FILES)
    assert missing_files(copy) == []


def test_later_layers_and_files_lie_over_earlier_ones(tmp_path, workspace):
    for layer, files in {"a": ["x", "y"], "b": ["y", "z"]}.items():
        (tmp_path / layer).mkdir()
        for name in files:
            (tmp_path / layer / name).write_text(f"{layer}{name}")
    folder = workspace / "02"
    lay_out(folder, [tmp_path / "a", tmp_path / "b"], [("z", "file"), ("deep/er", "file")])
    names = ("x", "y", "z", "deep/er")
    assert [(folder / name).read_text() for name in names] == ["ax", "by", "file", "file"]
    assert changed_files(folder) == []


# What is kept


def test_nothing_is_cleared_where_nothing_is(workspace):
    assert clear(workspace / "01", []) is None
    assert not workspace.exists()


def test_unchanged_copy_is_deleted(copy, workspace):
    (copy / "manage.py").unlink()
    assert clear(copy, []) is None
    assert not copy.exists()
    assert not kept(workspace)


def test_changed_copy_is_kept_as_a_whole_and_its_place_is_told(copy, workspace):
    (copy / "manage.py").write_text("changed\n")
    (copy / "new.txt").write_text("new\n")
    before = everything(copy)
    said = clear(copy, [])
    ((name, folder),) = kept(workspace).items()
    assert said == f"You had changed manage.py, new.txt.\nIt is kept in workspace/kept/{name}."
    assert name.startswith("01-20")
    assert everything(folder) == before
    assert not copy.exists()


def test_not_all_of_many_files_are_named(copy):
    for number in range(300):
        (copy / f"new{number:03}.txt").write_text("new\n")
    said = clear(copy, [])
    assert "new000.txt" in said
    assert " and 290 more.\n" in said
    assert len(said) < 300


def test_what_stands_in_a_notebook_need_not_be_kept(copy, workspace):
    (copy / "manage.py").write_bytes(b"cell\r\n")
    cells = [("manage.py", "first\n"), ("manage.py", "cell\n")]
    assert clear(copy, cells) is None
    assert not kept(workspace)


def test_another_file_with_the_text_of_a_cell_is_kept(copy, workspace):
    (copy / "app/views.py").write_text("cell\n")
    assert "app/views.py" in clear(copy, [("manage.py", "cell\n")])
    assert len(kept(workspace)) == 1


def test_there_is_always_room_for_one_more(workspace):
    paths = []
    for _ in range(5):
        paths.append(room_in_kept("answer", ".py"))
        assert not paths[-1].exists()
        paths[-1].write_text("kept")
    assert len(set(paths)) == 5
    for path in paths:
        assert path.parent == workspace / "kept"
        assert path.name.startswith("answer-20")
        assert path.suffix == ".py"


def test_copy_has_nothing_that_programs_made(copy, tmp_path):
    (copy / "db.sqlite3").touch()
    (copy / "app/__pycache__").mkdir()
    if sys.platform != "win32":  # where not everybody may make links; here an editor's
        (copy / ".#manage.py").symlink_to("anna@laptop.4711")
    copy_project(copy, tmp_path / "copy")
    copied = {name for name, content in everything(tmp_path / "copy").items() if content}
    assert copied == {*FILES, ".channels_live.json"}
