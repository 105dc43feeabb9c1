"""Kernels with a thread for each element of an image that looks at the window there: pooling, depthwise convolution.

Images are ``(batch, depth, rows, columns, channels)``, of any strides, so that both data formats are read where they
are. `looks` gathers the taps under a position of the window, `meets` the positions whose windows hold an input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kcore.runtime.windows import Triple, Window, expand
from kcore_backends_cupy.kernels.operands import Argument, geometry, image_strides, names
from kcore_backends_cupy.launch import Launches, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

SMALL = 1 << 31  # elements that are numbered in 32 bits, which divide faster

_TAPS = "for (int t = 0, td = 0; td < ktd; ++td) for (int th = 0; th < kth; ++th) for (int tw = 0; tw < ktw; ++tw, ++t)"


class Sweep(NamedTuple):
    """A window that moves over an image.

    Attributes:
        window: its geometry.
        lengths: of the image, in depth, rows and columns.
        positions: of the window.
    """

    window: Window
    lengths: Triple
    positions: Triple


def looks(body: str) -> str:
    """Code for each tap `t` over a real input, at ``(zd, zh, zw)``, seen from the position ``(d, h, w)``."""
    return f"""{_TAPS} {{
      int zd = d * kjd - kbd + td * kdd, zh = h * kjh - kbh + th * kdh, zw = w * kjw - kbw + tw * kdw;
      if ((unsigned)zd >= (unsigned)kld || (unsigned)zh >= (unsigned)klh || (unsigned)zw >= (unsigned)klw) continue;
      {body}
    }}"""


def meets(body: str) -> str:
    """Code for each tap `t` under which some position ``(zd, zh, zw)`` has the input ``(d, h, w)``."""
    return f"""{_TAPS} {{
      int zd = d + kbd - td * kdd, zh = h + kbh - th * kdh, zw = w + kbw - tw * kdw;
      if (zd % kjd || zh % kjh || zw % kjw) continue;
      zd /= kjd; zh /= kjh; zw /= kjw;
      if ((unsigned)zd >= (unsigned)kpd || (unsigned)zh >= (unsigned)kph || (unsigned)zw >= (unsigned)kpw) continue;
      {body}
    }}"""


def at(p: str, here: str = "z", channel: str = "c") -> str:
    """The place in the image `p` of ``(zd, zh, zw)``, or of ``(d, h, w)`` where `here` is empty."""
    spatial = " + ".join(f"{here}{v} * {p}s{v}" for v in "dhw")
    return f"image * {p}sn + {spatial} + {channel} * {p}sc"


def sweep_launch(
    ctx: Any, name: str, body: str, out: Any, sweep: Sweep, *, numbers: Sequence[Argument] = (),
    written: Mapping[str, Any] | None = None, **read: Any,
) -> Any:  # fmt: skip
    """The launch whose threads set `result`, for every ``(image, d, h, w, c)`` of `out`.

    Args:
        ctx: bind context.
        name: of the kernel.
        body: its code.
        out: the image to be computed.
        sweep: the window.
        numbers: further parameters.
        written: further images to be computed, by the names under which the body writes them.
        read: images, and kernels of convolutions, by the names under which the body reads them.
    """
    out = expand(out)
    if not out.size:
        return Launches([])
    every = {"out": out, **(written or {}), **read}
    strides = [a for p, array in every.items() for a in image_strides(p, array)]
    extra = [*numbers, *geometry("k", *sweep), *strides]
    extra += [(f"int o{v}", np.int32(n)) for v, n in zip("dhwc", out.shape[1:], strict=True)]
    register = C_TYPES[str(out.dtype)][1]
    pointers = [f"{'const ' if p in read else ''}{C_TYPES[str(a.dtype)][0]}* {p}" for p, a in every.items()]
    index = "u32" if out.size < SMALL else "u64"
    text = f"""
    {index} r = i;
    int c = r % oc; r /= oc;
    int w = r % ow; r /= ow;
    int h = r % oh; r /= oh;
    int d = r % od; i64 image = r / od;
    {register} result = 0;
    {body}
    k_store(out, {at("out", "")}, result);"""
    source = grid_stride(name, f"{', '.join(pointers)}{names(extra)}", text)
    return each(ctx.xp, source, name, out.size, [*every.values(), *(v for _, v in extra)])
