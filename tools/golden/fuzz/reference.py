"""What Keras 2.1.6 computes for the cases of `ours.py`: tf-keras's layers, and everything else written out here.

    peer/bin/python tools/golden/fuzz/reference.py FOLDER [--once]

Losses, metrics, weights of samples, masks, optimizers, clipping, averages and histories follow the manual and 2.1.6,
in this file's own words, so that they check kcore's independently. Prints what differs.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
from pathlib import Path
from typing import Any

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # it crashes in separable convolutions
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import peer_layers  # before TensorFlow: it says how that starts
import tensorflow as tf

from fuzz.build import Built, all_weights, build, weights_of
from fuzz.formulas import LOSSES, Optimizer, metric_of, reduced
from fuzz.peer import Peer

keras = peer_layers.keras
K = keras.backend


class Run:
    """A case as 2.1.6 runs it."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record, self.case = record, record["case"]
        case = self.case
        self.dtype = "float64" if case["float64"] else "float32"
        keras.backend.set_floatx(self.dtype)
        self.built: Built = build(case, Peer())
        self.model = self.built.model
        self.weights = [w for _, w in all_weights(self.built, case)]
        found, given = [tuple(w.shape) for w in self.weights], [v.shape for v in record["first"]]
        if found != given:
            raise AssertionError(f"weights {given} instead of {found}")
        for w, v in zip(self.weights, record["first"]):
            w.assign(v)
        frozen = {id(w) for key in case["frozen"] for w in weights_of(self.built.layers[key])}
        frozen |= set(nested_frozen(case, self.built))
        counted = {id(w) for w in self.model.weights}
        self.trained = [w for w in self.weights if id(w) in counted and "moving_" not in w.name and id(w) not in frozen]
        self.trained = list({id(w): w for w in self.trained}.values())
        described = case["compile"]["optimizer"]
        self.optimizer = Optimizer(described["name"], **described["args"])
        self.modes = case["compile"]["modes"]

    def run(self) -> dict[str, Any]:
        case, do, data = self.case, self.case["do"], self.record["data"]
        b = do["batch_size"]
        out: dict[str, Any] = {}
        out["predict0"] = self.predict(data, b)
        out["masked"] = [getattr(y, "_keras_mask", None) is not None for y in self.call(data.rows(0, b), False)]
        self.reset()
        out["input_gradients"] = self.input_gradients(data)
        self.reset()
        out["metrics_names"] = self.names()
        out["evaluate0"] = self.evaluate(data, b, "all")
        self.reset()
        if not case["test_only"]:
            part = data.rows(0, case["batch"] or b)
            out["train_on_batch"] = [self.train(part) for _ in range(do["steps"])]
            self.reset()
            out["history"] = self.fit(data, self.record["val"])
            self.reset()
        out["test_on_batch"] = self.test(data.rows(0, case["batch"] or b), "sample")
        out["predict1"] = self.predict(data, b)
        out["weights"] = [w.numpy() for w in self.weights]
        return out

    def reset(self) -> None:
        for layer in self.model.layers:
            if getattr(layer, "stateful", False) and hasattr(layer, "states"):
                layer.reset_states()

    def call(self, part: Any, training: bool, x: Any = None) -> list[Any]:
        x = x if x is not None else [tf.constant(a) for a in part.x]
        y = self.model(x if len(x) > 1 else x[0], training=training)
        return list(y) if isinstance(y, (list, tuple)) else [y]

    def predict(self, data: Any, b: int) -> list[np.ndarray]:
        parts = [[y.numpy() for y in self.call(data.rows(i, i + b), False)] for i in range(0, len(data), b)]
        return [np.concatenate(column) for column in zip(*parts)]

    def input_gradients(self, data: Any) -> list[Any]:
        part = data.rows(0, self.case["batch"] or len(data))
        x = [tf.constant(a) for a in part.x]
        watched = [t for t in x if t.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            loss = tf.add_n([tf.reduce_sum(y * y) + tf.reduce_sum(y) for y in self.call(part, False, x)])
        return [None if g is None else tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, watched)]

    # -- one batch -------------------------------------------------------------------------------------------
    def names(self) -> list[str]:
        c, names = self.case["compile"], self.case["output_names"]
        several = len(names) > 1
        found = ["loss"]
        if several:
            for name, loss in zip(names, c["losses"]):
                base = label = f"{name}_loss"
                j = 1
                while label in found:
                    label, j = f"{base}_{j}", j + 1
                found += [label] if loss is not None else []
        for name, loss, width, plain, weighted in zip(
            names, c["losses"], self.widths(), c["metrics"], c["weighted_metrics"]
        ):
            if loss is None:
                continue
            for prefix, metrics in (("", plain), ("weighted_", weighted)):
                for m in metrics:
                    base = label = (f"{name}_" if several else "") + prefix + metric_of(m, loss, width)[0]
                    j = 1
                    while label in found:
                        label, j = f"{base}_{j}", j + 1
                    found.append(label)
        return found

    def widths(self) -> list[int]:
        return [y.shape[-1] for y in self.model.outputs]

    def objective(self, part: Any, weights: list[Any], training: bool) -> tuple[Any, list[Any]]:
        """The total loss and all that is reported, for one batch."""
        c = self.case["compile"]
        outputs = self.call(part, training)
        factors = c.get("loss_weights") or [1.0] * len(outputs)
        total: Any = 0.0
        losses, metrics = [], []
        for y, p, w, loss, factor, width, plain, weighted in zip(
            part.y, outputs, weights, c["losses"], factors, self.widths(), c["metrics"], c["weighted_metrics"]
        ):
            if loss is None:
                continue
            t = tf.constant(y if y.ndim == p.shape.rank else y[..., None])
            t = tf.cast(t, p.dtype)
            mask = getattr(p, "_keras_mask", None)
            value = reduced(LOSSES[loss](t, p), w, mask)
            losses.append(value)
            total = total + factor * value
            for m in plain:
                metrics.append(reduced(metric_of(m, loss, width)[1](t, p), None, mask))
            for m in weighted:
                metrics.append(reduced(metric_of(m, loss, width)[1](t, p), w, mask))
        for extra in self.model.losses:
            total = total + extra
        return total, [total, *(losses if len(outputs) > 1 else []), *metrics]

    def test(self, part: Any, weighing: str) -> list[float]:
        weights = self.weigh(part, weighing)
        return [float(v) for v in self.objective(part, weights, False)[1]]

    def weigh(self, part: Any, weighing: str) -> list[Any]:
        if weighing == "none":
            return [None if y is None else np.ones(len(y)) for y in part.y]
        return part.weights(self.modes, weighing == "train")

    def train(self, part: Any) -> list[float]:
        weights = self.weigh(part, "train")
        with tf.GradientTape() as tape:
            total, values = self.objective(part, weights, True)
        gradients = tape.gradient(total, self.trained)
        partial = None in self.case["compile"]["losses"]  # kcore leaves out what only outputs without a loss depend on
        used = [(w, g) for w, g in zip(self.trained, gradients) if g is not None or not partial]
        new = self.optimizer.step(
            [w.numpy() for w, _ in used],
            [np.zeros(w.shape) if g is None else tf.convert_to_tensor(g).numpy() for w, g in used],
        )
        for (w, _), value in zip(used, new):
            value = tf.constant(value, w.dtype)
            w.assign(w.constraint(value) if w.constraint is not None else value)
        return [float(v) for v in values]

    # -- loops -----------------------------------------------------------------------------------------------
    def evaluate(self, data: Any, b: int, weighing: str) -> list[float]:
        sums, n = 0.0, 0
        for i in range(0, len(data), b):
            part = data.rows(i, i + b)
            size = len(part.x[0])
            sums = sums + size * np.array(self.test(part, "sample" if weighing == "all" else weighing))
            n += size
        return list(sums / n)

    def fit(self, data: Any, val: Any) -> dict[str, list[float]]:
        do, b = self.case["do"], self.case["do"]["batch_size"]
        names = self.names()
        history: dict[str, list[float]] = {}
        validation = do["validation"]
        weighing = {"pair": "none", "triple": "sample", "split": "train"}.get(validation, "none")
        if validation == "split":
            if do["way"] == "fit":
                at = int(len(data) * 0.7)
                data, val = data.rows(0, at), data.rows(at, len(data))
            else:
                validation = None
        for _ in range(do["epochs"]):
            sums: Any = 0.0
            for i in range(0, len(data), b):
                part = data.rows(i, i + b)
                sums = sums + len(part.x[0]) * np.array(self.train(part))
            logs = dict(zip(names, sums / len(data)))
            if validation:
                size = b if do["way"] == "fit" else 32
                logs.update(zip((f"val_{n}" for n in names), self.evaluate(val, size, weighing)))
            for name, value in logs.items():
                history.setdefault(name, []).append(float(value))
        return history


