"""`device_scope`: which device computes a part of a model."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from kcore.errors import ArgumentError
from kcore.origin import in_place
from kcore.runtime.devices import current_device

_NAME = re.compile(r"/?(?:device:)?(cpu|gpu):(\d+)", re.IGNORECASE)


def device_number(device: int | str, argument: str = "device") -> int | None:
    """The number of a device, checked; None for the one that runs functions here.

    Args:
        device: a number, or a name such as "/gpu:1". "/cpu:0" is the device that runs functions.
        argument: for messages.

    Raises:
        ArgumentError (a ValueError): it is no device, or there is none of that number.
    """
    found = _NAME.fullmatch(device) if isinstance(device, str) else None
    if found is None and (isinstance(device, bool) or not isinstance(device, int)):
        raise ArgumentError(f"{argument} must be a number or a name such as '/gpu:1' or '/cpu:0', got {device!r}")
    if found is not None and found[1].lower() == "cpu":
        return None
    number = int(found[2]) if found is not None else int(device)
    here = current_device()
    numbers = here.numbers()
    if numbers and number not in numbers:
        exist = ", ".join(f"/gpu:{n}" for n in numbers)
        raise ArgumentError(f"{argument}: there is no device {device!r} here; there are {exist}")
    return None if not numbers or number == getattr(here, "number", None) else number


@contextlib.contextmanager
def device_scope(device: int | str) -> Iterator[None]:
    """Within the block, what is built runs on another device: layers, their weights, and later their gradients.

    Values are copied to where they are read. Where there is one device only, such as NumPy, everything runs on it.

        with device_scope("/gpu:1"):
            right = Dense(512, activation="relu")(x)

    Args:
        device: a number, or a name such as "/gpu:1". "/cpu:0" is the device that runs functions: plans have no
            parts on the host.

    Raises:
        ArgumentError (a ValueError): there is no such device.
    """
    with in_place(device_number(device)):
        yield
