"""Weights in files: layout, matching in order and by name, what is refused."""

import h5py
import numpy as np
import pytest

from kcore import backend as K
from kcore import layers
from kcore.engine import Input, Layer, Model, Sequential
from kcore.errors import KcoreWarning, SavedModelError, WeightsMismatchError
from kcore.layers import Dense, Dropout
from kcore.saving import preprocess_weights_for_loading
from kcore.saving.groups import HEADER_LIMIT, has_names, read_array, read_names, write_names
from kcore.saving.weights import weight_names


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.h5"


def small(first=4, name="second"):
    return Sequential([Dense(first, input_shape=(3,), name="first"), Dropout(0.5), Dense(2, name=name)])


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


# --- layout --------------------------------------------------------------------------------------------


def test_layout_is_that_of_keras_2(path):
    model = small()
    model.save_weights(path)
    with h5py.File(path) as file:
        assert set(file.attrs) == {"backend", "keras_version", "layer_names"}
        assert file.attrs["keras_version"] == "2.1.6"
        assert file.attrs["backend"] == "tensorflow"
        assert list(file.attrs["layer_names"]) == [b"first", b"dropout_1", b"second"]
        assert file.attrs["layer_names"].dtype == "S9"
        assert list(file["first"].attrs["weight_names"]) == [b"first/kernel:0", b"first/bias:0"]
        assert file["dropout_1"].attrs["weight_names"].dtype == "float64"
        assert file["dropout_1"].attrs["weight_names"].shape == (0,)
        kernel = file["first/first/kernel:0"]
        assert kernel.dtype == "float32"
        np.testing.assert_array_equal(kernel[()], model.get_weights()[0])
        for name in ("keras_version", "backend"):
            kind = h5py.h5a.open(file.id, name.encode()).get_type()
            assert kind.is_variable_str()  # Keras decodes these from bytes
            assert kind.get_cset() == h5py.h5t.CSET_ASCII


def test_weights_of_all_dtypes_and_shapes(path):
    class Odd(Layer):
        def build(self, input_shape):
            self.add_weight("scalar", (), initializer=lambda shape: np.array(3.5))
            self.add_weight("empty", (0, 4))
            self.add_weight("double", (2,), dtype="float64", initializer=lambda shape: np.array([0.1, 0.2]))
            self.add_weight("half", (2,), dtype="float16", initializer="ones")
            self.add_weight("whole", (2,), dtype="int32", initializer="ones", trainable=False)
            super().build(input_shape)

    def make():
        x = Input((3,))
        return Model(x, Odd(name="odd")(x))

    model, other = make(), make()
    model.layers[1].set_weights(
        [np.array(7.0), np.zeros((0, 4)), np.array([0.3, 0.4]), np.ones(2) * 2, np.array([5, 6])]
    )
    model.save_weights(path)
    other.load_weights(path)
    assert equal(model, other)
    assert other.get_weights()[2].tolist() == [0.3, 0.4]


def test_weights_of_one_name_are_told_apart(path):
    class Twins(Layer):
        def build(self, input_shape):
            self.a = self.add_weight("w", (2,), initializer="zeros")
            self.b = self.add_weight("w", (2,), initializer="ones")
            self.c = K.variable(np.full(2, 2.0), name="plain")
            self._trainable_weights.append(self.c)
            super().build(input_shape)

    layer = Twins(input_shape=(3,))
    model = Sequential([layer])
    assert weight_names(layer.weights) == ["twins_1/w:0", "twins_1/w_1:0", "plain:0"]
    model.save_weights(path)
    before = model.get_weights()
    model.set_weights([np.full(2, 9.0)] * 3)
    model.load_weights(path)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_long_lists_of_names_are_split(path):
    names = [f"layer_with_a_rather_long_name_{i}" for i in range(4000)]
    with h5py.File(path, "w") as file:
        write_names(file, "layer_names", names)
        assert "layer_names" not in file.attrs
        assert file.attrs["layer_names0"].nbytes <= HEADER_LIMIT
        assert has_names(file, "layer_names")
        assert read_names(file, "layer_names") == names
        with pytest.raises(ValueError, match="too long"):
            write_names(file, "one", ["x" * (HEADER_LIMIT + 1)])


