"""The modules whose names the registry resolves, as scripts use them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest

import kcore
from kcore.errors import NotInstalledError, PluginDisabledError, PluginLoadError, PluginWarning
from kcore.plugins import registry
from kcore.plugins.kinds import KINDS
from kcore.plugins.old_paths import OLD_PATHS

CLASS = "type('Zebra', (), {})"


def test_the_three_ways_to_a_name(site):
    site.plugin("zoo", Zebra=CLASS)
    from kcore.layers import Zebra

    assert kcore.layers.Zebra is Zebra
    assert importlib.import_module("kcore.layers").Zebra is Zebra
    assert "Zebra" in dir(kcore.layers)
    assert hasattr(kcore.layers, "Zebra")


def test_what_is_missing_answers_each_way_in_its_own_form(site, first_party):
    assert not hasattr(kcore.layers, "Aardvark")
    assert getattr(kcore.layers, "Aardvark", None) is None
    with pytest.raises(AttributeError, match="pip install kcore-layers-zoo"):
        kcore.layers.Aardvark  # noqa: B018
    with pytest.raises(ImportError, match="pip install kcore-layers-zoo") as caught:
        from kcore.layers import Aardvark
    assert isinstance(caught.value, NotInstalledError)
    assert caught.value.distribution == "kcore-layers-zoo"
    with pytest.raises(ImportError, match="pip install kcore-layers-zoo"):
        from kcore.layers.core import Aardvark  # noqa: F401
    with pytest.raises(ValueError, match="pip install kcore-layers-zoo"):
        kcore.layers.deserialize({"class_name": "Aardvark", "config": {}})


def test_a_misspelt_name_in_an_import(site):
    site.plugin("zoo", Zebra=CLASS)
    with pytest.raises(ImportError, match="Did you mean 'Zebra'"):
        from kcore.layers import Zebro  # noqa: F401


def test_a_broken_plugin_keeps_its_cause_through_an_import(site):
    site.plugin("zoo", source="1 / 0\n", Zebra="1")
    with pytest.raises(PluginLoadError, match="ZeroDivisionError") as caught:
        from kcore.layers import Zebra  # noqa: F401
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_disabled_plugin_in_an_import(site, monkeypatch):
    site.plugin("zoo", Zebra=CLASS)
    monkeypatch.setenv("KCORE_PLUGINS_DISABLED", "zoo")
    kcore.config.reload()
    assert not hasattr(kcore.layers, "Zebra")
    with pytest.raises(PluginDisabledError, match="switched off") as caught:
        from kcore.layers import Zebra  # noqa: F401
    assert isinstance(caught.value, ImportError)


def test_star_import_brings_everything_that_works(site):
    site.plugin("zoo", "callbacks", Zebra=CLASS)
    site.plugin("broken", "callbacks", source="1 / 0\n", Boom="1")
    names: dict = {}
    with pytest.warns(PluginWarning, match="Boom"):
        exec("from kcore.callbacks import *", names)
    assert "Zebra" in names and "Boom" not in names


def test_inspection_does_not_scan(site):
    code = """
import inspect, kcore.layers
from kcore.plugins import discovery
for name in ("__wrapped__", "_ipython_canary_method", "__path__", "__file__"):
    getattr(kcore.layers, name, None)
