"""Arithmetic on shapes of sliding windows: what a convolution or a pooling makes of a length, and padding rules;
and the checks of the sizes and paddings that users give to layers.

Lengths may be ``None`` (unknown); the answer is then ``None`` too. Public as ``kcore.utils.conv_utils``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

from kcore import config
from kcore.errors import ArgumentError, ShapeError

PADDINGS = ("valid", "same", "causal")
DATA_FORMATS = ("channels_first", "channels_last")

Pair = tuple[int, int]


# --- arguments as users write them --------------------------------------------------------------


def plain(value: Any) -> Any:
    """A number, or numbers in lists and tuples, as Python has them, where a program got them from NumPy."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else value
    return value.tolist() if hasattr(value, "tolist") and hasattr(value, "dtype") else value


def normalize_tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    """One int for all ``n`` dimensions, or ``n`` ints, as a tuple of ints.

    Args:
        value: an int, or an iterable of ``n`` ints.
        n: the number of spatial dimensions.
        name: the argument's name, for the message.

    Raises:
        ValueError: ``value`` is neither.
    """
    value = plain(value)
    values = (value,) * n if not isinstance(value, Iterable) or isinstance(value, str) else tuple(value)
    if len(values) != n:
        raise ArgumentError(f"The `{name}` argument must be an integer or a tuple of {n} integers. Received: {value!r}")
    try:
        return tuple(_as_int(single) for single in values)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"The `{name}` argument must be an integer or a tuple of {n} integers. Received: {value!r}, "
            f"with an element that is not an integer."
        ) from None


def _as_int(value: Any) -> int:
    if isinstance(value, float) or int(value) != value:
        raise TypeError
    return int(value)


def positive_int(value: Any, name: str, layer: Any = None, least: int = 1) -> int:
    """A size that a user gave, as an int.

    A float without a fraction is taken too: scripts compute sizes with ``/``.

    Args:
        value: what the user gave.
        name: the argument's name, for the message.
        layer: the layer that was given it (its name must be set already), or the name of what was, for the message;
            None where the argument's name says enough.
        least: the smallest allowed size.

    Raises:
        ArgumentError: ``value`` is not an int, or below ``least``.
    """
    if not _is_size(value, least):
        raise ArgumentError(f"`{name}`{_of(layer)} must be an int, {least} or more. Received: {value!r:.200}")
    return int(value)


def positive_ints(value: Any, n: int, name: str, layer: Any) -> tuple[int, ...]:
    """One size above 0 for all ``n`` dimensions of a layer, or ``n`` of them, as a tuple of ints.

    Args:
        value: an int, or an iterable of ``n`` ints.
        n: the number of spatial dimensions.
        name, layer: as in `positive_int`.

    Raises:
        ArgumentError: ``value`` is neither.
    """
    value = plain(value)
    single = not isinstance(value, Iterable) or isinstance(value, str)
    values = (value,) * n if single else tuple(value)
    if len(values) != n or not all(_is_size(size, 1) for size in values):
        expected = "an int" if n == 1 else f"an int or {n} ints"
        raise ArgumentError(f"`{name}`{_of(layer)} must be {expected}, 1 or more. Received: {value!r}")
    return tuple(int(size) for size in values)


def real_number(value: Any, name: str, layer: Any = None, least: float = -math.inf, most: float = math.inf) -> Any:
    """A number that a user gave, as it is; one of NumPy's as a Python number.

    Args:
        value: what the user gave.
        name, layer: as in `positive_int`.
        least, most: the smallest and largest allowed.

    Raises:
        ArgumentError: ``value`` is not a number, or not between the two.
    """
    if _is_real(value) and least <= value <= most:
        return plain(value)
    expected = "a number"
    if most < math.inf:
        expected += f" between {least:g} and {most:g}"
    elif least > -math.inf:
        expected += f", {least:g} or more"
    raise ArgumentError(f"`{name}`{_of(layer)} must be {expected}. Received: {value!r}")


def whole_numbers(values: Any, name: str, layer: Any = None) -> tuple[int, ...]:
    """Axes or sizes that a user gave, below 0 too, as a tuple of ints.

    Args:
        values: an int, or an iterable of ints.
        name, layer: as in `positive_int`.

    Raises:
        ArgumentError: ``values`` is neither.
    """
    values = plain(values)
    single = not isinstance(values, Iterable) or isinstance(values, str)
    found = (values,) if single else tuple(values)
    if all(_is_size(value, -math.inf) for value in found):
        return tuple(int(value) for value in found)
    raise ArgumentError(f"`{name}`{_of(layer)} must be an int or a tuple of ints. Received: {values!r}")


