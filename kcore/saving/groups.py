"""Attributes and members of HDF5 groups, in the forms in which Keras writes them.

What is read comes from strangers: links that lead out of the file, values kept in other files and types that
no model has are refused here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from kcore.errors import SavedModelError
from kcore.saving.guarded import GuardedGroup, guard_of, read_values

#: HDF5 keeps attributes in a header of 64 KB; Keras splits lists of names that are longer.
HEADER_LIMIT = 64512


def text(value: Any) -> str:
    """A text attribute, which may have been written as bytes."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="strict")
    if isinstance(value, np.ndarray) and value.shape == ():
        return text(value[()])
    if not isinstance(value, str):
        raise SavedModelError(f"expected a text, but found {type(value).__name__}: {value!r:.100}")
    value.encode("utf-8")  # h5py lets bytes that are no UTF-8 pass as surrogates
    return str(value)


def text_attribute(group: Any, name: str, default: str | None = None) -> str | None:
    """A text attribute of a group, or `default` where there is none."""
    if not _has_attribute(group, name):
        return default
    try:
        return text(_attribute(group, name))
    except (SavedModelError, UnicodeError, OSError, TypeError, ValueError) as error:
        raise SavedModelError(f"The attribute '{name}' of {group.name} is damaged: {error}") from error


def _has_attribute(group: Any, name: str) -> bool:
    return bool(h5py.h5a.exists(group.id, name.encode()))


def _attribute(group: Any, name: str) -> Any:
    """The value of an attribute; texts of fixed length, of which a file has one for each layer, the quick way."""
    attribute = h5py.h5a.open(group.id, name.encode())
    dtype, shape = attribute.dtype, attribute.shape
    if shape is None or (dtype.kind != "S" and 0 not in shape):
        return group.attrs[name]
    value = np.empty(shape, dtype)
    if value.size:
        attribute.read(value)
    return value


def write_names(group: Any, name: str, names: Sequence[str]) -> None:
    """Write a list of names as an attribute, or as several (`name0`, `name1` ...) where it is too long."""
    data = [n.encode("utf-8") for n in names]
    for item in data:
        if len(item) > HEADER_LIMIT:
            raise SavedModelError(f"The name {item[:60]!r}... is too long ({len(item)} bytes) for an HDF5 attribute.")
    array = np.asarray(data)  # of bytes; of floats where empty, as Keras writes it
    count = 1
    while any(part.nbytes > HEADER_LIMIT for part in np.array_split(array, count)):
        count += 1
    if count == 1:
        group.attrs[name] = array
        return
    for number, part in enumerate(np.array_split(array, count)):
        group.attrs[f"{name}{number}"] = part


def has_names(group: Any, name: str) -> bool:
    """Whether a group has a list of names, in one attribute or several."""
    return _has_attribute(group, name) or _has_attribute(group, f"{name}0")


def read_names(group: Any, name: str) -> list[str]:
    """A list of names that `write_names` wrote.

    Raises:
        ValueError: there is none, or it is not a list of names.
    """
    if not has_names(group, name):
        raise SavedModelError(f"{group.name} of the file has no attribute '{name}'.")
    try:
        if _has_attribute(group, name):
            return _texts(group, name)
        found: list[str] = []
        number = 0
        while _has_attribute(group, f"{name}{number}"):
            found += _texts(group, f"{name}{number}")
            number += 1
        return found
    except (SavedModelError, UnicodeError, OSError, TypeError, ValueError) as error:
        raise SavedModelError(f"The attribute '{name}' of {group.name} is damaged: {error}") from error


def _texts(group: Any, name: str) -> list[str]:
    return [text(item) for item in np.atleast_1d(_attribute(group, name))]


def member(group: Any, path: str, kind: type) -> Any:
    """A group or data set below a group.

    Args:
        group: `h5py.Group`.
        path: names joined by '/'.
        kind: `h5py.Group` or `h5py.Dataset`.

    Raises:
        ValueError: it is missing, of another kind, or leads out of the file.
    """
    found, guard = _walk(group, path, _ID[kind], {}), guard_of(group)
    return GuardedGroup(found, guard) if kind is h5py.Group and guard is not None else kind(found)


_ID = {h5py.Group: h5py.h5g.GroupID, h5py.Dataset: h5py.h5d.DatasetID}
_KIND = {h5py.h5g.GroupID: "Group", h5py.h5d.DatasetID: "Dataset", h5py.h5t.TypeID: "Datatype"}
_LINKS = {h5py.h5l.TYPE_SOFT: "SoftLink", h5py.h5l.TYPE_EXTERNAL: "ExternalLink"}


