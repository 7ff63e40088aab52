"""The files in `hubs/`, for hubs that cannot run here: their keys, what they name, what they allow.

Each key is one that its project documents: TLJH's `tljh/config_schema.py`, and the chart's
`values.schema.yaml` from version 4.2 on. Both projects refuse any other, so a new one is looked up
there before it is added here.
"""

import os
import re
import runpy
from pathlib import Path

import pytest
import yaml

from channels_live.notebook import lesson_path
from channels_live.workspace import ROOT, workspace_folder

TLJH, CHART = ROOT / "hubs/tljh/config.yaml", ROOT / "hubs/kubernetes/values.yaml"
FOR_TLJH = {
    "limits.memory": str,
    "services.cull.timeout": int,
    "user_environment.default_app": str,
}
FOR_THE_CHART = {
    "cull.timeout": int,
    "hub.config.Authenticator.admin_users": list,
    "hub.config.Authenticator.allow_all": bool,
    "hub.config.JupyterHub.authenticator_class": str,
    "singleuser.cpu.guarantee": float,
    "singleuser.cpu.limit": int,
    "singleuser.defaultUrl": str,
    "singleuser.extraEnv.CHANNELS_LIVE_WORKSPACE": str,
    "singleuser.image.name": str,
    "singleuser.image.tag": str,
    "singleuser.memory.guarantee": str,
    "singleuser.memory.limit": str,
    "singleuser.startTimeout": int,
    "singleuser.storage.capacity": str,
}


def keys(tree, before=""):
    """Yield (dotted key, value) of all leaves."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from keys(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def tljh_settings():
    """Return what TLJH's hub is told by our Python file: a Config of traitlets."""
    from traitlets.config import Config

    config = Config()
    file = ROOT / "hubs/tljh/channels_live.py"
    runpy.run_path(str(file), {"get_config": lambda: config})
    return config


@pytest.mark.parametrize(("file", "known"), [(TLJH, FOR_TLJH), (CHART, FOR_THE_CHART)])
def test_keys_are_those_that_the_project_documents(file, known):
    assert {key: type(value) for key, value in keys(yaml.safe_load(file.read_text()))} == known


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
def test_settings_are_those_of_jupyterhub():
    auth = pytest.importorskip("jupyterhub.auth")
    from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
    from jupyterhub.spawner import Spawner

    for name, value in tljh_settings()["Spawner"].items():
        Spawner.class_traits(config=True)[name].validate(Spawner(), value)
    values = dict(keys(yaml.safe_load(CHART.read_text())))
    ours = {key.rpartition(".")[2] for key in values if "Authenticator" in key}
    assert ours and ours <= set(auth.Authenticator.class_trait_names(config=True))
    passwords = re.findall(r"SharedPasswordAuthenticator\.(\w+)=", CHART.read_text())
    assert set(passwords) <= set(SharedPasswordAuthenticator.class_trait_names(config=True))


def test_learner_begins_at_lesson_0_with_files_that_stay(monkeypatch, tmp_path):
    values = dict(keys(yaml.safe_load(CHART.read_text())))
    spawner = tljh_settings()["Spawner"]
    named = values["singleuser.extraEnv.CHANNELS_LIVE_WORKSPACE"]
    assert spawner.environment["CHANNELS_LIVE_WORKSPACE"] == named
    monkeypatch.setenv("CHANNELS_LIVE_WORKSPACE", named)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert workspace_folder() == Path(os.path.realpath(tmp_path), "workspace")
    # both begin in the learner's home
    first = f"/lab/tree/workspace/notebooks/{lesson_path(0).name}"
    assert spawner.default_url == values["singleuser.defaultUrl"] == first


def test_limits_are_those_that_were_measured():
    from channels_live.workshop import plan

    values = dict(keys(yaml.safe_load(CHART.read_text())))
    limit = dict(keys(yaml.safe_load(TLJH.read_text())))["limits.memory"]
    assert limit == values["singleuser.memory.limit"] == "768M"  # as of `channels-live class`
    assert values["singleuser.memory.guarantee"] == f"{plan.LEARNER * 1000:.0f}M"


def test_links_for_learners_open_lessons_that_stand_there():
    text = (ROOT / "INSTRUCTORS.md").read_text("utf-8") + (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"lab(?:/|%2F)tree(?:/|%2F)\S*?\b(\d\d_\w+\.ipynb)", text)
    assert len(links) >= 3
    for name in links:
        assert (ROOT / "notebooks" / name).is_file(), name
