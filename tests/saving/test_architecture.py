"""Architectures as JSON and YAML."""

import io
import json
import sys

import numpy as np
import pytest

from kcore.engine import Input, Model, Sequential
from kcore.layers import Dense, Lambda
from kcore.models import model_from_config, model_from_json, model_from_yaml
from kcore.saving.architecture import json_value
from kcore.saving.translate import translate


@pytest.fixture(params=["sequential", "functional"])
def model(request):
    if request.param == "sequential":
        return Sequential([Dense(4, activation="relu", input_shape=(3,)), Dense(2, kernel_regularizer="l2")])
    a, b = Input((3,), name="a"), Input((4,), name="b")
    return Model([a, b], [Dense(4, name="d")(a), b], name="m")


def test_json(model):
    text = model.to_json()
    content = json.loads(text)
    assert list(content) == ["class_name", "config", "keras_version", "backend"]
    assert content["keras_version"] == "2.1.6"
    assert model_from_json(text).get_config() == model.get_config()
    assert "\n    " in model.to_json(indent=4)
    assert model_from_json(text.encode()).to_json() == text


def test_yaml(model):
    text = model.to_yaml()
    assert "!!python" not in text
    assert model_from_yaml(text).get_config() == model.get_config()
    assert model.to_yaml(default_flow_style=True) != text


def test_yaml_that_keras_writes(model):
    import yaml

    content = json.loads(model.to_json())

    def tuples(value):
        if isinstance(value, dict):
            return {k: tuples(v) for k, v in value.items()}
        if isinstance(value, list) and value and all(v is None or isinstance(v, int) for v in value):
            return tuple(value)
        return [tuples(v) for v in value] if isinstance(value, list) else value

    text = yaml.dump(tuples(content))
    assert "!!python/tuple" in text
    assert model_from_yaml(text).get_config() == model.get_config()


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch /tmp/never']",
        "class_name: !!python/name:os.system ''",
        "!!python/object/new:subprocess.Popen [[ls]]",
        "a: [",
        "just text",
        "- list",
        "",
    ],
)
def test_yaml_makes_no_objects(text):
    with pytest.raises((ValueError, TypeError)):
        model_from_yaml(text)


def test_yaml_needs_pyyaml(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match="pip install pyyaml"):
        model.to_yaml()


def test_model_from_config():
    model = Sequential([Dense(4, input_shape=(3,))])
    description = {"class_name": "Sequential", "config": model.get_config()}
    assert model_from_config(description).get_config() == model.get_config()
    with pytest.raises(TypeError, match="Maybe you meant to use `Sequential.from_config"):
        model_from_config(model.get_config())


@pytest.mark.parametrize("text", ["", "{", "[1]", '"Dense"', "null", '{"class_name": 3, "config": {}}', "[" * 10**5])
def test_damaged_json(text):
    with pytest.raises((ValueError, TypeError), match=r"\w"):
        model_from_json(text)


@pytest.mark.parametrize(
    "read, given, message",
    [
        (model_from_json, "model.json", "model_from_json: The text is damaged: .*looks like the path.*read"),
        (model_from_json, "{", "model_from_json: The text is damaged: it is not JSON"),
        (model_from_json, io.StringIO("{}"), r"model_from_json: The text is damaged.*Give the text: file.read\(\)"),
        (model_from_json, '{"class_name": "Dence", "config": {}}', "model_from_json: Unknown layer: 'Dence'"),
        (model_from_yaml, "folder/model.yaml", "model_from_yaml: The text describes no model: .*looks like the path"),
        (model_from_yaml, ": :", "model_from_yaml: The text is damaged: it is not YAML"),
        (model_from_yaml, None, "model_from_yaml: The text is damaged"),
        (model_from_yaml, "{class_name: Dence, config: {}}", "model_from_yaml: Unknown layer: 'Dence'"),
    ],
)
def test_messages_say_where_the_text_was_given(read, given, message):
    with pytest.raises(ValueError, match=message):
        read(given)


def test_custom_objects_are_a_dictionary(model):
    with pytest.raises(TypeError, match="Custom objects are given as a dictionary"):
        model_from_json(model.to_json(), custom_objects=[Dense])


def test_values_that_json_does_not_have():
    layer = Dense(2)
    assert json_value(np.float32(0.5)) == 0.5
    assert json_value(np.int64(3)) == 3
    assert json_value(np.ones(2)) == {"type": "ndarray", "value": [1.0, 1.0]}
    assert json_value(layer)["class_name"] == "Dense"
    assert json_value(np.mean) == "mean"
    with pytest.raises(TypeError, match="Not JSON serializable"):
        json_value(object())


def test_arrays_in_arguments():
    factors = np.array([1.0, 2.0, 3.0], "float32")
    model = Sequential([Lambda(lambda x, by: x * by, arguments={"by": factors}, input_shape=(3,))])
    copy = model_from_json(model.to_json())
    np.testing.assert_array_equal(copy.predict(np.ones((1, 3))), [[1, 2, 3]])


def test_translation_leaves_what_it_does_not_know():
    config = {
        "class_name": "Mine",
        "config": {"initializer": {"class_name": "HeNormal", "config": {"seed": 3}}, "x": [1]},
    }
    before = json.dumps(config)
    scaled = {"scale": 2.0, "mode": "fan_in", "distribution": "normal", "seed": 3}
    assert translate(config) == {
        "class_name": "Mine",
        "config": {"initializer": {"class_name": "VarianceScaling", "config": scaled}, "x": [1]},
    }
    assert json.dumps(config) == before
