"""Random tensors from a counter-based generator.

Bits come from Philox 4x64 with the stream's seed as key and its count of blocks as counter, so that a
seed gives the same bits on every device. A stream belongs to one node: two drop-outs never merge, and the
count goes on from call to call, through every plan that the node becomes part of.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, decode_shape, encode_shape, register

WORDS_PER_BLOCK = 4  # Philox 4x64: one step of the counter gives four 64-bit words


class RandomStream:
    """A sequence of random bits: a seed, and how many blocks of it have been used."""

    __slots__ = ("__weakref__", "_lock", "counter", "seed")

    def __init__(self, seed: int):
        self.seed = int(seed)
        self.counter = 0
        self._lock = threading.Lock()

    def take(self, words: int) -> int:
        """Reserve `words` 64-bit words; return the number of the first block."""
        blocks = -(-words // WORDS_PER_BLOCK)
        with self._lock:
            start = self.counter
            self.counter += blocks
        return start

    def __repr__(self) -> str:
        return f"RandomStream(seed={self.seed}, counter={self.counter})"


class _Random(Op):
    pure = False
    dims = "shape"
    differentiable = False

    def infer(self, *extra: Spec, shape: tuple[int, ...], dtype: str, **attrs: Any) -> Spec:  # type: ignore[override]
        return Spec(decode_shape(shape), dtype)

    def vjp(self, node: Node, *grads: Tensor | None) -> Sequence[None]:
        return [None] * len(node.inputs)

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        out, stream = outs[0], attrs["stream"]
        words = self.words(out.size, attrs)

        def run() -> None:
            if words:
                self.fill(ctx.xp, out, ctx.random_bits(stream, words), attrs)

        return run

    def words(self, size: int, attrs: dict[str, Any]) -> int:
        """How many 64-bit words `size` elements take."""
        raise NotImplementedError

    def fill(self, xp: Any, out: Any, bits: Any, attrs: dict[str, Any]) -> None:
        """Turn `bits` (1-D uint64) into the elements of `out`."""
        raise NotImplementedError


def _unit(xp: Any, bits: Any, size: int, dtype: str, out: Any = None) -> Any:
    """Uniform numbers in [0, 1): 24 bits of each 32-bit half for float16 and float32, 53 bits for float64."""
    if dtype == "float64":
        return xp.multiply(bits[:size] >> 11, 2.0**-53, out=out)
    halves = bits.view("uint32")[:size] >> xp.uint32(8)
    return xp.multiply(halves.astype("float32"), xp.float32(2.0**-24), out=out)


@register
class RandomUniform(_Random):
    """Uniform numbers in [low, high); integers too."""

    name = "random_uniform"

    def words(self, size: int, attrs: dict[str, Any]) -> int:
        return size if attrs["dtype"] in ("float64", "int64") else -(-size // 2)

    def fill(self, xp: Any, out: Any, bits: Any, attrs: dict[str, Any]) -> None:
        low, high, dtype = attrs["low"], attrs["high"], attrs["dtype"]
        unit = _unit(xp, bits, out.size, "float64" if dtype in ("float64", "int64") else "float32").reshape(out.shape)
        if dtype.startswith("float"):
            unit *= high - low
            unit += low
            out[...] = unit
        else:
            out[...] = xp.floor(unit * (high - low) + low)


@register
class RandomNormal(_Random):
    """Normal numbers (Box-Muller); `truncated`: only those within two standard deviations, by the inverse
    of the distribution function on a narrowed interval, so that each element takes the same number of bits."""

    name = "random_normal"

    def words(self, size: int, attrs: dict[str, Any]) -> int:
        if attrs["truncated"] or attrs["dtype"] == "float64":
            return size + size % 2
        return -(-(size + size % 2) // 2)

    def fill(self, xp: Any, out: Any, bits: Any, attrs: dict[str, Any]) -> None:
        if attrs["truncated"]:
            values = _truncated(xp, _unit(xp, bits, out.size, "float64"))
        else:
            values = _box_muller(xp, bits, out.size, attrs["dtype"])
        values *= attrs["stddev"]
        values += attrs["mean"]
        out[...] = values.reshape(out.shape)


def _box_muller(xp: Any, bits: Any, size: int, dtype: str) -> Any:
    half = -(-size // 2)
    unit = _unit(xp, bits, 2 * half, dtype)
    radius = xp.sqrt(-2.0 * xp.log1p(-unit[:half]))  # 1 - u lies in (0, 1], so the logarithm is finite
    angle = unit[half:] * unit.dtype.type(2 * math.pi)
    return xp.concatenate([radius * xp.cos(angle), radius * xp.sin(angle)])[:size]


_P_LOW = 0.5 * math.erfc(math.sqrt(2.0))  # probability below -2 of a standard normal
_A = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_B = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
)


def _truncated(xp: Any, unit: Any) -> Any:
    """Quantiles of the normal distribution cut at two standard deviations.

    Acklam's rational approximation (relative error below 1.2e-9) in its central region, which contains the
    cut interval: probabilities from 0.0228 to 0.9772 against the region's 0.02425 to 0.97575, hence the clip.
    """
    p = unit * (1.0 - 2.0 * _P_LOW) + _P_LOW
    q = p - 0.5
    r = q * q
    numerator = ((((_A[0] * r + _A[1]) * r + _A[2]) * r + _A[3]) * r + _A[4]) * r + _A[5]
    denominator = ((((_B[0] * r + _B[1]) * r + _B[2]) * r + _B[3]) * r + _B[4]) * r + 1.0
    return xp.clip(q * numerator / denominator, -2.0, 2.0)


@register
class RandomMask(_Random):
    """`value` with probability `keep`, else 0: the mask of a drop-out. 16 bits decide an element, so
    `keep` is met to within 1/131072."""

    name = "random_mask"

    def words(self, size: int, attrs: dict[str, Any]) -> int:
        return -(-size // 4)

    def fill(self, xp: Any, out: Any, bits: Any, attrs: dict[str, Any]) -> None:
        threshold = round(attrs["keep"] * 65536)
        chosen = bits.view("uint16")[: out.size].reshape(out.shape) < threshold
        xp.multiply(chosen, out.dtype.type(attrs["value"]), out=out)


def random_tensor(op: str, shape: Any, seed: int, dtype: str, **attrs: Any) -> Tensor:
    """A node of one of the operations above, with a stream of its own.

    Args:
        op: "random_uniform" (low, high), "random_normal" (mean, stddev, truncated) or "random_mask" (keep, value).
        shape: ints or scalar tensors.
        seed: two streams of one seed give the same numbers.
        dtype: of the elements.
    """
    dims, extra = encode_shape(shape)
    if -1 in dims:
        raise ShapeError(f"a random tensor needs a complete shape, got {shape!r}; use K.shape(x) for unknown parts")
    return apply(op, *extra, shape=dims, dtype=dtype, stream=RandomStream(seed), **attrs)
