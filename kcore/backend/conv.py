"""Convolution and pooling (manual, chapter 14). Operations are channels last; the other format is transposed.

Padding is that of Keras on TensorFlow: "valid" adds nothing; "same" gives ``ceil(length / stride)`` positions and puts
an odd element behind; "causal" (1-D) pads in front only, so that no output sees a later input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from kcore import ops as O
from kcore.errors import ArgumentError, ShapeError
from kcore.graph import Tensor, apply, as_tensors, encode_shape
from kcore.ops import conv as _conv_ops  # noqa: F401 - registers the operations
from kcore.ops import depthwise as _depthwise_ops  # noqa: F401
from kcore.ops import pool as _pool_ops  # noqa: F401
from kcore.ops.common import as_tensor as _tensor
from kcore.shapes import explicit_padding, normalize_data_format, normalize_padding, normalize_tuple

__all__ = [
    "conv1d",
    "conv2d",
    "conv2d_transpose",
    "conv3d",
    "conv3d_transpose",
    "depthwise_conv2d",
    "local_conv1d",
    "local_conv2d",
    "pool1d",
    "pool2d",
    "pool3d",
    "separable_conv1d",
    "separable_conv2d",
]


# -- convolution ------------------------------------------------------------------------------------------


def conv1d(
    x: Any,
    kernel: Any,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Tensor:
    """Convolution over time.

    Args:
        x: ``(batch, steps, channels)``, or ``(batch, channels, steps)`` with "channels_first".
        kernel: ``(size, channels, filters)``.
        strides: a positive int.
        padding: "valid", "same" or "causal".
        data_format: "channels_last" or "channels_first"; by default the configured one.
        dilation_rate: distance of neighbouring taps, a positive int.

    Returns:
        ``(batch, new steps, filters)``, or ``(batch, filters, new steps)``.

    Raises:
        ShapeError: ranks or channels do not fit, or the kernel is larger than the input.
        ValueError: an unknown padding or data format.
    """
    return _convolve("conv1d", "conv", 1, x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """Convolution over images.

    Args:
        x: ``(batch, rows, cols, channels)``, or ``(batch, channels, rows, cols)`` with "channels_first".
        kernel: ``(kernel rows, kernel cols, channels, filters)``.
        strides, dilation_rate: an int, or a pair of ints.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; by default the configured one.

    Returns:
        ``(batch, new rows, new cols, filters)``, or ``(batch, filters, new rows, new cols)``.

    Raises:
        ShapeError: ranks or channels do not fit, or the kernel is larger than the input.
        ValueError: an unknown padding or data format.
    """
    return _convolve("conv2d", "conv", 2, x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1, 1),
) -> Tensor:
    """Convolution over volumes; see `conv2d`. The kernel is ``(size 1, size 2, size 3, channels, filters)``."""
    return _convolve("conv3d", "conv", 3, x, kernel, strides, padding, data_format, dilation_rate)


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """Convolution of each channel with kernels of its own.

    Args:
        x: as in `conv2d`.
        depthwise_kernel: ``(kernel rows, kernel cols, channels, multiplier)``.
        strides, padding, data_format, dilation_rate: as in `conv2d`.

    Returns:
        ``channels * multiplier`` channels: those of input channel 0 first.
    """
    name = "depthwise_conv2d"
    return _convolve(name, "depthwise_conv", 2, x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def separable_conv1d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:
    """A depthwise convolution over time, then a 1x1 convolution that mixes the channels.

    Args:
        x: as in `conv1d`.
        depthwise_kernel: ``(size, channels, multiplier)``.
        pointwise_kernel: ``(1, channels * multiplier, filters)``.
        strides, dilation_rate: of the depthwise part; an int or a tuple of one.
        padding, data_format: as in `conv1d`.
    """
    return _separable(
        "separable_conv1d", 1, x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate
    )


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Tensor:
    """A depthwise convolution over images, then a 1x1 convolution that mixes the channels.

    Args:
        x: as in `conv2d`.
        depthwise_kernel: ``(kernel rows, kernel cols, channels, multiplier)``.
        pointwise_kernel: ``(1, 1, channels * multiplier, filters)``.
        strides, dilation_rate: of the depthwise part; an int or a pair.
        padding, data_format: as in `conv2d`.
    """
    return _separable(
        "separable_conv2d", 2, x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate
    )


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Transposed convolution over images: what `conv2d` with this kernel does to gradients.

    Args:
        x: ``(batch, rows, cols, channels)``, or ``(batch, channels, rows, cols)`` with "channels_first".
        kernel: ``(kernel rows, kernel cols, filters, channels)``: filters before channels.
        output_shape: the whole shape of the result in the same format; ints, scalar tensors, or a 1-D tensor.
        strides: an int, or a pair of ints.
        padding: "valid" or "same", of the convolution that leads from the result back to `x`.
        data_format: "channels_last" or "channels_first"; by default the configured one.

    Raises:
        ShapeError: `output_shape` is not one that the convolution leads back from, or ranks or channels do not fit.
    """
    return _transposed("conv2d_transpose", 2, x, kernel, output_shape, strides, padding, data_format)


