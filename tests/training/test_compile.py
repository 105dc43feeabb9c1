"""compile: losses, metrics, weights, targets; names and totals."""

import numpy as np
import pytest

from kcore import backend as K
from kcore import optimizers
from kcore.engine.layer import Layer
from kcore.errors import ArgumentError, DataError, DTypeError, GraphError, KcoreWarning, NotCompiledError
from kcore.layers import Dense, Input, Lambda, Masking
from kcore.models import Model, Sequential


@pytest.fixture
def two_outputs():
    x = Input((4,), name="x")
    return Model(x, [Dense(3, activation="softmax", name="a")(x), Dense(1, name="b")(x)])


def batch(rng):
    return rng.rand(6, 4), [np.eye(3)[rng.randint(0, 3, 6)], rng.rand(6, 1)]


def test_names_of_one_output(classifier):
    assert classifier.metrics_names == ["loss", "acc"]
    classifier.compile(
        "sgd", "categorical_crossentropy", metrics=["mae", "mse", "acc"], weighted_metrics=["acc", "mae"]
    )
    assert classifier.metrics_names == [
        "loss", "mean_absolute_error", "mean_squared_error", "acc", "weighted_acc", "weighted_mean_absolute_error",
    ]  # fmt: skip


def test_names_of_two_outputs(two_outputs):
    two_outputs.compile("sgd", ["categorical_crossentropy", "mse"], metrics={"a": "acc", "b": ["mae", "mae"]})
    assert two_outputs.metrics_names == [
        "loss", "a_loss", "b_loss", "a_acc", "b_mean_absolute_error", "b_mean_absolute_error_1",
    ]  # fmt: skip


def test_total_is_the_weighted_sum(two_outputs, rng):
    two_outputs.compile("sgd", ["categorical_crossentropy", "mse"], loss_weights=[0.5, 3])
    total, a, b = two_outputs.test_on_batch(*batch(rng))
    assert total == pytest.approx(0.5 * a + 3 * b)


def test_one_loss_for_all_outputs(two_outputs, rng):
    two_outputs.compile("sgd", "mse")
    total, a, b = two_outputs.test_on_batch(*batch(rng))
    assert total == pytest.approx(a + b)


def test_loss_weights_may_be_variables(two_outputs, rng):
    factor = K.variable(1.0)
    two_outputs.compile("sgd", "mse", loss_weights={"a": factor})
    data = batch(rng)
    total, a, _ = two_outputs.test_on_batch(*data)
    K.set_value(factor, 4.0)
    assert two_outputs.test_on_batch(*data)[0] == pytest.approx(total + 3 * a)


def test_an_output_without_loss(two_outputs, rng):
    with pytest.warns(KcoreWarning, match='Output "b" missing from loss dictionary'):
        two_outputs.compile("sgd", {"a": "categorical_crossentropy"}, metrics=["acc"])
    assert two_outputs.metrics_names == ["loss", "a_loss", "a_acc"]
    x, (y, _) = batch(rng)
    b = two_outputs.get_layer("b").get_weights()[0]
    two_outputs.fit(x, y, verbose=0)
    np.testing.assert_array_equal(two_outputs.get_layer("b").get_weights()[0], b)
    two_outputs.compile("sgd", [None, "mse"])
    assert two_outputs.metrics_names == ["loss", "b_loss"]


def test_losses_of_layers_are_enough(rng):
    class Penalty(Layer):
        def call(self, inputs):
            self.add_loss(K.mean(K.square(inputs)), inputs=inputs)
            return inputs

    x = Input((4,))
    model = Model(x, Penalty()(Dense(2)(x)))
    model.compile("sgd")
    data = rng.rand(6, 4)
    first = model.train_on_batch(data, None)
    assert first == pytest.approx((model.predict_on_batch(data) ** 2).mean(), rel=0.2)
    assert model.fit(data, verbose=0, epochs=5).history["loss"][-1] < first


