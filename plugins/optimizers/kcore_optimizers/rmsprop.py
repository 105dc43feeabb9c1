"""RMSprop (manual 9.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import ScheduledOptimizer, root, values_of


class RMSprop(ScheduledOptimizer):
    """Divides the gradient by a moving average of its recent magnitude; a good choice for recurrent networks.

        a <- rho * a + (1 - rho) * g^2
        p <- p - lr * g / (sqrt(a) + epsilon)

    T. Tieleman and G. Hinton, *Lecture 6.5: rmsprop*, Neural Networks for Machine Learning, 2012.

    Args:
        lr: float >= 0. Learning rate.
        rho: float from 0 to 1. Decay of the moving average.
        epsilon: float >= 0. Keeps the divisor from 0; None: `K.epsilon()`.
        decay: float >= 0. Decay of the learning rate over each step.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(
        self,
        lr: float = 0.001,
        rho: float = 0.9,
        epsilon: float | None = None,
        decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lr, decay, **kwargs)
        self.rho = self.hyper("rho", rho)
        self.epsilon = self.fuzz(epsilon)

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        gradients = self.get_gradients(loss, params)
        accumulators = self.slots(params, "accumulator")
        self.weights = accumulators  # without the counter: that is what files of Keras 2.1 hold
        self.start_updates()
        lr = self.learning_rate()
        for p, g, a in zip(params, gradients, accumulators, strict=True):
            new_a = self.rho * a + (1.0 - self.rho) * K.square(g)
            self.updates.append(K.update(a, new_a))
            self.update_parameter(p, p - lr * g / (root(new_a) + self.epsilon))
        return self.updates

    def get_config(self) -> dict[str, Any]:
        config = {**values_of(self, "lr", "rho", "decay"), "epsilon": self.epsilon}
        return {**super().get_config(), **config}
