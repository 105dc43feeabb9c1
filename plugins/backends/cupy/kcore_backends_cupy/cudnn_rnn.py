"""cuDNN's recurrent layers, by ctypes: its frontend, by which convolutions go, has none.

What is relied on, since none of this is said by types (NVIDIA's cudnn_adv.h and the documentation of cuDNN 9; where
they leave a choice, it is the one that PyTorch makes, whose LSTM runs through the same calls):

- `CUDNN_RNN_ALGO_STANDARD` knows every size and dtype, and may be captured: its streams and events begin and end at the
  handle's stream, and all its memory is given to it. The persistent ones want cooperative launches, and have limits.
- Data are ``(steps, batch, vector)`` without padding, all sequences of full length (`SEQ_MAJOR_UNPACKED`, which needs
  `PADDED_IO_ENABLED`). `devSeqLengths` is NULL: since 8.9.1 cuDNN takes the lengths out of the descriptors and hands
  them to its kernels as arguments, so that there is no copy that a capture would refuse.
- Weights lie in one block, the *weight space*; `cudnnGetRNNWeightParams` says where. `linLayerID` counts the matrices
  of the input, then those of the state: i, f, c, o of an LSTM; r, u, c of a GRU, which has its reset gate after the
  product. Each matrix is ``(units, vector)``, rows one after the other. Two biases, always: the other modes exist for
  this algorithm only, and a bias of zeros costs nothing.
- Forward in training fills the *reserve space*. `cudnnRNNBackwardData_v8` changes it, and only then may
  `cudnnRNNBackwardWeights_v8` read it: in this order, both on one reserve, once. The latter adds to the gradients of
  weights (`CUDNN_WGRAD_MODE_ADD` is all that it knows), which are zeroed before. Workspace means nothing after a call.
- float32 with `CUDNN_FMA_MATH` is float32; `CUDNN_DEFAULT_MATH` would allow TF32. float16 is computed in float32.
- A handle serves one thread at a time.
"""

from __future__ import annotations

import ctypes
import threading
import warnings
import weakref
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_size_t, c_uint32, c_ulonglong, c_void_p
from typing import Any, NamedTuple

from kcore.errors import ExecutionError
from kcore_backends_cupy.availability import libraries_wanted
from kcore_backends_cupy.launch import Launch
from kcore_backends_cupy.layout import Span, span
from kcore_backends_cupy.libraries import Latest, Library, OncePerDevice, StatusError, in_wheels
from kcore_backends_cupy.workspace import workspace

Array = Any

#: Values of cudnn_graph.h and cudnn_adv.h (tests/make_cudnn_rnn.py).
CONSTANTS = {
    "CUDNN_DATA_FLOAT": 0,
    "CUDNN_DATA_DOUBLE": 1,
    "CUDNN_DATA_HALF": 2,
    "CUDNN_DEFAULT_MATH": 0,
    "CUDNN_TENSOR_OP_MATH": 1,
    "CUDNN_FMA_MATH": 3,
    "CUDNN_RNN_ALGO_STANDARD": 0,
    "CUDNN_RNN_TANH": 1,
    "CUDNN_LSTM": 2,
    "CUDNN_GRU": 3,
    "CUDNN_RNN_DOUBLE_BIAS": 2,
    "CUDNN_UNIDIRECTIONAL": 0,
    "CUDNN_LINEAR_INPUT": 0,
    "CUDNN_RNN_PADDED_IO_ENABLED": 1,
    "CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED": 0,
    "CUDNN_FWD_MODE_INFERENCE": 0,
    "CUDNN_FWD_MODE_TRAINING": 1,
    "CUDNN_WGRAD_MODE_ADD": 0,
    "CUDNN_STATUS_NOT_SUPPORTED": 3000,
}

_TYPES = {"float16": "CUDNN_DATA_HALF", "float32": "CUDNN_DATA_FLOAT", "float64": "CUDNN_DATA_DOUBLE"}
KEPT = 256  # layers

