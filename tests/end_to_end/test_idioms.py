"""What scripts for Keras 2 do beside plain layers: each test is such a program, in small."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from kcore import backend as K
from kcore import metrics, optimizers
from kcore.applications import vgg16
from kcore.engine.topology import Layer
from kcore.errors import KcoreWarning
from kcore.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Lambda,
    LeakyReLU,
    MaxPooling2D,
    Permute,
    RepeatVector,
    Reshape,
    add,
    concatenate,
    multiply,
)
from kcore.layers.merge import _Merge
from kcore.models import Model, Sequential, load_model

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


def test_variational_autoencoder():
    """A loss of tensors inside the model, `add_loss`, and no loss function."""
    x = Input((20,))
    hidden = Dense(16, activation="relu")(x)
    mean, log_variance = Dense(2)(hidden), Dense(2)(hidden)

    def sample(args):
        mean, log_variance = args
        return mean + K.exp(log_variance / 2) * K.random_normal(shape=(K.shape(mean)[0], 2))

    z = Lambda(sample, output_shape=(2,))([mean, log_variance])
    decoded = Dense(20, activation="sigmoid")(Dense(16, activation="relu")(z))
    model = Model(x, decoded)
    divergence = -0.5 * K.sum(1 + log_variance - K.square(mean) - K.exp(log_variance), axis=-1)
    model.add_loss(K.mean(20 * metrics.binary_crossentropy(x, decoded) + divergence))
    model.compile(optimizer="rmsprop")
    data = (rng.random((256, 20)) > 0.7).astype("float32")
    losses = model.fit(data, epochs=4, batch_size=32, validation_data=(data, None), verbose=0).history
    assert losses["val_loss"][-1] < losses["val_loss"][0]


def test_adversarial_networks():
    """One model compiled as trainable, and frozen inside another: each trains its own part."""
    generator = Sequential([Dense(8, input_dim=4), LeakyReLU(0.2), Dense(3, activation="tanh")])
    discriminator = Sequential([Dense(8, input_shape=(3,)), LeakyReLU(0.2), Dense(1, activation="sigmoid")])
    discriminator.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    discriminator.trainable = False
    noise = Input((4,))
    combined = Model(noise, discriminator(generator(noise)))
    combined.compile("adam", "binary_crossentropy")

    real, z = rng.random((16, 3)), rng.normal(size=(16, 4))
    before = discriminator.get_weights(), generator.get_weights()
    with pytest.warns(KcoreWarning, match="Discrepancy"):
        discriminator.train_on_batch(real, np.ones((16, 1)))
    assert any((a != b).any() for a, b in zip(before[0], discriminator.get_weights(), strict=True))
    between = discriminator.get_weights()
    combined.train_on_batch(z, np.ones((16, 1)))
    assert all((a == b).all() for a, b in zip(between, discriminator.get_weights(), strict=True))
    assert all((a != b).any() for a, b in zip(before[1][::2], generator.get_weights()[::2], strict=True))


def test_gradient_penalty():
    """A loss with the gradient of the model in it (Gulrajani et al. 2017), and a merge layer of the user's."""

    class RandomWeightedAverage(_Merge):
        def _merge_function(self, inputs):
            share = K.random_uniform((8, 1))
            return share * inputs[0] + (1 - share) * inputs[1]

    def penalty(y_true, y_pred, samples):
        norm = K.sqrt(K.sum(K.square(K.gradients(y_pred, samples)[0]), axis=1))
        return K.mean(K.square(1 - norm))

    critic = Sequential([Dense(8, input_dim=3, activation="tanh"), Dense(1, use_bias=False)])
    real, fake = Input((3,)), Input((3,))
    between = RandomWeightedAverage()([real, fake])
    loss = partial(penalty, samples=between)
    loss.__name__ = "gradient_penalty"
    model = Model([real, fake], critic(between))
    model.compile(optimizers.Adam(0.05), loss)
    data = [rng.random((8, 3)), rng.random((8, 3))]
    losses = [model.train_on_batch(data, np.zeros((8, 1))) for _ in range(60)]
    assert losses[-1] < 0.05 * losses[0]  # the critic's slope goes to 1


