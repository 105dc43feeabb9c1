"""CUDA source of one step of each recurrent layer, forward and backward: what lies between two matrix products.

A thread has one unit of one sample. Values of all steps, ``(batch, steps, gates * units)``, lie at the step's place in
the input (``p``), outputs in the order of processing (``t``). The reserve keeps blocks of ``(batch, units)`` for each
step. Gradients of states are carried in single precision at least.
"""

from __future__ import annotations

#: name -> (value at z, derivative where the value is y)
ACTIVATIONS = {
    "linear": ("z", "1"),
    "tanh": ("k_tanh(z)", "1 - y * y"),
    "sigmoid": ("(acc_t)0.5 * k_tanh((acc_t)0.5 * z) + (acc_t)0.5", "y - y * y"),
    "hard_sigmoid": ("k_min<acc_t>(k_max<acc_t>((acc_t)0.2 * z + (acc_t)0.5, 0), 1)",
                     "y > 0 && y < 1 ? (acc_t)0.2 : (acc_t)0"),
    "relu": ("k_max<acc_t>(z, 0)", "y > 0 ? 1 : 0"),
    "softsign": ("z / (1 + k_abs(z))", "(1 - k_abs(y)) * (1 - k_abs(y))"),
    "softplus": ("k_log1p(k_exp(-k_abs(z))) + k_max<acc_t>(z, 0)", "-k_expm1(-y)"),
    "elu": ("k_max<acc_t>(z, 0) + k_expm1(k_min<acc_t>(z, 0))", "k_min<acc_t>(y, 0) + 1"),
}  # fmt: skip


def functions(acc: str, outer: str, inner: str) -> str:
    """The type of registers, and the two activations with their derivatives."""
    lines = [f"typedef {acc} acc_t;"]
    for role, name in (("outer", outer), ("inner", inner)):
        value, slope = ACTIVATIONS[name]
        lines.append(f"__device__ inline acc_t {role}(acc_t z) {{ return {value}; }}")
        lines.append(f"__device__ inline acc_t d_{role}(acc_t y) {{ return {slope}; }}")
    return "\n".join(lines) + "\n"


# -- forward ------------------------------------------------------------------------------------------------


def _sums(gates: range, bias: bool) -> str:
    """z0, z1, ...: what the inputs, the state and the bias give to each gate."""
    lines = []
    for g in gates:
        terms = [f"(acc_t)k_load(zx, x_at + {g} * units)", f"(acc_t)k_load(zh, h_at + {g} * units)"]
        if bias:
            terms.append(f"(acc_t)k_load(bias, {g} * units + j)")
        lines.append(f"acc_t z{g} = {' + '.join(terms)};")
    return "\n    ".join(lines)


def _start(count: int) -> str:
    return f"""
    i64 b = i / units, j = i % units;
    i64 x_at = (b * steps + p) * {count} * units + j, h_at = b * {count} * units + j;"""


def _keep(reserve: bool, *values: str) -> str:
    """Store the blocks of the reserve."""
    if not reserve:
        return ""
    stores = [f"k_store(reserve, kept + {k} * n, {v});" for k, v in enumerate(values)]
    return f"i64 kept = t * {len(values)} * n + i;\n    " + " ".join(stores)


def _finish(masked: bool, outputs: bool, states: tuple[str, ...] = ("h",)) -> str:
    """Store new states, unless the mask keeps the old ones, and the output."""
    held = "k_load(mask, b * steps + p) == 0 ? old_{0} : new_{0}" if masked else "new_{0}"
    lines = [f"acc_t now_{s} = {held.format(s)}; k_store(state_{s}, i, now_{s});" for s in states]
    if outputs:
        lines.append("k_store(outputs, (b * steps + t) * units + j, now_h);")
    return "\n    ".join(lines)


