"""Writes recurrent.npz: recurrent layers with all gradients as PyTorch computes them on the CPU.

python make_recurrent.py      # needs PyTorch and NumPy

PyTorch hands its weights to cuDNN gate by gate in its own order (its source: aten/src/ATen/native/cudnn/RNN.cpp), so
that its order of gates is cuDNN's, and its CPU computes what its cuDNN layers compute.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

STEPS, BATCH, FEATURES, UNITS = 4, 2, 3, 5
LAYERS = {"CUDNN_LSTM": torch.nn.LSTM, "CUDNN_GRU": torch.nn.GRU, "CUDNN_RNN_TANH": torch.nn.RNN}
WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def values(cell: str) -> dict[str, torch.Tensor]:
    """Operands, results, gradients given and computed; states are ``(batch, units)``."""
    layer = LAYERS[cell](FEATURES, UNITS).double()
    x = torch.randn(STEPS, BATCH, FEATURES, dtype=torch.float64, requires_grad=True)
    before = [
        torch.randn(1, BATCH, UNITS, dtype=torch.float64, requires_grad=True)
        for _ in "hc"[: 1 + (cell == "CUDNN_LSTM")]
    ]
    y, after = layer(x, tuple(before) if len(before) > 1 else before[0])
    outs = [y, *(after if len(before) > 1 else [after])]
    given = [torch.randn_like(o) for o in outs]
    torch.autograd.backward(outs, given)
    made = {"x": x, "dx": x.grad, "y": y, "dy": given[0]}
    for s, first, last, gradient in zip("hc", before, outs[1:], given[1:]):
        made |= {f"{s}x": first[0], f"d{s}x": first.grad[0], f"{s}y": last[0], f"d{s}y": gradient[0]}
    for name in WEIGHTS:
        made |= {name: getattr(layer, name), f"d{name}": getattr(layer, name).grad}
    return made


if __name__ == "__main__":
    torch.manual_seed(0)
    arrays = {f"{cell}.{k}": v.detach().numpy() for cell in LAYERS for k, v in values(cell).items()}
    np.savez_compressed(Path(__file__).with_name("recurrent.npz"), **arrays)
    print(f"{len(arrays)} arrays, PyTorch {torch.__version__}")
