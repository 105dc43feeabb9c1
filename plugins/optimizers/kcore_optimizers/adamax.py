"""Adamax (manual 9.2.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import ScheduledOptimizer, values_of


class Adamax(ScheduledOptimizer):
    """Adam with the infinity norm in the place of the 2-norm. At step t, from 1:

        m <- beta_1 * m + (1 - beta_1) * g
        u <- max(beta_2 * u, |g|)
        p <- p - lr / (1 - beta_1^t) * m / (u + epsilon)

    D. P. Kingma and J. Ba, *Adam: A Method for Stochastic Optimization*, arXiv:1412.6980, 2014, section 7.

    Args:
        lr: float >= 0. Learning rate.
        beta_1: float, 0 < beta < 1. Decay of the average of the gradient.
        beta_2: float, 0 < beta < 1. Decay of the largest magnitude.
        epsilon: float >= 0. Keeps the divisor from 0; None: `K.epsilon()`.
        decay: float >= 0. Decay of the learning rate over each step.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.beta_1 = self.hyper("beta_1", beta_1)
        self.beta_2 = self.hyper("beta_2", beta_2)
        self.epsilon = self.fuzz(epsilon)

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        gradients = self.get_gradients(loss, params)
        ms, us = self.slots(params, "m"), self.slots(params, "u")
        self.weights = [self.iterations, *ms, *us]
        self.start_updates()
        lr = self.learning_rate() / (1.0 - K.pow(self.beta_1, self.step()))
        for p, g, m, u in zip(params, gradients, ms, us, strict=True):
            new_m = self.beta_1 * m + (1.0 - self.beta_1) * g
            new_u = K.maximum(self.beta_2 * u, K.abs(g))
            self.updates += [K.update(m, new_m), K.update(u, new_u)]
            self.update_parameter(p, p - lr * new_m / (new_u + self.epsilon))
        return self.updates

    def get_config(self) -> dict[str, Any]:
        config = {**values_of(self, "lr", "beta_1", "beta_2", "decay"), "epsilon": self.epsilon}
        return {**super().get_config(), **config}
