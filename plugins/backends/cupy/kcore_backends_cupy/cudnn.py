"""Convolution by cuDNN, through NVIDIA's frontend (`nvidia-cudnn-frontend`), where it is installed.

A convolution is described as a graph of one operation; cuDNN builds an execution plan for it when kcore's plan is
bound, and keeps it for equal convolutions. What is left for a run is one call, which may be captured. Where cuDNN is
missing, or knows no way, the caller computes the convolution himself.
"""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kcore_backends_cupy.availability import libraries_wanted
from kcore_backends_cupy.launch import Launch
from kcore_backends_cupy.layout import Span, span
from kcore_backends_cupy.libraries import Latest, OncePerDevice
from kcore_backends_cupy.workspace import workspace

if TYPE_CHECKING:
    from kcore_backends_cupy.emulation.paper import Convolutions

WORKSPACE = 256 << 20  # bytes that a plan may use
KEPT = 1024  # plans

Ints = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A convolution over two or three spatial dimensions, or one of its gradients.

    Attributes:
        kind: "fprop" of image and weights, "dgrad" (the gradient for the image) of loss and weights, "wgrad" (that for
            the weights) of image and loss. The loss has the shape of the result.
        dtype: of everything; float16 is added up in float32.
        image, loss: ``(batch, *spatial, channels)``, channels last in memory.
        weights: ``(filters, *size, channels)``, as cuDNN wants them in memory.
        before, after: padding.
        strides, dilation: of the window.
        tf32: whether float32 may be rounded to TF32.
        alignment: bytes, a power of two, that divides all addresses.
    """

    kind: Literal["fprop", "dgrad", "wgrad"]
    dtype: str
    image: Ints
    loss: Ints
    weights: Ints
    before: Ints
    after: Ints
    strides: Ints
    dilation: Ints
    tf32: bool = False
    alignment: int = 16

    @property
    def roles(self) -> tuple[str, str, str]:
        """What is read, and what is written, in the order of their numbers in a graph, 1 to 3."""
        return {
            "fprop": ("image", "weights", "loss"),
            "dgrad": ("loss", "weights", "image"),
            "wgrad": ("image", "loss", "weights"),
        }[self.kind]


def describe(cudnn: Any, wanted: Convolution, handle: int | None = None) -> Any:
    """The graph of a convolution, validated; its tensors have the numbers 1, 2 and 3.

    Dimensions are said channels first, memory is channels last: that is how cuDNN speaks.
    """
    io = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}[wanted.dtype]
    io_type = getattr(cudnn.data_type, io)
    compute = cudnn.data_type.DOUBLE if io == "DOUBLE" else cudnn.data_type.FLOAT
    graph = cudnn.pygraph(
        io_data_type=io_type, intermediate_data_type=compute, compute_data_type=compute, handle=handle
    )
    first, second, result = wanted.roles
    tensors = []
    for number, role in enumerate((first, second), start=1):
        dim, stride = _channels_last(getattr(wanted, role))
        tensor = graph.tensor(name=role, dim=dim, stride=stride, data_type=io_type)
        tensors.append(tensor.set_uid(number).set_alignment(wanted.alignment))
    build, names = {
        "fprop": (graph.conv_fprop, ("image", "weight")),
        "dgrad": (graph.conv_dgrad, ("loss", "filter")),
        "wgrad": (graph.conv_wgrad, ("image", "loss")),
    }[wanted.kind]
    made = build(
        **dict(zip(names, tensors, strict=True)),
        pre_padding=list(wanted.before),
        post_padding=list(wanted.after),
        stride=list(wanted.strides),
        dilation=list(wanted.dilation),
    )
    dim, stride = _channels_last(getattr(wanted, result))
    # Said explicitly: versions of the frontend infer different layouts.
    made.set_output(True).set_dim(dim).set_stride(stride).set_data_type(io_type)
    made.set_uid(3).set_alignment(wanted.alignment)
    graph.validate()
    return graph


def _channels_last(shape: Ints) -> tuple[list[int], list[int]]:
    """Dimensions, channels first, and strides of dense memory with channels last."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    strides.reverse()
    return [shape[0], shape[-1], *shape[1:-1]], [strides[0], strides[-1], *strides[1:-1]]


