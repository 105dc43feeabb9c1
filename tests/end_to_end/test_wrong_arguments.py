"""Arguments of a kind that nobody can mean are refused where they are given, in kcore's words."""

import numpy as np
import pytest

from kcore import backend as K
from kcore import callbacks, constraints, initializers, layers, models, optimizers, regularizers, utils
from kcore.errors import KcoreError
from kcore.preprocessing import sequence, text

NUMBERS = ("0.1", [0.1], None, 1j, np.zeros(2))
X, Y = np.ones((6, 4)), np.ones((6, 3))


def model():
    made = models.Sequential([layers.Dense(3, input_shape=(4,))])
    made.compile("sgd", "mse")
    return made


def batches():
    while True:
        yield X, Y


def refused(call, *parts):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert isinstance(caught.value, KcoreError), repr(caught.value)
    assert __file__ in (caught.value.line or ""), caught.value.line
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("wrong", NUMBERS, ids=str)
@pytest.mark.parametrize(
    ("make", "names"),
    [
        (optimizers.SGD, ["lr", "momentum", "decay"]),
        (optimizers.Adam, ["lr", "beta_1", "beta_2", "decay"]),
        (optimizers.Adadelta, ["lr", "rho"]),
        (optimizers.Nadam, ["lr", "schedule_decay"]),
        (regularizers.L1L2, ["l1", "l2"]),
        (constraints.MaxNorm, ["max_value"]),
        (constraints.MinMaxNorm, ["min_value", "max_value", "rate"]),
        (initializers.RandomNormal, ["mean", "stddev"]),
        (initializers.RandomUniform, ["minval", "maxval"]),
        (initializers.VarianceScaling, ["scale"]),
        (initializers.Orthogonal, ["gain"]),
        (callbacks.EarlyStopping, ["min_delta", "patience"]),
        (callbacks.ReduceLROnPlateau, ["factor", "patience", "min_delta", "cooldown", "min_lr"]),
    ],
)
def test_numbers(make, names, wrong):
    for name in names:
        refused(lambda name=name: make(**{name: wrong}), f"`{name}` of", "must be", repr(wrong))


@pytest.mark.parametrize("wrong", ["0.1", [0.1], 1j], ids=str)
def test_numbers_that_may_be_left_out(wrong):
    refused(lambda: optimizers.RMSprop(epsilon=wrong), "`epsilon` of RMSprop")
    refused(lambda: optimizers.SGD(clipnorm=wrong), "`clipnorm` of SGD")
    assert optimizers.Adam(epsilon=None).epsilon == K.epsilon()


def test_callbacks():
    refused(lambda: callbacks.ModelCheckpoint("x.h5", monitor=1), "`monitor` of ModelCheckpoint", "1")
    refused(lambda: callbacks.EarlyStopping(mode=1), "`mode` of EarlyStopping")
    refused(lambda: callbacks.ModelCheckpoint("x.h5", period="1"), "`period`")
    refused(lambda: callbacks.LearningRateScheduler(0.1), "`schedule`", "function", "0.1")
    refused(lambda: callbacks.LambdaCallback(on_epoch_end=1), "`on_epoch_end` of LambdaCallback")
    refused(lambda: callbacks.CSVLogger("x.csv", separator=", "), "`separator` of CSVLogger")
    refused(lambda: model().fit(X, Y, verbose=0, callbacks=1), "`callbacks` must be a list of callbacks", "1")


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("validation_split", "0.1"), ("validation_split", [0.1]), ("initial_epoch", 0.5), ("initial_epoch", "1"),
        ("shuffle", np.zeros(3)), ("class_weight", {1: "a"}), ("validation_steps", "1"),
    ],
)  # fmt: skip
def test_fit(argument, wrong):
    refused(lambda: model().fit(X, Y[:, :1] if argument == "class_weight" else Y, verbose=0, **{argument: wrong}))


@pytest.mark.parametrize("argument", ["steps", "workers", "max_queue_size"])
@pytest.mark.parametrize("wrong", ["2", [2], -1], ids=str)
def test_generators(argument, wrong):
    arguments = {"steps": 1, argument: wrong}
    refused(lambda: model().evaluate_generator(batches(), **arguments), f"`{argument}`", repr(wrong))


