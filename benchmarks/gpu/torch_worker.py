"""Milliseconds for a training batch in PyTorch, eager or compiled (with CUDA graphs: mode "reduce-overhead").

The data lie on the card, batches are gathered there, and the loss is read once an epoch: the fastest way that is usual.
Its fused LSTM and GRU have sigmoid gates, where the others compute the hard sigmoid; images are channels_last.
"""

from __future__ import annotations

from typing import Any

import torch
from networks import RESNET50, Options, Workload, options, report
from torch import nn


class Recurrent(nn.Module):
    """An LSTM's last output, or the outputs of a bidirectional GRU at all steps."""

    def __init__(self, kind: str, given: int, units: int):
        super().__init__()
        self.last = kind == "lstm"
        made = nn.LSTM if self.last else nn.GRU
        self.inner = made(given, units, batch_first=True, bidirectional=not self.last)

    def forward(self, x: Any) -> Any:
        found = self.inner(x)[0]
        return found[:, -1] if self.last else found


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any):
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class Bottleneck(nn.Module):
    """A block of ResNet50, with the stride in its first convolution, as the application has it."""

    def __init__(self, given: int, filters: int, stride: int, project: bool):
        super().__init__()

        def part(a: int, b: int, k: int, s: int) -> list[nn.Module]:
            return [nn.Conv2d(a, b, k, s, k // 2), nn.BatchNorm2d(b, eps=1e-3, momentum=0.01)]

        wide = 4 * filters
        self.main = nn.Sequential(*part(given, filters, 1, stride), nn.ReLU(), *part(filters, filters, 3, 1), nn.ReLU(),
                                  *part(filters, wide, 1, 1))  # fmt: skip
        self.side = nn.Sequential(*part(given, wide, 1, stride)) if project else nn.Identity()

    def forward(self, x: Any) -> Any:
        return torch.relu(self.main(x) + self.side(x))


def resnet50() -> nn.Module:
    """ResNet50 up to its pooled features."""
    blocks: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64, eps=1e-3, momentum=0.01), nn.ReLU(),
                               nn.MaxPool2d(3, 2)]  # fmt: skip
    given = 64
    for filters, count, stride in RESNET50:
        for i in range(count):
            blocks.append(Bottleneck(given, filters, stride if not i else 1, not i))
            given = 4 * filters
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def build(workload: Workload) -> nn.Module:
    """The network; sizes that follow from the input are found by a sample."""
    images = len(workload.shape) == 3
    sample = torch.zeros(2, *workload.shape, dtype=torch.int64 if workload.words else torch.float32)
    value = sample.permute(0, 3, 1, 2) if images else sample
    parts: list[nn.Module] = []
    for kind, *args in workload.layers:
        found = _layer(kind, args, value)
        parts += found
        with torch.no_grad():
            value = nn.Sequential(*found).eval()(value)
    return nn.Sequential(*parts)


def _layer(kind: str, args: list[Any], value: Any) -> list[nn.Module]:
    size = value.shape
    if kind == "dense":
        return [nn.Linear(size[-1], args[0]), *([nn.ReLU()] if args[1] else [])]
    if kind == "conv2d":
        filters, k, stride, padding, activation = args
        conv = nn.Conv2d(size[1], filters, k, stride, k // 2 if padding == "same" else 0)
        return [conv, *([nn.ReLU()] if activation else [])]
    if kind == "conv1d":
        turn = Apply(lambda x: x.transpose(1, 2))
        return [turn, nn.Conv1d(size[2], args[0], args[1]), nn.ReLU()]
    simple = {
        "dropout": lambda: nn.Dropout(args[0]),
        "relu": nn.ReLU,
        "flatten": nn.Flatten,
        "batch_norm": lambda: nn.BatchNorm2d(size[1], eps=1e-3, momentum=0.01),
        "depthwise": lambda: nn.Conv2d(size[1], size[1], args[0], args[1], args[0] // 2, groups=size[1]),
        "pool2d": lambda: nn.MaxPool2d(2),
        "global_average2d": lambda: Apply(lambda x: x.mean((2, 3))),
        "embedding": lambda: nn.Embedding(*args),
        "global_max1d": lambda: Apply(lambda x: x.amax(2)),
        "lstm": lambda: Recurrent("lstm", size[-1], args[0]),
        "lstm_sigmoid": lambda: Recurrent("lstm", size[-1], args[0]),
        "bigru": lambda: Recurrent("bigru", size[-1], args[0]),
        "resnet50": resnet50,
    }
    return [simple[kind]()]


def optimizer(name: str, parameters: Any) -> Any:
    """With the rates of Keras 2."""
    optim = torch.optim
    return {
        "sgd": lambda: optim.SGD(parameters, 0.01),
        "nesterov": lambda: optim.SGD(parameters, 0.01, momentum=0.9, nesterov=True),
        "rmsprop": lambda: optim.RMSprop(parameters, 0.001, 0.9, 1e-7),
        "adadelta": lambda: optim.Adadelta(parameters, 1.0, 0.95, 1e-7),
        "adam": lambda: optim.Adam(parameters, 0.001, eps=1e-7),
    }[name]()


def main(asked: Options) -> None:
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = asked.tf32
    torch.backends.cudnn.benchmark = True
    where = torch.device("cpu" if asked.cpu else "cuda")
    workload = asked.workload
    model = build(workload).to(where)
    x, y = (torch.from_numpy(a).to(where) for a in workload.data(asked.samples))
    if len(workload.shape) == 3:
        model, x = model.to(memory_format=torch.channels_last), x.permute(0, 3, 1, 2)
    if workload.classes > 1:
        y = y.argmax(-1)

    def loss_of(given: Any, wanted: Any) -> Any:
        found = model(given)
        if workload.classes == 1:
            return nn.functional.binary_cross_entropy_with_logits(found, wanted)
        return nn.functional.cross_entropy(found.reshape(-1, workload.classes), wanted.reshape(-1))

    run = torch.compile(loss_of, mode="reduce-overhead") if asked.compiled else loss_of
    trained = optimizer(workload.optimizer, model.parameters())

    def epoch() -> float:
        order, total = torch.randperm(asked.samples, device=where), torch.zeros((), device=where)
        for start in range(0, asked.samples, asked.batch):
            rows = order[start : start + asked.batch]
            trained.zero_grad(set_to_none=True)
            loss = run(x[rows], y[rows])
            loss.backward()
            trained.step()
            total += loss.detach()
        return float(total) / (asked.samples // asked.batch)

    card = "cpu" if asked.cpu else torch.cuda.get_device_name()
    parameters = sum(p.numel() for p in model.parameters())
    report(asked, epoch, framework=f"PyTorch {torch.__version__}", device=card, parameters=parameters)


if __name__ == "__main__":
    main(options(__doc__))
