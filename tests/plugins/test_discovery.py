"""The scan: tolerant of every defect, lazy, done once, repeatable on demand."""

from __future__ import annotations

import sys
import threading
from importlib.metadata import DistributionFinder
from pathlib import Path

import pytest

from kcore.errors import PluginError
from kcore.plugins import discovery, registry, report

GOOD = "[kcore.layers]\nZebra = zoo:Zebra\n"


@pytest.fixture
def zoo(site):
    """A good plugin among the defects: each test looks it up afterwards."""
    site.module("zoo.py", "class Zebra: pass\nclass Yak: pass\n")
    return site


def problems():
    return " | ".join(report.problems())


def test_a_junk_line_in_an_unrelated_distribution_hurts_nobody(zoo):
    zoo.distribution("aaa-unrelated", entry_points="this is no entry point\n[console_scripts\n= = =\n")
    zoo.distribution("zoo", entry_points=GOOD)
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"
    assert "aaa-unrelated" not in problems()


def test_a_byte_that_is_not_utf8_in_an_unrelated_distribution_hurts_nobody(zoo):
    zoo.distribution("aaa-unrelated", entry_points=b"[console_scripts]\nk\xe4se = cheese:main\n")
    zoo.distribution("zoo", entry_points=GOOD)
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"


def test_a_byte_that_is_not_utf8_costs_a_plugin_only_that_line(zoo):
    zoo.distribution("zoo", entry_points=b"[kcore.layers]\nK\xe4se = \xff\nZebra = zoo:Zebra\n")
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"
    assert "zoo" in problems()


def test_a_junk_line_costs_a_plugin_only_that_line(zoo):
    zoo.distribution("zoo", entry_points="[kcore.layers]\njunk junk\nZebra = zoo:Zebra\nYak =\nGnu = a b\n")
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"
    for line in ("junk junk", "Yak =", "'a b'"):
        assert line in problems()


def test_a_leftover_folder_of_metadata_does_not_hide_the_real_one(zoo, tmp_path, monkeypatch):
    leftover = tmp_path / "earlier" / "zoo-0.9.dist-info"
    leftover.mkdir(parents=True)
    (leftover / "INSTALLER").write_text("pip\n")
    (zoo.folder / "zoo-0.8.dist-info").mkdir()
    monkeypatch.syspath_prepend(leftover.parent)
    zoo.distribution("zoo", entry_points=GOOD)
    registry.refresh()
    assert registry.entry_for("layers", "Zebra").version == "1.0"


def test_of_two_versions_in_one_folder_the_newer_is_used_and_the_other_told(zoo):
    zoo.distribution("zoo", entry_points=GOOD + "Gone = zoo:Gone\n", version="0.9")
    zoo.distribution("zoo", entry_points=GOOD, version="0.10")
    registry.refresh()
    assert registry.entry_for("layers", "Zebra").version == "0.10"
    assert "Gone" not in registry.names("layers")
    assert "zoo-0.9.dist-info" in problems()


def test_a_distribution_listed_twice_counts_once(zoo, tmp_path, monkeypatch):
    # A setuptools editable install has an egg-info beside the source and a dist-info elsewhere.
    source = type(zoo)(tmp_path / "source")
    source.distribution("zoo", entry_points=GOOD, suffix=".egg-info")
    zoo.distribution("zoo", entry_points=GOOD)
    monkeypatch.syspath_prepend(source.folder)
    registry.refresh()
    assert [row.name for row in report.rows("layers") if row.distribution == "zoo"] == ["Zebra"]
    assert registry.get("layers", "Zebra").__name__ == "Zebra"
    assert "zoo" not in problems()


def test_a_name_twice_in_one_file_is_told_and_the_first_used(zoo):
    zoo.distribution("zoo", entry_points=GOOD + "Zebra = zoo:Yak\n")
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"
    assert "stands twice" in problems()


@pytest.mark.parametrize("metadata", [None, b"Name: \xff\xfe\n\x00", "no headers at all", "Version: 3\n"])
def test_unreadable_metadata_do_not_hide_entry_points(zoo, metadata):
    zoo.distribution("zoo", entry_points=GOOD, metadata=metadata)
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"


