"""The one place where the user's data is checked, and brought into the order that a model wants.

Whatever comes in (an array, a list, a dict, numbers, a data frame, an HDF5 data set), what goes out is a
list of array-likes, one for each expected input or target, each with a `shape` and slicing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from kcore import config
from kcore.engine.rows import Rows
from kcore.errors import DataError
from kcore.graph import Tensor

Shape = tuple[int | None, ...]

_NUMBERS = (Real, np.bool_)
KINDS = {"input": "x", "target": "y"}


@dataclass(frozen=True)
class Expected:
    """What a model expects in one place.

    Attributes:
        name: of the input layer, or of the output that a target belongs to.
        shape: with the batch axis, None for unknown sizes; None if anything will do.
    """

    name: str
    shape: Shape | None

    def fits(self, shape: Sequence[int], check_batch_axis: bool = False) -> bool:
        if self.shape is None:
            return True
        if len(shape) != len(self.shape):
            return False
        pairs = list(zip(self.shape, shape, strict=True))
        return all(want is None or want == have for want, have in pairs[0 if check_batch_axis else 1 :])


def standardize(data: Any, expected: Sequence[Expected], kind: str, check_batch_axis: bool = False) -> list[Any]:
    """`data` as one array-like for each of `expected`, in that order.

    Args:
        data: an array-like, a list of them, or a dict from names.
        expected: what the model wants.
        kind: "input" or "target"; for messages.
        check_batch_axis: whether a fixed batch size must be met.

    Raises:
        DataError: something is missing, or too much, or has the wrong shape.
    """
    simple = type(data) is np.ndarray and len(expected) == 1 and data.dtype.kind in "fiub"
    if simple and data.ndim > 1 and expected[0].fits(data.shape, check_batch_axis):
        return [data]  # what the lines below would return
    arrays = [_array(item, e, kind) for item, e in zip(_distribute(data, expected, kind), expected, strict=True)]
    columns = [_with_feature_axis(a, e) for a, e in zip(arrays, expected, strict=True)]
    for array, column, e in zip(arrays, columns, expected, strict=True):
        _check_shape(column, e, kind, check_batch_axis, given=tuple(array.shape))
    return columns


def count_samples(inputs: Sequence[Any], targets: Sequence[Any] = (), weights: Sequence[Any] = ()) -> int | None:
    """The number of samples, which all arrays must share; None where there is no array.

    Raises:
        DataError: they differ.
    """
    groups = {"Input": inputs, "Target": targets, "sample_weight": weights}
    counts = {name: _common_count(name, arrays) for name, arrays in groups.items() if len(arrays)}
    first = next(iter(counts.items()), None)
    for name, count in counts.items():
        if first is not None and count != first[1]:
            raise DataError(
                f"{first[0]} arrays should have the same number of samples as {name} arrays. Found {first[1]} "
                f"{first[0].lower()} samples and {count} {name.lower()} samples."
            )
    return None if first is None else first[1]


def as_array(value: Any, what: str) -> Any:
    """An array-like with a shape, from whatever people use for one.

    Raises:
        DataError: it is symbolic, ragged, or not numeric.
    """
    if isinstance(value, Tensor):
        raise DataError(
            f"{what}: expected arrays, got the symbolic {value!r}. A model reads tensors through "
            "Input(tensor=...) and compile(target_tensors=...)."
        )
    if type(value).__name__ in ("DataFrame", "Series") and hasattr(value, "values"):
        value = value.values
    if not hasattr(value, "shape") or not hasattr(value, "__getitem__"):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise DataError(f"{what}: expected an array, got a ragged nested sequence ({error})") from None
    if isinstance(value, np.ndarray) and value.dtype.kind == "O" and all(isinstance(v, _NUMBERS) for v in value.flat):
        value = value.astype(config.floatx())  # of a data frame with columns of several dtypes
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biufc":
        raise DataError(
            f"{what}: expected numbers, got an array of dtype {value.dtype} and shape {value.shape}; convert it "
            "(for sequences of different lengths: kcore.preprocessing.sequence.pad_sequences)"
        )
    return value


def _distribute(data: Any, expected: Sequence[Expected], kind: str) -> list[Any]:
    """One item for each place."""
    names = [e.name for e in expected]
    if not names:
        if data is None or (isinstance(data, (list, tuple, dict)) and not len(data)):
            return []
        raise DataError(
            f"Error when checking model {kind}: expected no data, since the model takes no {kind} arrays, but got "
            f"{describe(data)}",
            argument=KINDS[kind],
        )
    if data is None:
        raise DataError(f"No {kind} data given. Need data for each of: {names}", argument=KINDS[kind])
    if isinstance(data, dict):
        missing = [n for n in names if n not in data]
        if missing:
            raise DataError(
                f"No data provided for {', '.join(map(repr, missing))}. Need data for each key in: {names}, got the "
                f"keys {list(data)}",
                argument=KINDS[kind],
            )
        return [data[n] for n in names]
    if isinstance(data, (list, tuple)):
        return _distribute_list(list(data), expected, kind)
    if len(names) != 1:
        raise DataError(
            f"Error when checking model {kind}: expected {len(names)} arrays, for {names}, as a list or a dict, but "
            f"got one: {describe(data)}",
            argument=KINDS[kind],
        )
    return [data]


def _distribute_list(data: list[Any], expected: Sequence[Expected], kind: str) -> list[Any]:
    names = [e.name for e in expected]
    nested = not any(hasattr(item, "shape") for item in data)
    if len(names) == 1 and nested and (len(data) > 1 or _is_one_sample(data, expected[0])):
        return [data]  # the samples themselves, as Python numbers or lists
    if len(names) == 1 and nested and data and not isinstance(data[0], (list, tuple)):
        return [data]
    if len(data) != len(names):
        raise DataError(
            f"Error when checking model {kind}: the list of arrays that you are passing to your model is not the size "
            f"the model expected. Expected to see {len(names)} array(s), for {names}, but instead got the following "
            f"list of {len(data)} arrays: {_all_of(data)}{_STACK if len(names) == 1 else ''}",
            argument=KINDS[kind],
        )
    return data


def _is_one_sample(data: list[Any], expected: Expected) -> bool:
    """Whether a list of one list is the only sample, rather than all samples for the only place."""
    try:
        return expected.shape is not None and bool(data) and expected.fits(np.shape(data))
    except ValueError:  # ragged
        return False


def _array(item: Any, expected: Expected, kind: str) -> Any:
    if item is None:
        raise DataError(f"No {kind} data given for {expected.name!r}", argument=KINDS[kind])
    return as_array(item, f"Error when checking {kind} {expected.name!r}")


def _with_feature_axis(array: Any, expected: Expected) -> Any:
    """(samples,) becomes (samples, 1), unless one axis is what the model expects."""
    if len(array.shape) != 1 or (expected.shape is not None and len(expected.shape) == 1):
        return array
    return array[:, None] if isinstance(array, np.ndarray) else Rows(array, column=True)


_STACK = ". If they are the samples, make them one array: np.stack(list_of_arrays)"
_ONE_SAMPLE = ". It looks like one sample: give a batch, such as array[np.newaxis]"
_CLASS_INDICES = (
    ". If the targets are class indices, use the loss `sparse_categorical_crossentropy`, or turn them into one-hot "
    "rows with kcore.utils.to_categorical"
)


def _check_shape(array: Any, expected: Expected, kind: str, check_batch_axis: bool, given: tuple[int, ...]) -> None:
    """Refuse an array that does not fit; `given` is its shape before it was made a column."""
    shape = tuple(array.shape)
    if not shape:
        raise DataError(
            f"Error when checking {kind}: expected {expected.name} to be an array of samples, got the single number "
            f"{array}",
            argument=KINDS[kind],
        )
    if expected.fits(shape, check_batch_axis):
        return
    want = expected.shape
    assert want is not None
    one_sample = _ONE_SAMPLE if Expected("", want[1:]).fits(given, check_batch_axis=True) else ""
    if len(shape) != len(want):
        raise DataError(
            f"Error when checking {kind}: expected {expected.name} to have {len(want)} dimensions, {_show(want)}, but "
            f"got array with shape {shape}{one_sample}",
            argument=KINDS[kind],
        )
    start = 0 if check_batch_axis else 1
    indices = kind == "target" and shape[-1] == 1 and want[-1] is not None
    raise DataError(
        f"Error when checking {kind}: expected {expected.name} to have shape {_show(want[start:])} but got array with "
        f"shape {shape[start:]}{_CLASS_INDICES if indices else one_sample}",
        argument=KINDS[kind],
    )


def _common_count(name: str, arrays: Sequence[Any]) -> int:
    counts = {int(a.shape[0]) for a in arrays}
    if len(counts) > 1:
        raise DataError(
            f"All {name.lower()} arrays should have the same number of samples. Got array shapes: "
            f"{[tuple(a.shape) for a in arrays]}"
        )
    return counts.pop()


def _show(shape: Sequence[int | None]) -> str:
    return str(tuple(shape))


def _all_of(values: Sequence[Any]) -> str:
    shown = ", ".join(describe(value) for value in values[:4])
    return f"[{shown}, ...]" if len(values) > 4 else f"[{shown}]"


def describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {tuple(shape)}" if shape is not None else f"{value!r:.80}"
