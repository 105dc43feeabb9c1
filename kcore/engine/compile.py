"""`TrainingSetup`: what `Model.compile` makes of its arguments."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kcore import backend as K
from kcore import losses
from kcore.engine.layer import Layer
from kcore.engine.objective import (
    Objective,
    for_each_output,
    masked_mean,
    metric_of,
    metrics_for_each_output,
    target_shape,
    weights_tensor,
)
from kcore.engine.standardize import Expected
from kcore.engine.step import Step
from kcore.engine.weighting import check_mode
from kcore.errors import ArgumentError, warn
from kcore.graph import Tensor, nodes_of
from kcore.shapes import real_number


@dataclass
class OutputSetup:
    """What belongs to one output of a model that has a loss.

    Attributes:
        name: the output's name.
        prediction: the output.
        shape: its shape as the layers say it.
        mask: the output's mask, or None.
        loss: `(y_true, y_pred)` to scores.
        loss_weight: factor of its loss in the total.
        mode: how samples are weighted: None, or "temporal".
        target: placeholder of the target, or the tensor that is the target.
        weights: sample weights; ones where they are not fed.
        fed: whether the target is given as data.
    """

    name: str
    prediction: Tensor
    shape: tuple[int | None, ...]
    mask: Tensor | None
    loss: Objective
    loss_weight: float
    mode: str | None
    target: Tensor
    weights: Tensor
    fed: bool

    def mean_of(self, function: Objective, weighted: bool) -> Tensor:
        """The mean of a loss or metric over a batch of this output."""
        weights = self.weights if weighted else None
        return masked_mean(function, self.target, self.prediction, weights, self.mask)


@dataclass
class Metrics:
    """Names and values of what a step reports after the total loss."""

    names: list[str] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    updates: list[Any] = field(default_factory=list)
    stateful_names: list[str] = field(default_factory=list)
    stateful: list[Layer] = field(default_factory=list)

    def add(self, name: str, function: Any, value: Tensor) -> None:
        """Report `value` under `name`, or under a name like it if that is taken."""
        unique, number = name, 1
        while unique in self.names:
            unique, number = f"{name}_{number}", number + 1
        self.names.append(unique)
        self.tensors.append(value)
        if isinstance(function, Layer) and function.stateful:
            self.stateful_names.append(unique)
            self.stateful.append(function)
            self.updates += function.updates


class TrainingSetup:
    """Targets, losses, metrics and steps of a compiled model.

    The arguments are those of `Model.compile`, with the optimizer resolved.

    Attributes:
        outputs: one `OutputSetup` for each output that has a loss.
        total_loss: scalar, what training makes smaller.
        metrics_names: "loss", the losses of the outputs where there are several, and the metrics.
        stateful_metric_names: those that hold their own state over an epoch.
        trainable_weights: the weights that were trainable when the model was compiled.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss: Any,
        metrics: Any = None,
        loss_weights: Any = None,
        sample_weight_mode: Any = None,
        weighted_metrics: Any = None,
        target_tensors: Any = None,
    ) -> None:
        self.optimizer = optimizer
        self._model = model
        names = model.output_names
        self.loss_functions = _loss_functions(loss, names)
        targets = _targets(target_tensors, names)
        weights = _loss_weights(loss_weights, names)
        modes = _modes(sample_weight_mode, names)
        plain = metrics_for_each_output(metrics, names, "metrics")
        weighted = metrics_for_each_output(weighted_metrics, names, "weighted_metrics")
        by_index = {
            i: _output(model, i, function, weights[i], modes[i], targets[i])
            for i, function in enumerate(self.loss_functions)
            if function is not None
        }
        self.outputs = list(by_index.values())
        self.reported = Metrics(["loss"])
        self.total_loss = self._total_loss(len(names) > 1)
        for i, output in by_index.items():
            self._add_metrics(output, plain[i], False, len(names) > 1)
            self._add_metrics(output, weighted[i], True, len(names) > 1)
        self.trainable_weights = list(model.trainable_weights)
        self._steps: dict[tuple[str, bool], Step] = {}
        self._training_updates: list[Any] | None = None
        self._lock = threading.RLock()

    # -- what is fed -------------------------------------------------------------------------------------
    @property
    def fed_outputs(self) -> list[OutputSetup]:
        """The outputs whose targets are given as data."""
        return [o for o in self.outputs if o.fed]

    @property
    def expected_targets(self) -> list[Expected]:
        return [Expected(o.name, target_shape(o.loss, o.shape)) for o in self.fed_outputs]

    # -- what is reported --------------------------------------------------------------------------------
    @property
    def metrics_names(self) -> list[str]:
        return self.reported.names

    @property
    def stateful_metric_names(self) -> list[str]:
        return self.reported.stateful_names

    def reset_metrics(self) -> None:
        """Let stateful metrics begin anew."""
        for metric in self.reported.stateful:
            metric.reset_states()  # type: ignore[attr-defined]

    # -- steps -------------------------------------------------------------------------------------------
    def train_step(self, weighted: bool) -> Step:
        """One update of the weights; fed inputs, targets, and weights if `weighted`."""
        return self._step("train", weighted)

    def test_step(self, weighted: bool) -> Step:
        """Loss and metrics of a batch; fed inputs, targets, and weights if `weighted`."""
        return self._step("test", weighted)

    def _step(self, kind: str, weighted: bool) -> Step:
        step = self._steps.get((kind, weighted))
        if step is None:
            with self._lock:
                step = self._steps.get((kind, weighted)) or self._make_step(kind, weighted)
                self._steps[kind, weighted] = step
        return step

    def _make_step(self, kind: str, weighted: bool) -> Step:
        inputs = list(self._model._feed_inputs) + [o.target for o in self.fed_outputs]
        if weighted:
            inputs += [o.weights for o in self.fed_outputs]
        updates = self.training_updates() if kind == "train" else list(self._model.state_updates)
        return Step(
            inputs,
            [self.total_loss, *self.reported.tensors],
            updates + self.reported.updates,
            training=kind == "train",
            name=f"{kind}_function",
        )

    def training_updates(self) -> list[Any]:
        """The updates of one training step; the optimizer's state is made with them, once."""
        with self._lock:
            if self._training_updates is None:
                updates = self.optimizer.get_updates(params=self._trained_weights(), loss=self.total_loss)
                self._training_updates = [*updates, *self._model.updates]
            return self._training_updates

    def _trained_weights(self) -> list[Any]:
        """The trainable weights; where an output has no loss, without those that only it depends on."""
        if all(f is not None for f in self.loss_functions):
            return self.trainable_weights
        reached = set(nodes_of([self.total_loss]))
        return [w for w in self.trainable_weights if w.node in reached]

    # -- construction ------------------------------------------------------------------------------------
    def _total_loss(self, several: bool) -> Tensor:
        total: Any = None
        for output in self.outputs:
            loss = output.mean_of(output.loss, weighted=True)
            if several:
                self.reported.add(f"{output.name}_loss", None, loss)
            # The factor may be a variable, which callbacks change; a factor of 1 needs no product.
            plain = isinstance(output.loss_weight, (int, float)) and output.loss_weight == 1
            term = loss if plain else output.loss_weight * loss
            total = term if total is None else total + term
        for extra in self._model.losses:
            total = extra if total is None else total + extra
        if total is None:
            raise ArgumentError("The model cannot be compiled because it has no loss to optimize.")
        return total

    def _add_metrics(self, output: OutputSetup, metrics: Sequence[Any], weighted: bool, several: bool) -> None:
        for identifier in metrics:
            label, function = metric_of(identifier, output.loss, output.shape)
            name = f"weighted_{label}" if weighted else label
            name = f"{output.name}_{name}" if several else name
            self.reported.add(name, function, output.mean_of(function, weighted))


