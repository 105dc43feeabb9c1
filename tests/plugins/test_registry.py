"""Names to objects: the order, conflicts, pins, switching off, broken and outdated plugins."""

from __future__ import annotations

import pickle
import sys
import warnings

import pytest

from kcore import config
from kcore.errors import (
    NotInstalledError,
    PluginConflictError,
    PluginDisabledError,
    PluginError,
    PluginLoadError,
    PluginVersionError,
    PluginWarning,
)
from kcore.plugins import registry, report
from kcore.plugins.scopes import CustomObjectScope, get_custom_objects

CLASS = "type({0!r}, (), {{'origin': __name__}})"


def a_class(name):
    return CLASS.format(name)


def set_environment(monkeypatch, **variables):
    for key, value in variables.items():
        monkeypatch.setenv(f"KCORE_PLUGINS_{key}", value)
    config.reload()


# --- the order -----------------------------------------------------------------------------------------


def test_the_order_of_looking_up(site):
    site.plugin("zoo", Zebra="'plugin'")
    assert registry.get("layers", "Zebra") == "plugin"
    registry.register("layers", "Zebra", "registered")
    get_custom_objects()["Zebra"] = "global"
    try:
        assert registry.get("layers", "Zebra") == "global"
        with CustomObjectScope({"Zebra": "outer"}):
            with CustomObjectScope({"Zebra": "inner"}):
                assert registry.get("layers", "Zebra") == "inner"
                assert registry.get("layers", "Zebra", {"Zebra": "argument"}) == "argument"
            with CustomObjectScope({"Other": "inner"}):
                assert registry.get("layers", "Zebra") == "outer"
        del get_custom_objects()["Zebra"]
        assert registry.get("layers", "Zebra") == "registered"
    finally:
        get_custom_objects().pop("Zebra", None)
        registry.unregister("layers", "Zebra")
    assert registry.get("layers", "Zebra") == "plugin"


def test_register_as_a_decorator():
    @registry.register("losses")
    def one_of_my_losses(y_true, y_pred):
        return y_pred

    @registry.register("losses", "another")
    def other(y_true, y_pred):
        return y_true

    try:
        assert registry.get("losses", "one_of_my_losses") is one_of_my_losses
        assert registry.get("losses", "another") is other
        assert {"another", "one_of_my_losses"} <= set(registry.names("losses"))
    finally:
        registry.unregister("losses", "one_of_my_losses")
        registry.unregister("losses", "another")
    assert "another" not in registry.names("losses")


def test_register_refuses_names_that_cannot_be_looked_up():
    with pytest.raises(ValueError, match="without ':'"):
        registry.register("losses", "a:b", print)
    with pytest.raises(KeyError, match="no kind of plugin"):
        registry.register("lossez", "a", print)


def test_optimizers_are_found_in_lower_case_and_layers_are_not(site):
    site.plugin("gear", "optimizers", AdaWolf=a_class("AdaWolf"))
    site.plugin("zoo", Zebra=a_class("Zebra"))
    assert registry.get("optimizers", "adawolf") is registry.get("optimizers", "AdaWolf")
    assert registry.get("optimizers", "gear:ADAWOLF") is registry.get("optimizers", "AdaWolf")
    with pytest.raises(NotInstalledError):
        registry.get("layers", "zebra")


def test_the_distribution_can_be_named(site):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    site.plugin("zoo-two", Zebra=a_class("Zebra"))
    assert registry.get("layers", "zoo-one:Zebra").origin == "zoo_one"
    assert registry.get("layers", "Zoo_Two:Zebra").origin == "zoo_two"
    assert registry.entry_for("activations", "kcore:relu").distribution == "kcore"
    with pytest.raises(NotInstalledError, match="zoo-three:Zebra"):
        registry.get("layers", "zoo-three:Zebra")


# --- not there -----------------------------------------------------------------------------------------


