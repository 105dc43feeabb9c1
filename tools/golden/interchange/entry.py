"""What a line of the table says: a layer, the configuration that goes into every shape of model, and further ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from layer_case import spec


@dataclass(frozen=True)
class Variant:
    """One configuration of a layer, and what is fed to it: shapes with the batch, or `layer_case.values(...)`."""

    name: str
    layer: dict[str, Any]
    inputs: tuple[Any, ...]
    initial_state: tuple[tuple[int, ...], ...] = ()
    constants: tuple[tuple[int, ...], ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        return self.layer["config"]


@dataclass(frozen=True)
class Entry:
    """A layer: `main` is its plain configuration, `others` change what the file holds of it.

    `leave_out` names shapes of model that make no sense for it, each with the reason.
    """

    main: Variant
    others: tuple[Variant, ...] = ()
    leave_out: dict[str, str] | None = None

    @property
    def class_name(self) -> str:
        return self.main.layer["class_name"]

    def variants(self, group: str) -> list[Variant]:
        """The configurations that stand side by side in one model: see `group_of`."""
        return [one for one in (self.main, *self.others) if group_of(one.layer) == group]


def entry(class_name: str, *inputs: Any, others: tuple = (), leave_out: dict | None = None, **args: Any) -> Entry:
    """A line of the table; `others` are made by `other`."""
    main = Variant(f"{class_name}_main", spec(class_name, **args), inputs)
    made = tuple(
        Variant(
            f"{class_name}_{name}",
            spec(class_name, **{**args, **changes}),
            shapes or inputs,
            **more,
        )
        for name, shapes, changes, more in others
    )
    return Entry(main, made, leave_out)


def other(name: str, *inputs: Any, **changes: Any) -> tuple[str, tuple, dict[str, Any], dict[str, Any]]:
    """A further configuration: the main one with changed arguments, and with other inputs where some are given."""
    more = {key: changes.pop(key) for key in ("initial_state", "constants") if key in changes}
    return name, inputs, changes, more


def parts(layer: Any) -> Iterator[dict[str, Any]]:
    """A description of a layer and of all layers, cells and models in it."""
    if isinstance(layer, dict):
        if "class_name" in layer:
            yield layer
        for value in layer.values():
            yield from parts(value)
    elif isinstance(layer, list | tuple):
        for value in layer:
            yield from parts(value)


def group_of(layer: dict[str, Any]) -> str:
    """Which configurations share a model: those with states want a fixed batch, channels_first other inputs."""
    configs = [part["config"] for part in parts(layer) if isinstance(part["config"], dict)]
    if any(config.get("stateful") for config in configs):
        return "stateful"
    if any(config.get("data_format") == "channels_first" for config in configs):
        return "channels_first"
    return "alone"


def named(layer: Any, name: str) -> Any:
    """The description with names for all that has none, so that both frameworks call everything the same."""
    if isinstance(layer, list | tuple):
        return [named(part, f"{name}_{i}") for i, part in enumerate(layer)]
    if not (isinstance(layer, dict) and "class_name" in layer):
        return layer
    config = dict(layer["config"])
    for key in ("layer", "cell", "cells", "layers"):
        if key in config:
            config[key] = named(config[key], f"{name}_{key}")
    return {"class_name": layer["class_name"], "config": {"name": name, **config}}