def conv3d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Transposed convolution over volumes; see `conv2d_transpose`."""
    return _transposed("conv3d_transpose", 3, x, kernel, output_shape, strides, padding, data_format)


def _convolve(
    function: str, op: str, rank: int, x: Any, kernel: Any, strides: Any, padding: str, data_format: Any, dilation: Any
) -> Tensor:
    x, kernel = as_tensors((x, kernel))
    _require_ndim(function, "x", x, rank + 2)
    _require_ndim(function, "the kernel", kernel, rank + 2)
    size, steps = kernel.shape[:-2], normalize_tuple(dilation, rank, "dilation_rate")
    attrs = {"strides": normalize_tuple(strides, rank, "strides"), "dilation": steps}

    def run(last: Tensor) -> Tensor:
        return apply(op, last, kernel, padding=_padding(function, padding, last, size, attrs), **attrs)

    return _channels_last(x, data_format, run)


def _separable(
    function: str,
    rank: int,
    x: Any,
    depthwise: Any,
    pointwise: Any,
    strides: Any,
    padding: str,
    data_format: Any,
    dilation: Any,
) -> Tensor:
    x, depthwise, pointwise = as_tensors((x, depthwise, pointwise))
    _require_ndim(function, "the pointwise kernel", pointwise, rank + 2)
    if any(n != 1 for n in pointwise.shape[:rank]):
        raise ShapeError(
            f"{function}: the pointwise kernel must have size 1 in space, got {pointwise.spec}",
            shapes=(x.shape, pointwise.shape),
        )
    middle = _convolve(function, "depthwise_conv", rank, x, depthwise, strides, padding, data_format, dilation)
    return _convolve(function, "conv", rank, middle, pointwise, 1, "valid", data_format, 1)


def _transposed(
    function: str, rank: int, x: Any, kernel: Any, output_shape: Any, strides: Any, padding: str, data_format: Any
) -> Tensor:
    x, kernel = as_tensors((x, kernel))
    _require_ndim(function, "x", x, rank + 2)
    _require_ndim(function, "the kernel", kernel, rank + 2)
    shape = output_shape
    if isinstance(shape, Tensor):
        shape = [shape[i] for i in range(rank + 2)]
    shape = list(shape)
    if len(shape) != rank + 2:
        raise ShapeError(f"{function}: output_shape must have {rank + 2} entries like {x.spec}, got {output_shape!r}")
    channels_last = normalize_data_format(data_format) == "channels_last"
    filters = shape[-1] if channels_last else shape[1]
    if isinstance(filters, int) and kernel.shape[-2] not in (None, filters):
        raise ShapeError(
            f"{function}: output_shape {tuple(shape)} has {filters} channels, but the kernel {kernel.spec} makes "
            f"{kernel.shape[-2]} (its last dimension but one)",
            shapes=(tuple(shape), kernel.shape),
        )
    spatial, extra = encode_shape(shape[1:-1] if channels_last else shape[2:])
    lengths = tuple(n if n >= 0 else None for n in spatial)
    attrs = {"strides": normalize_tuple(strides, rank, "strides"), "dilation": (1,) * rank}
    name = _padding_name(function, padding, rank)
    pairs = explicit_padding(name, lengths, kernel.shape[:-2], **attrs)  # type: ignore[arg-type]

    def run(last: Tensor) -> Tensor:
        return apply("conv_input_grad", last, kernel, *extra, spatial=spatial, padding=pairs, **attrs)

    return _channels_last(x, data_format, run)


# -- convolution with a kernel for each position --------------------------------------------------------------


def local_conv1d(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None = None) -> Tensor:
    """Convolution over time with a kernel of its own for each output step; no padding.

    Args:
        inputs: ``(batch, steps, channels)``, or ``(batch, channels, steps)`` with "channels_first".
        kernel: ``(output steps, size * channels, filters)``; with "channels_first" the middle dimension runs over
            channels first, then over the window.
        kernel_size, strides: an int, or a tuple of one.
        data_format: "channels_last" or "channels_first"; by default the configured one.

    Returns:
        ``(batch, output steps, filters)``, or ``(batch, filters, output steps)``.
    """
    return _local("local_conv1d", 1, inputs, kernel, kernel_size, strides, (_tensor(kernel).shape[0],), data_format)


def local_conv2d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, output_shape: Any, data_format: str | None = None
) -> Tensor:
    """Convolution over images with a kernel of its own for each output position; no padding.

    Args:
        inputs: ``(batch, rows, cols, channels)``, or ``(batch, channels, rows, cols)`` with "channels_first".
        kernel: ``(output rows * output cols, kernel rows * kernel cols * channels, filters)``; with
            "channels_first" the middle dimension runs over channels first, then over the window.
        kernel_size, strides: an int, or a pair of ints.
        output_shape: ``(output rows, output cols)``.
        data_format: "channels_last" or "channels_first"; by default the configured one.

    Returns:
        ``(batch, output rows, output cols, filters)``, or ``(batch, filters, output rows, output cols)``.
    """
    return _local("local_conv2d", 2, inputs, kernel, kernel_size, strides, tuple(output_shape), data_format)


def _local(
    function: str, rank: int, x: Any, kernel: Any, size: Any, strides: Any, positions: Sequence[Any], data_format: Any
) -> Tensor:
    x, kernel = as_tensors((x, kernel))
    _require_ndim(function, "inputs", x, rank + 2)
    _require_ndim(function, "the kernel", kernel, 3)
    size, strides = normalize_tuple(size, rank, "kernel_size"), normalize_tuple(strides, rank, "strides")
    channels_last = normalize_data_format(data_format) == "channels_last"
    last = x if channels_last else _to_last(x)
    _check_local(function, last, kernel, size, strides, positions)
    taps: list[Tensor] = []
    for tap in itertools.product(*map(range, size)):
        where = [slice(t, t + (n - 1) * s + 1, s) for t, n, s in zip(tap, positions, strides, strict=True)]
        taps.append(last[(slice(None), *where)])
    count = kernel.shape[0]
    # (batch, *positions, taps, channels), with channels first in front of taps: the order in the kernel
    patches = O.stack(taps, axis=-2 if channels_last else -1)
    patches = O.reshape(patches, (-1, count, kernel.shape[1]))
    product = O.matmul(O.transpose(patches, (1, 0, 2)), kernel)  # one matrix product for each position
    y = O.reshape(O.transpose(product, (1, 0, 2)), (-1, *positions, kernel.shape[2]))
    return y if channels_last else _to_first(y)


def _check_local(
    function: str, x: Tensor, kernel: Tensor, size: Sequence[int], strides: Sequence[int], positions: Sequence[Any]
) -> None:
    count, features, _ = kernel.shape
    expected = math.prod(positions)
    if count != expected:
        raise ShapeError(
            f"{function}: the kernel {kernel.spec} has {count} positions, output_shape {tuple(positions)} {expected}",
            shapes=(kernel.shape, tuple(positions)),
        )
    window = math.prod(size)
    channels = x.shape[-1]
    if channels is None or features != window * channels:
        raise ShapeError(
            f"{function}: a window {tuple(size)} of the input {x.spec} (channels last) has {window} * {channels} "
            f"elements, the kernel {kernel.spec} {features}",
            shapes=(x.shape, kernel.shape),
        )
    for length, n, k, s in zip(x.shape[1:-1], positions, size, strides, strict=True):
        if length is not None and (n - 1) * s + k > length:
            raise ShapeError(
                f"{function}: {tuple(positions)} windows {tuple(size)} with strides {tuple(strides)} do not fit into "
                f"the input {x.spec} (channels last); kernel {kernel.spec}",
                shapes=(x.shape, kernel.shape),
            )


# -- pooling ----------------------------------------------------------------------------------------------


def pool1d(
    x: Any,
    pool_size: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """Pooling over time: ``(batch, steps, channels)``; see `pool2d`."""
    return _pool("pool1d", 1, x, pool_size, strides, padding, data_format, pool_mode)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """Pooling over images.

    Args:
        x: ``(batch, rows, cols, channels)``, or ``(batch, channels, rows, cols)`` with "channels_first".
        pool_size: the window, an int or a pair of ints.
        strides: an int, or a pair of ints.
        padding: "valid" or "same"; padding is never the maximum and does not count in the mean.
        data_format: "channels_last" or "channels_first"; by default the configured one.
        pool_mode: "max" or "avg".

    Raises:
        ShapeError: a wrong rank, or a window larger than the input.
        ValueError: an unknown padding, data format or pool mode.
    """
    return _pool("pool2d", 2, x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """Pooling over volumes; see `pool2d`."""
    return _pool("pool3d", 3, x, pool_size, strides, padding, data_format, pool_mode)


def _pool(
    function: str, rank: int, x: Any, size: Any, strides: Any, padding: str, data_format: Any, pool_mode: Any
) -> Tensor:
    if pool_mode not in ("max", "avg"):
        raise ArgumentError(f'{function}: pool_mode must be "max" or "avg", got {pool_mode!r}')
    x = _tensor(x)
    _require_ndim(function, "x", x, rank + 2)
    pool = normalize_tuple(size, rank, "pool_size")
    attrs = {"strides": normalize_tuple(strides, rank, "strides")}
    if padding == "causal":
        raise ArgumentError(f'{function}: padding must be "valid" or "same", got {padding!r}')

    def run(last: Tensor) -> Tensor:
        pairs = _padding(function, padding, last, pool, {**attrs, "dilation": (1,) * rank})
        pooled = apply(f"{pool_mode}_pool", last, pool=pool, padding=pairs, **attrs)
        return pooled if isinstance(pooled, Tensor) else pooled[0]  # max: and where it is

    return _channels_last(x, data_format, run)


# -- formats ----------------------------------------------------------------------------------------------


def _channels_last(x: Tensor, data_format: str | None, run: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply `run` to `x` with its channels last, and bring the result back to the format of `x`."""
    if normalize_data_format(data_format) == "channels_last":
        return run(x)
    return _to_first(run(_to_last(x)))


def _to_last(x: Tensor) -> Tensor:
    return O.transpose(x, (0, *range(2, x.ndim), 1))


def _to_first(x: Tensor) -> Tensor:
    return O.transpose(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def _padding_name(function: str, padding: str, rank: int) -> str:
    name = normalize_padding(padding)
    if name == "causal" and rank != 1:
        raise ArgumentError(f'{function}: padding must be "valid" or "same" ("causal" is for 1-D), got {padding!r}')
    return name


def _padding(function: str, padding: str, x: Tensor, size: Any, attrs: dict[str, Any]) -> Any:
    name = _padding_name(function, padding, len(size))
    if None in size:
        raise ShapeError(f"{function}: the size of the kernel must be known, got {size}", shapes=(x.shape, size))
    return explicit_padding(name, x.shape[1:-1], size, attrs["strides"], attrs["dilation"])


def _require_ndim(function: str, name: str, x: Tensor, ndim: int) -> None:
    if x.ndim != ndim:
        raise ShapeError(f"{function}: {name} must have {ndim} dimensions, got {x.spec}", shapes=(x.shape,))
