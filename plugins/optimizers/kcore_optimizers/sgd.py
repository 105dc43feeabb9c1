"""Stochastic gradient descent (manual 9.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import ScheduledOptimizer, values_of


class SGD(ScheduledOptimizer):
    """Stochastic gradient descent, with momentum, decay of the learning rate, and Nesterov momentum.

        v <- momentum * v - lr * g
        p <- p + v                          (Nesterov: p + momentum * v - lr * g)

    Args:
        lr: float >= 0. Learning rate.
        momentum: float >= 0. Accelerates in the directions that last and damps oscillations.
        decay: float >= 0. Decay of the learning rate over each step.
        nesterov: whether to use Nesterov momentum.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(
        self,
        lr: float = 0.01,
        momentum: float = 0.0,
        decay: float = 0.0,
        nesterov: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.momentum = self.hyper("momentum", momentum)
        self.nesterov = nesterov

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        gradients = self.get_gradients(loss, params)
        moments = self.slots(params, "moment")
        self.weights = [self.iterations, *moments]
        self.start_updates()
        lr = self.learning_rate()
        for p, g, m in zip(params, gradients, moments, strict=True):
            v = self.momentum * m - lr * g
            self.updates.append(K.update(m, v))
            self.update_parameter(p, p + (self.momentum * v - lr * g if self.nesterov else v))
        return self.updates

    def get_config(self) -> dict[str, Any]:
        config = {**values_of(self, "lr", "momentum", "decay"), "nesterov": self.nesterov}
        return {**super().get_config(), **config}
