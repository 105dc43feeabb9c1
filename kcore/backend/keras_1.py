"""Functions of Keras 1 that Keras 2 keeps under their old names."""

from __future__ import annotations

from kcore import config
from kcore.errors import ArgumentError, warn

__all__ = ["image_dim_ordering", "set_image_dim_ordering"]

_FORMATS = {"th": "channels_first", "tf": "channels_last"}


def image_dim_ordering() -> str:
    """`image_data_format` in the words of Keras 1: "tf" for channels last, "th" for channels first."""
    return "th" if config.image_data_format() == "channels_first" else "tf"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """`set_image_data_format` in the words of Keras 1.

    Args:
        dim_ordering: "tf" or "th".
    """
    if dim_ordering not in _FORMATS:
        raise ArgumentError(f"Unknown dim_ordering: {dim_ordering!r}. Expected 'tf' or 'th'.")
    today = _FORMATS[dim_ordering]
    warn(f"Update your `set_image_dim_ordering` call to the Keras 2 API: `set_image_data_format('{today}')`")
    config.set_image_data_format(today)
