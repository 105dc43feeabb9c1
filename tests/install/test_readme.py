"""What README.md prints works as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kcore

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)[1]


def blocks(title, language):
    return re.findall(rf"^```{language}\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)


def run(command, folder):
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_the_example(tmp_path):
    (code,) = blocks("30 seconds", "python")
    (tmp_path / "example.py").write_text(code)
    output = run([sys.executable, "-W", "error", "example.py"], tmp_path)
    assert float(re.search(r"test accuracy ([\d.]+)%", output)[1]) >= 95


@pytest.mark.slow
def test_the_plugin(fresh, tmp_path):
    project = tmp_path / "project"
    for block in blocks("Writing a plugin", "toml") + blocks("Writing a plugin", "python"):
        path = project / re.match(r"# (\S+)\n", block)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
    for plugin in ("kcore-layers-core", "kcore-losses", "kcore-optimizers", "kcore-metrics"):
        fresh.install(plugin)
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = list(WheelBuilder(str(project)).build(directory=str(tmp_path), versions=["standard"]))
    fresh.install(wheel)
    output = run([fresh.executable, "-I", "-W", "error", project / "try_it.py"], tmp_path)
    assert "'frequency': 2.0" in output
    assert "snake-layer 1.0 (third-party)" in fresh.kcore("plugins", "show", "Snake").stdout


def test_the_settings_are_all_known(tmp_path, monkeypatch):
    (text,) = blocks("What is installed, and what is missing", "json")
    (tmp_path / "kcore.json").write_text(text)
    monkeypatch.setenv("KCORE_HOME", str(tmp_path))
    assert kcore.config.reload().plugins.pins == {"layers:Attention": "their-attention"}
    monkeypatch.undo()
    kcore.config.reload()


def test_the_commands_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert commands[:2] == ["demo", "test"]
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_the_links_lead_somewhere():
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        for link in re.findall(r"\]\(([^):#]+)\)", text):
            assert os.path.exists(ROOT / link), link
