"""Programs as books and tutorials of 2017 and 2018 have them, in small: what they print and plot must be there."""

from __future__ import annotations

import numpy as np
import pytest

import kcore as keras
from kcore import backend as K
from kcore import callbacks, initializers, layers, models, optimizers
from kcore.errors import KcoreWarning
from kcore.legacy import interfaces
from kcore.preprocessing.image import ImageDataGenerator
from kcore.preprocessing.text import Tokenizer
from kcore.utils.generic_utils import get_custom_objects

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


def test_validation_in_k_folds():
    """A fresh model for each fold, names that begin anew, and histories of metrics by their long names."""

    def build_model():
        model = models.Sequential()
        model.add(layers.Dense(8, activation="relu", input_shape=(5,)))
        model.add(layers.Dense(1))
        model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
        return model

    data, targets, histories = rng.random((24, 5)), rng.random(24), []
    for i in range(3):
        K.clear_session()
        model = build_model()
        held = slice(8 * i, 8 * (i + 1))
        rest, rest_targets = np.delete(data, np.r_[held], axis=0), np.delete(targets, np.r_[held])
        history = model.fit(
            rest, rest_targets, validation_data=(data[held], targets[held]), epochs=2, batch_size=1, verbose=0
        )
        histories.append(history.history["val_mean_absolute_error"])
        assert model.evaluate(data[held], targets[held], verbose=0)[1] == pytest.approx(histories[-1][-1], rel=1e-5)
    assert model.layers[0].name == "dense_1"
    assert np.mean(histories, axis=0).shape == (2,)


def test_fine_tuning_of_a_model_inside_a_model():
    """The convolutional base as a layer: frozen, then with its last block trained."""
    base = models.Sequential()
    for block in (1, 2):
        base.add(layers.Conv2D(3, 3, padding="same", activation="relu", input_shape=(8, 8, 3), name=f"block{block}"))
        base.add(layers.MaxPooling2D(2))
    model = models.Sequential([base, layers.Flatten(), layers.Dense(4, activation="relu"), layers.Dense(1)])
    assert len(model.trainable_weights) == 8
    base.trainable = False
    assert len(model.trainable_weights) == 4
    model.compile(optimizers.RMSprop(lr=2e-2), "mse")
    frozen = base.get_weights()
    images = ImageDataGenerator(rotation_range=20, horizontal_flip=True)
    flow = images.flow(rng.random((8, 8, 8, 3)), rng.random(8), batch_size=4)
    model.fit_generator(flow, steps_per_epoch=2, epochs=2, validation_data=flow, validation_steps=1, verbose=0)
    assert all((a == b).all() for a, b in zip(frozen, base.get_weights(), strict=True))

    base.trainable = True
    set_trainable = False
    for layer in base.layers:
        set_trainable = set_trainable or layer.name == "block2"
        layer.trainable = set_trainable
    assert len(model.trainable_weights) == 6
    model.compile(optimizers.RMSprop(lr=1e-2), "mse")
    model.fit_generator(flow, steps_per_epoch=2, verbose=0)
    now = base.get_weights()
    assert all((a == b).all() for a, b in zip(frozen[:2], now[:2], strict=True))
    assert any((a != b).any() for a, b in zip(frozen[2:], now[2:], strict=True))


def test_three_outputs_by_name():
    """Losses, weights, targets and metrics by the names of outputs; what evaluate gives, by `metrics_names`."""
    posts = layers.Input(shape=(None,), dtype="int32", name="posts")
    x = layers.GlobalMaxPooling1D()(layers.Conv1D(8, 3, activation="relu")(layers.Embedding(20, 8)(posts)))
    outputs = [
        layers.Dense(1, name="age")(x),
        layers.Dense(3, activation="softmax", name="income")(x),
        layers.Dense(1, activation="sigmoid", name="gender")(x),
    ]
    model = models.Model(posts, outputs)
    losses = {"age": "mse", "income": "categorical_crossentropy", "gender": "binary_crossentropy"}
    weights = {"age": 0.25, "income": 1.0, "gender": 10.0}
    model.compile("rmsprop", losses, loss_weights=weights, metrics={"income": "acc", "gender": ["acc"]})
    targets = {"age": rng.random(12), "income": np.eye(3)[rng.integers(0, 3, 12)], "gender": rng.integers(0, 2, 12)}
    words = rng.integers(0, 20, (12, 9))
    history = model.fit(words, targets, epochs=2, validation_split=0.25, verbose=0).history
    names = ["loss", "age_loss", "income_loss", "gender_loss", "income_acc", "gender_acc"]
    assert set(history) == {*names, *(f"val_{name}" for name in names)}
    values = dict(zip(model.metrics_names, model.evaluate(words, list(targets.values()), verbose=0), strict=True))
    assert values["loss"] == pytest.approx(sum(weights[n] * values[f"{n}_loss"] for n in weights), rel=1e-5)


