"""Damaged and hostile files, made from a sound one: for `test_damage.py`.

As a program, loads each case of a range in turn, with little memory, and prints a line for each:

    python damage.py SEED_FILE FOLDER START STOP
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

MOST_BYTES = 3 << 30  # of address space; NumPy's BLAS alone reserves some hundred MB
Edit = Callable[[h5py.File, random.Random], None]


# --- damage to bytes -----------------------------------------------------------------------------------------


def truncated(data: bytes, number: int) -> bytes:
    """Cut after a kilobyte, or a fraction of one."""
    return data[: number * 1024 if number * 1024 < len(data) else number * 997 % len(data)]


def flipped(data: bytes, number: int) -> bytes:
    """Some bits or bytes changed, in the first kilobytes (where the structure is) as often as elsewhere."""
    rng = random.Random(number)
    changed = bytearray(data)
    reach = len(data) if number % 2 else min(len(data), 4096)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        place = rng.randrange(reach)
        changed[place] = rng.choice([changed[place] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255])
    return bytes(changed)


def shuffled_blocks(data: bytes, number: int) -> bytes:
    """A block of the file in the place of another, or zeros."""
    rng = random.Random(number)
    size = rng.choice([8, 64, 512, 2048])
    source, target = rng.randrange(len(data) - size), rng.randrange(len(data) - size)
    block = data[source : source + size] if number % 3 else bytes(size)
    return data[:target] + block + data[target + size :]


# --- damage to what the file says ------------------------------------------------------------------------------


def _groups(file: h5py.File) -> list[h5py.Group]:
    found = [file]
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Group) else None)
    return found


def _datasets(file: h5py.File) -> list[h5py.Dataset]:
    found: list[h5py.Dataset] = []
    file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return found


def _replace(file: h5py.File, rng: random.Random, make: Callable[[h5py.Group, str], None]) -> None:
    dataset = rng.choice(_datasets(file))
    parent, name = dataset.parent, dataset.name.rpartition("/")[2]
    del parent[name]
    make(parent, name)


def wrong_shape(file: h5py.File, rng: random.Random) -> None:
    shape = rng.choice([(), (0,), (1,), (7, 3), (2, 2, 2), (1, 1, 1, 1, 1)])
    _replace(file, rng, lambda g, n: g.create_dataset(n, data=np.ones(shape, "f4")))


def gigantic_shape(file: h5py.File, rng: random.Random) -> None:
    shape = rng.choice([(1 << 40,), (1 << 20, 1 << 20), (1 << 31, 4)])
    chunks = tuple(min(n, 64) for n in shape)
    _replace(file, rng, lambda g, n: g.create_dataset(n, shape, "f4", chunks=chunks))


def wrong_type(file: h5py.File, rng: random.Random) -> None:
    value = rng.choice(
        [b"text", "text", np.array([b"a", b"b"]), np.zeros(3, [("a", "f4"), ("b", "i8")]), np.ones(3, "c8")]
    )
    _replace(file, rng, lambda g, n: g.create_dataset(n, data=value))


def references(file: h5py.File, rng: random.Random) -> None:
    def make(group: h5py.Group, name: str) -> None:
        group.create_dataset(name, (2,), h5py.ref_dtype)[0] = file.ref

    _replace(file, rng, make)


def external_values(file: h5py.File, rng: random.Random) -> None:
    _replace(file, rng, lambda g, n: g.create_dataset(n, (4,), "f4", external=[("/etc/passwd", 0, 16)]))


def external_link(file: h5py.File, rng: random.Random) -> None:
    def make(group: h5py.Group, name: str) -> None:
        group[name] = rng.choice(
            [h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/"), h5py.SoftLink(f"{group.name}/{name}")]
        )

    _replace(file, rng, make)


def cycle_of_links(file: h5py.File, rng: random.Random) -> None:
    group = rng.choice(_groups(file))
    group["loop"] = rng.choice([file, group])
    if "weight_names" in group.attrs:
        group.attrs["weight_names"] = [b"loop/" * rng.choice([1, 50, 3000]) + b"kernel:0"]


def missing_member(file: h5py.File, rng: random.Random) -> None:
    group = rng.choice([g for g in _groups(file) if len(g)])
    del group[rng.choice(list(group))]


def group_for_dataset(file: h5py.File, rng: random.Random) -> None:
    _replace(file, rng, lambda g, n: g.create_group(n))


def missing_attribute(file: h5py.File, rng: random.Random) -> None:
    group = rng.choice([g for g in _groups(file) if len(g.attrs)])
    del group.attrs[rng.choice(list(group.attrs))]


def wrong_attribute(file: h5py.File, rng: random.Random) -> None:
    group = rng.choice([g for g in _groups(file) if len(g.attrs)])
    name = rng.choice(list(group.attrs))
    del group.attrs[name]
    group.attrs[name] = rng.choice(
        [
            0,
            -1.5,
            np.nan,
            b"\xff\xfe",
            "",
            b"x" * 60000,
            np.arange(5),
            h5py.Empty("f4"),
            np.array([b"", b"/"]),
            "[" * 9000,
        ]
    )


def odd_names(file: h5py.File, rng: random.Random) -> None:
    groups = [g for g in _groups(file) if "weight_names" in g.attrs or "layer_names" in g.attrs]
    group = rng.choice(groups)
    name = "layer_names" if "layer_names" in group.attrs else "weight_names"
    odd = rng.choice(
        [b"../../etc/passwd", b"/", b".", b"..", b"/tmp/x", b"a\x00b"[:1], b"", b"x" * 5000, b"/model_weights"]
    )
    names = [bytes(n) if isinstance(n, bytes) else str(n).encode() for n in group.attrs[name]]
    names[rng.randrange(len(names)) if names else 0 :] = [odd] * rng.choice([1, 2, 400 if len(odd) < 99 else 1])
    group.attrs[name] = names


def repeated_layers(file: h5py.File, rng: random.Random) -> None:
    group = file["model_weights"]
    group.attrs["layer_names"] = [group.attrs["layer_names"][0]] * rng.choice([2, 50, 5000])


# --- damage to the configuration ------------------------------------------------------------------------------


def _places(value: object) -> list[tuple[object, object]]:
    """Every container of a configuration, with each of its keys."""
    found, todo = [], [value]
    while todo:
        item = todo.pop()
        pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, inner in pairs:
            found.append((item, key))
            todo.append(inner)
    return found


ODD_VALUES = [
    None, True, -1, 0, 10**30, 1e308, float("nan"), float("inf"), "", "..", "../../x", "Model", "Sequential", "os.system",  # noqa: E501
    "builtins:eval", "__import__", "Callback", "load_model", "Dense:Dense", [], {}, [[]], [[[]]], "x" * 20000,
    {"class_name": "eval", "config": {}}, {"class_name": "Dense", "config": {"units": 10**9}}, [0] * 5000, "lambda", 1 << 40,  # noqa: E501
    {"class_name": "Lambda", "config": {"name": "l", "function": ["4wEAAAAAAAAA", None, None], "function_type": "lambda"}},  # noqa: E501
]  # fmt: skip


def odd_config(file: h5py.File, rng: random.Random) -> None:
    """Values of the configurations replaced, removed or repeated."""
    name = rng.choice(["model_config"] * 4 + ["training_config", "kcore_provenance"])
    config = json.loads(file.attrs[name])
    for _ in range(rng.choice([1, 1, 2, 5])):
        container, key = rng.choice(_places(config))
        if rng.random() < 0.15:
            try:
                del container[key]
            except (KeyError, IndexError):
                continue
        else:
            container[key] = rng.choice(ODD_VALUES)
    del file.attrs[name]
    file.attrs.create(name, json.dumps(config)[:60000].encode())


def swapped_config(file: h5py.File, rng: random.Random) -> None:
    """Parts of the configuration in the place of other parts."""
    config = json.loads(file.attrs["model_config"])
    (one, key), (other, other_key) = rng.sample(_places(config), 2)
    one[key] = json.loads(json.dumps(other[other_key]))
    text = json.dumps(config).encode()
    if len(text) < 60000:
        file.attrs["model_config"] = text


def cyclic_config(file: h5py.File, rng: random.Random) -> None:
    """Layers that get their own output, or that of a later layer."""
    config = json.loads(file.attrs["model_config"])
    layers = config["config"]["layers"]
    with_input = [layer for layer in layers if layer.get("inbound_nodes")]
    if with_input:
        rng.choice(with_input)["inbound_nodes"] = [[[rng.choice(layers)["name"], rng.choice([0, 0, 1, -1, 99]), 0, {}]]]
    file.attrs["model_config"] = json.dumps(config).encode()


def deep_config(file: h5py.File, rng: random.Random) -> None:
    depth = rng.choice([50, 900, 20000])
    kind = rng.choice(["[", '{"a":', '{"class_name":"TimeDistributed","config":{"layer":'])
    inner = kind * depth
    text = f'{{"class_name": "Sequential", "config": [{{"class_name": "Dense", "config": {inner}'
    if depth < 20000:
        closing = {"[": "]", '{"a":': "1}", kind: "1}}"}[kind]
        text += (closing[0] + closing[-1] * (depth - 1) if kind != "[" else closing * depth) + "}]}"
    file.attrs["model_config"] = np.bytes_(text.encode()[:60000])


def many_layers(file: h5py.File, rng: random.Random) -> None:
    """A million layers, in as many bytes as an attribute of the newest file format can have."""
    layer = '{"class_name":"Activation","config":{"activation":"relu"}}'
    count = rng.choice([1, 900]) if rng.random() < 0.96 else 1_000_000
    text = f'{{"class_name":"Sequential","config":[{",".join([layer] * count)}]}}'
    if len(text) < 60000:
        file.attrs["model_config"] = np.bytes_(text.encode())
    else:
        file.attrs.create("model_config", text, dtype=h5py.string_dtype())


EDITS: list[Edit] = [
    wrong_shape, gigantic_shape, wrong_type, references, external_values, external_link, cycle_of_links, missing_member,
    group_for_dataset, missing_attribute, wrong_attribute, odd_names, repeated_layers, swapped_config, swapped_config,
    odd_config, odd_config, odd_config, odd_config, cyclic_config, deep_config, many_layers,
]  # fmt: skip


# --- the cases ---------------------------------------------------------------------------------------------------


def make_case(number: int, seed: Path, path: Path) -> str:
    """Write case `number` to `path`; returns what was done."""
    data = seed.read_bytes()
    kind = number % 4
    if kind == 0:
        path.write_bytes(truncated(data, number // 4))
        return "truncated"
    if kind == 1:
        path.write_bytes(flipped(data, number))
        return "flipped"
    if kind == 2 and number % 8 == 2:
        path.write_bytes(shuffled_blocks(data, number))
        return "blocks"
    path.write_bytes(data)
    rng = random.Random(number)
    edit = rng.choice(EDITS)
    with h5py.File(path, "a") as file:
        edit(file, rng)
    return edit.__name__


def try_case(path: Path, model: object, before: list) -> str:
    """Load the file as a model, and as weights of `model`: "right", or the errors' class names."""
    from kcore.errors import KcoreError
    from kcore.models import load_model

    outcomes = []
    try:
        loaded = load_model(str(path))
        loaded.predict([np.zeros((1, *(d or 3 for d in shape[1:]))) for shape in _input_shapes(loaded)])
        outcomes.append("right")
    except KcoreError as error:
        if not str(error):
            raise AssertionError("an error without a message") from error
        outcomes.append(type(error).__name__)
    try:
        model.load_weights(str(path))
        outcomes.append("right")
    except KcoreError as error:
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other, "a half-loaded model")
        if path.name not in f"{error} {getattr(error, 'path', '')}":
            raise AssertionError(f"the file is not named: {error}") from error
        outcomes.append(type(error).__name__)
    model.set_weights(before)
    return "+".join(outcomes)


def _input_shapes(model: object) -> list:
    shapes = model.input_shape
    return shapes if isinstance(shapes, list) else [shapes]


def main(seed: Path, folder: Path, start: int, stop: int) -> None:
    from kcore import backend as K
    from kcore.models import load_model

    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    model = load_model(str(seed))
    before = model.get_weights()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    os.chdir(folder)
    for number in range(start, stop):
        path = folder / f"case_{number}.h5"
        try:
            what = make_case(number, seed, path)
        except Exception as error:  # the case cannot be made of this file: it is none
            path.unlink(missing_ok=True)
            print(json.dumps([number, "none", f"{type(error).__name__}: {error}", 0]), flush=True)
            continue
        print(json.dumps([number, what, "begun", 0]), flush=True)
        begun = time.perf_counter()
        try:
            outcome = try_case(path, model, before)
        except BaseException as error:
            outcome = f"FAILED {type(error).__name__}: {error}"[:600]
        print(json.dumps([number, what, outcome, round(time.perf_counter() - begun, 3)]), flush=True)
        path.unlink()
        if number % 100 == 99:
            weights = model.get_weights()
            K.clear_session()
            model = load_model(str(seed))
            assert len(weights) == len(before)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3]), int(sys.argv[4]))
