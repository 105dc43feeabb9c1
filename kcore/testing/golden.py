"""Golden values: a layer held to numbers that the original API computed.

`tests/golden/cases.json` beside a plugin's tests lists configurations of its layers with what each gave;
`arrays.npz` holds the numbers. `tools/golden/make_layer_golden.py` writes both. A plugin's test is

    GOLDEN = load_golden(Path(__file__).parent / "golden")

    @pytest.mark.parametrize("case", GOLDEN, ids=str)
    def test_golden(case):
        check_golden(case)

`check_golden` builds the layer from its configuration, gives it the stored weights and compares: shapes, inferred
and real; weight names and order; outputs; output masks; the gradients of `loss = sum(outputs * upstream)`, with
`upstream` a stored array, with respect to weights, inputs, initial states and constants; weights after an update;
the outputs of further batches and of given states, where the layer is stateful; the loss with the penalties on the
weights, and the weights after a step of gradient descent under their constraints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kcore import backend as K
from kcore import layers
from kcore.engine import Input, Layer
from kcore.engine.structure import to_list, unpack_singleton

TOLERANCE = 1e-5
_SMALLEST_SCALE = 1e-2  # Numbers that only cancellation made small are compared as if the largest were this.


@dataclass(frozen=True)
class GoldenCase:
    """One configuration of one layer, with what the original API computed for it.

    Attributes: `name`; `record`, the case's entry in cases.json; `store`, the arrays that its references name.
    """

    name: str
    record: Mapping[str, Any]
    store: Mapping[str, np.ndarray]

    def __str__(self) -> str:
        return self.name

    def array(self, ref: Any) -> np.ndarray:
        """The array that a reference names: literal values, a slice of the drawn pool, or computed numbers."""
        if isinstance(ref, Mapping):
            return np.asarray(ref["values"], ref["dtype"])
        kind, start, shape, *affine = ref
        size = int(np.prod(shape))
        if kind == "computed":
            return self.store["computed"][start : start + size].reshape(shape)
        scale, shift = affine
        pool = self.store["drawn"]
        return (np.take(pool, range(start, start + size), mode="wrap") / 4096.0 * scale + shift).reshape(shape)

    def arrays(self, key: str) -> list[Any]:
        """The arrays of a list of references in the record; None where there is none."""
        return [None if ref is None else self.array(ref) for ref in self.record.get(key, ())]


def load_golden(folder: Path) -> list[GoldenCase]:
    """The cases in a folder with `cases.json` and `arrays.npz`."""
    records = json.loads((folder / "cases.json").read_text())["cases"]
    with np.load(folder / "arrays.npz") as file:
        store = {key: file[key] for key in file.files}
    return [GoldenCase(record["name"], record, store) for record in records]


def check_golden(
    case: GoldenCase, custom_objects: Mapping[str, Any] | None = None, tolerance: float = TOLERANCE
) -> None:
    """Build the case's layer and compare all that it gives with the stored numbers.

    Arguments: `case`, from `load_golden`; `custom_objects`, classes that its configuration names besides the
    registered ones; `tolerance`, relative to the largest magnitude of each array.
    Raises AssertionError with the name of the array that differs.
    """
    _GoldenRun(case, custom_objects, tolerance).check()


class AttachMask(Layer):
    """Gives its first input on, with its second as the mask; so that a mask needs no other plugin's layer."""

    def call(self, inputs, mask=None):
        return K.identity(inputs[0])

    def compute_mask(self, inputs, mask=None):
        return K.not_equal(inputs[1], 0.0)

    def compute_output_shape(self, input_shape):
        return input_shape[0]


