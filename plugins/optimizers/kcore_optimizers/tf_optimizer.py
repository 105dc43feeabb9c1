"""`TFOptimizer`: an optimizer object from elsewhere (manual 9.2.8)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore_optimizers.base import StepCounter


class TFOptimizer(StepCounter):
    """Trains with an optimizer object that is none of kcore's.

    The object needs one method, and may have a second; both build graph with `kcore.backend`:

        apply_gradients(grads_and_vars, global_step=None)
            takes pairs (gradient, variable) and returns the updates of one step: a list of pairs
            (variable, new value) as `K.update` makes them, or one such pair. `global_step` is the counter
            `iterations`; this class advances it. A method that does not name `global_step` is called without.
        compute_gradients(loss, params)
            returns pairs (gradient, variable). Without it, gradients are `K.gradients(loss, params)`.

    The wrapper has no configuration of its own, so a model compiled with it is saved without its optimizer.

    Args:
        optimizer: such an object.

    Raises:
        TypeError: the object has no `apply_gradients`.

    Example:
        >>> class Plain:
        ...     def apply_gradients(self, grads_and_vars):
        ...         return [K.update_sub(v, 0.1 * g) for g, v in grads_and_vars]
        >>> model.compile(TFOptimizer(Plain()), "mse")
    """

    def __init__(self, optimizer: Any) -> None:
        if not callable(getattr(optimizer, "apply_gradients", None)):
            raise TypeError(f"TFOptimizer wraps an object with a method apply_gradients(pairs), got {optimizer!r}")
        super().__init__()
        self.optimizer = optimizer

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        self.weights = [self.iterations]
        self.start_updates()
        result = self._apply(self._gradients(loss, params))
        for variable, new_value in [result] if isinstance(result, tuple) else result:
            if variable is not self.iterations:
                self.update_parameter(variable, new_value)
        return self.updates

    def _gradients(self, loss: Tensor, params: Sequence[Variable]) -> list[tuple[Tensor, Variable]]:
        if hasattr(self.optimizer, "compute_gradients"):
            return self.optimizer.compute_gradients(loss, params)
        return list(zip(self.get_gradients(loss, params), params, strict=True))

    def _apply(self, pairs: list[tuple[Tensor, Variable]]) -> Any:
        if _takes(self.optimizer.apply_gradients, "global_step"):
            return self.optimizer.apply_gradients(pairs, global_step=self.iterations)
        return self.optimizer.apply_gradients(pairs)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            f"TFOptimizer cannot say how to rebuild {type(self.optimizer).__name__}. Save the model with "
            "include_optimizer=False, or write the optimizer as a subclass of kcore.optimizers.Optimizer."
        )


def _takes(function: Callable[..., Any], argument: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)
