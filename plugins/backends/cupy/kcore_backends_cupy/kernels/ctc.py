"""The CTC loss and its gradient: a block for each sample goes through the steps, forward and back, in logarithms.

The formulas and their names are those of `kcore.ops.ctc`; sums are made in float64. A GPU cannot stop for lengths and
labels out of range: lengths are cut to the range, and such a label counts as the blank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.ops.ctc import NEVER
from kcore_backends_cupy.kernels.moving import dense, fill_launch
from kcore_backends_cupy.kernels.softmax import softmax_launch
from kcore_backends_cupy.launch import Launch, Launches, compile_kernel, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

BLOCK = 256
_SIZES = "i64 steps, i64 classes, i64 longest"

# Each sample's states: blank, first label, blank, second label, ..., blank.
_STATES = f"""
__device__ inline i64 k_cut(i64 v, i64 most) {{ return v < 0 ? 0 : v > most ? most : v; }}
template <typename T> __device__ inline i64 k_state(const T* labels, i64 s, i64 length, i64 blank) {{
  if (s % 2 == 0 || s / 2 >= length) return blank;
  i64 label = (i64)labels[s / 2];
  return label < 0 || label > blank ? blank : label;
}}
// A step over the blank between two labels is allowed where they differ.
template <typename T> __device__ inline double k_skip(const T* labels, i64 s, i64 length, i64 blank) {{
  i64 state = k_state(labels, s, length, blank);
  return state != blank && state != k_state(labels, s - 2, length, blank) ? 0.0 : {NEVER!r};
}}
__device__ inline double k_log_sum(double a, double b, double c) {{
  double top = k_max(k_max(a, b), c);
  return top + log(exp(a - top) + exp(b - top) + exp(c - top));
}}
"""

# In `alpha` are the shares of the paths through each state in the end. `ahead` is beta and the emission of the step
# after, of this step and the last one.
_BACKWARD = """
  for (i64 t = used - 1; t >= 0; --t) {
    double *now = ahead + (t & 1) * (count + 2), *after = ahead + (1 - (t & 1)) * (count + 2);
    for (i64 s = threadIdx.x; s < count; s += blockDim.x) {
      double beta = s == 2 * length || s == 2 * length - 1 ? 0.0 : never;
      if (t < used - 1)
        beta = k_log_sum(after[s], s + 1 < count ? after[s + 1] : never,
                         s + 2 < count ? after[s + 2] + k_skip(labels, s + 2, length, blank) : never);
      alpha[t * count + s] = exp(alpha[t * count + s] + beta - total);
      now[s] = beta + log_p[t * classes + k_state(labels, s, length, blank)];
    }
    __syncthreads();
  }
"""


def _paths(types: list[str], loss: bool, gradient: bool) -> str:
    label, inputs, lengths, out = types
    keep_loss = "k_store(loss, b, total > never / 2 ? -total : K_INF);" if loss else ""
    parameters = [
        f"const double* log_p, const {label}* labels, const {inputs}* inputs, const {lengths}* lengths",
        "double* alpha, double* ahead, double* totals",
        *([f"{out}* loss"] if loss else []),
        _SIZES,
    ]
    return f"""{_STATES}
