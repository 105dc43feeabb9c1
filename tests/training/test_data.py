"""What fit, evaluate and predict accept as data, and what they say about mistakes."""

import h5py
import numpy as np
import pytest

from kcore import backend as K
from kcore.callbacks import Callback
from kcore.engine.rows import Rows, take_range, take_rows
from kcore.engine.standardize import Expected, count_samples, standardize
from kcore.engine.weighting import class_weights, per_output, sample_weights
from kcore.errors import ArgumentError, DataError
from kcore.layers import Dense, Input
from kcore.models import Model, Sequential

A, B = Expected("a", (None, 3)), Expected("b", (None, 2))


def test_one_array_passes_as_it_is():
    x = np.zeros((4, 3))
    assert standardize(x, [A], "input")[0] is x


@pytest.mark.parametrize("data", [[1.0, 2.0], [[1.0], [2.0]], (1, 2), np.array([1, 2]), [np.array([[1], [2]])]])
def test_numbers_become_a_column(data):
    (array,) = standardize(data, [Expected("x", (None, 1))], "input")
    assert array.shape == (2, 1)
    np.testing.assert_array_equal(array[:, 0], [1, 2])


def test_a_single_sample_as_nested_list():
    (array,) = standardize([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [A], "input")
    assert array.shape == (2, 3)
    for one in ([[1.0, 2.0, 3.0]], [[[1.0, 2.0, 3.0]]]):  # the samples; a list of arrays
        (array,) = standardize(one, [A], "input")
        assert array.shape == (1, 3)
    (array,) = standardize([[1.0, 2.0, 3.0]], [Expected("x", (None, 1))], "target")  # a list of one list of numbers
    assert array.shape == (3, 1)


def test_lists_and_dicts_in_the_order_of_the_model():
    a, b = np.zeros((4, 3)), np.ones((4, 2))
    for data in ([a, b], (a, b), {"b": b, "a": a, "other": 1}):
        arrays = standardize(data, [A, B], "input")
        assert arrays[0] is a
        assert arrays[1] is b


def test_data_frames(rng):
    class DataFrame:  # as pandas has it, which is not needed
        values = rng.rand(4, 3)

    assert standardize(DataFrame(), [A], "input")[0] is DataFrame.values


def test_columns_of_several_dtypes():
    mixed = np.array([[1, 2.5, True], [np.float32(3), np.int64(4), np.bool_(False)]], object)
    (array,) = standardize(mixed, [A], "input")
    assert array.dtype == "float32"
    np.testing.assert_array_equal(array, [[1, 2.5, 1], [3, 4, 0]])


def test_one_dimensional_outputs_stay_one_dimensional():
    y = np.zeros(4)
    assert standardize(y, [Expected("y", (None,))], "target")[0] is y


@pytest.mark.parametrize(
    ("data", "expected", "message"),
    [
        (np.zeros((4, 5)), [A], r"expected a to have shape \(3,\) but got array with shape \(5,\)"),
        (np.zeros((4, 3, 1)), [A], r"expected a to have 2 dimensions.*got array with shape \(4, 3, 1\)"),
        (np.zeros((4, 3)), [A, B], r"expected 2 arrays, for \['a', 'b'\]"),
        ([np.zeros((4, 3))], [A, B], r"Expected to see 2 array\(s\).*list of 1 arrays"),
        ([np.zeros((4, 3))] * 2, [A], r"Expected to see 1 array\(s\).*list of 2 arrays"),
        ({"a": np.zeros((4, 3))}, [A, B], r"No data provided for 'b'. Need data for each key in: \['a', 'b'\]"),
        (None, [A], "No input data given"),
        ([[1, 2], [3]], [A], "ragged"),
        (np.array(["x", "y"]), [A], "expected numbers"),
        (np.array([[1, 2], [3, "4"]], object), [A], "expected numbers.*pad_sequences"),
        (np.array([[1, 2], [3]], object), [A], "expected numbers.*pad_sequences"),
        (3.0, [A], "single number"),
        (np.zeros((4, 3)), [], "takes no input arrays"),
    ],
)
def test_mistakes_are_named(data, expected, message):
    with pytest.raises(DataError, match=message) as error:
        standardize(data, expected, "input")
    assert isinstance(error.value, ValueError)


def test_symbolic_tensors_are_no_data():
    with pytest.raises(DataError, match="target_tensors"):
        standardize(K.placeholder(shape=(2, 3)), [A], "input")


def test_a_fixed_batch_size_is_checked_where_it_counts():
    fixed = [Expected("a", (2, 3))]
    assert standardize(np.zeros((4, 3)), fixed, "input")[0].shape == (4, 3)
    with pytest.raises(DataError, match=r"shape \(2, 3\) but got array with shape \(4, 3\)"):
        standardize(np.zeros((4, 3)), fixed, "input", check_batch_axis=True)


def test_numbers_of_samples():
    x, y = np.zeros((4, 1)), np.zeros((3, 1))
    assert count_samples([x, x], [x]) == 4
    assert count_samples([]) is None
    with pytest.raises(DataError, match="All input arrays should have the same number of samples"):
        count_samples([x, y])
    with pytest.raises(DataError, match=r"same number of samples as Target arrays. Found 4 input samples and 3"):
        count_samples([x], [y])


# -- weights ----------------------------------------------------------------------------------------------


def test_class_weights_of_indices_and_one_hot():
    weights = {0: 0.5, 1: 2.0, 2: 3.0}
    classes = np.array([2, 0, 1, 1])
    expected = [3.0, 0.5, 2.0, 2.0]
    for target in (classes, classes[:, None], np.eye(3)[classes]):
        np.testing.assert_array_equal(class_weights(target, weights), expected)
    np.testing.assert_array_equal(class_weights(classes, np.array([0.5, 2.0, 3.0])), expected)


def test_class_weights_must_name_every_class():
    with pytest.raises(DataError, match=r"The classes \{2\} exist in the data but not in `class_weight`"):
        class_weights(np.array([0, 2]), {0: 1, 1: 1})
    with pytest.raises(DataError, match="3\\+ dimensional"):
        class_weights(np.zeros((2, 3, 4)), {0: 1})
    with pytest.raises(DataError, match="must be a dict"):
        class_weights(np.array([0, 2]), "balanced")


@pytest.mark.parametrize(
    ("target", "weight", "mode", "message"),
    [
        ((4, 3), (4, 3), None, 'should specify sample_weight_mode="temporal"'),
        ((4, 3), (5,), None, "cannot be broadcast"),
        ((4, 3), (4,), "temporal", "restricted to outputs that are at least 3D"),
        ((4, 3, 2), (4,), "temporal", "should pass a 2D sample_weight array"),
    ],
)
def test_sample_weights_of_wrong_shape(target, weight, mode, message):
    with pytest.raises(DataError, match=message):
        sample_weights(np.zeros(target), np.zeros(weight), None, mode)


def test_sample_and_class_weights_multiply():
    weights = sample_weights(np.array([0, 1]), np.array([2.0, 3.0]), {0: 5.0, 1: 7.0}, None)
    np.testing.assert_array_equal(weights, [10.0, 21.0])


def test_weights_per_output():
    w = np.ones(3)
    assert per_output(None, ["a", "b"], "sample_weight") == [None, None]
    assert per_output(w, ["a"], "sample_weight")[0] is w
    assert per_output([w], ["a"], "sample_weight")[0] is w
    assert per_output({"a": w}, ["a"], "sample_weight")[0] is w
    assert per_output({0: 1.0}, ["a"], "class_weight") == [{0: 1.0}]
    assert per_output({"b": w}, ["a", "b"], "sample_weight")[1] is w
    with pytest.raises(DataError, match="either a list or a dict"):
        per_output(w, ["a", "b"], "sample_weight")
    with pytest.raises(DataError, match="one `sample_weight` array per model output"):
        per_output([w], ["a", "b"], "sample_weight")


def test_weights_given_for_one_of_two_outputs(rng):
    x = Input((3,))
    model = Model(x, [Dense(2, name="a")(x), Dense(2, name="b")(x)])
    model.compile("sgd", "mse")
    data = rng.rand(4, 3), [rng.rand(4, 2), rng.rand(4, 2)]
    plain = model.test_on_batch(*data)
    doubled = model.test_on_batch(*data, sample_weight={"a": np.full(4, 2.0)})
    np.testing.assert_allclose(doubled, [2 * plain[1] + plain[2], 2 * plain[1], plain[2]], rtol=1e-5)


# -- targets ----------------------------------------------------------------------------------------------


def test_indices_with_categorical_crossentropy(classifier, classification):
    with pytest.raises(DataError, match="to_categorical"):
        classifier.fit(classification[0], np.arange(20)[:, None] % 3)


def test_one_output_with_categorical_crossentropy(rng):
    x = Input((3,))
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(DataError, match="binary_crossentropy"):
        model.fit(rng.rand(4, 3), np.array([0, 1, 0, 1]))


def test_targets_of_another_width(classifier, classification):
    with pytest.raises(DataError, match=r"expected dense_\d+ to have shape \(3,\) but got array with shape \(2,\)"):
        classifier.fit(classification[0], np.zeros((20, 2)))


def test_a_loss_of_the_users_own_takes_any_target(rng):
    x = Input((3,))
    model = Model(x, Dense(2)(x))
    model.compile("sgd", lambda y_true, y_pred: K.mean(y_pred, axis=-1) * y_true[:, 4])
    assert np.isfinite(model.train_on_batch(rng.rand(4, 3), rng.rand(4, 5)))


def test_targets_of_one_axis_become_a_column_for_a_loss_of_the_users_own(rng):
    model = Sequential([Dense(1, input_shape=(3,))])
    x, y = rng.rand(4, 3), rng.rand(4)
    values = []
    for loss in ("mse", lambda y_true, y_pred: K.mean(K.square(y_true - y_pred), axis=-1)):
        model.compile("sgd", loss)
        values += [model.evaluate(x, y, verbose=0), model.test_on_batch(x, y)]
    np.testing.assert_allclose(values, values[0], rtol=1e-6)


def test_one_sample_instead_of_a_batch(classifier, classification):
    with pytest.raises(DataError, match=r"It looks like one sample: give a batch"):
        classifier.predict(classification[0][0])


def test_a_list_of_samples(classifier, classification):
    with pytest.raises(
        DataError, match=r"20 arrays: .*\.\.\.\]. If they are the samples, make them one array: np.stack"
    ):
        classifier.predict(list(classification[0]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 2.5}, "`batch_size` must be an int, 1 or more. Received: 2.5"),
        ({"batch_size": "a"}, "`batch_size` must be an int"),
        ({"epochs": "2"}, "`epochs` must be an int, 0 or more. Received: '2'"),
        ({"epochs": -1}, "`epochs` must be an int"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be an int, 1 or more"),
        ({"shuffle": "bach"}, "`shuffle` must be True, False or 'batch'. Received: 'bach'"),
        ({"callbacks": [Callback]}, r"Callback in `callbacks` is a class: make an object of it, Callback\(...\)"),
        ({"callbacks": [print]}, "`callbacks` must be a list of callbacks. It holds: <built-in function print>"),
    ],
)
def test_arguments_of_fit(classifier, classification, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        classifier.fit(*classification, verbose=0, **arguments)


@pytest.mark.parametrize("wrong", [np.ones((3, 3)), print])
def test_no_generator(classifier, wrong):
    with pytest.raises(DataError, match="expected a generator that yields batches, or a kcore.utils.Sequence"):
        classifier.fit_generator(wrong, steps_per_epoch=1)


# -- data on disk -----------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path, classification):
    with h5py.File(tmp_path / "data.h5", "w") as f:
        f["x"], f["y"] = classification
        f["labels"] = classification[1].argmax(1)
        yield f


def test_rows_of_a_data_set(file, classification):
    x = classification[0]
    index = np.array([7, 3, 12, 0])
    for data, start in ((file["x"], 0), (Rows(file["x"], 2, 18), 2)):
        np.testing.assert_array_equal(take_rows(data, index), x[index + start])
        np.testing.assert_array_equal(take_rows(data, np.arange(3, 9)), x[3 + start : 9 + start])
        np.testing.assert_array_equal(take_range(take_range(data, 4, 12), 1, 5)[1:3], x[start + 6 : start + 8])
    column = Rows(file["labels"], column=True)
    assert column.shape == (20, 1)
    np.testing.assert_array_equal(column[5:7][:, 0], classification[1].argmax(1)[5:7])


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_training_reads_batches_from_disk(file, classification, classifier, shuffle, monkeypatch):
    whole = []
    read = h5py.Dataset.__getitem__

    def spy(self, key, *args, **kwargs):
        rows = read(self, key, *args, **kwargs)
        whole.append(len(rows))
        return rows

    initial = classifier.get_weights()
    np.random.seed(5)
    expected = classifier.fit(*classification, batch_size=6, epochs=2, shuffle=shuffle, verbose=0).history
    predicted = classifier.predict(classification[0], batch_size=6)
    trained = classifier.get_weights()
    classifier.set_weights(initial)
    np.random.seed(5)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", spy)
    history = classifier.fit(file["x"], file["y"], batch_size=6, epochs=2, shuffle=shuffle, verbose=0).history
    np.testing.assert_array_equal(classifier.predict(file["x"], batch_size=6), predicted)
    assert history == expected
    for have, want in zip(classifier.get_weights(), trained):
        np.testing.assert_array_equal(have, want)
    assert max(whole) == 6


def test_validation_split_of_data_on_disk(file, classification, classifier):
    history = classifier.fit(file["x"], file["y"], validation_split=0.25, verbose=0, epochs=1).history
    loss, accuracy = classifier.evaluate(file["x"][15:], file["y"][15:], verbose=0)
    assert history["val_loss"] == [pytest.approx(loss)]
    assert history["val_acc"] == [pytest.approx(accuracy)]


def test_sparse_labels_on_disk(file):
    x = Input((4,))
    model = Model(x, Dense(3, activation="softmax")(x))
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.evaluate(file["x"], file["labels"], verbose=0) == pytest.approx(
        model.evaluate(file["x"][:], file["labels"][:], verbose=0)
    )


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8", "bool", "float16"])
def test_any_number_type(regressor, dtype):
    x = (np.arange(40).reshape(10, 4) % 2).astype(dtype)
    y = np.arange(10).astype(dtype)
    same = regressor.predict(x.astype("float32"))
    np.testing.assert_array_equal(regressor.predict(x), same)
    np.testing.assert_array_equal(regressor.predict_on_batch(x), same)
    assert np.isfinite(regressor.fit(x, y, verbose=0, batch_size=3).history["loss"][0])


def test_data_in_other_memory_orders(regressor, rng):
    x = rng.rand(10, 4).astype("float32")
    same = regressor.predict(x)
    for other in (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x[::-1][::-1], np.repeat(x, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(regressor.predict(other), same)
        np.testing.assert_array_equal(regressor.predict(other, batch_size=4), regressor.predict(x, batch_size=4))


def test_nothing_to_predict(regressor):
    assert regressor.predict(np.zeros((0, 4))).shape == (0, 1)
    with pytest.raises(DataError, match="no samples"):
        regressor.fit(np.zeros((0, 4)), np.zeros((0, 1)), verbose=0)
