"""Where the classes of a saved model came from."""

import json

import h5py
import numpy as np
import pytest

from kcore import __version__
from kcore.engine import Input, Layer, Model, Sequential, Wrapper
from kcore.layers import Activation, Dense
from kcore.models import load_model
from kcore.saving import read_provenance
from kcore.saving.provenance import provenance_of


class Around(Wrapper):
    def build(self, input_shape=None):
        self.layer.build(input_shape)
        super().build()

    def call(self, x):
        return self.layer.call(x)

    def compute_output_shape(self, s):
        return self.layer.compute_output_shape(s)


class HoldsList(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.cells = [Activation("relu")]


def rewrite(path, change):
    with h5py.File(path, "a") as file:
        record = json.loads(file.attrs["kcore_provenance"])
        change(record)
        file.attrs["kcore_provenance"] = json.dumps(record)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.h5"
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse")
    model.save(path)
    return path


def test_record(path):
    with h5py.File(path) as file:
        record = read_provenance(file)
    assert record == {
        "kcore": __version__,
        "classes": {
            "layers:Sequential": ["kcore", __version__],
            "layers:Dense": ["kcore-layers-core", "0.1.0"],
            "optimizers:SGD": ["kcore-optimizers", "0.1.0"],
        },
    }


def test_layers_inside_layers_are_recorded():
    x = Input((3,))
    model = Model(x, HoldsList()(Around(Dense(2))(Sequential([Activation("tanh", input_shape=(3,))])(x))))
    classes = provenance_of(model)["classes"]
    assert classes["layers:Around"] is None  # of the program itself
    assert classes["layers:Activation"] == ["kcore-layers-core", "0.1.0"]
    assert {"layers:Dense", "layers:HoldsList", "layers:InputLayer", "layers:Model"} <= set(classes)


def test_everything_missing_is_said_at_once(path):
    def change(record):
        record["classes"]["layers:Theirs"] = ["their-layers", "2.0"]
        record["classes"]["layers:Mine"] = None

    rewrite(path, change)
    with pytest.raises(ValueError, match="what is not there") as caught:
        load_model(path)
    assert "Theirs, of their-layers 2.0: pip install their-layers" in str(caught.value)
    assert "custom_objects={'Mine': Mine}" in str(caught.value)
    load_model(path, custom_objects={"Theirs": Dense, "Mine": Dense})


def test_another_major_version_is_a_warning(path):
    rewrite(path, lambda record: record["classes"].update({"layers:Dense": ["kcore-layers-core", "7.1"]}))
    with pytest.warns(UserWarning, match=r"saved with Dense of kcore-layers-core 7.1; version 0.1.0 is installed"):
        load_model(path)


def test_files_of_keras_have_no_record(path):
    with h5py.File(path, "a") as file:
        del file.attrs["kcore_provenance"]
    with h5py.File(path) as file:
        assert read_provenance(file) is None
    assert load_model(path).predict(np.ones((1, 3))).shape == (1, 2)


def test_odd_records_do_no_harm(path):
    rewrite(path, lambda record: record["classes"].update({"": 3, "nonsense:x": {}, "layers:Dense": "text"}))
    load_model(path)
