"""The program `kcore`."""

from __future__ import annotations

import json
import sys

import pytest

from kcore import config
from kcore.cli import main


@pytest.fixture
def zoo(site):
    site.plugin("zoo", Zebra="type('Zebra', (), {})")
    site.plugin("broken-zoo", source="1 / 0\n", Gnu="1")
    site.distribution("junk", entry_points="[kcore.layers]\njunk\n")
    return site


def run(capsys, *words):
    status = main(words)
    return status, capsys.readouterr().out


def test_list_shows_everything_and_imports_nothing(zoo, capsys):
    status, out = run(capsys, "plugins", "list", "--kind", "layers")
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["layers", "Zebra", "zoo", "1.0", "ok"] in lines
    assert ["layers", "Gnu", "broken-zoo", "1.0", "ok"] in lines
    assert "problem: junk: [kcore.layers] has a line that is no entry: 'junk'" in out
    assert "zoo" not in sys.modules and "broken_zoo" not in sys.modules


def test_list_as_json(zoo, capsys):
    status, out = run(capsys, "plugins", "list", "--json", "--distribution", "Zoo")
    data = json.loads(out)
    assert status == 0
    assert [row["name"] for row in data["plugins"]] == ["Zebra"]
    assert data["plugins"][0]["state"] == "ok"
    assert any("junk" in problem for problem in data["problems"])


def test_check_imports_and_reports(zoo, capsys):
    status, out = run(capsys, "plugins", "check", "--distribution", "broken-zoo")
    assert status == 1
    assert "broken" in out and "ZeroDivisionError" in out and "0 of 1 names can be used" in out
    status, out = run(capsys, "plugins", "check", "--distribution", "zoo", "--json")
    assert json.loads(out)["plugins"][0]["state"] == "ok"
    assert "zoo" in sys.modules


def test_show(zoo, capsys):
    status, out = run(capsys, "plugins", "show", "Zebra")
    assert status == 0
    assert "zoo 1.0 (third-party), plugin API v1, in " in out
    assert "layers:Zebra = zoo:Zebra  [ok]" in out
    assert run(capsys, "plugins", "show", "layers:Zebra")[1] == out
    assert run(capsys, "plugins", "show", "zoo")[1] == out
    assert json.loads(run(capsys, "plugins", "show", "zoo", "--json")[1])["plugins"]
    assert "part of the core" in run(capsys, "plugins", "show", "relu")[1]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("Aardvark", "It is in kcore-layers-zoo, which is not installed: pip install kcore-layers-zoo."),
        ("layers:Aardvark", "pip install kcore-layers-zoo"),
        ("Aardvrk", "Did you mean 'Aardvark'?"),
        ("kcore-layers-coer", "Did you mean 'kcore-layers-core'"),
        ("qqqq", "called 'qqqq' is installed.\n"),
    ],
)
def test_show_what_is_not_installed(site, first_party, capsys, what, told):
    assert main(["plugins", "show", what]) == 1
    assert told in capsys.readouterr().err


def test_show_a_distribution_that_has_hooks_only(site, capsys):
    site.distribution("their-hooks", entry_points="[kcore.hooks]\ntheirs = their_hooks.hooks\n")
    status, out = run(capsys, "plugins", "show", "their-hooks")
    assert status == 0
    assert "their-hooks 1.0 (third-party)" in out and "hooks:theirs = their_hooks.hooks  [ok]" in out


HOOK_MODULES = {
    "good": "from kcore.plugins.hookspecs import hookimpl\n@hookimpl\ndef kcore_cli_commands(): return []\n",
    "failing": "1 / 0\n",
    "leaving": "raise SystemExit(3)\n",
    "misspelt": "from kcore.plugins.hookspecs import hookimpl\n@hookimpl\ndef kcore_cli_comands(): return []\n",
}


def test_modules_of_hooks_are_listed_and_checked(site, capsys, monkeypatch):
    for name, source in HOOK_MODULES.items():
        site.module(f"{name}_hooks.py", source)
        site.distribution(f"their-{name}", {"hooks": {name: f"{name}_hooks"}})
    site.module("off_hooks.py", "1 / 0\n")
    site.distribution("their-off", {"hooks": {"off": "off_hooks"}})
    monkeypatch.setenv("KCORE_PLUGINS_DISABLED", "their-off")
    config.reload()

    status, out = run(capsys, "plugins", "list", "--kind", "hooks", "--json")
    rows = {row["name"]: row for row in json.loads(out)["plugins"]}
    assert status == 0 and "good_hooks" not in sys.modules
    assert rows["good"] == {
        "kind": "hooks", "name": "good", "distribution": "their-good", "version": "1.0", "state": "ok",
        "value": "good_hooks", "detail": "",
    }  # fmt: skip
    assert rows["failing"]["state"] == "ok" and rows["off"]["state"] == "disabled"
    assert "their-good" in run(capsys, "plugins", "list")[1]

    assert run(capsys, "plugins", "check", "--distribution", "their-good") == (0, "1 of 1 names can be used\n")
    status, out = run(capsys, "plugins", "check", "--kind", "hooks", "--json")
    rows = {row["name"]: row for row in json.loads(out)["plugins"]}
    assert status == 1
    assert {name for name, row in rows.items() if row["state"] == "broken"} == {"failing", "leaving", "misspelt"}
    assert rows["failing"]["detail"] == "ZeroDivisionError: division by zero"
    assert "kcore_cli_comands" in rows["misspelt"]["detail"]
    assert rows["off"]["state"] == "disabled" and rows["good"]["state"] == "ok"


def test_an_error_is_a_line_and_a_status(zoo, capsys):
    assert main(["plugins", "show", "unheard-of"]) == 1
    assert capsys.readouterr().err == ("kcore: Neither a distribution nor a name called 'unheard-of' is installed.\n")


def test_info(zoo, capsys):
    status, out = run(capsys, "info", "--json")
    data = json.loads(out)
    assert status == 0
    assert data["plugins"]["zoo"] == "1.0"
    assert data["libraries"]["numpy"] and data["blas"]
    assert "numpy" in data["backend"]["installed"]
    assert data["backend"]["used"] in data["backend"]["installed"]
    assert "zoo: 1.0" in run(capsys, "info")[1]


def test_without_a_command_the_help_is_shown(site, capsys):
    assert main([]) == 2
    assert "plugins" in capsys.readouterr().out


def test_a_plugin_can_add_a_command(site, capsys):
    site.module(
        "greeter.py",
        "from kcore.plugins.hookspecs import Command, hookimpl\n"
        "def configure(parser): parser.add_argument('who')\n"
        "def run(args): print('hello', args.who); return 5\n"
        "@hookimpl\n"
        "def kcore_cli_commands(): return [Command('greet', 'say hello', configure, run)]\n",
    )
    site.distribution("greeter", {"hooks": {"greeter": "greeter"}})
    from kcore.plugins import registry

    registry.refresh()
    assert run(capsys, "greet", "world") == (5, "hello world\n")
    assert "say hello" in run(capsys)[1]


def test_the_module_runs_as_the_program(site):
    code = "import runpy, sys; sys.argv = ['kcore', '--version']; runpy.run_module('kcore', run_name='__main__')"
    result = site.python(code)
    assert result.stdout.startswith("kcore 0.")