def lstm_step(bias: bool, masked: bool, outputs: bool, reserve: bool) -> str:
    return f"""{_start(4)}
    {_sums(range(4), bias)}
    acc_t old_h = k_load(state_h, i), old_c = k_load(state_c, i);
    acc_t in = inner(z0), forget = inner(z1), candidate = outer(z2), out = inner(z3);
    acc_t new_c = forget * old_c + in * candidate, y = outer(new_c), new_h = out * y;
    {_keep(reserve, "out", "in", "forget", "candidate", "old_c", "y")}
    {_finish(masked, outputs, ("h", "c"))}"""


def rnn_step(bias: bool, masked: bool, outputs: bool, reserve: bool) -> str:
    return f"""{_start(1)}
    {_sums(range(1), bias)}
    acc_t old_h = k_load(state_h, i), new_h = outer(z0);
    {_keep(reserve, "new_h")}
    {_finish(masked, outputs)}"""


def gru_after_step(bias: bool, two_rows: bool, masked: bool, outputs: bool, reserve: bool) -> str:
    """Reset after the product: ``h~ = f(W x + r * (U h))``."""
    second = [f" + (acc_t)k_load(bias, {3 + g} * units + j)" if two_rows else "" for g in range(3)]
    first = "(acc_t)k_load(bias, 2 * units + j)" if bias else "0"
    return f"""{_start(3)}
    {_sums(range(2), bias)}
    acc_t old_h = k_load(state_h, i);
    acc_t z = inner(z0{second[0]}), r = inner(z1{second[1]}), u = (acc_t)k_load(zh, h_at + 2 * units){second[2]};
    acc_t g = outer((acc_t)k_load(zx, x_at + 2 * units) + {first} + r * u), new_h = z * old_h + (1 - z) * g;
    {_keep(reserve, "g", "z", "r", "u", "old_h")}
    {_finish(masked, outputs)}"""


def gru_gates(bias: bool) -> str:
    """Reset before the product, first half: z and r, and ``r * h``, the operand of the second product."""
    return f"""{_start(3)}
    {_sums(range(2), bias)}
    acc_t r = inner(z1);
    k_store(gate_z, i, inner(z0));
    k_store(gate_r, i, r);
    k_store(reset, i, r * k_load(state_h, i));"""


def gru_before_step(bias: bool, masked: bool, outputs: bool, reserve: bool) -> str:
    """Reset before the product, second half: ``h~ = f(W x + U (r * h))``."""
    return f"""{_start(3)}
    {_sums(range(2, 3), bias)}
    acc_t old_h = k_load(state_h, i), z = k_load(gate_z, i), g = outer(z2), new_h = z * old_h + (1 - z) * g;
    {_keep(reserve, "g", "z", "k_load(gate_r, i)", "old_h")}
    {_finish(masked, outputs)}"""


# -- backward -----------------------------------------------------------------------------------------------


def collected(masks: int) -> str:
    """The gradient that the later step gives to the state: the product with the recurrent weights, through the
    drop-out masks (none, one, or one for each gate)."""
    if not masks:
        return "    acc_t dh = k_load(carried, i) + (acc_t)k_load(back, i);"
    return f"""    acc_t dh = k_load(carried, i);
    for (int g = 0; g < {masks}; ++g) dh += (acc_t)k_load(back, g * n + i) * k_load(dropped, g * n + i);"""


def _back_start(count: int, blocks: int, masks: int, from_outputs: bool, masked: bool, zeros: int) -> str:
    lines = [
        f"\n    i64 b = i / units, j = i % units, at = (b * steps + p) * {count} * units + j;",
        f"    i64 kept = t * {blocks} * n + i;",
        collected(masks),
    ]
    if from_outputs:
        lines.append("    dh += k_load(g_outputs, (b * steps + t) * units + j);")
    if masked:
        clear = " ".join(f"k_store(dz, at + {g} * units, 0);" for g in range(zeros))
        lines.append(
            "    if (k_load(mask, b * steps + p) == 0) { k_store(carried, i, dh); " + clear + "/*held*/ continue; }"
        )
    return "\n".join(lines)


