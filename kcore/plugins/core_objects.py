"""What the core itself offers under each kind, by name.

These are found before any installed plugin and without a scan. A plugin that offers one of these
names is used only where a pin in the configuration says so.
"""

from __future__ import annotations

from kcore.plugins.metadata import Entry

#: The distribution that core objects belong to, as in `kcore:Input`.
CORE = "kcore"


def _all_from(module: str, names: str) -> dict[str, str]:
    return {name: f"{module}:{name}" for name in names.split()}


CORE_OBJECTS: dict[str, dict[str, str]] = {
    "layers": {
        **_all_from("kcore.engine", "Input InputLayer InputSpec Layer Wrapper"),
        # Nested models stand among the layers of a saved model.
        **_all_from("kcore.models", "Model Sequential"),
    },
    "optimizers": _all_from("kcore.engine.optimizer", "Optimizer"),
    "callbacks": _all_from("kcore.engine.callbacks", "BaseLogger Callback CallbackList History ProgbarLogger"),
    "initializers": _all_from(
        "kcore.initializers",
        "Constant Identity Initializer Ones Orthogonal RandomNormal RandomUniform TruncatedNormal "
        "VarianceScaling Zeros constant glorot_normal glorot_uniform he_normal he_uniform identity "
        "lecun_normal lecun_uniform normal one ones orthogonal random_normal random_uniform "
        "truncated_normal uniform zero zeros",
    ),
    "activations": _all_from(
        "kcore.activations",
        "elu exponential hard_sigmoid linear relu selu sigmoid softmax softplus softsign tanh",
    ),
    "regularizers": _all_from("kcore.regularizers", "L1L2 Regularizer l1 l1_l2 l2"),
    "constraints": _all_from(
        "kcore.constraints",
        "Constraint MaxNorm MinMaxNorm NonNeg UnitNorm max_norm maxnorm min_max_norm non_neg nonneg unit_norm unitnorm",
    ),
    "backends": {"numpy": "kcore.runtime.numpy_device:NumpyDevice"},
}

#: Found by `registry.get('layers', ...)`, but not among the names of the door `kcore.layers`.
UNLISTED = {("layers", "Model"), ("layers", "Sequential")}


def core_entry(kind: str, name: str) -> Entry | None:
    """The core's own entry for a name, or None."""
    value = CORE_OBJECTS.get(kind, {}).get(name)
    if value is None:
        return None
    from kcore import __version__

    return Entry(kind, name, value, CORE, __version__)
