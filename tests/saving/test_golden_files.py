"""Files that the original API wrote (tests/saving/golden; made by tools/golden/make_model_files.py)."""

import contextlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from kcore import layers
from kcore.errors import KcoreWarning
from kcore.models import Sequential, load_model
from kcore.saving import allow_bytecode
from kcore.testing.golden import GoldenCase

FOLDER = Path(__file__).parent / "golden"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
WITHOUT_CODE = [entry for entry in MANIFEST if entry["name"] != "lambda_bytecode"]
OLD_LAYOUTS = json.loads((FOLDER / "old_layouts.json").read_text())["cases"]


def assert_close(ours, golden, what, tolerance=1e-5):
    assert ours.shape == golden.shape, f"{what} has shape {ours.shape}, not {golden.shape}"
    scale = max(np.max(np.abs(golden), initial=0.0), 1e-2)
    error = np.max(np.abs(ours - golden), initial=0.0) / scale
    assert error <= tolerance, f"{what} differs by {error:.1e} of its largest magnitude"


def arrays_of(name, letter):
    """x0, x1, ... of a file's .npz: one array, or a list of several."""
    with np.load(FOLDER / f"{name}.npz") as file:
        found = [file[f"{letter}{i}"] for i in range(len(file.files)) if f"{letter}{i}" in file.files]
    return found


def alone_or_list(arrays):
    return arrays[0] if len(arrays) == 1 else arrays


def check_predictions(model, name, letter):
    inputs = arrays_of(name, "x")
    outputs = model.predict(alone_or_list(inputs), batch_size=len(inputs[0]))
    outputs = outputs if isinstance(outputs, list) else [outputs]
    golden = arrays_of(name, letter)
    assert len(outputs) == len(golden)
    for i, (ours, theirs) in enumerate(zip(outputs, golden)):
        assert_close(ours, theirs, f"output {i}")


@pytest.mark.parametrize("entry", WITHOUT_CODE, ids=lambda one: one["name"])
def test_a_loaded_model_predicts_and_goes_on_training_as_the_original(entry, tmp_path):
    name = entry["name"]
    model = load_model(str(FOLDER / f"{name}.h5"), compile=entry["compiled"])
    check_predictions(model, name, "p")
    model.reset_states()
    again = tmp_path / "again.h5"
    model.save(str(again))
    check_predictions(load_model(str(again)), name, "p")
    if entry["compiled"]:
        for trained in (model, load_model(str(again))):
            check_next_losses(trained, name)


def check_next_losses(model, name):
    model.reset_states()
    inputs, targets = alone_or_list(arrays_of(name, "x")), alone_or_list(arrays_of(name, "t"))
    with np.load(FOLDER / f"{name}.npz") as file:
        golden = file["losses"]
    losses = [np.atleast_1d(model.train_on_batch(inputs, targets))[0] for _ in golden]
    assert_close(np.array(losses), golden, "the next losses")


def test_bytecode_in_a_file_is_refused_unless_it_is_allowed():
    path = str(FOLDER / "lambda_bytecode.h5")
    with pytest.raises(ValueError, match="bytecode"):
        load_model(path)
    with allow_bytecode():
        model = load_model(path, compile=False)
    check_predictions(model, "lambda_bytecode", "p")


@pytest.mark.parametrize("record", OLD_LAYOUTS, ids=lambda one: one["name"])
def test_weights_of_other_layouts_are_converted(record, tmp_path):
    with np.load(FOLDER / "old_layouts.npz") as file:
        case = GoldenCase(record["name"], record, {key: file[key] for key in file.files})
    layer = layers.deserialize(record["layer"])
    model = Sequential([layers.InputLayer(tuple(record["input_shape"])), layer])
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode()]
        file.attrs["backend"] = record["backend"].encode()
        if record["keras_version"] != "1":
            file.attrs["keras_version"] = record["keras_version"].encode()
        group = file.create_group(layer.name)
        saved = case.arrays("saved")
        group.attrs["weight_names"] = [f"w{i}".encode() for i in range(len(saved))]
        for i, array in enumerate(saved):
            group[f"w{i}"] = array.astype("float32")
    plain_in_cudnn = record["name"] in ("LSTM in CuDNNLSTM", "GRU in CuDNNGRU")
    with pytest.warns(KcoreWarning, match="differ unless") if plain_in_cudnn else contextlib.nullcontext():
        model.load_weights(str(path))
    for ours, golden in zip(layer.get_weights(), case.arrays("loaded"), strict=True):
        np.testing.assert_allclose(ours, golden, rtol=1e-6)
