"""Networks as configurations and back; copies; damaged configurations."""

import copy
import json

import numpy as np
import pytest

from kcore.engine import Input, Layer, Model, Sequential, clone_model
from kcore.layers import Activation, Dense, Lambda
from kcore.models import model_from_json
from kcore.saving.architecture import json_value


class Join(Layer):
    def call(self, inputs):
        return inputs[0] + inputs[1]

    def compute_output_shape(self, s):
        return s[0]


@pytest.fixture(autouse=True)
def join():
    from kcore.plugins.scopes import CustomObjectScope

    with CustomObjectScope({"Join": Join}):
        yield


def rich_model():
    """Shared layers, several calls, nested models of both kinds, several outputs."""
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Dense(3, name="shared", kernel_regularizer="l2", activation="relu")
    twice = shared(shared(a))
    seq = Sequential([Dense(3, input_shape=(3,), name="s1"), Dense(3, name="s2")], name="seq")
    i = Input((3,), name="i")
    net = Model(i, [Dense(3, name="n1")(seq(i)), i], name="net")
    n1, passed = net(b)
    joined = Join(name="join")([twice, n1])
    other = Sequential([Dense(3, input_shape=(3,), name="o1")], name="other")
    again = Join(name="again")([other(other(joined)), passed])
    return Model([a, b], [again, twice], name="rich")


def data_for(model, rows=4):
    return [np.random.rand(rows, *shape[1:]).astype("float32") for shape in np.atleast_2d(model.input_shape)]


def assert_same_predictions(one, other):
    data = data_for(one)
    other.set_weights(one.get_weights())
    for x, y in zip(one.predict(data), other.predict(data), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)


def test_configuration_of_a_shared_layer():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    d = Dense(2, name="d")
    d(Input((4,)))  # a call that is no part of the model does not count
    model = Model([a, b], [d(b), d(a)], name="m")
    config = model.get_config()
    assert config["name"] == "m"
    assert config["input_layers"] == [["a", 0, 0], ["b", 0, 0]]
    assert config["output_layers"] == [["d", 0, 0], ["d", 1, 0]]
    by_name = {layer["name"]: layer for layer in config["layers"]}
    assert by_name["d"]["class_name"] == "Dense"
    assert by_name["d"]["inbound_nodes"] == [[["b", 0, 0, {}]], [["a", 0, 0, {}]]]
    assert by_name["a"]["inbound_nodes"] == []


def test_nested_models_count_from_one():
    net = Sequential([Dense(2, input_shape=(3,))], name="net")
    a = Input((3,), name="a")
    config = Model(a, Dense(1, name="top")(net(a))).get_config()
    assert config["layers"][-1]["inbound_nodes"] == [[["net", 1, 0, {}]]]


def test_round_trip():
    model = rich_model()
    again = Model.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [w.name for w in again.weights] == [w.name for w in model.weights]
    assert_same_predictions(model, again)


def test_round_trip_through_json():
    model = rich_model()
    config = json.loads(json.dumps(model.get_config(), default=json_value))
    assert_same_predictions(model, Model.from_config(config))


def test_changing_a_configuration_changes_no_model():
    model = rich_model()
    before = copy.deepcopy(model.get_config())
    model.get_config()["layers"][0]["config"]["name"] = "changed"
    assert model.get_config() == before


@pytest.mark.parametrize("order", [1, -1, "shuffled"])
def test_layers_may_be_listed_in_any_order(order):
    model = rich_model()
    config = model.get_config()
    if order == "shuffled":
        np.random.RandomState(0).shuffle(config["layers"])
    else:
        config["layers"] = config["layers"][::order]
    again = Model.from_config(config)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert_same_predictions(model, again)


def test_trainable_is_kept():
    x = Input((3,))
    model = Model(x, Dense(2, trainable=False)(x))
    assert len(Model.from_config(model.get_config()).trainable_weights) == 0


def test_arguments_that_are_no_json_are_left_out_with_a_warning():
    class Takes(Layer):
        def call(self, x, thing=None):
            return x

    x = Input((3,))
    model = Model(x, Takes()(x, thing=object()))
    with pytest.warns(UserWarning, match="takes_1 was passed non-serializable keyword arguments"):
        config = model.get_config()
    assert config["layers"][1]["inbound_nodes"] == [[["input_1", 0, 0, {}]]]


def test_single_places_of_later_versions():
    x = Input((3,), name="x")
    config = Model(x, Dense(2, name="d")(x)).get_config()
    config["input_layers"], config["output_layers"] = ["x", 0, 0], ["d", 0, 0]
    assert Model.from_config(config).output_shape == (None, 2)


