"""Whole models that Keras 1.2.2 wrote (`golden_keras_1/make.py`): they load, and predict the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from kcore.errors import KcoreWarning
from kcore.models import load_model, model_from_json
from kcore.saving.keras_1 import translate_layer

FOLDER = Path(__file__).with_name("golden_keras_1")
MODELS = sorted(path.stem for path in FOLDER.glob("*.h5"))
COMPILED = {"mlp": "Adam", "masked": "RMSprop", "branches": "SGD"}


def arrays(name, letter):
    with np.load(FOLDER / "outputs.npz") as file:
        return [file[key] for key in sorted(file.files) if key.startswith(f"{name}/{letter}")]


def check_outputs(model, name):
    found = model.predict(arrays(name, "x") if len(model.inputs) > 1 else arrays(name, "x")[0])
    for ours, golden in zip(found if isinstance(found, list) else [found], arrays(name, "y"), strict=True):
        np.testing.assert_allclose(np.reshape(ours, golden.shape), golden, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", MODELS)
def test_models_load_and_predict_the_same(name, tmp_path):
    model = load_model(FOLDER / f"{name}.h5")
    check_outputs(model, name)
    assert type(model.optimizer).__name__ == COMPILED.get(name, "NoneType")
    model.save(tmp_path / "again.h5")
    check_outputs(load_model(tmp_path / "again.h5"), name)


@pytest.mark.parametrize("name", ["cnn", "recurrent", "masked"])
def test_weights_alone(name):
    model = load_model(FOLDER / f"{name}.h5", compile=False)
    copy = model_from_json(model.to_json())
    copy.load_weights(FOLDER / f"{name}.h5")
    check_outputs(copy, name)


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_training_goes_on(name):
    model = load_model(FOLDER / f"{name}.h5")
    x, y = arrays(name, "x"), arrays(name, "y")[0]
    losses = [np.ravel(model.train_on_batch(x if len(x) > 1 else x[0], y * 0 + 0.5))[0] for _ in range(20)]
    assert losses[-1] < losses[0]


def test_json_with_every_merge():
    text = (FOLDER / "merging.json").read_text()
    model = model_from_json(text)
    model.load_weights(FOLDER / "merging.h5")
    check_outputs(model, "merging")
    classes = [type(layer).__name__ for layer in model.layers]
    assert {"Add", "Multiply", "Average", "Maximum", "Concatenate", "Dot"} <= set(classes)


@pytest.mark.parametrize(
    "class_name, config, message",
    [
        ("Merge", {"mode": "\u00e3...", "mode_type": "lambda"}, "Merge of Keras 1 with the mode .*load_weights"),
        ("BatchNormalization", {"mode": 2, "axis": -1}, "BatchNormalization with mode=2, of Keras 1"),
        ("MaxoutDense", {"output_dim": 3, "init": "uniform"}, "Unknown layer: 'MaxoutDense'.*custom_objects"),
    ],
)
def test_what_keras_2_has_no_word_for(class_name, config, message):
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "input_dtype": "float32", "name": "i"}},
        {"class_name": class_name, "config": {"name": "odd", **config}},
    ]
    with pytest.raises(ValueError, match=message):
        model_from_json(json.dumps({"class_name": "Sequential", "config": layers}))


def test_the_dropout_of_an_embedding_is_left_out_with_a_warning():
    config = {"name": "e", "input_dim": 5, "output_dim": 3, "init": "uniform", "input_length": 4, "dropout": 0.1}
    with pytest.warns(KcoreWarning, match="'e' is an Embedding with dropout=0.1"):
        name, found = translate_layer("Embedding", config)
    assert (name, found["embeddings_initializer"], found["input_length"]) == ("Embedding", "uniform", 4)
    assert "dropout" not in found


@pytest.mark.parametrize(
    "name, config",
    [
        ("Dense", {"units": 3, "use_bias": True}),
        ("Embedding", {"input_dim": 5, "output_dim": 3}),
        ("Mine", {"output_dim": 3, "init": "uniform", "p": 0.5}),  # a layer of somebody's own
        ("Merge", {"layers": [1]}),
        ("BatchNormalization", {"axis": -1}),
    ],
)
def test_what_is_none_of_keras_1_is_left_as_it_is(name, config):
    assert translate_layer(name, config) == (name, config)
