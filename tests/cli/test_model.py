"""`kcore model FILE`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from kcore.cli import main
from kcore.models import load_model

GOLDEN = Path(__file__).parents[1] / "saving" / "golden"


@pytest.fixture
def path(tmp_path):
    return shutil.copy(GOLDEN / "shared_layers.h5", tmp_path / "model.h5")


def shown(capsys, *words):
    status = main(["model", *map(str, words)])
    return status, capsys.readouterr().out


def test_a_whole_model(path, capsys):
    status, out = shown(capsys, path, "--weights")
    assert status == 0
    for text in ('Functional "model"', "encoder", "LSTM", "4x12 3x12 12", "first, second", "Adam(", "Sound."):
        assert text in out
    assert "204 weights in 12 arrays (float32), 816 bytes" in out
    assert "dense/kernel:0" in out or "hidden/kernel:0" in out


def test_weights_only(tmp_path, capsys):
    load_model(str(GOLDEN / "dense_stack.h5")).save_weights(str(tmp_path / "w.h5"))
    status, out = shown(capsys, tmp_path / "w.h5", "--json")
    record = json.loads(out)
    assert status == 0 and record["holds"] == "weights" and record["damage"] == []
    assert [layer["numbers"] > 0 for layer in record["model"]["layers"]].count(True) >= 2


def test_provenance_and_what_is_not_installed(tmp_path, capsys):
    model = load_model(str(GOLDEN / "dense_stack.h5"))
    model.save(str(tmp_path / "m.h5"))
    with h5py.File(tmp_path / "m.h5", "a") as file:
        record = json.loads(file.attrs["kcore_provenance"])
        record["classes"].update({"layers:Foo": ["their-layers", "1.2"], "layers:Mine": None})
        file.attrs["kcore_provenance"] = json.dumps(record)
    status, out = shown(capsys, tmp_path / "m.h5")
    assert status == 0
    assert "their-layers 1.2 (not installed: pip install their-layers): Foo" in out
    assert "the program itself: Mine" in out
    assert "kcore-layers-core 0.1.0: " in out


def test_every_damage_is_named(path, capsys):
    with h5py.File(path, "a") as file:
        weights = file["model_weights"]
        del weights["hidden"]
        name = weights["encoder"].attrs["weight_names"][1]
        del weights["encoder"][name]
        weights["words"].attrs["weight_names"] = [b"../../../elsewhere"]
        file.attrs["training_config"] = "{"
    status, out = shown(capsys, path)
    assert status == 1
    damage = out.partition("Damaged:")[2]
    assert "'hidden' is missing" in damage and "elsewhere" in damage and "training_config" in damage
    assert len(damage.strip().splitlines()) == 4


def test_no_plugin_is_imported_and_the_model_is_not_made():
    program = (
        "import sys; from kcore.cli import main; status = main(['model', sys.argv[1]]);"
        "found = [m for m in sys.modules if m.startswith('kcore_')]; assert not found, found; sys.exit(status)"
    )
    subprocess.run([sys.executable, "-c", program, GOLDEN / "shared_layers.h5"], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "content, why",
    [
        (None, "No such file"),
        (b"", "it is empty"),
        (b"not HDF5", "it has no signature"),
        (b"PK\x03\x04rest", "a zip archive, as the .keras files"),
        (b"version https://git-lfs.github.com/spec/v1\noid ...", "git lfs pull"),
        (b"\n<html>404</html>", "a web page"),
    ],
)
def test_what_is_no_file_of_a_model(content, why, tmp_path, capsys):
    if content is not None:
        (tmp_path / "x.h5").write_bytes(content)
    assert main(["model", str(tmp_path / "x.h5")]) == 1
    error = capsys.readouterr().err
    assert "x.h5" in error and why in error and "Traceback" not in error


def test_a_folder(tmp_path, capsys):
    assert main(["model", str(tmp_path)]) == 1
    assert "SavedModel is a folder" in capsys.readouterr().err


def test_an_architecture_in_json(tmp_path, capsys):
    path = tmp_path / "model.json"
    path.write_text(load_model(str(GOLDEN / "shared_layers.h5"), compile=False).to_json(indent=1))
    status, out = shown(capsys, path)
    assert status == 0
    for text in ("model.json: an architecture without weights", "encoder", "LSTM", "first, second", "Sound."):
        assert text in out
    assert "arrays" not in out
    path.write_text('{"class_name": "Sequential", "config": [')
    status, out = shown(capsys, path)
    assert status == 1
    assert "The text is damaged: it is not JSON" in out
    path.write_text('{"a": 1}')
    status, out = shown(capsys, path, "--json")
    assert status == 1
    assert "no list of layers" in json.loads(out)["damage"][0]
