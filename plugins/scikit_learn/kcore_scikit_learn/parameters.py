"""Which of an estimator's parameters go where: to the function that builds the model, or to a method of the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from kcore.models import Sequential

#: The methods of a model that take parameters of an estimator.
METHODS: tuple[Callable[..., Any], ...] = (
    Sequential.fit,
    Sequential.predict,
    Sequential.predict_classes,
    Sequential.evaluate,
)
#: What the estimator itself passes to them.
_GIVEN = {"self", "x", "y"}


def accepted(function: Callable[..., Any]) -> set[str]:
    """Names of the arguments that a function takes; without those of `**kwargs`."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - _GIVEN


def takes_any(function: Callable[..., Any]) -> bool:
    """Whether a function takes `**kwargs`."""
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def select(parameters: Mapping[str, Any], function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters that a function takes."""
    names = accepted(function)
    return {name: value for name, value in parameters.items() if name in names}


def for_builder(parameters: Mapping[str, Any], build: Callable[..., Any]) -> dict[str, Any]:
    """The parameters that the function that builds the model takes; with `**kwargs`, all that no method takes."""
    if not takes_any(build):
        return select(parameters, build)
    of_methods = set().union(*map(accepted, METHODS)) - accepted(build)
    return {name: value for name, value in parameters.items() if name not in of_methods}


def check(parameters: Mapping[str, Any], build: Callable[..., Any]) -> None:
    """Refuse parameters that nobody takes.

    Raises:
        ValueError: names the first such one, and what there is.
    """
    if takes_any(build):
        return
    of_builder, of_methods = accepted(build), set().union(*map(accepted, METHODS))
    for name in parameters:
        if name not in of_builder | of_methods:
            raise ValueError(
                f"{name} is not a legal parameter. The function that builds the model takes "
                f"{', '.join(sorted(of_builder)) or 'none'}; fit, predict and evaluate take "
                f"{', '.join(sorted(of_methods))}"
            )
