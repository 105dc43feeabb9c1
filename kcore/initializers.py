"""Initializers: how the weights of a layer start (manual chapter 15).

An initializer is called with a shape and a dtype and returns a tensor. The tensor is symbolic: nothing is
drawn or filled before the variable that it initializes is first read, so that a model whose weights are
loaded from a file never pays for random numbers.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from kcore import backend as K
from kcore.errors import ShapeError
from kcore.graph import Tensor
from kcore.ops.creation import full
from kcore.ops.linalg import orthonormal_columns
from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object
from kcore.shapes import real_number

Shape = Sequence[int]

__getattr__, __dir__ = open_door(__name__, "initializers")


class Initializer:
    """Base of all initializers. A subclass defines `__call__` and, where it has arguments, `get_config`."""

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        """The initial values of a weight.

        Args:
            shape: of the weight, ints; kernels have the form `(*window, inputs, outputs)`.
            dtype: of the weight; None: `K.floatx()`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(shape, dtype)")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """An initializer made from what `get_config` returned."""
        return cls(**{name: value for name, value in config.items() if name != "dtype"})


class Zeros(Initializer):
    """All elements 0."""

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        return full(tuple(shape), 0.0, dtype or K.floatx())


class Ones(Initializer):
    """All elements 1."""

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        return full(tuple(shape), 1.0, dtype or K.floatx())


class Constant(Initializer):
    """All elements of one value.

    Args:
        value: a number, or an array with as many elements as the weight.
    """

    def __init__(self, value: Any = 0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        if isinstance(self.value, numbers.Real):
            return full(tuple(shape), float(self.value), dtype or K.floatx())
        return K.constant(self.value, shape=tuple(shape), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class RandomNormal(Initializer):
    """Normally distributed elements.

    Args:
        mean: mean of the distribution.
        stddev: its standard deviation, float >= 0.
        seed: int; None draws one from `np.random`, so that `np.random.seed` makes weights repeatable.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = real_number(mean, "mean", type(self).__name__)
        self.stddev = real_number(stddev, "stddev", type(self).__name__, least=0)
        self.seed = seed

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        return K.random_normal(tuple(shape), self.mean, self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class RandomUniform(Initializer):
    """Uniformly distributed elements.

    Args:
        minval: lower end of the range.
        maxval: upper end of the range, not itself in it.
        seed: int; None draws one from `np.random`.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval = real_number(minval, "minval", type(self).__name__)
        self.maxval = real_number(maxval, "maxval", type(self).__name__)
        self.seed = seed

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        return K.random_uniform(tuple(shape), self.minval, self.maxval, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class TruncatedNormal(Initializer):
    """Normally distributed elements, those beyond two standard deviations drawn anew.

    Args:
        mean: mean of the distribution.
        stddev: standard deviation before the ends are cut off, float >= 0; 0.88 of it is left.
        seed: int; None draws one from `np.random`.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = real_number(mean, "mean", type(self).__name__)
        self.stddev = real_number(stddev, "stddev", type(self).__name__, least=0)
        self.seed = seed

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        return K.truncated_normal(tuple(shape), self.mean, self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class VarianceScaling(Initializer):
    """Random elements whose scale follows from the shape of the weight.

    With `n` the number of inputs of a unit ("fan_in"), of outputs ("fan_out") or the mean of both
    ("fan_avg"): a normal distribution of standard deviation `sqrt(scale / n)` cut off at two of them, or a
    uniform one from `-limit` to `limit = sqrt(3 * scale / n)`.

    Args:
        scale: float > 0.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "normal" or "uniform".
        seed: int; None draws one from `np.random`.

    Raises:
        ValueError: an argument is none of these.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "normal",
        seed: int | None = None,
    ) -> None:
        if not real_number(scale, "scale", type(self).__name__) > 0:
            raise ValueError(f"scale is {scale!r}, expected a float above 0")
        self.scale = scale
        self.mode = _one_of(mode, "mode", ("fan_in", "fan_out", "fan_avg"))
        # Later versions of Keras write "truncated_normal" for the same thing.
        same = "normal" if str(distribution).lower() == "truncated_normal" else distribution
        self.distribution = _one_of(same, "distribution", ("normal", "uniform"))
        self.seed = seed

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        shape = tuple(shape)
        fan_in, fan_out = compute_fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "normal":
            return K.truncated_normal(shape, 0.0, math.sqrt(variance), dtype=dtype, seed=self.seed)
        limit = math.sqrt(3.0 * variance)
        return K.random_uniform(shape, -limit, limit, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
        }


class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns, whichever are fewer.

    A kernel of more than two dimensions is taken as a matrix with its last dimension as columns.

    A. Saxe, J. McClelland and S. Ganguli, *Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks*, arXiv:1312.6120, 2013.

    Args:
        gain: factor for all elements.
        seed: int; None draws one from `np.random`.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = real_number(gain, "gain", type(self).__name__)
        self.seed = seed

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        shape = tuple(shape)
        if len(shape) < 2:
            raise ShapeError(
                f"the orthogonal initializer needs at least two dimensions, got the shape {shape}",
                shapes=(shape,),
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        matrix = orthonormal_columns(K.random_normal(tall, dtype=dtype, seed=self.seed))
        matrix = matrix if tall == (rows, columns) else K.transpose(matrix)
        return self.gain * K.reshape(matrix, shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}


class Identity(Initializer):
    """The identity matrix, for square matrices only.

    Args:
        gain: factor for all elements.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = real_number(gain, "gain", type(self).__name__)

    def __call__(self, shape: Shape, dtype: str | None = None) -> Tensor:
        shape = tuple(shape)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ShapeError(
                f"the identity initializer can only be used for 2D square matrices, got the shape {shape}",
                shapes=(shape,),
            )
        return self.gain * K.eye(shape[0], dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform from `-limit` to `limit = sqrt(3 / fan_in)`. Y. LeCun et al., *Efficient BackProp*, 1998.

    Args:
        seed: int; by default drawn from NumPy's global generator.
    """
    return VarianceScaling(scale=1.0, mode="fan_in", distribution="uniform", seed=seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of standard deviation `sqrt(1 / fan_in)`, for SELU networks; `seed` as in `lecun_uniform`.

    Y. LeCun et al., *Efficient BackProp*, 1998; G. Klambauer et al., *Self-Normalizing Neural Networks*,
    2017.
    """
    return VarianceScaling(scale=1.0, mode="fan_in", distribution="normal", seed=seed)


def glorot_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform from `-limit` to `limit = sqrt(6 / (fan_in + fan_out))`; `seed` as in `lecun_uniform`.

    X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, 2010.
    """
    return VarianceScaling(scale=1.0, mode="fan_avg", distribution="uniform", seed=seed)


def glorot_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of standard deviation `sqrt(2 / (fan_in + fan_out))`; `seed` as in `lecun_uniform`.

    X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, 2010.
    """
    return VarianceScaling(scale=1.0, mode="fan_avg", distribution="normal", seed=seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform from `-limit` to `limit = sqrt(6 / fan_in)`; `seed` as in `lecun_uniform`.

    K. He et al., *Delving deep into rectifiers*, arXiv:1502.01852, 2015.
    """
    return VarianceScaling(scale=2.0, mode="fan_in", distribution="uniform", seed=seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal of standard deviation `sqrt(2 / fan_in)`; `seed` as in `lecun_uniform`.

    K. He et al., *Delving deep into rectifiers*, arXiv:1502.01852, 2015.
    """
    return VarianceScaling(scale=2.0, mode="fan_in", distribution="normal", seed=seed)


zero = zeros = Zeros
one = ones = Ones
constant = Constant
uniform = random_uniform = RandomUniform
normal = random_normal = RandomNormal
truncated_normal = TruncatedNormal
identity = Identity
orthogonal = Orthogonal


def compute_fans(shape: Shape) -> tuple[float, float]:
    """How many inputs reach one output of a kernel, and how many outputs one input.

    Args:
        shape: `(inputs, outputs)`, or `(*window, inputs, outputs)` for convolutions. Where a shape has no
            such meaning (a vector), both are the square root of the number of elements.
    """
    if len(shape) < 2:
        root = math.sqrt(math.prod(shape))
        return root, root
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def serialize(initializer: Any) -> Any:
    """The initializer as `{"class_name": ..., "config": ...}`; a function as its name."""
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Makes an initializer from its configuration.

    Args:
        config: dictionary with 'class_name' and 'config'.
        custom_objects: name to class or function, for what is not installed as a plugin.
    """
    return deserialize_keras_object(config, registry.mapping("initializers"), custom_objects, "initializer")


def get(identifier: Any) -> Any:
    """The initializer that an argument such as `kernel_initializer` stands for.

    Args:
        identifier: a name ('glorot_uniform': default arguments), a configuration, or a callable
            `(shape, dtype=None) -> tensor`.

    Raises:
        ValueError: none of these, or nobody has the name.
    """
    return interpret("initializers", identifier, instance=True)


def _one_of(value: Any, argument: str, choices: tuple[str, ...]) -> str:
    normalized = value.lower() if isinstance(value, str) else value
    if normalized not in choices:
        raise ValueError(f"{argument} is {value!r}, expected one of {', '.join(map(repr, choices))}")
    return normalized