def whole_number(value: Any, name: str, layer: Any = None) -> int:
    """An axis that a user gave, as an int.

    Args:
        value: what the user gave.
        name, layer: as in `positive_int`.

    Raises:
        ArgumentError: ``value`` is not an int.
    """
    if not _is_size(value, -math.inf):
        raise ArgumentError(f"`{name}`{_of(layer)} must be an int. Received: {value!r}")
    return int(value)


def listed(values: Any, name: str, what: str, layer: Any = None) -> list[Any]:
    """Several things that a user gave, as a list.

    Args:
        values: what the user gave.
        name, layer: as in `positive_int`.
        what: what they are, in the plural, for the message.

    Raises:
        ArgumentError: ``values`` is no list of anything.
    """
    scalar = isinstance(values, (str, bytes)) or getattr(values, "ndim", 1) == 0
    if scalar or not isinstance(values, Iterable):
        raise ArgumentError(f"`{name}`{_of(layer)} must be a list of {what}. Received: {values!r:.200}")
    return list(values)


def _is_size(value: Any, least: float) -> bool:
    whole = (isinstance(value, float) and value.is_integer()) or hasattr(value, "__index__")
    return whole and not isinstance(value, bool) and getattr(value, "ndim", 0) == 0 and value >= least


def _is_real(value: Any) -> bool:
    if isinstance(value, Real):
        return not isinstance(value, bool)
    return getattr(value, "ndim", None) == 0 and getattr(getattr(value, "dtype", None), "kind", "") in ("f", "i", "u")


def _of(layer: Any) -> str:
    if layer is None:
        return ""
    return f" of {layer}" if isinstance(layer, str) else f" of layer {layer.name} ({type(layer).__name__})"


def normalize_padding(value: Any, allowed: tuple[str, ...] = PADDINGS, layer: Any = None) -> str:
    """The padding in lower case: ``"valid"``, ``"same"`` or ``"causal"``.

    Args:
        value: what the user gave.
        allowed: those that may be given.
        layer: the layer that was given it, for the message; None where there is none.

    Raises:
        ValueError: ``value`` is not one of the allowed.
    """
    padding = value.lower() if isinstance(value, str) else value
    if not isinstance(padding, str) or padding not in allowed:
        expected = ", ".join(f'"{name}"' for name in allowed)
        owner = _of(layer)
        raise ArgumentError(f"The `padding` argument{owner} must be one of {expected}. Received: {value!r}")
    return padding


def normalize_data_format(value: str | None) -> str:
    """``"channels_last"`` or ``"channels_first"``; None stands for the configured image data format.

    Raises:
        ValueError: ``value`` is none of these.
    """
    if value is None:
        value = config.image_data_format()
    data_format = value.lower() if isinstance(value, str) else value
    if not isinstance(data_format, str) or data_format not in DATA_FORMATS:
        raise ArgumentError(
            f'The `data_format` argument must be one of "channels_first", "channels_last". Received: {value!r}'
        )
    return data_format


def check_noise_shape(noise_shape: Any, input_shape: tuple[int | None, ...], layer: Any) -> None:
    """Refuse the shape of a drop-out mask that does not broadcast to the input of its layer.

    Args:
        noise_shape: ints, and None for a size of the input.
        input_shape: of the input, batch axis included, with None for unknown sizes.
        layer: as in `positive_int`.

    Raises:
        ArgumentError: ``noise_shape`` is no shape.
        ShapeError: the mask has more axes than the input, or a size that is neither 1 nor the input's.
    """
    noise_shape = listed(noise_shape, "noise_shape", "ints and Nones", layer)
    sizes = zip(reversed(noise_shape), reversed(input_shape), strict=False)
    known = [(asked, size) for asked, size in sizes if hasattr(asked, "__index__") and size is not None]
    if len(noise_shape) > len(input_shape) or any(asked not in (1, size) for asked, size in known):
        raise ShapeError(
            f"`noise_shape`{_of(layer)} must have for each axis of the input {tuple(input_shape)} its size, "
            f"1 or None. Received: {tuple(noise_shape)!r}",
            shapes=(tuple(noise_shape), tuple(input_shape)),
        )