def test_a_model_with_many_layers(path):
    def make():
        layers = [Dense(1, use_bias=False, name=f"{'x' * 500}_{i}") for i in range(1, 150)]
        return Sequential([Dense(1, input_shape=(1,), name="first"), *layers])

    model, other = make(), make()
    model.save_weights(path)
    with h5py.File(path) as file:
        assert "layer_names1" in file.attrs
    other.load_weights(path)
    assert equal(model, other)


def test_texts_of_other_writers(path):
    model = small()
    model.save_weights(path)
    kind = h5py.string_dtype()
    with h5py.File(path, "a") as file:
        file.attrs["keras_version"] = "2.2.4"  # as text, not bytes
        file.attrs.create("layer_names", ["first", "dropout_1", "second"], dtype=kind)
        file["first"].attrs.create("weight_names", ["first/kernel:0", "first/bias:0"], dtype=kind)
    other = small()
    other.load_weights(path)
    assert equal(model, other)


# --- in order ---------------------------------------------------------------------------------------------


def test_in_order_names_do_not_matter(path):
    model, other = small(), small(name="another")
    model.save_weights(path)
    other.load_weights(path)
    assert equal(model, other)


def test_from_the_file_of_a_whole_model(path):
    model, other = small(), small()
    model.save(path)
    other.load_weights(path)
    assert equal(model, other)


def test_loading_never_draws_initial_values(path):
    model = small()
    model.save_weights(path)
    other = small()
    for weight in other.weights:
        weight.state._initial = None  # would fail
    other.load_weights(path)
    assert equal(model, other)


def test_in_order_mismatches_change_nothing(path):
    model = small()
    model.save_weights(path)
    longer = Sequential([Dense(4, input_shape=(3,)), Dense(4), Dense(2)])
    with pytest.raises(ValueError, match="weight file containing 2 layers into a model with 3 layers.*by_name=True"):
        longer.load_weights(path)
    other = Sequential([Dense(4, input_shape=(3,)), Dense(5)])
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"dense_5/kernel:0 of layer dense_5 has shape \(4, 5\), but .* \(4, 2\)"):
        other.load_weights(path)
    assert all(map(np.array_equal, other.get_weights(), before))
    no_bias = Sequential([Dense(4, input_shape=(3,)), Dense(2, use_bias=False)])
    with pytest.raises(ValueError, match='named "dense_7" in the current model.*expects 1 weights.* have 2'):
        no_bias.load_weights(path)


def test_nested_models_whatever_was_trainable_when_saving(path):
    class Normal(Layer):
        def build(self, input_shape):
            self.add_weight("moving", (1,), initializer=lambda s: np.random.rand(*s), trainable=False)
            self.add_weight("gamma", (1,), initializer=lambda s: np.random.rand(*s))
            super().build(input_shape)

    def make():
        inner = Sequential([Dense(2, input_shape=(3,), name="d"), Normal(name="n"), Dense(2, name="e")], name="inner")
        x = Input((3,))
        return Model(x, Dense(1, name="top")(inner(x)))

    model = make()
    for frozen in (None, 0, 1, 2):
        if frozen is not None:
            model.layers[1].layers[frozen].trainable = False
        model.save_weights(path)
        other = make()
        other.load_weights(path)
        for one, two in zip(model.layers[1].layers, other.layers[1].layers, strict=True):
            assert equal(one, two)
        other.load_weights(path, by_name=True)


# --- by name ------------------------------------------------------------------------------------------------


def test_the_manuals_example_of_loading_by_name(path):
    model = Sequential()
    model.add(Dense(2, input_dim=3, name="dense_1"))
    model.add(Dense(3, name="dense_2"))
    model.save_weights(path)
    other = Sequential()
    other.add(Dense(2, input_dim=3, name="dense_1"))
    other.add(Dense(10, name="new_dense"))
    untouched = other.get_weights()[2]
    other.load_weights(path, by_name=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.get_weights()[2], untouched)


