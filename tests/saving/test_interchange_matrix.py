"""Every layer of the first-party plugins, in every shape of model, as tf-keras saved it (tests/saving/interchange).

`tools/golden/make_interchange.py` wrote the files; the same table (tools/golden/interchange) builds each model here.
"""

import io
import json
import sys
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import kcore
from kcore.models import load_model
from kcore.plugins import registry
from kcore.plugins.catalogue import CATALOGUE
from kcore.testing.golden import GoldenCase

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "interchange"
sys.path.insert(0, str(ROOT / "tools" / "golden"))
import later_keys  # noqa: E402
from interchange import custom, training  # noqa: E402
from interchange.cells import make_cells  # noqa: E402
from interchange.entry import parts  # noqa: E402
from interchange.layers import NO_FILES, entries  # noqa: E402
from interchange.shapes import SHAPES, Builder, build, shapes_of  # noqa: E402

sys.path.remove(str(ROOT / "tools" / "golden"))

TABLE = entries()
RECORDS, TRAINED = (
    {record["name"]: record for record in json.loads((FOLDER / f"{part}.json").read_text())["cases"]}
    for part in ("layers", "trainings")
)
OBJECTS = {**custom.objects(kcore), **make_cells(kcore)}


def read_files(part):
    with tarfile.open(FOLDER / f"{part}.tar.xz") as archive:
        return {member.name.removesuffix(".h5"): archive.extractfile(member).read() for member in archive}


