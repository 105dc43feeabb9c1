"""Draws a case from a seed: a model, how it is compiled, what data it gets, and what is done with it."""

from __future__ import annotations

import random as randomness
from typing import Any

from layer_case import spec

from fuzz.build import Side, pruned
from fuzz.draw_training import Compiling

ACTIVATIONS = [
    "linear", "tanh", "relu", "sigmoid", "softplus", "elu", "selu", "softsign", "hard_sigmoid", "softmax",
]  # fmt: skip


class Refusal(Exception):
    """The framework refused a layer that was drawn."""


class Drawing:
    """One model in the making: each layer is called at once, on kcore, so that shapes are known."""

    def __init__(
        self, r: randomness.Random, side: Side, log: list[Any], batch: int | None, nested: int, test_only: bool
    ):
        self.r, self.side, self.log = r, side, log
        self.batch, self.nested, self.test_only = batch, nested, test_only
        self.tensors: dict[str, Any] = {}
        self.used: set[str] = set()
        self.live: dict[str, Any] = {}
        self.input_shapes: dict[str, list[tuple]] = {}
        self.spec: dict[str, Any] = {"inputs": [], "nodes": [], "layers": {}, "outputs": [], "frozen": []}

    # -- inputs ----------------------------------------------------------------------------------------------
    def input(self, shape: tuple[int | None, ...], kind: str = "float", given: dict | None = None) -> str:
        name = f"in{len(self.spec['inputs'])}_{self.nested}"
        one = {"id": name, "batch_shape": [self.batch, *shape], "kind": kind, **(given or {})}
        self.spec["inputs"].append(one)
        dtype = {"dtype": "int32"} if kind == "ids" else {}
        self.tensors[name] = self.side.keras.layers.Input(batch_shape=(self.batch, *shape), name=name, **dtype)
        return name

    def shape(self, name: str) -> tuple[int | None, ...]:
        return tuple(self.tensors[name]._keras_shape[1:])

    def masked(self, name: str) -> bool:
        return getattr(self.tensors[name], "_keras_mask", None) is not None

    # -- layers ----------------------------------------------------------------------------------------------
    def add(self, described: dict[str, Any], inputs: list[str], states: list[str] = (), key: str | None = None):
        """Call a layer; the names of its outputs, or None where it is refused."""
        fresh = key is None
        if key is None:
            key = f"l{len(self.spec['layers'])}_{self.nested}_{described.get('class_name', 'model').lower()}"
        try:
            if fresh:
                self.live[key] = self.side.layer(described, key)
            outputs = self.side.call(
                self.live[key], [self.tensors[i] for i in inputs], [self.tensors[i] for i in states], described
            )
            names = [f"t{len(self.tensors) + i}_{self.nested}" for i in range(len(outputs))]
            if any(0 in out._keras_shape[1:] for out in outputs):
                raise Refusal("nothing is left")
        except Exception as problem:
            shapes = [self.shape(i) for i in (*inputs, *states)]
            error = f"{type(problem).__module__}.{type(problem).__name__}: {problem!s:.300}"
            self.log.append({"layer": described, "shapes": shapes, "error": error})
            if fresh:
                self.live.pop(key, None)
            return None
        self.tensors.update(zip(names, outputs))
        if fresh:
            self.spec["layers"][key] = described
        node = {"layer": key, "inputs": list(inputs), "outputs": names}
        if states:
            node["states"] = list(states)
        self.spec["nodes"].append(node)
        self.used |= {*inputs, *states}
        self.input_shapes.setdefault(key, []).append(tuple(self.shape(i) for i in inputs))
        return names

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

    # -- steps -----------------------------------------------------------------------------------------------
    def step(self) -> None:
        r = self.r
        unused = [t for t in self.tensors if t not in self.used]
        name = r.choice(unused) if unused and self.chance(0.7) else r.choice(list(self.tensors))
        if "int" in str(self.tensors[name].dtype):
            if len(self.shape(name)) in (1, 2):
                self.add(
                    spec(
                        "Embedding",
                        input_dim=7,
                        output_dim=r.randint(1, 4),
                        **self.flags("mask_zero"),
                        **self.objects("embeddings"),
                    ),
                    [name],
                )
            return
        shape = self.shape(name)
        if len(shape) == 0:
            return
        what = r.random()
        if what < 0.12 and self.merge(name):
            return
        if what < 0.2 and self.share(name):
            return
        if what < 0.26 and self.nested < 2 and not self.masked(name) and self.nest(name):
            return
        if what < 0.32 and self.with_state(name):
            return
        makers = self.by_rank(shape) * 2 + self.any_rank(shape)
        if self.masked(name) and self.chance(0.7):
            makers = (
                [
                    lambda: self.recurrent(shape[0], True),
                    lambda: spec(
                        "Bidirectional",
                        layer=self.plain(self.recurrent(shape[0])),
                        **self.some(merge_mode=self.pick("sum", "mul", "ave", "concat", None)),
                    ),
                    lambda: spec("TimeDistributed", layer=self.inner(shape[1:])),
                    lambda: spec("Dense", units=2),
                    lambda: self.batch_norm(len(shape)),
                    lambda: spec("Dropout", rate=self.rate()),
                    lambda: spec("Activation", activation="tanh"),
                ]
                if len(shape) == 2
                else makers
            )
        self.add(r.choice(makers)(), [name])

    def float_tensors(self) -> list[str]:
        return [t for t in self.tensors if "float" in str(self.tensors[t].dtype)]

    def merge(self, name: str) -> bool:
        r, shape = self.r, self.shape(name)
        same = [t for t in self.float_tensors() if self.shape(t) == shape]
        alike = [
            t
            for t in self.float_tensors()
            if len(self.shape(t)) == len(shape) and all(a == b or 1 in (a, b) for a, b in zip(self.shape(t), shape))
        ]
        kind = r.random()
        if kind < 0.55:
            others = r.choices(same if self.chance(0.7) else alike, k=r.randint(1, 2))
            op = self.pick("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract")
            return bool(self.add(spec(op), [name, *(others[:1] if op == "Subtract" else others)]))
        if kind < 0.85:
            axis = r.randint(1, len(shape))
            fit = [
                t
                for t in self.float_tensors()
                if len(self.shape(t)) == len(shape)
                and all(a == b for i, (a, b) in enumerate(zip(self.shape(t), shape)) if i != axis - 1)
            ]
            axis = axis if self.chance(0.5) else axis - len(shape) - 1
            return bool(self.add(spec("Concatenate", axis=axis), [name, *r.choices(fit, k=r.randint(1, 2))]))
        other = r.choice(self.float_tensors())
        theirs = self.shape(other)
        axes = [(i + 1, j + 1) for i, a in enumerate(shape) for j, b in enumerate(theirs) if a == b and a is not None]
        if not axes or len(shape) > 2 or len(theirs) > 2:
            return False
        return bool(self.add(spec("Dot", axes=list(r.choice(axes)), **self.flags("normalize")), [name, other]))

    def share(self, name: str) -> bool:
        if self.masked(name):
            return False
        keys = [
            k
            for k, shapes in self.input_shapes.items()
            if (self.shape(name),) in shapes and not self.spec["layers"][k].get("config", {}).get("stateful")
        ]
        keys = [k for k in keys if "states" not in next(n for n in self.spec["nodes"] if n["layer"] == k)]
        if not keys:
            return False
        key = self.r.choice(keys)
        return bool(self.add(self.spec["layers"][key], [name], key=key))

    def nest(self, name: str) -> bool:
        """A model in the model, called on a tensor, or on two."""
        if None in self.shape(name) or "float" not in str(self.tensors[name].dtype):
            return False
        inner = Drawing(self.r, self.side, self.log, None, self.nested + 1, self.test_only)
        names = [name]
        inner.input(self.shape(name))
        if self.chance(0.3):
            other = self.r.choice(self.float_tensors())
            if None not in self.shape(other) and not self.masked(other):
                inner.input(self.shape(other))
                names.append(other)
        for _ in range(self.r.randint(1, 4)):
            inner.step()
        inner.finish(self.r.randint(1, 2))
        made = pruned(inner.spec)
        if len(made["inputs"]) != len(names) or not made["nodes"]:
            return False
        return bool(self.add({"model": made}, names))

    def with_state(self, name: str) -> bool:
        """A recurrent layer that begins with states made from another tensor."""
        shape = self.shape(name)
        flat = [t for t in self.float_tensors() if len(self.shape(t)) == 1 and self.shape(t)[0] is not None]
        if len(shape) != 2 or not flat or self.masked(name):
            return False
        layer = self.recurrent(shape[0])
        if layer["config"].get("stateful"):
            return False
        units = layer["config"]["units"]
        states = []
        for _ in range(2 if layer["class_name"] == "LSTM" else 1):
            made = self.add(spec("Dense", units=units, activation="tanh"), [self.r.choice(flat)])
            if not made:
                return False
            states += made
        return bool(self.add(layer, [name], states))

    def finish(self, count: int) -> None:
        leaves = [t for t in self.float_tensors() if t not in self.used and self.shape(t)]
        made = {o for node in self.spec["nodes"] for o in node["outputs"]}
        leaves = [t for t in leaves if t in made] or [t for t in self.float_tensors() if t in made]
        self.spec["outputs"] = self.r.sample(leaves, min(count, len(leaves)))
        self.spec["frozen"] = [k for k in self.spec["layers"] if self.chance(0.06)]


