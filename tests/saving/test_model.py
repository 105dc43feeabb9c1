"""Whole models: saved, loaded, trained on."""

import io
import json

import h5py
import numpy as np
import pytest

from kcore import backend as K
from kcore import optimizers
from kcore.engine import Input, Model, Sequential
from kcore.layers import Activation, Dense, Flatten
from kcore.models import load_model, save_model
from kcore.optimizers import SGD, Adam
from kcore.plugins import hooks
from kcore.plugins.hookspecs import hookimpl
from kcore.saving.groups import write_names
from kcore.saving.weights import weight_names


def squared(y_true, y_pred):
    return K.square(y_true - y_pred)


def classifier(**arguments):
    model = Sequential([Dense(8, activation="tanh", input_shape=(4,)), Dense(3, activation="softmax")])
    model.compile(**{"optimizer": "adam", "loss": "categorical_crossentropy", "metrics": ["accuracy"], **arguments})
    return model


@pytest.fixture
def data():
    x = np.random.rand(32, 4).astype("float32")
    return x, np.eye(3, dtype="float32")[np.random.randint(0, 3, 32)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.h5"


# --- whole models ------------------------------------------------------------------------------------------


def test_a_compiled_model_comes_back_compiled(data, path):
    model = classifier(sample_weight_mode=None)
    model.fit(*data, verbose=0)
    model.save(path)
    loaded = load_model(path)
    assert isinstance(loaded, Sequential)
    assert loaded.get_config() == model.get_config()
    assert loaded.metrics_names == model.metrics_names == ["loss", "acc"]
    np.testing.assert_array_equal(loaded.predict(data[0]), model.predict(data[0]))
    assert loaded.evaluate(*data, verbose=0) == model.evaluate(*data, verbose=0)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"])
def test_training_goes_on_exactly_where_it_stopped(data, name):
    arguments = {"schedule_decay": 0.1} if name == "Nadam" else {"decay": 0.3}
    model = classifier(optimizer=getattr(optimizers, name)(**arguments))
    for _ in range(3):
        model.train_on_batch(*data)
    file = io.BytesIO()
    model.save(file)
    loaded = load_model(file)
    assert [model.train_on_batch(*data) for _ in range(3)] == [loaded.train_on_batch(*data) for _ in range(3)]
    assert all(map(np.array_equal, model.get_weights(), loaded.get_weights()))


def test_settings_of_the_optimizer_are_kept(data, path):
    model = classifier(optimizer=SGD(lr=0.05, momentum=0.9, decay=0.1, nesterov=True, clipnorm=2.0))
    model.train_on_batch(*data)
    K.set_value(model.optimizer.lr, 0.07)
    model.save(path)
    loaded = load_model(path)
    config = loaded.optimizer.get_config()
    assert config == model.optimizer.get_config()
    assert config["lr"] == pytest.approx(0.07)
    assert config["clipnorm"] == 2.0
    assert K.get_value(loaded.optimizer.iterations) == 1


def test_functional_models_with_everything(path):
    a, b = Input((4,), name="a"), Input((3,), name="b")
    shared = Dense(4, name="shared")
    inner = Sequential([Dense(4, input_shape=(3,), name="i1")], name="inner")
    main = Dense(2, name="main")(Activation("tanh")(shared(shared(a))))
    side = Dense(1, name="side")(inner(b))
    model = Model([a, b], [main, side], name="two")
    model.compile(
        "sgd",
        {"main": "mse", "side": "mae"},
        metrics={"main": ["mae"]},
        loss_weights={"main": 1.0, "side": 0.5},
    )
    x = [np.random.rand(5, 4), np.random.rand(5, 3)]
    y = [np.random.rand(5, 2), np.random.rand(5, 1)]
    model.fit(x, y, verbose=0)
    model.save(path)
    loaded = load_model(path)
    assert loaded.name == "two"
    assert loaded.metrics_names == model.metrics_names
    assert loaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    for one, other in zip(loaded.predict(x), model.predict(x), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mode", [None, {"steps": "temporal"}, ["temporal", None]], ids=str)
@pytest.mark.parametrize("loss", ["mse", {"steps": "mse", "last": "mae"}, ["mae", squared]], ids=str)
@pytest.mark.parametrize("loss_weights", [None, {"last": 0.3}, [2.0, 0.5]], ids=str)
def test_how_a_model_was_compiled(path, mode, loss, loss_weights):
    x = Input((4, 2))
    model = Model(x, [Dense(1, name="steps")(x), Dense(1, name="last")(Flatten()(x))])
    model.compile(
        "sgd", loss, metrics={"steps": ["mse", squared], "last": "mae"}, loss_weights=loss_weights,
        sample_weight_mode=mode, weighted_metrics=["mae"],
    )  # fmt: skip
    model.save(path)
    loaded = load_model(path, {"squared": squared})
    for name in ("sample_weight_mode", "loss_weights", "metrics_names"):
        assert getattr(loaded, name) == getattr(model, name)
    data, targets = np.random.rand(6, 4, 2), [np.random.rand(6, 4, 1), np.random.rand(6, 1)]
    weights = [np.random.rand(6, 4) if mode else np.random.rand(6), np.random.rand(6)]
    for one, other in zip(
        loaded.evaluate(data, targets, sample_weight=weights, verbose=0),
        model.evaluate(data, targets, sample_weight=weights, verbose=0),
        strict=True,
    ):
        assert one == other
    assert loaded.train_on_batch(data, targets, weights) == model.train_on_batch(data, targets, weights)


def test_models_that_were_not_compiled_or_shall_not_be(data, path):
    model = Sequential([Dense(3, input_shape=(4,))])
    model.save(path)
    assert load_model(path).optimizer is None
    model.compile("sgd", "mse")
    model.save(path, include_optimizer=False)
    assert load_model(path).optimizer is None
    model.save(path)
    assert load_model(path).optimizer is not None
    assert load_model(path, compile=False).optimizer is None
    with h5py.File(path) as file:
        assert "optimizer_weights" not in file  # there is no state before the first step


def test_layout_of_whole_models(data, path):
    model = classifier(optimizer=Adam())
    model.train_on_batch(*data)
    model.save(path)
    with h5py.File(path) as file:
        config = json.loads(file.attrs["model_config"])
        assert set(config) == {"class_name", "config"}
        assert config["class_name"] == "Sequential"
        assert [layer["class_name"] for layer in config["config"]] == ["Dense", "Dense"]
        training = json.loads(file.attrs["training_config"])
        assert training["loss"] == "categorical_crossentropy"
        assert training["metrics"] == ["accuracy"]
        assert training["optimizer_config"]["class_name"] == "Adam"
        assert set(training) == {"optimizer_config", "loss", "metrics", "sample_weight_mode", "loss_weights"}
        assert set(file) == {"model_weights", "optimizer_weights"}
        assert file["optimizer_weights"].attrs["weight_names"][0] == b"Adam/iterations:0"


def test_large_configurations(path):
    # HDF5 attributes in the header are limited to 64 KB; a text of any length is stored beside it.
    model = Sequential([Dense(1, input_shape=(1,)), *(Dense(1, name="d" * 1500 + str(i)) for i in range(100))])
    model.save(path)
    with h5py.File(path) as file:
        assert len(file.attrs["model_config"]) > 2**17
    assert len(load_model(path).layers) == 101


def test_hooks_are_told(path):
    told = []

    class Plugin:
        @staticmethod
        @hookimpl
        def kcore_model_saved(model, path):
            told.append(("saved", model, path))

        @staticmethod
        @hookimpl
        def kcore_model_loaded(model, path):
            told.append(("loaded", model, path))

    hooks.register(Plugin)
    try:
        model = Sequential([Dense(1, input_shape=(1,))])
        save_model(model, path)
        loaded = load_model(path)
    finally:
        hooks.unregister(Plugin)
    assert told == [("saved", model, str(path)), ("loaded", loaded, str(path))]


# --- optimizer state of other versions ---------------------------------------------------------------------------


def rewrite_state(path, names, values):
    with h5py.File(path, "a") as file:
        del file["optimizer_weights"]
        group = file.create_group("optimizer_weights")
        write_names(group, "weight_names", names)
        for name, value in zip(names, values, strict=True):
            group[name] = value


def trained(path, data):
    """A model whose weights sorted by name stand in another order; saved, with its state."""
    model = Sequential(
        [Dense(5, activation="tanh", input_shape=(4,), name="z"), Dense(3, activation="softmax", name="a")]
    )
    model.compile("adam", "categorical_crossentropy")
    for _ in range(2):
        model.train_on_batch(*data)
    model.save(path)
    return model


def goes_on_equally(model, loaded, data):
    return [model.train_on_batch(*data) for _ in range(2)] == [loaded.train_on_batch(*data) for _ in range(2)]


def test_state_in_the_order_of_names_as_keras_2_0_wrote_it(path, data):
    model = trained(path, data)
    order = sorted(range(4), key=lambda i: model.trainable_weights[i].name)
    state = model.optimizer.get_weights()
    ms, vs = state[1:5], state[5:9]
    values = [np.float32(state[0]), *(ms[i] for i in order), *(vs[i] for i in order)]
    rewrite_state(path, ["iterations_1:0", *(f"Variable_{i}:0" for i in range(8))], values)
    assert goes_on_equally(model, load_model(path), data)


def test_state_weight_by_weight_as_later_versions_write_it(path, data):
    model = trained(path, data)
    state = model.optimizer.get_weights()
    names, values = ["iteration:0"], [np.int64(state[0])]
    for i, weight in enumerate(model.trainable_weights):
        names += [f"Adam/m/{weight.name}", f"Adam/v/{weight.name}"]
        values += [state[1 + i], state[5 + i]]
    rewrite_state(path, names, values)
    assert goes_on_equally(model, load_model(path), data)


def test_state_of_an_optimizer_that_took_no_step(path, data):
    trained(path, data)
    rewrite_state(path, ["iteration:0"], [np.int64(7)])
    assert K.get_value(load_model(path).optimizer.iterations) == 7


def test_state_that_does_not_fit_is_left_out_with_a_warning(path, data):
    trained(path, data)
    rewrite_state(path, ["iteration:0", "wrong:0"], [np.int64(7), np.zeros((2, 2))])
    with pytest.warns(UserWarning, match="Error in loading the saved optimizer state"):
        loaded = load_model(path)
    assert K.get_value(loaded.optimizer.iterations) == 0
    loaded.train_on_batch(*data)


# --- configurations of later versions ---------------------------------------------------------------------------


def test_configurations_in_the_words_of_later_versions(path, data):
    model = classifier()
    model.save(path)
    glorot = {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": None}}
    dense = {
        "name": "d",
        "trainable": True,
        "dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}},
        "units": 3,
        "activation": "softmax",
        "kernel_initializer": glorot,
        "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}},
    }
    start = {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "ragged": False, "name": "in"}
    config = {
        "class_name": "Functional",
        "config": {
            "name": "m",
            "trainable": True,
            "layers": [
                {"class_name": "InputLayer", "config": start, "name": "in", "inbound_nodes": []},
                {"class_name": "Dense", "config": dense, "name": "d", "inbound_nodes": [[["in", 0, 0, {}]]]},
            ],
            "input_layers": ["in", 0, 0],
            "output_layers": ["d", 0, 0],
        },
    }
    training = {
        "loss": "categorical_crossentropy",
        "metrics": [[{"class_name": "MeanMetricWrapper", "config": {"name": "acc", "fn": "categorical_accuracy"}}]],
        "weighted_metrics": None,
        "loss_weights": None,
        "optimizer_config": {
            "class_name": "Custom>Adam",
            "config": {"name": "Adam", "learning_rate": 0.25, "beta_1": 0.9, "jit_compile": False, "clipnorm": None},
        },
    }
    kernel, bias = np.random.rand(4, 3), np.random.rand(3)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["training_config"] = json.dumps(training)
        del file.attrs["kcore_provenance"], file["model_weights"]
        group = file.create_group("model_weights")
        write_names(group, "layer_names", ["in", "d"])
        write_names(group.create_group("in"), "weight_names", [])
        write_names(group.create_group("d"), "weight_names", ["d/kernel:0", "d/bias:0"])
        group["d/d/kernel:0"], group["d/d/bias:0"] = kernel, bias
        group.create_group("top_level_model_weights")
    loaded = load_model(path)
    assert type(loaded) is Model
    assert K.get_value(loaded.optimizer.lr) == 0.25
    assert loaded.metrics_names == ["loss", "categorical_accuracy"]
    np.testing.assert_allclose(loaded.get_weights()[0], kernel, rtol=1e-6)
    assert len(loaded.losses) == 1
    assert weight_names(loaded.weights) == ["d/kernel:0", "d/bias:0"]


# --- damage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model_config", "{"),
        ("model_config", "[" * 100_000),
        ("model_config", "{}"),
        ("model_config", "[]"),
        ("model_config", '"text"'),
        ("model_config", '{"class_name": "Dense", "config": {"units": 3}}'),
        ("model_config", '{"class_name": "Sequential", "config": []}'),
        ("model_config", '{"class_name": "os.system", "config": "true"}'),
        ("model_config", 3.5),
        ("model_config", b"\xff\xff"),
        ("training_config", "{"),
        ("training_config", "{}"),
        ("training_config", '{"optimizer_config": {"class_name": "Adam", "config": {"colour": 3}}}'),
        ("training_config", '{"optimizer_config": {"class_name": "Nobody", "config": {}}, "loss": "mse"}'),
        ("training_config", '{"optimizer_config": {"class_name": "SGD", "config": {}}, "loss": "nothing"}'),
        ("kcore_provenance", "{"),
        ("kcore_provenance", "[]"),
        ("kcore_provenance", '{"classes": {"layers:Nowhere": ["their-package", "2.0"]}}'),
    ],
)
def test_damaged_attributes(path, name, value):
    classifier().save(path)
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    with pytest.raises(ValueError, match=r"\w"):
        load_model(path)


def test_a_million_layers_are_refused_soon(path):
    classifier().save(path)
    layer = {"class_name": "Activation", "config": {"activation": "relu"}}
    config = {"class_name": "Sequential", "config": [layer] * 50_000}
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ValueError, match="more than 20000 layers"):
        load_model(path)