def damaged_configs():
    x = Input((3,), name="x")
    good = json.loads(json.dumps(Model(x, Dense(2, name="d")(Dense(3, name="c")(x)), name="m").get_config()))

    def case(change):
        config = copy.deepcopy(good)
        result = change(config)
        return config if result is None else result

    def layer(config, name):
        return next(one for one in config["layers"] if one["name"] == name)

    return {
        "no dictionary": case(lambda c: [1, 2]),
        "no layers": case(lambda c: c.pop("layers") and None),
        "layers no list": case(lambda c: c.update(layers={"a": 1})),
        "layer no dictionary": case(lambda c: c["layers"].append(7)),
        "no class": case(lambda c: layer(c, "d").pop("class_name") and None),
        "class no text": case(lambda c: layer(c, "d").update(class_name=["Dense"])),
        "unknown class": case(lambda c: layer(c, "d").update(class_name="Nowhere")),
        "class no layer": case(lambda c: layer(c, "d").update(class_name="add")),
        "class a type": case(lambda c: layer(c, "d").update(class_name="InputSpec")),
        "config no dictionary": case(lambda c: layer(c, "d").update(config=[1])),
        "unknown argument": case(lambda c: layer(c, "d")["config"].update(colour="red")),
        "argument missing": case(lambda c: layer(c, "d")["config"].pop("units") and None),
        "argument of wrong type": case(lambda c: layer(c, "d")["config"].update(units="many")),
        "name no text": case(lambda c: layer(c, "d").update(name=4)),
        "two of one name": case(lambda c: c["layers"].append(layer(c, "d"))),
        "cycle": case(lambda c: layer(c, "c").update(inbound_nodes=[[["d", 0, 0, {}]]])),
        "itself": case(lambda c: layer(c, "c").update(inbound_nodes=[[["c", 0, 0, {}]]])),
        "missing layer": case(lambda c: layer(c, "c").update(inbound_nodes=[[["z", 0, 0, {}]]])),
        "missing call": case(lambda c: layer(c, "c").update(inbound_nodes=[[["x", 3, 0, {}]]])),
        "missing output": case(lambda c: layer(c, "c").update(inbound_nodes=[[["x", 0, 3, {}]]])),
        "negative": case(lambda c: layer(c, "c").update(inbound_nodes=[[["x", -1, 0, {}]]])),
        "float index": case(lambda c: layer(c, "c").update(inbound_nodes=[[["x", 0.0, 0, {}]]])),
        "call no list": case(lambda c: layer(c, "c").update(inbound_nodes=["x"])),
        "empty call": case(lambda c: layer(c, "c").update(inbound_nodes=[[]])),
        "short place": case(lambda c: layer(c, "c").update(inbound_nodes=[[["x"]]])),
        "kwargs no dictionary": case(lambda c: layer(c, "c").update(inbound_nodes=[[["x", 0, 0, 5]]])),
        "no inputs": case(lambda c: c.pop("input_layers") and None),
        "no outputs": case(lambda c: c.update(output_layers=[])),
        "output nowhere": case(lambda c: c.update(output_layers=[["q", 0, 0]])),
        "output never called": case(lambda c: c.update(output_layers=[["d", 1, 0]])),
        "input elsewhere": case(lambda c: c.update(input_layers=[["c", 0, 0], ["d", 0, 0]])),
    }


@pytest.mark.parametrize("name", damaged_configs())
def test_damaged_configurations_are_value_errors(name):
    config = damaged_configs()[name]
    if name == "input elsewhere":
        # a model from the output of `c` to that of `d` is one; nothing is wrong with it
        assert Model.from_config(config).output_shape == (None, 2)
        return
    with pytest.raises(ValueError, match=r"\w+"):
        Model.from_config(config)


def test_the_message_names_the_layer():
    config = damaged_configs()["unknown argument"]
    with pytest.raises(ValueError, match="'d' .Dense. cannot be made from its configuration.*colour"):
        Model.from_config(config)
    with pytest.raises(ValueError, match=r"\['c', 'd'\] wait for outputs that no layer makes"):
        Model.from_config(damaged_configs()["cycle"])


# --- copies ------------------------------------------------------------------------------------------------


def test_clone_of_a_graph():
    model = rich_model()
    clone = clone_model(model)
    assert clone.get_config() == model.get_config()
    assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}
    assert_same_predictions(model, clone)


def test_clone_of_a_sequential():
    model = Sequential([Dense(3, input_shape=(2,)), Activation("tanh"), Lambda(lambda x: x * 2)])
    clone = clone_model(model)
    assert isinstance(clone, Sequential)
    assert_same_predictions(model, clone)


def test_clone_on_other_inputs():
    x = Input((None, 3))
    model = Model(x, Dense(2)(x))
    narrow = Input((7, 3), name="narrow")
    clone = clone_model(model, input_tensors=narrow)
    assert clone.output_shape == (None, 7, 2)
    assert clone.inputs == [narrow]
    sequential = clone_model(Sequential([Dense(2, input_shape=(3,))]), input_tensors=[Input((3,), name="other")])
    assert sequential.input_names == ["other"]
    from kcore import backend as K

    fixed = clone_model(model, input_tensors=K.variable(np.ones((2, 7, 3))))
    assert fixed.predict(None, steps=1).shape == (2, 7, 2)
    with pytest.raises(ValueError, match="has 1 inputs, but 2"):
        clone_model(model, [x, narrow])
    with pytest.raises(ValueError, match="Expected `model` to be a `Model` instance"):
        clone_model("model")


def test_frozen_networks_stay_frozen():
    x = Input((3,))
    base = Model(x, Dense(2)(x))
    base.trainable = False
    y = Input((3,))
    model = Model(y, Dense(2)(base(y)))
    for twin in (clone_model(model), Model.from_config(model.get_config()), model_from_json(model.to_json())):
        assert [layer.trainable for layer in twin.layers[1:]] == [False, True]
        assert len(twin.trainable_weights) == 2
    assert "trainable" not in model.get_config()  # as 2.1.6 writes it
    model.trainable = False
    assert not clone_model(model).trainable
