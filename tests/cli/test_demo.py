"""`kcore demo`."""

from __future__ import annotations

import re
import sys

import pytest

from kcore.cli import demo, main
from kcore.errors import NotInstalledError


@pytest.mark.slow
def test_the_main_job(tmp_path, capfd):
    assert main(["demo", "--output", str(tmp_path / "results")]) == 0
    output = capfd.readouterr().out
    assert float(re.search(r"test accuracy: ([\d.]+)%", output)[1]) >= 97
    assert "its predictions for 359 digits are equal to the last bit" in output
    assert (tmp_path / "results" / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "results" / "model.h5").stat().st_size > 100_000


def test_without_matplotlib(tmp_path, capfd, monkeypatch):
    find = demo.importlib.util.find_spec
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name))
    assert main(["demo", "--output", str(tmp_path), "--epochs", "1"]) == 0
    assert "pip install matplotlib" in capfd.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


def test_a_missing_plugin_is_named(tmp_path, capsys, monkeypatch):
    def missing():
        raise NotInstalledError("Unknown data set: 'digits'. pip install kcore-datasets-digits")

    monkeypatch.setattr(demo, "load_digits", missing)
    assert main(["demo", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "kcore: Unknown data set: 'digits'. pip install kcore-datasets-digits\n"


def test_a_model_that_does_not_survive_is_reported(tmp_path, capfd):
    digits = demo.load_digits()
    model = demo.build()
    model.save(tmp_path / "model.h5")
    images = digits.test[0][:5]
    assert demo.survives(tmp_path, images, model.predict(images))
    assert not demo.survives(tmp_path, images, model.predict(images) + 1)
    assert "DIFFERENT" in capfd.readouterr().out


def test_digits_are_not_shared_between_parts():
    parts = demo.load_digits()
    seen = [{x.tobytes() for x in part[0]} for part in parts]
    assert len(parts.train[0]) == 5 * 1233 and len(parts.validation[0]) == 205 and len(parts.test[0]) == 359
    assert not seen[0] & seen[1] and not seen[1] & seen[2] and not seen[0] & seen[2]
    assert "matplotlib.pyplot" not in sys.modules
