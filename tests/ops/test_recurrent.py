"""The fused recurrent ops: against the same recurrence in a loop, the portable kernels, and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.errors import DTypeError, GraphError, ShapeError
from kcore.graph import Tensor, get_op, placeholder
from kcore.ops import recurrent, recurrent_portable
from kcore.ops.recurrent_steps import run_steps
from kcore.runtime.numpy_kernels import recurrent_sequence
from kcore.testing.gradients import check_gradient

GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}
BUILD = {"lstm_sequence": recurrent.lstm, "gru_sequence": recurrent.gru, "rnn_sequence": recurrent.simple_rnn}
NOT_DIFFERENTIABLE = ("mask", "input_dropout", "recurrent_dropout")


def operands(op: str, names: tuple[str, ...], sizes: tuple[int, ...], **options: Any) -> dict[str, np.ndarray]:
    """Random operands of an op, float64, in the order of the op's inputs."""
    batch, steps, features, units = sizes
    rng, gates = np.random.default_rng(sum(sizes)), GATES[op]
    masks = options.get("masks", 1)
    shapes = {
        "x": (batch, steps, features),
        "kernel": (features, gates * units),
        "recurrent": (units, gates * units),
        "bias": (2, gates * units) if options.get("two_biases") else (gates * units,),
        "h0": (batch, units),
        "c0": (batch, units),
        "mask": (batch, steps),
        "input_dropout": (masks, batch, features),
        "recurrent_dropout": (masks, batch, units),
    }
    found = {}
    for name in (n for n in shapes if n in ("x", "kernel", "recurrent", *names)):
        if name == "c0" and op != "lstm_sequence":
            continue
        found[name] = rng.standard_normal(shapes[name]) * 0.7
        if name == "mask":
            found[name] = rng.random(shapes[name]) > 0.4
        elif "dropout" in name:
            found[name] = (rng.random(shapes[name]) > 0.3) / 0.7
    return found


def build(op: str, tensors: dict[str, Tensor], **attrs: Any) -> tuple[Tensor, ...]:
    """The outputs of the op on operands by name."""
    given = dict(tensors)
    states = [given.pop(name) for name in ("h0", "c0") if name in given]
    if states:
        given["initial_state"] = tuple(states) if op == "lstm_sequence" else states[0]
    if op == "rnn_sequence":
        attrs.pop("recurrent_activation", None)
    if op != "gru_sequence":
        attrs.pop("reset_after", None)
    return BUILD[op](**given, **attrs)


def loop(outputs: tuple[Tensor, ...]) -> list[Tensor]:
    """What the op computes, in a loop over ordinary ops."""
    node = outputs[0].node
    return run_steps(node.op.name, recurrent.named_operands(node.inputs, node.attrs), node.attrs)


def both_with_gradients(arrays: dict[str, np.ndarray], tensors: dict[str, Tensor], fused: Any) -> tuple[list, list]:
    """Outputs and gradients of the fused op and of the loop."""
    results = []
    wrt = [t for name, t in tensors.items() if name not in NOT_DIFFERENTIABLE]
    rng = np.random.default_rng(1)
    shapes = [a.shape for a in K.function(list(tensors.values()), list(fused))(list(arrays.values()))]
    weights = [rng.standard_normal(shape) for shape in shapes]
    for outputs in (fused, loop(fused)):
        loss = sum((K.sum(y * w) for y, w in zip(outputs, weights, strict=True)), 0.0)
        wanted = [*outputs, *K.gradients(loss, wrt)]
        results.append(K.function(list(tensors.values()), wanted)(list(arrays.values())))
    return results[0], results[1]


CASES = st.fixed_dictionaries(
    {
        "op": st.sampled_from(sorted(GATES)),
        "sizes": st.tuples(st.sampled_from([1, 3, 17]), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3)),
        "names": st.sets(st.sampled_from(["bias", "mask", "input_dropout", "recurrent_dropout"])),
        "states": st.booleans(),
        "per_gate": st.booleans(),
        "activation": st.sampled_from(recurrent.ACTIVATIONS),
        "recurrent_activation": st.sampled_from(recurrent.ACTIVATIONS),
        "reset_after": st.booleans(),
        "two_biases": st.booleans(),
        "go_backwards": st.booleans(),
        "unknown": st.booleans(),
        "chunk": st.sampled_from([1, 8, 1 << 14]),
    }
)