def test_deep_nesting_is_refused(path):
    classifier().save(path)
    config = {"class_name": "Dense", "config": {"units": 1, "batch_input_shape": [None, 1]}}
    for _ in range(300):
        config = {"class_name": "Sequential", "config": [config]}
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ValueError, match="nested too deeply"):
        load_model(path)


def test_gigantic_layers_take_no_memory(path):
    classifier().save(path)
    config = [{"class_name": "Dense", "config": {"units": 10**12, "batch_input_shape": [None, 10**12]}}]
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        del file.attrs["kcore_provenance"]
    with pytest.raises(ValueError, match=r"\w"):
        load_model(path)


@pytest.mark.parametrize(
    "mode", ["temporal", {"steps": "temporal"}, ["temporal", None]], ids=lambda one: type(one).__name__
)
def test_weights_of_single_steps_are_remembered(path, mode):
    x = Input((4, 3))
    steps, last = Dense(2, name="steps")(x), Dense(1, name="last")(Flatten()(x))
    model = Model(x, steps if mode == "temporal" else [steps, last])
    model.compile("sgd", "mse", sample_weight_mode=mode)
    targets = [np.random.rand(5, 4, 2), np.random.rand(5, 1)][: len(model.outputs)]
    weights = [np.random.rand(5, 4), np.random.rand(5)][: len(model.outputs)]
    model.save(path)
    loaded = load_model(path)
    assert loaded.sample_weight_mode == mode
    given = (np.random.rand(5, 4, 3), targets, 5, 0, weights)
    assert loaded.evaluate(*given) == model.evaluate(*given)