def read_arrays(part):
    with np.load(FOLDER / f"{part}.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture(scope="module")
def files():
    return read_files("layers")


@pytest.fixture(scope="module")
def arrays():
    return read_arrays("layers")


@pytest.fixture(scope="module")
def trained_files():
    return read_files("trainings")


@pytest.fixture(scope="module")
def trained_arrays():
    return read_arrays("trainings")


def build_here(name):
    layer, shape = name.split(".")
    return build(Builder(kcore, OBJECTS), TABLE[layer], shape).model


def objects_for(name):
    """What the user says of a file: tf-keras writes the functions of `Lambda` layers as bytecode, which is not run."""
    entry = TABLE[name.split(".")[0]]
    functions = {
        f"{one.name}{suffix}": OBJECTS[one.config[key]]
        for one in (entry.main, *entry.others)
        for key, suffix in (("function", ""), ("output_shape", ".output_shape"))
        if isinstance(one.config.get(key), str)
    }
    return {**OBJECTS, **functions, **dict.fromkeys(("first", "shared", "stepped"), OBJECTS["twice"])}


def description(model):
    """The model as JSON holds it, without what tf-keras says of every layer: its dtype, the inputs of a stack."""
    return _without(json.loads(model.to_json()))


def _without(node):
    if isinstance(node, list):
        return [_without(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _without(value) for key, value in node.items() if (key, value) != ("dtype", "float32")}
    if node.get("class_name") == "Sequential" and node["config"][0]["class_name"] == "InputLayer":
        node["config"] = node["config"][1:]
    return node


def assert_predicts(model, case):
    inputs = [np.asarray(x, "int32" if x.dtype == np.int32 else "float32") for x in case.arrays("inputs")]
    outputs = model.predict(inputs[0] if len(inputs) == 1 else inputs, batch_size=len(inputs[0]))
    outputs = outputs if isinstance(outputs, list) else [outputs]
    for name, ours, golden in zip(model.output_names, outputs, case.arrays("outputs"), strict=True):
        assert_close(ours, golden, name)


def assert_close(ours, golden, what, tolerance=1e-5):
    assert ours.shape == golden.shape, what
    scale = max(np.abs(golden).max(initial=0.0), 1e-2)
    assert np.abs(ours - golden).max(initial=0.0) <= tolerance * scale, what


def assert_same_weights(model, other):
    for one, two in zip(model.weights, other.weights, strict=True):
        assert one.name == two.name
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", RECORDS)
def test_what_tf_keras_saved(name, files, arrays):
    """The model of a file is that of the table, with the file's weights; and predicts what tf-keras predicted."""
    loaded = load_model(files[name], custom_objects=objects_for(name))
    assert_predicts(loaded, GoldenCase(name, RECORDS[name], arrays))
    built = build_here(name)
    assert description(loaded) == description(built)
    built = build_here(name)
    built.load_weights(files[name])
    assert_same_weights(built, loaded)
    built = build_here(name)
    with h5py.File(io.BytesIO(files[name])) as file:
        built.load_weights(file["model_weights"], by_name=True)  # what a file of weights alone holds
    assert_same_weights(built, loaded)


@pytest.mark.parametrize("layer", TABLE)
def test_nothing_is_written_that_keras_2_1_6_did_not_know(layer):
    """So that each version from 2.1.6 on reads it."""
    names = [f"{layer}.{shape}" for shape in shapes_of(TABLE[layer])]
    later = later_keys.table({name: json.loads(build_here(name).to_json()) for name in names})
    assert later["keys"] == {}
    assert later["classes"] == []


@pytest.mark.parametrize("name", [name for name in RECORDS if name.split(".")[1] in ("sequential", "nested")])
def test_stacks_as_keras_2_writes_them(name, files, tmp_path):
    """Keras 2.0 to 2.2.2 describe a `Sequential` by the list of its layers, later versions by a dict."""
    path = tmp_path / "model.h5"
    path.write_bytes(files[name])
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        assert isinstance(config["config"], dict)
        file.attrs["model_config"] = json.dumps(as_lists(config))
    of_list = load_model(path, custom_objects=objects_for(name))
    of_dict = load_model(files[name], custom_objects=objects_for(name))
    assert_same_weights(of_list, of_dict)
    assert description(of_list)["config"] == description(of_dict)["config"]


def as_lists(node):
    if isinstance(node, list):
        return [as_lists(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: as_lists(value) for key, value in node.items()}
    if node.get("class_name") == "Sequential":
        node["config"] = [layer for layer in node["config"]["layers"] if layer["class_name"] != "InputLayer"]
    return node


def test_no_layer_is_forgotten():
    """Every name that a first-party plugin offers has files, in every shape of model, or a reason why not."""
    offered = {name: registry.get("layers", f"{source}:{name}") for name, source in CATALOGUE["layers"].items()}
    classes = {name: one.__name__ for name, one in offered.items() if isinstance(one, type)}
    in_files = {
        part["class_name"]
        for entry in TABLE.values()
        for one in (entry.main, *entry.others)
        for part in parts(one.layer)
    }
    assert {name for name, cls in classes.items() if cls not in in_files} == set(NO_FILES) & set(classes)
    functions = set(offered) - set(classes)
    made = {name: name.capitalize() for name in functions if name.islower()}  # add makes an Add
    assert {name for name in functions if made.get(name) not in in_files} == set(NO_FILES) & functions
    assert set(RECORDS) == {f"{name}.{shape}" for name, entry in TABLE.items() for shape in shapes_of(entry)}
    unknown = {name: set(entry.leave_out or ()) - set(SHAPES) for name, entry in TABLE.items()}
    assert not any(unknown.values())


@pytest.mark.parametrize("name", TRAINED)
def test_training_goes_on_as_in_tf_keras(name, trained_files, trained_arrays, tmp_path):
    """Loss and metrics of the loaded model, the next losses, the weights after them; saved again too."""
    case = training.trainings()[name]
    golden = GoldenCase(name, TRAINED[name], trained_arrays).arrays("next")
    own = training.own_functions(kcore)
    model = load_model(trained_files[name], custom_objects=own)
    model.save(tmp_path / "again.h5")
    for loaded in (model, load_model(tmp_path / "again.h5", custom_objects=own)):
        found = training.goes_on(loaded, case, kcore)
        for number, (ours, theirs) in enumerate(zip(found, golden, strict=True)):
            assert_close(ours, theirs, ("evaluated", "losses", "weight")[min(number, 2)], 2e-5)


def test_every_optimizer_is_among_the_trained():
    assert set(TRAINED) == set(training.trainings())
    offered = set(CATALOGUE["optimizers"]) - set(training.NO_FILES)
    assert {case.optimizer for case in training.trainings().values()} == offered
