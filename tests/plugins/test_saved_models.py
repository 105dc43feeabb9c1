"""Models that use what plugins offer beside layers: what their files say of it."""

import pytest

from kcore.layers import Dense
from kcore.models import Sequential, load_model
from kcore.plugins import registry
from kcore.saving.provenance import provenance_of

PARTS = """
from kcore import backend as K
from kcore.initializers import Initializer

class Odd(Initializer):
    def __call__(self, shape, dtype=None):
        return K.constant(1.5, shape=shape)

def bent(x):
    return K.abs(x)

def focal(y_true, y_pred):
    return K.mean(K.square(y_true - y_pred), axis=-1)

def hits(y_true, y_pred):
    return K.mean(y_pred)
"""


def test_what_plugins_have_beside_layers_is_recorded_and_missed(site, tmp_path):
    site.module("parts/__init__.py", PARTS)
    kinds = {"losses": "focal", "metrics": "hits", "initializers": "Odd", "activations": "bent"}
    folder = site.distribution(
        "parts",
        {**{kind: {name: f"parts:{name}"} for kind, name in kinds.items()}, "api": {"v1": "parts"}},
        version="2.3",
    )
    registry.refresh()
    model = Sequential([Dense(2, input_shape=(3,), kernel_initializer="Odd", activation="bent")])
    model.compile("sgd", "focal", metrics=["hits", "accuracy"])
    classes = provenance_of(model, model.get_config())["classes"]
    for kind, name in kinds.items():
        assert classes[f"{kind}:{name}"] == ["parts", "2.3"]
    assert "metrics:accuracy" not in classes
    path = tmp_path / "model.h5"
    model.save(path)
    assert load_model(path).metrics_names == ["loss", "hits", "acc"]

    folder.rename(folder.with_name("parts_removed"))
    registry.refresh()
    with pytest.raises(ValueError, match=r"of parts 2\.3") as caught:
        load_model(path)
    text = str(caught.value)
    assert all(name in text for name in kinds.values())
    assert text.count("pip install") == 1
    assert text.endswith("pip install parts")
    with pytest.raises(ValueError, match=r"Odd, bent, of parts|bent, Odd, of parts"):
        load_model(path, compile=False)
