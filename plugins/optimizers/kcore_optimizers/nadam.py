"""Nadam (manual 9.2.7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import StepCounter, root, values_of


class Nadam(StepCounter):
    """Adam with Nesterov momentum, whose coefficient `mu` warms up. At step t, from 1:

        mu_t = beta_1 * (1 - 0.5 * 0.96^(t * schedule_decay))
        P_t  = mu_1 * mu_2 * ... * mu_t                           (the variable `m_schedule`)
        m <- beta_1 * m + (1 - beta_1) * g
        v <- beta_2 * v + (1 - beta_2) * g^2
        direction = (1 - mu_t) * g / (1 - P_t) + mu_(t+1) * m / (1 - P_(t+1))
        p <- p - lr * direction / (sqrt(v / (1 - beta_2^t)) + epsilon)

    T. Dozat, *Incorporating Nesterov Momentum into Adam*, 2015; I. Sutskever et al., *On the importance of
    initialization and momentum in deep learning*, ICML 2013.

    Args:
        lr: float >= 0. Learning rate.
        beta_1: float, 0 < beta < 1. Decay of the average of the gradient.
        beta_2: float, 0 < beta < 1. Decay of the average of its square.
        epsilon: float >= 0. Keeps the divisor from 0; None: `K.epsilon()`.
        schedule_decay: float >= 0. How fast the momentum warms up.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(
        self,
        lr: float = 0.002,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        schedule_decay: float = 0.004,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lr = self.hyper("lr", lr)
        self.m_schedule = self.hyper("m_schedule", 1.0)
        self.beta_1 = self.hyper("beta_1", beta_1)
        self.beta_2 = self.hyper("beta_2", beta_2)
        self.epsilon = self.fuzz(epsilon)
        self.schedule_decay = self.number("schedule_decay", schedule_decay)

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        gradients = self.get_gradients(loss, params)
        ms, vs = self.slots(params, "m"), self.slots(params, "v")
        self.weights = [self.iterations, *ms, *vs]
        self.start_updates()
        t = self.step()
        mu, mu_next = self._momentum(t), self._momentum(t + 1.0)
        schedule = self.m_schedule * mu
        self.updates.append(K.update(self.m_schedule, schedule))
        g_scale = (1.0 - mu) / (1.0 - schedule)
        m_scale = mu_next / (1.0 - schedule * mu_next)
        v_scale = 1.0 / (1.0 - K.pow(self.beta_2, t))
        for p, g, m, v in zip(params, gradients, ms, vs, strict=True):
            new_m = self.beta_1 * m + (1.0 - self.beta_1) * g
            new_v = self.beta_2 * v + (1.0 - self.beta_2) * K.square(g)
            self.updates += [K.update(m, new_m), K.update(v, new_v)]
            direction = g_scale * g + m_scale * new_m
            self.update_parameter(p, p - self.lr * direction / (root(v_scale * new_v) + self.epsilon))
        return self.updates

    def _momentum(self, t: Tensor) -> Tensor:
        return self.beta_1 * (1.0 - 0.5 * K.exp(t * (self.schedule_decay * math.log(0.96))))

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the state from arrays in the order of `weights`.

        Keras 2.1 does not save `m_schedule`. It is worked out from the counter, so that training goes on as
        if it had not stopped.
        """
        super().set_weights(weights)
        if len(weights) == len(self.weights):
            K.set_value(self.m_schedule, self._schedule_after(int(K.get_value(self.iterations))))

    def state_layout(self, count: int) -> list[Variable]:
        """Allows for `m_schedule` after the counter, as Keras 2.3 saves it."""
        if count == len(self.weights) + 1:
            return [self.iterations, self.m_schedule, *self.weights[1:]]
        return self.weights

    def _schedule_after(self, steps: int) -> float:
        """P_t: the product of the momentum coefficients of the first `steps` steps."""
        beta_1, product = float(K.get_value(self.beta_1)), 1.0
        for t in range(1, steps + 1):
            product *= beta_1 * (1.0 - 0.5 * 0.96 ** (t * self.schedule_decay))
            if product < 1e-40:  # 0 in float32, and so it stays
                return 0.0
        return product

    def get_config(self) -> dict[str, Any]:
        config = {**values_of(self, "lr", "beta_1", "beta_2"), "epsilon": self.epsilon}
        return {**super().get_config(), **config, "schedule_decay": self.schedule_decay}