def draw(seed: int, side: Side, log: list[Any]) -> dict[str, Any] | None:
    """A case; None where nothing came of the seed."""
    r = randomness.Random(seed)
    stateful = r.random() < 0.12
    batch = r.randint(1, 3) if stateful else None
    test_only = r.random() < 0.15
    drawing = Drawing(r, side, log, batch, 0, test_only)
    for _ in range(r.choice([1, 1, 1, 2, 2, 3])):
        rank = r.choice([1, 1, 2, 2, 2, 3, 3, 4])
        if r.random() < 0.2:
            drawing.input((r.choice([1, 4]) if r.random() < 0.7 else None,), "ids")
            continue
        shape = [r.randint(1, 4) for _ in range(rank - 1)] + [r.randint(1, 3)]
        if rank >= 2:
            shape[0] = r.randint(2, 6)
        if rank >= 3:
            shape[1] = r.randint(2, 6)
        if rank == 2 and r.random() < 0.2:
            shape[0] = None
        drawing.input(tuple(shape))
    for _ in range(r.randint(2, 12)):
        drawing.step()
    if not drawing.float_tensors() or not drawing.spec["nodes"]:
        return None
    drawing.finish(r.choice([1, 1, 1, 2, 2, 3]))
    if not drawing.spec["outputs"]:
        return None
    training = Compiling(drawing).drawn()
    case = {**pruned(drawing.spec), "seed": seed, "batch": batch, "test_only": test_only, **training}
    if not case["inputs"]:
        return None
    return case
