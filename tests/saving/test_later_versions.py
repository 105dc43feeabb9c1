"""What later versions of the format say that 2.1.6 could not: taken where it changes nothing, refused by name else."""

import json
import warnings

import h5py
import numpy as np
import pytest

from kcore.errors import KcoreWarning, SavedModelError
from kcore.layers import Dense
from kcore.models import Sequential, load_model, model_from_json
from kcore.optimizers import SGD

CONV = {"filters": 2, "kernel_size": 2}
LSTM = {"class_name": "LSTM", "config": {"units": 2}}


def stack_of(class_name, shape, config):
    config = {"name": "layer", "batch_input_shape": [None, *shape], **config}
    layers = [{"class_name": class_name, "config": config, "module": "keras.layers", "registered_name": None}]
    return json.dumps({"class_name": "Sequential", "config": {"name": "stack", "layers": layers}})


@pytest.mark.parametrize(
    ("class_name", "shape", "config", "refused"),
    [
        ("Conv2D", (4, 4, 2), CONV, {"groups": 2}),
        ("Conv2DTranspose", (4, 4, 2), CONV, {"dilation_rate": [2, 2]}),
        ("Conv2DTranspose", (4, 4, 2), {**CONV, "strides": 2}, {"output_padding": [1, 1]}),
        ("UpSampling2D", (4, 4, 2), {}, {"interpolation": "bilinear"}),
        ("GlobalAveragePooling2D", (4, 4, 2), {}, {"keepdims": True}),
        ("LSTM", (4, 2), {"units": 2}, {"time_major": True}),
        ("LSTM", (4, 2), {"units": 2}, {"zero_output_for_mask": True}),
        ("LocallyConnected1D", (4, 2), CONV, {"implementation": 2}),
        ("BatchNormalization", (4,), {}, {"renorm": True}),
        ("Bidirectional", (4, 2), {"layer": LSTM}, {"backward_layer": LSTM}),
        ("Embedding", (4,), {"input_dim": 3, "output_dim": 2}, {"sparse": True}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and value else None,
)
def test_an_argument_that_would_change_the_model_is_refused_by_name(class_name, shape, config, refused):
    (key,) = refused
    with pytest.raises(SavedModelError, match=rf"'layer' \({class_name}\).*not understood: '{key}'"):
        model_from_json(stack_of(class_name, shape, {**config, **refused}))


@pytest.mark.parametrize(
    ("class_name", "shape", "config"),
    [
        ("Conv2D", (4, 4, 2), {**CONV, "groups": 1}),
        ("DepthwiseConv2D", (4, 4, 2), {"kernel_size": 2, "dilation_rate": [1, 1], "groups": 1}),
        ("BatchNormalization", (4,), {"axis": [1], "renorm": False, "synchronized": False}),
        ("Dense", (4,), {"units": 2, "activation": {"class_name": "function", "config": "relu", "module": "builtins"}}),
        ("Dense", (4,), {"units": 2, "dtype": {"class_name": "Policy", "config": {"name": "float32"}}}),
        ("Dense", (4,), {"units": 2, "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}}}),
        ("Embedding", (4,), {"input_dim": 3, "output_dim": 2, "sparse": False}),
    ],
)
def test_what_changes_nothing_is_taken(class_name, shape, config):
    (layer,) = model_from_json(stack_of(class_name, shape, config)).layers
    assert type(layer).__name__ == class_name
    assert not {"groups", "renorm", "synchronized", "sparse"} & set(layer.get_config())


def test_the_activation_that_keras_2_2_added():
    model = model_from_json(stack_of("Activation", (4,), {"activation": "exponential"}))
    x = np.linspace(-2, 2, 4, dtype="float32")[None]
    np.testing.assert_allclose(model.predict(x), np.exp(x), rtol=1e-6)
    assert model.get_config()[0]["config"]["activation"] == "exponential"


def test_a_policy_of_mixed_precision_is_said_to_be_left_out():
    policy = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
    with pytest.warns(KcoreWarning, match="mixed_float16.*float32"):
        model = model_from_json(stack_of("Dense", (4,), {"units": 2, "dtype": policy}))
    assert model.layers[0].get_config()["dtype"] == "float32"


# --- training ----------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """Saves a model with changes to its training configuration, and loads it."""
    path = tmp_path / "model.h5"

    def with_changes(**changes):
        model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
        model.compile(SGD(0.1), "mse")
        model.save(path)
        with h5py.File(path, "a") as file:
            config = json.loads(file.attrs["training_config"])
            optimizer = changes.pop("optimizer", None) or config["optimizer_config"]["config"]
            config["optimizer_config"]["config"] = optimizer
            file.attrs["training_config"] = json.dumps({**config, **changes})
        return load_model(path)

    return with_changes


def test_the_clipping_that_tf_keras_calls_global_is_ours(saved):
    model = saved(optimizer={"name": "SGD", "learning_rate": 0.1, "clipnorm": None, "global_clipnorm": 0.5})
    assert model.optimizer.clipnorm == 0.5


def test_clipping_of_each_gradient_is_refused(saved):
    with pytest.raises(SavedModelError, match=r"SGD .* own norm \(clipnorm=0.5 .*compile=False"):
        saved(optimizer={"name": "SGD", "learning_rate": 0.1, "clipnorm": 0.5})
    assert saved(optimizer={"lr": 0.1, "clipnorm": 0.5}).optimizer.clipnorm == 0.5  # as Keras itself writes it


@pytest.mark.parametrize(("key", "value"), [("weight_decay", 0.1), ("use_ema", True)])
def test_an_argument_that_would_change_the_training_is_refused_by_name(saved, key, value):
    with pytest.raises(SavedModelError, match=rf"{key}.*compile=False"):
        saved(optimizer={"name": "SGD", key: value, "learning_rate": 0.1})


def test_classes_of_losses_and_metrics_are_the_functions_that_they_stand_for(saved):
    arguments = {"reduction": "auto", "name": "categorical_crossentropy", "from_logits": False, "axis": -1}
    loss = {"class_name": "CategoricalCrossentropy", "config": {**arguments, "label_smoothing": 0.0}}
    metric = {"class_name": "MeanAbsoluteError", "config": {"name": "error", "dtype": "float32"}}
    model = saved(loss=loss, metrics=[[metric]])
    assert model.loss == "categorical_crossentropy"
    assert model.metrics == ["mean_absolute_error"]
    with pytest.raises(SavedModelError, match=r"CategoricalCrossentropy\(from_logits=True\).*compile=False"):
        saved(loss={**loss, "config": {**loss["config"], "from_logits": True}})


def test_weighted_metrics_of_each_output(saved):
    model = saved(metrics=None, weighted_metrics=[["mae"]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = model.evaluate(np.zeros((2, 4)), np.zeros((2, 3)), verbose=0)
    assert len(values) == 2
