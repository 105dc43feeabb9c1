"""Draws layers: which one, for tensors of a shape, and with which arguments."""

from __future__ import annotations

import random as randomness
from typing import Any

from layer_case import spec

ACTIVATIONS = [
    "linear", "tanh", "relu", "sigmoid", "softplus", "elu", "selu", "softsign", "hard_sigmoid", "softmax",
]  # fmt: skip


class Layers:
    """Describes random layers, as configurations.

    Args:
        r: where the numbers come from.
        batch: its size, for stateful layers; None where it is not fixed.
        nested: how deep the model lies in others.
        test_only: nothing is trained.
    """

    def __init__(self, r: randomness.Random, batch: int | None, nested: int, test_only: bool):
        self.r, self.batch, self.nested, self.test_only = r, batch, nested, test_only

    def chance(self, p: float) -> bool:
        return self.r.random() < p

    def pick(self, *values: Any) -> Any:
        return self.r.choice(values)

    # -- arguments -------------------------------------------------------------------------------------------
    def activation(self) -> dict[str, Any]:
        return {"activation": self.r.choice(ACTIVATIONS)} if self.chance(0.6) else {}

    def regularizer(self) -> dict[str, Any]:
        return spec("L1L2", l1=self.pick(0.0, 0.02), l2=self.pick(0.0, 0.03, 0.1))

    def constraint(self) -> dict[str, Any]:
        return self.pick(
            spec("MaxNorm", max_value=self.pick(0.3, 0.8), axis=0), spec("NonNeg"), spec("UnitNorm", axis=0),
            spec("MinMaxNorm", min_value=0.2, max_value=0.7, rate=self.pick(1.0, 0.5), axis=0),
        )  # fmt: skip

    def objects(self, *names: str) -> dict[str, Any]:
        """Regularizers and constraints of some of the weights."""
        found: dict[str, Any] = {}
        for name in names:
            if self.chance(0.12):
                found[f"{name}_regularizer"] = self.regularizer()
            if self.chance(0.08):
                found[f"{name}_constraint"] = self.constraint()
        if self.chance(0.08):
            found["activity_regularizer"] = self.regularizer()
        if self.chance(0.15) and "bias" in names:
            found["use_bias"] = False
        return found

    def rate(self) -> float:
        return self.pick(0.2, 0.5) if self.test_only else 0.0

    def window(self, n: int, dilation: bool = False, valid_only: bool = False) -> dict[str, Any]:
        """Arguments of a convolution over `n` dimensions."""
        one = lambda high: self.r.randint(1, high)  # noqa: E731
        config: dict[str, Any] = {"kernel_size": one(3) if self.chance(0.5) else [one(3) for _ in range(n)]}
        if not valid_only:
            config["padding"] = self.pick("valid", "same")
        if self.chance(0.4):
            config["strides"] = one(3) if self.chance(0.5) else [one(2) for _ in range(n)]
        elif dilation and self.chance(0.3):
            config["dilation_rate"] = 2 if self.chance(0.5) else [one(2) for _ in range(n)]
        return config

    # -- which layers ----------------------------------------------------------------------------------------
    def any_rank(self, shape: tuple) -> list[Any]:
        r, n = self.r, len(shape)
        return [
            lambda: spec("Activation", activation=r.choice(ACTIVATIONS)),
            lambda: spec("LeakyReLU", **self.some(alpha=0.2)),
            lambda: spec("ELU", **self.some(alpha=0.7)),
            lambda: spec("ThresholdedReLU", **self.some(theta=0.3)),
            lambda: spec("PReLU", **({"shared_axes": r.sample(range(1, n), 1)} if n > 1 and self.chance(0.7) else {}),
                         **self.some(alpha_regularizer=self.regularizer())),
            lambda: spec("Dropout", rate=self.rate()),
            lambda: spec(self.pick("GaussianNoise",), stddev=self.rate()),
            lambda: spec(self.pick("GaussianDropout", "AlphaDropout"), rate=self.rate()),
            lambda: spec("ActivityRegularization", l1=self.pick(0.0, 0.01), l2=self.pick(0.0, 0.02)),
            lambda: self.batch_norm(n),
            lambda: self.batch_norm(n),
            lambda: spec("Dense", units=r.randint(1, 4), **self.activation(), **self.objects("kernel", "bias")),
            lambda: spec("Lambda", function=self.pick("double", "square", "center", "last", "both", "sum", "softly")),
            lambda: self.reshape(shape),
            lambda: self.stack(shape),
        ]  # fmt: skip

    def stack(self, shape: tuple) -> dict[str, Any]:
        """A `Sequential` of one to three layers."""
        dense = spec("Dense", units=self.r.randint(1, 3), input_shape=list(shape), **self.activation())
        layers = [dense, self.batch_norm(len(shape)), spec("Activation", activation="tanh")]
        return {"sequential": layers[: self.r.randint(1, 3)]}

    def some(self, **arguments: Any) -> dict[str, Any]:
        return {key: value for key, value in arguments.items() if self.chance(0.5)}

    def batch_norm(self, n: int) -> dict[str, Any]:
        axis = self.pick(-1, -1, self.r.randint(1, n))
        return spec("BatchNormalization", axis=axis, **self.some(
            momentum=self.pick(0.9, 0.5, 0.0), epsilon=self.pick(1e-3, 0.1), center=self.pick(True, False),
            scale=self.pick(True, False)), **({"gamma_regularizer": self.regularizer()} if self.chance(0.1) else {}),
            **({"beta_constraint": spec("NonNeg")} if self.chance(0.1) else {}))  # fmt: skip

    def reshape(self, shape: tuple) -> dict[str, Any]:
        if None in shape:
            return spec("Activation", activation="tanh")
        size = 1
        for d in shape:
            size *= d
        parts = [d for d in range(1, size + 1) if size % d == 0]
        a = self.r.choice(parts)
        b = self.r.choice([d for d in parts if (size // a) % d == 0])
        target = self.pick([size], [a, size // a], [a, b, size // a // b])
        if self.chance(0.5):
            target[self.r.randrange(len(target))] = -1
        return spec("Reshape", target_shape=target)

    def recurrent(self, steps: int | None, cells: bool = False) -> dict[str, Any]:
        r = self.r
        if cells and self.chance(0.3):
            some = [
                spec(r.choice(["SimpleRNNCell", "GRUCell", "LSTMCell"]), units=r.randint(1, 3), **self.activation())
                for _ in range(r.randint(1, 3))
            ]
            config = {"cell": some[0] if len(some) == 1 else some}
            return spec("RNN", **config, **self.walk(steps, state=len(some) == 1))
        name = r.choice(["SimpleRNN", "GRU", "LSTM"])
        config = {"units": r.randint(1, 3), **self.activation(), **self.objects("kernel", "recurrent", "bias")}
        if name != "SimpleRNN":
            config.update(
                self.some(recurrent_activation=self.pick("sigmoid", "hard_sigmoid", "tanh"), implementation=2)
            )
        if name == "GRU" and self.chance(0.3):
            config["reset_after"] = True
        if name == "LSTM" and self.chance(0.3):
            config["unit_forget_bias"] = False
        return spec(name, **config, **self.walk(steps))

    def walk(self, steps: int | None, state: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.chance(0.6):
            found["return_sequences"] = True
        if state and self.chance(0.15):
            found["return_state"] = True
        if self.chance(0.25):
            found["go_backwards"] = True
        if steps and self.chance(0.2):
            found["unroll"] = True
        if self.batch and not self.nested and self.chance(0.7):
            found["stateful"] = True
        return found

    def inner(self, shape: tuple) -> dict[str, Any]:
        """A layer for each step."""
        n = len(shape)
        r = self.r
        if n == 1:
            return self.pick(
                spec("Dense", units=r.randint(1, 3), **self.activation(), **self.objects("kernel", "bias")),
                spec("Activation", activation="softmax"), spec("RepeatVector", n=2),
                {"sequential": [spec("Dense", units=2, input_shape=list(shape)),
                                spec("PReLU") if self.batch else self.batch_norm(1)]},
                spec("PReLU") if self.batch else spec("BatchNormalization"),
            )  # fmt: skip
        if n == 2:
            return self.pick(
                spec("LSTM", units=2), spec("GRU", units=2, return_sequences=True), spec("Flatten"),
                spec("Conv1D", filters=2, kernel_size=2, padding="same"), spec("Dense", units=2),
                spec("MaxPooling1D", pool_size=2, padding="same"), spec("GlobalMaxPooling1D"),
                spec("Bidirectional", layer=spec("SimpleRNN", units=2)),
            )  # fmt: skip
        return self.pick(
            spec("Conv2D", filters=2, kernel_size=2, padding="same", **self.activation()), spec("Flatten"),
            spec("GlobalAveragePooling2D"), spec("Dense", units=2), spec("MaxPooling2D", pool_size=2, padding="same"),
        )  # fmt: skip

    def by_rank(self, shape: tuple) -> list[Any]:
        r, n = self.r, len(shape)
        found = [lambda: spec("Permute", dims=r.sample(range(1, n + 1), n))] if n > 1 else []
        if n > 1 and None not in shape:
            found.append(lambda: spec("Flatten"))
        if n > 1:
            found.append(lambda: spec("TimeDistributed", layer=self.inner(shape[1:])))
            found.append(lambda: spec("Softmax", axis=r.choice([-1, 1, n])))
        if n == 1:
            found += [lambda: spec("RepeatVector", n=r.randint(1, 4)), lambda: spec("Lambda", function="expand")]
        if n == 2:
            found += [
                lambda: spec(
                    "Conv1D",
                    filters=r.randint(1, 3),
                    **self.one_d(self.window(1, True)),
                    **self.activation(),
                    **self.objects("kernel", "bias"),
                ),
                lambda: spec("Conv1D", filters=2, kernel_size=2, padding="causal", **self.some(dilation_rate=2)),
                lambda: spec(
                    "SeparableConv1D",
                    filters=2,
                    **self.one_d(self.window(1)),
                    **self.some(depth_multiplier=2),
                    **self.objects("depthwise", "pointwise", "bias"),
                ),
                lambda: spec(
                    "LocallyConnected1D",
                    filters=2,
                    **self.one_d(self.window(1, valid_only=True)),
                    **self.activation(),
                    **self.objects("kernel", "bias"),
                ),
                lambda: spec(
                    self.pick("MaxPooling1D", "AveragePooling1D"),
                    pool_size=r.randint(1, 3),
                    padding=self.pick("valid", "same"),
                    **self.some(strides=r.randint(1, 3)),
                ),
                lambda: spec(self.pick("GlobalMaxPooling1D", "GlobalAveragePooling1D")),
                lambda: spec("ZeroPadding1D", padding=self.pick(1, [0, 2], [1, 1])),
                lambda: spec("Cropping1D", cropping=self.pick(1, [0, 1], [1, 0])),
                lambda: spec("UpSampling1D", size=r.randint(1, 3)),
                lambda: spec("SpatialDropout1D", rate=self.rate()),
                lambda: spec("Masking", **self.some(mask_value=self.pick(0.0, 0.5))),
                *[lambda: self.recurrent(shape[0], True)] * 6,
                *[
                    lambda: spec(
                        "Bidirectional",
                        layer=self.plain(self.recurrent(shape[0])),
                        **self.some(merge_mode=self.pick("sum", "mul", "ave", "concat", None)),
                    )
                ]
                * 3,
            ]
        if n == 3:
            pairs = lambda: self.pick(1, [1, 0], [[1, 0], [0, 2]])  # noqa: E731
            found += [
                lambda: spec(
                    "Conv2D",
                    filters=r.randint(1, 3),
                    **self.window(2, True),
                    **self.activation(),
                    **self.objects("kernel", "bias"),
                ),
                lambda: spec(
                    "SeparableConv2D",
                    filters=2,
                    **self.same_strides(self.window(2)),
                    **self.some(depth_multiplier=2),
                    **self.objects("depthwise", "pointwise", "bias"),
                ),
                lambda: spec(
                    "DepthwiseConv2D",
                    **self.same_strides(self.window(2)),
                    **self.some(depth_multiplier=2),
                    **self.objects("depthwise", "bias"),
                ),
                lambda: spec("Conv2DTranspose", filters=2, **self.window(2), **self.objects("kernel", "bias")),
                lambda: spec(
                    "LocallyConnected2D", filters=2, **self.window(2, valid_only=True), **self.objects("kernel", "bias")
                ),
                lambda: spec(
                    self.pick("MaxPooling2D", "AveragePooling2D"),
                    pool_size=self.pick(2, [1, 2], [3, 2]),
                    padding=self.pick("valid", "same"),
                    **self.some(strides=self.pick(1, [2, 1], 3)),
                ),
                lambda: spec(self.pick("GlobalMaxPooling2D", "GlobalAveragePooling2D")),
                lambda: spec("ZeroPadding2D", padding=pairs()),
                lambda: spec("Cropping2D", cropping=self.pick(1, [1, 0], [[1, 0], [0, 1]])),
                lambda: spec("UpSampling2D", size=self.pick(2, [1, 2])),
                lambda: spec("SpatialDropout2D", rate=self.rate()),
            ]
        if n == 4:
            found += [
                *[
                    lambda: spec(
                        "ConvLSTM2D",
                        filters=r.randint(1, 2),
                        kernel_size=self.pick(1, 2, [2, 3]),
                        padding=self.pick("same", "valid"),
                        **self.activation(),
                        **self.some(recurrent_activation="sigmoid"),
                        **self.some(strides=2),
                        **self.objects("kernel", "recurrent", "bias"),
                        **self.flags("go_backwards", "return_sequences"),
                    )
                ]
                * 3,
                lambda: spec(
                    "Conv3D",
                    filters=2,
                    kernel_size=self.pick(1, 2, [1, 2, 2]),
                    padding=self.pick("same", "valid"),
                    **self.objects("kernel", "bias"),
                ),
                lambda: spec(
                    "Conv3DTranspose",
                    filters=2,
                    kernel_size=self.pick(1, 2, [1, 2, 2]),
                    padding=self.pick("same", "valid"),
                    **self.some(strides=2),
                ),
                lambda: spec(
                    self.pick("MaxPooling3D", "AveragePooling3D"),
                    pool_size=self.pick(2, [1, 2, 2]),
                    padding=self.pick("valid", "same"),
                ),
                lambda: spec(self.pick("GlobalMaxPooling3D", "GlobalAveragePooling3D")),
                lambda: spec("ZeroPadding3D", padding=self.pick(1, [1, 0, 1])),
                lambda: spec("Cropping3D", cropping=self.pick([0, 1, 1], [[0, 1], [1, 0], [0, 0]])),
                lambda: spec("UpSampling3D", size=self.pick(2, [1, 2, 1])),
                lambda: spec("SpatialDropout3D", rate=self.rate()),
            ]
        return found

    def flags(self, *names: str) -> dict[str, bool]:
        return {name: True for name in names if self.chance(0.4)}

    @staticmethod
    def one_d(config: dict[str, Any]) -> dict[str, Any]:
        return {k: v[0] if isinstance(v, list) else v for k, v in config.items()}

    @staticmethod
    def same_strides(config: dict[str, Any]) -> dict[str, Any]:
        """TensorFlow computes depthwise convolutions with equal strides only."""
        return {k: v[0] if k == "strides" and isinstance(v, list) else v for k, v in config.items()}

    @staticmethod
    def plain(layer: dict[str, Any]) -> dict[str, Any]:
        config = {
            k: v for k, v in layer["config"].items() if k not in ("return_state", "stateful", "activity_regularizer")
        }
        return {**layer, "config": config}