inspect.unwrap(kcore.layers), inspect.getdoc(kcore.layers), repr(kcore.layers)
assert discovery.known_index() is None
"""
    result = site.python(code)
    assert result.returncode == 0, result.stderr


def test_a_name_in_a_scope_goes_before_the_plugins(site):
    site.plugin("zoo", Zebra=CLASS)
    with kcore.plugins.scopes.CustomObjectScope({"Zebra": "mine"}):
        assert kcore.layers.Zebra == "mine"
    assert kcore.layers.Zebra != "mine"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_door(site, kind):
    site.plugin("anything", kind, some_thing="object()")
    door = importlib.import_module(f"kcore.{kind}")
    assert door.some_thing is registry.get(kind, "some_thing")
    assert "some_thing" in dir(door)


# --- modules ---------------------------------------------------------------------------------------------


def a_data_set(site):
    site.module("farm/__init__.py", "from farm import barn\ndef load_data(): return 'cows'\n")
    site.module("farm/barn.py", "class Cow: pass\n")
    site.distribution("farm", {"datasets": {"cows": "farm"}})
    registry.refresh()


def test_modules_are_imported_under_the_cores_name(site):
    a_data_set(site)
    import kcore.datasets.cows
    from kcore.datasets import cows
    from kcore.datasets.cows import load_data

    assert load_data() == "cows"
    assert kcore.datasets.cows is cows is sys.modules["kcore.datasets.cows"] is sys.modules["farm"]
    assert cows.__name__ == "farm" and cows.__spec__.name == "farm"
    assert "cows" in dir(kcore.datasets)


def test_a_module_as_an_attribute_can_be_imported_afterwards(site):
    a_data_set(site)
    assert kcore.datasets.cows.load_data() == "cows"
    from kcore.datasets.cows import load_data

    assert load_data.__module__ == "farm"


def test_below_a_plugins_module_nothing_is_loaded_twice(site):
    a_data_set(site)
    from kcore.datasets.cows.barn import Cow

    assert Cow is sys.modules["farm.barn"].Cow


def test_a_missing_module_is_an_import_error_that_says_what_to_install(site, monkeypatch):
    from kcore.plugins.catalogue import CATALOGUE

    monkeypatch.setitem(CATALOGUE, "datasets", {"cows": "kcore-datasets-cows"})
    with pytest.raises(ModuleNotFoundError, match="pip install kcore-datasets-cows"):
        importlib.import_module("kcore.datasets.cows")
    with pytest.raises(ImportError, match="pip install kcore-datasets-cows"):
        from kcore.datasets import cows  # noqa: F401
    with pytest.raises(ImportError, match="pip install kcore-datasets-cows"):
        from kcore.datasets.cows import load_data  # noqa: F401


def test_a_function_is_no_module_and_a_class_stands_for_itself(site):
    site.plugin("zoo", Zebra=CLASS, gallop="lambda x: x")
    with pytest.raises(ModuleNotFoundError, match=r"from kcore\.layers import gallop"):
        importlib.import_module("kcore.layers.gallop")
    found = importlib.import_module("kcore.layers.Zebra")
    assert found is kcore.layers.Zebra and isinstance(found, type)


def test_an_alias_is_forgotten_when_its_plugin_is_gone(site):
    a_data_set(site)
    importlib.import_module("kcore.datasets.cows")
    for file in (site.folder / "farm-1.0.dist-info").iterdir():
        file.unlink()
    registry.refresh()
    with pytest.raises(ImportError):
        importlib.import_module("kcore.datasets.cows")


def test_what_the_core_does_not_have_is_refused_with_the_nearest():
    with pytest.raises(ModuleNotFoundError, match=r"cannot import name 'nowhere' from 'kcore'"):
        importlib.import_module("kcore.nowhere")
    assert importlib.util.find_spec("kcore.config").origin.endswith("config.py")


# --- old import paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("old_path", OLD_PATHS)
def test_every_old_path_is_a_module(old_path):
    module = importlib.import_module(old_path)
    assert isinstance(module, ModuleType)
    parent, _, name = old_path.rpartition(".")
    assert getattr(sys.modules[parent], name) is module


def test_old_paths_find_a_plugins_names(site):
    site.plugin("zoo", Zebra=CLASS)
    from kcore.layers import recurrent
    from kcore.layers.core import Zebra

    assert Zebra is kcore.layers.Zebra is recurrent.Zebra
    assert "Zebra" in dir(recurrent)
    with pytest.raises(AttributeError):
        recurrent.__wrapped__  # noqa: B018


# --- the package itself -----------------------------------------------------------------------------------------


def test_the_packages_names():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        kcore.nothing  # noqa: B018
    assert {"layers", "Sequential", "Input", "__version__"} <= set(dir(kcore))
    for name in ("layers", "losses", "plugins", "config", "errors"):
        assert getattr(kcore, name) is sys.modules[f"kcore.{name}"]


@pytest.mark.parametrize(
    "name", ["kcore", "kcore.backend", "kcore.engine", "kcore.models", "kcore.saving", "kcore.utils"]
)
def test_completion_offers_what_is_public_and_nothing_that_a_module_needs(name):
    module = importlib.import_module(name)
    offered = {word for word in dir(module) if not word.startswith("_")}
    assert not offered & {"Any", "TYPE_CHECKING", "annotations", "importlib", "lazy_names", "ModuleType"}
    assert offered >= set(getattr(module, "__all__", ())) - {"__version__"}
    for word in offered:
        getattr(module, word)
