"""Draws a case from a seed: a model, how it is compiled, what data it gets, and what is done with it."""

from __future__ import annotations

import random as randomness
from typing import Any

from layer_case import spec

from fuzz.build import Side, pruned
from fuzz.draw_layers import Layers
from fuzz.draw_training import Compiling


class Refusal(Exception):
    """The framework refused a layer that was drawn."""


class Drawing(Layers):
    """One model in the making: each layer is called at once, on kcore, so that shapes are known."""

    def __init__(
        self, r: randomness.Random, side: Side, log: list[Any], batch: int | None, nested: int, test_only: bool
    ):
        super().__init__(r, batch, nested, test_only)
        self.side, self.log = side, log
        self.tensors: dict[str, Any] = {}
        self.used: set[str] = set()
        self.live: dict[str, Any] = {}
        self.input_shapes: dict[str, list[tuple]] = {}
        self.spec: dict[str, Any] = {"inputs": [], "nodes": [], "layers": {}, "outputs": [], "frozen": []}

    # -- inputs ----------------------------------------------------------------------------------------------
    def input(self, shape: tuple[int | None, ...], kind: str = "float", given: dict | None = None) -> str:
        name = f"in{len(self.spec['inputs'])}_{self.nested}"
        one = {"id": name, "batch_shape": [self.batch, *shape], "kind": kind, **(given or {})}
        self.spec["inputs"].append(one)
        dtype = {"dtype": "int32"} if kind == "ids" else {}
        self.tensors[name] = self.side.keras.layers.Input(batch_shape=(self.batch, *shape), name=name, **dtype)
        return name

    def shape(self, name: str) -> tuple[int | None, ...]:
        return tuple(self.tensors[name]._keras_shape[1:])

    def masked(self, name: str) -> bool:
        return getattr(self.tensors[name], "_keras_mask", None) is not None

    # -- layers ----------------------------------------------------------------------------------------------
    def add(self, described: dict[str, Any], inputs: list[str], states: list[str] = (), key: str | None = None):
        """Call a layer; the names of its outputs, or None where it is refused."""
        fresh = key is None
        if key is None:
            key = f"l{len(self.spec['layers'])}_{self.nested}_{described.get('class_name', 'model').lower()}"
        try:
            if fresh:
                self.live[key] = self.side.layer(described, key)
            outputs = self.side.call(
                self.live[key], [self.tensors[i] for i in inputs], [self.tensors[i] for i in states], described
            )
            names = [f"t{len(self.tensors) + i}_{self.nested}" for i in range(len(outputs))]
            if any(0 in out._keras_shape[1:] for out in outputs):
                raise Refusal("nothing is left")
        except Exception as problem:
            shapes = [self.shape(i) for i in (*inputs, *states)]
            error = f"{type(problem).__module__}.{type(problem).__name__}: {problem!s:.300}"
            self.log.append({"layer": described, "shapes": shapes, "error": error})
            if fresh:
                self.live.pop(key, None)
            return None
        self.tensors.update(zip(names, outputs))
        if fresh:
            self.spec["layers"][key] = described
        node = {"layer": key, "inputs": list(inputs), "outputs": names}
        if states:
            node["states"] = list(states)
        self.spec["nodes"].append(node)
        self.used |= {*inputs, *states}
        self.input_shapes.setdefault(key, []).append(tuple(self.shape(i) for i in inputs))
        return names

    # -- steps -----------------------------------------------------------------------------------------------
    def step(self) -> None:
        r = self.r
        unused = [t for t in self.tensors if t not in self.used]
        name = r.choice(unused) if unused and self.chance(0.7) else r.choice(list(self.tensors))
        if "int" in str(self.tensors[name].dtype):
            if len(self.shape(name)) in (1, 2):
                self.add(
                    spec(
                        "Embedding",
                        input_dim=7,
                        output_dim=r.randint(1, 4),
                        **self.flags("mask_zero"),
                        **self.objects("embeddings"),
                    ),
                    [name],
                )
            return
        shape = self.shape(name)
        if len(shape) == 0:
            return
        what = r.random()
        if what < 0.12 and self.merge(name):
            return
        if what < 0.2 and self.share(name):
            return
        if what < 0.26 and self.nested < 2 and not self.masked(name) and self.nest(name):
            return
        if what < 0.32 and self.with_state(name):
            return
        makers = self.by_rank(shape) * 2 + self.any_rank(shape)
        if self.masked(name) and self.chance(0.7):
            makers = (
                [
                    lambda: self.recurrent(shape[0], True),
                    lambda: spec(
                        "Bidirectional",
                        layer=self.plain(self.recurrent(shape[0])),
                        **self.some(merge_mode=self.pick("sum", "mul", "ave", "concat", None)),
                    ),
                    lambda: spec("TimeDistributed", layer=self.inner(shape[1:])),
                    lambda: spec("Dense", units=2),
                    lambda: self.batch_norm(len(shape)),
                    lambda: spec("Dropout", rate=self.rate()),
                    lambda: spec("Activation", activation="tanh"),
                ]
                if len(shape) == 2
                else makers
            )
        self.add(r.choice(makers)(), [name])

    def float_tensors(self) -> list[str]:
        return [t for t in self.tensors if "float" in str(self.tensors[t].dtype)]

    def merge(self, name: str) -> bool:
        r, shape = self.r, self.shape(name)
        same = [t for t in self.float_tensors() if self.shape(t) == shape]
        alike = [
            t
            for t in self.float_tensors()
            if len(self.shape(t)) == len(shape) and all(a == b or 1 in (a, b) for a, b in zip(self.shape(t), shape))
        ]
        kind = r.random()
        if kind < 0.55:
            others = r.choices(same if self.chance(0.7) else alike, k=r.randint(1, 2))
            op = self.pick("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract")
            return bool(self.add(spec(op), [name, *(others[:1] if op == "Subtract" else others)]))
        if kind < 0.85:
            axis = r.randint(1, len(shape))
            fit = [
                t
                for t in self.float_tensors()
                if len(self.shape(t)) == len(shape)
                and all(a == b for i, (a, b) in enumerate(zip(self.shape(t), shape)) if i != axis - 1)
            ]
            axis = axis if self.chance(0.5) else axis - len(shape) - 1
            return bool(self.add(spec("Concatenate", axis=axis), [name, *r.choices(fit, k=r.randint(1, 2))]))
        other = r.choice(self.float_tensors())
        theirs = self.shape(other)
        axes = [(i + 1, j + 1) for i, a in enumerate(shape) for j, b in enumerate(theirs) if a == b and a is not None]
        if not axes or len(shape) > 2 or len(theirs) > 2:
            return False
        return bool(self.add(spec("Dot", axes=list(r.choice(axes)), **self.flags("normalize")), [name, other]))

    def share(self, name: str) -> bool:
        if self.masked(name):
            return False
        keys = [
            k
            for k, shapes in self.input_shapes.items()
            if (self.shape(name),) in shapes and not self.spec["layers"][k].get("config", {}).get("stateful")
        ]
        keys = [k for k in keys if "states" not in next(n for n in self.spec["nodes"] if n["layer"] == k)]
        if not keys:
            return False
        key = self.r.choice(keys)
        return bool(self.add(self.spec["layers"][key], [name], key=key))

    def nest(self, name: str) -> bool:
        """A model in the model, called on a tensor, or on two."""
        if None in self.shape(name) or "float" not in str(self.tensors[name].dtype):
            return False
        inner = Drawing(self.r, self.side, self.log, None, self.nested + 1, self.test_only)
        names = [name]
        inner.input(self.shape(name))
        if self.chance(0.3):
            other = self.r.choice(self.float_tensors())
            if None not in self.shape(other) and not self.masked(other):
                inner.input(self.shape(other))
                names.append(other)
        for _ in range(self.r.randint(1, 4)):
            inner.step()
        inner.finish(self.r.randint(1, 2))
        made = pruned(inner.spec)
        if len(made["inputs"]) != len(names) or not made["nodes"]:
            return False
        return bool(self.add({"model": made}, names))

    def with_state(self, name: str) -> bool:
        """A recurrent layer that begins with states made from another tensor."""
        shape = self.shape(name)
        flat = [t for t in self.float_tensors() if len(self.shape(t)) == 1 and self.shape(t)[0] is not None]
        if len(shape) != 2 or not flat or self.masked(name):
            return False
        layer = self.recurrent(shape[0])
        if layer["config"].get("stateful"):
            return False
        units = layer["config"]["units"]
        states = []
        for _ in range(2 if layer["class_name"] == "LSTM" else 1):
            made = self.add(spec("Dense", units=units, activation="tanh"), [self.r.choice(flat)])
            if not made:
                return False
            states += made
        return bool(self.add(layer, [name], states))

    def finish(self, count: int) -> None:
        leaves = [t for t in self.float_tensors() if t not in self.used and self.shape(t)]
        made = {o for node in self.spec["nodes"] for o in node["outputs"]}
        leaves = [t for t in leaves if t in made] or [t for t in self.float_tensors() if t in made]
        self.spec["outputs"] = self.r.sample(leaves, min(count, len(leaves)))
        self.spec["frozen"] = [k for k in self.spec["layers"] if self.chance(0.06)]


