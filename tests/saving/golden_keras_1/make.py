"""Makes the files beside it, with Keras 1.2.2 itself: models, inputs and outputs.

    KERAS_BACKEND=theano THEANO_FLAGS=cxx=,blas__ldflags=,floatX=float32,optimizer=None python make.py

Keras 1.2.2 runs on Python 3.11 with numpy 1.23.5, scipy < 1.11, Theano-PyMC 1.1.2, h5py 3.8, six, pyyaml and
setuptools < 60 (`pip install --no-deps keras==1.2.2`).

Windows of "same" convolutions have odd lengths: for even ones Theano pads the other side than everybody else.
"""

# ruff: noqa: E402, F401, F403, F405, I001 (what is imported must be changed first)

import collections
import collections.abc
import inspect
import json
import os
import sys

# --- what Keras 1.2.2 expects of Python and Theano, under the names that these have today ------------------------


def getargspec(function):
    spec = inspect.getfullargspec(function)
    kind = collections.namedtuple("ArgSpec", "args varargs keywords defaults")
    return kind(spec.args, spec.varargs, spec.varkw, spec.defaults)


inspect.getargspec = getargspec
for name in ("Callable", "Iterable", "Mapping", "Sequence"):
    setattr(collections, name, getattr(collections.abc, name))

import scipy.signal._sigtools
import scipy.signal._signaltools

for name in ("signaltools", "sigtools"):
    sys.modules[f"scipy.signal.{name}"] = getattr(scipy.signal, f"_{name}")

import theano.ifelse
import theano.sandbox.rng_mrg as rng

rng.MRG_RandomStreams = rng.MRG_RandomStream

import numpy as np
from theano.tensor.signal.pool import Pool


def pool(self, node, inputs, outputs, params=None):
    """What Theano computes, without its indexing by lists, which NumPy has given up."""
    x, window, strides, padding = inputs
    assert self.ignore_border and not padding.any()
    views = np.lib.stride_tricks.sliding_window_view(x, tuple(window), axis=tuple(range(-self.ndim, 0)))
    views = views[(..., *(slice(None, None, s) for s in strides), *[slice(None)] * self.ndim)]
    reduce = np.max if self.mode == "max" else np.mean
    outputs[0][0] = reduce(views, axis=tuple(range(-self.ndim, 0))).astype(x.dtype)


Pool.perform = pool
from keras.constraints import maxnorm, nonneg, unitnorm
from keras.layers import *
from keras.models import Model, Sequential
from keras.regularizers import l1, l1l2, l2

HERE = os.path.dirname(os.path.abspath(__file__))


def mlp():
    return Sequential([
        Dense(6, input_dim=4, init="uniform", activation="tanh", W_regularizer=l1l2(0.1, 0.2), W_constraint=maxnorm(2)),
        BatchNormalization(), Dropout(0.3), PReLU(), GaussianNoise(0.1), GaussianDropout(0.2), LeakyReLU(0.1),
        Dense(5, bias=False, activity_regularizer=l1(0.01), W_constraint=unitnorm(), W_regularizer=l2(0.1)), ELU(0.5),
        ActivityRegularization(l1=0.01), Dense(3, activation="softmax", b_constraint=nonneg(), b_regularizer=l1(0.1)),
    ])  # fmt: skip


def cnn():
    return Sequential([
        ZeroPadding2D((1, 2), input_shape=(8, 7, 2)), Convolution2D(3, 3, 5, border_mode="same", activation="relu"),
        MaxPooling2D((2, 2)), UpSampling2D((2, 2)), AtrousConvolution2D(4, 2, 2, atrous_rate=(2, 2)),
        SpatialDropout2D(0.2), BatchNormalization(axis=-1), AveragePooling2D((2, 2), strides=(1, 1)),
        Cropping2D(((1, 0), (0, 1))), LocallyConnected2D(2, 2, 2), Convolution2D(4, 2, 2, subsample=(2, 1), bias=False),
        GlobalAveragePooling2D(), Dense(2),
    ])  # fmt: skip


def cnn_channels_first():
    return Sequential([
        Convolution2D(3, 3, 2, dim_ordering="th", input_shape=(2, 8, 7), activation="relu"),
        MaxPooling2D((2, 2), dim_ordering="th"), Convolution2D(2, 2, 2, dim_ordering="th"), Flatten(), Dense(2),
    ])  # fmt: skip


def transposed():
    return Sequential([
        Deconvolution2D(3, 3, 3, output_shape=(None, 9, 9, 3), subsample=(2, 2), input_shape=(4, 4, 2)),
        Activation("tanh"), GlobalMaxPooling2D(),
    ])  # fmt: skip


