"""Pictures of models: layers as boxes, calls as arrows. Needs pydot, and Graphviz to draw."""

from __future__ import annotations

import os
import shutil
from typing import Any

from kcore.engine import Network, Sequential, Wrapper
from kcore.errors import ArgumentError, PlotPackageError, PlotProgramError

_HOW_TO_INSTALL_PYDOT = (
    'Drawing a model needs the Python package pydot: pip install "kcore[plot]" (or pip install pydot).'
)
_HOW_TO_INSTALL_GRAPHVIZ = (
    "Drawing a model needs the program `dot` of Graphviz, which is not on the PATH. Install it with "
    "`apt install graphviz`, `brew install graphviz`, `conda install graphviz`, or from https://graphviz.org/download; "
    "or write the text of the graph, with a `to_file` that ends in '.dot'."
)


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
) -> None:
    """Draws a model into a file. Manual, sections 18 and 20.8.

    Args:
        model: a model.
        to_file: path; its ending chooses the format: '.png' (default), '.svg', '.pdf', ..., and '.dot' for the
            text of the graph, which needs no Graphviz.
        show_shapes: whether to show the shapes of inputs and outputs.
        show_layer_names: whether to show the names of the layers.
        rankdir: 'TB' from top to bottom, 'LR' from left to right.
        expand_nested: whether models inside are drawn layer by layer, in a frame, and not as one box.

    Raises:
        PlotPackageError (an ImportError): pydot is missing; says how to install it.
        PlotProgramError (an OSError): Graphviz is missing, likewise.
    """
    dot = model_to_dot(model, show_shapes, show_layer_names, rankdir, expand_nested)
    path = os.fspath(to_file)
    file_format = os.path.splitext(path)[1][1:].lower() or "png"
    if file_format in ("dot", "gv"):
        dot.write(path, format="raw")
        return
    if shutil.which("dot") is None:
        raise PlotProgramError(_HOW_TO_INSTALL_GRAPHVIZ)
    dot.write(path, format=file_format)


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
) -> Any:
    """A model as a `pydot.Dot` graph; arguments as in `plot_model`.

    Raises:
        PlotPackageError (an ImportError): pydot is missing.
    """
    if not isinstance(model, Network):
        raise ArgumentError(f"Expected a model, got {model!r}")
    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise ArgumentError(f"rankdir is {rankdir!r}; expected 'TB' or 'LR'")
    try:
        import pydot
    except ImportError as error:
        raise PlotPackageError(_HOW_TO_INSTALL_PYDOT) from error
    if isinstance(model, Sequential):
        model.build()
    dot = pydot.Dot(graph_type="digraph", rankdir=rankdir, concentrate=True)
    dot.set_node_defaults(shape="record")
    _Drawing(pydot, show_shapes, show_layer_names, expand_nested).draw(model, dot, "")
    return dot


class _Drawing:
    """Boxes and arrows of one picture."""

    def __init__(self, pydot: Any, show_shapes: bool, show_layer_names: bool, expand_nested: bool) -> None:
        self.pydot = pydot
        self.show_shapes = show_shapes
        self.show_layer_names = show_layer_names
        self.expand_nested = expand_nested

    def draw(self, model: Any, graph: Any, prefix: str) -> None:
        """Adds a model's boxes and arrows to a graph or cluster; `prefix` keeps the ids of each model apart."""
        for layer in _layers_drawn(model):
            if self._expands(layer):
                name = prefix + str(id(layer))
                cluster = self.pydot.Cluster(name, label=self._title(layer), style="dashed")
                self.draw(layer, cluster, name + "/")
                graph.add_subgraph(cluster)
            else:
                graph.add_node(self.pydot.Node(prefix + str(id(layer)), label=self._label(layer)))
        for source, target in self._arrows(model, prefix):
            graph.add_edge(self.pydot.Edge(source, target))

    def _expands(self, layer: Any) -> bool:
        return self.expand_nested and isinstance(layer, Network)

    def _arrows(self, model: Any, prefix: str) -> list[tuple[str, str]]:
        found: dict[tuple[str, str], None] = {}
        graph = model._graph
        drawn = {id(layer) for layer in _layers_drawn(model)}
        for node in graph.nodes:
            for place, x in enumerate(node.input_tensors if node.inbound_layers else []):
                source, _, tensor = graph.history(x)
                if id(source) in drawn:
                    found[self._out(source, tensor, prefix), self._in(node.outbound_layer, place, prefix)] = None
        return list(found)

    def _out(self, layer: Any, tensor: int, prefix: str) -> str:
        """The box that output number `tensor` of a layer comes from."""
        if not self._expands(layer):
            return prefix + str(id(layer))
        inner, _, inner_tensor = layer._graph.output_histories[tensor]
        return self._out(inner, inner_tensor, f"{prefix}{id(layer)}/")

    def _in(self, layer: Any, place: int, prefix: str) -> str:
        """The box that input number `place` of a layer goes to."""
        if not self._expands(layer):
            return prefix + str(id(layer))
        if isinstance(layer, Sequential):
            layer.build()
        shown = _layers_drawn(layer)
        inner, _, _ = layer._graph.input_histories[place]
        if inner not in shown:  # the input of a Sequential, which is not among its layers
            inner = shown[0]
        return self._in(inner, 0, f"{prefix}{id(layer)}/")

    # --- what stands in a box --------------------------------------------------------------------------------
    def _title(self, layer: Any) -> str:
        name, kind = layer.name, type(layer).__name__
        if isinstance(layer, Wrapper):
            name, kind = f"{name}({layer.layer.name})", f"{kind}({type(layer.layer).__name__})"
        return f"{name}: {kind}" if self.show_layer_names else kind

    def _label(self, layer: Any) -> str:
        title = _escaped(self._title(layer))
        if not self.show_shapes:
            return f'"{title}"'
        shapes = f"{_escaped(_shape(layer, 'input_shape'))}|{_escaped(_shape(layer, 'output_shape'))}"
        return f'"{title}|{{input:|output:}}|{{{{{shapes.replace("|", "}|{")}}}}}"'


def _layers_drawn(model: Any) -> list[Any]:
    if isinstance(model, Sequential):
        model.build()
    return model.layers


def _shape(layer: Any, attribute: str) -> str:
    try:
        return str(getattr(layer, attribute))
    except AttributeError:  # calls of several shapes
        return "multiple"


def _escaped(text: str) -> str:
    """Text without what has a meaning in the label of a record."""
    return "".join("\\" + c if c in '{}|<>"\\' else c for c in text)
