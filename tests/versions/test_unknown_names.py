"""What somebody wrote who knows a later version, or mistyped: the error says what to write, at his own line."""

from __future__ import annotations

import subprocess
import sys
import traceback

import numpy as np
import pytest

from kcore import callbacks, layers, losses, metrics, optimizers
from kcore.errors import ArgumentError, KcoreError, NoAttributeError
from kcore.layers import Dense, Lambda
from kcore.models import Model, Sequential
from kcore.plugins import registry
from kcore.preprocessing.image import ImageDataGenerator
from kcore.versions.later import FUNCTIONS_OF_CLASSES, LATER

x, y = np.ones((4, 2)), np.ones((4, 1))


@pytest.fixture
def model():
    model = Sequential([Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    return model


ARGUMENTS = [
    (lambda m: Dense(3, activaton="relu"), "Did you mean 'activation'?"),
    (lambda m: Dense(3, activaton=1, kernal_initializer=1), "'activation'? Did you mean 'kernel_initializer'?"),
    (lambda m: Dense(3, colour="red"), "Its arguments are activation, activity_regularizer, batch_input_shape"),
    (lambda m: optimizers.Adam(learning_rate=0.1), "later than Keras 2.1.6. It is called `lr` here."),
    (lambda m: optimizers.Adam(beta_3=0.1), "Did you mean 'beta_2'?"),
    (lambda m: callbacks.EarlyStopping(patiense=3), "Did you mean 'patience'?"),
    (lambda m: callbacks.EarlyStopping(restore_best_weights=True), "later than Keras 2.1.6. Save the best weights"),
    (lambda m: callbacks.ModelCheckpoint("x", save_freq=1), "Use `period`, a number of epochs."),
    (lambda m: ImageDataGenerator(rescal=0.5), "'rescal', given to ImageDataGenerator. Did you mean 'rescale'?"),
    (lambda m: m.compile("sgd", los="mse"), "'los', given to compile. Did you mean 'loss'?"),
    (lambda m: m.compile("sgd", "mse", run_eagerly=True), "Models are always compiled"),
    (lambda m: Model(m.input, m.output).compile("sgd", "mse", metric=["acc"]), "Did you mean 'metrics'?"),
    (lambda m: m.fit(x, y, epoch=3), "'epoch', given to fit. Did you mean 'epochs'?"),
    (lambda m: m.fit(x, y, validation_freq=2), "`validation_freq` is of a version later than Keras 2.1.6. Call fit"),
    (lambda m: m.predict(x, batchsize=3), "Did you mean 'batch_size'?"),
    (lambda m: m.evaluate(x, y, return_dict=True), "dict(zip(model.metrics_names"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "text"), ARGUMENTS)
def test_arguments(model, call, text):
    with pytest.raises(ArgumentError) as raised:
        call(model)
    assert text in str(raised.value)
    assert "lambda" in raised.value.line


NAMES = [
    (lambda m: m.compile("adamm", "mse"), "Unknown optimizer: 'adamm'. Did you mean 'Adam'"),
    (lambda m: m.compile("sgd", "categorical_crosentropy"), "Did you mean 'categorical_crossentropy'"),
    (lambda m: m.compile("sgd", "mse", metrics=["accurcy"]), "Did you mean 'accuracy'"),
    (lambda m: m.compile("sgd", "mse", metrics=["AUC"]), "later than Keras 2.1.6. Compute it with scikit-learn"),
    (lambda m: m.compile("sgd", "mse", metrics=["precision"]), "It is of Keras 1. Keras 2 took it away"),
    (lambda m: m.compile("sgd", "huber_loss"), "later than Keras 2.1.6. Write it as a function: def huber"),
    (lambda m: m.compile("sgd", "cosine_similarity"), "Use 'cosine_proximity'"),
    (lambda m: Dense(3, activation="rellu"), "Unknown activation function: 'rellu'. Did you mean 'relu'"),
    (lambda m: Dense(3, activation="swish"), "activation=lambda x: x * K.sigmoid(x)"),
    (lambda m: Dense(3, kernel_initializer="glorot_unifrom"), "Did you mean 'glorot_uniform'"),
]


@pytest.mark.parametrize(("call", "text"), NAMES)
def test_names(model, call, text):
    with pytest.raises(ValueError) as raised:
        call(model)
    assert text in str(raised.value)


@pytest.mark.parametrize("call", [case[0] for case in ARGUMENTS + NAMES])
def test_the_error_is_shown_at_the_users_line(model, call):
    """One frame of kcore at most below the line that made the call."""
    with pytest.raises(Exception) as raised:
        call(model)
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert [frame.name for frame in frames[1:]] == ["<lambda>", "call"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m: m.add(layers.Conv2D(3, 3)), "expected ndim=4, found ndim=2"),
        (lambda m: layers.MaxPooling2D(2)(layers.Input((1, 1, 3))), "larger than the input"),
        (lambda m: layers.Add()([layers.Input((3,)), layers.Input((4,))]), "cannot broadcast"),
        (lambda m: Dense(3)(x), "isn't a symbolic tensor. Received: ndarray of shape (4, 2). All inputs"),
        (lambda m: Model(layers.Input((3,)), Dense(3)(layers.Input((3,)))), "Graph disconnected"),
        (lambda m: m.fit(x[:, :1], y), "expected dense"),
        (lambda m: Sequential([Dense(1, input_dim=2)]).fit(x, y), "You must compile your model"),
        (lambda m: Dense(3, activation=3), "Could not interpret activation function identifier: 3"),
    ],
)
def test_shapes_too(model, call, text):
    with pytest.raises(KcoreError) as raised:
        call(model)
    assert text in str(raised.value)
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert [frame.name for frame in frames[1:]] == ["<lambda>", "call"]