def test_a_callback_whose_number_another_one_monitors():
    """A rate for each batch by `K.set_value`, a number written into the logs, stopping by it."""

    class Cyclic(callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.rates = []

        def on_batch_end(self, batch, logs=None):
            self.rates.append(float(K.get_value(self.model.optimizer.lr)))
            K.set_value(self.model.optimizer.lr, 0.001 * (1 + len(self.rates) % 4))

    class Ranking(callbacks.Callback):
        def __init__(self, x, y):
            self.x, self.y = x, y  # without the constructor of the base, as many do

        def on_epoch_end(self, epoch, logs={}):  # noqa: B006
            assert self.model.predict(self.x).shape == (len(self.y), 1)
            logs["auc"] = [0.5, 0.6, 0.4, 0.9][epoch]

    model = models.Sequential([layers.Dense(1, activation="sigmoid", input_dim=3)])
    model.compile("adam", "binary_crossentropy", ["accuracy"])
    x, y = rng.random((40, 3)), np.arange(40) % 2
    cyclic, stop = Cyclic(), callbacks.EarlyStopping(monitor="auc", mode="max", patience=1)
    history = model.fit(x, y, batch_size=8, epochs=4, callbacks=[cyclic, Ranking(x, y), stop], verbose=0)
    assert history.history["auc"] == [0.5, 0.6, 0.4]
    assert cyclic.rates[:6] == pytest.approx([0.001, 0.002, 0.003, 0.004, 0.001, 0.002])


class Accumulating(optimizers.Optimizer):
    """Steps on the mean gradient of several batches, with the decorator that optimizers of scripts wear."""

    def __init__(self, lr=0.1, accum_iters=2, **kwargs):
        super().__init__(**kwargs)
        with K.name_scope(self.__class__.__name__):
            self.iterations = K.variable(0, dtype="int64", name="iterations")
            self.lr = K.variable(lr, name="lr")
        self.accum_iters = K.variable(accum_iters, K.dtype(self.iterations))

    @interfaces.legacy_get_updates_support
    def get_updates(self, loss, params):
        grads = self.get_gradients(loss, params)
        self.updates = [K.update_add(self.iterations, 1)]
        now = K.cast(K.equal((self.iterations + 1) % self.accum_iters, 0), K.floatx())
        sums = [K.zeros(K.int_shape(p), dtype=K.dtype(p)) for p in params]
        self.weights = [self.iterations, *sums]
        for p, g, total in zip(params, grads, sums, strict=True):
            new = total + g
            self.updates.append(K.update(total, (1 - now) * new))
            self.updates.append(K.update(p, p - now * self.lr * new / K.cast(self.accum_iters, K.floatx())))
        return self.updates

    def get_config(self):
        return {"lr": float(K.get_value(self.lr)), **super().get_config()}


def test_an_optimizer_that_accumulates(tmp_path):
    x, y = rng.random((8, 3)), rng.random((8, 1))
    model = models.Sequential([layers.Dense(1, input_dim=3)])
    other = models.clone_model(model)
    other.set_weights(model.get_weights())
    model.compile(Accumulating(), "mse")
    other.compile(optimizers.SGD(0.1), "mse")
    model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    other.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    model.save(tmp_path / "model.h5")
    loaded = models.load_model(tmp_path / "model.h5", custom_objects={"Accumulating": Accumulating})
    assert K.get_value(loaded.optimizer.iterations) == 6


def test_a_layer_as_an_activation():
    """`get_custom_objects().update({"swish": Activation(swish)})`, then by name in any layer."""

    def swish(x):
        return K.sigmoid(x) * x

    get_custom_objects().update({"swish": layers.Activation(swish)})
    try:
        model = models.Sequential([layers.Dense(4, input_dim=3, activation="swish"), layers.Activation("swish")])
        x = rng.random((2, 3)).astype("float32")
        kernel, bias = model.get_weights()
        once = (x @ kernel + bias) / (1 + np.exp(-(x @ kernel + bias)))
        np.testing.assert_allclose(model.predict(x), once / (1 + np.exp(-once)), rtol=1e-5)
    finally:
        del get_custom_objects()["swish"]


class VariationalLoss(layers.Layer):
    """A layer that adds the whole loss; the model is compiled with None."""

    def __init__(self, mean, log_variance, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.log_variance = mean, log_variance

    def call(self, inputs):
        x, decoded = inputs
        entropy = keras.metrics.binary_crossentropy(K.flatten(x), K.flatten(decoded))
        divergence = -5e-4 * K.mean(1 + self.log_variance - K.square(self.mean) - K.exp(self.log_variance), axis=-1)
        self.add_loss(K.mean(entropy + divergence), inputs=inputs)
        return x


def test_a_variational_autoencoder_with_a_layer_for_its_loss():
    image = keras.Input(shape=(8, 8, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", strides=(2, 2))(image)
    before = K.int_shape(x)
    x = layers.Dense(8, activation="relu")(layers.Flatten()(x))
    mean, log_variance = layers.Dense(2)(x), layers.Dense(2)(x)
    z = layers.Lambda(lambda t: t[0] + K.exp(t[1]) * K.random_normal(shape=(K.shape(t[0])[0], 2)))([mean, log_variance])
    given = layers.Input(K.int_shape(z)[1:])
    x = layers.Reshape(before[1:])(layers.Dense(np.prod(before[1:]), activation="relu")(given))
    x = layers.Conv2DTranspose(4, 3, padding="same", activation="relu", strides=(2, 2))(x)
    decoder = models.Model(given, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    model = models.Model(image, VariationalLoss(mean, log_variance)([image, decoder(z)]))
    model.compile(optimizer="rmsprop", loss=None)
    pictures = rng.random((16, 8, 8, 1)).round()
    history = model.fit(pictures, None, epochs=8, batch_size=4, validation_data=(pictures, None), verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert decoder.predict(np.zeros((3, 2))).shape == (3, 8, 8, 1)


def test_class_activation_maps():
    """Gradients of one output for an inner layer, pooled, and the inner activations, in one function (grad-CAM)."""
    model = models.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(10, 10, 3)),
            layers.MaxPooling2D(),
            layers.Conv2D(4, 3, activation="relu", name="last"),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    last = model.get_layer("last")
    grads = K.gradients(model.output[:, 3], last.output)[0]
    iterate = K.function([model.input], [K.mean(grads, axis=(0, 1, 2)), last.output[0]])
    pooled, activations = iterate([rng.random((1, 10, 10, 3))])
    for i in range(4):
        activations[:, :, i] *= pooled[i]  # what a function returns is the caller's
    heat = np.maximum(activations.mean(axis=-1), 0)
    assert heat.shape == (2, 2) and np.isfinite(heat).all()
    every = models.Model(model.input, [layer.output for layer in model.layers[:3]])
    assert [a.shape for a in every.predict(np.zeros((1, 10, 10, 3)))] == [(1, 8, 8, 4), (1, 4, 4, 4), (1, 2, 2, 4)]


def test_policy_gradients():
    """A train function made of an optimizer's updates and placeholders, with no output and no compile."""
    model = models.Sequential([layers.Dense(8, activation="relu", input_dim=4), layers.Dense(2, activation="softmax")])
    action, reward = K.placeholder(shape=(None, 2)), K.placeholder(shape=(None,))
    loss = K.mean(-K.log(K.sum(model.output * action, axis=1)) * reward)
    updates = optimizers.Adam(0.05).get_updates(params=model.trainable_weights, loss=loss)
    train = K.function(inputs=[model.input, action, reward], outputs=[], updates=updates)
    states = rng.random((6, 4))
    before = model.predict(states)[:, 1].mean()
    for _ in range(10):
        assert train([states, np.eye(2)[np.ones(6, int)], np.ones(6)]) == []
    assert model.predict(states)[:, 1].mean() > before + 0.05


def test_a_stateful_network_for_other_batches():
    """Trained on batches of 4, its weights in a model for single samples; the states carry over, and are reset."""

    def build(batch):
        return models.Sequential([layers.LSTM(6, batch_input_shape=(batch, 1, 1), stateful=True), layers.Dense(1)])

    model, single = build(4), build(1)
    model.compile("adam", "mse")
    x = np.sin(np.arange(16.0)).reshape(16, 1, 1)
    for _ in range(2):
        model.fit(x, x[:, 0], batch_size=4, epochs=1, shuffle=False, verbose=0)
        model.reset_states()
    single.set_weights(model.get_weights())
    first, second = single.predict(x[:1], batch_size=1), single.predict(x[:1], batch_size=1)
    assert first != second
    single.reset_states()
    np.testing.assert_allclose(single.predict(x[:1], batch_size=1), first, rtol=1e-6)
    with pytest.raises(ValueError, match="divided by the batch size"):
        model.predict(x[:10], batch_size=4)


def test_attention_with_shared_layers():
    """One step's layers made once and called in a loop, states of an LSTM handed on, one output for each step."""
    steps, units = 5, 6
    repeat, join, score = layers.RepeatVector(steps), layers.Concatenate(axis=-1), layers.Dense(1, activation="relu")
    share = layers.Activation(lambda x: K.exp(x) / K.sum(K.exp(x), axis=1, keepdims=True), name="attention_weights")
    context, cell = layers.Dot(axes=1), layers.LSTM(units, return_state=True)
    project = layers.Dense(4, activation="softmax")
    x, h0, c0 = layers.Input((steps, 3)), layers.Input((units,), name="h0"), layers.Input((units,), name="c0")
    sequence = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    h, c, outputs = h0, c0, []
    for _ in range(3):
        shares = share(score(join([sequence, repeat(h)])))
        h, _, c = cell(context([shares, sequence]), initial_state=[h, c])
        outputs.append(project(h))
    model = models.Model(inputs=[x, h0, c0], outputs=outputs)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    data, targets = [rng.random((4, steps, 3)), np.zeros((4, units)), np.zeros((4, units))], rng.random((4, 3, 4))
    history = model.fit(data, list(targets.swapaxes(0, 1)), epochs=2, verbose=0).history
    name = project.name
    assert [key for key in history if "acc" in key] == [f"{name}_acc", f"{name}_acc_1", f"{name}_acc_2"]


def test_word_vectors():
    """Given vectors, frozen, by `set_weights`, by `weights=` and by an initializer; texts of a tokenizer."""
    texts = ["the cat sat on the mat", "the dog ate my homework", "good movie"]
    tokenizer = Tokenizer(num_words=20)
    tokenizer.fit_on_texts(texts)
    data = keras.preprocessing.sequence.pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=6)
    vectors = rng.random((20, 4)).astype("float32")
    by_hand = layers.Embedding(20, 4, input_length=6, trainable=False)
    by_weights = layers.Embedding(20, 4, weights=[vectors], input_length=6, trainable=False)
    by_initializer = layers.Embedding(20, 4, embeddings_initializer=initializers.Constant(vectors), input_length=6)
    for embedding in (by_hand, by_weights, by_initializer):
        model = models.Sequential([embedding, layers.Flatten(), layers.Dense(1, activation="sigmoid")])
        if embedding is by_hand:
            model.layers[0].set_weights([vectors])
        np.testing.assert_array_equal(model.layers[0].get_weights()[0], vectors)
        model.compile("rmsprop", "binary_crossentropy", metrics=["acc"])
        model.fit(data, np.array([0, 1, 1]), epochs=2, verbose=0)
        same = np.array_equal(model.layers[0].get_weights()[0], vectors)
        assert same is (embedding is not by_initializer)


def test_a_script_of_keras_1():
    """Every line of it has another name today; each says so once, and the network is that of Keras 2."""
    with pytest.warns(KcoreWarning) as warned:
        K.set_image_dim_ordering("tf")
        model = models.Sequential()
        model.add(layers.Convolution2D(4, 3, 3, border_mode="same", subsample=(2, 2), input_shape=(8, 8, 1)))
        model.add(layers.MaxPooling2D(pool_size=(2, 2), border_mode="same"))
        model.add(layers.Dropout(p=0.25))
        model.add(layers.Flatten())
        model.add(layers.Dense(output_dim=3, init="uniform", W_regularizer="l2", activation="softmax"))
        model.compile(loss="categorical_crossentropy", optimizer="adadelta", metrics=["accuracy"])
        model.fit(rng.random((6, 8, 8, 1)), np.eye(3)[[0, 1, 2, 0, 1, 2]], batch_size=3, nb_epoch=2, verbose=0)
    assert len(warned) == 6
    assert all("Keras 2 API" in str(warning.message) for warning in warned)
    assert model.layers[0].get_config()["strides"] == (2, 2)
    assert model.output_shape == (None, 3) and model.count_params() == 4 * 9 + 4 + 16 * 3 + 3
