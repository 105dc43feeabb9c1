"""Hooks in the compiler and at binding: graph passes and kernels of plugins."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

import kcore.ops  # noqa: F401 - registers the operations
from kcore.backend import function
from kcore.errors import GraphError
from kcore.graph import apply, nodes_of, placeholder
from kcore.graph.substitute import substitute
from kcore.ops.scan import fold_steps
from kcore.plugins import hooks
from kcore.plugins.hookspecs import hookimpl
from kcore.runtime.variable import Variable

X = np.linspace(0.5, 2, 6, dtype="float32").reshape(2, 3)


@contextmanager
def plugin(**implementations) -> Iterator[None]:
    """A plugin with these hooks."""
    marked = {name: hookimpl(function) for name, function in implementations.items()}
    module = SimpleNamespace(**marked)
    hooks.register(module)
    try:
        yield
    finally:
        hooks.unregister(module)


def passes(*pairs):
    def kcore_graph_passes():
        return list(pairs)

    return plugin(kcore_graph_passes=kcore_graph_passes)


def kernels(table):
    def kcore_device_kernels(device):
        return table.get(device)

    return plugin(kcore_device_kernels=kcore_device_kernels)


def without_inverses(outputs):
    """exp(log(x)) -> x."""
    replaced = {}
    for node in nodes_of(outputs):
        if node.op.name == "exp" and node.inputs[0].node.op.name == "log":
            replaced[(node, 0)] = node.inputs[0].node.inputs[0]
    return substitute(outputs, replaced)


def through_doubling(outputs):
    """exp(x) -> exp(x + x - x): new nodes, some of which read old ones."""
    replaced = {}
    for node in nodes_of(outputs):
        if node.op.name == "exp":
            x = node.inputs[0]
            replaced[(node, 0)] = apply("exp", (x + x) - x)
    return substitute(outputs, replaced)


def test_a_pass_rewrites_what_is_compiled():
    x = placeholder((None, 3), "float32", "x")
    f = function([x], [apply("exp", apply("log", x)) * 3.0])
    with passes(("without_inverses", without_inverses)):
        np.testing.assert_allclose(f([X])[0], X * 3, rtol=1e-6)
    plan = f.bound_plan([(2, 3)]).plan
    assert [n.op.name for i in plan.instructions for n in i.nodes] == ["multiply"]


def test_a_device_rewrites_what_is_left(monkeypatch):
    """After the passes of plugins, which may make something that the device rewrites."""
    x = placeholder((None, 3), "float32", "x")
    f = function([x], [apply("exp", apply("log", x)) * 3.0])
    seen = []

    def last(device, graph):
        seen.append([node.op.name for node in graph.nodes()])
        return graph

    monkeypatch.setattr(type(f.device), "rewrite", last)
    with passes(("without_inverses", without_inverses)):
        f([X])
    assert [sorted(names) for names in seen] == [["constant", "multiply", "placeholder"]]


def test_passes_run_one_after_the_other_on_outputs_and_updates():
    x = placeholder((2, 3), "float32", "x")
    v = Variable((2, 3), "float32", lambda: np.zeros((2, 3), "float32"), "v")
    f = function([x], [apply("exp", x), x - 1.0], updates=[(v, apply("exp", x * 2.0) + v)])
    seen = []

    def look(outputs):
        seen.append([n.op.name for n in nodes_of(outputs)])
        return tuple(outputs)

    with passes(("through_doubling", through_doubling), ("look", look)):
        for times in (1, 2):
            first, second = f([X])
            np.testing.assert_allclose(first, np.exp(X), rtol=1e-5)
            np.testing.assert_allclose(second, X - 1, rtol=1e-6)
            np.testing.assert_allclose(v.get(), times * np.exp(2 * X), rtol=1e-5)
    assert len(seen) == 1
    assert seen[0].count("exp") == 2
    assert seen[0].count("add") == 3


def test_passes_see_the_bodies_of_loops():
    x = placeholder((None, 3), "float32", "x")
    h = placeholder((3,), "float32", "h")
    seen = []

    def look(outputs):
        seen.append({n.op.name for n in nodes_of(outputs)})
        return outputs

    (last,), _ = fold_steps(lambda carried, e: ([carried[0] * apply("tanh", e[0])], []), [h], [x])
    with passes(("look", look)):
        function([x, h], [last])([X, X[0]])
    assert any("tanh" in names for names in seen)


@pytest.mark.parametrize(
    ("rewrite", "words"),
    [
        (lambda outputs: outputs[:1], "was given 2 tensors and returned 1"),
        (lambda outputs: None, "was given 2 tensors and returned 1"),
        (lambda outputs: [outputs[0], None], "as tensor 1 and returned None"),
        (
            lambda outputs: [outputs[0][:1], outputs[1]],
            r"given float32\(2, 3\) as tensor 0 and returned float32\(1, 3\)",
        ),
    ],
)
def test_a_wrong_pass_is_named(rewrite, words):
    x = placeholder((None, 3), "float32", "x")
    f = function([x], [x + 1.0, x + 2.0])
    with passes(("mistaken", rewrite)), pytest.raises(GraphError, match=f"graph pass 'mistaken' of a plugin .*{words}"):
        f([X])


def test_the_kernel_of_a_plugin_goes_before_the_devices_own():
    bound, calls = [], []

    def matmul(ctx, outs, ins, attrs):
        bound.append(attrs)

        def run():
            calls.append(1)
            np.matmul(*ins, out=outs[0])

        return run

    x = placeholder((None, 3), "float32", "x")
    y = apply("matmul", x, apply("transpose", x, perm=(1, 0)))
    f = function([x], [y])
    with kernels({"numpy": {"matmul": matmul}, "abacus": {"transpose": None}}):
        for _ in range(3):
            np.testing.assert_allclose(f([X])[0], X @ X.T, rtol=1e-6)
    assert len(bound) == 1
    assert len(calls) == 3


def test_where_two_plugins_have_a_kernel_the_first_is_taken():
    taken = []

    def kernel(name):
        def bind(ctx, outs, ins, attrs):
            taken.append(name)
            return lambda: np.matmul(*ins, out=outs[0])

        return bind

    x = placeholder((3, 3), "float32", "x")
    # Hooks of the program itself are called before those registered earlier.
    with kernels({"numpy": {"matmul": kernel("second")}}), kernels({"numpy": {"matmul": kernel("first")}}):
        function([x], [apply("matmul", x, x)])([np.eye(3, dtype="float32")])
    assert taken == ["first"]


def test_no_plugin_costs_one_comparison(monkeypatch):
    x = placeholder((2, 3), "float32", "x")
    function([x], [x + 1.0])([X])  # finds out that there are no hooks
    monkeypatch.setattr(hooks, "_nothing_installed", True)
    monkeypatch.setattr(hooks, "_usable_entries", lambda: pytest.fail("looked for hooks again"))
    function([x], [x + 2.0])([X])