def test_a_first_party_name_says_what_to_install(site, first_party):
    with pytest.raises(ValueError, match="pip install kcore-layers-zoo") as caught:
        registry.get("layers", "Aardvark")
    error = caught.value
    assert (error.kind, error.name, error.distribution) == ("layers", "Aardvark", "kcore-layers-zoo")
    with pytest.raises(ValueError, match="pip install kcore-optimizers-zoo"):
        registry.get("optimizers", "badger")


def test_a_misspelt_first_party_name_says_what_to_install(site, first_party):
    with pytest.raises(ValueError, match=r"Did you mean 'Aardvark'.*pip install kcore-layers-zoo"):
        registry.get("layers", "Aardvrk")


def test_an_old_version_of_a_first_party_plugin_says_to_upgrade(site, first_party):
    site.plugin("kcore-layers-zoo", Bear=a_class("Bear"))
    with pytest.raises(ValueError, match=r"newer versions.*1\.0.*pip install --upgrade kcore-layers-zoo"):
        registry.get("layers", "Aardvark")


def test_an_unknown_name_names_the_nearest_ones(site):
    site.plugin("zoo", Zebra=a_class("Zebra"), Zorilla=a_class("Zorilla"))
    with pytest.raises(ValueError, match=r"Unknown layer: 'Zebro'\. Did you mean 'Zebra'") as caught:
        registry.get("layers", "Zebro")
    assert caught.value.nearest == ("Zebra",)
    assert "defects" not in str(caught.value)


@pytest.mark.parametrize(("kind", "told"), [("losses", True), ("datasets", False), ("backends", False)])
@pytest.mark.parametrize("wanted", ["zebro", "quagga"])
def test_custom_objects_are_offered_where_they_are_looked_up(site, kind, told, wanted):
    site.plugin("zoo", kind, zebra=a_class("zebra"))
    with pytest.raises(ValueError, match=wanted) as caught:
        registry.get(kind, wanted)
    assert ("custom_objects" in str(caught.value)) == told


def test_a_missing_name_points_to_defects_of_what_is_installed(site):
    site.distribution("misspelt", {"layer": {"Quagga": "misspelt:Quagga"}})
    with pytest.raises(ValueError, match="defects: 'kcore plugins check' tells which"):
        registry.get("layers", "Quagga")
    assert "[kcore.layer] is unknown; did you mean [kcore.layers]?" in "".join(report.problems())


def test_a_name_of_another_kind_says_so(site):
    site.plugin("gear", "optimizers", AdaWolf=a_class("AdaWolf"))
    with pytest.raises(ValueError, match=r"no layer but an optimizer: kcore\.optimizers\.AdaWolf"):
        registry.get("layers", "AdaWolf")


def test_the_message_for_a_missing_name_imports_nothing(site):
    site.module("explosive.py", "raise SystemExit('imported')\n")
    site.distribution("explosive", {"layers": {"Zebra": "explosive:Zebra"}})
    with pytest.raises(ValueError, match="Did you mean 'Zebra'"):
        registry.get("layers", "Zebro")
    assert "explosive" not in sys.modules


def test_what_is_no_string_is_refused():
    with pytest.raises(ValueError, match="Expected its name"):
        registry.get("layers", ["Dense"])
    with pytest.raises(KeyError, match="the kinds are layers"):
        registry.get("layer", "Dense")


# --- two distributions, one name -------------------------------------------------------------------------


def test_two_third_parties_are_an_error_that_names_both_and_a_way_out(site):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    site.plugin("zoo-two", Zebra=a_class("Zebra"))
    with pytest.raises(PluginConflictError, match=r"zoo-one 1\.0 and by zoo-two 1\.0") as caught:
        registry.get("layers", "Zebra")
    assert caught.value.candidates == ("zoo-one:Zebra", "zoo-two:Zebra")
    for way_out in ("kcore.json", "KCORE_PLUGINS_PINS=layers:Zebra=zoo-one", "'zoo-two:Zebra'"):
        assert way_out in str(caught.value)
    assert {row.state for row in report.rows("layers") if row.name == "Zebra"} == {"conflict"}


