"""cuBLASLt, NVIDIA's library of matrix products, by ctypes: CuPy offers no part of it that a graph can hold.

All choices are made when a plan is bound: layouts, algorithm, workspace. What is left for a run is one call, which
may be captured. Where the library is missing, or has no algorithm for a product, the caller computes it himself.
"""

from __future__ import annotations

import ctypes
import math
import warnings
import weakref
from collections.abc import Iterator, Sequence
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, NamedTuple

from kcore.errors import ExecutionError
from kcore_backends_cupy.availability import libraries_wanted
from kcore_backends_cupy.launch import Launch
from kcore_backends_cupy.layout import Span, span
from kcore_backends_cupy.libraries import Library, OncePerDevice, in_wheels
from kcore_backends_cupy.precision import tf32_allowed
from kcore_backends_cupy.workspace import workspace

if TYPE_CHECKING:
    from kcore_backends_cupy.emulation.paper import Products

#: Values of cublasLt.h, cublas_api.h and library_types.h, the same in CUDA 12 and 13 (tests/make_cublaslt.py).
CONSTANTS = {
    "CUDA_R_32F": 0,
    "CUDA_R_64F": 1,
    "CUDA_R_16F": 2,
    "CUBLAS_COMPUTE_32F": 68,
    "CUBLAS_COMPUTE_64F": 70,
    "CUBLAS_COMPUTE_32F_FAST_TF32": 77,
    "CUBLAS_OP_N": 0,
    "CUBLAS_OP_T": 1,
    "CUBLASLT_MATMUL_DESC_TRANSA": 3,
    "CUBLASLT_MATMUL_DESC_TRANSB": 4,
    "CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT": 5,
    "CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET": 6,
    "CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES": 1,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES": 5,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES": 6,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES": 7,
    "CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES": 8,
}

WORKSPACE = 32 << 20  # bytes: what NVIDIA recommends for Hopper
_TYPES = {"float16": "CUDA_R_16F", "float32": "CUDA_R_32F", "float64": "CUDA_R_64F"}

Algorithm = c_uint64 * 8  # cublasLtMatmulAlgo_t


