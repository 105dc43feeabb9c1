"""How a golden case of a layer is described: the table entries of `layer_cases/*.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]
Mask = list[list[int]]


@dataclass(frozen=True)
class Case:
    """One configuration of one layer, with the shapes of what is fed to it.

    `layer` and every nested layer are `{"class_name": ..., "config": {...}}` with Keras 2.1.6 arguments; `inputs` has
    one entry an input: a shape, whose values are then drawn, or `values([...])`. `peer` changes
    the configuration for the layer that computes the values, `precision` is the dtype that it computes in.
    `step` above 0 is the size of a step of gradient descent on the loss with the penalties on the
    weights, under the weights' constraints.
    """

    name: str
    layer: dict[str, Any]
    inputs: tuple[Any, ...]
    masks: tuple[Mask | None, ...] = ()
    initial_state: tuple[Shape, ...] = ()
    constants: tuple[Shape, ...] = ()
    reset_states: tuple[Shape, ...] = ()
    batches: int = 1
    learning_phase: int = 0
    step: float = 0.0
    input_scale: float = 1.0
    precision: str = "float64"
    peer: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def spec(class_name: str, **config: Any) -> dict[str, Any]:
    """A layer as data: what `kcore.layers.deserialize` takes."""
    return {"class_name": class_name, "config": config}


def values(numbers: list, dtype: str = "int32") -> dict[str, Any]:
    """An input with these values."""
    return {"values": numbers, "dtype": dtype}


def case(class_name: str, *inputs: Any, name: str = "", args: Mapping[str, Any] | None = None, **options: Any) -> Case:
    """A case of the layer `class_name(**args)`; its name is made from the arguments unless given."""
    args = dict(args or {})
    name = f"{class_name}-{name}" if name else "-".join([class_name, *(_describe(k, v) for k, v in args.items())])
    return Case(name=name, layer=spec(class_name, **args), inputs=tuple(inputs), **options)


def _describe(key: str, value: Any) -> str:
    return f"{key}={_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        config = value["config"]
        size = next((config[k] for k in ("units", "filters") if k in config), "") if isinstance(config, dict) else ""
        return f"{value['class_name']}{size}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "x".join(_text(item) for item in value)
    return str(value)


def disciplined(class_name: str, *inputs: Any, parts: Sequence[str], args: Mapping[str, Any], **options: Any) -> Case:
    """A case with a penalty and a constraint on each weight, and a step of gradient descent under them."""
    penalties = [
        spec("L1L2", l1=0.02, l2=0.03), spec("L1L2", l1=0.0, l2=0.05), spec("L1L2", l1=0.01, l2=0.0),
    ]  # fmt: skip
    bounds = [
        spec("MaxNorm", max_value=0.7, axis=0),
        spec("NonNeg"),
        spec("UnitNorm", axis=0),
        spec("MinMaxNorm", min_value=0.4, max_value=0.8, rate=0.6, axis=0),
    ]
    rules = {}
    for i, part in enumerate(parts):
        rules[f"{part}_regularizer"] = penalties[i % len(penalties)]
        rules[f"{part}_constraint"] = bounds[(i + len(class_name)) % len(bounds)]
    return case(class_name, *inputs, name="penalties-constraints", args={**args, **rules}, step=0.1, **options)


def check_names(cases: Sequence[Case]) -> Sequence[Case]:
    """Names are test ids and keys: two equal ones are a mistake in the table."""
    names = [one.name for one in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several cases are called {twice}: give them a `name`")
    return cases