def test_by_name_mismatches(path):
    model = small()
    model.save_weights(path)
    wider = small(first=5)
    before = wider.get_weights()
    with pytest.raises(ValueError, match=r"first/kernel:0 of layer first has shape \(3, 5\)"):
        wider.load_weights(path, by_name=True)
    assert all(map(np.array_equal, wider.get_weights(), before))
    with pytest.warns(UserWarning, match="Skipping loading of weights for layer (first|second)") as caught:
        wider.load_weights(path, by_name=True, skip_mismatch=True)
    assert len(caught) == 2
    no_bias = Sequential([Dense(4, input_shape=(3,), name="first", use_bias=False)])
    with pytest.warns(UserWarning, match="expects 1 weights"):
        no_bias.load_weights(path, by_name=True, skip_mismatch=True)


def test_reshape(path):
    class Row(Layer):
        def __init__(self, shape, **kwargs):
            self.shape = shape
            super().__init__(**kwargs)

        def build(self, input_shape):
            self.add_weight("w", self.shape)
            super().build(input_shape)

    flat = Sequential([Row((6,), name="row", input_shape=(1,))])
    flat.save_weights(path)
    square = Sequential([Row((2, 3), name="row", input_shape=(1,))])
    with pytest.raises(ValueError, match="has shape"):
        square.load_weights(path, by_name=True)
    square.load_weights(path, by_name=True, reshape=True)
    np.testing.assert_array_equal(square.get_weights()[0].ravel(), flat.get_weights()[0])
    with pytest.raises(ValueError, match="has shape"):
        Sequential([Row((7,), name="row", input_shape=(1,))]).load_weights(path, by_name=True, reshape=True)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("skip_mismatch", [False, True])
@pytest.mark.parametrize("reshape", [False, True])
@pytest.mark.parametrize("case", ["equal", "of equal size", "of another size", "one more"])
def test_every_combination_of_arguments(path, by_name, skip_mismatch, reshape, case):
    """A model whose second layer differs; what fits is loaded, or nothing at all."""

    class Weight(Layer):
        def __init__(self, *shapes, **kwargs):
            super().__init__(**kwargs)
            self.shapes = shapes

        def build(self, input_shape):
            for number, shape in enumerate(self.shapes):
                self.add_weight(f"w{number}", shape)
            super().build(input_shape)

    def model_of(*shapes):
        return Sequential([Weight((5,), name="first", input_shape=(1,)), Weight(*shapes, name="second")])

    saved = model_of((2, 3))
    values = [np.arange(5.0), np.arange(6.0).reshape(2, 3)]
    saved.set_weights(values)
    saved.save_weights(path)
    shapes = {"equal": [(2, 3)], "of equal size": [(3, 2)], "of another size": [(3, 3)], "one more": [(2, 3), (1,)]}
    model = model_of(*shapes[case])
    before = model.get_weights()
    arguments = {"by_name": by_name, "skip_mismatch": skip_mismatch, "reshape": reshape}
    if case == "equal" or (case == "of equal size" and reshape):
        model.load_weights(path, **arguments)
        for one, other in zip(model.get_weights(), values, strict=True):
            np.testing.assert_array_equal(one.ravel(), other.ravel())
    elif by_name and skip_mismatch:
        with pytest.warns(KcoreWarning, match="Skipping loading of weights for layer second") as caught:
            model.load_weights(path, **arguments)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        np.testing.assert_array_equal(model.get_weights()[0], values[0])
        for one, other in zip(model.get_weights()[1:], before[1:], strict=True):
            np.testing.assert_array_equal(one, other)
    else:
        with pytest.raises(WeightsMismatchError, match="second") as caught:
            model.load_weights(path, **arguments)
        assert ("With reshape=True" in str(caught.value)) == (case == "of equal size")
        assert ("with by_name=True only" in str(caught.value)) == skip_mismatch
        for one, other in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(one, other)


