"""Adam and its variant AMSGrad (manual 9.2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import ScheduledOptimizer, root, values_of


class Adam(ScheduledOptimizer):
    """Moving averages of the gradient and of its square, corrected for their start at 0. At step t, from 1:

        m <- beta_1 * m + (1 - beta_1) * g
        v <- beta_2 * v + (1 - beta_2) * g^2
        p <- p - lr * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    and with AMSGrad the largest v so far in the place of v.

    D. P. Kingma and J. Ba, *Adam: A Method for Stochastic Optimization*, arXiv:1412.6980, 2014 (the efficient
    form at the end of section 2); S. J. Reddi, S. Kale and S. Kumar, *On the Convergence of Adam and Beyond*,
    ICLR 2018.

    Args:
        lr: float >= 0. Learning rate.
        beta_1: float, 0 < beta < 1. Decay of the average of the gradient.
        beta_2: float, 0 < beta < 1. Decay of the average of its square.
        epsilon: float >= 0. Keeps the divisor from 0; None: `K.epsilon()`.
        decay: float >= 0. Decay of the learning rate over each step.
        amsgrad: whether to apply AMSGrad.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = None,
        decay: float = 0.0,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.beta_1 = self.hyper("beta_1", beta_1)
        self.beta_2 = self.hyper("beta_2", beta_2)
        self.epsilon = self.fuzz(epsilon)
        self.amsgrad = amsgrad

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        gradients = self.get_gradients(loss, params)
        ms, vs, v_maxima = self.slots(params, "m"), self.slots(params, "v"), self._maxima(params)
        self.weights = [self.iterations, *ms, *vs, *v_maxima]
        self.start_updates()
        t = self.step()
        lr = self.learning_rate() * (root(1.0 - K.pow(self.beta_2, t)) / (1.0 - K.pow(self.beta_1, t)))
        for p, g, m, v, v_max in zip(params, gradients, ms, vs, v_maxima, strict=True):
            new_m = self.beta_1 * m + (1.0 - self.beta_1) * g
            new_v = self.beta_2 * v + (1.0 - self.beta_2) * K.square(g)
            self.updates += [K.update(m, new_m), K.update(v, new_v)]
            magnitude = new_v
            if self.amsgrad:
                magnitude = K.maximum(v_max, new_v)
                self.updates.append(K.update(v_max, magnitude))
            self.update_parameter(p, p - lr * new_m / (root(magnitude) + self.epsilon))
        return self.updates

    def _maxima(self, params: Sequence[Variable]) -> list[Variable]:
        """The largest v so far; without AMSGrad one unused number each, which Keras 2.1 has in its files."""
        if self.amsgrad:
            return self.slots(params, "v_max")
        return [K.variable([0.0], name=f"training/Adam/v_max_{i}:0") for i in range(len(params))]

    def state_layout(self, count: int) -> list[Variable]:
        """Allows for files of Keras before 2.1.3, which end with the averages: no largest v."""
        averages = 1 + (len(self.weights) - 1) // 3 * 2
        if count == averages and not self.amsgrad:
            return self.weights[:averages]
        return super().state_layout(count)

    def get_config(self) -> dict[str, Any]:
        config = {**values_of(self, "lr", "beta_1", "beta_2", "decay"), "epsilon": self.epsilon}
        return {**super().get_config(), **config, "amsgrad": self.amsgrad}