def test_no_loss_at_all(two_outputs):
    for loss in (None, [], {}, [None, None]):
        with pytest.raises(ArgumentError, match="no loss to optimize"):
            two_outputs.compile("sgd", loss)


def test_what_scripts_append_after_compile_is_reported(classifier, classification):
    x, y = classification
    classifier.metrics_names.append("largest")
    classifier.metrics_tensors.append(K.max(classifier.outputs[0]))
    history = classifier.fit(x, y, batch_size=20, verbose=0, epochs=1).history
    assert 1 / 3 < history["largest"][0] <= 1
    evaluated = classifier.evaluate(x, y, batch_size=20, verbose=0)[2]
    assert evaluated == pytest.approx(classifier.predict(x).max(), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": ["mse"]}, "one entry per model output"),
        ({"loss": {"c": "mse"}}, "Unknown entry in loss dictionary: 'c'"),
        ({"loss": "mse", "loss_weights": [1]}, "one entry per model output"),
        ({"loss": "mse", "loss_weights": {"c": 1}}, "Unknown entry in loss_weights"),
        ({"loss": "mse", "loss_weights": 3}, "Could not interpret loss_weights"),
        ({"loss": "mse", "metrics": "acc"}, "Type of `metrics` argument not understood"),
        ({"loss": "mse", "metrics": {"c": "acc"}}, "Unknown entry in metrics"),
        ({"loss": "mse", "sample_weight_mode": "wrong"}, 'should be None or "temporal"'),
        ({"loss": "mse", "sample_weight_mode": ["temporal"]}, "one entry per model output"),
        ({"loss": "no_such_loss"}, "no_such_loss"),
        ({"loss": "mse", "metrics": ["no_such_metric"]}, "no_such_metric"),
        ({"loss": "mse", "target_tensors": 3}, "target_tensors"),
        ({"loss": "mse", "optimizer": 3}, "Could not interpret optimizer"),
        ({"loss": "mse", "optimizer": "no_such_optimizer"}, "no_such_optimizer"),
    ],
)
def test_mistakes(two_outputs, arguments, message):
    with pytest.raises(ValueError, match=message):
        two_outputs.compile(**{"optimizer": "sgd", **arguments})


def test_optimizers_by_name_config_and_object(classifier):
    for optimizer in ("sgd", "SGD", {"class_name": "SGD", "config": {"lr": 0.5}}, optimizers.SGD()):
        classifier.compile(optimizer, "mse")
        assert isinstance(classifier.optimizer, optimizers.SGD)


def test_not_compiled(rng):
    model = Sequential([Dense(1, input_shape=(4,))])
    x, y = rng.rand(4, 4), rng.rand(4)
    for use in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(NotCompiledError, match="must compile"):
            use(x, y)
    assert model.predict(x).shape == (4, 1)
    assert model.optimizer is None