def test_siamese_networks():
    """One network on two inputs, a distance as a `Lambda`, a contrastive loss, a metric of the user's."""

    def distance(pair):
        return K.sqrt(K.maximum(K.sum(K.square(pair[0] - pair[1]), axis=1, keepdims=True), K.epsilon()))

    def contrastive(y_true, y_pred):
        return K.mean(y_true * K.square(y_pred) + (1 - y_true) * K.square(K.maximum(1 - y_pred, 0)))

    def accuracy(y_true, y_pred):
        return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))

    base = Sequential([Dense(8, activation="relu", input_shape=(6,)), Dense(4)])
    a, b = Input((6,)), Input((6,))
    far = Lambda(distance, output_shape=lambda shapes: (shapes[0][0], 1))([base(a), base(b)])
    model = Model([a, b], far)
    model.compile("rmsprop", contrastive, metrics=[accuracy])
    left, same = rng.normal(size=(256, 6)), np.arange(256) % 2
    right = np.where(same[:, None] == 1, left + 0.01, -left)
    model.fit([left, right], same, batch_size=16, epochs=15, verbose=0)
    assert model.evaluate([left, right], same, verbose=0)[1] > 0.95
    assert model.count_params() == base.count_params()


def test_sequence_to_sequence(tmp_path):
    """States handed from encoder to decoder, and models for inference made from the trained layers."""
    encoder_input, decoder_input = Input((None, 7)), Input((None, 8))
    _, *states = LSTM(16, return_state=True)(encoder_input)
    decoder, project = LSTM(16, return_sequences=True, return_state=True), Dense(8, activation="softmax")
    model = Model([encoder_input, decoder_input], project(decoder(decoder_input, initial_state=states)[0]))
    model.compile("rmsprop", "categorical_crossentropy")
    x, y = rng.random((32, 5, 7)), rng.random((32, 6, 8))
    model.fit([x, y], y, batch_size=8, validation_split=0.2, verbose=0)

    encode = Model(encoder_input, states)
    given = [Input((16,)), Input((16,))]
    step, *after = decoder(decoder_input, initial_state=given)
    decode = Model([decoder_input, *given], [project(step), *after])
    state, made = encode.predict(x[:2]), []
    for t in range(6):
        out, *state = decode.predict([y[:2, t : t + 1], *state])
        made.append(out)
    expected = model.predict([x[:2], y[:2]])
    np.testing.assert_allclose(np.concatenate(made, axis=1), expected, rtol=1e-5)
    model.save(tmp_path / "model.h5")
    np.testing.assert_allclose(load_model(tmp_path / "model.h5").predict([x[:2], y[:2]]), expected, rtol=1e-6)