_P, _OUT, _SIZE, _INTS = c_void_p, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_int)
_SPACES = [c_size_t, _P, c_size_t, _P, c_size_t, _P]  # weights, work, reserve: bytes and address each
#: Entry points that return a status, with their parameters.
ENTRIES: dict[str, list[Any]] = {
    "cudnnCreate": [_OUT],
    "cudnnSetStream": [_P, _P],
    "cudnnCreateTensorDescriptor": [_OUT],
    "cudnnSetTensorNdDescriptor": [_P, c_int, c_int, _INTS, _INTS],
    "cudnnGetTensorNdDescriptor": [_P, c_int, _INTS, _INTS, _INTS, _INTS],
    "cudnnDestroyTensorDescriptor": [_P],
    "cudnnCreateDropoutDescriptor": [_OUT],
    "cudnnSetDropoutDescriptor": [_P, _P, c_float, _P, c_size_t, c_ulonglong],
    "cudnnDestroyDropoutDescriptor": [_P],
    "cudnnCreateRNNDescriptor": [_OUT],
    "cudnnSetRNNDescriptor_v8": [_P, *[c_int] * 8, *[c_int32] * 4, _P, c_uint32],
    "cudnnDestroyRNNDescriptor": [_P],
    "cudnnCreateRNNDataDescriptor": [_OUT],
    "cudnnSetRNNDataDescriptor": [_P, c_int, c_int, c_int, c_int, c_int, _INTS, _P],
    "cudnnDestroyRNNDataDescriptor": [_P],
    "cudnnGetRNNWeightSpaceSize": [_P, _P, _SIZE],
    "cudnnGetRNNWeightParams": [_P, _P, c_int32, c_size_t, _P, c_int32, _P, _OUT, _P, _OUT],
    "cudnnGetRNNTempSpaceSizes": [_P, _P, c_int, _P, _SIZE, _SIZE],
    "cudnnRNNForward": [_P, _P, c_int, *[_P] * 11, *_SPACES],
    "cudnnRNNBackwardData_v8": [*[_P] * 16, *_SPACES],
    "cudnnRNNBackwardWeights_v8": [_P, _P, c_int, *[_P] * 7, *_SPACES],
}


class Recurrence(NamedTuple):
    """A recurrent layer over whole sequences.

    Attributes:
        cell: "CUDNN_LSTM", "CUDNN_GRU" or "CUDNN_RNN_TANH".
        dtype: of everything.
        batch, steps, features, units: sizes.
        tf32: whether float32 may be rounded to TF32.
    """

    cell: str
    dtype: str
    batch: int
    steps: int
    features: int
    units: int
    tf32: bool = False

    @property
    def gates(self) -> int:
        """How many matrices the input has."""
        return {"CUDNN_LSTM": 4, "CUDNN_GRU": 3}.get(self.cell, 1)


class Layer:
    """The descriptors of a recurrence, and what memory it wants.

    Attributes:
        wanted: the recurrence.
        rnn, x, y, h: descriptors: of the layer, of sequences of inputs and of outputs, and of a state.
        matrices, biases: where they begin in the weight space, in elements, by `linLayerID`.
        weights, reserve: bytes of the weight space, and of the reserve space of training.
        work: bytes of workspace in inference and in training.
    """

    __slots__ = ("__weakref__", "biases", "h", "matrices", "reserve", "rnn", "wanted", "weights", "work", "x", "y")

    rnn: c_void_p
    x: c_void_p
    y: c_void_p
    h: c_void_p
    matrices: tuple[int, ...]
    biases: tuple[int, ...]
    weights: int
    reserve: int
    work: tuple[int, int]

    def __init__(self, wanted: Recurrence):
        self.wanted = wanted


class Call(Launch):
    """A call of the library on fixed memory.

    Args:
        library: the library.
        name: of the entry point.
        args: what follows the handle.
        cupy: the array module, whose current stream the call follows: that of the device, or one that is captured.
        reads, writes: the arrays.
        layer: kept, with its descriptors.
    """

    __slots__ = ("_cupy", "_layer", "_library", "_name", "_reads", "_writes")

    kind = "cuDNN"

    def __init__(
        self, library: CudnnRnn, name: str, args: tuple[Any, ...], cupy: Any, reads: Any, writes: Any, layer: Layer
    ):
        self._library, self._name, self._cupy, self._layer = library, name, cupy, layer
        self._reads, self._writes = tuple(reads), tuple(writes)
        super().__init__(None, (), (), args)

    def __call__(self) -> None:
        self._library.execute(self._name, self.args, self._cupy.cuda.get_current_stream().ptr)

    def arrays(self) -> list[Any]:
        return [*self._reads, *self._writes]

    def spans(self) -> tuple[list[Span], list[Span]]:
        return [span(a) for a in self._reads], [span(a) for a in self._writes]


