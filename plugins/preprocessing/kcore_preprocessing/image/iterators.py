"""Endless batches of augmented images, by index: `Sequence`s that any number of workers may read.

What is drawn for a batch depends on the seed of the pass and the number of the batch only: not on the thread or
process that makes it, nor on the order in which batches are asked for.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.errors import ArgumentError, DataError, ShapeError, warn
from kcore.utils import Sequence
from kcore_preprocessing.image.files import channel_axis, save_img

_global_draws = threading.RLock()


@contextlib.contextmanager
def drawing_from(random: np.random.RandomState) -> Any:
    """Code of users that draws from `np.random` draws from `random` instead."""
    with _global_draws:
        state = np.random.get_state()
        np.random.set_state(random.get_state())
        try:
            yield
        finally:
            random.set_state(np.random.get_state())
            np.random.set_state(state)


class Iterator(Sequence):
    """Base of iterators over images: `next(iterator)` gives batches without end, `iterator[i]` one of this pass.

    Args:
        n: number of images.
        batch_size: images a batch; the last one of a pass may have fewer.
        shuffle: a new order for each pass.
        seed: None to draw one from `np.random` for each pass.

    A subclass defines `_get_batches_of_transformed_samples(index_array, random)`.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None) -> None:
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ArgumentError(f"batch_size is {batch_size!r}; expected a whole number of at least 1")
        if n < 1:
            raise DataError(f"{type(self).__name__} has no images; expected at least one")
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = 0
        self.total_batches_seen = 0
        self.lock = threading.Lock()
        self._begin_pass()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"batch {index} was asked for; there are {count}")
        return self._batch(index % count)

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        with self.lock:
            if self.batch_index >= len(self):
                self._end_pass()
            index, self.batch_index = self.batch_index, self.batch_index + 1
            made = self._draws(index)
        return self._get_batches_of_transformed_samples(*made)

    def next(self) -> Any:
        """The next batch."""
        return next(self)

    def reset(self) -> None:
        """Start the present pass again."""
        with self.lock:
            self.batch_index = 0

    def on_epoch_end(self) -> None:
        """Begin the next pass."""
        with self.lock:
            self._end_pass()

    def _batch(self, index: int) -> Any:
        with self.lock:
            made = self._draws(index)
        return self._get_batches_of_transformed_samples(*made)

    def _end_pass(self) -> None:
        self.total_batches_seen += len(self)
        self.batch_index = 0
        self._begin_pass()

    def _begin_pass(self) -> None:
        # The generator of the pass's first batch makes the order first.
        base = np.random.randint(2**31 - 1) if self.seed is None else self.seed + self.total_batches_seen
        self._base = int(base)
        self._first = np.random.RandomState(self._base % 2**32)
        self.index_array = self._first.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _draws(self, index: int) -> tuple[np.ndarray, np.random.RandomState]:
        """Which images are in a batch, and the generator of its random numbers."""
        random = np.random.RandomState((self._base + index) % 2**32)
        if index == 0:
            random.set_state(self._first.get_state())
        return self.index_array[index * self.batch_size : (index + 1) * self.batch_size], random

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray, random: np.random.RandomState) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _get_batches_of_transformed_samples")

    # Threads need a lock of their own process.
    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()


def as_images(name: str, x: Any) -> np.ndarray:
    """An array of images, of rank 4."""
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise DataError(
            f"{name} is no array ({error}); expected images of one size: (samples, rows, cols, channels)"
        ) from error
    if x.ndim != 4:
        raise ShapeError(
            f"{name} has the shape {x.shape}; expected images of rank 4: (samples, rows, cols, channels). "
            "For gray images add an axis: x[..., None]; for one image: x[None]",
            shapes=(x.shape,),
        )
    return x


@dataclass(frozen=True)
class Saving:
    """Where and how the images of batches are written, to look at.

    Attributes:
        folder: an existing folder, or None: nothing is written.
        prefix: what the names of the files begin with.
        file_format: 'png' or 'jpeg'.
        data_format: of the images.
    """

    folder: Any
    prefix: str
    file_format: str
    data_format: str

    def __post_init__(self) -> None:
        if self.file_format not in ("png", "jpeg", "jpg"):
            raise ArgumentError(f"save_format is {self.file_format!r}; expected 'png' or 'jpeg'")
        if self.folder and not os.path.isdir(self.folder):
            raise DataError(f"save_to_dir is {os.fspath(self.folder)!r}, which is not a folder; make it first")

    def save(self, batch: np.ndarray, names: Any) -> None:
        """Write each image of a batch as a picture."""
        for name, image in zip(names, batch) if self.folder else ():
            path = os.path.join(self.folder, f"{self.prefix}_{name}_{secrets.token_hex(4)}.{self.file_format}")
            save_img(path, image, self.data_format, self.file_format)


def check_channels(x: np.ndarray, data_format: str) -> None:
    """A warning for images (batch, ...) with a number of channels that pictures do not have."""
    count = x.shape[channel_axis(data_format) + 1]
    if count not in (1, 3, 4):
        warn(
            f"images of the shape {x.shape} have {count} channels, as data_format is {data_format!r}; expected 1, 3 or "
            f"4. If the channels are on another axis, give ImageDataGenerator the other data_format"
        )


class NumpyArrayIterator(Iterator):
    """Batches of an array of images; see `ImageDataGenerator.flow`."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        sample_weight: Any = None,
    ) -> None:
        x = as_images("x", x)
        y = None if y is None else np.asarray(y)
        sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        for name, other in (("y", y), ("sample_weight", sample_weight)):
            if other is not None and len(other) != len(x):
                raise DataError(f"x has {len(x)} images and {name} {len(other)} entries; expected the same number")
        first, last = image_data_generator._part(subset)
        part = slice(int(len(x) * first), int(len(x) * last))
        if len(x) and part.start >= part.stop:
            raise DataError(
                f"subset={subset!r} of {len(x)} images has none: validation_split of ImageDataGenerator is "
                f"{image_data_generator.validation_split}"
            )
        self.x, self.y = x[part], None if y is None else y[part]
        self.sample_weight = None if sample_weight is None else sample_weight[part]
        self.image_data_generator = image_data_generator
        self.data_format = data_format or image_data_generator.data_format
        check_channels(x, self.data_format)
        self.saving = Saving(save_to_dir, save_prefix, save_format, self.data_format)
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray, random: np.random.RandomState) -> Any:
        images = self.x[index_array].astype(K.floatx(), copy=False)
        batch = self.image_data_generator._augmented(images, random)
        self.saving.save(batch, index_array)
        if self.y is None and self.sample_weight is None:
            return batch
        rest = [self.y[index_array] if self.y is not None else None]
        return (batch, *rest, *([] if self.sample_weight is None else [self.sample_weight[index_array]]))
