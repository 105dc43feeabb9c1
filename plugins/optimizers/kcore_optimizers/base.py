"""What the optimizers of this package have in common."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine.optimizer import Optimizer
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore.shapes import real_number


class StepCounter(Optimizer):
    """An optimizer that counts its steps.

    Args:
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.iterations = K.variable(0, dtype="int64", name=f"{type(self).__name__}/iterations:0")

    def hyper(self, name: str, value: float) -> Variable:
        """A hyper-parameter as a variable, to be read and set with `K.get_value` and `K.set_value`."""
        return K.variable(self.number(name, value), name=f"{type(self).__name__}/{name}:0")

    def number(self, name: str, value: Any) -> Any:
        """A hyper-parameter as it was given.

        Raises:
            ArgumentError: it is not a number.
        """
        return real_number(value, name, type(self).__name__)

    def fuzz(self, epsilon: float | None) -> float:
        """`epsilon`, by default `K.epsilon()`."""
        return K.epsilon() if epsilon is None else self.number("epsilon", epsilon)

    def step(self) -> Tensor:
        """The number of this step, from 1, as a float."""
        return K.cast(self.iterations, K.floatx()) + 1.0

    def start_updates(self) -> None:
        """Begin the list of updates with that of the counter."""
        self.updates = [K.update_add(self.iterations, 1)]


class ScheduledOptimizer(StepCounter):
    """A step counter with a learning rate that can decay with the steps.

    Args:
        lr: float >= 0. Learning rate; a variable, so that callbacks can change it.
        decay: float >= 0. At step t (from 0) the learning rate is `lr / (1 + decay * t)`.
        kwargs: `clipnorm`, `clipvalue`.
    """

    def __init__(self, lr: float, decay: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lr = self.hyper("lr", lr)
        self.decay = self.hyper("decay", decay)
        self.initial_decay = decay

    def learning_rate(self) -> Tensor:
        """The learning rate of this step."""
        if self.initial_decay > 0:
            return self.lr * (1.0 / (1.0 + self.decay * K.cast(self.iterations, K.dtype(self.decay))))
        return self.lr

    def state_layout(self, count: int) -> list[Variable]:
        """Allows for the counter of steps in front, as Keras 2.3 saves it where 2.1 does not."""
        if self.weights and count == len(self.weights) + 1 and self.iterations not in self.weights:
            return [self.iterations, *self.weights]
        return self.weights


def values_of(optimizer: Optimizer, *names: str) -> dict[str, float]:
    """The present values of hyper-parameters that are variables, by name."""
    return {name: float(K.get_value(getattr(optimizer, name))) for name in names}


def root(x: Tensor) -> Tensor:
    """The square root of what cannot be negative: `K.sqrt` would compare with 0 first."""
    return K.pow(x, 0.5)