class CudnnRnn(Library):
    """See `Library`."""

    title = "cuDNN"
    entries = ENTRIES

    def __init__(self, path: str):
        super().__init__(path)
        self._library.cudnnGetErrorString.argtypes = [c_int]
        self._library.cudnnGetErrorString.restype = c_char_p
        self._library.cudnnGetLastErrorString.argtypes = [c_char_p, c_size_t]
        self._library.cudnnGetLastErrorString.restype = None
        self._layers = Latest()
        self._lock = threading.RLock()
        self._handle = self.made("cudnnCreate")

    def explain(self, status: int) -> str:
        more = ctypes.create_string_buffer(1024)
        self._library.cudnnGetLastErrorString(more, len(more))
        words = (self._library.cudnnGetErrorString(status) or b"unknown", more.value)
        return ", ".join(w.decode(errors="replace").strip() for w in words if w)

    # -- what is decided when a plan is made --------------------------------------------------------------
    def layer(self, wanted: Recurrence) -> Layer | None:
        """The layer, made once; None where cuDNN does not know it."""
        with self._lock:
            made: Layer | None = self._layers.get_or_make(wanted, self._make, KEPT)
        return made

    def _make(self, wanted: Recurrence) -> Layer | None:
        try:
            return self._describe(wanted)
        except StatusError as error:
            if error.status // 1000 != CONSTANTS["CUDNN_STATUS_NOT_SUPPORTED"] // 1000:
                # 4: whoever called `layer`
                warnings.warn(f"cuDNN fails at {wanted}, which kcore computes itself: {error}", stacklevel=4)
            return None

    def _describe(self, wanted: Recurrence) -> Layer:
        layer, descriptors = Layer(wanted), []

        def make(kind: str) -> c_void_p:
            made = self.made(f"cudnnCreate{kind}Descriptor")
            descriptors.append((kind, made))
            return made

        weakref.finalize(layer, self._destroy, descriptors).atexit = False
        dtype, batch, units = CONSTANTS[_TYPES[wanted.dtype]], wanted.batch, wanted.units
        no_dropout = make("Dropout")
        self.run("cudnnSetDropoutDescriptor", no_dropout, self._handle, 0.0, None, 0, 0)
        layer.rnn = make("RNN")
        chosen = ("CUDNN_RNN_ALGO_STANDARD", wanted.cell, "CUDNN_RNN_DOUBLE_BIAS", "CUDNN_UNIDIRECTIONAL")
        self.run(
            "cudnnSetRNNDescriptor_v8", layer.rnn, *(CONSTANTS[c] for c in chosen), CONSTANTS["CUDNN_LINEAR_INPUT"],
            dtype, *self._precision(wanted), wanted.features, units, units, 1, no_dropout,
            CONSTANTS["CUDNN_RNN_PADDED_IO_ENABLED"],
        )  # fmt: skip
        layer.x, layer.y, layer.h = make("RNNData"), make("RNNData"), make("Tensor")
        lengths = (c_int * batch)(*[wanted.steps] * batch)
        order = CONSTANTS["CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED"]
        for data, vector in ((layer.x, wanted.features), (layer.y, units)):
            self.run("cudnnSetRNNDataDescriptor", data, dtype, order, wanted.steps, batch, vector, lengths, None)
        state = (c_int * 3)(1, batch, units), (c_int * 3)(batch * units, units, 1)
        self.run("cudnnSetTensorNdDescriptor", layer.h, dtype, 3, *state)
        layer.weights = self._size("cudnnGetRNNWeightSpaceSize", layer.rnn)
        layer.matrices, layer.biases = self._places(layer, make("Tensor"), make("Tensor"))
        sizes = [self._temporary(layer, mode) for mode in ("INFERENCE", "TRAINING")]
        layer.work, layer.reserve = (sizes[0][0], sizes[1][0]), sizes[1][1]
        return layer

    @staticmethod
    def _precision(wanted: Recurrence) -> tuple[int, int]:
        """What numbers are computed in, and by which units."""
        if wanted.dtype == "float32":
            math = "CUDNN_DEFAULT_MATH" if wanted.tf32 else "CUDNN_FMA_MATH"
        else:
            math = "CUDNN_TENSOR_OP_MATH" if wanted.dtype == "float16" else "CUDNN_DEFAULT_MATH"
        computed = "CUDNN_DATA_DOUBLE" if wanted.dtype == "float64" else "CUDNN_DATA_FLOAT"
        return CONSTANTS[computed], CONSTANTS[math]

    def _size(self, name: str, *args: Any) -> int:
        size = c_size_t()
        self.run(name, self._handle, *args, ctypes.byref(size))
        return size.value

    def _temporary(self, layer: Layer, mode: str) -> tuple[int, int]:
        work, reserve = c_size_t(), c_size_t()
        self.run(
            "cudnnGetRNNTempSpaceSizes", self._handle, layer.rnn, CONSTANTS[f"CUDNN_FWD_MODE_{mode}"], layer.x,
            ctypes.byref(work), ctypes.byref(reserve),
        )  # fmt: skip
        return work.value, reserve.value

    def _places(self, layer: Layer, matrix: c_void_p, bias: c_void_p) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where matrices and biases begin. The addresses are counted from one that is never read."""
        wanted, base = layer.wanted, 1 << 20
        itemsize = {"float16": 2, "float32": 4, "float64": 8}[wanted.dtype]
        found: tuple[list[int], list[int]] = [], []
        for number in range(2 * wanted.gates):
            addresses = c_void_p(), c_void_p()
            self.run(
                "cudnnGetRNNWeightParams", self._handle, layer.rnn, 0, layer.weights, base, number,
                matrix, ctypes.byref(addresses[0]), bias, ctypes.byref(addresses[1]),
            )  # fmt: skip
            columns = wanted.features if number < wanted.gates else wanted.units
            for places, descriptor, address, row in zip(found, (matrix, bias), addresses, (columns, 1), strict=True):
                offset, rest = divmod((address.value or 0) - base, itemsize)
                shape, strides = self._shape(descriptor)
                inside = 0 <= offset <= layer.weights // itemsize - wanted.units * row
                if (
                    rest
                    or layer.weights % itemsize
                    or not inside
                    or shape != (1, wanted.units, row)
                    or strides[1:] != (row, 1)
                ):
                    raise StatusError(
                        f"cuDNN describes linear layer {number} as {shape}, strides {strides}, at byte "
                        f"{(address.value or 0) - base} of {layer.weights}: kcore expects (1, {wanted.units}, {row}) "
                        "without gaps"
                    )
                places.append(offset)
        return tuple(found[0]), tuple(found[1])

    def _shape(self, descriptor: c_void_p) -> tuple[tuple[int, ...], tuple[int, ...]]:
        dtype, rank, shape, strides = c_int(), c_int(), (c_int * 3)(), (c_int * 3)()
        self.run("cudnnGetTensorNdDescriptor", descriptor, 3, ctypes.byref(dtype), ctypes.byref(rank), shape, strides)
        return tuple(shape), tuple(strides)

    def _destroy(self, made: list[tuple[str, c_void_p]]) -> None:
        for kind, pointer in made:
            self.run(f"cudnnDestroy{kind}Descriptor", pointer)

    # -- what a plan calls ----------------------------------------------------------------------------------
    def execute(self, name: str, args: tuple[Any, ...], stream: int) -> None:
        """Call an entry point that computes, in a stream.

        Raises:
            StatusError: it answers with an error.
        """
        with self._lock:
            try:
                self.run("cudnnSetStream", self._handle, stream)
                self.run(name, self._handle, *args)
            except StatusError as error:
                hint = "KCORE_CUPY_LIBRARIES=0 leaves recurrent layers to kcore's own kernels"
                raise StatusError(f"{error}. {hint}", status=error.status) from error

    def forward(
        self, ctx: Any, layer: Layer, x: Array, y: Array, h: tuple[Array, Array], c: tuple[Array, Array] | None,
        space: Array, reserve: Array | None,
    ) -> Call:  # fmt: skip
        """The call that computes a layer.

        Args:
            ctx: bind context, for workspace.
            layer: the layer.
            x, y: ``(steps, batch, features)`` and, written, ``(steps, batch, units)``.
            h, c: initial and, written, last state, ``(batch, units)`` each; `c` of an LSTM only.
            space: the weight space.
            reserve: the reserve space, written; None where no gradient follows.
        """
        training = reserve is not None
        block, nbytes = self._workspace(ctx, layer, training)
        before, after = c or (None, None)
        mode = CONSTANTS[f"CUDNN_FWD_MODE_{'TRAINING' if training else 'INFERENCE'}"]
        args = (
            layer.rnn, mode, None, layer.x, _at(x), layer.y, _at(y), layer.h, _at(h[0]), _at(h[1]),
            layer.h if c else None, _at(before), _at(after), *self._spaces(layer, space, block, nbytes, reserve),
        )  # fmt: skip
        return self._call(
            ctx, "cudnnRNNForward", args, [x, h[0], before, space], [y, h[1], after, block, reserve], layer
        )

    def backward_data(
        self, ctx: Any, layer: Layer, y: tuple[Array, Array], dx: Array, h: tuple[Array, Array, Array],
        c: tuple[Array, Array, Array] | None, space: Array, reserve: Array,
    ) -> Call:  # fmt: skip
        """The call that computes the gradients of inputs and initial states.

        Args:
            y: outputs and their gradient.
            dx: written.
            h, c: initial state, the gradient of the last one and, written, that of the initial one.
            reserve: of the forward call; it is changed.
        """
        block, nbytes = self._workspace(ctx, layer, True)
        cell = c or (None, None, None)
        args = (
            layer.rnn, None, layer.y, _at(y[0]), _at(y[1]), layer.x, _at(dx), layer.h, *map(_at, h),
            layer.h if c else None, *map(_at, cell), *self._spaces(layer, space, block, nbytes, reserve),
        )  # fmt: skip
        reads, writes = [*y, *h[:2], *cell[:2], space], [dx, h[2], cell[2], block, reserve]
        return self._call(ctx, "cudnnRNNBackwardData_v8", args, reads, writes, layer)

    def backward_weights(
        self, ctx: Any, layer: Layer, x: Array, y: Array, h: Array, gradients: Array, reserve: Array
    ) -> Call:
        """The call that adds the gradients of weights to `gradients`, a weight space; after `backward_data`."""
        block, nbytes = self._workspace(ctx, layer, True)
        args = (
            layer.rnn, CONSTANTS["CUDNN_WGRAD_MODE_ADD"], None, layer.x, _at(x), layer.h, _at(h), layer.y, _at(y),
            *self._spaces(layer, gradients, block, nbytes, reserve),
        )  # fmt: skip
        return self._call(ctx, "cudnnRNNBackwardWeights_v8", args, [x, y, h], [gradients, block, reserve], layer)

    @staticmethod
    def _workspace(ctx: Any, layer: Layer, training: bool) -> tuple[Array, int]:
        nbytes = layer.work[training]
        return workspace(ctx.device, nbytes), nbytes

    @staticmethod
    def _spaces(layer: Layer, space: Array, block: Array, nbytes: int, reserve: Array | None) -> tuple[Any, ...]:
        return (
            layer.weights, _at(space), nbytes, _at(block), 0 if reserve is None else layer.reserve, _at(reserve),
        )  # fmt: skip

    def _call(self, ctx: Any, name: str, args: Any, reads: list[Any], writes: list[Any], layer: Layer) -> Call:
        return Call(self, name, args, ctx.xp, _given(reads), _given(writes), layer)


def _at(array: Array | None) -> int | None:
    return None if array is None else array.data.ptr


def _given(arrays: list[Array | None]) -> list[Array]:
    return [a for a in arrays if a is not None]


def find(device: Any) -> CudnnRnn | None:
    """The library; None without one, on the host, or where it is not wanted."""
    if device.emulated or not libraries_wanted():
        return None
    for path in in_wheels("libcudnn.so.9", ("cudnn",)):
        try:
            return CudnnRnn(path)
        except OSError:
            continue  # not there
        except ExecutionError as error:
            warnings.warn(
                f"{path} is not used for recurrent layers, which kcore computes itself: {error}", stacklevel=2
            )
    return None


#: The library with a handle for a device, looked for once.
library = OncePerDevice(lambda device: find(device))