def test_text_recognition():
    """CTC as a layer, the identity as the loss, dicts from a generator (Graves et al. 2006)."""
    image = Input((16, 8, 1), name="the_input")
    x = MaxPooling2D((1, 2))(Conv2D(4, 3, padding="same", activation="relu")(image))
    x = Dense(8, activation="relu")(Reshape((16, 16))(x))
    forward = GRU(8, return_sequences=True)(x)
    x = add([forward, GRU(8, return_sequences=True, go_backwards=True)(x)])
    softmax = Activation("softmax")(Dense(6)(concatenate([x, forward])))
    labels, lengths, label_lengths = Input([4], name="the_labels"), Input([1], name="length"), Input([1], name="count")

    def ctc(args):
        y_pred, labels, input_length, label_length = args
        return K.ctc_batch_cost(labels, y_pred[:, 2:, :], input_length, label_length)

    loss = Lambda(ctc, output_shape=(1,), name="ctc")([softmax, labels, lengths, label_lengths])
    model = Model([image, labels, lengths, label_lengths], loss)
    model.compile(optimizers.SGD(0.02, momentum=0.9, nesterov=True, clipnorm=5), {"ctc": lambda y_true, y_pred: y_pred})
    images, texts = rng.random((8, 16, 8, 1)), rng.integers(0, 5, (8, 4))

    def batches():
        while True:
            yield (
                {"the_input": images, "the_labels": texts, "length": np.full((8, 1), 14), "count": np.full((8, 1), 4)},
                {"ctc": np.zeros(8)},
            )

    losses = model.fit_generator(batches(), steps_per_epoch=10, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    (read,) = K.function([image], [softmax])([images])
    paths, _ = K.ctc_decode(K.constant(read), K.constant(np.full(8, 16), dtype="int32"), greedy=True)
    assert K.eval(paths[0]).shape[0] == 8


def test_gradient_ascent_on_the_input():
    """The gradient of inner activations for the input of a model of `applications`, in a backend function."""
    model = vgg16.VGG16(weights=None, include_top=False, input_shape=(48, 48, 3))
    loss = K.variable(0.0)
    for name, factor in {"block2_conv1": 0.2, "block3_conv1": 0.5}.items():
        x = model.get_layer(name).output
        loss = loss + factor * K.sum(K.square(x[:, 2:-2, 2:-2, :])) / K.prod(K.cast(K.shape(x), "float32"))
    gradients = K.gradients(loss, model.input)[0]
    gradients /= K.maximum(K.mean(K.abs(gradients)), K.epsilon())
    ascend = K.function([model.input], [loss, gradients])
    picture, seen = rng.random((1, 48, 48, 3)), []
    for _ in range(4):
        value, direction = ascend([picture])
        picture += 0.01 * direction
        seen.append(float(value))
    assert seen == sorted(seen) and seen[-1] > seen[0]


def test_drop_out_at_test_time():
    """The learning phase as an input of a backend function."""
    model = Sequential([Dense(32, input_dim=3), Dropout(0.5), Dense(1)])
    run = K.function([model.layers[0].input, K.learning_phase()], [model.layers[-1].output])
    x = rng.random((2, 3))
    assert np.std([run([x, 1])[0] for _ in range(5)], axis=0).min() > 0
    np.testing.assert_allclose(run([x, 0])[0], model.predict(x), rtol=1e-6)


def test_gradients_of_the_weights():
    """The optimizer's gradients, with the model's own placeholders."""
    model = Sequential([Dense(2, input_dim=3)])
    model.compile("sgd", "mse")
    gradients = model.optimizer.get_gradients(model.total_loss, model.trainable_weights)
    run = K.function([model.inputs[0], model.sample_weights[0], model.targets[0], K.learning_phase()], gradients)
    x, y = rng.random((4, 3)), rng.random((4, 2))
    kernel, bias = run([x, np.ones(4), y, 0])
    error = model.predict(x) - y
    np.testing.assert_allclose(kernel, x.T @ error / 4, rtol=1e-4)
    np.testing.assert_allclose(bias, error.mean(axis=0), rtol=1e-4)


class Attention(Layer):
    """Weighted average over the steps; a layer as people write them, with a mask."""

    def __init__(self, **kwargs):
        self.supports_masking = True
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight(name="W", shape=(input_shape[-1], 1), initializer="glorot_uniform", trainable=True)
        super().build(input_shape)

    def call(self, x, mask=None):
        a = K.exp(K.squeeze(K.tanh(K.dot(x, self.W)), -1))
        if mask is not None:
            a *= K.cast(mask, K.floatx())
        a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        return K.sum(x * K.expand_dims(a), axis=1)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])


def test_attention_with_a_mask(tmp_path):
    model = Sequential()
    model.add(Embedding(20, 8, input_length=6, mask_zero=True))
    model.add(Bidirectional(LSTM(4, return_sequences=True)))
    model.add(Attention())
    model.add(Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["acc"])
    words = rng.integers(1, 20, (32, 6))
    model.fit(words, rng.integers(0, 2, 32), verbose=0)
    shorter = words.copy()
    shorter[:, 4:] = 0
    model.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5", custom_objects={"Attention": Attention})
    np.testing.assert_allclose(loaded.predict(shorter), model.predict(shorter), rtol=1e-6)
    weights = model.layers[0].get_weights()[0]
    model.layers[0].set_weights([np.concatenate([np.full((1, 8), 7.0), weights[1:]])])
    np.testing.assert_allclose(model.predict(shorter), loaded.predict(shorter), rtol=1e-6)  # padding does not count


def test_attention_made_of_layers():
    steps = Input((5, 6))
    scores = Activation("softmax")(Flatten()(Dense(1, activation="tanh")(steps)))
    weighted = multiply([steps, Permute([2, 1])(RepeatVector(6)(scores))])
    model = Model(steps, [Lambda(lambda x: K.sum(x, axis=-2), output_shape=(6,))(weighted), scores])
    x = rng.random((3, 5, 6)).astype("float32")
    context, shares = model.predict(x)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(context, np.einsum("bt,btf->bf", shares, x), rtol=1e-5)
