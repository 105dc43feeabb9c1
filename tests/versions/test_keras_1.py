"""Calls as Keras 1 wrote them: translated, with a warning that says what to write."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from kcore import backend as K
from kcore import layers
from kcore.errors import KcoreWarning
from kcore.layers import LSTM, BatchNormalization, Conv2DTranspose, Dense, Dropout, Embedding, MaxPooling2D
from kcore.models import Sequential
from kcore.preprocessing.image import ImageDataGenerator
from kcore.preprocessing.text import Tokenizer
from kcore.utils import to_categorical
from kcore.versions import parameters_of
from kcore.versions.keras_1 import LAYER_ARGUMENTS, REMOVED

CALLS = [
    (Dense, (), {"output_dim": 3, "init": "ones"}, "Dense(units=3, kernel_initializer='ones')", {"units": 3}),
    (Dense, (3,), {"W_regularizer": "l2", "bias": False}, "Dense(3, kernel_regularizer='l2', use_bias=False)", {}),
    (Dropout, (), {"p": 0.25}, "Dropout(rate=0.25)", {"rate": 0.25}),
    (MaxPooling2D, (2,), {"border_mode": "same"}, "MaxPooling2D(2, padding='same')", {"padding": "same"}),
    (LSTM, (), {"output_dim": 3, "inner_activation": "relu"}, "LSTM(units=3, recurrent_activation='relu')", {}),
    (LSTM, (3,), {"dropout_W": 0.1, "dropout_U": 0.2}, "LSTM(3, dropout=0.1, recurrent_dropout=0.2)", {}),
    (LSTM, (3,), {"consume_less": "gpu"}, "LSTM(3, implementation=2)", {"implementation": 2}),
    (LSTM, (3,), {"forget_bias_init": "one"}, "LSTM(3, unit_forget_bias=True)", {"unit_forget_bias": True}),
    (Embedding, (9, 3), {"init": "uniform"}, "Embedding(9, 3, embeddings_initializer='uniform')", {"output_dim": 3}),
    (BatchNormalization, (), {"mode": 0, "axis": 1}, "BatchNormalization(axis=1)", {"axis": 1}),
    (Conv2DTranspose, (3, 2, 2), {"output_shape": (None, 8, 8, 3), "subsample": 2}, "Conv2DTranspose(3, (2, 2), s", {}),
    (layers.GlobalMaxPooling2D, (), {"dim_ordering": "th"}, "GlobalMaxPooling2D(data_format='channels_first')", {}),
    (layers.GaussianNoise, (), {"sigma": 0.5}, "GaussianNoise(stddev=0.5)", {"stddev": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "args", "kwargs", "written", "expected"), CALLS)
def test_layers(layer, args, kwargs, written, expected):
    with pytest.warns(KcoreWarning) as warned:
        made = layer(*args, **kwargs)
    (warning,) = warned
    assert str(warning.message).startswith(f"Update your `{layer.__name__}` call to the Keras 2 API: `{written}")
    assert warning.filename == __file__
    for name, value in expected.items():
        assert getattr(made, name) == value, name


def test_the_table_names_layers_that_there_are_and_arguments_that_they_have():
    for name, renamed in LAYER_ARGUMENTS.items():
        known = parameters_of(getattr(layers, name))
        assert set(renamed.values()) & known, name
        assert not set(renamed) & known - {"output_dim"}, name


def test_a_class_of_the_users_own_is_left_alone():
    class Dense(layers.Dense):
        def __init__(self, init, **kwargs):
            self.init = init
            super().__init__(**kwargs)

    assert Dense("mine", units=3).init == "mine"
    with pytest.warns(KcoreWarning, match="units=4"):
        assert Dense("mine", output_dim=4).units == 4


def test_an_argument_given_under_both_names():
    with pytest.raises(TypeError, match="Dense got `units` twice"):
        Dense(units=3, output_dim=4)


@pytest.fixture
def model():
    model = Sequential([Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    return model


def test_training(model):
    x, y = np.ones((4, 2)), np.ones((4, 1))
    with pytest.warns(KcoreWarning, match=r"`fit\(..., epochs=2, verbose=0\)`"):
        assert model.fit(x, y, nb_epoch=2, verbose=0).epoch == [0, 1]
    images = ImageDataGenerator().flow(np.ones((10, 4, 4, 3)), np.ones(10), batch_size=4)
    network = Sequential([layers.Flatten(input_shape=(4, 4, 3)), Dense(1)])
    network.compile("sgd", "mse")
    with pytest.warns(KcoreWarning, match="steps_per_epoch=3, epochs=2, verbose=0, workers=1"):
        history = network.fit_generator(images, samples_per_epoch=10, nb_epoch=2, verbose=0, nb_worker=1)
    assert history.epoch == [0, 1]
    with pytest.warns(KcoreWarning, match="steps=3"):
        assert len(network.predict_generator(images, val_samples=10)) == 10


def test_a_number_of_samples_without_the_size_of_a_batch(model):
    def batches():
        while True:
            yield np.ones((4, 2)), np.ones((4, 1))

    with pytest.raises(TypeError, match=r"`samples_per_epoch` of Keras 1 .* Give steps_per_epoch=8 divided by"):
        model.fit_generator(batches(), samples_per_epoch=8)
    with pytest.raises(TypeError, match=r"`nb_val_samples` of Keras 1 .* Give validation_steps=8 divided by"):
        model.fit_generator(batches(), 2, validation_data=batches(), nb_val_samples=8)


def test_other_functions():
    with pytest.warns(KcoreWarning, match=r"to_categorical\(\[0, 2\], num_classes=3\)"):
        assert to_categorical([0, 2], nb_classes=3).shape == (2, 3)
    with pytest.warns(KcoreWarning, match=r"Tokenizer\(num_words=9\)"):
        assert Tokenizer(nb_words=9).num_words == 9
    try:
        with pytest.warns(KcoreWarning, match=r"set_image_data_format\('channels_first'\)"):
            K.set_image_dim_ordering("th")
        assert (K.image_dim_ordering(), K.image_data_format()) == ("th", "channels_first")
    finally:
        K.set_image_data_format("channels_last")
    assert K.image_dim_ordering() == "tf"
    with pytest.raises(ValueError, match="Expected 'tf' or 'th'"):
        K.set_image_dim_ordering("channels_last")


@pytest.mark.parametrize(("module", "name"), [(kind, name) for kind, names in REMOVED.items() for name in names])
def test_names_that_are_gone(module, name):
    if name == "merge":
        return  # an old import path; what a call of it says is tested below
    with pytest.raises(ImportError, match=f"'{name}'.*It is of Keras 1. (Use|Give|Write|Keras 2 took)"):
        exec(f"from kcore.{module} import {name}")


def test_the_function_merge():
    from kcore.layers import merge

    with pytest.raises(TypeError, match=r"`merge\(\)` is of Keras 1. Use Add, Multiply"):
        merge([1, 2], mode="concat")


def test_decorators_of_keras_legacy():
    """Optimizers of scripts wear them; a method is left as it is."""
    from kcore.legacy import interfaces

    class Mine:
        @interfaces.legacy_get_updates_support
        def get_updates(self, loss, params):
            return loss, params

        @interfaces.generate_legacy_interface(allowed_positional_args=["units"], conversions=[("output_dim", "units")])
        def size(self, units):
            return units

    assert Mine().get_updates(1, params=2) == (1, 2)
    assert Mine().size(3) == 3
    assert interfaces.legacy_dense_support(len) is len
    with pytest.raises(ImportError, match="legasy_dense"):
        from kcore.legacy.interfaces import legasy_dense  # noqa: F401


def test_a_model_that_is_cut_off_by_hand():
    """As scripts did before `Model(model.input, model.layers[-2].output)` was known."""
    model = Sequential([Dense(4, input_dim=3, name="kept"), Dense(2, name="cut")])
    model.layers[-1].outbound_nodes = []
    model.layers[0].outbound_nodes = []
    assert model.layers[0].outbound_nodes == []
    assert model.predict(np.ones((1, 3))).shape == (1, 2)


def test_a_warning_in_a_program_without_a_file():
    """`python -c` and the prompt have no source to show; the warning must not fail over that."""
    code = "from kcore.layers import Dense; Dense(output_dim=3); print('done')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "done\n"
    assert "<string>:1: KcoreWarning: Update your `Dense` call" in result.stderr