# --- other layouts ----------------------------------------------------------------------------------------------


class Transposed(Dense):
    """Its kernel was stored the other way round by version 1 and by Theano."""

    def weights_from_file(self, weights, keras_version, backend):
        if keras_version.startswith("1") or backend == "theano":
            return [weights[0].T, *weights[1:]]
        return weights


@pytest.mark.parametrize(("version", "backend"), [(None, "tensorflow"), ("1.2.2", "tensorflow"), ("2.0.5", "theano")])
@pytest.mark.parametrize("nested", [False, True])
def test_layers_convert_their_own_weights(path, version, backend, nested):
    layer = Transposed(2, input_shape=(3,), name="t")
    model = Sequential([Sequential([layer], name="inner")] if nested else [layer])
    values = [np.arange(6.0).reshape(2, 3), np.ones(2)]
    outer = "inner" if nested else "t"
    with h5py.File(path, "w") as file:
        write_names(file, "layer_names", [outer])
        group = file.create_group(outer)
        write_names(group, "weight_names", ["t_W", "t_b"])
        group["t_W"], group["t_b"] = values
        file.attrs["backend"] = backend
        if version is not None:
            file.attrs["keras_version"] = version
    model.load_weights(path)
    np.testing.assert_array_equal(layer.get_weights()[0], values[0].T)


def test_preprocess_weights_for_loading():
    layer = Transposed(2)
    kernel, bias = np.ones((2, 3)), np.ones(2)
    assert preprocess_weights_for_loading(layer, [kernel, bias])[0].shape == (3, 2)
    assert preprocess_weights_for_loading(layer, [kernel, bias], "2.1.6", "tensorflow")[0].shape == (2, 3)


# --- hostile files ----------------------------------------------------------------------------------------------


def hostile(path, change):
    """The error of loading a file of good weights after `change` was made to it."""
    model = small()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        change(file)
    before = model.get_weights()
    with pytest.raises(SavedModelError) as caught:
        model.load_weights(path)
    assert all(map(np.array_equal, model.get_weights(), before))
    return str(caught.value)


def replace(file, new):
    del file["second/second/kernel:0"]
    file["second/second/kernel:0"] = new


def test_links_are_not_followed(path, tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["numbers"] = np.zeros((4, 2), "float32")
    external = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/numbers")
    assert "ExternalLink" in hostile(path, lambda file: replace(file, external))
    assert "SoftLink" in hostile(path, lambda file: replace(file, h5py.SoftLink("/first/first/kernel:0")))


def test_values_in_other_files_are_not_read(path, tmp_path):
    (tmp_path / "raw").write_bytes(bytes(64))

    def raw(file):
        del file["second/second/kernel:0"]
        file.create_dataset("second/second/kernel:0", (4, 2), "f4", external=[(str(tmp_path / "raw"), 0, 32)])

    def virtual(file):
        del file["second/second/kernel:0"]
        layout = h5py.VirtualLayout((4, 2), "f4")
        layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (4, 2))
        file["second"].create_virtual_dataset("second/kernel:0", layout)

    for change in (raw, virtual):
        assert "in another file" in hostile(path, change)


def test_gigantic_shapes_take_no_memory(path):
    def gigantic(file):
        del file["second/second/kernel:0"]
        file.create_dataset("second/second/kernel:0", (10**9, 10**6), "f4", chunks=(1, 1024), compression="gzip")

    assert "more than fits here" in hostile(path, gigantic)


def test_things_that_are_no_numbers(path):
    assert "should hold numbers" in hostile(path, lambda file: replace(file, np.array([b"a", b"b"])))
    assert "is empty" in hostile(path, lambda file: replace(file, h5py.Empty("f4")))

    def group_instead(file):
        del file["second/second/kernel:0"]
        file.create_group("second/second/kernel:0")

    assert "should be a Dataset, but is Group" in hostile(path, group_instead)

    def dataset_instead(file):
        del file["second"]
        file["second"] = np.zeros(3)

    assert "should be a Group, but is Dataset" in hostile(path, dataset_instead)


