"""Adagrad (manual 9.2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import ScheduledOptimizer, root, values_of


class Adagrad(ScheduledOptimizer):
    """Gives each parameter a learning rate of its own, smaller the more it was updated before.

        a <- a + g^2
        p <- p - lr * g / (sqrt(a) + epsilon)

    J. Duchi, E. Hazan and Y. Singer, *Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization*, JMLR 12, 2011.

    Args:
        lr: float >= 0. Learning rate.
        epsilon: float >= 0. Keeps the divisor from 0; None: `K.epsilon()`.
        decay: float >= 0. Decay of the learning rate over each step.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(self, lr: float = 0.01, epsilon: float | None = None, decay: float = 0.0, **kwargs: Any) -> None:
        super().__init__(lr, decay, **kwargs)
        self.epsilon = self.fuzz(epsilon)

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        gradients = self.get_gradients(loss, params)
        accumulators = self.slots(params, "accumulator")
        self.weights = accumulators  # without the counter: that is what files of Keras 2.1 hold
        self.start_updates()
        lr = self.learning_rate()
        for p, g, a in zip(params, gradients, accumulators, strict=True):
            new_a = a + K.square(g)
            self.updates.append(K.update(a, new_a))
            self.update_parameter(p, p - lr * g / (root(new_a) + self.epsilon))
        return self.updates

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **values_of(self, "lr", "decay"), "epsilon": self.epsilon}