def _kept(**blocks: int) -> str:
    return "acc_t " + ", ".join(f"{name} = k_load(reserve, kept + {k} * n)" for name, k in blocks.items()) + ";"


def lstm_back(masks: int, from_outputs: bool, masked: bool) -> str:
    return f"""{_back_start(4, 6, masks, from_outputs, masked, 4)}
    {_kept(out=0, forget=2, candidate=3, old_c=4, y=5)} acc_t in = k_load(reserve, kept + n);
    acc_t dc = k_load(carried_c, i) + dh * out * d_outer(y);
    k_store(dz, at, dc * candidate * d_inner(in));
    k_store(dz, at + units, dc * old_c * d_inner(forget));
    k_store(dz, at + 2 * units, dc * in * d_outer(candidate));
    k_store(dz, at + 3 * units, dh * y * d_inner(out));
    k_store(carried_c, i, dc * forget);
    k_store(carried, i, 0);"""


def rnn_back(masks: int, from_outputs: bool, masked: bool) -> str:
    return f"""{_back_start(1, 1, masks, from_outputs, masked, 1)}
    k_store(dz, at, dh * d_outer(k_load(reserve, kept)));
    k_store(carried, i, 0);"""


def gru_after_back(masks: int, from_outputs: bool, masked: bool) -> str:
    """`dz` is the gradient on the side of the inputs, `ds` that on the side of the state."""
    start = _back_start(3, 5, masks, from_outputs, masked, 3)
    start = start.replace("/*held*/", " ".join(f"k_store(ds, at + {g} * units, 0);" for g in range(3)))
    return f"""{start}
    {_kept(g=0, z=1, r=2, u=3, old_h=4)}
    acc_t dg = dh * (1 - z) * d_outer(g), to_z = dh * (old_h - g) * d_inner(z), to_r = dg * u * d_inner(r);
    k_store(dz, at, to_z); k_store(dz, at + units, to_r); k_store(dz, at + 2 * units, dg);
    k_store(ds, at, to_z); k_store(ds, at + units, to_r); k_store(ds, at + 2 * units, dg * r);
    k_store(carried, i, dh * z);"""


def gru_before_back(masks: int, from_outputs: bool, masked: bool) -> str:
    """First half: z and the candidate; a product with the candidate's weights follows."""
    return f"""{_back_start(3, 4, masks, from_outputs, masked, 3)}
    {_kept(g=0, z=1, old_h=3)}
    k_store(dz, at, dh * (old_h - g) * d_inner(z));
    k_store(dz, at + 2 * units, dh * (1 - z) * d_outer(g));
    k_store(carried, i, dh * z);"""


def gru_reset_back(dropped: bool, masked: bool) -> str:
    """Second half: the reset gate."""
    held = "if (k_load(mask, b * steps + p) == 0) continue;" if masked else ""
    return f"""
    i64 b = i / units, j = i % units, at = (b * steps + p) * 3 * units + j, kept = t * 4 * n + i;
    {held}
    {_kept(r=2, old_h=3)}
    acc_t to_reset = (acc_t)k_load(reset, i){" * k_load(dropped, i)" if dropped else ""};
    k_store(dz, at + units, to_reset * old_h * d_inner(r));
    k_store(carried, i, k_load(carried, i) + to_reset * r);"""


def states_before(given: bool, reverse: bool, reset: bool) -> str:
    """The state before each step, at the step's place in the input; with `reset` also ``r`` times it."""
    first = "k_load(h0, b * units + j)" if given else "0"
    product = "k_store(reset, i, h * k_load(reserve, ((t * 4 + 2) * batch + b) * units + j));" if reset else ""
    return f"""
    i64 j = i % units, p = i / units % steps, b = i / units / steps, t = {"steps - 1 - p" if reverse else "p"};
    acc_t h = t ? (acc_t)k_load(outputs, (b * steps + t - 1) * units + j) : (acc_t){first};
    k_store(before, i, h);
    {product}"""