def test_a_pin_decides(site, monkeypatch):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    site.plugin("zoo-two", Zebra=a_class("Zebra"))
    for chosen in ("zoo-two", "zoo-one"):
        set_environment(monkeypatch, PINS=f"layers:Zebra={chosen}")
        assert registry.get("layers", "Zebra").origin == chosen.replace("-", "_")
    states = {row.distribution: row.state for row in report.rows("layers") if row.name == "Zebra"}
    assert states == {"zoo-one": "ok", "zoo-two": "shadowed"}
    set_environment(monkeypatch, PINS="layers:Zebra=zoo-three")
    with pytest.raises(NotInstalledError, match=r"pins 'layers:Zebra' to zoo-three.*pip install zoo-three"):
        registry.get("layers", "Zebra")


def test_the_first_party_wins_and_says_so_once(site, first_party):
    site.plugin("aaa-earlier", Aardvark=a_class("Aardvark"))
    site.plugin("kcore-layers-zoo", Aardvark=a_class("Aardvark"))
    with pytest.warns(PluginWarning, match="kcore-layers-zoo 1.0 and also by aaa-earlier 1.0; the first-party"):
        assert registry.get("layers", "Aardvark").origin == "kcore_layers_zoo"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.get("layers", "Aardvark")
        assert registry.get("layers", "aaa-earlier:Aardvark").origin == "aaa_earlier"
    states = {row.distribution: row.state for row in report.rows("layers") if row.name == "Aardvark"}
    assert states == {"aaa-earlier": "shadowed", "kcore-layers-zoo": "ok"}


def test_a_third_party_does_not_silently_stand_in_for_a_missing_first_party(site, first_party):
    site.plugin("other", Aardvark=a_class("Aardvark"))
    with pytest.warns(PluginWarning, match="comes from other 1.0, since kcore-layers-zoo"):
        assert registry.get("layers", "Aardvark").origin == "other"


def test_a_pin_silences_the_warning(site, first_party, monkeypatch):
    site.plugin("other", Aardvark=a_class("Aardvark"))
    set_environment(monkeypatch, PINS="layers:Aardvark=other")
    assert registry.get("layers", "Aardvark").origin == "other"


def test_a_third_party_replaces_a_core_name_only_by_a_pin(site, monkeypatch):
    site.plugin("other", "activations", relu="'not the real one'")
    assert registry.entry_for("activations", "relu").distribution == "kcore"
    assert {r.state for r in report.rows("activations") if r.distribution == "other"} == {"shadowed"}
    set_environment(monkeypatch, PINS="activations:relu=other")
    assert registry.get("activations", "relu") == "not the real one"


def test_equal_values_are_no_conflict(site):
    site.module("shared_zoo.py", "class Zebra: pass\n")
    site.distribution("zoo-one", {"layers": {"Zebra": "shared_zoo:Zebra"}})
    site.distribution("zoo-two", {"layers": {"Zebra": "shared_zoo:Zebra"}})
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"
    assert {row.state for row in report.rows("layers") if row.name == "Zebra"} == {"ok"}


def test_two_entries_that_name_one_object_are_no_conflict(site):
    site.module("shared_zoo.py", "class Zebra: pass\n")
    site.module("again.py", "from shared_zoo import Zebra\n")
    site.distribution("zoo-one", {"layers": {"Zebra": "shared_zoo:Zebra"}})
    site.distribution("zoo-two", {"layers": {"Zebra": "again:Zebra"}})
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"


def test_a_conflict_with_a_broken_plugin_stays_a_conflict(site):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    site.plugin("zoo-two", source="import nowhere_to_be_found\n", Zebra="1")
    with pytest.raises(PluginConflictError):
        registry.get("layers", "Zebra")


CONFLICT = """
from kcore.plugins import registry
try:
    registry.get("layers", "Zebra")
except ImportError as error:
    print(error)
"""