@settings(max_examples=60, deadline=None)
@given(case=CASES)
def test_fused_equals_loop(case: dict[str, Any]) -> None:
    op = case["op"]
    names = tuple(case["names"]) + (("h0", "c0") if case["states"] else ())
    two_biases = case["two_biases"] and case["reset_after"] and op == "gru_sequence"
    arrays = operands(op, names, case["sizes"], masks=GATES[op] if case["per_gate"] else 1, two_biases=two_biases)
    tensors = {name: placeholder(a.shape, a.dtype.name, name) for name, a in arrays.items()}
    if case["unknown"]:
        tensors["x"] = placeholder((None, None, arrays["x"].shape[2]), "float64", "x")
    attrs = {name: case[name] for name in ("activation", "recurrent_activation", "reset_after", "go_backwards")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrent_sequence, "CHUNK_ELEMENTS", case["chunk"])
        ours, expected = both_with_gradients(arrays, tensors, build(op, tensors, **attrs))
    # Gates without a bound may square the state at each step, up to an overflow.
    assume(all(np.abs(b).max() < 1e100 for b in expected))
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9 * max(1.0, np.abs(b).max()))


@pytest.mark.parametrize("reset_after", [False, True])
@pytest.mark.parametrize("op", sorted(GATES))
def test_portable_kernels_agree(op: str, reset_after: bool) -> None:
    """Other devices run these; the NumPy kernels are the reference here, since they are compared with the loop."""
    arrays = operands(op, ("bias", "h0", "c0", "mask", "input_dropout", "recurrent_dropout"), (3, 4, 2, 3), masks=1)
    tensors = {name: placeholder(a.shape, a.dtype.name, name) for name, a in arrays.items()}
    fused = build(op, tensors, reset_after=reset_after, recurrent_activation="sigmoid", go_backwards=True)
    node = fused[0].node
    cotangents = tuple(["g_outputs", "g_h", "g_c"][: len(fused)])
    attrs = {**node.attrs, "cotangents": cotangents}
    expected = K.function(list(tensors.values()), list(fused))(list(arrays.values()))
    loss = sum((K.sum(y) for y in fused), 0.0)
    wrt = [t for name, t in tensors.items() if name not in NOT_DIFFERENTIABLE]
    gradients = K.function(list(tensors.values()), K.gradients(loss, wrt))(list(arrays.values()))

    outs = [np.full(s.shape, np.nan) for s in node.specs]
    named = recurrent.named_operands(list(arrays.values()), node.attrs)
    recurrent_portable.forward(np, op, outs, named, node.attrs)
    for a, b in zip(outs[:-1], expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    ones = {name: np.ones_like(a) for name, a in zip(cotangents, outs[:-1], strict=True)}
    made = {name: np.full(named[name].shape, np.nan) for name in recurrent.gradient_names(attrs)}
    given = named | {"outputs": outs[0], "reserve": outs[-1]} | ones
    recurrent_portable.backward(np, op, made, given, attrs)
    for a, b in zip(made.values(), gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("lstm_sequence", {"recurrent_activation": "sigmoid"}),
        ("lstm_sequence", {"activation": "softsign", "recurrent_activation": "hard_sigmoid", "go_backwards": True}),
        ("gru_sequence", {"recurrent_activation": "hard_sigmoid"}),
        ("gru_sequence", {"recurrent_activation": "sigmoid", "reset_after": True}),
        ("rnn_sequence", {}),
    ],
)
def test_gradients_of_both_orders(op: str, attrs: dict[str, Any], unknown: bool) -> None:
    """The first order is that of lstm_sequence_grad, gru_sequence_grad, rnn_sequence_grad; the second is their vjp."""
    arrays = operands(op, ("bias", "h0", "c0", "mask"), (2, 3, 2, 2))
    names = list(arrays)

    def fn(*tensors: Tensor) -> Any:
        # The units must be known; the shape of everything else may be unknown.
        named = dict(zip(names, tensors, strict=True))
        units = arrays["recurrent"].shape
        named["recurrent"] = K.reshape(named["recurrent"], units) if unknown else named["recurrent"]
        return build(op, named, **attrs)

    wrt = [i for i, name in enumerate(names) if name not in NOT_DIFFERENTIABLE]
    check_gradient(fn, *arrays.values(), wrt=wrt, unknown=unknown)


def test_second_gradient_keeps_to_its_own_path() -> None:
    """Where one operand is made from another, each gets its own share only."""
    arrays = operands("rnn_sequence", (), (2, 3, 2, 2))

    def fn(x: Tensor, kernel: Tensor) -> Tensor:
        return recurrent.simple_rnn(x, kernel, K.tanh(kernel) * 0.5)[0]

    check_gradient(fn, arrays["x"], arrays["kernel"])