def _walk(group: Any, path: str, kind: type, opened: dict[str, Any]) -> Any:
    """The identifier of a member; `opened` holds those of the groups on the way, for the next path.

    This and `read_arrays` use h5py's lower level: its higher one takes longer than reading a weight does.
    """
    parts = [part for part in path.split("/") if part]
    found, way = group.id, ""
    for place, part in enumerate(parts):
        way = f"{way}/{part}"
        below = opened.get(way)
        if below is None:
            link = _link_type(found, part)
            if link != h5py.h5l.TYPE_HARD:
                raise _not_followed(link, path, group)
            below = h5py.h5o.open(found, part.encode())
            if place < len(parts) - 1:
                opened[way] = below
        found = below
    if not isinstance(found, kind):
        is_kind = next((name for cls, name in _KIND.items() if isinstance(found, cls)), type(found).__name__)
        raise SavedModelError(f"'{path}' in {group.name} of the file should be a {_KIND[kind]}, but is {is_kind}.")
    return found


def _not_followed(link: int | None, path: str, group: Any) -> SavedModelError:
    if link is None:
        return SavedModelError(f"'{path}' is missing in {group.name} of the file.")
    return SavedModelError(
        f"'{path}' in {group.name} of the file is a link ({_LINKS.get(link, link)}), which is not followed."
    )


def _link_type(parent: Any, name: str) -> int | None:
    """What HDF5 calls the kind of a link; None where there is none of that name."""
    if not isinstance(parent, h5py.h5g.GroupID) or name == "." or "\0" in name:
        return None
    try:
        encoded = name.encode()
    except UnicodeError:
        return None
    try:
        return int(parent.links.get_info(encoded).type)
    except (KeyError, RuntimeError):
        if parent.links.exists(encoded):
            raise
        return None


def checked_dataset(group: Any, path: str) -> Any:
    """A data set of numbers that are in this file.

    Raises:
        ValueError: missing, not numbers, or kept in another file.
    """
    dataset = member(group, path, h5py.Dataset)
    _check_dataset(dataset.id, path, group)
    return dataset


def _check_dataset(dataset: Any, path: str, group: Any) -> np.dtype:
    """Refuse what holds no numbers of this file; returns the numbers' type."""
    try:
        dtype: np.dtype = dataset.dtype
    except (TypeError, ValueError) as error:
        raise SavedModelError(
            f"'{path}' in {group.name} of the file holds nothing that NumPy knows: {error}"
        ) from error
    if dtype.kind not in "fiub":
        raise SavedModelError(f"'{path}' in {group.name} of the file should hold numbers, but holds {dtype}.")
    if dataset.get_offset() is None:  # in one piece in this file, it has one
        how = dataset.get_create_plist()
        if how.get_layout() == h5py.h5d.VIRTUAL or how.get_external_count():
            raise SavedModelError(
                f"'{path}' in {group.name} of the file keeps its values in another file, which is not read."
            )
        if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
            raise SavedModelError(f"'{path}' in {group.name} of the file is empty.")
    return dtype


def read_array(group: Any, path: str, most_bytes: int) -> np.ndarray:
    """The numbers of a data set; see `read_arrays`."""
    return read_arrays(group, [path], most_bytes)[0]


class Memory:
    """New arrays, cut from pieces of memory: a system gives large ones sooner than many small ones."""

    _PIECE = 1 << 24

    def __init__(self) -> None:
        self._piece = np.empty(0, np.uint8)

    def empty(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """An array with any content, which no other one overlaps."""
        size = math.prod(shape) * dtype.itemsize
        if size > len(self._piece):
            if size > self._PIECE // 4:
                return np.empty(shape, dtype)
            self._piece = np.empty(self._PIECE, np.uint8)
        array = self._piece[:size].view(dtype).reshape(shape)
        self._piece = self._piece[-(-size // 64) * 64 :]
        return array


def read_arrays(group: Any, paths: Sequence[str], most_bytes: int, memory: Memory | None = None) -> list[np.ndarray]:
    """The numbers of data sets.

    Args:
        group: `h5py.Group`.
        paths: for each, names joined by '/'.
        most_bytes: how large each may be, so that a lie about its size cannot fill the memory.
        memory: where the arrays are.

    Returns:
        List of arrays, each with memory of its own.

    Raises:
        ValueError: one is missing, not numbers, kept in another file, or too large.
    """
    opened: dict[str, Any] = {}
    memory, guard = memory or Memory(), guard_of(group)
    arrays = []
    for path in paths:
        dataset = _walk(group, path, h5py.h5d.DatasetID, opened)
        array = memory.empty(dataset.shape, _fitting(dataset, path, group, most_bytes))
        if array.size:
            read_values(dataset, array, guard)
        arrays.append(array)
    return arrays


def _fitting(dataset: Any, path: str, group: Any, most_bytes: int) -> np.dtype:
    """Refuse what holds no numbers of this file, or more of them than allowed; returns the numbers' type."""
    dtype, shape = _check_dataset(dataset, path, group), dataset.shape
    if math.prod(shape) * dtype.itemsize > most_bytes:
        raise SavedModelError(f"'{path}' in {group.name} of the file has shape {shape} ({dtype}), more than fits here.")
    return dtype


def write_array(group: Any, path: str, value: Any) -> None:
    """Write an array as a data set; groups on the way are made."""
    array = np.asarray(value)
    dataset = group.create_dataset(path, array.shape, dtype=array.dtype)
    if array.size:
        dataset[()] = array