def draw(seed: int, side: Side, log: list[Any]) -> dict[str, Any] | None:
    """A case; None where nothing came of the seed."""
    r = randomness.Random(seed)
    stateful = r.random() < 0.12
    batch = r.randint(1, 3) if stateful else None
    test_only = r.random() < 0.15
    drawing = Drawing(r, side, log, batch, 0, test_only)
    for _ in range(r.choice([1, 1, 1, 2, 2, 3])):
        rank = r.choice([1, 1, 2, 2, 2, 3, 3, 4])
        if r.random() < 0.2:
            drawing.input((r.choice([1, 4]) if r.random() < 0.7 else None,), "ids")
            continue
        shape = [r.randint(1, 4) for _ in range(rank - 1)] + [r.randint(1, 3)]
        if rank >= 2:
            shape[0] = r.randint(2, 6)
        if rank >= 3:
            shape[1] = r.randint(2, 6)
        if rank == 2 and r.random() < 0.2:
            shape[0] = None
        drawing.input(tuple(shape))
    for _ in range(r.randint(2, 12)):
        drawing.step()
    if not drawing.float_tensors() or not drawing.spec["nodes"]:
        return None
    drawing.finish(r.choice([1, 1, 1, 2, 2, 3]))
    if not drawing.spec["outputs"]:
        return None
    training = Compiling(drawing).drawn()
    case = {**pruned(drawing.spec), "seed": seed, "batch": batch, "test_only": test_only, **training}
    if not case["inputs"]:
        return None
    return case