def test_an_unknown_group_is_told(zoo):
    zoo.distribution("zoo", entry_points=GOOD + "[kcore.layerz]\nYak = zoo:Yak\n")
    registry.refresh()
    assert "[kcore.layerz] is unknown" in problems()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"


def test_a_broken_finder_of_another_package_hurts_nobody(zoo, monkeypatch):
    class Broken(DistributionFinder):
        def find_spec(self, *args):
            return None

        def find_distributions(self, context=None):
            raise RuntimeError("out of order")

    zoo.distribution("zoo", entry_points=GOOD)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Broken()])
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"
    assert "out of order" in problems()


def test_a_folder_with_an_entry_points_file_that_is_a_folder(zoo):
    (zoo.folder / "odd-1.0.dist-info" / "entry_points.txt").mkdir(parents=True)
    zoo.distribution("zoo", entry_points=GOOD)
    registry.refresh()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"


def test_the_strict_switch_refuses_defects_at_once(zoo, monkeypatch):
    from kcore import config

    zoo.distribution("zoo", entry_points=GOOD + "junk\n")
    monkeypatch.setenv("KCORE_PLUGINS_STRICT", "1")
    config.reload()
    with pytest.raises(PluginError, match="junk"):
        registry.refresh()
    monkeypatch.delenv("KCORE_PLUGINS_STRICT")
    config.reload()
    assert registry.get("layers", "Zebra").__name__ == "Zebra"


# --- laziness and counts -----------------------------------------------------------------------------


def test_listing_imports_no_plugin(site):
    site.module("explosive.py", "raise SystemExit('imported')\n")
    site.distribution("explosive", {"layers": {"Boom": "explosive:Boom"}})
    registry.refresh()
    assert "Boom" in registry.names("layers")
    assert {row.name: row.state for row in report.rows("layers")}["Boom"] == "ok"
    assert "explosive" not in sys.modules


def test_one_scan_serves_twenty_threads(site, monkeypatch):
    site.plugin("busy", Bee="type('Bee', (), {})")
    scans = []
    original = discovery._scan
    monkeypatch.setattr(discovery, "_scan", lambda: (scans.append(1), original())[1])
    monkeypatch.setattr(discovery, "_index", None)
    start = threading.Barrier(20)
    found = []

    def look_up():
        start.wait()
        found.append(registry.get("layers", "Bee"))

    threads = [threading.Thread(target=look_up) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scans) == 1
    assert len(found) == 20
    assert len(set(map(id, found))) == 1


COUNT = """
import sys
import kcore
assert not [name for name in sys.modules if name.startswith("kcore_")], "import kcore read a plugin"
for heavy in ("numpy", "h5py", "importlib_metadata", "pluggy", "kcore.plugins.registry"):
    assert heavy not in sys.modules, heavy
kcore.layers.Ant
print(*sorted(name for name in sys.modules if name.startswith(("counted_a", "counted_b"))))
"""


def test_import_kcore_imports_no_plugin_and_a_name_imports_one(site):
    site.plugin("counted-a", Ant="type('Ant', (), {})")
    site.plugin("counted-b", Bat="type('Bat', (), {})")
    result = site.python(COUNT)
    assert (result.returncode, result.stdout.split()) == (0, ["counted_a"]), result.stderr


def test_core_names_need_no_scan(site):
    code = "from kcore.plugins import discovery, registry; registry.entry_for('activations', 'relu'); "
    result = site.python(code + "assert discovery.known_index() is None")
    assert result.returncode == 0, result.stderr


# --- refreshing ----------------------------------------------------------------------------------------


def test_what_is_installed_later_is_found_without_a_word(site):
    with pytest.raises(ValueError, match="Cat"):
        registry.get("layers", "Cat")
    site.plugin("cattery", Cat="type('Cat', (), {})")
    assert registry.get("layers", "Cat").__name__ == "Cat"


def test_refresh_sees_what_was_removed(site):
    folder = site.distribution("zoo", entry_points=GOOD)
    registry.refresh()
    assert "Zebra" in registry.names("layers")
    for file in folder.iterdir():
        file.unlink()
    Path(folder).rmdir()
    registry.refresh()
    assert "Zebra" not in registry.names("layers")