def cnn_1d():
    return Sequential([
        Convolution1D(4, 3, border_mode="same", input_shape=(12, 3), activation="tanh"), ZeroPadding1D(1),
        MaxPooling1D(2), UpSampling1D(2), Cropping1D((1, 2)), AtrousConvolution1D(3, 2, atrous_rate=2),
        AveragePooling1D(2, stride=1), LocallyConnected1D(2, 2), Convolution1D(3, 2, subsample_length=2, bias=False),
        GlobalMaxPooling1D(),
    ])  # fmt: skip


def cnn_3d():
    return Sequential([
        Convolution3D(3, 2, 2, 2, input_shape=(6, 6, 6, 2), subsample=(1, 1, 2)), ZeroPadding3D(), MaxPooling3D(),
        UpSampling3D(), Cropping3D(), Flatten(), Dense(2),
    ])  # fmt: skip


def recurrent():
    return Sequential([
        Embedding(7, 4, input_length=6, W_constraint=maxnorm(3)),
        LSTM(3, return_sequences=True, dropout_W=0.1, dropout_U=0.2),
        Bidirectional(GRU(2, return_sequences=True), merge_mode="concat"), TimeDistributed(Dense(3, activation="tanh")),
        SimpleRNN(4, return_sequences=True, go_backwards=True), Bidirectional(LSTM(3), merge_mode="sum"),
        RepeatVector(2),
        GRU(3, inner_activation="sigmoid", consume_less="gpu", W_regularizer=l2(0.1), U_regularizer=l1(0.1)),
    ])  # fmt: skip


def masked():
    return Sequential([Masking(0.0, input_shape=(5, 3)), LSTM(4, consume_less="mem"), Dense(2, init="normal")])


def conv_lstm():
    return Sequential([
        ConvLSTM2D(2, 3, 3, input_shape=(3, 5, 5, 2), border_mode="same", return_sequences=True),
        ConvLSTM2D(3, 3, 3), Flatten(), Dense(1),
    ])  # fmt: skip


def merging():
    """Every mode of `merge`, a shared layer, a nested model, two inputs and two outputs."""
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = Dense(4, activation="tanh", name="shared")
    one, other = shared(a), shared(b)
    merged = [merge([one, other], mode=mode) for mode in ("sum", "mul", "ave", "max", "concat")]
    inner = Sequential([Dense(5, input_dim=16), Activation("relu"), Dense(4)])
    joined = merge([*merged[:3], merged[3]], mode="concat", concat_axis=1)
    dots = [merge([one, other], mode=mode, dot_axes=1) for mode in ("dot", "cos")]
    return Model([a, b], [inner(joined), merged[4], dots[0], dots[1]])


def branches():
    """A sequential model that begins with branches of other depths."""
    one = Sequential([Dense(4, input_dim=3)])
    other = Sequential([Dense(5, input_dim=2), Activation("tanh"), Dense(4)])
    return Sequential([Merge([one, other], mode="concat"), Dense(4), Dense(2)])


MODELS = (mlp, cnn, cnn_channels_first, transposed, cnn_1d, cnn_3d, recurrent, masked, conv_lstm, merging, branches)
COMPILED = {"mlp": ("adam", "categorical_crossentropy"), "masked": ("rmsprop", "mse"), "branches": ("sgd", "mse")}


def main():
    arrays = {}
    for make in MODELS:
        name = make.__name__
        np.random.seed(3)
        model = make()
        for layer in model.layers:
            layer.set_weights([w + 0.05 + 0.1 * np.random.rand(*w.shape) for w in layer.get_weights()])
        shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
        inputs = [np.random.rand(3, *shape[1:]).astype("float32") for shape in shapes]
        if name == "recurrent":
            inputs = [np.random.randint(0, 7, (3, 6))]
        if name in COMPILED:
            optimizer, loss = COMPILED[name]
            model.compile(optimizer, loss, metrics=["accuracy"])
        model.save(os.path.join(HERE, f"{name}.h5"))
        if name == "merging":
            with open(os.path.join(HERE, f"{name}.json"), "w") as file:
                file.write(json.dumps(json.loads(model.to_json()), indent=1))
        outputs = model.predict(inputs)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        arrays.update({f"{name}/x{i}": x for i, x in enumerate(inputs)})
        arrays.update({f"{name}/y{i}": y for i, y in enumerate(outputs)})
        print(name, [y.shape for y in outputs])
    np.savez_compressed(os.path.join(HERE, "outputs.npz"), **arrays)


if __name__ == "__main__":
    main()
