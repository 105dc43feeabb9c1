"""Pictures in files, Pillow images and arrays."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.errors import ArgumentError, DataError, ShapeError

EXTENSIONS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


def channel_axis(data_format: str | None) -> int:
    """The channel axis of one image: 2 or 0; None means the configured format."""
    data_format = K.image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(f"data_format is {data_format!r}; expected 'channels_last' or 'channels_first'")
    return 2 if data_format == "channels_last" else 0


def check_interpolation(interpolation: str) -> None:
    """Refuse a name that is not one of `INTERPOLATIONS`."""
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(
            f"interpolation is {interpolation!r}; expected one of {', '.join(map(repr, INTERPOLATIONS))}"
        )


def check_size(target_size: Any) -> tuple[int, int]:
    """A size of pictures, (rows, cols), if it is two whole numbers above 0."""
    if np.shape(target_size) != (2,) or not all(isinstance(n, int | np.integer) and n > 0 for n in target_size):
        raise ArgumentError(f"target_size is {target_size!r}; expected two whole numbers above 0, (rows, cols)")
    return int(target_size[0]), int(target_size[1])


def _pillow() -> Any:
    """Pillow's module `Image`, imported when a picture is first read or written."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "Reading and writing pictures needs the package Pillow: pip install pillow. Arrays of images "
            "(ImageDataGenerator.flow) need nothing"
        ) from None
    return Image


def to_bytes(x: np.ndarray) -> np.ndarray:
    """Shifted and scaled so that the smallest value is 0 and the largest 255; a constant image is 0."""
    x = x - x.min()
    largest = x.max()
    return x / largest * 255 if largest else x  # in this order the largest is 255 exactly


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True) -> Any:
    """An array as a Pillow image.

    Args:
        x: array (rows, cols, channels), or with the channels first, of 1 (gray), 3 (RGB) or 4 (RGBA) channels.
        data_format: 'channels_last', 'channels_first', or None for the configured one.
        scale: shift and scale the values to 0..255; else they must be in that range.

    Raises:
        ShapeError: not one image, or another number of channels.
    """
    Image = _pillow()
    x = np.asarray(x, dtype=K.floatx())
    if x.ndim != 3:
        raise ShapeError(f"x has the shape {x.shape}; expected one image, with 3 axes", shapes=(x.shape,))
    x = np.moveaxis(x, channel_axis(data_format), 2)
    if x.shape[2] not in (1, 3, 4):
        raise ShapeError(
            f"x has {x.shape[2]} channels; expected 1 (gray), 3 (RGB) or 4 (RGBA). Is data_format right?",
            shapes=(x.shape,),
        )
    x = to_bytes(x) if scale and x.size else x
    if x.shape[2] == 1 and x.size and x.max() > 255:
        return Image.fromarray(x[:, :, 0].astype("int32"))  # mode I
    pixels = x.astype("int64").astype("uint8")
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def img_to_array(img: Any, data_format: str | None = None) -> np.ndarray:
    """A Pillow image as an array of the configured float type: (rows, cols, channels), or channels first.

    Args:
        img: Pillow image, or array of 2 or 3 axes.
        data_format: 'channels_last', 'channels_first', or None for the configured one.

    Raises:
        ShapeError: not 2 or 3 axes.
    """
    axis = channel_axis(data_format)
    x = np.array(img, dtype=K.floatx())
    if x.ndim == 2:
        return np.expand_dims(x, axis)
    if x.ndim != 3:
        raise ShapeError(f"the image has the shape {x.shape}; expected 2 or 3 axes", shapes=(x.shape,))
    return np.moveaxis(x, 2, axis) if hasattr(img, "getbands") else x


def load_img(
    path: Any,
    grayscale: bool = False,
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
) -> Any:
    """A picture from a file, as a Pillow image.

    Args:
        path: the file.
        grayscale: convert to gray; else to RGB.
        target_size: (rows, cols) to resize to; None to leave the size.
        interpolation: for resizing: 'nearest', 'bilinear', 'bicubic', 'lanczos', 'box' or 'hamming'.

    Raises:
        DataError: the file is no picture, or is damaged.
        ArgumentError: an unknown interpolation.
    """
    Image = _pillow()
    check_interpolation(interpolation)
    size = None if target_size is None else check_size(target_size)
    try:
        with Image.open(path) as file:
            img = file.convert("L" if grayscale else "RGB")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{os.fspath(path)} cannot be read as a picture ({error}); replace it, or remove it from the data"
        ) from error
    if size is not None and img.size != size[::-1]:
        img = img.resize(size[::-1], getattr(Image.Resampling, interpolation.upper()))
    return img


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Write an array as a picture; see `array_to_img`. `kwargs` are those of Pillow's `Image.save`.

    Args:
        path: the file.
        x: one image.
        data_format: of x.
        file_format: such as 'png'; None to take it from the file's name.
        scale: see `array_to_img`.
    """
    img = array_to_img(x, data_format, scale)
    if img.mode == "RGBA" and str(file_format or path).lower().endswith(("jpg", "jpeg")):
        img = img.convert("RGB")  # JPEG has no transparency
    img.save(path, format="jpeg" if file_format == "jpg" else file_format, **kwargs)


def list_pictures(directory: Any, ext: Any = EXTENSIONS, followlinks: bool = False) -> list[str]:
    """The paths of all pictures in a folder and the folders in it, sorted folder by folder.

    Args:
        directory: the folder.
        ext: endings of the names, without the dot.
        followlinks: whether to go into linked folders.
    """
    endings = tuple(f".{e.lower()}" for e in ([ext] if isinstance(ext, str) else ext))
    folders = sorted(os.walk(directory, followlinks=followlinks), key=lambda entry: entry[0])
    return [
        os.path.join(folder, name)
        for folder, _, names in folders
        for name in sorted(names)
        if name.lower().endswith(endings)
    ]