def plan(cudnn: Any, wanted: Convolution, handle: int | None) -> Any:
    """The graph of a convolution with an execution plan; None where cuDNN knows no way.

    Only ways that give the same bits at each run, and, unless TF32 is allowed, that compute float32 as float32.
    """
    notes = [cudnn.numerical_note.NONDETERMINISTIC]
    if wanted.dtype == "float32" and not wanted.tf32:
        notes += [
            cudnn.numerical_note.TENSOR_CORE,
            cudnn.numerical_note.DOWN_CONVERT_INPUTS,
            cudnn.numerical_note.REDUCED_PRECISION_REDUCTION,
        ]
    try:
        graph = describe(cudnn, wanted, handle)
        graph.build_operation_graph()
        graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        graph.deselect_numeric_notes(notes)
        graph.deselect_workspace_greater_than(WORKSPACE)
        graph.check_support()
        graph.build_plans()
    except cudnn.cudnnGraphNotSupportedError:
        return None
    return graph


class Call(Launch):
    """The execution of a plan on fixed memory."""

    __slots__ = ("_cudnn", "_graph", "_kept", "_memory", "_workspace")

    kind = "cuDNN"

    def __init__(self, cudnn: Cudnn, graph: Any, arrays: tuple[Any, Any, Any], block: Any):
        self._cudnn, self._graph, self._workspace = cudnn, graph, block.data.ptr
        self._memory = {number: array.data.ptr for number, array in enumerate(arrays, start=1)}
        self._kept = (*arrays, block)
        super().__init__(None, (), (), arrays)

    def __call__(self) -> None:
        self._cudnn.execute(self._graph, self._memory, self._workspace)

    def spans(self) -> tuple[list[Span], list[Span]]:
        first, second, result, block = (span(x) for x in self._kept)
        return [first, second], [result, block]


class Cudnn:
    """cuDNN on one GPU.

    Args:
        module: the frontend, the module `cudnn`.
        cupy: the array module, whose current stream it follows.

    Raises:
        RuntimeError: cuDNN itself is missing, or does not start.
    """

    def __init__(self, module: Any, cupy: Any):
        self.module = module
        self._cupy = cupy
        self._handle: int = module.create_handle()
        self._plans = Latest()
        self._lock = threading.Lock()  # a handle serves one thread at a time

    def execute(self, graph: Any, memory: dict[int, int], workspace: int) -> None:
        """Execute a plan on CuPy's current stream: that of the device, or one that is captured."""
        with self._lock:
            self.module.set_stream(handle=self._handle, stream=self._cupy.cuda.get_current_stream().ptr)
            graph.execute(memory, workspace, handle=self._handle)

    def plan(self, wanted: Convolution) -> Any:
        """A graph with an execution plan, made once; None where cuDNN knows no way."""
        with self._lock:
            return self._plans.get_or_make(wanted, self._make, KEPT)

    def _make(self, wanted: Convolution) -> Any:
        try:
            return plan(self.module, wanted, self._handle)
        except RuntimeError as error:
            # 4: whoever called `plan`
            warnings.warn(f"cuDNN fails at {wanted}, which kcore computes itself: {error}", stacklevel=4)
            return None

    def call(self, ctx: Any, wanted: Convolution, arrays: tuple[Any, Any, Any]) -> Call | None:
        """The call that computes a convolution on arrays in the order of its roles, or None."""
        graph = self.plan(wanted)
        if graph is None:
            return None
        return Call(self, graph, arrays, workspace(ctx.device, int(graph.get_workspace_size())))


def find(device: Any) -> Cudnn | Convolutions | None:
    """cuDNN, if it is installed and wanted; never on the host."""
    if device.on_paper and libraries_wanted():
        from kcore_backends_cupy.emulation.paper import Convolutions

        return Convolutions()
    if device.emulated or not libraries_wanted():
        return None
    try:
        import cudnn
    except ModuleNotFoundError:
        return None
    try:
        return Cudnn(cudnn, device.xp)
    except RuntimeError as error:
        warnings.warn(
            f"nvidia-cudnn-frontend is installed, and cuDNN does not start, so that kcore computes convolutions "
            f'itself: {error}. pip install "kcore-backends-cupy[cudnn-cu12]" (or cudnn-cu13) brings cuDNN',
            stacklevel=2,
        )
        return None


#: cuDNN for a device, looked for once.
library = OncePerDevice(lambda device: find(device))