def test_masks_leave_out_steps(rng):
    model = Sequential([Masking(input_shape=(5, 2)), Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = rng.rand(3, 5, 2).astype("float32") + 0.1, rng.rand(3, 5, 2).astype("float32")
    x[0, 3:] = 0
    x[2, 1:] = 0
    kept = (x != 0).any(-1)
    error = model.predict(x) - y
    loss, mae = model.test_on_batch(x, y)
    assert loss == pytest.approx((error**2).mean(-1)[kept].mean(), rel=1e-5)
    assert mae == pytest.approx(np.abs(error).mean(-1)[kept].mean(), rel=1e-5)


def test_weighted_metrics(classifier, classification, rng):
    classifier.compile("sgd", "categorical_crossentropy", metrics=["acc"], weighted_metrics=["acc"])
    x, y = classification
    weights = rng.randint(0, 3, 20).astype("float32")
    right = classifier.predict(x).argmax(1) == y.argmax(1)
    _, plain, weighted = classifier.test_on_batch(x, y, sample_weight=weights)
    assert plain == pytest.approx(right.mean())
    assert weighted == pytest.approx((right * weights).sum() / (weights != 0).sum(), rel=1e-5)
    _, plain, same = classifier.test_on_batch(x, y)
    assert plain == pytest.approx(same)


class Positives(Layer):
    """Counts the true positives since reset_states."""

    def __init__(self, name="positives", **kwargs):
        super().__init__(name=name, **kwargs)
        self.stateful = True
        self.count = K.variable(0, dtype="int32")

    def reset_states(self):
        K.set_value(self.count, 0)

    def __call__(self, y_true, y_pred):
        found = K.cast(K.equal(K.round(y_true), K.round(y_pred)), "int32") * K.cast(K.round(y_true), "int32")
        new = self.count + K.sum(found)
        self.add_update(K.update(self.count, new), inputs=[y_true, y_pred])
        return new


def test_stateful_metrics(rng):
    model = Sequential([Dense(1, activation="sigmoid", input_shape=(4,))])
    metric = Positives()
    model.compile("sgd", "binary_crossentropy", metrics=["acc", metric])
    assert model.metrics_names == ["loss", "acc", "positives"]
    assert model.stateful_metric_names == ["positives"]
    x, y = rng.rand(30, 4), rng.randint(0, 2, (30, 1))
    right = int(((model.predict(x) > 0.5) & (y == 1)).sum())
    for _ in range(2):
        assert model.evaluate(x, y, batch_size=7, verbose=0)[2] == right
    assert model.evaluate_generator(iter([(x, y)]), 1)[2] == right
    history = model.fit(x, y, batch_size=7, epochs=2, verbose=0, validation_data=(x, y)).history
    last = int(((model.predict(x) > 0.5) & (y == 1)).sum())
    assert history["val_positives"][-1] == last
    assert 0 <= history["positives"][-1] <= y.sum()


def test_target_tensors(rng):
    x = Input((4,), name="x")
    model = Model(x, Dense(2, name="out")(x))
    target = K.variable(rng.rand(6, 2))
    data = rng.rand(6, 4)
    for form in (target, [target], {"out": target}):
        model.compile("sgd", "mse", target_tensors=form)
        loss = model.test_on_batch(data, None)
        assert loss == pytest.approx(((model.predict(data) - K.get_value(target)) ** 2).mean(), rel=1e-5)
        assert np.isfinite(model.train_on_batch(data, None))
    with pytest.raises(DataError, match="takes no target arrays"):
        model.train_on_batch(data, rng.rand(6, 2))
    placeholder = K.placeholder(shape=(None, 2))
    model.compile("sgd", "mse", target_tensors=[placeholder])
    assert model.targets[0].key == placeholder.key
    assert np.isfinite(model.train_on_batch(data, rng.rand(6, 2)))


def test_steps_on_tensors(rng):
    x = Input(tensor=K.variable(rng.rand(6, 4)))
    model = Model(x, Dense(2)(x))
    model.compile("sgd", "mse", target_tensors=K.variable(rng.rand(6, 2)))
    history = model.fit(epochs=3, steps_per_epoch=4, validation_steps=2, verbose=0)
    assert history.params["steps"] == 4
    losses = history.history["loss"]
    assert losses[0] > losses[1] > losses[2]
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(steps=1, verbose=0))
    assert model.predict(None, steps=3).shape == (18, 2)
    with pytest.raises(ValueError, match="you should specify the `steps_per_epoch`"):
        model.fit(verbose=0)
    with pytest.raises(ValueError, match="must be set"):
        model.fit(validation_steps=2, verbose=0)
    with pytest.raises(ValueError, match="`batch_size` must be None"):
        model.fit(batch_size=3, steps_per_epoch=2, verbose=0)


def test_what_scripts_read_from_a_compiled_model(classifier, classification):
    x, y = classification
    tensors = [*classifier.inputs, *classifier.targets, *classifier.sample_weights, K.learning_phase()]
    gradient = classifier.optimizer.get_gradients(classifier.total_loss, classifier.trainable_weights)
    values = K.function(tensors, gradient)([x, y, np.ones(20), 1])
    assert [v.shape for v in values] == [(4, 3), (3,)]
    classifier._make_train_function()
    assert len(classifier.optimizer.weights) > 1
    loss = classifier.train_function([x, y, np.ones(20)])[0]
    assert loss > 0
    assert classifier.test_function([x, y, np.zeros(20)])[0] != loss
    assert classifier.predict_function([x])[0].shape == (20, 3)


def test_the_optimizers_state_is_one_for_weighted_and_plain_steps(classification):
    x, y = classification
    model = Sequential([Dense(3, input_shape=(4,))])
    model.compile(optimizers.SGD(momentum=0.9), "mse")
    model.train_on_batch(x, y)
    state = model.optimizer.weights
    model.train_on_batch(x, y, sample_weight=np.ones(20))
    assert all(a is b for a, b in zip(model.optimizer.weights, state))
    twin = Sequential([Dense(3, input_shape=(4,))])
    assert int(K.get_value(model.optimizer.iterations)) == 2
    assert twin.optimizer is None


def test_trainable_after_compile_warns(classifier, classification):
    classifier.layers[0].trainable = False
    with pytest.warns(KcoreWarning, match="Discrepancy between trainable weights"):
        classifier.fit(*classification, verbose=0)
    classifier.compile("sgd", "mse")
    before = classifier.get_weights()
    classifier.fit(*classification, verbose=0)
    for a, b in zip(classifier.get_weights(), before):
        np.testing.assert_array_equal(a, b)


def test_a_metric_of_the_users_own(classifier, classification):
    def share_of_first(y_true, y_pred):
        return y_pred[:, 0]

    classifier.compile("sgd", "mse", metrics=[share_of_first])
    assert classifier.metrics_names == ["loss", "share_of_first"]
    x, y = classification
    assert classifier.test_on_batch(x, y)[1] == pytest.approx(classifier.predict(x)[:, 0].mean(), rel=1e-5)


def test_shared_output_counts_twice(rng):
    x = Input((4,))
    y = Dense(2, name="d")(x)
    model = Model(x, [y, Lambda(lambda t: t * 2.0, name="twice")(y)])
    model.compile("sgd", "mse")
    data, target = rng.rand(5, 4), rng.rand(5, 2)
    p = model.predict(data)[0]
    expected = [((p - target) ** 2).mean(), ((2 * p - target) ** 2).mean()]
    np.testing.assert_allclose(model.test_on_batch(data, [target, target]), [sum(expected), *expected], rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [{"optimizer": "adamm"}, {"loss": "mse2"}, {"metrics": ["accurate"]}, {"loss_weights": {"none": 1.0}}],
    ids=lambda w: next(iter(w)),
)
def test_a_model_stays_compiled_as_it_was_where_compile_fails(rng, wrong):
    x = Input((3,))
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "mse", metrics=["mae"])
    data = rng.rand(4, 3), rng.rand(4, 1)
    before = model.evaluate(*data, verbose=0), model.optimizer, model.loss, model.metrics
    with pytest.raises(ValueError):
        model.compile(**{"optimizer": "adam", "loss": "mae", **wrong})
    assert (model.evaluate(*data, verbose=0), model.optimizer, model.loss, model.metrics) == before


@pytest.mark.parametrize("returned", [None, (1, 2), "mse"])
def test_a_loss_that_returns_no_tensor(returned):
    def mine(y_true, y_pred):
        return returned

    model = Sequential([Dense(1, input_dim=2)])
    with pytest.raises(GraphError, match="loss or metric mine must return a tensor .* it returned"):
        model.compile("sgd", mine)
    with pytest.raises(GraphError, match="loss or metric mine must return a tensor"):
        model.compile("sgd", "mse", metrics=[mine])


def test_a_loss_with_an_unknown_size():
    def mine(y_true, y_pred):
        return K.sum(K.square(y_true - y_pred)) / y_true.shape[0]

    model = Sequential([Dense(1, input_dim=2)])
    with pytest.raises(DTypeError, match=r"got NoneType: None. For a size that is not known yet there is K.shape\(x\)"):
        model.compile("sgd", mine)
