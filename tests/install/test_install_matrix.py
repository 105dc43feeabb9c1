"""The core alone, the core with each plugin alone, and everything, in fresh environments."""

from __future__ import annotations

import json
import runpy
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE_TOOL = runpy.run_path(str(ROOT / "tools" / "catalogue.py"))
PROJECTS = CATALOGUE_TOOL["plugin_projects"]()
PLUGINS = [project["name"] for project in PROJECTS]
EVERYWHERE = [name for name in PLUGINS if not name.startswith(CATALOGUE_TOOL["ON_REQUEST"])]
# What others share, and what offers no name of its own, is installed, but not listed.
NAMELESS = {project["name"] for project in PROJECTS if set(project["entry-points"]) == {"kcore.api"}}
REQUIRES = {project["name"]: project["dependencies"] for project in PROJECTS}

pytestmark = pytest.mark.slow


def ours(name):
    """A plugin and the plugins that it requires, directly or not."""
    needed = {name}
    for requirement in REQUIRES[name]:
        other = requirement.partition(">")[0]
        if other in REQUIRES:
            needed |= ours(other)
    return needed


def test_every_wheel_holds_its_package_and_no_tests(wheels):
    built = {file.name.partition("-")[0]: file for file in wheels.glob("*.whl")}
    assert set(built) == {"kcore"} | {name.replace("-", "_") for name in PLUGINS}
    for package, file in built.items():
        names = zipfile.ZipFile(file).namelist()
        tops = {name.partition("/")[0] for name in names}
        assert {top for top in tops if not top.endswith(".dist-info")} == {package}
        assert f"{package}/py.typed" in names
        assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]
    assert "kcore/layers.pyi" in zipfile.ZipFile(built["kcore"]).namelist()


CORE_ONLY = """
import kcore
for attempt, kind in ((lambda: exec("from kcore.layers import Dense"), ImportError),
                      (lambda: kcore.layers.Dense, AttributeError),
                      (lambda: exec("import kcore.datasets.digits"), ImportError),
                      (lambda: kcore.losses.get("mse"), ValueError),
                      (lambda: kcore.optimizers.get("sgd"), ValueError)):
    try:
        attempt()
    except kind as error:
        print(error)
    else:
        raise SystemExit("it worked")
"""


def test_the_core_alone_says_what_to_install(fresh):
    fresh.install("kcore")
    lines = fresh.python(CORE_ONLY).stdout.splitlines()
    wanted = ("kcore-layers-core", "kcore-layers-core", "kcore-datasets-digits", "kcore-losses", "kcore-optimizers")
    for line, distribution in zip(lines, wanted, strict=True):
        assert f"pip install {distribution}" in line
    assert fresh.kcore("info").returncode == 0
    listed = json.loads(fresh.kcore("plugins", "list", "--json").stdout)
    assert {row["distribution"] for row in listed["plugins"]} == {"kcore"}
    checked = fresh.kcore("plugins", "check")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", PLUGINS)
def test_the_core_with_one_plugin(fresh, name):
    fresh.install(name)
    # A backend's libraries need a GPU: it is listed, not imported.
    action = "check" if name in EVERYWHERE else "list"
    result = fresh.kcore("plugins", action, "--json")
    listed = json.loads(result.stdout)
    assert result.returncode == 0, [row for row in listed["plugins"] if row["state"] != "ok"]
    assert {row["distribution"] for row in listed["plugins"]} == {"kcore"} | ours(name) - NAMELESS
    assert set(json.loads(fresh.kcore("info", "--json").stdout)["plugins"]) - {"kcore"} == ours(name)
    assert listed["problems"] == []


def test_everything(fresh):
    fresh.install("kcore[all]")
    checked = fresh.kcore("plugins", "check", "--json")
    rows = json.loads(checked.stdout)
    assert checked.returncode == 0, [row for row in rows["plugins"] if row["state"] != "ok"]
    assert {row["distribution"] for row in rows["plugins"]} == {"kcore", *EVERYWHERE} - NAMELESS
    assert {row["state"] for row in rows["plugins"]} == {"ok"}
    one = "import sys; from kcore.layers import Dense; print(*(m for m in sys.modules if m[:6] == 'kcore_'))"
    assert {name.partition(".")[0] for name in fresh.python(one).stdout.split()} == {"kcore_layers_core"}


# --- somebody else's plugin ------------------------------------------------------------------------------

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "their-layers"
version = "3.2.1"
dependencies = ["kcore>=0.1,<0.2"]

[project.entry-points."kcore.api"]
v1 = "their_layers"

[project.entry-points."kcore.layers"]
Mirror = "their_layers:Mirror"

[project.entry-points."kcore.datasets"]
theirs = "their_layers.data"
"""

MODULE = """
from kcore.engine import Layer


class Mirror(Layer):
    def call(self, inputs):
        return -inputs
"""

USE = """
import sys
import numpy
from kcore.layers import Input, Mirror
from kcore.models import Model
import kcore.datasets.theirs
x = Input((2,))
print(Model(x, Mirror()(x)).predict(numpy.ones((1, 2))).tolist(), kcore.datasets.theirs.load_data())
"""


@pytest.mark.parametrize("editable", [False, True])
def test_a_plugin_from_elsewhere_is_found_after_pip_install(fresh, tmp_path, editable):
    project = tmp_path / "their-layers"
    (project / "their_layers").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "their_layers" / "__init__.py").write_text(MODULE)
    (project / "their_layers" / "data.py").write_text("def load_data():\n    return 'data'\n")
    fresh.install("kcore")
    missing = fresh.python("from kcore.layers import Mirror", check=False)
    assert "Unknown layer: 'Mirror'" in missing.stderr
    if editable:
        install_editable(fresh, project)
    else:
        build = runpy.run_path(str(ROOT / "tools" / "wheels.py"))["build"]
        fresh.install(str(build(project, tmp_path)))
    assert fresh.python(USE).stdout == "[[-1.0, -1.0]] data\n"
    shown = fresh.kcore("plugins", "show", "Mirror").stdout
    assert "their-layers 3.2.1 (third-party), plugin API v1" in shown


def install_editable(environment, project):
    """`pip install -e` with the build tools of the environment that runs the tests."""
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = list(WheelBuilder(str(project)).build(directory=str(project / "dist"), versions=["editable"]))
    environment.install(str(wheel))