def nested_frozen(spec: dict[str, Any], built: Built) -> list[int]:
    """Variables of layers that models in the model have frozen."""
    found = []
    for key, described in spec["layers"].items():
        if "model" in described:
            inner = built.layers[key]
            layers = {layer.name: layer for layer in inner.layers}
            for name in described["model"]["frozen"]:
                found += [id(w) for w in weights_of(layers[name])]
            there = Built(inner, layers, {})
            found += nested_frozen(described["model"], there)
    return found


def compare(ours: Any, theirs: Any, tolerance: float) -> str | None:
    """Where two results differ; None where they do not."""
    if isinstance(theirs, dict):
        if list(ours) != list(theirs):
            return f"keys {list(ours)} instead of {list(theirs)}"
        return next((f"{k}: {d}" for k in theirs if (d := compare(ours[k], theirs[k], tolerance))), None)
    if isinstance(theirs, (list, tuple)):
        if not isinstance(ours, (list, tuple)):
            ours = [ours]
        if len(ours) != len(theirs):
            return f"{len(ours)} instead of {len(theirs)} values"
        return next(
            (f"[{i}] {d}" for i, (a, b) in enumerate(zip(ours, theirs)) if (d := compare(a, b, tolerance))), None
        )
    if isinstance(theirs, (str, bool)) or theirs is None or ours is None:
        return (
            None
            if ours == theirs or (ours is None and not np.any(theirs)) or (theirs is None and not np.any(ours))
            else f"{ours!r:.60} instead of {theirs!r:.60}"
        )
    a, b = np.asarray(ours), np.asarray(theirs)
    if a.shape != b.shape:
        return f"shape {a.shape} instead of {b.shape}"
    both = np.isnan(a) & np.isnan(b) if a.dtype.kind == "f" else np.zeros(a.shape, bool)
    scale = float(np.max(np.abs(np.nan_to_num(b, posinf=0.0, neginf=0.0)), initial=1.0))
    wrong = ~both & ~(np.abs(a - b) <= tolerance * scale) & ~(a == b)
    if wrong.any():
        at = np.unravel_index(int(np.argmax(wrong)), a.shape) if a.shape else ()
        return f"{a[at]!r} instead of {b[at]!r} at {tuple(map(int, at))} ({int(wrong.sum())} of {a.size})"
    return None


