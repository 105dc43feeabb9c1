"""Batches of pictures from a folder."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.errors import ArgumentError, DataError, warn
from kcore_preprocessing.image.files import check_interpolation, check_size, img_to_array, list_pictures, load_img
from kcore_preprocessing.image.iterators import Iterator, Saving

_CLASS_MODES = ("categorical", "binary", "sparse", "input", None)


class DirectoryIterator(Iterator):
    """Batches of the pictures in a folder that has one folder for each class.

    For the arguments see `ImageDataGenerator.flow_from_directory`.

    Attributes:
        filenames: paths below the folder.
        classes: int32 array, the class number of each picture.
        class_indices: class name -> number.
        samples, num_classes: counts.
    """

    def __init__(
        self,
        directory: Any,
        image_data_generator: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
    ) -> None:
        if color_mode not in ("rgb", "grayscale"):
            raise ArgumentError(f"color_mode is {color_mode!r}; expected 'rgb' or 'grayscale'")
        if class_mode not in _CLASS_MODES:
            raise ArgumentError(f"class_mode is {class_mode!r}; expected one of {', '.join(map(repr, _CLASS_MODES))}")
        if not os.path.isdir(directory):
            raise DataError(f"{os.fspath(directory)} is not a folder; expected one with a folder for each class")
        check_interpolation(interpolation)
        self.directory, self.image_data_generator = directory, image_data_generator
        self.target_size, self.color_mode, self.class_mode = check_size(target_size), color_mode, class_mode
        self.data_format = data_format or image_data_generator.data_format
        self.saving = Saving(save_to_dir, save_prefix, save_format, self.data_format)
        self.subset, self.interpolation = subset, interpolation
        channels = (3 if color_mode == "rgb" else 1,)
        last = self.data_format == "channels_last"
        self.image_shape = self.target_size + channels if last else channels + self.target_size

        names = list(classes) if classes else sorted(e.name for e in os.scandir(directory) if e.is_dir())
        missing = [name for name in names if not os.path.isdir(os.path.join(directory, name))]
        if missing:
            warn(
                f"{os.fspath(directory)} has no folder for the classes {missing}: they have no pictures. Its folders: "
                f"{sorted(e.name for e in os.scandir(directory) if e.is_dir())}"
            )
        self.num_classes = len(names)
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.filenames: list[str] = []
        numbers: list[int] = []
        split = image_data_generator.validation_split
        first, end = image_data_generator._part(subset)
        for i, name in enumerate(names):
            found = list_pictures(os.path.join(directory, name), followlinks=follow_links)
            found = found[int(len(found) * first) : int(len(found) * end)]
            self.filenames += [os.path.relpath(path, directory) for path in found]
            numbers += [i] * len(found)
        self.classes = np.array(numbers, dtype="int32")
        self.samples = len(numbers)
        if not self.samples:
            raise DataError(
                f"{os.fspath(directory)} has no pictures: its class folders are {names}, and no file in them ends in "
                ".png, .jpg, .jpeg, .bmp, .ppm, .tif or .tiff. Pictures belong in class folders below the one given, "
                "also with class_mode=None"
                + (f"; subset={subset!r} leaves none, perhaps: validation_split is {split}" if subset else "")
            )
        if class_mode == "binary" and self.num_classes > 2:
            raise DataError(f"class_mode 'binary' is for two classes; there are {self.num_classes}: use 'sparse'")
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray, random: np.random.RandomState) -> Any:
        images = np.empty((len(index_array), *self.image_shape), dtype=K.floatx())
        for image, i in zip(images, index_array):
            path = os.path.join(self.directory, self.filenames[i])
            picture = load_img(path, self.color_mode == "grayscale", self.target_size, self.interpolation)
            image[...] = img_to_array(picture, self.data_format)
        batch = self.image_data_generator._augmented(images, random)
        self.saving.save(batch, index_array)
        if self.class_mode is None:
            return batch
        if self.class_mode == "input":
            return batch, batch.copy()
        labels = self.classes[index_array]
        if self.class_mode == "sparse":
            return batch, labels
        if self.class_mode == "binary":
            return batch, labels.astype(K.floatx())
        return batch, np.eye(self.num_classes, dtype=K.floatx())[labels]
