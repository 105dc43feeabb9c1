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
            "losses:mse": ["kcore-losses", "0.1.0"],
        },
    }


def test_layers_inside_layers_are_recorded():
    x = Input((3,))
    model = Model(x, HoldsList()(Around(Dense(2))(Sequential([Activation("tanh", input_shape=(3,))])(x))))
    classes = provenance_of(model)["classes"]
    assert classes["layers:Around"] is None  # of the program itself
    assert classes["layers:Activation"] == ["kcore-layers-core", "0.1.0"]
    assert {"layers:Dense", "layers:HoldsList", "layers:InputLayer", "layers:Model"} <= set(classes)


def test_everything_missing_is_said_at_once_with_one_command(path):
    def change(record):
        record["classes"] |= {"layers:Theirs": ["their-layers", "2.0"], "layers:Other": ["their-layers", "2.0"]}
        record["classes"] |= {"losses:focal": ["focal", "1.0"], "initializers:Odd": ["odd-parts", "3"]}
        record["classes"] |= {"layers:Mine": None, "optimizers:MyOptimizer": None}

    rewrite(path, change)
    with pytest.raises(ValueError, match="what is not there") as caught:
        load_model(path)
    assert str(caught.value).splitlines()[1:] == [
        "  Theirs, Other, of their-layers 2.0",
        "  focal, of focal 1.0",
        "  Odd, of odd-parts 3",
        "  Mine, MyOptimizer, of the program that saved the model",
        "To load it, install them: pip install focal odd-parts their-layers; and give them when loading: "
        "custom_objects={'Mine': Mine, 'MyOptimizer': MyOptimizer}",
    ]
    given = {"Theirs": Dense, "Other": Dense, "Mine": Dense, "Odd": Dense}
    load_model(path, custom_objects=given, compile=False)  # needs no optimizer and no loss
    load_model(path, custom_objects={**given, "focal": Dense, "MyOptimizer": Dense})


def test_other_major_versions_are_one_warning(path):
    def change(record):
        record["kcore"] = "7.0"
        record["classes"] |= {"layers:Dense": ["kcore-layers-core", "7.1"]}

    rewrite(path, change)
    with pytest.warns(UserWarning, match="another major version") as caught:
        load_model(path)
    assert len(caught) == 1
    assert f"kcore 7.0 ({__version__} is installed), kcore-layers-core 7.1 (0.1.0 is" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_files_of_keras_have_no_record(path):
    with h5py.File(path, "a") as file:
        del file.attrs["kcore_provenance"]
    with h5py.File(path) as file:
        assert read_provenance(file) is None
    assert load_model(path).predict(np.ones((1, 3))).shape == (1, 2)


def test_odd_records_do_no_harm(path):
    rewrite(path, lambda record: record["classes"].update({"": 3, "nonsense:x": {}, "layers:Dense": "text"}))
    load_model(path)