def check(path: Path) -> str | None:
    record = pickle.loads(path.read_bytes())
    if "failed" in record or record["case"] is None:
        return None
    K.clear_session()
    try:
        theirs = Run(record).run()
    except Exception as problem:
        last = traceback.extract_tb(problem.__traceback__)[-1]
        return f"PEER {type(problem).__name__}: {str(problem)[:200]!r} ({last.filename.split('/')[-1]}:{last.lineno})"
    if any(np.isnan(v).any() for v in theirs.get("history", {}).values()) or any(
        not np.isfinite(v).all() for v in theirs["weights"]
    ):
        theirs = {k: theirs[k] for k in ("predict0", "masked", "input_gradients", "metrics_names")}
    tight = 1e-9 if record["case"]["float64"] else 1e-5
    ours = record["results"]
    found = []
    for key, value in theirs.items():
        grown = key in ("history", "weights", "predict1", "test_on_batch", "train_on_batch")
        difference = compare(ours[key], value, tight * (30 if grown else 1))
        if difference:
            found.append(f"{key}: {difference}")
    return " | ".join(found) or None


def main(folder: Path, once: bool) -> None:
    """Check the cases of a folder as they come; `once`: those that are there."""
    done: set[Path] = set()
    while True:
        new = sorted(set(folder.glob("*.pickle")) - done, key=lambda p: int(p.stem))
        for path in new:
            difference = check(path)
            if difference:
                print(f"{path.stem}: {difference[:700]}", flush=True)
            done.add(path)
        if once and not new:
            break
        if not new:
            time.sleep(2)
    print(f"{len(done)} cases")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--once" in sys.argv)
