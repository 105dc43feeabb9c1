"""Attributes and members of HDF5 groups, in the forms in which Keras writes them.

What is read comes from strangers: links that lead out of the file, values kept in other files and types that
no model has are refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from kcore.errors import SavedModelError

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
    if name not in group.attrs:
        return default
    try:
        return text(group.attrs[name])
    except (SavedModelError, UnicodeError, OSError, TypeError, ValueError) as error:
        raise SavedModelError(f"The attribute '{name}' of {group.name} is damaged: {error}") from error


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
    return name in group.attrs or f"{name}0" in group.attrs


def read_names(group: Any, name: str) -> list[str]:
    """A list of names that `write_names` wrote.

    # Raises
        ValueError: there is none, or it is not a list of names.
    """
    if not has_names(group, name):
        raise SavedModelError(f"{group.name} of the file has no attribute '{name}'.")
    try:
        if name in group.attrs:
            return [text(item) for item in np.atleast_1d(group.attrs[name])]
        found: list[str] = []
        number = 0
        while f"{name}{number}" in group.attrs:
            found += [text(item) for item in np.atleast_1d(group.attrs[f"{name}{number}"])]
            number += 1
        return found
    except (SavedModelError, UnicodeError, OSError, TypeError, ValueError) as error:
        raise SavedModelError(f"The attribute '{name}' of {group.name} is damaged: {error}") from error


def member(group: Any, path: str, kind: type) -> Any:
    """A group or data set below a group.

    # Arguments
        group: `h5py.Group`.
        path: names joined by '/'.
        kind: `h5py.Group` or `h5py.Dataset`.

    # Raises
        ValueError: it is missing, of another kind, or leads out of the file.
    """
    found = group
    for part in [part for part in path.split("/") if part]:
        link = _link_type(found, part)
        if link is None:
            raise SavedModelError(f"'{path}' is missing in {group.name} of the file.")
        if link != h5py.h5l.TYPE_HARD:
            raise SavedModelError(
                f"'{path}' in {group.name} of the file is a link ({_LINKS.get(link, link)}), which is not followed."
            )
        found = found[part]
    if not isinstance(found, kind):
        raise SavedModelError(
            f"'{path}' in {group.name} of the file should be a {kind.__name__}, but is {type(found).__name__}."
        )
    return found


_LINKS = {h5py.h5l.TYPE_SOFT: "SoftLink", h5py.h5l.TYPE_EXTERNAL: "ExternalLink"}


def _link_type(group: Any, name: str) -> int | None:
    """What HDF5 calls the kind of a link; None where there is none of that name. (`Group.get` opens what it finds.)"""
    if not isinstance(group, h5py.Group) or name == "." or "\0" in name:
        return None
    try:
        encoded = name.encode()
    except UnicodeError:
        return None
    links = group.id.links
    return links.get_info(encoded).type if links.exists(encoded) else None


def checked_dataset(group: Any, path: str) -> Any:
    """A data set of numbers that are in this file.

    # Raises
        ValueError: missing, not numbers, or kept in another file.
    """
    dataset = member(group, path, h5py.Dataset)
    try:
        dtype = dataset.dtype
    except (TypeError, ValueError) as error:
        raise SavedModelError(
            f"'{path}' in {group.name} of the file holds nothing that NumPy knows: {error}"
        ) from error
    if dtype.kind not in "fiub":
        raise SavedModelError(f"'{path}' in {group.name} of the file should hold numbers, but holds {dtype}.")
    if dataset.is_virtual or dataset.external:
        raise SavedModelError(
            f"'{path}' in {group.name} of the file keeps its values in another file, which is not read."
        )
    if dataset.shape is None:
        raise SavedModelError(f"'{path}' in {group.name} of the file is empty.")
    return dataset


def read_array(group: Any, path: str, most_bytes: int) -> np.ndarray:
    """The numbers of a data set.

    # Arguments
        group: `h5py.Group`.
        path: names joined by '/'.
        most_bytes: how large it may be, so that a lie about its size cannot fill the memory.

    # Raises
        ValueError: missing, not numbers, kept in another file, or too large.
    """
    dataset = checked_dataset(group, path)
    if dataset.size * dataset.dtype.itemsize > most_bytes:
        raise SavedModelError(
            f"'{path}' in {group.name} of the file has shape {dataset.shape} ({dataset.dtype}), more than fits here."
        )
    return np.asarray(dataset[()])


def write_array(group: Any, path: str, value: Any) -> None:
    """Write an array as a data set; groups on the way are made."""
    array = np.asarray(value)
    dataset = group.create_dataset(path, array.shape, dtype=array.dtype)
    if array.size:
        dataset[()] = array
