"""The kernel table of the NumPy device: op name -> bind function.

An op works on every device through its own portable ``kernel``. A faster one for NumPy is registered here, by
name, from outside the op's declaration::

    @numpy_kernel("softmax")
    def softmax(ctx, outs, ins, attrs):
        (x,), (y,) = ins, outs
        def run():
            np.subtract(x, x.max(-1, keepdims=True), out=y)
            ...
        return run

The bind function is called once per plan with the final arrays and returns the call that every run repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bind = Callable[[Any, Any, Any, Any], Callable[[], None]]

_KERNELS: dict[str, Bind] = {}


def numpy_kernel(*names: str) -> Callable[[Bind], Bind]:
    """Register the decorated ``bind(ctx, outs, ins, attrs) -> run`` as the NumPy kernel of the named ops."""

    def register(bind: Bind) -> Bind:
        for name in names:
            if name in _KERNELS and _KERNELS[name].__module__ != bind.__module__:
                raise ValueError(
                    f"The op {name!r} has a NumPy kernel already, from {_KERNELS[name].__module__}; "
                    f"{bind.__module__} would replace it."
                )
            _KERNELS[name] = bind
        return bind

    return register


def registered(name: str) -> Bind | None:
    """The bind function registered for the op ``name``, or None: then the op's portable kernel is used."""
    return _KERNELS.get(name)
