"""`Optimizer`: the base class of all optimizers (manual chapter 9)."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

from kcore import backend as K
from kcore.errors import DataError, GradientError
from kcore.graph import Tensor
from kcore.runtime.variable import Variable
from kcore.shapes import listed, real_number
from kcore.versions import explained_constructor, parameters_of, unknown_arguments

_KEYWORDS = frozenset(("clipnorm", "clipvalue"))


class Optimizer:
    """Base of all optimizers: gradients with clipping, state as variables, configuration.

    A subclass sets its hyper-parameters up in `__init__`, as variables where they can be changed during training
    (`optimizer.lr = 0.01` or `K.set_value(optimizer.lr, 0.01)`), and says in `get_updates` how parameters follow
    from gradients:

        class Plain(Optimizer):
            def __init__(self, lr=0.01, **kwargs):
                super().__init__(**kwargs)
                self.iterations = K.variable(0, dtype="int64", name="iterations")
                self.lr = K.variable(lr, name="lr")

            def get_updates(self, loss, params):
                self.weights = [self.iterations]
                self.updates = [K.update_add(self.iterations, 1)]
                for p, g in zip(params, self.get_gradients(loss, params)):
                    self.update_parameter(p, p - self.lr * g)
                return self.updates

            def get_config(self):
                return {"lr": float(K.get_value(self.lr)), **super().get_config()}

    Args:
        clipnorm: float > 0; gradients are scaled down together so that the norm of all of them is at most
            this.
        clipvalue: float > 0; each element of a gradient is clipped to between -clipvalue and clipvalue.

    Attributes:
        weights: the variables that make up the state, in the order in which files hold them.
        updates: the pairs (variable, new value) of one step; `get_updates` makes both lists.

    Raises:
        TypeError: another keyword argument.
    """

    weights: list[Variable]
    updates: list[Any]
    clipnorm: float
    clipvalue: float

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        explained_constructor(cls)

    def __init__(self, **kwargs: Any) -> None:
        if not _KEYWORDS.issuperset(kwargs):
            known = parameters_of(type(self)) | _KEYWORDS
            raise unknown_arguments(type(self).__name__, kwargs.keys() - _KEYWORDS, known)
        for name, value in kwargs.items():
            setattr(self, name, value if value is None else real_number(value, name, type(self).__name__))
        self.updates = []
        self.weights = []

    def __setattr__(self, name: str, value: Any) -> None:
        """`optimizer.lr = 0.01` sets the value of the variable, so that it holds in a training that was begun."""
        present = self.__dict__.get(name)
        if isinstance(present, Variable) and isinstance(value, Real):
            K.set_value(present, value)
        else:
            super().__setattr__(name, value)

    def get_updates(self, loss: Tensor, params: Sequence[Variable]) -> list[Any]:
        """The updates of one step that makes `loss` smaller; creates the state for `params`.

        Args:
            loss: scalar.
            params: the variables to train.

        Returns:
            Pairs (variable, new value), as `K.update` makes them.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define get_updates(loss, params)")

    def get_gradients(self, loss: Tensor, params: Sequence[Variable]) -> list[Tensor]:
        """Gradients of `loss` for each of `params`, clipped as `clipnorm` and `clipvalue` say.

        Raises:
            GradientError: `loss` does not depend differentiably on one of the parameters.
        """
        return self.clip_gradients(_checked(K.gradients(loss, list(params)), params))

    def clip_gradients(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Clip by common norm, then by value, where these were asked for."""
        clipped = list(gradients)
        norm_limit = getattr(self, "clipnorm", None) or 0
        value_limit = getattr(self, "clipvalue", None) or 0
        if norm_limit > 0 and clipped:
            norm = K.sqrt(sum(K.sum(K.square(g)) for g in clipped))
            # norm_limit / norm where the norm is above the limit, else 1; never divides by 0
            scale = norm_limit / K.maximum(norm, norm_limit)
            clipped = [g * scale for g in clipped]
        if value_limit > 0:
            clipped = [K.clip(g, -value_limit, value_limit) for g in clipped]
        return clipped

    # -- for subclasses ----------------------------------------------------------------------------------
    def slots(self, params: Sequence[Variable], name: str) -> list[Variable]:
        """State for each of `params`: a variable of its shape and dtype, filled with 0."""
        prefix = f"training/{type(self).__name__}/{name}"
        return [  # with a number in its name: two parameters can be called the same, two data sets of a file cannot
            K.variable(K.zeros_like(p), dtype=K.dtype(p), name=f"{prefix}_{i}/{p.name.removesuffix(':0')}:0")
            for i, p in enumerate(params)
        ]

    def update_parameter(self, parameter: Variable, new_value: Tensor) -> None:
        """Let `new_value`, under the parameter's constraint if it has one, take its place."""
        constraint = getattr(parameter, "constraint", None)
        if constraint is not None:
            new_value = constraint(new_value)
        self.updates.append(K.update(parameter, new_value))

    # -- state -------------------------------------------------------------------------------------------
    def get_weights(self) -> list[Any]:
        """The values of the state, as a list of arrays in the order of `weights`."""
        return K.batch_get_value(self.weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the state from arrays in the order of `weights`.

        The state exists once `get_updates` was called, which a model does when it is first trained.

        Raises:
            DataError: count or shapes do not fit.
        """
        weights = listed(weights, "weights", "arrays, as get_weights() returns them,", type(self).__name__)
        variables = self.state_layout(len(weights))
        if len(weights) != len(variables):
            hint = "" if variables else " Its state is created when a compiled model is first trained."
            raise DataError(
                f"{type(self).__name__} has {len(variables)} weights, but was given {len(weights)} arrays.{hint}",
                argument="weights",
            )
        pairs = list(zip(variables, weights, strict=True))
        for variable, array in pairs:
            given, wanted = tuple(getattr(array, "shape", ())), K.int_shape(variable)
            if given != wanted:
                raise DataError(
                    f"Optimizer weight shape {wanted} not compatible with provided weight shape {given} "
                    f"({type(self).__name__}, {variable.name})",
                    argument="weights",
                )
        K.batch_set_value(pairs)

    def state_layout(self, count: int) -> list[Variable]:
        """Hook: the variables that `count` saved arrays stand for.

        Other versions of Keras save more or fewer than the `weights`.
        """
        return self.weights

    # -- configuration -----------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make an equal optimizer; plain Python values."""
        return {name: getattr(self, name) for name in ("clipnorm", "clipvalue") if hasattr(self, name)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """An optimizer made from what `get_config` returned."""
        return cls(**config)


def _checked(gradients: Sequence[Tensor | None], params: Sequence[Variable]) -> list[Tensor]:
    missing = [p.name for p, g in zip(params, gradients, strict=True) if g is None]
    if missing:
        raise GradientError(
            f"the loss has no gradient for {', '.join(missing)}: either it does not depend on it, or only "
            "through operations without a gradient, such as K.argmax, K.round or K.equal. Take these out of "
            "the way from the weights to the loss, or set trainable = False on the layer."
        )
    return [g for g in gradients if g is not None]
