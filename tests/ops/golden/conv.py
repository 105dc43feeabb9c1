"""Writes `conv.npz`: convolution and pooling as the original computes them.

Run in an environment with `tensorflow-cpu` and `tf-keras`; the tests need neither. Every case is a dictionary of a
function of `tf_keras.backend` and its arguments; inputs are drawn from the case's number, values are float32.
"""

from __future__ import annotations

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent


def cases() -> list[dict]:
    """Function, shapes of its array arguments, further arguments."""
    found = []

    def add(function: str, *shapes: tuple[int, ...], **arguments: object) -> None:
        found.append({"function": function, "shapes": [list(s) for s in shapes], "arguments": arguments})

    for padding in ("valid", "same", "causal"):
        add("conv1d", (2, 9, 3), (4, 3, 2), padding=padding, dilation_rate=2)
        add("conv1d", (2, 9, 3), (4, 3, 2), padding=padding, strides=3)
    for padding in ("valid", "same"):
        for size in ((2, 3), (4, 1), (5, 4)):
            for strides in ((1, 1), (2, 3), (3, 2)):
                add("conv2d", (2, 8, 9, 3), (*size, 3, 4), padding=padding, strides=strides)
                add("depthwise_conv2d", (2, 8, 9, 3), (*size, 3, 2), padding=padding, strides=(strides[0],) * 2)
                add("pool2d", (2, 8, 9, 3), pool_size=size, padding=padding, strides=strides, pool_mode="max")
                add("pool2d", (2, 8, 9, 3), pool_size=size, padding=padding, strides=strides, pool_mode="avg")
        add("conv2d", (2, 8, 9, 3), (3, 2, 3, 4), padding=padding, dilation_rate=(2, 3))
        add("depthwise_conv2d", (2, 8, 9, 3), (3, 2, 3, 1), padding=padding, dilation_rate=(2, 2))
        add("conv3d", (1, 5, 6, 7, 2), (2, 3, 4, 2, 3), padding=padding, strides=(2, 1, 3))
        for mode in ("max", "avg"):
            add("pool3d", (1, 5, 6, 7, 2), pool_size=(2, 3, 2), padding=padding, strides=(2, 2, 3), pool_mode=mode)
        for strides in (1, 2):
            add("separable_conv1d", (2, 9, 3), (4, 3, 2), (1, 6, 5), padding=padding, strides=strides)
            add("separable_conv2d", (2, 8, 9, 3), (4, 3, 3, 2), (1, 1, 6, 5), padding=padding, strides=(strides,) * 2)
    # (kernel, strides, padding) and the output shape that a layer would ask for
    for size, stride, padding, length in (
        (3, 2, "valid", 9),
        (3, 2, "same", 8),
        (3, 2, "same", 7),
        (2, 3, "valid", 12),
        (4, 2, "same", 8),
        (2, 3, "same", 12),
        (5, 1, "valid", 8),
        (4, 1, "same", 4),
    ):
        add(
            "conv2d_transpose",
            (2, 4, 4, 3),
            (size, size, 5, 3),
            output_shape=(2, length, length, 5),
            strides=(stride,) * 2,
            padding=padding,
        )
    add("conv3d_transpose", (1, 3, 3, 3, 2), (3, 3, 3, 4, 2), output_shape=(1, 7, 7, 7, 4), strides=(2,) * 3)
    add(
        "conv3d_transpose",
        (1, 3, 3, 3, 2),
        (2, 2, 2, 4, 2),
        output_shape=(1, 6, 6, 6, 4),
        strides=(2,) * 3,
        padding="same",
    )
    add("local_conv1d", (2, 9, 3), (4, 6, 5), kernel_size=(2,), strides=(2,))
    add("local_conv1d", (2, 3, 9), (4, 6, 5), kernel_size=(2,), strides=(2,), data_format="channels_first")
    add("local_conv2d", (2, 6, 7, 3), (6, 18, 4), kernel_size=(2, 3), strides=(2, 3), output_shape=(3, 2))
    add(
        "local_conv2d",
        (2, 3, 6, 7),
        (6, 18, 4),
        kernel_size=(2, 3),
        strides=(2, 3),
        output_shape=(3, 2),
        data_format="channels_first",
    )
    return found


def arrays(number: int, case: dict) -> list[np.ndarray]:
    """The array arguments of case `number`: small integers over 8, exact in float32, with equal maxima.

    Not so for `pool3d`, where the original's processors disagree: on the CPU each of equal maxima has the whole
    gradient, on a GPU one of them.
    """
    rng, shapes = np.random.default_rng(number), case["shapes"]
    if case["function"] == "pool3d":
        return [(rng.permutation(int(np.prod(shape))).reshape(shape) / 8).astype("float32") for shape in shapes]
    return [(rng.integers(-8, 9, shape) / 8).astype("float32") for shape in shapes]


def separable_1d(K, x, depthwise, pointwise, strides, padding):
    """By way of two dimensions: this version's own does not run on a CPU."""
    x, depthwise, pointwise = (K.expand_dims(a, axis) for a, axis in ((x, 1), (depthwise, 0), (pointwise, 0)))
    return K.squeeze(K.separable_conv2d(x, depthwise, pointwise, strides=(strides,) * 2, padding=padding), 1)


def main() -> None:
    import tensorflow as tf
    from tf_keras.src import backend as K  # some functions are not public there

    results: dict[str, np.ndarray] = {}
    for number, case in enumerate(cases()):
        operands = [tf.Variable(a) for a in arrays(number, case)]
        with tf.GradientTape() as tape:
            if case["function"] == "separable_conv1d":
                y = separable_1d(K, *operands, **case["arguments"])
            else:
                y = getattr(K, case["function"])(*operands, **case["arguments"])
            rng = np.random.default_rng(number)
            loss = tf.reduce_sum(y * (rng.integers(-8, 9, y.shape) / 8).astype("float32"))
        results[f"{number}:y"] = y.numpy()
        for index, gradient in enumerate(tape.gradient(loss, operands)):
            results[f"{number}:{index}"] = gradient.numpy()
    results["cases"] = np.array(json.dumps(cases()))
    np.savez_compressed(HERE / "conv.npz", **results)


if __name__ == "__main__":
    main()
