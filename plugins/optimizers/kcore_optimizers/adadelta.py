"""Adadelta (manual 9.2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import ScheduledOptimizer, root, values_of


class Adadelta(ScheduledOptimizer):
    """Adagrad over a moving window of gradients, with steps in the unit of the parameters.

        a <- rho * a + (1 - rho) * g^2
        u  = g * sqrt(d + epsilon) / sqrt(a + epsilon)
        p <- p - lr * u
        d <- rho * d + (1 - rho) * u^2

    M. D. Zeiler, *Adadelta: an adaptive learning rate method*, arXiv:1212.5701, 2012.

    Args:
        lr: float >= 0. Learning rate; the paper has none, that is 1.
        rho: float from 0 to 1. Decay of the moving averages.
        epsilon: float >= 0. Keeps the divisor from 0 and starts the first steps; None: `K.epsilon()`.
        decay: float >= 0. Decay of the learning rate over each step.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(
        self,
        lr: float = 1.0,
        rho: float = 0.95,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.rho = self.number("rho", rho)
        self.epsilon = self.fuzz(epsilon)

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        gradients = self.get_gradients(loss, params)
        accumulators = self.slots(params, "accumulator")
        delta_accumulators = self.slots(params, "delta_accumulator")
        self.weights = [*accumulators, *delta_accumulators]  # without the counter: as files of Keras 2.1
        self.start_updates()
        lr = self.learning_rate()
        for p, g, a, d in zip(params, gradients, accumulators, delta_accumulators, strict=True):
            new_a = self.rho * a + (1.0 - self.rho) * K.square(g)
            self.updates.append(K.update(a, new_a))
            change = g * root(d + self.epsilon) / root(new_a + self.epsilon)
            self.update_parameter(p, p - lr * change)
            self.updates.append(K.update(d, self.rho * d + (1.0 - self.rho) * K.square(change)))
        return self.updates

    def get_config(self) -> dict[str, Any]:
        config = {**values_of(self, "lr", "decay"), "rho": self.rho, "epsilon": self.epsilon}
        return {**super().get_config(), **config}