@pytest.mark.parametrize("op", sorted(GATES))
def test_equals_rnn_of_the_backend(op: str) -> None:
    arrays = operands(op, ("h0", "c0", "mask"), (3, 5, 2, 2))
    tensors = {name: placeholder(a.shape, a.dtype.name, name) for name, a in arrays.items()}
    gates, units = GATES[op], 2

    def step(x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        z = K.dot(x, tensors["kernel"]) + K.dot(states[0], tensors["recurrent"])
        parts = [z[:, i * units : (i + 1) * units] for i in range(gates)]
        if op == "rnn_sequence":
            h = K.tanh(z)
            return h, [h]
        if op == "gru_sequence":
            update, reset = K.hard_sigmoid(parts[0]), K.hard_sigmoid(parts[1])
            candidate = K.tanh(
                K.dot(x, tensors["kernel"][:, 4:]) + K.dot(reset * states[0], tensors["recurrent"][:, 4:])
            )
            h = update * states[0] + (1 - update) * candidate
            return h, [h]
        c = K.hard_sigmoid(parts[1]) * states[1] + K.hard_sigmoid(parts[0]) * K.tanh(parts[2])
        h = K.hard_sigmoid(parts[3]) * K.tanh(c)
        return h, [h, c]

    initial = [tensors[name] for name in ("h0", "c0") if name in tensors]
    last, outputs, states = K.rnn(step, tensors["x"], initial, go_backwards=True, mask=tensors["mask"])
    fused = build(op, tensors, go_backwards=True)
    wanted = [outputs, *states, last, *fused]
    results = K.function(list(tensors.values()), wanted)(list(arrays.values()))
    general, ours = results[: len(fused)], results[len(fused) + 1 :]
    for a, b in zip(ours, general, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    np.testing.assert_allclose(ours[0][:, -1], results[len(fused)], atol=1e-12)


# -- what masks, directions and states mean ---------------------------------------------------------------------


def _values(op: str, arrays: dict[str, np.ndarray], **attrs: Any) -> list[np.ndarray]:
    tensors = {name: placeholder(a.shape, a.dtype.name, name) for name, a in arrays.items()}
    return K.function(list(tensors.values()), list(build(op, tensors, **attrs)))(list(arrays.values()))


@pytest.mark.parametrize("op", sorted(GATES))
def test_masked_steps_keep_state_and_output(op: str) -> None:
    arrays = operands(op, ("bias", "h0", "c0"), (2, 4, 3, 2))
    arrays["mask"] = np.array([[0, 1, 0, 1], [1, 1, 1, 0]], "bool")
    outputs, *states = _values(op, arrays)
    np.testing.assert_array_equal(outputs[0, 0], arrays["h0"][0])
    np.testing.assert_array_equal(outputs[0, 2], outputs[0, 1])
    np.testing.assert_array_equal(outputs[1, 3], outputs[1, 2])
    short = {name: a for name, a in arrays.items() if name != "mask"}
    short["x"] = arrays["x"][:, [1, 3]]
    for a, b in zip(states, _values(op, short)[1:], strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=1e-12)


@pytest.mark.parametrize("op", sorted(GATES))
def test_go_backwards_reads_from_the_end(op: str) -> None:
    arrays = operands(op, ("bias", "mask"), (2, 4, 3, 2))
    turned = arrays | {"x": arrays["x"][:, ::-1], "mask": arrays["mask"][:, ::-1]}
    for a, b in zip(_values(op, arrays, go_backwards=True), _values(op, turned), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("op", sorted(GATES))
def test_sequence_in_two_parts(op: str) -> None:
    arrays = operands(op, ("bias", "h0", "c0"), (2, 5, 3, 2))
    whole = _values(op, arrays)
    first = _values(op, arrays | {"x": arrays["x"][:, :2]})
    names = [name for name in ("h0", "c0") if name in arrays]
    states = dict(zip(names, first[1:], strict=True))
    second = _values(op, arrays | {"x": arrays["x"][:, 2:]} | states)
    np.testing.assert_allclose(np.concatenate([first[0], second[0]], axis=1), whole[0], atol=1e-12)
    for a, b in zip(second[1:], whole[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_float32_is_near_float64() -> None:
    arrays = operands("lstm_sequence", ("bias",), (16, 30, 8, 8))
    exact = _values("lstm_sequence", arrays)
    rough = _values("lstm_sequence", {name: a.astype("float32") for name, a in arrays.items()})
    for a, b in zip(rough, exact, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, atol=2e-5)


# -- plans ---------------------------------------------------------------------------------------------------------


def test_inference_keeps_no_reserve() -> None:
    x, kernel, weights = (placeholder(s, "float32", "p") for s in ((4, 50, 3), (3, 32), (8, 32)))
    _, h, _ = recurrent.lstm(x, kernel, weights)
    function = K.function([x, kernel, weights], [h])
    arrays = [np.ones(t.shape, "float32") for t in (x, kernel, weights)]
    function(arrays)
    (bound,) = function._plans.values()
    assert bound.plan.arena_bytes < 1024  # outputs (4, 50, 8) and reserve (50, 6, 8, 4) are not among its values


def test_unused_gradients_are_left_out() -> None:
    arrays = operands("gru_sequence", ("bias",), (3, 4, 2, 2))
    tensors = {name: placeholder(a.shape, a.dtype.name, name) for name, a in arrays.items()}
    loss = K.sum(build("gru_sequence", tensors)[1])
    values = list(arrays.values())
    every = K.function(list(tensors.values()), K.gradients(loss, list(tensors.values())))(values)
    for i, tensor in enumerate(tensors.values()):
        (alone,) = K.function(list(tensors.values()), K.gradients(loss, [tensor]))(values)
        np.testing.assert_array_equal(alone, every[i])


def test_runs_do_not_depend_on_earlier_runs() -> None:
    arrays = operands("lstm_sequence", ("bias",), (3, 4, 2, 2))
    tensors = {name: placeholder(a.shape, a.dtype.name, name) for name, a in arrays.items()}
    outputs = build("lstm_sequence", tensors)
    f = K.function(list(tensors.values()), [*outputs, *K.gradients(K.sum(outputs[0]), list(tensors.values()))])
    first = f(list(arrays.values()))
    f([a * 3 for a in arrays.values()])
    for a, b in zip(f(list(arrays.values())), first, strict=True):
        np.testing.assert_array_equal(a, b)


# -- what is refused -------------------------------------------------------------------------------------------------


def _tensors(**changed: tuple[int | None, ...]) -> dict[str, Tensor]:
    shapes = {"x": (None, None, 3), "kernel": (3, 8), "recurrent": (2, 8), "bias": (8,)} | changed
    return {name: placeholder(shape, "float32", name) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("kernel", (4, 8), "(3, 8)"),
        ("kernel", (3, 6), "(3, 8)"),
        ("recurrent", (2, 6), "(2, 8)"),
        ("bias", (6,), "(8,)"),
        ("h0", (None, 3), "(None, 2)"),
        ("mask", (None, None, 1), "(None, None)"),
        ("input_dropout", (2, None, 3), "(1, None, 3)"),
    ],
)
def test_wrong_shape_names_both(name: str, shape: tuple[int | None, ...], expected: str) -> None:
    tensors = _tensors(**{name: shape})
    if name == "h0":
        tensors["c0"] = placeholder((None, 2), "float32", "c0")
    with pytest.raises(ShapeError) as caught:
        build("lstm_sequence", tensors)
    assert str(shape) in str(caught.value)
    assert expected in str(caught.value)
    assert name in str(caught.value)


def test_wrong_rank_and_dtype() -> None:
    with pytest.raises(ShapeError, match="steps"):
        build("lstm_sequence", _tensors(x=(None, 3)))
    tensors = _tensors()
    tensors["bias"] = placeholder((8,), "float64", "bias")
    with pytest.raises(DTypeError, match="float64"):
        build("lstm_sequence", tensors)


def test_unknown_activation_points_to_the_general_path() -> None:
    assert recurrent.supports("tanh", "hard_sigmoid")
    assert not recurrent.supports("tanh", "softmax")
    with pytest.raises(GraphError, match=r"K\.rnn"):
        build("lstm_sequence", _tensors(), activation="softmax")


def test_reserve_has_no_gradient() -> None:
    outputs = build("lstm_sequence", _tensors())
    reserve = outputs[0].node.outputs[-1]
    with pytest.raises(GraphError, match="reserve"):
        K.gradients(K.sum(reserve), [outputs[0].node.inputs[0]])


def test_costs_and_units() -> None:
    node = build("lstm_sequence", _tensors(x=(5, 7, 3)))[0].node
    specs = [t.spec for t in node.inputs]
    assert get_op("lstm_sequence").cost(specs, node.specs, node.attrs) == 2 * 5 * 7 * (3 * 8 + 2 * 8)
    with pytest.raises(ShapeError, match="units"):
        build("lstm_sequence", _tensors(recurrent=(None, 8)))
