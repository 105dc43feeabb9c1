"""`tools/isolated.py`: a plugin's tests see what the plugin declares, and nothing else."""

from __future__ import annotations

import importlib
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROBE = """
import importlib
for name in "numpy pytest kcore kcore_layers_core kcore_losses kcore_layers_merge scipy PIL hypothesis".split():
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    print(name)
"""


@pytest.fixture
def isolated(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("isolated")


def test_only_what_is_declared_is_there(isolated, tmp_path):
    workshop = isolated.Workshop(tmp_path)
    (project,) = isolated.chosen(workshop.projects, ["plugins/layers/core/"])
    site = workshop.site(project)
    found = subprocess.run(
        [workshop.python, "-s", "-P", "-c", PROBE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["numpy", "pytest", "kcore", "kcore_layers_core"]


def test_the_extra_test_counts_and_its_own_extras_do_not(isolated, tmp_path):
    workshop = isolated.Workshop(tmp_path)
    wrappers = workshop.projects["kcore-layers-wrappers"]
    assert wrappers.requirements([]) == [isolated.Requirement("kcore>=0.1,<0.2")]
    ours, others = workshop.closure(wrappers)
    assert {"kcore", "kcore-layers-wrappers", "kcore-layers-recurrent"} <= ours and "kcore-losses" not in ours
    assert {"numpy", "h5py", "pytest", "pluggy"} <= others and "scipy" not in others


def test_an_unknown_plugin_is_refused(isolated, tmp_path):
    workshop = isolated.Workshop(tmp_path)
    with pytest.raises(SystemExit, match="no distribution with tests is called 'layers/cor'; there are .*kcore-losses"):
        isolated.chosen(workshop.projects, ["layers/cor"])


def test_a_library_that_is_not_installed_is_named(isolated, tmp_path):
    project = isolated.Project(tmp_path, {"name": "kcore-backends-x", "dependencies": ["no-such-library>=3"]})
    with pytest.raises(isolated.Missing, match="no-such-library"):
        isolated.Workshop(tmp_path).closure(project)
