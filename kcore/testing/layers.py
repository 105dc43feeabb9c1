"""`check_layer`: any layer held to the contract that layers have with models, files and users.

For the author of a layer, one call in a test is enough:

    from kcore.testing import check_layer

    def test_my_layer():
        check_layer(MyLayer, {"units": 3}, input_shape=(None, 5, 4))

It checks, each time with a message that says what was expected:

- **build**: the layer is built by its first call, and its weights are named after it (`my_layer_1/kernel:0`);
- **shapes**: what the graph infers and what `compute_output_shape` says agree with the shapes of computed arrays,
  with sizes unknown as well;
- **configuration**: `from_config(get_config())` gives an equal layer, through JSON too;
- **files**: a model with the layer can be saved and loaded, and weights alone too, with equal results;
- **Sequential**: the layer can be the first of a `Sequential` model (where it has one input);
- **masks**: a mask is passed on, used, or refused with the layer's name; an output mask fits the output;
- **training**: gradients of all trainable weights exist, and a step along them lowers a loss;
- **phases**: it can be computed in training and in test;
- **dtypes**: with float16, float32 and float64 as `K.floatx()`, results have that dtype and agree;
- **errors**: what is no tensor, and tensors that the layer's `input_spec` does not allow, are refused with a
  ValueError that names the layer.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from kcore import backend as K
from kcore import layers, saving
from kcore.engine import Input, Layer, Model, Sequential
from kcore.engine.structure import to_list, unpack_singleton
from kcore.plugins.scopes import CustomObjectScope
from kcore.saving.architecture import json_value

Shape = tuple[int | None, ...]

#: How far results may be from those in float64, relative to the largest of them.
TOLERANCES = {"float16": 2e-2, "float32": 1e-4, "float64": 1e-9}


def check_layer(
    layer_cls: Callable[..., Layer],
    kwargs: Mapping[str, Any] | None = None,
    input_shape: Shape | Sequence[Shape] | None = None,
    input_data: Any = None,
    input_dtype: str | None = None,
    expected_output: Any = None,
    wrong_input_shapes: Sequence[Any] = (),
    custom_objects: Mapping[str, Any] | None = None,
    unknown_sizes: bool = True,
    sequential: bool = True,
    trains: bool = True,
    dtypes: Sequence[str] = ("float16", "float32", "float64"),
    seed: int = 0,
) -> Any:
    """Hold a layer to the contract; see the module's docstring for what is checked.

    Args:
        layer_cls: the layer's class.
        kwargs: dictionary, the arguments to make the layer with.
        input_shape: tuple with the batch axis, or list of tuples for several inputs. Nones are sizes that
            may be unknown to the layer; arrays are made with some size there. A batch size that is
            given is fixed.
        input_data: array, or list of arrays, instead of (or with) `input_shape`; by default numbers drawn
            from (-1, 1), or small ints where `input_dtype` is one.
        input_dtype: string, dtype of the input where it is not `K.floatx()`.
        expected_output: array, or list of arrays, that the layer must compute from `input_data` in test,
            or None.
        wrong_input_shapes: shapes (or lists of shapes) that the layer must refuse, besides those that follow
            from its `input_spec`.
        custom_objects: dictionary, names to what the layer's configuration names.
        unknown_sizes: boolean, whether to try with all sizes but the last unknown. A layer may refuse that
            with a ValueError.
        sequential: boolean, whether the layer can stand first in a `Sequential` model.
        trains: boolean, whether gradients of the trainable weights must exist and a step lower a loss.
        dtypes: strings, values of `K.floatx()` to try.
        seed: int, for the numbers drawn.

    Returns:
        What the layer computed in test from the input data: array, or list of arrays.

    Raises:
        AssertionError: the layer does not keep to the contract; the message says where.
    """
    check = _Check(layer_cls, dict(kwargs or {}), input_shape, input_data, input_dtype, custom_objects, seed)
    with CustomObjectScope(check.custom_objects):
        output = check.build_and_compute(expected_output)
        check.shapes(unknown_sizes)
        check.configuration()
        check.files()
        if sequential and len(check.data) == 1:
            check.first_in_sequential()
        check.masks()
        if trains:
            check.training()
        check.phases()
        for floatx in dtypes:
            check.dtype(floatx)
        check.errors(wrong_input_shapes)
    return output


class _Check:
    """One layer with its arguments and data; each method is one part of the contract."""

    def __init__(
        self,
        layer_cls: Callable[..., Layer],
        kwargs: dict[str, Any],
        input_shape: Any,
        input_data: Any,
        input_dtype: str | None,
        custom_objects: Mapping[str, Any] | None,
        seed: int,
    ) -> None:
        if input_shape is None and input_data is None:
            raise ValueError("check_layer needs `input_shape` or `input_data`")
        self.cls = layer_cls
        self.kwargs = kwargs
        self.name = getattr(layer_cls, "__name__", repr(layer_cls))
        self.custom_objects = {self.name: layer_cls, **(custom_objects or {})}
        self.random = np.random.RandomState(seed)
        self.input_dtype = input_dtype
        self.data = self._data(input_shape, input_data)
        self.shapes_in = self._shapes(input_shape)
        self.layer = self.new_layer()
        self.inputs = self.new_inputs(self.shapes_in)
        self.outputs = to_list(self.layer(unpack_singleton(self.inputs)))
        self.model = Model(self.inputs, self.outputs)
        self._make_weights_telling()
        self.expected = to_list(self.model.predict_on_batch(self.data))

    # --- what is needed again and again ----------------------------------------------------------------
    def require(self, condition: Any, message: str) -> None:
        """Fail with a message that names the layer."""
        assert condition, f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.kwargs.items())}): {message}"

    def new_layer(self, **more: Any) -> Layer:
        return self.cls(**self.kwargs, **more)

    def new_inputs(self, shapes: Sequence[Shape]) -> list[Any]:
        return [Input(batch_shape=shape, dtype=self.input_dtype) for shape in shapes]

    def same(self, results: Any, what: str, tolerance: float = 1e-6) -> None:
        """Require that arrays are those computed at first."""
        results = to_list(results)
        self.require(len(results) == len(self.expected), f"{what}: {len(results)} outputs, not {len(self.expected)}")
        for result, expected in zip(results, self.expected, strict=True):
            scale = max(float(np.abs(expected.astype("float64")).max(initial=0.0)), 1e-3)
            error = float(np.abs(result.astype("float64") - expected.astype("float64")).max(initial=0.0)) / scale
            self.require(error <= tolerance, f"{what}: results differ, by {error:.2g} relative to the largest")

    def _data(self, shape: Any, data: Any) -> list[np.ndarray]:
        if data is not None:
            return [np.asarray(array) for array in to_list(data)]
        sizes = [tuple(3 + i if d is None else d for i, d in enumerate(one)) for one in _shape_list(shape)]
        if self.input_dtype is not None and not self.input_dtype.startswith("float"):
            return [self.random.randint(0, 5, size).astype(self.input_dtype) for size in sizes]
        return [self.random.uniform(-1, 1, size).astype(self.input_dtype or K.floatx()) for size in sizes]

    def _shapes(self, shape: Any) -> list[Shape]:
        if shape is not None:
            return [tuple(one) for one in _shape_list(shape)]
        return [(None, *array.shape[1:]) for array in self.data]

    def _make_weights_telling(self) -> None:
        """Give weights that are zeros or ones values that make a difference; moving variances stay above 0."""
        values = [
            w + 0.1 * np.abs(self.random.standard_normal(w.shape)).astype(w.dtype) if w.dtype.kind == "f" else w
            for w in self.layer.get_weights()
        ]
        self.layer.set_weights(values)

    # --- the parts of the contract -------------------------------------------------------------------------
    def build_and_compute(self, expected_output: Any) -> Any:
        """Built by the call, weights named after the layer; the expected output, where one is given."""
        self.require(self.layer.built, "`built` is False after a call; `build` must set it")
        names = [weight.name for weight in self.layer.weights]
        for name in names:
            self.require(
                name.startswith(f"{self.layer.name}/"),
                f"the weight {name!r} should be named '{self.layer.name}/...': make weights with self.add_weight",
            )
        self.require(len(set(names)) == len(names), f"weights share a name: {names}")
        if expected_output is not None:
            outputs = [np.asarray(array) for array in to_list(expected_output)]
            for given, wanted in zip(self.expected, outputs, strict=True):
                np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-5, err_msg=f"output of {self.name}")
        return unpack_singleton(self.expected)

    def shapes(self, unknown_sizes: bool) -> None:
        """Inferred shapes against those of arrays."""
        known = [array.shape for array in self.data]
        self._inferred_shapes(known, "all sizes known")
        self._inferred_shapes(self.shapes_in, "the shapes given")
        if unknown_sizes:
            unknown = [(None,) * (len(shape) - 1) + shape[-1:] for shape in known]
            try:
                self._inferred_shapes(unknown, "all sizes but the last unknown")
            except ValueError as error:
                self.require(
                    self.name in str(error) or "layer" in str(error).lower(),
                    f"refuses unknown sizes {unknown} without naming the layer: {error}",
                )

    def _inferred_shapes(self, shapes: Sequence[Shape], case: str) -> None:
        layer = self.new_layer()
        inputs = self.new_inputs(shapes)
        outputs = to_list(layer(unpack_singleton(inputs)))
        arrays = K.function(inputs, outputs)(self.data)
        stated = layer.compute_output_shape(unpack_singleton([tuple(shape) for shape in shapes]))
        stated = _shape_list(stated)
        self.require(
            len(stated) == len(outputs),
            f"compute_output_shape states {len(stated)} outputs with {case}, but there are {len(outputs)}",
        )
        for output, shape, array in zip(outputs, stated, arrays, strict=True):
            for source, inferred in (("compute_output_shape", shape), ("the graph", K.int_shape(output))):
                fits = len(inferred) == array.ndim and all(
                    s is None or s == d for s, d in zip(inferred, array.shape, strict=True)
                )
                self.require(
                    fits, f"{source} says {tuple(inferred)} with {case}, but the output's shape is {array.shape}"
                )

    def configuration(self) -> None:
        """`get_config` and `from_config`, directly and through JSON."""
        config = self.layer.get_config()
        self.require(
            config.get("name") == self.layer.name, "get_config() lacks 'name': begin with super().get_config()"
        )
        twin = type(self.layer).from_config(dict(config))
        self.require(
            _plain(twin.get_config()) == _plain(config),
            f"from_config(get_config()) has another configuration: {twin.get_config()} instead of {config}",
        )
        description = {"class_name": type(self.layer).__name__, "config": config}
        try:
            text = json.dumps(description, default=json_value)
        except TypeError as error:
            raise AssertionError(f"{self.name}: get_config() cannot be written as JSON: {error}") from error
        copy = layers.deserialize(json.loads(text))
        self.require(
            _plain(copy.get_config()) == _plain(config), f"another configuration after JSON: {copy.get_config()}"
        )
        inputs = self.new_inputs(self.shapes_in)
        outputs = copy(unpack_singleton(inputs))
        shapes = [w.shape for w in copy.get_weights()]
        self.require(
            shapes == [w.shape for w in self.layer.get_weights()],
            f"the layer made from its configuration has other weights: get_config() lacks an argument? {config}",
        )
        copy.set_weights(self.layer.get_weights())
        self.same(Model(inputs, outputs).predict_on_batch(self.data), "the layer made from the configuration")

    def files(self) -> None:
        """A saved and loaded model, and weights alone."""
        whole, weights = io.BytesIO(), io.BytesIO()
        saving.save_model(self.model, whole)
        loaded = saving.load_model(whole)
        self.same(loaded.predict_on_batch(self.data), "the model after saving and loading")
        saving.save_weights(self.model, weights)
        inputs = self.new_inputs(self.shapes_in)
        other = Model(inputs, self.new_layer()(unpack_singleton(inputs)))
        other.load_weights(weights)
        self.same(other.predict_on_batch(self.data), "a new layer with weights loaded from a file")

    def first_in_sequential(self) -> None:
        """The layer as the first of a Sequential model, by its own `batch_input_shape`."""
        more = {} if self.input_dtype is None else {"dtype": self.input_dtype}
        layer = self.new_layer(batch_input_shape=self.shapes_in[0], **more)
        if isinstance(layer(self.new_inputs(self.shapes_in)[0]), list):
            return  # several outputs: no layer for a Sequential
        model = Sequential([self.new_layer(batch_input_shape=self.shapes_in[0], **more)])
        model.set_weights(self.model.get_weights())
        self.same(model.predict_on_batch(self.data), "as the first layer of a Sequential")
        copy = Sequential.from_config(model.get_config())
        copy.set_weights(self.model.get_weights())
        self.same(copy.predict_on_batch(self.data), "a Sequential made from its configuration")

    def masks(self) -> None:
        """What becomes of a mask over the steps of a sequence."""
        if any(array.ndim < 3 for array in self.data):
            return
        masked = [_Mask()(x) for x in self.new_inputs([array.shape for array in self.data])]
        layer = self.new_layer()
        try:
            outputs = to_list(layer(unpack_singleton(masked)))
        except TypeError as error:
            self.require(layer.name in str(error), f"refuses a mask without naming the layer: {error}")
            self.require(not layer.supports_masking, f"supports_masking is True, but a mask is refused: {error}")
            return
        inputs = [x._keras_history[0]._inbound_nodes[0].input_tensors[0] for x in masked]
        for output in outputs:
            mask = output._keras_mask
            if mask is not None:
                array, mask_array = K.function(inputs, [output, mask])(self.data)
                prefix = array.shape[: mask_array.ndim]
                fits = mask_array.ndim <= array.ndim and all(m in (1, a) for m, a in zip(mask_array.shape, prefix))
                self.require(fits, f"an output of shape {array.shape} has a mask of shape {mask_array.shape}")

    def training(self) -> None:
        """Gradients of all trainable weights, and a smaller loss after a step along them."""
        weights = self.layer.trainable_weights
        if not weights:
            return
        floats = [x for x in self.outputs if x.dtype.startswith("float")]
        targets = [K.constant(self.random.uniform(-1, 1, a.shape)) for a in self.expected if a.dtype.kind == "f"]
        loss: Any = sum(K.mean(K.square(x - t)) for x, t in zip(floats, targets, strict=True))
        for extra in self.layer.losses:
            loss = loss + extra
        gradients: list[Any] = K.gradients(loss, weights)
        for weight, gradient in zip(weights, gradients, strict=True):
            self.require(gradient is not None, f"the output does not depend differentiably on the weight {weight.name}")
        function = K.function(self.inputs, [loss, *gradients])
        before, *slopes = function(self.data)
        self.require(np.isfinite(before) and all(np.isfinite(g).all() for g in slopes), "loss or gradients not finite")
        self.require(any(np.abs(g).max(initial=0.0) > 0 for g in slopes), "all gradients are zero")
        values = K.batch_get_value(weights)
        after = []
        for rate in (1e-1, 1e-2, 1e-3, 1e-4):
            K.batch_set_value([(w, v - rate * g) for w, v, g in zip(weights, values, slopes, strict=True)])
            after.append(float(function(self.data)[0]))
            if after[-1] < before:
                break
        K.batch_set_value(list(zip(weights, values, strict=True)))
        self.require(min(after) < before, f"a step along the gradient does not lower the loss: {before} -> {after}")

    def phases(self) -> None:
        """Computed in both phases; the test phase is deterministic."""
        phase: Any = K.learning_phase()
        function = K.function([*self.inputs, phase], self.outputs)
        for array, expected in zip(function([*self.data, 1]), self.expected, strict=True):
            self.require(array.shape == expected.shape, f"shape {array.shape} in training, {expected.shape} in test")
        if not self.layer.stateful:
            self.same(function([*self.data, 0]), "computed again in test")

    def dtype(self, floatx: str) -> None:
        """With another default dtype."""
        with _floatx(floatx):
            layer = self.new_layer()
            inputs = self.new_inputs(self.shapes_in)
            outputs = to_list(layer(unpack_singleton(inputs)))
            layer.set_weights(self.layer.get_weights())
            for output, first in zip(outputs, self.expected, strict=True):
                wanted = floatx if first.dtype.kind == "f" else first.dtype.name
                self.require(output.dtype == wanted, f"with floatx {floatx} the output is {output.dtype}, not {wanted}")
            data = [a.astype(floatx) if a.dtype.kind == "f" else a for a in self.data]
            tolerance = max(TOLERANCES[floatx], *(TOLERANCES.get(a.dtype.name, 0.0) for a in self.expected))
            self.same(K.function(inputs, outputs)(data), f"with floatx {floatx}", tolerance)

    def errors(self, wrong_input_shapes: Sequence[Any]) -> None:
        """What the layer must refuse, with its name in the message."""
        layer = self.new_layer()
        self._refuses(layer, self.data[0].tolist(), "a list of numbers")
        for shapes in wrong_input_shapes:
            shapes = _shape_list(shapes)
            self._refuses(self.new_layer(), unpack_singleton(self.new_inputs(shapes)), f"inputs of shapes {shapes}")
        specs = to_list(self.layer.input_spec)
        if len(specs) != len(self.data):
            return
        for position, spec in enumerate(specs):
            if spec is None:
                continue
            for shape in _wrong_for(spec, self.data[position].shape):
                shapes = [array.shape for array in self.data]
                shapes[position] = shape
                self._refuses(self.layer, unpack_singleton(self.new_inputs(shapes)), f"inputs of shapes {shapes}")

    def _refuses(self, layer: Layer, inputs: Any, what: str) -> None:
        try:
            layer(inputs)
        except ValueError as error:
            self.require(layer.name in str(error), f"refuses {what} without naming the layer '{layer.name}': {error}")
        else:
            self.require(False, f"accepts {what}")


class _Mask(Layer):
    """Passes its input on, with a mask that hides the last step of the first sample."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        shown: Any = np.ones(inputs.shape[:2], bool)
        shown[0, -1] = False
        return K.constant(shown, dtype="bool")