class Heuristic(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t"""

    _fields_ = (
        ("algo", Algorithm),
        ("workspace_size", c_size_t),
        ("state", c_int),
        ("waves_count", c_float),
        ("reserved", c_int * 4),
    )


_HANDLE, _OUT = c_void_p, POINTER(c_void_p)
#: Entry points that return a status, with their parameters.
ENTRIES: dict[str, list[Any]] = {
    "cublasLtCreate": [_OUT],
    "cublasLtMatmulDescCreate": [_OUT, c_int, c_int],
    "cublasLtMatmulDescSetAttribute": [_HANDLE, c_int, c_void_p, c_size_t],
    "cublasLtMatmulDescDestroy": [_HANDLE],
    "cublasLtMatrixLayoutCreate": [_OUT, c_int, c_uint64, c_uint64, c_int64],
    "cublasLtMatrixLayoutSetAttribute": [_HANDLE, c_int, c_void_p, c_size_t],
    "cublasLtMatrixLayoutDestroy": [_HANDLE],
    "cublasLtMatmulPreferenceCreate": [_OUT],
    "cublasLtMatmulPreferenceSetAttribute": [_HANDLE, c_int, c_void_p, c_size_t],
    "cublasLtMatmulPreferenceDestroy": [_HANDLE],
    "cublasLtMatmulAlgoGetHeuristic": [*[_HANDLE] * 7, c_int, POINTER(Heuristic), POINTER(c_int)],
    "cublasLtMatmul": [_HANDLE, _HANDLE, *[c_void_p] * 11, c_void_p, c_size_t, c_void_p],
}


class Layout(NamedTuple):
    """A matrix of which columns are contiguous, as the library sees it.

    Attributes:
        rows, columns: its size in memory.
        step: elements from one column to the next.
        turned: whether the product takes its transpose.
    """

    rows: int
    columns: int
    step: int
    turned: bool


def layout(rows: int, columns: int, row_stride: int, column_stride: int) -> Layout | None:
    """How a matrix of these strides can be passed; None if neither its rows nor its columns are contiguous."""
    step = _step(rows, columns, row_stride, column_stride)
    if step is not None:
        return Layout(rows, columns, step, False)
    step = _step(columns, rows, column_stride, row_stride)
    return None if step is None else Layout(columns, rows, step, True)


def _step(rows: int, columns: int, row_stride: int, column_stride: int) -> int | None:
    if row_stride != 1 and rows > 1:
        return None
    if columns == 1:
        return rows
    return column_stride if column_stride >= rows else None


class Operand(NamedTuple):
    """A matrix of a product, or several of them at equal distances."""

    array: Any
    layout: Layout
    distance: int


class Product(Launch):
    """A call of the library with all that it needs; see `CublasLt.product`."""

    __slots__ = ("__weakref__", "_cupy", "_kept", "_library")

    kind = "cuBLASLt"

    def __init__(self, library: CublasLt, args: tuple[Any, ...], cupy: Any, kept: Any):
        self._library, self._cupy, self._kept = library, cupy, kept
        super().__init__(None, (), (), args)

    def __call__(self) -> None:
        self._library.run("cublasLtMatmul", *self.args, self._cupy.cuda.get_current_stream().ptr)

    def arrays(self) -> list[Any]:
        return list(self._kept[-3:])

    def spans(self) -> tuple[list[Span], list[Span]]:
        *_, block, a, b, d = self._kept
        return [span(a), span(b)], [span(block), span(d)]


class CublasLt(Library):
    """See `Library`."""

    title = "cuBLASLt"
    entries = ENTRIES

    def __init__(self, path: str):
        super().__init__(path)
        self._library.cublasLtGetStatusString.argtypes = [c_int]
        self._library.cublasLtGetStatusString.restype = c_char_p
        self._handle = self.made("cublasLtCreate")

    def explain(self, status: int) -> str:
        return (self._library.cublasLtGetStatusString(status) or b"unknown").decode(errors="replace")

    def product(self, ctx: Any, a: Operand, b: Operand, d: Operand, count: int) -> Product | None:
        """The call that computes ``d = a b``, all as the library sees them; None if it has no algorithm for that.

        Args:
            ctx: bind context, for the workspace.
            a, b: what is multiplied.
            d: where the result goes; its layout is not turned.
            count: how many products, at the operands' distances.
        """
        dtype = str(d.array.dtype)
        descriptor = self._descriptor(dtype, a.layout.turned, b.layout.turned)
        layouts = [self._layout(x, dtype, count) for x in (a, b, d)]
        made = [("MatmulDesc", descriptor), *(("MatrixLayout", x) for x in layouts)]
        best = self._choose(descriptor, layouts, [a, b, d], count)
        if best is None:
            self._destroy(made)
            return None
        number = c_double if dtype == "float64" else c_float
        one, zero = number(1), number(0)
        size = int(best.workspace_size)
        block = workspace(ctx.device, size)
        left, right, target = (x.array.data.ptr for x in (a, b, d))
        args = (
            self._handle, descriptor, ctypes.addressof(one), left, layouts[0], right, layouts[1],
            ctypes.addressof(zero), target, layouts[2], target, layouts[2], ctypes.addressof(best.algo),
            block.data.ptr, size,
        )  # fmt: skip
        product = Product(self, args, ctx.xp, (one, zero, best, block, a.array, b.array, d.array))
        weakref.finalize(product, self._destroy, made).atexit = False
        return product

    def _descriptor(self, dtype: str, turned_a: bool, turned_b: bool) -> c_void_p:
        compute = "CUBLAS_COMPUTE_64F" if dtype == "float64" else "CUBLAS_COMPUTE_32F"
        if dtype == "float32" and tf32_allowed():
            compute = "CUBLAS_COMPUTE_32F_FAST_TF32"
        scale = "CUDA_R_64F" if dtype == "float64" else "CUDA_R_32F"
        made = self.made("cublasLtMatmulDescCreate", CONSTANTS[compute], CONSTANTS[scale])
        for name, turned in (("TRANSA", turned_a), ("TRANSB", turned_b)):
            self._set("MatmulDesc", made, f"CUBLASLT_MATMUL_DESC_{name}", c_int(CONSTANTS["CUBLAS_OP_T"] * turned))
        return made

    def _layout(self, operand: Operand, dtype: str, count: int) -> c_void_p:
        rows, columns, step, _ = operand.layout
        made = self.made("cublasLtMatrixLayoutCreate", CONSTANTS[_TYPES[dtype]], rows, columns, step)
        if count > 1:
            self._set("MatrixLayout", made, "CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT", c_int(count))
            distance = c_int64(operand.distance)
            self._set("MatrixLayout", made, "CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET", distance)
        return made

    def _choose(self, descriptor: c_void_p, layouts: list[c_void_p], operands: list[Operand], count: int) -> Any:
        """The first of the algorithms that the library proposes for these addresses."""
        preference = self.made("cublasLtMatmulPreferenceCreate")
        try:
            self._prefer(preference, [_alignment(x, count) for x in operands])
            best, found = Heuristic(), c_int()
            status = self._library.cublasLtMatmulAlgoGetHeuristic(
                self._handle, descriptor, *layouts, layouts[2], preference, 1, ctypes.byref(best), ctypes.byref(found)
            )
            return best if not status and found.value and not best.state else None
        finally:
            self._destroy([("MatmulPreference", preference)])

    def _prefer(self, preference: c_void_p, alignments: Sequence[int]) -> None:
        prefix, (a, b, d) = "CUBLASLT_MATMUL_PREF_", alignments
        self._set("MatmulPreference", preference, f"{prefix}MAX_WORKSPACE_BYTES", c_uint64(WORKSPACE))
        for name, value in zip("ABCD", (a, b, d, d), strict=True):
            self._set("MatmulPreference", preference, f"{prefix}MIN_ALIGNMENT_{name}_BYTES", c_uint32(value))

    def _set(self, kind: str, target: c_void_p, attribute: str, value: Any) -> None:
        self.run(f"cublasLt{kind}SetAttribute", target, CONSTANTS[attribute], ctypes.byref(value), ctypes.sizeof(value))

    def _destroy(self, made: list[tuple[str, c_void_p]]) -> None:
        for kind, pointer in made:
            self.run(f"cublasLt{kind}Destroy", pointer)


def _alignment(operand: Operand, count: int) -> int:
    """The power of two, at most 256, that divides the addresses of all matrices."""
    distance = operand.distance * operand.array.itemsize if count > 1 else 0
    return math.gcd(operand.array.data.ptr, distance, 256)


# -- finding the library ----------------------------------------------------------------------------------


def candidates(major: int) -> Iterator[str]:
    """Where the library may lie, that of the CUDA version `major` first: in NVIDIA's wheels, then on the system."""
    for version in sorted({major, 12, 13}, key=lambda v: v != major):
        yield from in_wheels(f"libcublasLt.so.{version}", (f"cu{version}", "cublas"))


def find(device: Any) -> CublasLt | Products | None:
    """The library for CuPy's version of CUDA; None without one, on the host, or where it is
    not wanted."""
    if device.on_paper and libraries_wanted():
        from kcore_backends_cupy.emulation.paper import Products

        return Products()
    if device.emulated or not libraries_wanted():
        return None
    for path in candidates(int(device.xp.cuda.runtime.runtimeGetVersion()) // 1000):
        try:
            return CublasLt(path)
        except OSError:
            continue  # not there
        except ExecutionError as error:
            warnings.warn(f"{path} is not used for products of matrices: {error}", stacklevel=2)
    return None


#: The library with a handle for a device, looked for once.
library = OncePerDevice(lambda device: find(device))
