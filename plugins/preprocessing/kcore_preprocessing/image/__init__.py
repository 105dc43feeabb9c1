"""Images made ready for models; manual, section 6.3. Pillow is imported when a picture is first read or written."""

from kcore_preprocessing.image.affine import (
    apply_transform,
    flip_axis,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from kcore_preprocessing.image.directory import DirectoryIterator
from kcore_preprocessing.image.files import array_to_img, img_to_array, list_pictures, load_img, save_img
from kcore_preprocessing.image.generator import ImageDataGenerator
from kcore_preprocessing.image.iterators import Iterator, NumpyArrayIterator

__all__ = [
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_transform",
    "array_to_img",
    "flip_axis",
    "img_to_array",
    "list_pictures",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
]