def test_conflicts_do_not_depend_on_the_hash_seed_or_the_order_of_folders(site):
    for name in ("zoo-two", "zoo-one", "zoo-three"):
        site.plugin(name, Zebra=a_class("Zebra"))
    results = {site.python(CONFLICT, PYTHONHASHSEED=seed).stdout for seed in ("0", "1", "2")}
    assert len(results) == 1
    assert "zoo-one 1.0 and by zoo-three 1.0 and by zoo-two 1.0" in results.pop()


# --- broken ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("def f(:", "SyntaxError"),
        ("", "AttributeError.*has no attribute 'Zebra'"),
    ],
)
def test_a_broken_plugin_says_so_and_leaves_the_others_alone(site, source, cause):
    site.module("broken_zoo.py", source + "\n")
    site.distribution("broken-zoo", {"layers": {"Zebra": "broken_zoo:Zebra"}}, version="2.5")
    site.plugin("aaa", Ant=a_class("Ant"))
    site.plugin("zzz", Zorilla=a_class("Zorilla"))
    with pytest.raises(PluginLoadError, match=f"'Zebra' of broken-zoo 2.5 cannot be loaded.*{cause}") as caught:
        registry.get("layers", "Zebra")
    error = caught.value
    assert (error.kind, error.name, error.distribution, error.version) == (
        "layers",
        "Zebra",
        "broken-zoo",
        "2.5",
    )
    assert error.cause is error.__cause__
    assert "pip install --upgrade broken-zoo" in str(error)
    assert registry.get("layers", "Ant").origin == "aaa"
    assert registry.get("layers", "Zorilla").origin == "zzz"
    states = {row.name: row.state for row in report.rows("layers")}
    assert (states["Zebra"], states["Ant"]) == ("broken", "ok")


def test_a_module_where_an_object_is_expected(site):
    """An entry point without its ':name' would otherwise fail where the module is called."""
    site.module("half.py", "class Zebra: pass\n")
    site.distribution("half", {"layers": {"Zebra": "half"}, "datasets": {"half": "half"}})
    with pytest.raises(PluginLoadError, match="it is a module; the entry point of a layer is 'module:name'"):
        registry.get("layers", "Zebra")
    assert registry.get("datasets", "half").Zebra


def test_a_plugin_that_was_repaired_is_tried_again(site):
    site.module("weak.py", "raise RuntimeError('not yet')\n")
    site.distribution("weak", {"layers": {"Zebra": "weak:Zebra"}})
    with pytest.raises(PluginLoadError, match="not yet"):
        registry.get("layers", "Zebra")
    site.module("weak.py", "class Zebra:\n    repaired = True\n")
    sys.modules.pop("weak", None)
    registry.refresh()
    assert registry.get("layers", "Zebra").repaired


# --- versions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["v2", "v2.0", "v1.7", "0", "soon"])
def test_another_plugin_api_is_said_before_any_code_is_imported(site, api):
    site.module("foreign.py", "raise AssertionError('imported')\n")
    site.distribution("foreign", {"layers": {"Zebra": "foreign:Zebra"}, "api": {api: "foreign"}})
    with pytest.raises(PluginVersionError, match=r"As its user: pip install --upgrade.*As its author") as caught:
        registry.get("layers", "Zebra")
    assert (caught.value.wanted, caught.value.spoken) == (api, "v1.0")
    assert "foreign" not in sys.modules
    assert {row.state for row in report.rows("layers") if row.name == "Zebra"} == {"outdated"}
    assert any("foreign" in problem for problem in report.problems())


@pytest.mark.parametrize("api", [("v1",), ("v1.0",), ("1",), (), ("v1", "v2")])
def test_this_plugin_api_is_accepted(site, api):
    site.module("fitting.py", "class Zebra: pass\n")
    site.distribution("fitting", {"layers": {"Zebra": "fitting:Zebra"}, "api": dict.fromkeys(api, "fitting")})
    assert registry.get("layers", "Zebra").__name__ == "Zebra"


