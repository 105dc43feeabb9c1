"""Training in float16: the loss is scaled, so that small gradients are not rounded to 0 (Micikevicius et al. 2018)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from kcore import backend as K
from kcore import config, optimizers
from kcore.engine.optimizer import Optimizer
from kcore.graph import Tensor, apply
from kcore.graph.substitute import substitute
from kcore.runtime.variable import Variable

WIDE = "float32"  # what masters, state and hyper-parameters are kept in


class LossScaleOptimizer(Optimizer):
    """Another optimizer, on the gradients of a scaled loss and on float32 copies of float16 weights.

        scaled gradient = gradient of (scale * loss), in float16
        gradient        = scaled gradient / scale, in float32
        any gradient infinite or NaN:  scale <- scale / 2, and everything else stays as it was
        `growth_steps` good steps:     scale <- scale * 2

    The float32 copies ("master weights") take updates that are too small for the weights themselves; a copy that does
    not round to its weight any more, because the weight was loaded or set, begins anew from the weight.

        K.set_floatx("float16")
        model.compile(LossScaleOptimizer("adam"), "categorical_crossentropy")

    Args:
        optimizer: what trains: a name, a configuration or an object. By its name it gets hyper-parameters in float32;
            an object has them in the floatx of the time when it was made.
        initial_scale: float >= 1. In float16 a scale above 32768 cannot be represented in most losses' gradients.
        growth_steps: int >= 1. Steps without overflow after which the scale doubles.
        dynamic: whether the scale changes; a step that overflows is left out in any case.

    Attributes:
        loss_scale: the scale, a float32 variable.
        lr and the other attributes of the optimizer inside are found here, too, so that callbacks find them.

    Raises:
        ValueError: `initial_scale` or `growth_steps` is below 1.
    """

    def __init__(
        self,
        optimizer: Any = "sgd",
        initial_scale: float = 2.0**15,
        growth_steps: int = 2000,
        dynamic: bool = True,
    ) -> None:
        super().__init__()
        for name, value in (("initial_scale", initial_scale), ("growth_steps", growth_steps)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 1:
                raise ValueError(f"LossScaleOptimizer: {name} must be a number of 1 or more, got {value!r}")
        with _floatx(WIDE):
            self.optimizer: Optimizer = optimizers.get(optimizer)
        self.initial_scale, self.growth_steps, self.dynamic = float(initial_scale), int(growth_steps), dynamic
        prefix = type(self).__name__
        self.loss_scale = K.variable(self.initial_scale, dtype=WIDE, name=f"{prefix}/loss_scale:0")
        self.good_steps = K.variable(0, dtype="int64", name=f"{prefix}/good_steps:0")

    def __getattr__(self, name: str) -> Any:
        if name == "optimizer" or name.startswith("__"):  # not made yet, or nothing to delegate
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        scaled = self.get_gradients(K.cast(loss, WIDE) * self.loss_scale, params)
        gradients = [_widened(g) / K.cast(self.loss_scale, _wide(g.dtype)) for g in scaled]
        finite = _all_finite(gradients)
        masters = [_master(p) if p.dtype == "float16" else p for p in params]
        own = {m.key: p for m, p in zip(masters, params, strict=True) if m is not p}
        present = {m.key: _in_step(m, p) for m, p in zip(masters, params, strict=True) if m is not p}
        self.updates = self._scale_updates(finite)
        for variable, value in self._inner_updates(gradients, loss, masters):
            if variable.key in own:
                (value,) = substitute([value], present)
                narrow = own[variable.key]
                self._update(finite, narrow, K.cast(value, narrow.dtype), narrow)
                self._update(finite, variable, value, present[variable.key])
            else:
                self._update(finite, variable, substitute([value], present)[0], variable)
        self.weights = [
            self.loss_scale,
            self.good_steps,
            *(m for m in masters if m.key in own),
            *self.optimizer.weights,
        ]
        return self.updates

    def clip_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Scaled gradients are not clipped: the optimizer inside clips what they stand for."""
        return list(gradients)

    def _inner_updates(self, gradients: list[Tensor], loss: Tensor, masters: list[Variable]) -> list[Any]:
        """The updates of the optimizer inside, for gradients that are known."""
        inner: Any = self.optimizer
        inner.get_gradients = lambda loss, params: inner.clip_gradients(gradients)
        try:
            with _floatx(WIDE):
                return list(inner.get_updates(loss, masters))
        finally:
            del inner.get_gradients

    def _update(self, finite: Tensor, variable: Variable, value: Tensor, otherwise: Tensor) -> None:
        self.updates.append(K.update(variable, apply("where", finite, value, otherwise)))

    def _scale_updates(self, finite: Tensor) -> list[Any]:
        if not self.dynamic:
            return []
        steps = self.good_steps + 1
        grows = K.greater_equal(steps, self.growth_steps)
        grown = apply("where", grows, self.loss_scale * 2.0, self.loss_scale)
        scale = apply("where", finite, grown, K.maximum(self.loss_scale * 0.5, 1.0))
        counted = apply("where", apply("logical_and", finite, K.equal(grows, False)), steps, K.zeros_like(steps))
        return [K.update(self.loss_scale, scale), K.update(self.good_steps, counted)]

    def get_config(self) -> dict[str, Any]:
        inner = optimizers.serialize(self.optimizer)
        return {"optimizer": inner, "initial_scale": self.initial_scale, "growth_steps": self.growth_steps,
                "dynamic": self.dynamic}  # fmt: skip


@contextlib.contextmanager
def _floatx(name: str) -> Iterator[None]:
    before = config.floatx()
    config.set_floatx(name)
    try:
        yield
    finally:
        config.set_floatx(before)


def _wide(dtype: str) -> str:
    return WIDE if dtype == "float16" else dtype


def _widened(gradient: Tensor) -> Tensor:
    return K.cast(gradient, _wide(gradient.dtype))


def _all_finite(gradients: Sequence[Tensor]) -> Tensor:
    found = [K.all(K.less(K.abs(g), float("inf"))) for g in gradients]  # NaN is not less than anything
    return K.all(K.stack(found)) if found else K.constant(True, dtype="bool")


def _master(weight: Variable) -> Variable:
    name = f"training/LossScaleOptimizer/master/{weight.name.removesuffix(':0')}:0"
    return K.variable(K.cast(weight, WIDE), dtype=WIDE, name=name, constraint=weight.constraint)


def _in_step(master: Variable, weight: Variable) -> Tensor:
    """The master, unless the weight was given another value meanwhile."""
    agrees = K.equal(K.cast(master, weight.dtype), weight)
    return apply("where", agrees, master, K.cast(weight, WIDE))