extern "C" __global__ void ctc_paths({", ".join(parameters)}) {{
  const double never = {NEVER!r};
  i64 b = blockIdx.x, count = 2 * longest + 1, blank = classes - 1;
  i64 used = k_cut((i64)inputs[b], steps), length = k_cut((i64)lengths[b], longest);
  log_p += b * steps * classes;
  labels += b * longest;
  alpha += b * steps * count;
  ahead += b * 2 * (count + 2);
  for (i64 t = 0; t < used; ++t) {{
    double *now = alpha + t * count, *last = now - count;
    for (i64 s = threadIdx.x; s < count; s += blockDim.x) {{
      double reached = s < 2 ? 0.0 : never;
      if (t)
        reached = k_log_sum(last[s], s > 0 ? last[s - 1] : never,
                            s > 1 ? last[s - 2] + k_skip(labels, s, length, blank) : never);
      now[s] = reached + log_p[t * classes + k_state(labels, s, length, blank)];
    }}
    __syncthreads();
  }}
  double total = length == 0 ? 0.0 : never;
  if (used) {{
    const double* end = alpha + (used - 1) * count + 2 * length;
    total = length ? k_log_sum(end[0], end[-1], never) : end[0];
  }}
  __syncthreads();
  if (threadIdx.x == 0) {{
    totals[b] = total;
    {keep_loss}
  }}
{_BACKWARD if gradient else ""}}}
"""


def _gradient(types: list[str]) -> tuple[str, str]:
    """Probabilities; and of the classes that are emitted, less the shares: the first state of a class has all of them
    added up in order."""
    label, inputs, lengths, out = types
    start = f"""
    i64 at = i / {{width}}, t = at % steps, b = at / steps;
    if (t >= k_cut((i64)inputs[b], steps) || totals[b] <= {NEVER!r} / 2) """
    head = f"const {inputs}* inputs, const double* totals, const double* log_p, {out}* gradient, {_SIZES}"
    first = grid_stride(
        "ctc_probabilities",
        head,
        start.format(width="classes")
        + "{ k_store(gradient, i, 0); continue; }\n    k_store(gradient, i, exp(log_p[i]));",
    )
    second = grid_stride(
        "ctc_shares",
        f"const {label}* labels, const {lengths}* lengths, const double* shares, {head}",
        start.format(width="(2 * longest + 1)")
        + """continue;
    const i64 count = 2 * longest + 1, blank = classes - 1, length = k_cut((i64)lengths[b], longest);
    const i64 s = i % count, state = k_state(labels + b * longest, s, length, blank);
    bool first = true;
    for (i64 k = 0; k < s && first; ++k) first = k_state(labels + b * longest, k, length, blank) != state;
    if (!first) continue;
    double share = 0;
    for (i64 k = s; k < count; ++k)
      if (k_state(labels + b * longest, k, length, blank) == state) share += shares[at * count + k];
    k_store(gradient, at * classes + state, exp(log_p[at * classes + state]) - share);""",
    )
    return _STATES + first, _STATES + second


def ctc_loss(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """See `kcore.ops.ctc`."""
    loss, gradient = outs
    whole = [dense(ctx, x) for x in ins]
    scores, labels, inputs, lengths = (x for x, _ in whole)
    calls = [call for _, copies in whole for call in copies]
    batch, steps, classes = scores.shape
    longest, count = labels.shape[1], 2 * labels.shape[1] + 1
    if not batch:
        return Launches([])
    if not classes:
        return Launches([fill_launch(ctx.xp, loss, 0)] if loss is not None else [])
    log_p, alpha = ctx.scratch(scores.shape, "float64"), ctx.scratch((batch, steps, count), "float64")
    ahead, totals = ctx.scratch((batch, 2, count + 2), "float64"), ctx.scratch((batch,), "float64")
    if scores.size:
        calls.append(softmax_launch(ctx.xp, log_p, scores, 2, "float64", "log_softmax"))
    types = [C_TYPES[str(x.dtype)][0] for x in (labels, inputs, lengths, scores)]
    sizes = [np.int64(v) for v in (steps, classes, longest)]
    source = _paths(types, loss is not None, gradient is not None)
    args = [log_p, labels, inputs, lengths, alpha, ahead, totals, *([loss] if loss is not None else []), *sizes]
    block = min(BLOCK, max(32, 1 << (count - 1).bit_length()))
    calls.append(Launch(compile_kernel(ctx.xp, source, "ctc_paths"), (batch,), (block,), args))
    if gradient is not None and gradient.size:
        first, second = _gradient(types)
        args = [inputs, totals, log_p, gradient, *sizes]
        calls.append(each(ctx.xp, first, "ctc_probabilities", gradient.size, args))
        calls.append(each(ctx.xp, second, "ctc_shares", alpha.size, [labels, lengths, alpha, *args]))
    return Launches(calls)


KERNELS: dict[str, Callable[..., Any]] = {"ctc_loss": ctc_loss}
