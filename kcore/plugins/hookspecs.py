"""The hooks by which a plugin takes part in something, rather than being looked up.

A plugin names a module with hooks in its metadata, and marks functions in it:

    [project.entry-points."kcore.hooks"]
    my_plugin = "my_plugin.hooks"

    # my_plugin/hooks.py
    from kcore.plugins.hookspecs import hookimpl

    @hookimpl
    def kcore_fit_callbacks(model):
        return [MyCallback()]

An implementation may leave out arguments it does not need, and return None for nothing. Hook modules
are imported at the first call of any hook, in the order of the distributions' names, which is also
the order of the calls. Looking up a layer or a loss never imports them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pluggy

hookspec = pluggy.HookspecMarker("kcore")
hookimpl = pluggy.HookimplMarker("kcore")


class Command(NamedTuple):
    """A command of the program `kcore`.

    Args:
        name: as typed: `kcore <name>`.
        help: one line.
        configure: adds the command's arguments to its parser.
        run: does it, and returns the exit status.
    """

    name: str
    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@hookspec
def kcore_fit_callbacks(model: Any) -> list[Any] | None:  # type: ignore[empty-body]
    """Callbacks to add to every `fit`, after the user's own.

    Args:
        model: the compiled model that is about to be trained.

    Returns:
        `kcore.callbacks.Callback` instances.

    Example:
        A plugin that logs every training run returns `[RunLogger()]`.
    """


@hookspec
def kcore_graph_passes() -> list[tuple[str, Callable[[Any], Any]]] | None:  # type: ignore[empty-body]
    """Rewrites to apply when a graph is compiled, after the core's own.

    They see the graph for concrete shapes, with the learning phase decided; bodies of loops come one by one.

    Returns:
        Pairs of a name and a function from the outputs of a graph (and the new values of its variables), a list
        of tensors, to equivalent ones: as many, of the same shapes and dtypes.

    Example:
        `[("fold_scale", fold_scale)]` where `fold_scale(outputs)` returns new output tensors.
    """


@hookspec
def kcore_device_kernels(device: str) -> Mapping[str, Callable[..., Any]] | None:  # type: ignore[empty-body]
    """Faster kernels for a device.

    Args:
        device: the device's name: 'numpy', 'cupy'.

    Returns:
        Op name to kernel: `bind(ctx, outs, ins, attrs)`, called once with the final arrays, which returns the
        call to repeat. It goes before the device's own.

    Example:
        `{"depthwise_conv": compiled_depthwise_conv} if device == "numpy" else None`
    """


@hookspec
def kcore_model_saved(model: Any, path: str) -> None:
    """Called after a model has been written.

    Args:
        model: the model.
        path: the complete file.

    Example:
        A plugin that keeps a model registry records path, time and distribution versions.
    """


@hookspec
def kcore_model_loaded(model: Any, path: str) -> None:
    """Called after a model has been read.

    Args:
        model: the loaded model, compiled if it was saved so.
        path: the file.
    """


@hookspec
def kcore_cli_commands() -> list[Command] | None:  # type: ignore[empty-body]
    """Further commands of the program `kcore`.

    Example:
        `[Command("serve", "serve a model over HTTP", configure, run)]`
    """
