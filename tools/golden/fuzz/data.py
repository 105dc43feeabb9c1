"""What a case feeds: inputs, targets, weights; and the arguments in the forms in which users give them."""

from __future__ import annotations

from typing import Any

import numpy as np


class Data:
    """Arrays of a case.

    Args:
        case: what `draw` made.
        shapes: of the outputs, without the batch.
        n: number of samples.
        seed: of the arrays.
    """

    def __init__(self, case: dict[str, Any], shapes: list[tuple[int, ...]], n: int, seed: int) -> None:
        random = np.random.RandomState(seed)
        floatx = "float64" if case["float64"] else "float32"
        self.x = [inputs(one, case, n, random, floatx) for one in case["inputs"]]
        losses = case["compile"]["losses"]
        self.y = [
            None if loss is None else target(loss, (n, *shape), random, floatx) for loss, shape in zip(losses, shapes)
        ]
        self.sample_weight: list[Any] = []
        self.class_weight: list[Any] = []
        for kind, mode, shape in zip(case["weights"], case["compile"]["modes"], shapes):
            w = None
            if kind == "sample":
                w = random.choice([0.0, 0.5, 1.0, 2.0], (n, shape[0]) if mode == "temporal" else n)
                w[:: case["do"]["batch_size"]] += 0.1
            self.sample_weight.append(w)
            classes = max(shape[-1], 2)
            self.class_weight.append({c: 0.5 + c for c in range(classes)} if kind == "class" else None)

    def rows(self, start: int, stop: int) -> Data:
        part = object.__new__(Data)
        cut = lambda arrays: [None if a is None else a[start:stop] for a in arrays]  # noqa: E731
        part.x, part.y, part.sample_weight = cut(self.x), cut(self.y), cut(self.sample_weight)
        part.class_weight = self.class_weight
        return part

    def __len__(self) -> int:
        return len(self.x[0])

    def weights(self, modes: list[str | None], with_classes: bool) -> list[Any]:
        """The weights of every sample of each output."""
        found = []
        for y, w, classes, mode in zip(self.y, self.sample_weight, self.class_weight, modes):
            if y is None:
                found.append(None)
                continue
            total = np.ones(y.shape[:2] if mode == "temporal" else y.shape[:1])
            if w is not None:
                total = total * w
            if classes is not None and with_classes:
                index = y.argmax(-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1).astype(int)
                total = total * np.array([classes[int(i)] for i in index])
            found.append(total)
        return found


def inputs(one: dict[str, Any], case: dict[str, Any], n: int, random: Any, floatx: str) -> np.ndarray:
    shape = tuple(case["do"]["time"][0] if d is None else d for d in one["batch_shape"][1:])
    if one["kind"] == "ids":
        return random.randint(0, 7, (n, *shape)).astype("int32")
    x = random.uniform(-1.5, 1.5, (n, *shape))
    if len(shape) == 2:
        for value in (0.0, 0.5):  # what Masking skips
            x[random.uniform(size=x.shape[:2]) < 0.15] = value
    return x.astype(floatx)


def target(loss: str, shape: tuple[int, ...], random: Any, floatx: str) -> np.ndarray:
    if loss == "sparse_categorical_crossentropy":
        indices = random.randint(0, shape[-1], shape[:-1]).astype(random.choice(["int64", "float32"]))
        return indices if len(shape) == 2 and random.rand() < 0.5 else indices[..., None]
    if loss in ("categorical_crossentropy", "categorical_hinge"):
        return np.eye(shape[-1])[random.randint(0, shape[-1], shape[:-1])].astype(floatx)
    if loss == "binary_crossentropy":
        return random.randint(0, 2, shape).astype(random.choice(["int32", floatx]))
    if loss in ("hinge", "squared_hinge"):
        return random.choice([-1.0, 1.0], shape).astype(floatx)
    if loss in ("mape", "msle", "poisson"):
        return random.uniform(0.5, 2.0, shape).astype(floatx)
    if loss == "kullback_leibler_divergence":
        y = random.uniform(0.1, 1.0, shape)
        return (y / y.sum(-1, keepdims=True)).astype(floatx)
    return random.uniform(-1.0, 1.0, shape).astype(floatx)
