"""Runs drawn cases in kcore and leaves what came out for the reference.

.venv/bin/python tools/golden/fuzz/ours.py FOLDER FIRST LAST
"""

from __future__ import annotations

import json
import pickle
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import kcore
import kcore.backend as K
import kcore.constraints
import kcore.errors
import kcore.layers
import kcore.losses
import kcore.metrics
import kcore.models
import kcore.optimizers
import kcore.regularizers
import kcore.saving
from fuzz.build import Side, all_weights, build, first_values
from fuzz.data import Data
from fuzz.draw import draw


def own(y_true: Any, y_pred: Any) -> Any:
    return K.mean(K.square(K.square(y_true - y_pred)), axis=-1)


def own_metric(y_true: Any, y_pred: Any) -> Any:
    return K.mean(K.abs(y_true - 2.0 * y_pred), axis=-1)


def top2(y_true: Any, y_pred: Any) -> Any:
    return kcore.metrics.top_k_categorical_accuracy(y_true, y_pred, k=2)


FUNCTIONS = {"own": own, "own_metric": own_metric, "top2": top2}


def meant(name: Any) -> Any:
    return FUNCTIONS.get(name, name)


def one_or_list(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def compile_arguments(case: dict[str, Any], names: list[str], random: Any) -> dict[str, Any]:
    """The arguments of `compile` in one of their forms."""
    c = case["compile"]
    losses = [meant(loss) for loss in c["losses"]]
    found: dict[str, Any] = {}
    form = c["form"]
    if form == "one":
        found["loss"] = losses[0]
    elif form == "dict":
        found["loss"] = dict(zip(names, losses))
    else:
        found["loss"] = losses
    if "loss_weights" in c:
        found["loss_weights"] = dict(zip(names, c["loss_weights"])) if form == "dict" else c["loss_weights"]
    for key in ("metrics", "weighted_metrics"):
        metrics = [[meant(m) for m in some] for some in c[key]]
        if len(set(names)) < len(names):
            found[key] = metrics[0]
            c[key] = [c[key][0] for _ in names]
        elif len(names) == 1 and random.rand() < 0.5:
            found[key] = metrics[0]
        else:
            found[key] = {n: (m[0] if len(m) == 1 else m) for n, m in zip(names, metrics) if m}
    if any(c["modes"]):
        found["sample_weight_mode"] = dict(zip(names, c["modes"])) if form == "dict" else list(c["modes"])
        if len(names) == 1 and random.rand() < 0.5:
            found["sample_weight_mode"] = c["modes"][0]
    return found


def optimizer(case: dict[str, Any]) -> Any:
    described = case["compile"]["optimizer"]
    return getattr(kcore.optimizers, described["name"])(**described["args"])


def fed(data: Data, names: list[str], form: str, classes: bool = True) -> dict[str, Any]:
    """`y`, `sample_weight`, `class_weight` as users give them."""
    kept = [(n, y, w, c) for n, y, w, c in zip(names, data.y, data.sample_weight, data.class_weight) if y is not None]
    found: dict[str, Any] = {}
    if form == "dict":
        found["y"] = {n: y for n, y, _, _ in kept}
    else:
        found["y"] = one_or_list([y for _, y, _, _ in kept])
    if any(w is not None for _, _, w, _ in kept):
        if form == "dict":
            found["sample_weight"] = {n: w for n, _, w, _ in kept if w is not None}
        else:
            found["sample_weight"] = one_or_list([w for _, _, w, _ in kept])
    if classes and len(set(names)) < len(names):
        data.class_weight = [None for _ in names]
    if classes and any(c is not None for _, _, _, c in kept):
        single = len(kept) == 1
        found["class_weight"] = kept[0][3] if single else {n: c for n, _, _, c in kept if c is not None}
    return found


class Run:
    """A case in kcore; `results` is what the reference must come to as well."""

    def __init__(self, case: dict[str, Any], side: Side, folder: Path) -> None:
        self.case, self.side, self.folder = case, side, folder
        self.results: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        case, do, side = self.case, self.case["do"], self.side
        K.set_floatx("float64" if case["float64"] else "float32")
        built = build(case, side)
        self.model = model = built.model
        weights = all_weights(built, case)
        shapes = [(w.name, tuple(K.int_shape(w))) for _, w in weights]
        first = first_values(shapes, case["seed"])
        K.batch_set_value([(w, v) for (_, w), v in zip(weights, first)])
        if len(set(model.output_names)) < len(model.output_names) and case["compile"]["form"] == "dict":
            case["compile"]["form"] = "list"
        probe = Data(case, [()] * 0, do["samples"], case["seed"] + 1).x
        case["output_names"] = list(model.output_names)
        predicted = model.predict(probe, batch_size=do["batch_size"])
        predicted = predicted if isinstance(predicted, list) else [predicted]
        self.reset()
        out_shapes = [p.shape[1:] for p in predicted]
        for t, p in zip(model.outputs, predicted):
            static = tuple(t._keras_shape)
            assert len(static) == p.ndim and all(a is None or a == b for a, b in zip(static[1:], p.shape[1:])), (
                "declared shape",
                static,
                p.shape,
            )
        data = Data(case, out_shapes, do["samples"], case["seed"] + 1)
        val = Data(case, out_shapes, do["batch_size"] + 2, case["seed"] + 2)
        results = self.results
        results["predict0"] = predicted
        results["masked"] = [getattr(t, "_keras_mask", None) is not None for t in model.outputs]
        results["input_gradients"] = self.input_gradients(data)
        random = np.random.RandomState(case["seed"])
        form = case["compile"]["form"]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*missing from loss dict.*")
            model.compile(optimizer=optimizer(case), **compile_arguments(case, model.output_names, random))
        results["metrics_names"] = list(model.metrics_names)
        given = fed(data, model.output_names, form)
        b = do["batch_size"]
        plain = {k: v for k, v in given.items() if k != "class_weight"}
        self.reset()
        results["evaluate0"] = model.evaluate(
            data.x if len(data.x) > 1 else data.x[0], batch_size=b, verbose=0, **plain
        )
        self.reset()
        if not case["test_only"]:
            steps = []
            for _ in range(do["steps"]):
                part = data.rows(0, case["batch"] or b)
                steps.append(model.train_on_batch(one_or_list(part.x), **fed(part, model.output_names, form)))
            results["train_on_batch"] = steps
            self.reset()
            results["history"] = self.fit(data, val, given, form)
            self.reset()
        part = data.rows(0, case["batch"] or b)
        results["test_on_batch"] = model.test_on_batch(
            one_or_list(part.x), **fed(part, model.output_names, form, False)
        )
        results["predict1"] = model.predict(one_or_list(data.x), batch_size=b)
        results["weights"] = K.batch_get_value([w for _, w in weights])
        self.round_trips(built, data)
        return {
            "case": case,
            "first": first,
            "names": [f"{k}:{w.name}" for k, w in weights],
            "data": data,
            "val": val,
            "results": results,
            "json": model.to_json(),
        }

    def reset(self) -> None:
        if self.case["batch"]:
            self.model.reset_states()

    def fit(self, data: Data, val: Data, given: dict[str, Any], form: str) -> dict[str, list[float]]:
        do, model = self.case["do"], self.model
        b = do["batch_size"]
        x = one_or_list(data.x)
        more: dict[str, Any] = {"epochs": do["epochs"], "verbose": 0}
        theirs = fed(val, model.output_names, form, classes=False)
        if do["validation"] == "pair":
            more["validation_data"] = (one_or_list(val.x), theirs["y"])
        elif do["validation"] == "triple":
            more["validation_data"] = (one_or_list(val.x), theirs["y"], theirs.get("sample_weight"))
        if do["way"] == "fit":
            if do["validation"] == "split":
                more["validation_split"] = 0.3
            return model.fit(x, batch_size=b, shuffle=False, **given, **more).history

        def batches() -> Any:
            while True:
                for start in range(0, len(data), b):
                    part = data.rows(start, start + b)
                    one = fed(part, model.output_names, form)
                    yield (one_or_list(part.x), one["y"], *([one["sample_weight"]] if "sample_weight" in one else []))

        found = model.fit_generator(
            batches(), steps_per_epoch=-(-len(data) // b), workers=0, class_weight=given.get("class_weight"), **more
        )
        return found.history

    def input_gradients(self, data: Data) -> list[Any]:
        model = self.model
        ins = [t for t, one in zip(model.inputs, self.case["inputs"]) if one["kind"] == "float"]
        if not ins:
            return []
        loss = sum(K.sum(K.square(o)) + K.sum(o) for o in model.outputs)
        grads = K.gradients(loss, ins)
        for g, t in zip(grads, ins):
            if g is not None:
                assert K.int_shape(g) == K.int_shape(t) or None in K.int_shape(t), ("gradient shape", g, t)
        there = [g for g in grads if g is not None]
        n = self.case["batch"] or len(data)
        values = iter(K.function([*model.inputs, K.learning_phase()], there)([*[x[:n] for x in data.x], 0]))
        self.reset()
        return [None if g is None else next(values) for g in grads]

    def round_trips(self, built: Any, data: Data) -> None:
        """The model again by its configuration: the same predictions."""
        model, case = self.model, self.case
        self.reset()
        expected = model.predict(one_or_list(data.x), batch_size=case["do"]["batch_size"])
        has_lambda = '"Lambda"' in json.dumps(case["layers"])
        text = model.to_json()
        ways = {"clone": lambda: kcore.models.clone_model(model)}
        if not has_lambda:
            ways["json"] = lambda: kcore.models.model_from_json(text)
        ways["config"] = lambda: type(model).from_config(model.get_config())
        if frozen_stack(case):  # their weights come in another order
            ways = {"clone": ways["clone"]}
        for name, make in ways.items():
            twin = make()
            twin.set_weights(model.get_weights())
            found = twin.predict(one_or_list(data.x), batch_size=case["do"]["batch_size"])
            for a, b in zip(*(v if isinstance(v, list) else [v] for v in (expected, found))):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=f"round trip {name}")
            if name != "clone":
                assert twin.to_json() == text, f"to_json after {name}"
        model.summary(print_fn=lambda line: None)
        self.consistency(built, data)

    def consistency(self, built: Any, data: Data) -> None:
        """What must agree within kcore, whichever way it is asked for."""
        model, case, b = self.model, self.case, self.case["do"]["batch_size"]
        listed = lambda v: v if isinstance(v, list) else [v]  # noqa: E731
        same = lambda a, c, what, tol=1e-5: [  # noqa: E731
            np.testing.assert_allclose(x, y, rtol=tol, atol=tol, err_msg=what)
            for x, y in zip(listed(a), listed(c), strict=True)
        ]
        x = one_or_list(data.x)
        form = case["compile"]["form"]
        if case["batch"]:
            return
        expected = model.predict(x, batch_size=b)
        same(model.predict(dict(zip(model.input_names, data.x)), batch_size=b), expected, "dict inputs")
        starts = range(0, len(data), b)
        n = len(starts)

        def inputs():
            while True:
                for i in starts:
                    yield one_or_list(data.rows(i, i + b).x)

        def batches():
            while True:
                for i in starts:
                    part = data.rows(i, i + b)
                    one = fed(part, model.output_names, form, False)
                    yield (one_or_list(part.x), one["y"], *([one["sample_weight"]] if "sample_weight" in one else []))

        same(model.predict_generator(inputs(), n, workers=0), expected, "predict_generator")
        plain = {k: v for k, v in fed(data, model.output_names, form).items() if k != "class_weight"}
        values = model.evaluate(x, batch_size=b, verbose=0, **plain)
        same(model.evaluate_generator(batches(), n, workers=0), values, "evaluate_generator")
        f = K.function([*model.inputs, K.learning_phase()], list(model.outputs))
        same(f([*data.x, 0]), model.predict_on_batch(x), "K.function")
        # the model as a layer
        K_in = [kcore.layers.Input(batch_shape=t._keras_shape, dtype=t.dtype) for t in model.inputs]
        outer = kcore.models.Model(K_in, model(one_or_list(K_in)))
        same(outer.predict(x, batch_size=b), expected, "nested")
        assert len(outer.losses) == len(model.losses), ("losses of the nested", len(outer.losses), len(model.losses))
        assert len(outer.updates) == len(model.updates), (
            "updates of the nested",
            len(outer.updates),
            len(model.updates),
        )
        assert [w.name for w in outer.weights] == [w.name for w in model.weights]
        # files
        path = str(self.folder / f"{case['seed']}.h5")
        try:
            unique = len({w.name for w in model.weights}) == len(model.weights)
            model.save(path)
            if not any(v in FUNCTIONS for v in case["compile"]["losses"]):
                customs = {"own_metric": own_metric, "top2": top2}
                with kcore.saving.allow_bytecode():
                    again = kcore.models.load_model(path, custom_objects=customs)
                same(again.predict(x, batch_size=b), expected, "loaded")
                same(again.evaluate(x, batch_size=b, verbose=0, **plain), values, "loaded, evaluated", 1e-4)
                if not case["test_only"] and not frozen_stack(case):
                    again.train_on_batch(x, **fed(data, model.output_names, form))
                    before = model.get_weights()
                    model.train_on_batch(x, **fed(data, model.output_names, form))
                    same(again.get_weights(), model.get_weights(), "trained on", 1e-4)
                    model.set_weights(before)
            twin = kcore.models.clone_model(model)
            twin.load_weights(path)
            same(twin.predict(x, batch_size=b), expected, "load_weights")
            if unique and len({l.name for l in model.layers}) == len(model.layers):
                twin = kcore.models.clone_model(model)
                twin.load_weights(path, by_name=True)
                same(twin.predict(x, batch_size=b), expected, "load_weights by name")
        finally:
            Path(path).unlink(missing_ok=True)
        # nothing trains where nothing is trainable
        if model.trainable_weights:
            model.trainable = False
            assert not model.trainable_weights and len(model.non_trainable_weights) == len(model.weights)
            assert not model.updates
            model.trainable = True
        # in kcore's order of samples or another: the same average
        order = np.random.RandomState(0).permutation(len(data))
        if not any(case["weights"]) or all(w == "none" for w in case["weights"]):
            shuffled = [a[order] for a in data.x]
            found = model.predict(one_or_list(shuffled), batch_size=len(data))
            same(found, [e[order] for e in listed(expected)], "order", 1e-4)


def frozen_stack(spec: dict[str, Any]) -> bool:
    """Whether a stack in the model is frozen, or something in a model in it: the files of 2.1.6 do not say so."""
    inner = [one["model"] for one in spec["layers"].values() if "model" in one]
    return any("sequential" in spec["layers"][key] for key in spec["frozen"]) or any(
        one["frozen"] or frozen_stack(one) for one in inner
    )


def main(folder: Path, first: int, last: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    side = Side(kcore)
    log_file = (folder / f"refused_{first}.jsonl").open("a")
    for seed in range(first, last):
        K.clear_session()
        log: list[Any] = []
        np.random.seed(seed)
        case = None
        try:
            K.set_floatx("float32")
            case = draw(seed, side, log)
            for one in log:
                log_file.write(json.dumps({"seed": seed, **one}) + "\n")
            log_file.flush()
            if case is None:
                continue
            K.clear_session()
            result = Run(case, side, folder).run()
        except kcore.errors.GradientError:
            continue  # of weights that no output depends on: 2.1.6 refuses as well
        except Exception as problem:
            result = {"case": case, "seed": seed, "failed": traceback.format_exc(), "error": repr(problem)[:300]}
            print(f"{seed}: {type(problem).__name__}: {str(problem)[:300]}", flush=True)
        path = folder / f"{seed}.pickle"
        path.with_suffix(".part").write_bytes(pickle.dumps(result))
        path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