# --- lengths, as layers announce them -----------------------------------------------------------


def conv_output_length(
    input_length: int | None, filter_size: int, padding: str, stride: int, dilation: int = 1
) -> int | None:
    """Length of the output of a convolution or pooling along one dimension.

    Args:
        input_length: length of the input, or None.
        filter_size: length of the window, before dilation.
        padding: "valid", "same", "causal" or "full".
        stride, dilation: of the window; both at least 1.
    """
    if padding not in ("same", "valid", "full", "causal"):
        raise ArgumentError(f'padding must be "same", "valid", "full" or "causal", got {padding!r}')
    if input_length is None:
        return None
    extent = dilated(filter_size, dilation)
    length = {
        "same": input_length,
        "causal": input_length,
        "valid": input_length - extent + 1,
        "full": input_length + extent - 1,
    }[padding]
    return (length + stride - 1) // stride


def conv_input_length(output_length: int | None, filter_size: int, padding: str, stride: int) -> int | None:
    """The (smallest) length of the input of a convolution whose output has ``output_length``."""
    if padding not in ("same", "valid", "full"):
        raise ArgumentError(f'padding must be "same", "valid" or "full", got {padding!r}')
    if output_length is None:
        return None
    pad = {"same": filter_size // 2, "valid": 0, "full": filter_size - 1}[padding]
    return (output_length - 1) * stride - 2 * pad + filter_size


def deconv_length(dim_size: int | None, stride_size: int, kernel_size: int, padding: str) -> int | None:
    """Length of the output of a transposed convolution along one dimension.

    Args:
        dim_size: length of the input, or None.
        stride_size: stride of the transposed convolution (its up-sampling factor).
        kernel_size: length of the kernel.
        padding: "same", "valid" or "full".
    """
    if padding not in ("same", "valid", "full"):
        raise ArgumentError(f'padding must be "same", "valid" or "full", got {padding!r}')
    if dim_size is None:
        return None
    if padding == "valid":
        return dim_size * stride_size + max(kernel_size - stride_size, 0)
    if padding == "full":
        return dim_size * stride_size - (stride_size + kernel_size - 2)
    return dim_size * stride_size


# --- the window itself, as operations use it ----------------------------------------------------


def dilated(size: int, dilation: int) -> int:
    """Extent of a window of ``size`` taps that are ``dilation`` apart."""
    return (size - 1) * dilation + 1


def window_output_length(length: int | None, size: int, stride: int, pad: Pair, dilation: int = 1) -> int | None:
    """Number of positions of a window over ``length`` elements with explicit padding ``(before, after)``."""
    if length is None:
        return None
    return (length + pad[0] + pad[1] - dilated(size, dilation)) // stride + 1


def same_padding(length: int, size: int, stride: int, dilation: int = 1) -> Pair:
    """``(before, after)`` of "same": the output has ceil(length / stride) elements, and where the padding is odd
    the extra element comes after (even windows, or strides)."""
    positions = -(-length // stride)
    total = max((positions - 1) * stride + dilated(size, dilation) - length, 0)
    return total // 2, total - total // 2


def explicit_padding(
    padding: str | tuple[Pair, ...],
    lengths: tuple[int | None, ...],
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Pair, ...] | str:
    """The ``(before, after)`` pairs of a padding, one for each spatial dimension.

    Explicit pairs are returned as they are. "same" needs the lengths of the dimensions that have a stride: where one
    is unknown the answer is "same" again, to be asked for once the lengths are known.
    """
    if not isinstance(padding, str):
        return tuple((int(before), int(after)) for before, after in padding)
    if padding == "valid":
        return ((0, 0),) * len(sizes)
    if padding == "causal":
        return tuple(((size - 1) * d, 0) for size, d in zip(sizes, dilation, strict=True))
    if padding != "same":
        raise ShapeError(f'padding must be "valid", "same", "causal" or pairs (before, after), got {padding!r}')
    pairs = []
    for length, size, stride, d in zip(lengths, sizes, strides, dilation, strict=True):
        if length is None and stride > 1:
            return "same"
        # With a stride of 1 the padding does not depend on the length.
        pairs.append(same_padding(size * d if length is None else length, size, stride, d))
    return tuple(pairs)
