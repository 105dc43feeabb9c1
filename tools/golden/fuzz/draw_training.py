"""Draws how a model is compiled and trained: losses and their heads, metrics, weights, optimizer, what is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layer_case import spec

if TYPE_CHECKING:
    from fuzz.draw import Drawing

#: Losses, with the activation of a last layer whose outputs they can take.
HEADS: dict[str, str | None] = {
    "mse": None, "mae": None, "mape": None, "msle": "softplus", "logcosh": None, "poisson": "softplus",
    "kullback_leibler_divergence": "softmax", "cosine_proximity": None, "hinge": "tanh", "squared_hinge": None,
    "categorical_hinge": None, "binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax", "own": None,
}  # fmt: skip
METRICS = ["mae", "mse", "mean_absolute_percentage_error", "cosine_proximity", "accuracy", "acc", "binary_accuracy",
           "own_metric", "poisson", "logcosh", "crossentropy", "hinge"]  # fmt: skip


class Compiling:
    """How a model is compiled and trained."""

    def __init__(self, drawing: Drawing) -> None:
        self.d, self.r = drawing, drawing.r

    def drawn(self) -> dict[str, Any]:
        r, d = self.r, self.d
        outputs, losses, targets = [], [], []
        for name in d.spec["outputs"]:
            loss = r.choice(list(HEADS)) if r.random() < 0.75 else "mse"
            head = HEADS[loss]
            if "categorical_crossentropy" in loss or head:
                made = d.add(
                    spec("Dense", units=r.randint(2, 4) if "categorical" in loss else r.randint(1, 3), activation=head),
                    [name],
                )
                name = made[0] if made else name
                if not made:
                    loss = "mse"
            elif "categorical" in loss and (d.shape(name)[-1] or 1) < 2:
                loss = "mse"
            outputs.append(name)
            losses.append(loss)
            targets.append({"kind": loss})
        d.spec["outputs"] = outputs
        several = len(outputs) > 1
        compiled: dict[str, Any] = {"optimizer": self.optimizer(), "losses": losses}
        if several and r.random() < 0.4:
            compiled["loss_weights"] = [r.choice([0.3, 1.0, 2.0]) for _ in outputs]
        if several and r.random() < 0.2:
            losses[r.randrange(len(losses))] = None
        if losses == [None] * len(losses):
            losses[0] = "mse"
        compiled["form"] = r.choice(["list", "dict"]) if several else r.choice(["one", "list"])
        compiled["metrics"] = [self.metrics(l, n) for l, n in zip(losses, outputs)]
        compiled["weighted_metrics"] = [self.metrics(l, n) if r.random() < 0.3 else [] for l, n in zip(losses, outputs)]
        compiled["modes"] = [("temporal" if len(d.shape(n)) >= 2 and r.random() < 0.3 else None) for n in outputs]
        weights = []
        for loss, name in zip(losses, outputs):
            plain = len(d.shape(name)) == 1
            kinds = ["sample", "none", "none"]
            if plain and loss in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
                kinds.append("class")
            weights.append("none" if loss is None else r.choice(kinds))
        n = r.randint(3, 11)
        batch = d.batch or r.randint(1, 6)
        if d.batch:
            n = d.batch * r.randint(1, 3)
        doing: dict[str, Any] = {
            "samples": n, "batch_size": batch, "epochs": r.randint(1, 3), "steps": r.randint(1, 3),
            "way": r.choice(["fit", "fit", "generator"]) if not d.test_only else "none",
            "validation": r.choice([None, "pair", "triple", "split"]) if not d.batch else None,
            "time": [r.randint(2, 4) for _ in range(4)],
        }  # fmt: skip
        return {"compile": compiled, "weights": weights, "do": doing, "float64": bool(r.random() < 0.6)}

    def metrics(self, loss: str | None, name: str) -> list[str]:
        r = self.r
        if loss is None:
            return []
        found = r.sample(METRICS, r.choice([0, 1, 1, 2]))
        width = self.d.shape(name)[-1]
        if loss == "sparse_categorical_crossentropy":
            found = [m for m in found if m in ("accuracy", "acc", "crossentropy")]
            found = found or ["sparse_categorical_accuracy"]
        elif "categorical" in loss and len(self.d.shape(name)) == 1:
            found.append(r.choice(["categorical_accuracy", "top2"]))
        elif "crossentropy" in found and loss != "binary_crossentropy":
            found.remove("crossentropy")
        if width is None:
            found = [m for m in found if m not in ("accuracy", "acc", "crossentropy")]
        return found

    def optimizer(self) -> dict[str, Any]:
        r = self.r
        pick = r.choice
        name = pick(["SGD", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"])
        args: dict[str, Any] = {"lr": pick([0.01, 0.05])}
        if name == "SGD":
            args.update({"momentum": pick([0.0, 0.9])}, nesterov=pick([True, False]))
        else:
            args["epsilon"] = pick([1e-2, 1e-1])
        if name in ("RMSprop", "Adadelta"):
            args["rho"] = pick([0.9, 0.5])
        if name in ("Adam", "Adamax", "Nadam"):
            args.update(beta_1=pick([0.9, 0.6]), beta_2=pick([0.999, 0.8]))
        if name == "Adam":
            args["amsgrad"] = pick([True, False])
        if name == "Nadam":
            args["schedule_decay"] = pick([0.004, 0.1])
        elif r.random() < 0.4:
            args["decay"] = pick([0.01, 0.3])
        if r.random() < 0.3:
            args["clipnorm"] = pick([0.1, 1.0])
        if r.random() < 0.3:
            args["clipvalue"] = pick([0.05, 0.5])
        return {"name": name, "args": args}
