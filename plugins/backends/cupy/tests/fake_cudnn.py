"""The part of cuDNN's frontend that kcore calls, on the host: it computes convolutions as cuDNN documents them, from
dimensions, strides and addresses alone."""

from __future__ import annotations

import ctypes
import enum
import itertools
from typing import Any

import numpy as np

from kcore_backends_cupy.emulation import streams

data_type = enum.Enum("data_type", ["HALF", "FLOAT", "DOUBLE"])
numerical_note = enum.Enum(
    "numerical_note", ["NONDETERMINISTIC", "TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION"]
)
heur_mode = enum.Enum("heur_mode", ["A", "FALLBACK"])

WORKSPACE = 1024
built: list[pygraph] = []  # all graphs with plans, in order
executed: list[str] = []  # the operation of each execution
supported = True
streams_of_handle: list[int] = []


class cudnnGraphNotSupportedError(Exception):
    """As the frontend's."""


def create_handle() -> int:
    return 7


def set_stream(handle: int, stream: int) -> None:
    assert handle == 7
    streams_of_handle[:] = [stream]


class Tensor:
    """A tensor of a graph."""

    def __init__(self, dim: Any = None, stride: Any = None, data_type: Any = None):
        self.dim, self.stride, self.type = dim, stride, data_type
        self.uid, self.output, self.alignment = 0, False, 16

    def _set(self, **values: Any) -> Tensor:
        self.__dict__.update(values)
        return self

    def set_output(self, value: bool) -> Tensor:
        return self._set(output=value)

    def set_dim(self, value: list[int]) -> Tensor:
        return self._set(dim=value)

    def set_stride(self, value: list[int]) -> Tensor:
        return self._set(stride=value)

    def set_data_type(self, value: Any) -> Tensor:
        return self._set(type=value)

    def set_uid(self, value: int) -> Tensor:
        return self._set(uid=value)

    def set_alignment(self, value: int) -> Tensor:
        return self._set(alignment=value)

    def at(self, pointer: int) -> np.ndarray:
        """The memory as an array of the dimensions, channels first."""
        assert pointer % self.alignment == 0
        dtype = np.dtype({"HALF": "float16", "FLOAT": "float32", "DOUBLE": "float64"}[self.type.name])
        size = sum((d - 1) * s for d, s in zip(self.dim, self.stride, strict=True)) + 1
        memory = (ctypes.c_char * (size * dtype.itemsize)).from_address(pointer)
        flat = np.frombuffer(memory, dtype)
        return np.lib.stride_tricks.as_strided(flat, self.dim, [s * dtype.itemsize for s in self.stride])


class pygraph:
    """A graph of one convolution."""

    def __init__(self, *, io_data_type: Any, intermediate_data_type: Any, compute_data_type: Any, handle: Any = None):
        self.io, self.compute, self.handle = io_data_type, compute_data_type, handle
        self.notes: list[Any] = []
        self.state = "new"

    def tensor(self, *, name: str, dim: list[int], stride: list[int], data_type: Any) -> Tensor:
        return Tensor(dim, stride, data_type)

    def _operation(self, kind: str, first: Tensor, second: Tensor, window: dict[str, Any]) -> Tensor:
        self.kind, self.window, self.result = kind, window, Tensor()
        self.tensors = (first, second, self.result)
        return self.result

    def conv_fprop(self, *, image: Tensor, weight: Tensor, **window: Any) -> Tensor:
        return self._operation("fprop", image, weight, window)

    def conv_dgrad(self, *, loss: Tensor, filter: Tensor, **window: Any) -> Tensor:
        return self._operation("dgrad", loss, filter, window)

    def conv_wgrad(self, *, image: Tensor, loss: Tensor, **window: Any) -> Tensor:
        return self._operation("wgrad", image, loss, window)

    def _step(self, before: str, after: str) -> None:
        assert self.state == before
        self.state = after

    def validate(self) -> None:
        self._step("new", "valid")
        assert self.result.output
        assert [t.uid for t in self.tensors] == [1, 2, 3]
        assert set(self.window) == {"pre_padding", "post_padding", "stride", "dilation"}

    def build_operation_graph(self) -> None:
        self._step("valid", "graph")

    def create_execution_plans(self, modes: list[Any]) -> None:
        self._step("graph", "plans")

    def deselect_numeric_notes(self, notes: list[Any]) -> None:
        self.notes += notes

    def deselect_workspace_greater_than(self, size: int) -> None:
        assert size >= WORKSPACE

    def check_support(self) -> None:
        self._step("plans", "supported")
        if not supported:
            raise cudnnGraphNotSupportedError("No valid engine configs")

    def build_plans(self) -> None:
        self._step("supported", "built")
        built.append(self)

    def get_workspace_size(self) -> int:
        assert self.state == "built"
        return WORKSPACE

    def execute(self, memory: dict[int, int], workspace: int, handle: int) -> None:
        assert self.state == "built"
        assert handle == 7
        assert streams_of_handle == [streams.current_stream().ptr]
        streams.launch(lambda: self._compute(memory, workspace))

    def _compute(self, memory: dict[int, int], workspace: int) -> None:
        executed.append(self.kind)
        (ctypes.c_char * WORKSPACE).from_address(workspace).value = b"x" * (WORKSPACE - 1)
        first, second, result = (t.at(memory[t.uid]) for t in self.tensors)
        kind = self.kind
        image = {"fprop": first, "dgrad": result, "wgrad": first}[kind].astype("float64")
        loss = {"fprop": result, "dgrad": first, "wgrad": second}[kind].astype("float64")
        weights = {"fprop": second, "dgrad": second, "wgrad": result}[kind].astype("float64")
        pre, post = self.window["pre_padding"], self.window["post_padding"]
        strides, dilation = self.window["stride"], self.window["dilation"]
        size = weights.shape[2:]
        for n, p, lo, hi, k, s, d in zip(
            image.shape[2:], loss.shape[2:], pre, post, size, strides, dilation, strict=True
        ):
            assert p == (n + lo + hi - (k - 1) * d - 1) // s + 1
        padded = np.pad(image, [(0, 0), (0, 0), *zip(pre, post, strict=True)])
        made = {"fprop": np.zeros(loss.shape), "dgrad": np.zeros(padded.shape), "wgrad": np.zeros(weights.shape)}[kind]
        axes = (0, *range(2, image.ndim))
        for tap in itertools.product(*map(range, size)):
            where = [
                slice(t * d, t * d + (p - 1) * s + 1, s)
                for t, d, s, p in zip(tap, dilation, strides, loss.shape[2:], strict=True)
            ]
            view, weight = (slice(None), slice(None), *where), weights[(slice(None), slice(None), *tap)]
            if kind == "fprop":
                made += np.einsum("nc...,kc->nk...", padded[view], weight)
            elif kind == "dgrad":
                made[view] += np.einsum("nk...,kc->nc...", loss, weight)
            else:
                made[(slice(None), slice(None), *tap)] = np.tensordot(loss, padded[view], (axes, axes))
        if kind == "dgrad":
            made = made[(slice(None), slice(None), *(slice(lo, lo + n) for lo, n in zip(pre, image.shape[2:])))]
        result[...] = made