def test_a_function_of_the_users_on_the_way_is_shown():
    def wrong(x):
        return Dense(3, activaton="relu")(x)

    class Mine(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            Lambda(wrong)(self.model.input)

    model = Sequential([Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="activaton") as raised:
        model.fit(x, y, callbacks=[Mine()], verbose=0)
    assert "wrong" in [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert "activaton" in raised.value.line


def test_with_x_dev_every_frame_is_shown():
    code = "from kcore.layers import Dense; Dense(3, activation='rellu')"

    def lines(*options):
        command = [sys.executable, *options, "-c", code]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert "Did you mean 'relu'" in result.stderr
        return result.stderr.count("  File ")

    assert lines() == 2
    assert lines("-X", "dev") > 5


def test_attributes_of_models(model):
    with pytest.raises(NoAttributeError, match="'Sequential' object has no attribute 'fti'. Did you mean 'fit'?"):
        model.fti(x, y)
    with pytest.raises(AttributeError, match="'Model' object has no attribute 'summry'. Did you mean 'summary'?"):
        Model(model.input, model.output).summry()
    assert not hasattr(model, "no_such_thing")


def test_a_property_that_fails_says_why():
    class Mine(Model):
        @property
        def depth(self):
            raise AttributeError("not measured yet")

    x = layers.Input((2,))
    with pytest.raises(AttributeError, match="not measured yet"):
        Mine(x, Dense(1)(x)).depth  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("from kcore.layers import LTSM", "Did you mean 'LSTM'"),
        ("from kcore.layers.core import Dens", "Did you mean 'Dense'"),
        ("from kcore.models import Sequental", "Did you mean 'Sequential'?"),
        ("from kcore.utils import to_categoricl", "Did you mean 'to_categorical'?"),
        ("from kcore.utils.np_utils import to_categoricl", "Did you mean 'to_categorical'?"),
        ("from kcore.backend import men", "Did you mean 'mean'?"),
        ("from kcore import optimisers", "Did you mean 'optimizers'?"),
        ("import kcore.modles", "Did you mean 'models'?"),
        ("from kcore.layers import LayerNormalization", "later than Keras 2.1.6"),
        ("from kcore.utils import pad_sequences", "It is in kcore.preprocessing.sequence."),
        ("from kcore.backend.tensorflow_backend import set_session", "There is no session here that could be set"),
        ("from kcore.optimizers import Adamm", "If it is your own, give it itself, without quotes, or name it in"),
    ],
)
def test_imports(statement, text):
    with pytest.raises(ImportError) as raised:
        exec(statement)
    assert text in str(raised.value)


def test_paths_of_keras_2_2():
    from kcore.engine import Layer, base_layer
    from kcore.engine.saving import load_model  # noqa: F401

    assert base_layer.Layer is Layer


def test_what_is_said_to_be_of_a_later_version_is_not_there():
    for kind, names in LATER.items():
        if kind not in ("utils",):
            assert not set(names) & set(registry.names(kind)), kind
    for function in FUNCTIONS_OF_CLASSES.values():
        assert hasattr(metrics, function) or hasattr(losses, function)


def test_the_function_that_stands_in_for_the_huber_loss():
    from kcore import backend as K

    source = LATER["losses"]["huber"].removeprefix("Write it as a function: ")
    names: dict = {"K": K}
    exec(source.replace("): ", "):\n    ").replace("; ", "\n    "), names)
    error = np.array([[-3.0, -0.5, 0.0, 2.0]])
    expected = np.where(abs(error) < 1, error**2 / 2, abs(error) - 0.5).mean(axis=-1)
    found = K.eval(names["huber"](K.constant(error), K.constant(np.zeros((1, 4)))))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_layers_that_are_there_under_later_names():
    assert layers.ReLU and layers.DepthwiseConv2D


def test_an_old_import_path_is_named_as_it_was_written():
    with pytest.raises(ImportError, match=r"cannot import name 'layers' from 'kcore\.legacy'"):
        import kcore.legacy.layers  # noqa: F401
    with pytest.raises(ImportError, match=r"from 'kcore\.utils\.np_utils'.*Did you mean 'to_categorical'"):
        from kcore.utils.np_utils import to_categorica  # noqa: F401
