"""`Layer`: the base class of all layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from kcore import backend as K
from kcore import dtypes
from kcore.engine.calls import CallRecord, recording
from kcore.engine.names import automatic_name, name_scope
from kcore.engine.node import Connected, Node
from kcore.engine.spec import check_inputs
from kcore.engine.structure import Shape, accepts, shape_list, to_list, unpack_singleton
from kcore.engine.tracked import Tracked
from kcore.errors import ArgumentError, GraphError, KcoreError, MaskingError
from kcore.graph import Tensor
from kcore.shapes import listed
from kcore.versions import explained, explained_constructor, parameters_of, unknown_arguments

_KEYWORDS = frozenset(
    ("input_shape", "batch_input_shape", "batch_size", "dtype", "input_dtype", "name", "trainable", "weights")
)


class Layer(Connected, Tracked):
    """A step of computation with weights of its own; the manual's "write your own layer".

    A subclass usually has `__init__` (settings), `build(input_shape)` (weights, with `add_weight`),
    `call(inputs)` (the computation, with functions of `kcore.backend`), `compute_output_shape` and
    `get_config`. Calling a layer on tensors builds it, runs `call`, and records the call, so that models
    can be made from its outputs.

    Args:
        name: string, unique in a model; made from the class's name by default (`dense_1`).
        trainable: boolean, whether training changes the weights.
        input_shape: tuple, the shape of one sample, for the first layer of a `Sequential`.
        batch_size: int, the fixed batch size that goes with `input_shape`.
        batch_input_shape: tuple, the same with the batch axis included.
        dtype: string, the dtype of the input that goes with it.
        weights: list of arrays, initial values of the weights.

    Attributes:
        name, trainable, built, stateful: as named.
        input_spec: `InputSpec` or list of them, what the inputs must be; None for anything.
        supports_masking: boolean, whether a mask passes through unchanged where `compute_mask` is
            not overridden.

    Raises:
        TypeError: an unknown keyword argument.
    """

    input_spec: Any = None
    supports_masking: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        explained_constructor(cls)

    def __init__(self, **kwargs: Any) -> None:
        if not _KEYWORDS.issuperset(kwargs):
            known = parameters_of(type(self)) | _KEYWORDS
            raise unknown_arguments(type(self).__name__, kwargs.keys() - _KEYWORDS, known)
        self.name = _checked_name(kwargs.get("name")) or automatic_name(type(self).__name__)
        if "trainable" in kwargs:
            self.trainable = kwargs["trainable"]
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []
        self._initial_weights = kwargs.get("weights")
        self._begin_tracking()
        self._note_input(kwargs)

    def _note_input(self, kwargs: dict[str, Any]) -> None:
        """Remember the input that a first layer announces."""
        given = kwargs.get("dtype")
        dtype = dtype_name(kwargs.get("input_dtype") if given is None else given)
        shape = kwargs.get("batch_input_shape")
        if shape is None and kwargs.get("input_shape") is not None:
            sample = kwargs["input_shape"]
            if not isinstance(sample, (list, tuple)):
                raise ArgumentError(
                    f"`input_shape` of {self.name} must be a tuple of ints and Nones without the batch axis, such as "
                    f"(784,) or (28, 28, 1). Received: {sample!r}"
                )
            shape = (kwargs.get("batch_size"), *sample)
        if shape is not None:
            sizes = "ints and Nones, the batch axis first"
            self.batch_input_shape = tuple(listed(shape, "batch_input_shape", sizes, self))
            dtype = dtype or K.floatx()
        if dtype is not None:
            self.dtype = dtype

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # --- what subclasses override ---------------------------------------------------------------------
    def build(self, input_shape: Any) -> None:
        """Make the weights. Called once, before the first `call`; sets `built`.

        Args:
            input_shape: tuple (batch axis included), or list of tuples for several inputs.
        """
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:  # type checkers let a subclass name its own
        """The computation.

        Args:
            inputs: tensor or list of tensors.
            kwargs: what the caller gave by keyword. A subclass that names `mask` gets the input's
                mask, where there is one.

        Returns:
            Tensor or list of tensors.
        """
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output's shape (or list of shapes), for this input shape (or list of shapes)."""
        return input_shape

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The output's mask, for these inputs and their mask (or list of masks).

        Raises:
            TypeError: the layer does not support masking, and there is a mask.
        """
        if self.supports_masking:
            return mask
        if any(m is not None for m in to_list(mask)):
            raise MaskingError(
                f"Layer {self.name} does not support masking, but was passed an input_mask: {mask}. "
                "Leave the mask out upstream (mask_zero=False, no Masking layer), or in a layer of your own set "
                "`self.supports_masking = True` or override `compute_mask`."
            )
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer (without its weights) with `from_config`."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        for optional in ("batch_input_shape", "dtype"):
            if hasattr(self, optional):
                config[optional] = getattr(self, optional)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from the dictionary that `get_config` returned."""
        return cls(**config)

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        """Weights as a file has them, in the form in which this layer holds them.

        A layer whose weights once had another number, order or layout overrides this.

        Args:
            weights: list of arrays.
            keras_version: the version that wrote them: '1', '2.0.5', '2.1.6' ...
            backend: 'tensorflow', 'theano' or 'cntk'; None where the file does not say.

        Returns:
            List of arrays for `set_weights`; wrong ones may be left wrong, they are refused later.
        """
        return weights

    # --- being called -----------------------------------------------------------------------------------
    def assert_input_compatibility(self, inputs: Any) -> None:
        """Refuse inputs that `input_spec` does not allow, with a ValueError that names the layer."""
        check_inputs(self, inputs)

    @partial(explained, also=None)
    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Apply the layer to tensors, and record the call.

        Args:
            inputs: tensor or list of tensors.
            kwargs: passed to `call`.

        Returns:
            The output tensor, or list of tensors where there are several.

        Raises:
            ValueError: the inputs are not what the layer expects.
        """
        if "_inbound_nodes" not in self.__dict__:
            raise GraphError(
                f"{type(self).__name__}.__init__ does not call super().__init__(**kwargs), which makes a layer of it"
            )
        with self._named_in_errors(), name_scope(self.name), recording(self) as record:
            self.assert_input_compatibility(inputs)
            self._build_for(to_list(inputs))
            return self._apply(inputs, kwargs, record)

    @contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        """Say in the errors of this call which layer they are about; of nested layers the innermost."""
        try:
            yield
        except KcoreError as error:
            error.say_layer(self.name, type(self).__name__)
            raise

    def _build_for(self, inputs: list[Tensor]) -> None:
        if self.built:
            return
        self.build(unpack_singleton([x._keras_shape for x in inputs]))
        self.built = True
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def _apply(self, inputs: Any, kwargs: dict[str, Any], record: CallRecord) -> Any:
        input_list = to_list(inputs)
        input_masks = [getattr(x, "_keras_mask", None) for x in input_list]
        mask = unpack_singleton(input_masks)
        given = dict(kwargs)
        if "mask" not in kwargs and any(m is not None for m in input_masks) and accepts(self.call, "mask"):
            kwargs["mask"] = mask
        outputs, output_masks = self._compute(inputs, mask, kwargs)
        Node.of_call(self, input_list, outputs, input_masks, output_masks, given, record)
        return unpack_singleton(outputs)

    def _compute(self, inputs: Any, mask: Any, kwargs: dict[str, Any]) -> tuple[list[Tensor], list[Any]]:
        """`call` and `compute_mask`: fresh handles on the outputs, with their shapes, and their masks."""
        outputs = self._fresh_outputs(self.call(inputs, **kwargs), to_list(inputs))
        masks = _masks_of(self.compute_mask(inputs, mask), len(outputs))
        regularizer = getattr(self, "activity_regularizer", None)
        if regularizer is not None:
            self.add_loss([regularizer(x) for x in outputs], to_list(inputs))
        return outputs, masks

    def _fresh_outputs(self, results: Any, inputs: list[Tensor]) -> list[Tensor]:
        """Handles that nobody else has: equal values may be results of several layers, or the input itself."""
        uses_phase = any(x._uses_learning_phase for x in inputs)
        outputs = []
        for result in to_list(results):
            if not isinstance(result, Tensor):
                raise GraphError(
                    f"`call` of layer {self.name} ({type(self).__name__}) must return a tensor or a list of tensors; "
                    f"it returned {result!r:.200}."
                )
            output = result.handle()
            output._keras_shape = result._keras_shape
            if (uses_phase or result._uses_learning_phase) and not output._uses_learning_phase:
                output._uses_learning_phase = True
            outputs.append(output)
        self._complete_shapes(outputs, inputs)
        return outputs

    def _complete_shapes(self, outputs: list[Tensor], inputs: list[Tensor]) -> None:
        """Fill in the sizes that the graph does not know from `compute_output_shape`, where that knows them."""
        batch_known = bool(inputs) and bool(inputs[0]._keras_shape) and inputs[0]._keras_shape[0] is not None
        if not any(None in x._keras_shape[0 if batch_known else 1 :] for x in outputs):
            return
        stated = self.compute_output_shape(unpack_singleton([x._keras_shape for x in inputs]))
        if stated is None:
            return
        for output, shape in zip(outputs, shape_list(stated), strict=False):
            output._keras_shape = _merged(output._keras_shape, shape)


def _checked_name(name: Any) -> str | None:
    if name is not None and not isinstance(name, str):
        raise ArgumentError(f"`name` of a layer must be a string. Received: {name!r:.200}")
    return name


def _merged(known: Shape, stated: Shape) -> Shape:
    """The graph's shape, with unknown sizes taken from what the layer states (the graph is never wrong)."""
    if len(known) != len(stated):
        return known
    return tuple(s if k is None else k for k, s in zip(known, stated, strict=True))


def _masks_of(masks: Any, count: int) -> list[Any]:
    """One mask for each output; a single one stands for all."""
    listed = to_list(masks)
    if len(listed) == 1:
        return listed * count
    return (listed + [None] * count)[:count]


def dtype_name(dtype: Any) -> str | None:
    """The dtype as a string; later versions of the format write a policy instead of a name."""
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if isinstance(dtype, str) and dtype.startswith("mixed_"):
        return "float32"
    return None if dtype is None else dtypes.canonical(dtype)