def test_missing_parts(path):
    assert "'second' is missing" in hostile(path, lambda file: file.__delitem__("second"))
    assert "'second/kernel:0' is missing" in hostile(path, lambda file: file.__delitem__("second/second/kernel:0"))
    assert "no attribute 'weight_names'" in hostile(path, lambda file: file["second"].attrs.__delitem__("weight_names"))
    assert "damaged" in hostile(path, lambda file: file.attrs.__setitem__("layer_names", [1.5, 2.5]))
    assert "damaged" in hostile(path, lambda file: file.attrs.__setitem__("layer_names", [b"\xff\xfe"]))
    assert "is missing" in hostile(path, lambda file: file.attrs.__setitem__("layer_names", [b"..", b"first", b"x"]))
    assert "damaged" in hostile(path, lambda file: file.attrs.__setitem__("keras_version", 2.1))


def test_read_array_of_a_group_inside_a_dataset(path):
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(3)
        with pytest.raises(ValueError, match="'a/b' is missing"):
            read_array(file, "a/b", 100)


@pytest.mark.parametrize("of_file, of_model", [("CuDNNGRU", "GRU"), ("GRU", "CuDNNGRU")])
def test_a_gru_that_resets_before_the_product_does_not_take_the_weights_of_one_that_resets_after(
    of_file, of_model, tmp_path
):
    """Converting them would give a model that computes something else."""
    saved = Sequential([getattr(layers, of_file)(2, input_shape=(None, 3), name="rnn")])
    saved.save_weights(str(tmp_path / "w.h5"))
    model = Sequential([getattr(layers, of_model)(2, input_shape=(None, 3), name="rnn")])
    before = model.get_weights()
    with pytest.raises(ValueError, match="reset"):
        model.load_weights(str(tmp_path / "w.h5"))
    with pytest.warns(KcoreWarning, match="Skipping"):
        model.load_weights(str(tmp_path / "w.h5"), by_name=True, skip_mismatch=True)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize(
    "activations, message",
    [
        ({"recurrent_activation": "hard_sigmoid"}, "recurrent_activation='hard_sigmoid', so that its outputs will"),
        ({"recurrent_activation": "sigmoid", "activation": "relu"}, "activation='relu' and .* its outputs will"),
        ({"recurrent_activation": "sigmoid"}, None),
    ],
)
def test_weights_of_cudnn_in_a_layer_of_other_activations(kind, activations, message, tmp_path):
    saved = Sequential([getattr(layers, f"CuDNN{kind}")(2, input_shape=(None, 3), name="rnn")])
    saved.save_weights(str(tmp_path / "w.h5"))
    after = {"reset_after": True} if kind == "GRU" else {}
    model = Sequential([getattr(layers, kind)(2, input_shape=(None, 3), name="rnn", **activations, **after)])
    if message:
        with pytest.warns(KcoreWarning, match=message):
            model.load_weights(str(tmp_path / "w.h5"))
    else:
        model.load_weights(str(tmp_path / "w.h5"))
    x = np.random.rand(2, 5, 3)
    difference = np.abs(model.predict(x) - saved.predict(x)).max()
    assert difference > 1e-4 if message else difference < 1e-6


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_weights_of_a_plain_layer_in_one_of_cudnn(kind, tmp_path):
    """The file does not say what the activations were."""
    after = {"reset_after": True} if kind == "GRU" else {}
    saved = Sequential([getattr(layers, kind)(2, input_shape=(None, 3), recurrent_activation="sigmoid", **after)])
    saved.save_weights(str(tmp_path / "w.h5"))
    model = Sequential([getattr(layers, f"CuDNN{kind}")(2, input_shape=(None, 3))])
    with pytest.warns(KcoreWarning, match=f"a plain {kind}.*differ unless.*hard_sigmoid"):
        model.load_weights(str(tmp_path / "w.h5"))
    x = np.random.rand(2, 5, 3)
    np.testing.assert_allclose(model.predict(x), saved.predict(x), atol=1e-6)