@contextmanager
def _floatx(name: str) -> Iterator[None]:
    before = K.floatx()
    K.set_floatx(name)
    try:
        yield
    finally:
        K.set_floatx(before)


def _wrong_for(spec: Any, shape: Shape) -> list[Shape]:
    """Shapes that an `InputSpec` does not allow."""
    wrong: list[Shape] = []
    if spec.ndim is not None or spec.max_ndim is not None:
        wrong.append((*shape[:-1], *(1,) * (1 + (spec.max_ndim or len(shape)) - len(shape)), *shape[-1:]))
    if spec.ndim is not None or spec.min_ndim is not None:
        wrong.append(shape[: (spec.min_ndim or len(shape)) - 1])
    fixed = {axis for axis, size in (spec.axes or {}).items() if size is not None}
    fixed |= {axis for axis, size in enumerate(spec.shape or ()) if size is not None}
    for axis in fixed:
        larger = list(shape)
        larger[axis] = (larger[axis] or 0) + 1
        wrong.append(tuple(larger))
    return wrong


def _shape_list(shape: Any) -> list[Shape]:
    several = bool(shape) and all(isinstance(part, (list, tuple)) for part in shape)
    return [tuple(one) for one in shape] if several else [tuple(shape)]


def _plain(config: Any) -> Any:
    """A configuration with tuples and lists made equal, as JSON does."""
    return json.loads(json.dumps(config, default=json_value))
