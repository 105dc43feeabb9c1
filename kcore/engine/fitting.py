"""From the arguments of fit, evaluate and predict to data, sources and validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcore.engine.batches import ArraySource, GeneratorSource, Head, RepeatedSource, is_generator, is_sequence
from kcore.engine.collect import Averages
from kcore.engine.compile import TrainingSetup
from kcore.engine.loop import Validation
from kcore.engine.objective import check_target
from kcore.engine.rows import take_range
from kcore.engine.session import Source
from kcore.engine.standardize import Expected, count_samples, describe, standardize
from kcore.engine.step import Step
from kcore.engine.weighting import ones_for, per_output, sample_weights
from kcore.errors import ArgumentError, DataError, warn
from kcore.graph import Tensor
from kcore.shapes import positive_int, real_number

DEFAULT_BATCH_SIZE = 32


@dataclass
class UserData:
    """Checked data: array-likes in the order of the model's inputs and outputs.

    Attributes:
        inputs, targets: lists of array-likes.
        weights: list of sample weights, one for each target; None where all are 1.
        samples: number of samples; None where there is no array.
    """

    inputs: list[Any]
    targets: list[Any]
    weights: list[Any] | None
    samples: int | None

    @property
    def arrays(self) -> list[Any]:
        """What a step is fed."""
        return [*self.inputs, *self.targets, *(self.weights or [])]

    def split(self, at: int) -> tuple[UserData, UserData]:
        """The samples before and from number `at`."""

        def part(start: int, stop: int) -> UserData:
            rows = [
                [take_range(a, start, stop) for a in group] for group in (self.inputs, self.targets, self.weights or [])
            ]
            return UserData(rows[0], rows[1], rows[2] if self.weights is not None else None, stop - start)

        assert self.samples is not None
        return part(0, at), part(at, self.samples)


def user_data(
    inputs: Sequence[Expected],
    setup: TrainingSetup,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: Any = None,
    check_batch_axis: bool = False,
    argument: str = "x",
) -> UserData:
    """Check and order data for training or evaluation; `argument` names where they come from, for messages.

    Raises:
        DataError: they do not fit the model, or each other, or there are none.
    """
    outputs = setup.fed_outputs
    xs = standardize(x, inputs, "input", check_batch_axis)
    ys = standardize(y, setup.expected_targets, "target", check_batch_axis)
    for target, output in zip(ys, outputs, strict=True):
        check_target(target, output.loss, output.name, output.shape)
    weights = None
    if sample_weight is not None or class_weight is not None:
        weights = _weights(setup, ys, sample_weight, class_weight)
    samples = count_samples(xs, ys, weights or ())
    if samples == 0:
        raise DataError(f"{argument} has no samples: its arrays are {', '.join(map(describe, xs))}", argument=argument)
    return UserData(xs, ys, weights, samples)


def _weights(setup: TrainingSetup, targets: list[Any], sample_weight: Any, class_weight: Any) -> list[Any] | None:
    outputs = setup.fed_outputs
    names = [o.name for o in outputs]
    if isinstance(class_weight, Mapping) and not any(k in names for k in class_weight) and len(names) > 1:
        raise DataError(
            f"The model has several outputs, so `class_weight` must say for which: a dict from {names} to dicts, or a "
            "list of dicts",
            argument="class_weight",
        )
    weights = [
        sample_weights(target, given, classes, output.mode)
        for target, given, classes, output in zip(
            targets,
            per_output(sample_weight, names, "sample_weight"),
            per_output(class_weight, names, "class_weight"),
            outputs,
            strict=True,
        )
    ]
    if all(w is None for w in weights):
        return None
    return [
        ones_for(target, output.mode) if weight is None else weight
        for weight, target, output in zip(weights, targets, outputs, strict=True)
    ]


# -- sources ----------------------------------------------------------------------------------------------


def source_of(
    arrays: Sequence[Any],
    samples: int | None,
    batch_size: int | None,
    steps: int | None,
    shuffle: bool | str = False,
    argument: str = "steps",
) -> Source:
    """Batches of arrays; or, where `steps` is given, that many steps on all of them.

    Raises:
        ArgumentError: both `batch_size` and `steps`, or neither where there are no arrays.
    """
    if steps is not None:
        if batch_size is not None:
            raise ArgumentError(f"If {argument} is set, the `batch_size` must be None.")
        return RepeatedSource(arrays, positive_int(steps, argument))
    if samples is None:
        raise ArgumentError(
            f"If the data come from tensors, you should specify the `{argument}` argument: the number of batches."
        )
    if isinstance(shuffle, np.ndarray) or (isinstance(shuffle, str) and shuffle != "batch"):
        raise ArgumentError(f"`shuffle` must be True, False or 'batch'. Received: {shuffle!r}")
    return ArraySource(arrays, samples, _batch_size(batch_size), shuffle)


def _batch_size(batch_size: Any) -> int:
    return DEFAULT_BATCH_SIZE if batch_size is None else positive_int(batch_size, "batch_size")


def check_stateful(samples: int | None, batch_size: int | None) -> None:
    """A stateful network carries its states from row to row of equal batches.

    Raises:
        DataError: the samples do not fill whole batches.
    """
    size = _batch_size(batch_size)
    if samples is not None and samples > size and samples % size:
        raise DataError(
            "In a stateful network, you should only pass inputs with a number of samples that can be divided by the "
            f"batch size. Found: {samples} samples. Batch size: {size}."
        )


class EitherStep(Step):
    """A step with or without sample weights, whichever a batch of a generator brings.

    Args:
        step: gives the step for weighted (True) or plain (False) batches.
        plain_inputs: number of arrays of a plain batch.
    """

    def __init__(self, step: Callable[[bool], Step], plain_inputs: int) -> None:
        self._step = step
        self._plain_inputs = plain_inputs

    def taking(self, count: int) -> Step:
        return self._step(count > self._plain_inputs)


def unpack_batch(batch: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of what a generator yields for training.

    Raises:
        DataError: it is no tuple of two or three.
    """
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise DataError(
            f"Output of generator should be a tuple `(x, y, sample_weight)` or `(x, y)`. Found: {_brief(batch)}"
        )
    x, y, *rest = batch
    return x, y, rest[0] if rest else None