def _loss_functions(loss: Any, names: Sequence[str]) -> list[Objective | None]:
    if loss is None or (isinstance(loss, (Mapping, list, tuple)) and not loss):
        return [None] * len(names)  # what the layers add to the loss is all there is
    if isinstance(loss, Mapping):
        functions = [losses.get(item) for item in for_each_output(loss, names, "loss")]
        for name in names:
            if name not in loss:
                warn(
                    f'Output "{name}" missing from loss dictionary. We assume this was done on purpose, and we will '
                    f'not be expecting any data to be passed to "{name}" during training.'
                )
        return functions
    if isinstance(loss, (list, tuple)):
        return [losses.get(item) for item in for_each_output(loss, names, "loss")]
    function = losses.get(loss)
    return [function] * len(names)


def _loss_weights(weights: Any, names: Sequence[str]) -> list[Any]:
    if weights is None:
        return [1.0] * len(names)
    if isinstance(weights, Mapping):
        found = [1.0 if w is None else w for w in for_each_output(weights, names, "loss_weights")]
        return [_loss_weight(w) for w in found]
    if isinstance(weights, (list, tuple)):
        return [_loss_weight(w) for w in for_each_output(weights, names, "loss_weights")]
    raise ArgumentError(
        f"Could not interpret loss_weights argument: {weights!r} - expected a list or a dict of numbers."
    )


def _loss_weight(weight: Any) -> Any:
    return weight if isinstance(weight, Tensor) else real_number(weight, "loss_weights")


def _modes(mode: Any, names: Sequence[str]) -> list[Any]:
    several = isinstance(mode, (Mapping, list, tuple))
    modes = for_each_output(mode, names, "sample_weight_mode") if several else [mode] * len(names)
    return [check_mode(m) for m in modes]


def _targets(tensors: Any, names: Sequence[str]) -> list[Tensor | None]:
    if tensors is None or (isinstance(tensors, (list, tuple)) and not tensors):
        return [None] * len(names)
    if isinstance(tensors, (Mapping, list, tuple)):
        return for_each_output(tensors, names, "target_tensors")
    if isinstance(tensors, Tensor):
        return for_each_output([tensors], names, "target_tensors")
    raise ArgumentError(
        f"Expected `target_tensors` to be a tensor, or a list or dict of tensors, but got: {tensors!r:.80}"
    )


def _output(
    model: Any, i: int, loss: Objective, loss_weight: Any, mode: str | None, target: Tensor | None
) -> OutputSetup:
    prediction = model.outputs[i]
    name = model.output_names[i]
    shape = tuple(prediction._keras_shape)
    if mode == "temporal" and len(shape) < 2:
        raise ArgumentError(
            f'sample_weight_mode="temporal" needs an output with a time axis, but output {name!r} has shape {shape}'
        )
    if target is None:
        target = K.placeholder(ndim=len(shape), name=f"{name}_target", dtype=prediction.dtype)
    return OutputSetup(
        name=name,
        prediction=prediction,
        shape=shape,
        mask=getattr(prediction, "_keras_mask", None),
        loss=loss,
        loss_weight=loss_weight,
        mode=mode,
        target=target,
        weights=weights_tensor(prediction, mode == "temporal", f"{name}_sample_weights"),
        fed=K.is_placeholder(target),
    )
