"""Hooks: loaded at the first call, in a fixed order, each on its own."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from kcore import config
from kcore.errors import PluginLoadError, PluginWarning
from kcore.plugins import discovery, hooks, registry

HOOK = """
from kcore.plugins.hookspecs import hookimpl

@hookimpl
def kcore_fit_callbacks(model):
    return [__name__ + " for " + model]
"""


def hook_plugin(site, name, source=HOOK, api="v1"):
    package = name.replace("-", "_")
    site.module(f"{package}.py", source)
    site.distribution(name, {"hooks": {"anything": package}, "api": {api: package}})
    registry.refresh()


def test_without_hooks_nothing_is_loaded(site):
    code = """
import sys
from kcore.plugins import hooks
assert hooks.call("kcore_fit_callbacks", model=None) == []
assert "pluggy" not in sys.modules
"""
    with_hooks = [name for name, found in discovery.index().distributions.items() if found.hooks]
    result = site.python(code, KCORE_PLUGINS_DISABLED=",".join(with_hooks))
    assert result.returncode == 0, result.stderr


def test_hooks_are_called_in_the_order_of_the_distributions(site):
    for name in ("hook-c", "hook-a", "hook-b"):
        hook_plugin(site, name)
    assert hooks.call("kcore_fit_callbacks", model="m") == [
        ["hook_a for m"],
        ["hook_b for m"],
        ["hook_c for m"],
    ]


def test_looking_up_never_loads_hooks(site):
    site.module("with_hooks.py", HOOK.replace("import hookimpl", "import hookimpl, nothing_such"))
    site.module("with_layer.py", "Zebra = 1\n")
    site.distribution("both", {"hooks": {"anything": "with_hooks"}, "layers": {"Zebra": "with_layer:Zebra"}})
    assert registry.get("layers", "Zebra") == 1
    assert "with_hooks" not in sys.modules


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("1 / 0", "ZeroDivisionError"),
        (HOOK.replace("kcore_fit_callbacks", "kcore_no_such_hook"), "kcore_no_such_hook"),
        (HOOK.replace("(model)", "(model, surprise)"), "surprise"),
    ],
)
def test_a_broken_hook_module_leaves_the_others_alone(site, source, cause):
    hook_plugin(site, "hook-a")
    hook_plugin(site, "hook-b", source)
    hook_plugin(site, "hook-c")
    with pytest.warns(PluginWarning, match=f"(?s)of hook-b 1.0 are left out.*{cause}"):
        results = hooks.call("kcore_fit_callbacks", model="m")
    assert results == [["hook_a for m"], ["hook_c for m"]]
    assert len(hooks.call("kcore_fit_callbacks", model="m")) == 2


def test_strict_and_switched_off(site, monkeypatch):
    hook_plugin(site, "hook-a", "1 / 0")
    monkeypatch.setenv("KCORE_PLUGINS_STRICT", "1")
    config.reload()
    with pytest.raises(PluginLoadError, match="hook-a"):
        hooks.call("kcore_fit_callbacks", model="m")
    monkeypatch.setenv("KCORE_PLUGINS_DISABLED", "hook-a")
    config.reload()
    hooks.forget()
    assert hooks.call("kcore_fit_callbacks", model="m") == []


def test_a_hook_module_for_another_plugin_api_is_not_imported(site):
    hook_plugin(site, "hook-a", "raise SystemExit", api="v9")
    assert hooks.call("kcore_fit_callbacks", model="m") == []


def test_an_exception_in_a_hook_names_its_plugin(site):
    hook_plugin(site, "hook-a", HOOK.replace('[__name__ + " for " + model]', "1 / 0"))
    with pytest.raises(ZeroDivisionError) as caught:
        hooks.call("kcore_fit_callbacks", model="m")
    assert caught.value.__notes__ == ["(in the hook kcore_fit_callbacks of the plugin hook-a 1.0)"]


@pytest.mark.parametrize("called_before", [False, True])
def test_hooks_of_the_program_itself(site, called_before):
    from kcore.plugins.hookspecs import hookimpl

    if called_before:
        assert hooks.call("kcore_fit_callbacks", model="m") == []
    mine = SimpleNamespace(kcore_fit_callbacks=hookimpl(lambda model: [model]))
    hooks.register(mine)
    assert hooks.call("kcore_fit_callbacks", model="m") == [["m"]]
    hooks.unregister(mine)
    assert hooks.call("kcore_fit_callbacks", model="m") == []
