"""Objects to configurations and back."""

from __future__ import annotations

import pytest

from kcore import losses, metrics, optimizers
from kcore.plugins import registry
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object
from kcore.plugins.scopes import CustomObjectScope, get_custom_objects


class Point:
    def __init__(self, x=0, y=0):
        self.x, self.y = x, y

    def get_config(self):
        return {"x": self.x, "y": self.y}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Holder(Point):
    """Its configuration holds another object, found through the custom objects handed on."""

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(x=sorted(custom_objects))


class Plain:
    def __init__(self, size=1):
        self.size = size


def distance(a, b):
    return abs(a - b)


def test_serialize():
    assert serialize_keras_object(None) is None
    assert serialize_keras_object(distance) == "distance"
    assert serialize_keras_object(Point(1, 2)) == {"class_name": "Point", "config": {"x": 1, "y": 2}}
    with pytest.raises(ValueError, match="no get_config"):
        serialize_keras_object(3)


def test_instances_from_dictionaries():
    objects = {"Point": Point, "Plain": Plain}
    point = deserialize_keras_object({"class_name": "Point", "config": {"x": 1, "y": 2}}, objects)
    assert (point.x, point.y) == (1, 2)
    assert deserialize_keras_object({"class_name": "Plain", "config": {"size": 3}}, objects).size == 3
    assert deserialize_keras_object("Point", objects) is Point


def test_custom_objects_go_first_and_are_handed_on():
    config = {"class_name": "Holder", "config": {}}
    with CustomObjectScope({"outer": 1}):
        made = deserialize_keras_object(config, {"Holder": Point}, {"Holder": Holder})
    assert made.x == ["Holder", "outer"]
    assert "Holder" not in get_custom_objects()
    with CustomObjectScope({"distance": distance}):
        assert deserialize_keras_object("distance", {}) is distance


def test_what_is_unknown_or_malformed():
    with pytest.raises(ValueError, match="Unknown gadget: Nothing"):
        deserialize_keras_object({"class_name": "Nothing", "config": {}}, {}, printable_module_name="gadget")
    for bad in (3, None, {"class_name": "Point"}, [1]):
        with pytest.raises(ValueError, match="Could not interpret serialized gadget"):
            deserialize_keras_object(bad, {}, printable_module_name="gadget")


def test_interpret(site):
    site.plugin("shop", "regularizers", source="class Tax:\n    pass\n", tax="Tax")
    made = interpret("regularizers", "tax", instance=True)
    assert type(made).__name__ == "Tax"
    assert interpret("regularizers", "tax", instance=False) is type(made)
    assert interpret("regularizers", {"class_name": "tax", "config": {}}, instance=False) is not made
    assert interpret("regularizers", distance, instance=True) is distance
    with pytest.raises(ValueError, match="Could not interpret regularizer identifier: 3"):
        interpret("regularizers", 3, instance=True)


def test_get_of_losses_and_metrics(site):
    site.plugin("shop", "losses", source="def price(t, p): return p\n", cost="price")
    site.plugin("rack", "metrics", source="def mark(t, p): return p\n", note="mark")
    loss, metric = losses.get("cost"), metrics.get("note")
    assert losses.serialize(loss) == "price"
    assert losses.deserialize("cost") is loss is losses.get(loss)
    assert metrics.deserialize("note") is metric is metrics.get(metric)
    assert losses.get(None) is None
    with pytest.raises(ValueError, match=r"Unknown loss function: 'costs'\. Did you mean 'cost'"):
        losses.get("costs")
    with pytest.raises(ValueError, match="Could not interpret metric function identifier"):
        metrics.get(None)


def test_get_of_optimizers(site):
    site.plugin(
        "gear",
        "optimizers",
        source="class AdaWolf:\n    def __init__(self, lr=0.5): self.lr = lr\n"
        "    def get_updates(self): pass\n    def get_config(self): return {'lr': self.lr}\n",
        AdaWolf="AdaWolf",
    )
    assert optimizers.get("adawolf").lr == 0.5
    made = optimizers.get({"class_name": "adawolf", "config": {"lr": 0.25}})
    assert optimizers.serialize(made) == {"class_name": "AdaWolf", "config": {"lr": 0.25}}
    assert optimizers.get(made) is made
    assert optimizers.AdaWolf is optimizers.adawolf is type(made)
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier"):
        optimizers.get(3)
    with pytest.raises(TypeError, match=r"an instance: Adam\(\), not Adam"):
        optimizers.get(type(made))


def test_a_plugin_whose_optimizer_is_none(site):
    site.plugin("gear", "optimizers", AdaWolf="type('AdaWolf', (), {})")
    with pytest.raises(ValueError, match="Could not interpret optimizer identifier: <gear.AdaWolf"):
        optimizers.get("AdaWolf")


def test_deserialize_says_what_to_install(site, first_party):
    with pytest.raises(ValueError, match="pip install kcore-layers-zoo"):
        deserialize_keras_object({"class_name": "Aardvark", "config": {}}, registry.mapping("layers"))