class _GoldenRun:
    """One layer in one graph: what `check_golden` compares."""

    def __init__(self, case: GoldenCase, custom_objects: Mapping[str, Any] | None, tolerance: float) -> None:
        self.case, self.tolerance = case, tolerance
        self.layer = layers.deserialize(dict(case.record["layer"]), custom_objects=dict(custom_objects or {}))
        self.fed: list[Any] = []
        self.values: list[np.ndarray] = []
        self.inputs = [self._input(array) for array in case.arrays("inputs")]
        self.states = [self._input(array) for array in case.arrays("initial_state")]
        self.constants = [self._input(array) for array in case.arrays("constants")]
        self.outputs = self._call()
        self.phase = case.record.get("learning_phase", 0)

    def check(self) -> None:
        self._check_shapes()
        self._check_weights()
        outputs, masks, gradients = self._compute()
        self._check_masks(masks)
        self._compare_all("output", outputs, self.case.arrays("outputs"))
        split = len(self.layer.weights)
        self._compare_all("gradient of weight", gradients[:split], self.case.arrays("weight_gradients"))
        self._compare_all("gradient of input", gradients[split:], self.case.arrays("input_gradients"))
        self._compare_all("updated weight", self.layer.get_weights(), self.case.arrays("updated_weights"))
        self._check_step()
        self._check_next_batches()
        self._check_reset_states()

    # --- the graph --------------------------------------------------------------------------------------------

    def _input(self, array: np.ndarray, dtype: str | None = None) -> Any:
        dtype = dtype or ("int32" if array.dtype == np.int32 else "float32")
        batch = array.shape[0] if self._fixed_batch() else None
        tensor = Input(batch_shape=(batch, *array.shape[1:]), dtype=dtype)
        self.fed.append(tensor)
        self.values.append(array.astype(dtype))
        return tensor

    def _fixed_batch(self) -> bool:
        return "next_batches" in self.case.record or "reset_states" in self.case.record

    def _call(self) -> list[Any]:
        called = list(self.inputs)
        for i, mask in enumerate(self.case.record.get("masks", ())):
            if mask is not None:
                called[i] = AttachMask()([called[i], self._input(np.asarray(mask), "float32")])
        arguments: dict[str, Any] = {}
        if self.states:
            arguments["initial_state"] = self.states
        if self.constants:
            arguments["constants"] = self.constants
        return to_list(self.layer(unpack_singleton(called), **arguments))

    def _loss(self) -> Any:
        terms = [K.sum(y * K.constant(r)) for y, r in zip(self.outputs, self.case.arrays("upstream"))]
        return _total(terms)

    def _compute(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Outputs, masks and gradients of one run, which also does the layer's updates."""
        loss = self._loss()
        sources = [*self.layer.weights, *self.inputs, *self.states, *self.constants]
        gradients = [K.gradients(loss, [s])[0] if K.dtype(s).startswith("float") else None for s in sources]
        masks = [getattr(y, "_keras_mask", None) for y in self.outputs]
        results = self._run([*self.outputs, *masks, *gradients], self.values)
        n = len(self.outputs)
        return results[:n], results[n : 2 * n], results[2 * n :]

    def _run(self, wanted: Sequence[Any], values: list[np.ndarray]) -> list[Any]:
        """Values of the tensors, None where there is no tensor; the layer's updates happen."""
        tensors = [tensor for tensor in wanted if tensor is not None]
        inputs: list[Any] = [*self.fed, K.learning_phase()]
        function = K.function(inputs, tensors, updates=self.layer.updates)
        results = iter(function([*values, self.phase]))
        return [None if tensor is None else next(results) for tensor in wanted]

    # --- comparisons ------------------------------------------------------------------------------------------

    def _check_shapes(self) -> None:
        expected = [tuple(array.shape) for array in self.case.arrays("outputs")]
        known = [tuple(array.shape) for array in self.case.arrays("inputs")]
        # With states or constants among the inputs, the layer is asked about all of them by its own conventions.
        if not self.states and not self.constants:
            inferred = self.layer.compute_output_shape(known if len(known) > 1 else known[0])
            inferred = inferred if isinstance(inferred, list) else [inferred]
            assert [tuple(s) for s in inferred] == expected, f"compute_output_shape gave {inferred}, not {expected}"
        for output, shape in zip(self.outputs, expected):
            assert len(K.int_shape(output)) == len(shape), f"an output is {K.int_shape(output)}, not {shape}"
            found = [(a, b) for a, b in zip(K.int_shape(output), shape) if a is not None and a != b]
            assert not found, f"an output is {K.int_shape(output)}, not {shape}"
            assert None not in K.int_shape(output)[1:], f"dimensions are unknown in {K.int_shape(output)}"

    def _check_weights(self) -> None:
        records = self.case.record["weights"]
        names = [plain_weight_name(weight.name) for weight in self.layer.weights]
        assert names == [record["name"] for record in records], f"weights are {names}"
        self.layer.set_weights([self.case.array(record["value"]) for record in records])

    def _check_masks(self, masks: list[Any]) -> None:
        stored = self.case.record.get("output_masks") or [None] * len(self.outputs)
        for i, (mask, expected) in enumerate(zip(masks, stored)):
            assert (mask is None) == (expected is None), f"output {i} has the mask {mask}, not {expected}"
            if expected is not None:
                np.testing.assert_array_equal(mask.astype(int), expected, err_msg=f"mask of output {i}")

    def _check_step(self) -> None:
        step = self.case.record.get("step")
        if not step:
            return
        self._check_weights()  # sets them again: updates of the runs before may have moved some
        loss, moving = _total([self._loss(), *self.layer.losses]), self.layer.trainable_weights
        moved = {}
        for weight, gradient in zip(moving, K.gradients(loss, moving)):
            value = weight - step["size"] * gradient
            moved[weight.name] = value if weight.constraint is None else weight.constraint(value)
        after = [moved.get(weight.name, weight) for weight in self.layer.weights]
        results = self._run([loss, *after], self.values)
        self._compare("loss with penalties", results[0], self.case.array(step["loss"]))
        self._compare_all("weight after a step", results[1:], [self.case.array(ref) for ref in step["weights"]])

    def _check_next_batches(self) -> None:
        for n, batch in enumerate(self.case.record.get("next_batches", ()), start=2):
            values = [self.case.array(ref) for ref in batch["inputs"]]
            results = self._run(self.outputs, [*values, *self.values[len(values) :]])
            self._compare_all(f"batch {n}: output", results, [self.case.array(ref) for ref in batch["outputs"]])

    def _check_reset_states(self) -> None:
        reset = self.case.record.get("reset_states")
        if reset:
            self.layer.reset_states(states=[self.case.array(ref).astype("float32") for ref in reset["states"]])
            expected = [self.case.array(ref) for ref in reset["outputs"]]
            self._compare_all("after reset_states: output", self._run(self.outputs, self.values), expected)
        if self._fixed_batch():
            self.layer.reset_states()
            results = self._run(self.outputs, self.values)
            self._compare_all("after a plain reset: output", results, self.case.arrays("outputs"))

    def _compare_all(self, what: str, found: Sequence[Any], expected: Sequence[np.ndarray | None]) -> None:
        for i, (ours, golden) in enumerate(zip(found, expected)):
            if golden is not None:
                self._compare(f"{what} {i}", np.zeros_like(golden) if ours is None else ours, golden)

    def _compare(self, what: str, ours: np.ndarray, golden: np.ndarray) -> None:
        assert ours.shape == golden.shape, f"{self.case}: {what} has shape {ours.shape}, not {golden.shape}"
        scale = max(float(np.max(np.abs(golden), initial=0.0)), _SMALLEST_SCALE)
        error = float(np.max(np.abs(ours - golden), initial=0.0)) / scale
        assert error <= self.tolerance, f"{self.case}: {what} differs by {error:.1e} of its largest magnitude"


def _total(terms: Sequence[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def plain_weight_name(name: str) -> str:
    """The weight's own name: `kernel` for `dense_1/kernel:0` and for `rnn_1/kernel_1:0`."""
    last = name.split("/")[-1].split(":")[0]
    stem, _, number = last.rpartition("_")
    return stem if number.isdigit() and stem else last
