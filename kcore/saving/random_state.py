"""The random state of a training run in a file, so that an interrupted run goes on as if it had not been.

    kcore_random_state/   attribute: numpy (JSON: name, position and spare number of NumPy's global generator)
    kcore_random_state/seeds, counters   of each random operation of the model (drop-out, noise), as its graph has them
    kcore_random_state/numpy             the words of NumPy's global generator, which shuffles the data of `fit`

Keras ignores the group.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from kcore.errors import SavedModelError
from kcore.graph import Tensor
from kcore.ops.random import RandomStream
from kcore.saving.architecture import parse_json
from kcore.saving.groups import member, read_array, text_attribute, write_array

GROUP = "kcore_random_state"


def write_random_state(group: Any, model: Any) -> None:
    """Write the state of a model's random operations, and of NumPy's global generator."""
    below = group.create_group(GROUP)
    streams = list(random_streams(model))
    write_array(below, "seeds", np.array([stream.seed % 2**64 for stream in streams], "uint64"))
    write_array(below, "counters", np.array([stream.counter for stream in streams], "uint64"))
    name, words, position, has_spare, spare = np.random.get_state()  # type: ignore[misc]
    below.attrs["numpy"] = json.dumps([name, int(position), int(has_spare), float(spare).hex()])
    write_array(below, "numpy", words)


def restore_random_state(group: Any, model: Any) -> None:
    """Give the model's random operations, and NumPy's global generator, the state that the file has.

    Raises:
        SavedModelError (a ValueError): the file has none, or one of another model. Nothing is changed then.
    """
    if GROUP not in group:
        raise SavedModelError(
            "The file has no random state. Write it with model.save(path, include_random_state=True), or load the "
            "model without restore_random_state."
        )
    below = member(group, GROUP, h5py.Group)
    streams = list(random_streams(model))
    seeds, counters = (read_array(below, name, 1 << 26) for name in ("seeds", "counters"))
    if not seeds.shape == counters.shape == (len(streams),) or seeds.dtype.kind + counters.dtype.kind != "uu":
        raise SavedModelError(
            f"The model has {len(streams)} random operations, but the random state in the file has shapes "
            f"{seeds.shape} and {counters.shape}."
        )
    words, header = read_array(below, "numpy", 1 << 16), text_attribute(below, "numpy", "")
    try:
        name, position, has_spare, spare = parse_json(header, "The state of NumPy's generator")
        np.random.set_state((name, words, position, has_spare, float.fromhex(spare)))
    except (TypeError, ValueError, OverflowError) as error:
        raise SavedModelError(f"The state of NumPy's generator is damaged: {error}") from error
    for stream, seed, counter in zip(streams, seeds.tolist(), counters.tolist(), strict=True):
        stream.seed, stream.counter = seed, counter


def random_streams(model: Any) -> Iterator[RandomStream]:
    """The streams of random numbers of a model, in an order that depends on its structure only."""
    found: set[int] = set()
    seen: set[Any] = set()
    todo: list[Any] = [*model.outputs, *model.losses][::-1]
    while todo:
        node = todo.pop().node
        if node in seen:
            continue
        seen.add(node)
        stream = node.attrs.get("stream")
        if isinstance(stream, RandomStream) and id(stream) not in found:
            found.add(id(stream))
            yield stream
        inner = [tensor for value in node.attrs.values() for tensor in _tensors_in(value)]  # the body of a loop
        todo.extend([*node.inputs, *inner][::-1])


def _tensors_in(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in _tensors_in(item)]
    return list(getattr(value, "outputs", ()))  # of the body of a loop, and nothing of what else there is
