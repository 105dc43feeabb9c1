"""The networks on which kcore and its peers are compared, as plain data: each worker builds them in its framework.

A network is a row of layers ``(kind, arguments...)``; "resnet50" is one layer. All data are random and seeded, since
only speed is read from them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np


class Workload(NamedTuple):
    """A network and the data it is trained on.

    Args:
        layers: the network, without the last activation: that is part of the loss.
        shape: of a sample.
        words: samples are tokens below this number; 0 for samples of floats.
        classes: of the answers: 1 for yes and no, else one-hot vectors.
        steps: of an answer at every time step; 0 for one answer a sample.
        optimizer: "sgd", "nesterov" (momentum 0.9), "rmsprop", "adadelta" or "adam", each with its usual rates.
        samples, batch: of an epoch.
    """

    layers: list[tuple[Any, ...]]
    shape: tuple[int, ...]
    classes: int
    optimizer: str
    samples: int
    batch: int
    words: int = 0
    steps: int = 0

    def data(self, samples: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and answers, as float32 and int64 arrays."""
        count, r, answers = samples or self.samples, np.random.RandomState(0), np.random.RandomState(1)
        x = r.randint(0, self.words, (count, *self.shape)) if self.words else r.rand(count, *self.shape)
        y = answers.randint(0, max(2, self.classes), (count, self.steps) if self.steps else count)
        one_hot = y[..., None] if self.classes == 1 else np.eye(self.classes)[y]
        return x.astype("int64" if self.words else "float32"), one_hot.astype("float32")


def _vgg() -> Iterator[tuple[Any, ...]]:
    for i, filters in enumerate((32, 32, 64, 64)):
        yield from [("conv2d", filters, 3, 1, "same", None), ("batch_norm",), ("relu",)]
        if i % 2:
            yield ("pool2d",)
    yield from [("flatten",), ("dense", 256, "relu"), ("dropout", 0.5), ("dense", 10, None)]


def _mobilenet() -> Iterator[tuple[Any, ...]]:
    yield from [("conv2d", 32, 3, 2, "same", None), ("batch_norm",), ("relu",)]
    sizes = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for filters, stride in sizes:
        yield from [("depthwise", 3, stride), ("batch_norm",), ("relu",)]
        yield from [("conv2d", filters, 1, 1, "same", None), ("batch_norm",), ("relu",)]
    yield from [("global_average2d",), ("dense", 1000, None)]


def _mlp(units: int, rate: float) -> list[tuple[Any, ...]]:
    return [("dense", units, "relu"), ("dropout", rate), ("dense", units, "relu"), ("dropout", rate),
            ("dense", 10, None)]  # fmt: skip


WORKLOADS = {
    "mlp_small": Workload(_mlp(64, 0.5), (20,), 10, "nesterov", 10000, 32),
    "mlp_mnist": Workload(_mlp(512, 0.2), (784,), 10, "rmsprop", 12800, 128),
    "cnn_mnist": Workload(
        [("conv2d", 32, 3, 1, "valid", "relu"), ("conv2d", 64, 3, 1, "valid", "relu"), ("pool2d",), ("dropout", 0.25),
         ("flatten",), ("dense", 128, "relu"), ("dropout", 0.5), ("dense", 10, None)],
        (28, 28, 1), 10, "adadelta", 12800, 128,
    ),
    "cnn_vgg": Workload(list(_vgg()), (64, 64, 3), 10, "sgd", 3200, 32),
    "cnn_text": Workload(
        [("embedding", 5000, 50), ("dropout", 0.2), ("conv1d", 250, 3, "relu"), ("global_max1d",),
         ("dense", 250, "relu"), ("dropout", 0.2), ("dense", 1, None)],
        (400,), 1, "adam", 3200, 32, words=5000,
    ),
    "lstm_text": Workload(
        [("embedding", 20000, 128), ("lstm", 128), ("dense", 1, None)], (80,), 1, "adam", 3200, 32, words=20000
    ),
    "lstm_sigmoid_text": Workload(
        [("embedding", 20000, 128), ("lstm_sigmoid", 128), ("dense", 1, None)], (80,), 1, "adam", 3200, 32, words=20000
    ),
    "bigru_tagger": Workload(
        [("embedding", 5000, 64), ("bigru", 64), ("dense", 20, None)], (60,), 20, "rmsprop", 3200, 32, words=5000,
        steps=60,
    ),
    "mobilenet": Workload(list(_mobilenet()), (224, 224, 3), 1000, "sgd", 256, 32),
    "resnet50": Workload([("resnet50",), ("dense", 1000, None)], (224, 224, 3), 1000, "sgd", 256, 64),
}  # fmt: skip

#: ResNet50's stages: filters of the bottleneck, blocks, stride of the first block (He et al. 2015).
RESNET50 = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


class Options(NamedTuple):
    """What a worker was asked for on its command line."""

    name: str
    workload: Workload
    batch: int
    samples: int
    epochs: int
    compiled: bool
    tf32: bool
    cpu: bool


def options(description: str | None) -> Options:
    """The command line of a worker."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--samples", type=int, help="of an epoch")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--epochs", type=int, default=3, help="that are timed, after one that is not")
    parser.add_argument("--compiled", action="store_true", help="with the framework's compiler, where that is a choice")
    parser.add_argument("--tf32", action="store_true", help="products and convolutions in TF32")
    parser.add_argument("--cpu", action="store_true", help="for trying the worker out without a GPU")
    args = parser.parse_args()
    workload = WORKLOADS[args.workload]
    batch = args.batch or workload.batch
    samples = (args.samples or workload.samples) // batch * batch
    return Options(args.workload, workload, batch, samples, args.epochs, args.compiled, args.tf32, args.cpu)


def report(asked: Options, epoch: Callable[[], float], **more: Any) -> None:
    """Time epochs and print the figures as a line of JSON.

    Args:
        asked: the command line.
        epoch: trains one epoch, waits for its end and returns its mean loss.
        more: versions, the card.
    """
    start = time.perf_counter()
    first = epoch()
    figures = {"workload": asked.name, "batch": asked.batch, "first_epoch_s": time.perf_counter() - start}
    times, losses = [], [first]
    for _ in range(asked.epochs):
        start = time.perf_counter()
        losses.append(epoch())
        times.append(time.perf_counter() - start)
    batches = asked.samples // asked.batch
    print(json.dumps({**figures, "ms": 1e3 * sorted(times)[len(times) // 2] / batches, "losses": losses, **more}))
