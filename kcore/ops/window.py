"""What convolution and pooling share: checks of sliding windows, and portable views of their taps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kcore.errors import DTypeError, ShapeError
from kcore.graph import Shape, Spec, Tensor, dims_of, encode_shape, may_equal
from kcore.ops.common import require_float
from kcore.shapes import Pair, explicit_padding, window_output_length

Ints = tuple[int, ...]
Padding = str | tuple[Pair, ...]


def require_window_attrs(op: str, rank: int, strides: Ints, dilation: Ints, padding: Padding, size: Ints) -> None:
    """Refuse windows that no input could have: wrong lengths of tuples, numbers below 1, negative padding."""
    for name, values, least in (("size", size, 1), ("strides", strides, 1), ("dilation", dilation, 1)):
        if len(values) != rank or any(value < least for value in values):
            raise ShapeError(
                f"{op}: the window's {name} must be {rank} positive integers, one for each spatial dimension; "
                f"got {values}",
                op=op,
            )
    if not isinstance(padding, str) and (len(padding) != rank or any(n < 0 for pair in padding for n in pair)):
        raise ShapeError(
            f"{op}: padding must be {rank} pairs (before, after) of non-negative integers, got {padding}", op=op
        )


def output_lengths(
    op: str, x: Spec, spatial: Shape, size: Ints, strides: Ints, padding: Padding, dilation: Ints, what: str
) -> Shape:
    """Spatial shape of the windows' positions over an input of the spatial shape `spatial`.

    Args:
        x: the input, for the message.
        what: the window's owner and shape, for the message ("kernel float32(3, 3, 8, 16)").

    Raises:
        ShapeError: the window is larger than the padded input.
    """
    require_window_attrs(op, len(spatial), strides, dilation, padding, size)
    pairs = explicit_padding(padding, spatial, size, strides, dilation)
    if isinstance(pairs, str):  # "same": an unknown length, with a stride
        return tuple(None if n is None else -(-n // s) for n, s in zip(spatial, strides, strict=True))
    lengths = tuple(window_output_length(*args) for args in zip(spatial, size, strides, pairs, dilation, strict=True))
    if any(n is not None and n < 1 for n in lengths):
        advice = "the input has no elements" if 0 in spatial else "use a larger input, or padding='same'"
        raise ShapeError(
            f"{op}: the window of {what} (dilation {dilation}) is larger than the input {x} with padding {pairs}; "
            f"{advice}",
            shapes=(x.shape, size),
            op=op,
        )
    return lengths


def require_lengths(op: str, g: Spec, expected: Shape, x: Any) -> None:
    """Refuse a gradient (or the input of a transposed convolution) whose spatial shape is not `expected`."""
    given = g.shape[1:-1]
    if not may_equal(given, expected):
        raise ShapeError(
            f"{op}: {g} has the spatial shape {given}, but windows over {x} have {expected} positions",
            shapes=(g.shape, expected),
            op=op,
        )


def require_operands(op: str, rank_of: str, *specs: Spec) -> None:
    """Refuse operands that are not floating, or not of one dtype."""
    require_float(op, *specs)
    if len({spec.dtype for spec in specs}) > 1:
        raise DTypeError(
            f"{op} needs operands of one dtype, got {' and '.join(map(str, specs))}; use K.cast on {rank_of}", op=op
        )


def require_rank(op: str, x: Spec, least: int = 3, most: int = 5) -> None:
    """Refuse anything but a batch with one to three spatial dimensions and channels."""
    if not least <= x.ndim <= most:
        raise ShapeError(
            f"{op} needs (batch, *spatial, channels) with 1 to 3 spatial dimensions, got {x}", shapes=(x.shape,), op=op
        )


def spatial_dims(x: Tensor) -> tuple[Ints, tuple[Tensor, ...]]:
    """The spatial shape of `x` as an attribute, and the tensors it refers to where it is unknown."""
    return encode_shape(dims_of(x)[1:-1])


def without_padding(x: Tensor, size: Ints, attrs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]] | None:
    """Where zeros were added around the images `x` before windows go over them: the images without them, and the
    attributes of the windows with that much more padding. None where they were not."""
    if x.node.op.name != "pad" or x.node.attrs["value"] != 0:
        return None
    (images,), (batch, *around, channels) = x.node.inputs, x.node.attrs["padding"]
    if any((*batch, *channels)):
        return None
    return images, attrs | {"padding": _sum_of_pairs(around, attrs, x.shape[1:-1], size)}


def cropped(
    spatial: Ints, items: Sequence[tuple[Any, ...]], size: Ints, attrs: dict[str, Any]
) -> tuple[Ints, dict[str, Any]] | None:
    """The same for the gradient of images of the shape `spatial`, of which a slice takes only what is inside the
    padding: the shape of that, and the attributes. None where the slice takes something else."""
    if len(items) != len(spatial) + 2 or any(i[0] != "slice" or i[3] not in (None, 1) for i in items):
        return None
    spans = [slice(*i[1:3]).indices(n)[:2] for i, n in zip(items[1:-1], spatial, strict=True)]
    if any(i[1:3] != (None, None) for i in (items[0], items[-1])) or any(stop <= start for start, stop in spans):
        return None
    around = [(start, n - stop) for (start, stop), n in zip(spans, spatial, strict=True)]
    lengths = tuple(stop - start for start, stop in spans)
    return lengths, attrs | {"padding": _sum_of_pairs(around, attrs, spatial, size)}


def _sum_of_pairs(around: Iterable[Pair], attrs: dict[str, Any], spatial: Shape, size: Ints) -> tuple[Pair, ...]:
    own = explicit_padding(attrs["padding"], spatial, size, attrs["strides"], attrs["dilation"])
    assert not isinstance(own, str), "the shape is known when nodes are simplified"
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(around, own, strict=True))


# -- portable kernels -------------------------------------------------------------------------------------


def pad(xp: Any, x: Any, pairs: Iterable[Pair], value: Any = 0) -> Any:
    """`x` with its spatial dimensions padded."""
    pairs = tuple(pairs)
    if not any(map(any, pairs)):
        return x
    spatial = [n + before + after for n, (before, after) in zip(x.shape[1:-1], pairs, strict=True)]
    out = xp.full((x.shape[0], *spatial, x.shape[-1]), value, x.dtype)
    out[inside(x.shape[1:-1], pairs)] = x
    return out


def inside(spatial: Sequence[int], pairs: Iterable[Pair]) -> tuple[slice, ...]:
    """Where the elements of an array of the spatial shape `spatial` are once it is padded."""
    middle = (slice(before, before + n) for n, (before, _) in zip(spatial, pairs, strict=True))
    return (slice(None), *middle)


def tap_view(x: Any, tap: Ints, positions: Sequence[int], strides: Ints, dilation: Ints) -> Any:
    """The elements of the padded array `x` that lie under one tap of the window, over all its positions."""
    where = [slice(None)]
    for t, count, stride, step in zip(tap, positions, strides, dilation, strict=True):
        where.append(slice(t * step, t * step + (count - 1) * stride + 1, stride))
    return x[tuple(where)]