def test_layers():
    two = [layers.Input((4, 3)), layers.Input((4, 3))]
    for layer in (
        layers.Dropout(0.5), layers.Softmax(), layers.Reshape((12,)), layers.Embedding(3, 2), layers.Activation("relu"),
        layers.BatchNormalization(), layers.PReLU(), layers.GaussianNoise(0.1), layers.Masking(), layers.LeakyReLU(),
    ):  # fmt: skip
        refused(lambda layer=layer: layer(two), layer.name, "expects 1 inputs, but it received 2")
    refused(lambda: layers.Dense(2, batch_input_shape=2), "`batch_input_shape`", "must be a list of", "2")
    refused(lambda: layers.Dense(2, dtype=X), "element type")
    refused(lambda: layers.Dense(2, name=X), "`name`")
    refused(lambda: layers.Dropout(0.5, noise_shape=2)(two[0]), "`noise_shape`")
    refused(lambda: layers.Dense(2, name=5), "`name` of a layer must be a string")
    refused(lambda: layers.Permute(2.5), "`dims`")
    refused(lambda: layers.StackedRNNCells(2), "`cells`")
    refused(lambda: layers.Lambda(K.square, arguments=2), "`arguments`", "must be a dict")
    refused(lambda: layers.Input(tensor=X), "must be a tensor")
    refused(lambda: layers.Conv2D(2, 2, data_format=X), "`data_format`")
    refused(lambda: layers.LSTM(2)([]), "on no tensors")


def test_models():
    m = model()
    refused(lambda: m.set_weights(5), "`weights`", "must be a list of arrays")
    refused(lambda: m.optimizer.set_weights(5), "`weights`")
    refused(lambda: m.get_layer(index="0"), "`index`")
    refused(lambda: m.layers[0].get_output_at("0"), "`node_index`")
    refused(lambda: models.Sequential(5), "`layers` must be a list of layers")
    refused(lambda: models.clone_model(m, 5), "`input_tensors` must be tensors")
    refused(lambda: m.summary(positions="abc"), "`positions`")
    refused(lambda: m.summary(print_fn=5), "`print_fn`")
    refused(lambda: m.compute_output_shape(5), "expected a shape")
    refused(lambda: m.compile("sgd", "mse", sample_weight_mode=X), "sample_weight_mode")
    refused(lambda: m.compile("sgd", "mse", loss_weights=["1"]), "`loss_weights`")
    refused(lambda: m.compile("sgd", lambda y: y), "(y_true, y_pred)", "<lambda>")
    refused(lambda: m.compile("sgd", "mse", metrics=[lambda y: y]), "(y_true, y_pred)", "<lambda>")
    m.compile("sgd", lambda y_true, y_pred, scale=2.0: scale * K.mean(y_pred - y_true), loss_weights=[np.float32(2)])


def test_backend():
    refused(lambda: K.placeholder(5), "`shape` of placeholder")
    refused(lambda: K.placeholder(ndim="2"), "`ndim` of placeholder")
    refused(lambda: K.variable(1j), "cannot make a float32 variable of 1j")
    refused(lambda: K.constant([1, 2], shape=(3,)), "cannot give the shape (3,)", "2 elements")
    refused(lambda: K.gradients(K.constant(1.0), None), "`variables` must be a list of tensors")
    refused(lambda: K.function([], [K.constant(1.0)], updates=5), "`updates` must be a list of updates")
    refused(lambda: K.rnn(lambda x, s: (x, s), X, []), "`inputs` of rnn should be a tensor")


def test_utilities():
    refused(lambda: utils.to_categorical("abc"), "must be class numbers", "abc")
    refused(lambda: utils.to_categorical([0], "2"), "`num_classes`")
    refused(lambda: utils.normalize("abc"), "normalize")
    refused(lambda: sequence.pad_sequences([[1]], maxlen="2"), "`maxlen`")
    refused(lambda: sequence.make_sampling_table("2"), "`size`")
    refused(lambda: sequence.skipgrams(5, 5), "`sequence` must be a list of word indices")
    refused(lambda: text.Tokenizer("5"), "`num_words` of Tokenizer")
    refused(lambda: text.Tokenizer().fit_on_texts(5), "a list of texts")


def test_the_line_is_not_one_of_numpys():
    refused(lambda: np.ndim([layers.Input((2,))]), "symbolic")


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.array, int])
def test_numbers_that_a_program_got_from_numpy(kind):
    one, two = kind(1), kind(2)
    x = layers.Input((4, 6, 2))
    y = layers.ZeroPadding2D(((one, two), (0, one)))(x)
    y = layers.Cropping2D(one)(y)
    y = layers.Conv2D(two, (two, 3), strides=one, dilation_rate=np.array([1, 1]))(y)
    y = layers.MaxPooling2D(two)(y)
    y = layers.BatchNormalization(axis=kind(-1))(y)
    y = layers.Reshape(np.array([-1, 2]))(y)
    y = layers.GaussianNoise(np.float32(0.5))(layers.Dropout(np.array(0.5), noise_shape=np.array([2, 1, 2]))(y))
    y = layers.dot([y, y], axes=(two, two))
    made = models.Model(x, y)
    twin = models.model_from_json(made.to_json())
    assert twin.get_config() == made.get_config()
    assert twin.output_shape == made.output_shape == (2, 2, 2)