def inputs_of_batch(batch: Any) -> Any:
    """The inputs in what a generator yields for prediction: all of it, or the first item of a tuple.

    Raises:
        DataError: it is a tuple, but not of one to three items.
    """
    if not isinstance(batch, tuple):
        return batch
    if not 1 <= len(batch) <= 3:
        raise DataError(
            "Output of generator should be inputs, or a tuple `(x, y, sample_weight)` or `(x, y)`. Found: "
            f"{_brief(batch)}"
        )
    return batch[0]


def _brief(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of {len(value)}: [{', '.join(_brief(v) for v in value[:6])}]"
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {tuple(shape)}" if shape is not None else f"{value!r:.60}"


# -- validation -------------------------------------------------------------------------------------------


@dataclass
class Reading:
    """How generators are read: the arguments of `fit_generator` that are passed on."""

    workers: int = 1
    max_queue_size: int = 10
    use_multiprocessing: bool = False


def generator_source(
    generator: Any,
    steps: int | None,
    prepare: Callable[[Any], tuple[int, list[Any]]],
    reading: Reading,
    argument: str,
    shuffle: bool = False,
    from_start: bool = False,
) -> GeneratorSource:
    """Batches of a generator or `Sequence`; `from_start` if each epoch begins at the first one."""
    if not (is_generator(generator) or hasattr(generator, "__iter__")) or hasattr(generator, "shape"):
        raise DataError(
            "expected a generator that yields batches, or a kcore.utils.Sequence; for arrays there are fit, evaluate "
            f"and predict. Received: {describe(generator)}",
            argument="generator",
        )
    if not is_sequence(generator):
        if reading.use_multiprocessing and reading.workers > 1:
            warn(
                "Using a generator with `use_multiprocessing=True` and multiple workers may duplicate your data. "
                "Please consider using the `kcore.utils.Sequence` class."
            )
    elif from_start and steps is not None and steps < len(generator):
        generator = Head(generator, steps)
    return GeneratorSource(
        generator,
        steps,
        prepare,
        argument=argument,
        workers=reading.workers,
        max_queue_size=reading.max_queue_size,
        use_multiprocessing=reading.use_multiprocessing,
        shuffle=shuffle,
    )


def unpack_validation(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of the argument `validation_data`.

    Raises:
        DataError: it is no tuple of two or three.
    """
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        x, y, *rest = data
        return x, y, rest[0] if rest else None
    raise DataError(
        "When passing validation_data, it must contain 2 (x_val, y_val) or 3 (x_val, y_val, val_sample_weights) items, "
        f"however it is: {_brief(data)}",
        argument="validation_data",
    )


def array_validation(
    setup: TrainingSetup, data: UserData, batch_size: int | None, steps: int | None, uses_learning_phase: bool
) -> Validation:
    """Validation on arrays (or, with `steps`, on what tensors in the model give)."""
    source = source_of(data.arrays, data.samples, batch_size, steps, argument="validation_steps")
    weights = data.weights
    if weights is None:
        weights = [ones_for(t, o.mode) for t, o in zip(data.targets, setup.fed_outputs, strict=True)]
    seen = [*data.inputs, *data.targets, *weights, *([0.0] if uses_learning_phase else [])]
    return Validation(
        setup.test_step(data.weights is not None), source, averages_of(setup), setup.reset_metrics, data=seen
    )


def averages_of(setup: TrainingSetup) -> Averages:
    return Averages(setup.metrics_names, setup.stateful_metric_names)


def split_off(data: UserData, fraction: float) -> tuple[UserData, UserData]:
    """Training and validation data: the last `fraction` of the samples, before any shuffling.

    Raises:
        ArgumentError: not between 0 and 1, or nothing is left on one side.
    """
    if data.samples is None or not 0 < real_number(fraction, "validation_split") < 1:
        raise ArgumentError(f"validation_split must be between 0 and 1, and data be arrays; got {fraction!r}")
    at = int(data.samples * (1 - fraction))
    if not 0 < at < data.samples:
        raise ArgumentError(
            f"validation_split={fraction} of {data.samples} samples leaves no samples for "
            f"{'training' if at == 0 else 'validation'}"
        )
    return data.split(at)


def no_predictions(outputs: Sequence[Tensor]) -> list[np.ndarray]:
    """What a model predicts for no samples."""
    return [np.empty((0, *(size or 0 for size in t._keras_shape[1:])), t.dtype) for t in outputs]


def rows_of(array: Any) -> Any:
    """`array` in memory."""
    return array if isinstance(array, np.ndarray) else array[0 : array.shape[0]]