def test_a_plugin_too_new_says_to_upgrade_the_core(site):
    site.distribution("foreign", {"layers": {"Zebra": "foreign:Zebra"}, "api": {"v2": "foreign"}})
    with pytest.raises(PluginVersionError, match="pip install --upgrade kcore"):
        registry.get("layers", "Zebra")


# --- switching off ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", ["zoo-one", "Zoo_One", "layers:Zebra"])
def test_switching_off_a_distribution_or_a_name(site, monkeypatch, switch):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    assert "Zebra" in registry.names("layers")
    assert registry.get("layers", "Zebra")
    set_environment(monkeypatch, DISABLED=switch)
    with pytest.raises(PluginDisabledError, match=r"zoo-one 1.0, which is installed, but .*KCORE_PLUGINS_DISABLED"):
        registry.get("layers", "Zebra")
    with pytest.raises(PluginDisabledError):
        registry.get("layers", "zoo-one:Zebra")
    assert "Zebra" not in registry.names("layers")
    assert {row.state for row in report.rows("layers") if row.name == "Zebra"} == {"disabled"}


def test_switching_off_one_side_ends_a_conflict(site, monkeypatch):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    site.plugin("zoo-two", Zebra=a_class("Zebra"))
    set_environment(monkeypatch, DISABLED="zoo-one")
    assert registry.get("layers", "Zebra").origin == "zoo_two"


def test_an_allow_list_is_about_third_parties(site, first_party, monkeypatch):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    site.plugin("zoo-two", Zorilla=a_class("Zorilla"))
    site.plugin("kcore-layers-zoo", Aardvark=a_class("Aardvark"))
    set_environment(monkeypatch, ALLOWED="zoo-one")
    assert registry.get("layers", "Zebra") and registry.get("layers", "Aardvark")
    with pytest.raises(PluginDisabledError, match="'allowed'"):
        registry.get("layers", "Zorilla")


def test_first_party_only(site, first_party, monkeypatch):
    site.plugin("zoo-one", Zebra=a_class("Zebra"))
    site.plugin("kcore-layers-zoo", Aardvark=a_class("Aardvark"))
    set_environment(monkeypatch, FIRST_PARTY_ONLY="1")
    assert registry.get("layers", "Aardvark")
    with pytest.raises(PluginDisabledError, match="only first-party"):
        registry.get("layers", "Zebra")


def test_the_strict_switch_makes_a_note_an_error(site, first_party, monkeypatch):
    site.plugin("other", Aardvark=a_class("Aardvark"))
    set_environment(monkeypatch, STRICT="1")
    with pytest.raises(PluginError, match="comes from other"):
        registry.get("layers", "Aardvark")


# --- the rest ------------------------------------------------------------------------------------------------


def test_mapping_reads_lazily(site):
    site.plugin("zoo", Zebra=a_class("Zebra"))
    site.module("explosive.py", "raise SystemExit('imported')\n")
    site.distribution("explosive", {"layers": {"Boom": "explosive:Boom"}})
    registry.refresh()
    layers = registry.mapping("layers")
    assert {"Zebra", "Boom", "Input"} <= set(layers)
    assert "Zebra" in layers and "Zebro" not in layers and 3 not in layers
    assert "zebra" not in layers and "Model" in layers
    assert layers.get("Zebra").origin == "zoo"
    assert layers.get("Zebro") is None
    with pytest.raises(KeyError, match="Did you mean 'Zebra'"):
        layers["Zebro"]
    assert len(layers) == len(list(layers))


def test_where_an_object_came_from(site):
    site.plugin("zoo", source="class Zebra: pass\n", Yak="1")
    registry.refresh()
    cls = __import__("zoo").Zebra
    assert registry.distribution_of(cls) == ("zoo", "1.0")
    assert registry.distribution_of(registry.Entry)[0] == "kcore"
    assert registry.distribution_of(len) is None


@pytest.mark.parametrize("form", [lambda e: e, lambda e: e.for_attribute(), lambda e: e.for_import()])
def test_errors_survive_pickling(form):
    error = form(PluginDisabledError("text", kind="layers", name="Zebra", reason="because"))
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), "text", vars(error))
