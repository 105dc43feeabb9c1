"""What is generated is up to date, and every first-party name can be used."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import kcore
from kcore.plugins import discovery, registry
from kcore.plugins.catalogue import CATALOGUE
from kcore.plugins.core_objects import CORE_OBJECTS

ROOT = Path(__file__).resolve().parents[2]


def load_tool():
    spec = importlib.util.spec_from_file_location("catalogue_tool", ROOT / "tools" / "catalogue.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_up_to_date():
    assert load_tool().drift() == "", "run `make catalogue`"


@pytest.mark.parametrize("kind", CORE_OBJECTS)
def test_every_core_name_can_be_imported(kind):
    for name, value in CORE_OBJECTS[kind].items():
        found = registry.load(registry.core_entry(kind, name))
        assert found is not None, value


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_first_party_name_can_be_imported(kind):
    distributions = discovery.index().distributions
    door = getattr(kcore, kind)
    for name, distribution in CATALOGUE[kind].items():
        if kind == "backends":
            continue  # needs a GPU's libraries: tested with its own distribution
        assert distribution in distributions, f"{distribution} is not installed: make install"
        assert registry.entry_for(kind, name).distribution == distribution
        assert getattr(door, name) is registry.get(kind, name)


def test_first_party_plugins_follow_the_conventions():
    for project in load_tool().plugin_projects():
        package = project["name"].replace("-", "_")
        groups = project["entry-points"]
        assert project["version"] == "0.1.0", package
        assert project["license"].split(" AND ")[0] == "MIT" and project["requires-python"] == ">=3.11", package
        assert "kcore>=0.1,<0.2" in project["dependencies"], package
        assert list(groups["kcore.api"]) == ["v1"], package
        for group, names in groups.items():
            for value in names.values():
                assert value.partition(":")[0].partition(".")[0] == package, (group, value)
