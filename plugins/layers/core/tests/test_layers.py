"""What is particular to each layer."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Input, Layer, Model, Sequential
from kcore.layers import (
    Activation,
    ActivityRegularization,
    Dense,
    Dropout,
    Flatten,
    Lambda,
    Masking,
    Permute,
    RepeatVector,
    Reshape,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)


@pytest.fixture(autouse=True)
def fresh_names():
    K.clear_session()


def computed(layer, *arrays, training=None):
    """What a layer makes of arrays."""
    inputs = [Input(batch_shape=a.shape, dtype=str(a.dtype)) for a in arrays]
    output = layer(inputs if len(inputs) > 1 else inputs[0])
    function = K.function([*inputs, K.learning_phase()], [output])
    return function([*arrays, int(bool(training))])[0]


# --- Dense ---------------------------------------------------------------------------------------------


def test_dense_configuration_is_that_of_keras_2_1():
    config = Dense(3, activation="relu", kernel_regularizer="l2", name="d").get_config()
    assert list(config) == [
        "name",
        "trainable",
        "units",
        "activation",
        "use_bias",
        "kernel_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    ]
    assert config["activation"] == "relu"
    assert config["bias_initializer"] == {"class_name": "Zeros", "config": {}}
    assert config["kernel_initializer"]["class_name"] == "VarianceScaling"
    assert config["bias_regularizer"] is None


def test_dense_the_manuals_example():
    model = Sequential()
    model.add(Dense(32, input_shape=(16,)))
    model.add(Dense(32))
    assert model.output_shape == (None, 32)
    assert Dense(3, input_dim=5).batch_input_shape == (None, 5)
    assert Dense(4.0).units == 4  # sizes computed with `/`
    for wrong in (0, -3, 2.5, "3", True, None):
        with pytest.raises(ValueError, match="`units` of layer dense_.* must be an int, 1 or more. Received"):
            Dense(wrong)


def test_dense_values():
    x, kernel, bias = np.random.rand(2, 5, 4), np.random.rand(4, 3), np.random.rand(3)
    layer = Dense(3, activation="tanh", weights=[kernel, bias])
    np.testing.assert_allclose(computed(layer, x.astype("float32")), np.tanh(x @ kernel + bias), rtol=1e-5)


def test_dense_errors():
    with pytest.raises(
        ValueError, match="Input 0 is incompatible with layer dense_1: expected min_ndim=2, found ndim=1"
    ):
        Dense(3)(Input(()))
    with pytest.raises(ValueError, match="Layer dense_2 .Dense. must know the last dimension"):
        Dense(3)(Input((None,)))
    layer = Dense(3)
    layer(Input((4,)))
    with pytest.raises(ValueError, match="dense_3: expected axis -1 of input shape to have value 4"):
        layer(Input((5,)))
    with pytest.raises(ValueError, match="nonsense"):
        Dense(3, activation="nonsense")


# --- Activation, ActivityRegularization --------------------------------------------------------------------


def test_activation_by_name_and_function():
    x = np.array([[-1.0, 2.0]], "float32")
    np.testing.assert_array_equal(computed(Activation("relu"), x), [[0, 2]])
    np.testing.assert_array_equal(computed(Activation(K.abs), x), [[1, 2]])
    assert Activation("relu").get_config()["activation"] == "relu"


def test_activity_regularization_adds_a_penalty_and_changes_nothing():
    x = Input((2,))
    model = Model(x, ActivityRegularization(l1=0.5, l2=0.25)(x))
    (loss,) = model.losses
    data = np.array([[1.0, -2.0]], "float32")
    value, output = K.function(model.inputs, [loss, *model.outputs])([data])
    assert value == pytest.approx(0.5 * 3 + 0.25 * 5)
    np.testing.assert_array_equal(output, data)


# --- Masking ------------------------------------------------------------------------------------------------


def test_masking():
    x = np.array([[[1, -1], [-1, -1], [-1, 5]]], "float32")
    inputs = Input((3, 2))
    output = Masking(mask_value=-1)(inputs)
    values, mask = K.function([inputs], [output, output._keras_mask])([x])
    np.testing.assert_array_equal(mask, [[True, False, True]])
    np.testing.assert_array_equal(values, [[[1, -1], [0, 0], [-1, 5]]])


def test_masking_keeps_the_dtype():
    inputs = Input((3, 2), dtype="float64")
    assert Masking()(inputs).dtype == "float64"


# --- Dropout ---------------------------------------------------------------------------------------------------


def test_dropout_in_test_does_nothing():
    x = np.random.rand(20, 30).astype("float32")
    np.testing.assert_array_equal(computed(Dropout(0.5), x), x)


def test_dropout_in_training_keeps_the_mean():
    x = np.ones((200, 300), "float32")
    y = computed(Dropout(0.25), x, training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.01)


def test_dropout_by_argument_whatever_the_phase():
    x = np.ones((50, 50), "float32")
    inputs = Input((50,))
    always, never = Dropout(0.5)(inputs, training=True), Dropout(0.5)(inputs, training=False)
    a, b = K.function([inputs], [always, never])([x])
    assert (a == 0).any()
    np.testing.assert_array_equal(b, x)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rates_at_the_limits(rate):
    x = np.ones((5, 5), "float32")
    np.testing.assert_array_equal(computed(Dropout(rate), x, training=True), x)  # as in Keras 2.1.6, for 1 too


def test_two_dropouts_differ_and_seeds_repeat():
    x = np.ones((10, 50), "float32")
    assert (computed(Dropout(0.5), x, training=True) != computed(Dropout(0.5), x, training=True)).any()
    one, two = (computed(Dropout(0.5, seed=5), x, training=True) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("layer", "shape", "alike"),
    [
        (lambda: Dropout(0.5, noise_shape=(None, 1, None)), (6, 20, 8), (1,)),
        (lambda: Dropout(0.5, noise_shape=[6, 20, 1]), (6, 20, 8), (2,)),
        (lambda: SpatialDropout1D(0.5), (6, 20, 8), (1,)),
        (lambda: SpatialDropout2D(0.5), (6, 4, 5, 8), (1, 2)),
        (lambda: SpatialDropout2D(0.5, "channels_first"), (6, 8, 4, 5), (2, 3)),
        (lambda: SpatialDropout3D(0.5), (6, 4, 5, 3, 8), (1, 2, 3)),
        (lambda: SpatialDropout3D(0.5, "channels_first"), (6, 8, 4, 5, 3), (2, 3, 4)),
    ],
)
def test_noise_is_the_same_along_some_axes(layer, shape, alike):
    y = computed(layer(), np.ones(shape, "float32"), training=True)
    assert (y.min(axis=alike) == y.max(axis=alike)).all()
    assert 0.2 < (y == 0).mean() < 0.8


def test_spatial_dropout_errors():
    with pytest.raises(ValueError, match="spatial_dropout1d_1: expected ndim=3, found ndim=2"):
        SpatialDropout1D(0.5)(Input((4,)))
    with pytest.raises(ValueError, match="data_format"):
        SpatialDropout2D(0.5, data_format="channels")


# --- Flatten, Reshape, Permute, RepeatVector --------------------------------------------------------------------


def test_flatten_needs_sizes():
    with pytest.raises(ValueError, match='The shape of the input to "Flatten" .*is not fully defined'):
        Flatten()(Input((None, 3)))
    with pytest.raises(ValueError, match="flatten_2: expected min_ndim=2, found ndim=1"):
        Flatten()(Input(()))
    assert K.int_shape(Flatten()(Input((3,)))) == (None, 3)
    with pytest.raises(ValueError, match="data_format"):
        Flatten("last")
    assert Flatten().get_config()["data_format"] == "channels_last"


def test_reshape_the_manuals_example():
    model = Sequential()
    model.add(Reshape((3, 4), input_shape=(12,)))
    assert model.output_shape == (None, 3, 4)
    model.add(Reshape((6, 2)))
    assert model.output_shape == (None, 6, 2)
    model.add(Reshape((-1, 2, 2)))
    assert model.output_shape == (None, 3, 2, 2)
    x = np.random.rand(2, 12).astype("float32")
    np.testing.assert_array_equal(model.predict(x), x.reshape(2, 3, 2, 2))


def test_reshape_errors():
    with pytest.raises(ValueError, match=r"layer reshape_1 cannot reshape \(12,\) \(12 elements\) to \(5, 2\)"):
        Reshape((5, 2))(Input((12,)))
    with pytest.raises(ValueError, match="cannot reshape"):
        Reshape((5, -1))(Input((12,)))
    with pytest.raises(ValueError, match="Can only specify one unknown dimension"):
        Reshape((-1, -1))


def test_reshape_with_unknown_sizes():
    y = Reshape((-1, 2))(Input((None, 4)))
    assert K.int_shape(y) == (None, None, 2)
    y = Reshape((6, 2))(Input((None, 4)))
    assert K.int_shape(y) == (None, 6, 2)


def test_reshape_to_scalars():
    x = np.random.rand(3, 1).astype("float32")
    assert computed(Reshape(()), x).shape == (3,)


def test_permute():
    model = Sequential()
    model.add(Permute((2, 1), input_shape=(10, 64)))
    assert model.output_shape == (None, 64, 10)
    for dims in ((0, 1), (1, 3), (1, 1), (2,)):
        with pytest.raises(ValueError, match="Invalid permutation `dims` for Permute layer"):
            Permute(dims)
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=4"):
        Permute((2, 1))(Input((3, 4, 5)))


def test_repeat_vector_the_manuals_example():
    model = Sequential()
    model.add(Dense(32, input_dim=32))
    model.add(RepeatVector(3))
    assert model.output_shape == (None, 3, 32)
    with pytest.raises(ValueError, match="must be an int"):
        RepeatVector(2.5)
    with pytest.raises(ValueError, match="expected ndim=2"):
        RepeatVector(2)(Input((3, 4)))


# --- Lambda ----------------------------------------------------------------------------------------------------


def antirectifier(x):
    x -= K.mean(x, axis=1, keepdims=True)
    x = K.l2_normalize(x, axis=1)
    pos = K.relu(x)
    neg = K.relu(-x)
    return K.concatenate([pos, neg], axis=1)


def antirectifier_output_shape(input_shape):
    shape = list(input_shape)
    assert len(shape) == 2  # only valid for 2D tensors
    shape[-1] *= 2
    return tuple(shape)


def test_lambda_the_manuals_examples():
    model = Sequential([Dense(4, input_shape=(3,))])
    model.add(Lambda(lambda x: x**2))
    model.add(Lambda(antirectifier, output_shape=antirectifier_output_shape))
    assert model.output_shape == (None, 8)
    y = model.predict(np.random.rand(5, 3))
    assert (y >= 0).all()
    np.testing.assert_allclose((y[:, :4] - y[:, 4:]).sum(1), 0, atol=1e-5)


def test_lambda_output_shapes():
    x = Input((4, 3))
    assert K.int_shape(Lambda(lambda t: K.sum(t, axis=-1))(x)) == (None, 4)
    layer = Lambda(lambda t: K.sum(t, axis=-1))
    assert layer.compute_output_shape((None, 7, 3)) == (None, 7)  # found out from the function
    assert Lambda(lambda t: t, output_shape=[4, 3]).compute_output_shape((None, 4, 3)) == (None, 4, 3)
    two = Lambda(lambda ts: ts[0], output_shape=(4,))
    assert two.compute_output_shape([(None, 4), (None, 5)]) == (None, 4)
    several = Lambda(lambda t: [t, t], output_shape=lambda s: [s, s])
    assert several.compute_output_shape((None, 4)) == [(None, 4), (None, 4)]
    with pytest.raises(ValueError, match="must return a tuple or a list of tuples"):
        Lambda(lambda t: t, output_shape=lambda s: 3).compute_output_shape((None, 4))
    with pytest.raises(ValueError, match="`output_shape` must be None, a list, a tuple, or a function"):
        Lambda(lambda t: t, output_shape=7)


class Masks(Layer):
    def compute_mask(self, inputs, mask=None):
        return K.any(K.not_equal(inputs, 0.0), axis=-1)


def test_lambda_masks():
    masked = Masks()(Input((4, 3)))
    seen = []

    def function(x, mask=None):
        seen.append(mask)
        return x

    assert Lambda(function)(masked)._keras_mask is None  # how programs take a mask away
    passed = Lambda(function, mask=lambda inputs, mask: mask)(masked)
    assert seen[-1] is masked._keras_mask
    assert passed._keras_mask is masked._keras_mask
    fixed = K.variable(np.ones((2, 4)), dtype="bool")
    assert Lambda(lambda x: x, mask=fixed)(masked)._keras_mask is fixed


def test_lambda_configuration():
    def local(x):
        return x

    for function, kind in ((antirectifier, "function"), (lambda x: x, "lambda"), (local, "lambda")):
        config = Lambda(function, name="l").get_config()
        assert set(config) == {
            "name",
            "trainable",
            "function",
            "function_type",
            "output_shape",
            "output_shape_type",
            "arguments",
        }
        assert config["function_type"] == kind
        assert Lambda.from_config(config).function is function
    config = Lambda(antirectifier, output_shape=antirectifier_output_shape).get_config()
    assert (config["output_shape"], config["output_shape_type"]) == ("antirectifier_output_shape", "function")
    assert Lambda.from_config(config)._output_shape is antirectifier_output_shape
    assert Lambda.from_config({**Lambda(antirectifier).get_config(), "output_shape": [3]})._output_shape == (3,)


def test_lambda_from_a_later_version():
    config = {
        "name": "l",
        "trainable": True,
        "dtype": "float32",
        "function": "antirectifier",
        "function_type": "function",
        "module": "os",
        "output_shape": None,
        "output_shape_type": "raw",
        "output_shape_module": None,
        "arguments": {},
    }
    layer = Lambda.from_config(config, custom_objects={"antirectifier": antirectifier})
    assert layer.function is antirectifier


def test_lambda_of_builtin_functions():
    x = np.array([[-1.0, 2.0]], "float32")
    np.testing.assert_array_equal(computed(Lambda(abs), x), np.abs(x))
